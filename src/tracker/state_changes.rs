//! State changes that the kernel reports: exact in time and way. Polls go on beside them and show
//! what events do not: inodes, request sockets, the end of TIME_WAIT.

use super::socket::{SocketKey, TrackedSocket, is_unaccepted_state};
use super::sockets::Sockets;
use super::{Tracker, TrackerSink};
use crate::model::event::TrackerEvent;
use crate::model::reading::{PollWindow, StateChange};
use crate::model::socket::AddressPair;
use crate::model::time::Stamp;
use crate::tcp::path::reachable;
use crate::tcp::state::State;
use std::collections::HashMap;

/// So many closed sockets are remembered from one poll to the next, some 20 MB.
const MOST_CLOSED: usize = 1 << 18;

/// Addresses in the kernel are dropped with their sockets once there are so many more of them.
const SLACK: usize = 4096;

/// What is remembered of state changes that the kernel reported.
#[derive(Debug, Default)]
pub(super) struct KernelEvents {
    /// Sockets by their address in the kernel.
    by_address: HashMap<u64, SocketKey>,
    /// Address pairs of sockets that closed since the last poll began: its rows may still show them.
    closed: HashMap<AddressPair, Stamp>,
    /// When there were more: any socket may have closed then.
    closed_more: Option<Stamp>,
    /// Events from before the end of the first poll.
    early: Vec<StateChange>,
}

impl KernelEvents {
    /// A socket closed: rows and events from before this instant may still show it.
    pub(super) fn note_closed(&mut self, addrs: AddressPair, time: Stamp) {
        if self.closed.len() < MOST_CLOSED {
            self.closed.insert(addrs, time);
        } else {
            self.closed_more = Some(time);
        }
    }

    /// Whether a socket with this address pair, or any, closed at this instant or later.
    pub(super) fn has_closed_since(&self, addrs: AddressPair, since: Stamp) -> bool {
        let closed = self.closed.get(&addrs).copied().max(self.closed_more);
        closed.is_some_and(|time| time >= since)
    }

    /// A poll that started at `start` is done with: no row or event from before will come. Drops the
    /// addresses of sockets that closed without an event, once there are many.
    pub(super) fn end_poll(&mut self, start: Stamp, sockets: &Sockets) {
        self.closed.retain(|_, time| *time >= start);
        if self.by_address.len() > 2 * sockets.count() + SLACK {
            self.by_address.retain(|_, key| sockets.get(*key).is_some());
        }
    }

    /// Events were lost: an address may have been given to another socket.
    pub(super) fn forget_addresses(&mut self) {
        self.by_address.clear();
    }
}

impl Tracker {
    pub(super) fn apply_change(&mut self, change: &StateChange, sink: &mut dyn TrackerSink) {
        if self.polls.previous.is_none() {
            return self.kernel_events.early.push(change.clone());
        }
        match self.socket_of(change) {
            known if change.from == State::Closed => self.open_socket(change, known, sink),
            Some(key) if self.is_of_another(change, key) => {
                self.open_unseen(change, Some(key), sink);
            }
            Some(key) => self.step(change, key, sink),
            // A lookup was ahead of the event.
            None if self.kernel_events.has_closed_since(change.addrs, change.time) => {}
            None => self.open_unseen(change, None, sink),
        }
    }

    /// Applies changes from before the end of the first poll, whose rows may show them already.
    pub(super) fn apply_early_changes(&mut self, start: Stamp, sink: &mut dyn TrackerSink) {
        for change in std::mem::take(&mut self.kernel_events.early) {
            let socket = self.sockets.of_mut(change.addrs).last_mut();
            let is_new = change.time >= start
                && match &socket {
                    Some(socket) => socket.reported() == Some(change.from),
                    None => change.from == State::Closed,
                };
            if is_new {
                // The poll ended later, but the socket's row was read before.
                if let Some(socket) = socket {
                    socket.state.since = socket.state.since.min(change.time);
                }
                self.apply_change(&change, sink);
            } else if let Some(socket) = socket.filter(|_| change.to != State::Closed) {
                let key = socket.key(change.addrs);
                self.kernel_events.by_address.insert(change.socket, key);
            }
        }
    }

    /// The socket that a change is about: by its address in the kernel, else by its address pair.
    fn socket_of(&self, change: &StateChange) -> Option<SocketKey> {
        let named = self.kernel_events.by_address.get(&change.socket).copied();
        if let Some(key) = named.filter(|key| self.sockets.get(*key).is_some()) {
            return Some(key);
        }
        let is_full =
            |socket: &&TrackedSocket| !socket.row.mini || socket.row.state == State::SynRecv;
        let is_expected = |socket: &&TrackedSocket| socket.reported() == Some(change.from);
        let mut full = self.sockets.of(change.addrs).iter().filter(is_full);
        let socket = full.clone().find(is_expected).or_else(|| full.next())?;
        Some(socket.key(change.addrs))
    }

    /// Whether a change is of another socket than this one, which is destroyed, or cannot have come
    /// to where the change starts from: events of its end, and of the other's opening, were lost.
    fn is_of_another(&self, change: &StateChange, key: SocketKey) -> bool {
        self.sockets.get(key).is_some_and(|socket| {
            let is_new = socket.state.since.boot <= change.time.boot;
            socket.seen.is_destroyed || is_new && !reachable(socket.row.state, change.from)
        })
    }

    /// A socket is opened. A request that polls have shown is the same one; a TIME_WAIT with this
    /// address pair has given way to it, since no two sockets share it.
    fn open_socket(
        &mut self,
        change: &StateChange,
        known: Option<SocketKey>,
        sink: &mut dyn TrackerSink,
    ) {
        let (addrs, window) = (change.addrs, window(change));
        let is_request = |socket: &TrackedSocket| {
            change.passive && socket.row.mini && socket.row.state == State::SynRecv
        };
        if let Some(key) = known.filter(|key| self.sockets.get(*key).is_some_and(is_request)) {
            self.kernel_events.by_address.insert(change.socket, key);
            if let Some(socket) = self.sockets.get_mut(key) {
                socket.apply_change(&StateChange { from: State::SynRecv, ..change.clone() });
            }
            return self.report_step(key, None, &window, sink);
        }
        let (gone, before): (Vec<_>, Vec<_>) =
            self.sockets.of(addrs).iter().partition(|socket| {
                socket.seen.is_destroyed || socket.row.state == State::TimeWait
            });
        let gone: Vec<SocketKey> = gone.into_iter().map(|socket| socket.key(addrs)).collect();
        let before = before.first().map(|socket| socket.key(addrs));
        for key in gone {
            self.close(key, &window, sink);
        }
        let listener = if change.passive { self.sockets.listener_of(addrs) } else { 0 };
        let poll = self.polls.number;
        let Some(key) = self.sockets.open(addrs, change.to, change.time, false, poll) else {
            return sink.push(TrackerEvent::Missed(Some(addrs)));
        };
        self.kernel_events.by_address.insert(change.socket, key);
        if let Some(before) = before {
            self.withhold_until_closed(before, key);
        }
        if let Some(socket) = self.sockets.get_mut(key) {
            socket.listener = listener;
            socket.apply_change(change);
        }
        self.report_step(key, Some(change.time), &window, sink);
    }

    /// A socket was there before, unseen by polls, in place of another if there was one.
    fn open_unseen(
        &mut self,
        change: &StateChange,
        before: Option<SocketKey>,
        sink: &mut dyn TrackerSink,
    ) {
        let (addrs, found) = (change.addrs, self.sockets.is_incomplete);
        let poll = self.polls.number;
        let Some(key) = self.sockets.open(addrs, change.from, change.time, found, poll) else {
            return sink.push(TrackerEvent::Missed(Some(addrs)));
        };
        if let Some(before) = before {
            self.withhold_until_closed(before, key);
        }
        self.report_step(key, self.polls.previous, &window(change), sink);
        self.step(change, key, sink);
    }

    fn withhold_until_closed(&mut self, before: SocketKey, new: SocketKey) {
        self.withheld.add(before, new.id);
        self.look_up(before);
    }

    /// A known socket changes its state.
    fn step(&mut self, change: &StateChange, key: SocketKey, sink: &mut dyn TrackerSink) {
        let window = window(change);
        self.kernel_events.by_address.insert(change.socket, key);
        let Some(socket) = self.sockets.get_mut(key) else { return };
        // A poll has shown more than this.
        if socket.state.since.boot > change.time.boot {
            return;
        }
        socket.apply_change(change);
        if change.to != State::Closed {
            if !is_unaccepted_state(change.to) || change.to == State::CloseWait {
                socket.listener = 0;
            }
            return self.report_step(key, None, &window, sink);
        }
        self.kernel_events.by_address.remove(&change.socket);
        let may_have_remnant = matches!(change.from, State::FinWait2 | State::Closing);
        if may_have_remnant && change.cut.is_none() {
            socket.may_have_remnant();
            // Not its other end: a lookup would be ahead of the events of that.
            return self.look_up(key);
        }
        self.close(key, &window, sink);
        self.withheld.release_after(key.id, sink);
    }

    fn report_step(
        &mut self,
        key: SocketKey,
        absent: Option<Stamp>,
        window: &PollWindow,
        sink: &mut dyn TrackerSink,
    ) {
        let Some(socket) = self.sockets.get_mut(key) else { return };
        if let Some(transition) = socket.advance(key.addrs, absent, window) {
            self.withheld.push(transition, sink);
        }
    }
}

const fn window(change: &StateChange) -> PollWindow {
    PollWindow { start: change.time, end: change.time, netns: change.netns }
}
