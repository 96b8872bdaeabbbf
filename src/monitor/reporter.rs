//! Turns the tracker's events into those the user asked for: finds the owners, applies the filters,
//! counts what was seen.

use super::coverage::Coverage;
use super::hidden::HiddenSockets;
use super::owners::Owners;
use super::sink::MonitorSink;
use super::tally::OwnerTallies;
use crate::filter::{Filter, Match};
use crate::model::binding::Binding;
use crate::model::event::{
    BySocket, EventKind, MonitorEvent, SocketEvent, SocketId, SocketIds, SocketRef, TrackerEvent,
    Transition,
};
use crate::model::growth::most_kept;
use crate::model::process::{Attribution, OwnerSource};
use crate::model::socket::AddressPair;
use crate::model::tcp_info::{TcpInfo, TcpInfos};
use crate::owner::OwnerLookup;
use crate::tcp::state::State;
use crate::tracker::TrackerSink;
use crate::tracker::namespaces::Trackers;
use std::rc::Rc;

/// The owners of this many events are proven together: enough to share a scan of all processes,
/// few enough to take no memory that counts.
const BATCH: usize = 1024;

/// Where reported events go; `None` where they are only counted.
pub(super) type Destination<'s> = Option<&'s mut dyn MonitorSink>;

/// What is known of the sockets besides what the tracker knows.
pub(super) struct Reporter<'a> {
    pub(super) filter: &'a Filter,
    pub(super) owners: Owners<'a>,
    /// Sockets that matched the filter by process once: they stay matched, whichever process holds them then.
    matched: SocketIds,
    /// Sockets that match as long as nobody is known to have accepted them: a holder of a listener
    /// that they can have come from matches.
    queued: BySocket<AddressPair>,
    pub(super) hidden: HiddenSockets,
    pub(super) tallies: OwnerTallies,
    pub(super) coverage: Coverage,
    /// What the kernel measured with the last poll, where that is asked for.
    pub(super) tcp_infos: Option<Rc<TcpInfos>>,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(finder: Box<dyn OwnerLookup>, filter: &'a Filter) -> Self {
        Self {
            filter,
            owners: Owners::new(finder, filter),
            matched: SocketIds::default(),
            queued: BySocket::default(),
            hidden: HiddenSockets::default(),
            tallies: OwnerTallies::default(),
            coverage: Coverage::default(),
            tcp_infos: None,
        }
    }

    /// Forgets the sockets of a run that has been followed by another; counts go on.
    pub(super) fn restart(&mut self) {
        self.owners.restart();
        self.matched.clear();
        self.queued.clear();
        self.tallies.close_others(&SocketIds::default());
    }

    /// Reports events whose owners are proven together.
    pub(super) fn report_all(&mut self, mut events: Vec<TrackerEvent>, sink: &mut Destination<'_>) {
        self.owners.prove(&events);
        let Some(sink) = sink else {
            events.retain(|event| !self.can_skip(event));
            for event in events {
                drop(self.report(event));
            }
            return;
        };
        let reported: Vec<_> = events.into_iter().filter_map(|event| self.report(event)).collect();
        if !reported.is_empty() {
            sink.push(reported);
        }
    }

    /// Whether an event that nobody is shown changes nothing here: of a socket that somebody holds
    /// there is nothing to note, nor of one that nobody holds where all processes can be read.
    fn can_skip(&self, event: &TrackerEvent) -> bool {
        let TrackerEvent::Transition(transition) = event else { return false };
        let inode = transition.clues.last_inode;
        let SocketRef { addrs, binding, .. } = &transition.socket;
        self.filter.process.is_empty()
            && transition.caller.is_none()
            && inode != 0
            && self.filter.may_follow(addrs, binding) != Match::Unreadable
            && (!self.owners.table.was_denied() || self.owners.table.is_held(inode))
    }

    /// Counts an event, and returns it with the owner if the filters ask for its socket.
    fn report(&mut self, event: TrackerEvent) -> Option<MonitorEvent> {
        match event {
            TrackerEvent::Lost(lost) => {
                self.coverage.lost = self.coverage.lost.saturating_add(lost.count.unwrap_or(1));
                Some(MonitorEvent::Lost(lost))
            }
            TrackerEvent::NeverSeen(addrs) => {
                let wanted = addrs.is_none_or(|addrs| {
                    self.filter.may_follow(&addrs, &Binding::default()) != Match::No
                });
                self.coverage.missed += u64::from(wanted);
                None
            }
            TrackerEvent::Transition(transition) => self.report_transition(*transition),
        }
    }

    fn report_transition(&mut self, transition: Transition) -> Option<MonitorEvent> {
        self.owners.note_caller(&transition);
        let Transition { socket, clues, .. } = &transition;
        let owner = self.owners.of(socket.id, clues);
        let follows = self.filter.may_follow(&socket.addrs, &socket.binding);
        let wanted = follows == Match::Yes;
        // What is in CLOSED, as some systems list it, ends without a change of its state.
        let is_change = transition.from != Some(transition.to);
        let passes = is_change && self.filter.shows(&transition);
        if follows == Match::Unreadable && passes && transition.from.is_none() {
            self.hidden.unshown.count(socket);
        }
        let tcp_info = self.tcp_info(socket.addrs, clues.inode, transition.to);
        let event = SocketEvent { transition, owner, passes, tcp_info };
        let matches = self.matches_process(&event, wanted);
        (matches && wanted).then(|| MonitorEvent::Socket(Box::new(event)))
    }

    /// What the kernel measured of a socket; `None` where that is not asked for.
    fn tcp_info(&self, addrs: AddressPair, inode: u64, state: State) -> Option<Box<TcpInfo>> {
        self.tcp_infos.as_ref().map(|infos| Box::new(infos.of(addrs, inode, state)))
    }

    /// Whether the filter by process holds, now or earlier for this socket. `wanted`: its addresses
    /// are asked for, so that it counts.
    fn matches_process(&mut self, event: &SocketEvent, wanted: bool) -> bool {
        let filter = &self.filter.process;
        let Transition { socket, kind, clues, .. } = &event.transition;
        let (socket, kind) = (*socket, *kind);
        let is_queued = event.owner.main.is_none() && self.queued.contains_key(&socket.id);
        let is_match = filter.is_empty() || self.matched.contains(&socket.id) || is_queued;
        let verdict = if is_match { Match::Yes } else { event.owner.verdict(filter, clues.uid) };
        let matches = verdict == Match::Yes;
        let denied = event.owner.source == OwnerSource::Denied;
        let uid_decides = !filter.needs_owner() && clues.uid.is_some() && !denied;
        let ownerless = event.owner.main.is_none() && (denied || clues.last_inode == 0);
        // What was there before a command was run is not the command's.
        let may_match = filter.tree.is_none() || kind != EventKind::Present;
        let counts = wanted && event.passes && may_match && kind != EventKind::Closed;
        if counts && ownerless && !uid_decides {
            self.hidden.count(matches, denied, clues);
        }
        if counts {
            let undecided = event.owner.main.is_some() && verdict == Match::Unreadable;
            self.tallies.note(socket.id, matches && denied, undecided);
        }
        let is_first = match kind {
            EventKind::Closed => {
                if matches {
                    self.tallies.match_found(socket.id);
                }
                self.tallies.close(socket.id);
                self.matched.remove(&socket.id);
                self.queued.remove(&socket.id);
                self.owners.callers.remove(&socket.id);
                return matches;
            }
            // Without a filter each is reported from the first event on.
            kind if filter.is_empty() => kind != EventKind::Changed,
            _ if matches => !is_queued && self.add_match(socket, event.owner.source),
            _ => {
                self.queued.remove(&socket.id);
                false
            }
        };
        self.coverage.sockets += u64::from(is_first && wanted);
        matches
    }

    /// Whether a socket matches the filter by process, or did once.
    pub(super) fn is_matched(&self, id: SocketId) -> bool {
        self.matched.contains(&id) || self.queued.contains_key(&id)
    }

    /// The sockets that match as long as nobody is known to have accepted them.
    pub(super) fn queued(&self) -> impl Iterator<Item = (SocketId, AddressPair)> {
        self.queued.iter().map(|(id, addrs)| (*id, *addrs))
    }

    /// A socket that matched as long as nobody had accepted it has this owner now. If none was
    /// found it stays matched.
    pub(super) fn settle_queued(&mut self, id: SocketId, owner: &Attribution) {
        self.queued.remove(&id);
        if owner.main.is_none() || owner.matches(&self.filter.process) {
            self.matched.insert(id);
        }
    }

    /// Notes that a socket matches by an owner that is known like this. Returns whether it had not
    /// matched before.
    pub(super) fn add_match(&mut self, socket: SocketRef, source: OwnerSource) -> bool {
        self.tallies.match_found(socket.id);
        if source == OwnerSource::Listener && !self.matched.contains(&socket.id) {
            return self.queued.insert(socket.id, socket.addrs).is_none();
        }
        let was_queued = self.queued.remove(&socket.id).is_some();
        self.matched.insert(socket.id) && !was_queued
    }

    /// Drops what belongs to sockets that are closed, or were dropped without an end.
    pub(super) fn forget_closed(&mut self, tracker: &Trackers) {
        let open = tracker.socket_count();
        self.owners.table.sweep(open, tracker.inodes());
        let callers = &mut self.owners.callers;
        let kept = self.matched.len().max(callers.len()).max(self.tallies.open_count());
        if kept > most_kept(open) {
            let open: SocketIds = tracker.ids().collect();
            self.matched.retain(|id| open.contains(id));
            callers.retain(|id, _| open.contains(id));
            self.queued.retain(|id, _| open.contains(id));
            self.tallies.close_others(&open);
        }
    }
}

/// Reports the tracker's events in batches while it concludes them.
pub(super) struct Batches<'b, 'a, 's> {
    pub(super) reporter: &'b mut Reporter<'a>,
    pub(super) sink: &'b mut Destination<'s>,
    pub(super) events: Vec<TrackerEvent>,
    /// Sockets without a holder were searched for again.
    pub(super) searched_again: bool,
}

impl Batches<'_, '_, '_> {
    pub(super) fn flush(&mut self) {
        self.reporter.report_all(std::mem::take(&mut self.events), self.sink);
    }
}

impl TrackerSink for Batches<'_, '_, '_> {
    fn inodes(&mut self, new: Vec<u64>, shown: &mut dyn Iterator<Item = u64>) {
        self.searched_again = self.reporter.owners.search_new(new, shown);
    }

    fn push(&mut self, event: TrackerEvent) {
        self.events.push(event);
        if self.events.len() == BATCH {
            self.flush();
        }
    }
}
