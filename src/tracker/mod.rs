//! Turns readings into events: follows every socket from its first row or event to its end.
//!
//! Each kind of reading has a file that says what it does: `snapshot`, `lookups`, `destroyed`,
//! `state_changes`; what is remembered for them is in types of its own. `matching` finds the socket of a
//! row, `missing` the sockets without one, and `peer` what both ends of a connection within this machine
//! prove of each other.

mod destroyed;
mod kernel_events;
mod lookups;
mod matching;
mod missing;
pub(crate) mod namespaces;
mod peer;
mod polls;
mod sharers;
mod snapshot;
mod socket;
mod sockets;
mod state_changes;
mod withheld;

use crate::model::event::{SocketId, SocketStatus, TrackerEvent};
use crate::model::reading::{LookupRequest, LostReason, PollWindow, Reading};
use crate::model::socket::AddressPair;
use crate::model::time::Stamp;
use destroyed::UnseenDestroyed;
use kernel_events::KernelEvents;
use lookups::PendingLookups;
use polls::Polls;
use socket::{SocketKey, TrackedSocket};
use sockets::{SocketCount, TrackedSockets};
use std::rc::Rc;
use withheld::Withheld;

/// Receives what a reading proves, while it is concluded: all events of the first poll of a busy
/// machine would take more memory than to follow its sockets.
pub trait TrackerSink {
    /// Called once per reading, before its first event. `new` are inodes that rows showed for the
    /// first time of their sockets, `shown` every inode that the last rows showed.
    fn inodes(&mut self, new: Vec<u64>, shown: &mut dyn Iterator<Item = u64>);

    /// The next event, in the order in which they are reported.
    fn push(&mut self, event: TrackerEvent);
}

/// All that a reading proves, collected.
#[derive(Debug, Default)]
pub struct Collected {
    /// The events, in the order in which they are reported.
    pub events: Vec<TrackerEvent>,
    /// Inodes that rows showed for the first time of their sockets.
    pub new_inodes: Vec<u64>,
}

impl TrackerSink for Collected {
    fn inodes(&mut self, new: Vec<u64>, _: &mut dyn Iterator<Item = u64>) {
        self.new_inodes = new;
    }

    fn push(&mut self, event: TrackerEvent) {
        self.events.push(event);
    }
}

/// Follows every socket from its first row or event to its end.
#[derive(Debug, Default)]
pub struct Tracker {
    sockets: TrackedSockets,
    polls: Polls,
    lookups: PendingLookups,
    destroyed: UnseenDestroyed,
    kernel_events: KernelEvents,
    withheld: Withheld,
    /// How often a restarted timer left it open whether a 4-tuple was reused.
    ambiguous: u64,
}

impl Tracker {
    /// A tracker that follows at most so many sockets.
    pub fn of_at_most(sockets: usize) -> Self {
        Self { sockets: TrackedSockets::at_most(sockets), ..Self::default() }
    }

    /// One whose sockets are counted together with those of others.
    fn counted_by(count: Rc<SocketCount>) -> Self {
        Self { sockets: TrackedSockets::counted_by(count), ..Self::default() }
    }

    /// Takes in a reading and pushes what it proves into `sink`.
    pub fn update(&mut self, reading: &Reading, sink: &mut dyn TrackerSink) {
        // Kernel events that come together are looked up together.
        let pending = match reading {
            Reading::Lookups(_) | Reading::StateChange(_) => PendingLookups::default(),
            _ => std::mem::take(&mut self.lookups),
        };
        if !matches!(reading, Reading::Snapshot(_) | Reading::Lookups(_)) {
            let new = match reading {
                Reading::StateChange(change) => {
                    self.kernel_events.new_inode(change, &self.sockets).into_iter().collect()
                }
                _ => Vec::new(),
            };
            sink.inodes(new, &mut self.shown_inodes());
        }
        match reading {
            Reading::Snapshot(snapshot) => self.apply_snapshot(snapshot, sink),
            Reading::Lookups(lookups) => self.apply_lookups(lookups, sink),
            Reading::DestroyEvents(destroyed) => self.apply_destroy_events(destroyed, sink),
            Reading::StateChange(change) => self.apply_change(change, sink),
            Reading::Lost(lost) => {
                match lost.reason {
                    LostReason::Gap => self.polls.gap = true,
                    LostReason::Ring | LostReason::Recursion | LostReason::Unreported => {
                        self.kernel_events.forget_addresses();
                    }
                    LostReason::Table | LostReason::Output => {}
                }
                sink.push(TrackerEvent::Lost(*lost));
            }
            // They say nothing of what sockets do.
            Reading::OwnerUpdate(_) | Reading::Begin(_) => {}
        }
        self.renew_lookups(&pending);
    }

    /// The inode of the network namespace of the last poll.
    const fn netns(&self) -> Option<u64> {
        self.polls.netns
    }

    /// The network namespace is gone, and with it all its sockets.
    fn end(&mut self, window: &PollWindow, sink: &mut dyn TrackerSink) {
        let mut keys: Vec<_> =
            self.sockets.iter().map(|(addrs, socket)| socket.key(addrs)).collect();
        keys.sort_unstable_by_key(|key| key.id);
        let window = PollWindow { netns: self.polls.netns, ..*window };
        for key in keys {
            // What the last poll did not show had closed before, for whatever reason.
            if self.sockets.get(key).is_some_and(|socket| socket.seen.is_missing()) {
                self.close(key, &window, sink);
            } else {
                self.close(key, &window, &mut EndOfNamespace { sink: &mut *sink });
            }
        }
    }

    /// The status of a socket that had these addresses; `None` if it is not followed or has not been reported.
    pub fn status(&self, addrs: AddressPair, id: SocketId) -> Option<SocketStatus> {
        let at = |addrs| self.status_at(self.sockets.place(addrs)?, id);
        at(addrs).or_else(|| at(addrs.lasting()))
    }

    /// The same of a socket whose place is known since the last reading.
    pub fn status_at(&self, place: usize, id: SocketId) -> Option<SocketStatus> {
        let (addrs, sharers) = self.sockets.at(place)?;
        let socket = sharers.as_slice().get(sharers.position(id)?)?;
        socket.status(addrs, self.polls.netns, self.withheld.contains(id))
    }

    /// The status of the other end of a connection, if that is on this machine and there is just one
    /// socket that it can be.
    pub(crate) fn peer_status(&self, addrs: AddressPair) -> Option<SocketStatus> {
        let key = addrs.mirrored().into_iter().find_map(|mirrored| self.sockets.only(mirrored))?;
        // Where there are several with these addresses, it need not be the other end of all of them.
        let is_peer =
            |own: &TrackedSocket| self.sockets.peer_at(key.addrs, own.key(addrs)).is_some();
        if !self.sockets.of(addrs).iter().all(is_peer) {
            return None;
        }
        self.sockets.get(key).filter(|socket| !socket.roles.is_peer_rejected)?;
        self.status(key.addrs, key.id)
    }

    /// The status of every socket that has been reported.
    pub fn statuses(&self) -> impl Iterator<Item = SocketStatus> {
        self.statuses_with_places().map(|(_, now)| now)
    }

    /// The same with their places, until the next reading.
    pub fn statuses_with_places(&self) -> impl Iterator<Item = (usize, SocketStatus)> {
        self.sockets.iter_with_places().filter_map(|(place, addrs, socket)| {
            let is_withheld = self.withheld.contains(socket.id);
            Some((place, socket.status(addrs, self.polls.netns, is_withheld)?))
        })
    }

    /// Lookups that may decide what the last reading left open.
    pub fn lookup_requests(&self) -> Vec<LookupRequest> {
        self.lookups.requests()
    }

    /// How many these are, or a few more.
    pub const fn pending_lookups(&self) -> usize {
        self.lookups.count()
    }

    /// How many sockets are followed.
    pub const fn socket_count(&self) -> usize {
        self.sockets.count()
    }

    /// How many rows of the last poll are of sockets that are not followed, for want of room.
    pub const fn left_out(&self) -> u64 {
        self.polls.left_out
    }

    /// How often a restarted timer left it open whether a 4-tuple was reused.
    pub const fn ambiguous(&self) -> u64 {
        self.ambiguous
    }

    /// Whether destroy events were lost: more sockets were missed than reported.
    pub const fn destroy_events_lost(&self) -> bool {
        self.destroyed.events_lost
    }

    /// Every socket that is followed, reported or not.
    pub fn ids(&self) -> impl Iterator<Item = SocketId> {
        self.sockets.iter().map(|(_, socket)| socket.id)
    }

    /// Every inode that the last rows showed.
    pub fn shown_inodes(&self) -> impl Iterator<Item = u64> {
        self.sockets.iter().map(|(_, socket)| socket.row.inode).filter(|inode| *inode != 0)
    }

    /// Every inode that a followed socket refers to; 0 for none.
    pub fn inodes(&self) -> impl Iterator<Item = u64> {
        self.sockets
            .iter()
            .flat_map(|(_, socket)| socket.listeners.iter().chain([socket.identity.last_inode]))
    }

    /// Asks for a lookup of a socket.
    fn look_up(&mut self, key: SocketKey) {
        if let Some(socket) = self.sockets.get(key) {
            self.lookups.add(socket.identity.lookup_request(key.addrs, &socket.row), key.id);
        }
    }

    /// Asks again for the lookups that there was no time for, unless a poll has decided since: kernel
    /// events and a poll may come at once.
    fn renew_lookups(&mut self, pending: &PendingLookups) {
        for key in pending.sockets() {
            let socket = self.sockets.get(key);
            if socket.is_some_and(|socket| socket.seen.last_poll != self.polls.number) {
                self.look_up(key);
            }
        }
    }

    /// Asks for a lookup also of the other ends of the sockets that are looked up: what they show
    /// now proves how these closed.
    fn look_up_peers(&mut self) {
        for addrs in self.lookups.addrs() {
            for mirrored in addrs.mirrored() {
                if let Some(key) = self.sockets.only(mirrored)
                    && self.sockets.get(key).is_some_and(|peer| !peer.is_traced())
                {
                    self.look_up(key);
                }
            }
        }
    }

    /// Reports the end of a socket, after what was withheld of it.
    fn close(&mut self, key: SocketKey, window: &PollWindow, sink: &mut dyn TrackerSink) {
        peer::decide_crossing(&mut self.sockets, key);
        if let Some(socket) = self.sockets.remove(key) {
            self.kernel_events.note_closed(key.addrs, socket.identity.cookie, window.end);
            self.withheld.release(key.id, sink);
            let closed = socket.closed(key.addrs, window);
            sink.push(TrackerEvent::Transition(Box::new(closed)));
        }
    }

    /// Reports what was withheld until it was known that a socket has closed, or has not.
    fn release_decided(&mut self, sink: &mut dyn TrackerSink) {
        let (sockets, poll) = (&self.sockets, self.polls.number);
        // One that was read after the other had come is there beside it.
        let is_decided = |before, since: Stamp| {
            sockets.get(before).is_none_or(|before| {
                before.seen.last_poll == poll && before.seen.last_start >= since
            })
        };
        self.withheld.release_decided(is_decided, sink);
    }
}

/// Says of sockets that were there when their namespace was last read why they are gone.
struct EndOfNamespace<'s> {
    sink: &'s mut dyn TrackerSink,
}

impl TrackerSink for EndOfNamespace<'_> {
    fn inodes(&mut self, new: Vec<u64>, shown: &mut dyn Iterator<Item = u64>) {
        self.sink.inodes(new, shown);
    }

    fn push(&mut self, mut event: TrackerEvent) {
        if let TrackerEvent::Transition(transition) = &mut event {
            transition.end_with_namespace();
        }
        self.sink.push(event);
    }
}
