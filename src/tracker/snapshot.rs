//! What a poll does: its rows are matched, what it does not show may have closed, what it shows in
//! another state is reported.

use super::matching::RowMatcher;
use super::missing::{MayHaveClosed, Missing, count_misses};
use super::polls::LastWithout;
use super::socket::{SocketKey, is_unaccepted_state};
use super::{Tracker, TrackerSink, peer};
use crate::model::event::{EventKind, Listeners, TrackerEvent};
use crate::model::reading::{Lost, LostReason, PollWindow, Snapshot};
use crate::model::socket::AddressPair;
use crate::model::time::Stamp;
use log::debug;
use std::cell::RefCell;
use std::collections::HashMap;

/// Requests are looked up while fewer sockets than this are: a SYN flood must not delay polls.
const MOST_REQUESTS: usize = 64;

/// What the events of one poll or lookup have in common.
pub(super) struct Context {
    pub(super) window: PollWindow,
    /// The last polls that did not show a new socket.
    pub(super) last_without: LastWithout,
    pub(super) undecided: MayHaveClosed,
    /// The listeners found for an address and interface.
    listeners: RefCell<HashMap<(AddressPair, Option<u32>), Listeners>>,
}

impl Context {
    pub(super) fn new(
        window: PollWindow,
        last_without: LastWithout,
        undecided: MayHaveClosed,
    ) -> Self {
        Self { window, last_without, undecided, listeners: RefCell::default() }
    }

    /// That of the first poll, for a socket whose row was read before this instant.
    fn ending_at(&self, end: Stamp) -> Self {
        let window = PollWindow { end, ..self.window };
        Self::new(window, self.last_without, MayHaveClosed::default())
    }
}

impl Tracker {
    pub(super) fn apply_snapshot(&mut self, snapshot: &Snapshot, sink: &mut dyn TrackerSink) {
        let (window, is_first) = (snapshot.window(), self.polls.previous.is_none());
        self.polls.begin(snapshot);
        if is_first {
            let second = snapshot.end.wall / 1_000_000;
            self.sockets.begin(u32::try_from(second).unwrap_or(u32::MAX));
        }
        let (sockets, polls) = (&mut self.sockets, &self.polls);
        let matcher = RowMatcher::new(sockets, polls, &self.kernel_events, &window);
        let matched = matcher.match_rows(&snapshot.rows);
        self.ambiguous += matched.ambiguous;
        for id in matched.dropped {
            self.withheld.forget(id);
        }
        sink.inodes(matched.new_inodes, &mut self.shown_inodes());
        let whole = self.report_lost_rows(snapshot, matched.left_out, sink);
        let poll = self.polls.number;
        if is_first {
            peer::compare_all(&mut self.sockets, poll);
        } else {
            let changed = matched.changed.iter().map(|(_, key)| *key);
            peer::compare(&mut self.sockets, poll, changed);
        }
        let all_shown = matched.shown == self.sockets.count();
        let undecided = if all_shown {
            MayHaveClosed::default()
        } else {
            self.report_missing(whole, &window, sink)
        };
        self.release_decided(sink);
        let context = Context::new(window, self.polls.last_without(), undecided);
        if is_first {
            self.report_all(&context, sink);
        } else {
            for (_, key) in matched.changed {
                self.report(key, &context, sink);
            }
        }
        self.polls.end(window.start, whole);
        self.sockets.shrink();
        self.kernel_events.end_poll(window.start, &self.sockets);
        self.destroyed.forget_before(window.start);
        if is_first {
            self.apply_early_changes(window.start, sink);
        }
    }

    /// Reports rows that could not be read, or not be followed. Returns whether every row was read.
    fn report_lost_rows(
        &mut self,
        snapshot: &Snapshot,
        left_out: u64,
        sink: &mut dyn TrackerSink,
    ) -> bool {
        let (lost, whole) = self.polls.note_lost_rows(snapshot.bad_rows, left_out);
        self.sockets.is_incomplete = left_out > 0;
        if lost > 0 {
            let (time, reason) = (snapshot.end, LostReason::Table);
            sink.push(TrackerEvent::Lost(Lost { time, reason, count: Some(lost) }));
        }
        whole
    }

    /// Reports the end of sockets that the poll missed; returns those that may have closed.
    fn report_missing(
        &mut self,
        whole: bool,
        window: &PollWindow,
        sink: &mut dyn TrackerSink,
    ) -> MayHaveClosed {
        let missing = count_misses(&mut self.sockets, &self.polls, whole, window);
        for Missing { key, is_gone, .. } in &missing {
            debug!("{}: {} was not shown; closed: {is_gone}", key.addrs, key.id);
        }
        for socket in missing.iter().filter(|socket| socket.can_look_up && !socket.is_gone) {
            self.look_up(socket.key);
        }
        self.look_up_peers();
        for gone in missing.iter().filter(|socket| socket.is_gone) {
            self.close(gone.key, window, sink);
        }
        MayHaveClosed::of(&missing)
    }

    /// Reports every socket: at the first poll all are new, and a list of them would take as much
    /// memory as the events.
    fn report_all(&mut self, context: &Context, sink: &mut dyn TrackerSink) {
        let left = self.left_during_first_poll(context.window.start);
        for place in 0..self.sockets.places() {
            for key in self.sockets.keys_at(place) {
                match left.get(&key.id) {
                    Some(time) => self.report(key, &context.ending_at(*time), sink),
                    None => self.report(key, context, sink),
                }
            }
        }
    }

    /// Reports a socket that is in another state than the one last reported.
    pub(super) fn report(&mut self, key: SocketKey, context: &Context, sink: &mut dyn TrackerSink) {
        if self.sockets.get(key).is_some_and(|socket| socket.reported().is_none()) {
            self.link_new(key, context);
        }
        let Some(mut socket) = self.sockets.get_mut(key) else { return };
        let transition = socket.advance(key.addrs, context.last_without, &context.window);
        let was_remnant = socket.row.is_close_remnant();
        drop(socket);
        let Some(transition) = transition else { return };
        let is_remnant = transition.kind == EventKind::Opened && was_remnant;
        self.withheld.push(transition, sink);
        if is_remnant && !self.destroyed.remove(key.addrs) {
            sink.push(TrackerEvent::NeverSeen(Some(key.addrs)));
        }
    }

    /// Finds what a new socket follows: one that may have closed, and its listener.
    fn link_new(&mut self, key: SocketKey, context: &Context) {
        let Some(socket) = self.sockets.get(key) else { return };
        let (inode, state) = (socket.row.inode, socket.row.state);
        let is_uncertain = socket.identity.is_uncertain_request(&socket.row);
        if inode == 0 && is_unaccepted_state(state) {
            let listener = (key.addrs.listener(key.addrs.local.addr), socket.identity.interface());
            let find = || self.sockets.listeners_of(key.addrs, listener.1);
            let mut known = context.listeners.borrow_mut();
            let listeners = known.entry(listener).or_insert_with(find).clone();
            if let Some(mut socket) = self.sockets.get_mut(key) {
                socket.listeners = listeners;
            }
        }
        if is_uncertain && self.lookups.count() < MOST_REQUESTS {
            self.look_up(key);
        }
        if let Some(before) = context.undecided.before(key.addrs, inode) {
            self.withheld.add(before, key.id, context.window.end);
        }
    }
}
