//! The sockets between two readings: which there are, who owns them, and which may be hidden.

use super::Monitor;
use super::hidden::has_owner;
use crate::error::Reason;
use crate::filter::{Filter, ProcessFilter};
use crate::model::event::{SocketEvent, SocketId, SocketStatus};
use crate::model::process::{Attribution, Inodes};
use crate::model::reading::Snapshot;
use crate::model::socket::AddressPair;
use crate::model::time::Stamp;
use crate::owner::SearchScope;
use crate::rules::alerts::RuleInput;
use crate::tcp::state::State;
use crate::tracker::namespaces::Place;
use std::collections::HashSet;

/// The order of sockets in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketOrder {
    /// By family, in the order of the kernel's tables: that of their hashes.
    Kernel,
    /// Listeners before connections, by local port and address, then by remote address and port:
    /// the same for every poll that finds the same sockets.
    Ports,
}

/// The polls so far: an absence needs two, since a single one may skip a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PollCount {
    /// How many.
    pub taken: u64,
    /// Rows of the last one that could not be read, or not be followed for want of room.
    pub bad_rows: u64,
    /// These are network namespaces, none of which could be read as a whole.
    of_namespaces: bool,
}

impl PollCount {
    pub(super) const fn add(&mut self, snapshot: &Snapshot, left_out: u64) {
        self.taken += 1;
        self.bad_rows = snapshot.bad_rows.saturating_add(left_out);
        self.of_namespaces = snapshot.namespaces.is_some() && left_out == 0;
    }

    /// Why the last one leaves an answer open; `None` where all was read.
    pub(crate) fn unread(&self) -> Option<Reason> {
        let reason = if self.of_namespaces { Reason::Namespaces } else { Reason::BadRows };
        (self.bad_rows > 0).then(|| reason(self.bad_rows))
    }
}

impl Monitor<'_> {
    /// The polls so far.
    pub const fn polls(&self) -> PollCount {
        self.polls
    }

    /// The sockets that the filters ask for. There may be many: the owner of each is looked up when
    /// its turn comes.
    pub fn sockets(
        &mut self,
        order: SocketOrder,
    ) -> impl Iterator<Item = (SocketStatus, Attribution)> {
        let sorted = |(place, now): (Place, SocketStatus)| {
            let AddressPair { local, remote, family, netns } = now.socket.addrs;
            let ports = (local.port, local.addr, remote.addr, remote.port);
            let of_ports = (now.state != State::Listen, ports);
            let key = (netns, (order == SocketOrder::Ports).then_some(of_ports), family, now.row);
            (key, now.socket.id, place)
        };
        let all = self.tracker.statuses_with_places();
        let mut sockets: Vec<_> = all.filter(|(_, now)| self.asks_for(now)).map(sorted).collect();
        sockets.sort_unstable_by_key(|(key, ..)| *key);
        sockets.into_iter().filter_map(|(_, id, place)| {
            let now = self.tracker.status_at(place, id)?;
            let owner = self.current_owner(&now);
            Some((now, owner))
        })
    }

    /// The sockets that the filters by process and address ask for, whatever their state, in the
    /// order in which they were first observed.
    pub fn open_sockets(&mut self) -> Vec<(SocketStatus, Attribution)> {
        let mut sockets: Vec<SocketStatus> = self.matching().collect();
        sockets.sort_unstable_by_key(|now| now.socket.id);
        let with_owner = |now| {
            let owner = self.current_owner(&now);
            (now, owner)
        };
        sockets.into_iter().map(with_owner).collect()
    }

    /// The owners of the other ends of connections that this side has closed, as far as these are on
    /// this machine and have not sent their FIN. The filters need not ask for them.
    pub(crate) fn peer_owners(
        &mut self,
        connections: impl Iterator<Item = AddressPair>,
    ) -> Vec<Option<Attribution>> {
        let peer = |addrs: AddressPair| self.tracker.peer_status(addrs);
        let waits = |now: &SocketStatus| now.state == State::CloseWait;
        let peers: Vec<Option<SocketStatus>> =
            connections.map(|addrs| peer(addrs).filter(waits)).collect();
        let owners = &mut self.reporter.owners;
        let inodes = peers.iter().flatten().flat_map(|now| now.clues.inodes());
        let unheld: Inodes = inodes.filter(|inode| !owners.table.is_held(*inode)).collect();
        if !unheld.is_empty() {
            let found = owners.finder.find_known(SearchScope::All(owners.filter()), &unheld);
            owners.table.insert(&unheld, found);
        }
        peers.into_iter().map(|now| now.map(|now| self.current_owner(&now))).collect()
    }

    /// The sockets that the filters ask for, in no order, with their owners as far as they are known:
    /// no process is read for it.
    #[cfg(feature = "export")]
    pub(crate) fn statuses_with_owners(&self) -> impl Iterator<Item = (SocketStatus, Attribution)> {
        self.statuses().map(|now| {
            let owner = self.reporter.owners.of(now.socket.id, &now.clues);
            (now, owner)
        })
    }

    /// All sockets that are followed, whether they match or not.
    pub fn open_ids(&self) -> HashSet<SocketId> {
        self.tracker.ids().collect()
    }

    /// The states of the sockets that the filters ask for.
    pub fn states(&self) -> impl Iterator<Item = State> {
        self.statuses().map(|now| now.state)
    }

    /// The sockets that the filters ask for, in no order, as far as their owners are known.
    pub fn statuses(&self) -> impl Iterator<Item = SocketStatus> {
        self.tracker.statuses().filter(|now| self.asks_for(now))
    }

    fn asks_for(&self, now: &SocketStatus) -> bool {
        let filter = self.reporter.filter;
        filter.follows(&now.socket) && self.is_matched(now) && filter.shows(now)
    }

    /// The sockets that the filters by process and address ask for, whatever their state.
    pub(crate) fn matching(&self) -> impl Iterator<Item = SocketStatus> {
        self.with_wanted_addrs().filter(|now| self.is_matched(now))
    }

    /// Whether the filter by state asks for this one.
    pub(crate) fn shows_state(&self, state: State) -> bool {
        self.reporter.filter.shows_state(state)
    }

    /// The sockets that the filters by address ask for, whichever process owns them.
    pub(crate) fn with_wanted_addrs(&self) -> impl Iterator<Item = SocketStatus> {
        self.tracker.statuses().filter(|now| self.reporter.filter.follows(&now.socket))
    }

    /// The owner of a socket now: its holders are checked.
    pub fn current_owner(&mut self, now: &SocketStatus) -> Attribution {
        if now.clues.inode != 0 {
            self.reporter.owners.prove_again(now.clues.inode);
        }
        self.reporter.owners.of(now.socket.id, &now.clues)
    }

    fn is_owned(&self, filter: &ProcessFilter, now: &SocketStatus) -> bool {
        filter.is_empty() || {
            let owner = self.reporter.owners.of(now.socket.id, &now.clues);
            owner.satisfies(filter, now.clues.uid)
        }
    }

    /// Matches the sockets with wanted addresses that have come to a matching process since their last
    /// event: there is none when a descriptor is passed on. Returns them.
    pub(super) fn rematch(&mut self) -> HashSet<SocketId> {
        let filter = &self.reporter.filter.process;
        let mut new = Vec::new();
        for now in self.with_wanted_addrs().filter(|now| has_owner(now) && !self.is_matched(now)) {
            let owner = self.reporter.owners.table.attribute(&now.clues, filter);
            if owner.matches(filter) {
                new.push((now.socket, owner.source));
            }
        }
        for (socket, source) in &new {
            let is_new = self.reporter.add_match(*socket, *source);
            self.reporter.coverage.sockets += u64::from(is_new);
        }
        new.into_iter().map(|(socket, _)| socket.id).collect()
    }

    /// Lets the holders of sockets decide that matched as long as nobody had accepted them.
    pub(super) fn settle_queued(&mut self) {
        let queued = self.reporter.queued();
        let statuses = queued.filter_map(|(id, addrs)| self.tracker.status(addrs, id));
        let accepted: Vec<SocketStatus> = statuses.filter(|now| now.clues.inode != 0).collect();
        let owners = &mut self.reporter.owners;
        let inodes = accepted.iter().map(|now| now.clues.inode);
        let unheld: Inodes = inodes.filter(|inode| !owners.table.is_held(*inode)).collect();
        if !unheld.is_empty() {
            let found = owners.finder.find(SearchScope::All(owners.filter()), &unheld);
            owners.table.insert(&unheld, found);
        }
        for now in accepted {
            let owner = self.reporter.owners.of(now.socket.id, &now.clues);
            self.reporter.settle_queued(now.socket.id, &owner);
        }
    }

    /// Whether a socket has been reported, and has then once matched the filter by process.
    pub(super) fn is_matched(&self, now: &SocketStatus) -> bool {
        if self.reporter.filter.process.is_empty() {
            !now.withheld
        } else {
            self.reporter.is_matched(now.socket.id)
        }
    }
}

impl RuleInput for Monitor<'_> {
    fn read_at(&self) -> Stamp {
        self.read_at
    }

    fn polls(&self) -> u64 {
        self.polls.taken
    }

    /// The sockets that the filters by process and address ask for, in whatever state, as far as
    /// another filter asks for them, too.
    fn matching_too(&self, filter: &Filter) -> Vec<SocketStatus> {
        let asked = self.tracker.statuses().filter(|now| {
            filter.matches(now)
                && self.reporter.filter.follows(&now.socket)
                && self.is_matched(now)
                && self.is_owned(&filter.process, now)
        });
        asked.collect()
    }

    fn event_matches(&self, filter: &Filter, event: &SocketEvent) -> bool {
        filter.matches(&event.transition)
            && event.owner.satisfies(&filter.process, event.transition.clues.uid)
    }

    fn owner_of(&mut self, socket: &SocketStatus) -> Attribution {
        self.current_owner(socket)
    }
}
