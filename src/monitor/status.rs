//! The sockets between two readings: which there are, who owns them, and which may be hidden.

use super::Monitor;
use crate::filter::{Filter, Match, ProcessFilter};
use crate::model::event::{SocketEvent, SocketId, SocketStatus};
use crate::model::process::{Attribution, ByInode, Inodes};
use crate::model::reading::Snapshot;
use crate::model::time::Stamp;
use crate::owner::SearchScope;
use crate::owner::table::Found;
use crate::rules::alerts::Sockets;
use crate::tcp::state::State;
use std::collections::{HashMap, HashSet};

/// The polls so far: an absence needs two, since a single one may skip a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PollCount {
    /// How many.
    pub taken: u64,
    /// Rows of the last one that could not be read, or not be followed for want of room.
    pub bad_rows: u64,
}

impl PollCount {
    pub(super) const fn add(&mut self, snapshot: &Snapshot, left_out: u64) {
        self.taken += 1;
        self.bad_rows = snapshot.bad_rows.saturating_add(left_out);
    }
}

impl Monitor<'_> {
    /// The polls so far.
    pub const fn polls(&self) -> PollCount {
        self.polls
    }

    /// The sockets that the filters ask for, by family, in the order of the kernel's tables. There
    /// may be many: the owner of each is looked up when its turn comes.
    pub fn sockets(&mut self) -> impl Iterator<Item = (SocketStatus, Attribution)> {
        let place =
            |now: SocketStatus| (now.socket.addrs.family, now.row, now.socket.addrs, now.socket.id);
        let mut places: Vec<_> = self.statuses().map(place).collect();
        places.sort_unstable_by_key(|(family, row, ..)| (*family, *row));
        places.into_iter().filter_map(|(_, _, addrs, id)| {
            let now = self.tracker.status(addrs, id)?;
            Some((now, self.current_owner(&now)))
        })
    }

    /// The sockets that the filters by process and address ask for, whatever their state, in the
    /// order in which they were first observed.
    pub fn open_sockets(&mut self) -> Vec<(SocketStatus, Attribution)> {
        let mut sockets: Vec<SocketStatus> = self.matching().collect();
        sockets.sort_unstable_by_key(|now| now.socket.id);
        sockets.into_iter().map(|now| (now, self.current_owner(&now))).collect()
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
        self.matching().filter(|now| self.reporter.filter.shows(now))
    }

    /// The sockets that the filters by process and address ask for, whatever their state.
    pub(super) fn matching(&self) -> impl Iterator<Item = SocketStatus> {
        self.with_wanted_addrs().filter(|now| self.is_matched(now))
    }

    /// The sockets that the filters by address ask for, whoever owns them.
    fn with_wanted_addrs(&self) -> impl Iterator<Item = SocketStatus> {
        self.tracker.statuses().filter(|now| self.reporter.filter.follows(&now.socket.addrs))
    }

    /// The owner of a socket now: its holders are checked.
    pub fn current_owner(&mut self, now: &SocketStatus) -> Attribution {
        if now.clues.inode != 0 {
            self.reporter.owners.prove_again(now.clues.inode);
        }
        self.reporter.owners.of(now.socket.id, now.clues)
    }

    fn is_owned(&self, filter: &ProcessFilter, now: &SocketStatus) -> bool {
        filter.is_empty() || {
            let owner = self.reporter.owners.of(now.socket.id, now.clues);
            owner.satisfies(filter, now.clues.uid)
        }
    }

    /// The sockets with an inode that pass the other filters and may belong to a matching process
    /// that permission is denied to inspect, or are known only now to match. One with an owner that
    /// does not match is none of them; nor is one without an inode, which nobody holds.
    ///
    /// This looks into all processes, so it is for the moment when an absence decides.
    pub fn candidates(&mut self) -> Vec<SocketStatus> {
        let filter = &self.reporter.filter.process;
        let mut unknown: Vec<SocketStatus> = Vec::new();
        if !filter.is_empty() {
            let unmatched =
                |now: &SocketStatus| self.reporter.filter.shows(now) && self.is_unmatched(now);
            unknown.extend(self.with_wanted_addrs().filter(unmatched));
        }
        let reporter = &mut self.reporter;
        let there = inodes(&unknown);
        reporter.of_others.retain(|inode| there.contains(inode));
        unknown.retain(|now| !reporter.of_others.contains(&now.clues.inode));
        if unknown.is_empty() {
            return unknown;
        }
        let wanted = inodes(&unknown);
        let found = reporter.owners.finder.find(SearchScope::All(filter), &wanted);
        let of_others = owned_by_others(&found, filter);
        reporter.of_others.extend(wanted.intersection(&of_others));
        unknown.retain(|now| !of_others.contains(&now.clues.inode));
        if unknown.is_empty() {
            return unknown;
        }
        let wanted = inodes(&unknown);
        let found = reporter.owners.finder.find(SearchScope::Matching(filter), &wanted);
        let hidden = found.denied > 0;
        reporter.owners.table.insert(&wanted, found);
        let matched = self.rematch();
        // Processes that cannot be inspected and cannot match hide nothing.
        unknown.retain(|now| hidden || matched.contains(&now.socket.id));
        unknown
    }

    /// Matches the sockets with wanted addresses that have come to a matching process since their last
    /// event: there is none when a descriptor is passed on. Returns them.
    pub(super) fn rematch(&mut self) -> HashSet<SocketId> {
        let filter = &self.reporter.filter.process;
        let comes_to_match = |now: &SocketStatus| {
            self.is_unmatched(now)
                && self.reporter.owners.table.attribute(now.clues, filter).matches(filter)
        };
        let new = self.with_wanted_addrs().filter(comes_to_match).map(|now| now.socket.id);
        let new: HashSet<SocketId> = new.collect();
        self.reporter.coverage.sockets += new.len() as u64;
        self.reporter.matched.extend(&new);
        new
    }

    fn is_unmatched(&self, now: &SocketStatus) -> bool {
        now.clues.inode != 0 && !self.is_matched(now)
    }

    /// Whether a socket has been reported, and has then once matched the filter by process.
    fn is_matched(&self, now: &SocketStatus) -> bool {
        if self.reporter.filter.process.is_empty() {
            !now.withheld
        } else {
            self.reporter.matched.contains(&now.socket.id)
        }
    }
}

impl Sockets for Monitor<'_> {
    fn read_at(&self) -> Stamp {
        self.read_at
    }

    fn polls(&self) -> u64 {
        self.polls.taken
    }

    /// The sockets that the filters by process and ends ask for, in whatever state, as far as
    /// another filter asks for them, too.
    fn matching_too(&self, filter: &Filter) -> Vec<SocketStatus> {
        let asked = self.tracker.statuses().filter(|now| {
            filter.matches(now)
                && self.reporter.filter.follows(&now.socket.addrs)
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

fn inodes(sockets: &[SocketStatus]) -> Inodes {
    sockets.iter().map(|now| now.clues.inode).collect()
}

/// The inodes whose holders were all read, and do not match.
fn owned_by_others(found: &Found, filter: &ProcessFilter) -> Inodes {
    let of_others: HashMap<_, _> = found
        .processes
        .iter()
        .map(|process| (process.identity(), filter.matches(process) == Match::No))
        .collect();
    let mut owned: ByInode<bool> = ByInode::default();
    for (inode, holder) in &found.holders {
        let other = of_others.get(&holder.process()).is_some_and(|other| *other);
        *owned.entry(*inode).or_insert(true) &= other;
    }
    owned.into_iter().filter_map(|(inode, others)| others.then_some(inode)).collect()
}
