//! State changes that the kernel reports: exact in time and way. Polls go on beside them and show
//! what events do not: inodes, request sockets, the end of TIME_WAIT.

use super::kernel_events::is_request_socket_of;
use super::polls::LastWithout;
use super::sharers::latest;
use super::socket::{SocketKey, TrackedSocket};
use super::{Tracker, TrackerSink};
use crate::model::event::{BySocket, Listeners, TrackerEvent};
use crate::model::reading::{PollWindow, StateChange};
use crate::model::time::Stamp;
use crate::tcp::path::reachable;
use crate::tcp::state::State;

impl Tracker {
    pub(super) fn apply_change(&mut self, change: &StateChange, sink: &mut dyn TrackerSink) {
        if self.polls.previous.is_none() {
            return self.kernel_events.keep_early(change.clone());
        }
        let known = self.kernel_events.socket_of(change, &self.sockets);
        let known = known.map(|key| self.sockets.follow_to_ipv4(change.addrs, key));
        let is_other =
            |key| self.sockets.get(key).is_some_and(|known| is_of_another(change, known));
        match known {
            known if change.from == State::Closed => self.open_socket(change, known, sink),
            Some(key) if is_other(key) => self.open_unseen(change, sink),
            Some(key) => self.step(change, key, sink),
            None if self.kernel_events.is_known_to_be_closed(change) => {}
            None => self.open_unseen(change, sink),
        }
    }

    /// Applies changes from before the end of the first poll, whose rows may show them already.
    pub(super) fn apply_early_changes(&mut self, start: Stamp, sink: &mut dyn TrackerSink) {
        for change in self.kernel_events.take_early() {
            let key = self.socket_of_early(&change);
            let socket = key.and_then(|key| self.sockets.get(key));
            let is_new = change.time >= start
                && match socket {
                    Some(socket) => socket.reported() == Some(change.from),
                    None => change.from == State::Closed,
                };
            if is_new {
                self.apply_change(&change, sink);
            } else if let Some(key) = key.filter(|_| change.to != State::Closed) {
                self.kernel_events.note_address(&change, key);
            }
        }
    }

    /// When sockets left the state that the first poll shows, before that ended: their rows were read
    /// earlier.
    pub(super) fn left_during_first_poll(&self, start: Stamp) -> BySocket<Stamp> {
        let mut left = BySocket::default();
        for change in self.kernel_events.early().filter(|change| change.time >= start) {
            let key = self.socket_of_early(change);
            if let Some(socket) = key.and_then(|key| self.sockets.get(key))
                && socket.row.state == change.from
            {
                left.entry(socket.id).or_insert(change.time);
            }
        }
        left
    }

    fn socket_of_early(&self, change: &StateChange) -> Option<SocketKey> {
        if change.cookie == 0 {
            self.sockets.of(change.addrs).last().map(|socket| socket.key(change.addrs))
        } else {
            self.kernel_events.socket_of(change, &self.sockets)
        }
    }

    /// A socket is opened. A request that polls have shown is the same one, and so is a socket with
    /// its cookie that a poll has shown first.
    fn open_socket(
        &mut self,
        change: &StateChange,
        known: Option<SocketKey>,
        sink: &mut dyn TrackerSink,
    ) {
        let (addrs, window) = (change.addrs, window(change));
        let request = known.filter(|key| {
            self.sockets.get(*key).is_some_and(|socket| is_request_socket_of(change, socket))
        });
        if let Some(key) = request {
            if let Some(mut socket) = self.sockets.get_mut(key) {
                socket.apply_change(&StateChange { from: State::SynRecv, ..change.clone() });
            }
            self.kernel_events.note_address(change, key);
            return self.report_step(key, LastWithout::default(), &window, sink);
        }
        if let Some(mut socket) = known.and_then(|key| self.sockets.get_mut(key)) {
            let is_later = change.to == socket.row.state || reachable(change.to, socket.row.state);
            if change.cookie != 0 && is_later {
                return socket.note_change_details(change);
            }
        }
        let before = self.close_replaced(change, &window, sink);
        let poll = self.polls.number;
        let Some(key) = self.sockets.open(addrs, change.to, change.time, false, poll) else {
            return sink.push(TrackerEvent::NeverSeen(Some(addrs)));
        };
        self.kernel_events.note_address(change, key);
        for before in before {
            self.withhold_until_closed(before, key, change.time);
        }
        let listeners = if change.passive {
            self.sockets.listeners_of(addrs, None)
        } else {
            Listeners::default()
        };
        if let Some(mut socket) = self.sockets.get_mut(key) {
            socket.listeners = listeners;
            socket.apply_change(change);
        }
        self.report_step(key, LastWithout::at(change.time), &window, sink);
    }

    /// Closes the sockets that have given way to one that is opened. Returns those of its address pair
    /// that need not be gone.
    fn close_replaced(
        &mut self,
        change: &StateChange,
        window: &PollWindow,
        sink: &mut dyn TrackerSink,
    ) -> Vec<SocketKey> {
        let addrs = change.addrs;
        let others = latest(self.sockets.of(addrs));
        // Without cookies: no two sockets share an address pair, so a TIME_WAIT has given way. With
        // them: the kernel may refuse the pair to the new one, so all are looked up.
        let is_gone = |socket: &&TrackedSocket| {
            change.cookie == 0 && (socket.seen.is_destroyed || socket.row.state == State::TimeWait)
        };
        let (gone, before): (Vec<_>, Vec<_>) = others.partition(is_gone);
        let keys = |sockets: Vec<&TrackedSocket>| -> Vec<SocketKey> {
            sockets.into_iter().map(|socket| socket.key(addrs)).collect()
        };
        let (gone, before) = (keys(gone), keys(before));
        for key in gone {
            self.close(key, window, sink);
        }
        before
    }

    /// A socket was there before, unseen by polls, in place of others if there were any.
    fn open_unseen(&mut self, change: &StateChange, sink: &mut dyn TrackerSink) {
        let (addrs, found) = (change.addrs, self.sockets.is_incomplete);
        let others = latest(self.sockets.of(addrs)).map(|socket| socket.key(addrs));
        let others: Vec<SocketKey> = others.collect();
        let poll = self.polls.number;
        let Some(key) = self.sockets.open(addrs, change.from, change.time, found, poll) else {
            return sink.push(TrackerEvent::NeverSeen(Some(addrs)));
        };
        for before in others {
            self.withhold_until_closed(before, key, change.time);
        }
        if let Some(mut socket) = self.sockets.get_mut(key) {
            socket.note_change_details(change);
        }
        self.report_step(key, self.polls.last_without(), &window(change), sink);
        self.step(change, key, sink);
    }

    fn withhold_until_closed(&mut self, before: SocketKey, new: SocketKey, since: Stamp) {
        self.withheld.add(before, new.id, since);
        self.look_up(before);
    }

    /// A known socket changes its state.
    fn step(&mut self, change: &StateChange, key: SocketKey, sink: &mut dyn TrackerSink) {
        let window = window(change);
        self.kernel_events.note_address(change, key);
        let Some(mut socket) = self.sockets.get_mut(key) else { return };
        // A poll or lookup has shown more than this.
        if is_end_of_remnant(change, &socket) || socket.state.since.boot > change.time.boot {
            return;
        }
        socket.apply_change(change);
        if change.to != State::Closed {
            drop(socket);
            return self.report_step(key, LastWithout::default(), &window, sink);
        }
        self.kernel_events.forget_address(change);
        let may_have_remnant = matches!(change.from, State::FinWait2 | State::Closing);
        if may_have_remnant && change.abort.is_none() {
            socket.may_have_remnant();
            drop(socket);
            // Not its other end: a lookup would be ahead of the events of that.
            return self.look_up(key);
        }
        drop(socket);
        self.close(key, &window, sink);
        self.withheld.release_after(key.id, sink);
    }

    fn report_step(
        &mut self,
        key: SocketKey,
        last_without: LastWithout,
        window: &PollWindow,
        sink: &mut dyn TrackerSink,
    ) {
        let Some(mut socket) = self.sockets.get_mut(key) else { return };
        let transition = socket.advance(key.addrs, last_without, window);
        drop(socket);
        if let Some(transition) = transition {
            self.withheld.push(transition, sink);
        }
    }
}

/// Whether a change is of another socket than this one, which is destroyed, or cannot have come to where
/// the change starts from: events of its end, and of the other's opening, were lost.
fn is_of_another(change: &StateChange, socket: &TrackedSocket) -> bool {
    let is_new = socket.state.since.boot <= change.time.boot;
    !is_end_of_remnant(change, socket)
        && (socket.seen.is_destroyed || is_new && !reachable(socket.row.state, change.from))
}

/// Whether a change is the end of the full socket that left this mini-socket: a poll or a lookup may see
/// that before the end is reported.
fn is_end_of_remnant(change: &StateChange, socket: &TrackedSocket) -> bool {
    change.cookie != 0 && change.to == State::Closed && socket.row.is_close_remnant()
}

const fn window(change: &StateChange) -> PollWindow {
    PollWindow { start: change.time, end: change.time, netns: change.netns }
}
