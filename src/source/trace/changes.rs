//! State changes out of the kernel's events. Pure.
//!
//! An event has what the kernel knew at that moment, and some of it comes later: the port of a
//! connect(), or of a listen() without a bind(), is chosen after its first change was reported, a child gets its addresses and its cookie
//! after its SYN_RECV, and close() sends its reset after CLOSED. So some changes wait for the next
//! event of their socket, or for a poll.

use super::pending::{MissingEvent, PendingChanges};
use super::record::{RawEvent, What};
use crate::model::event::Side;
use crate::model::process::Caller;
use crate::model::reading::{AbortReason, StateChange};
use crate::model::socket::{AddressPair, Endpoint};
use crate::model::socket_row::SocketRow;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use foldhash::fast::RandomState;
use std::collections::{HashMap, VecDeque};

/// An end waits so long (ns) for the reset that may follow it: the two are the work of one function,
/// but the CPU may be taken away in it.
pub(crate) const RESET_WAIT: u64 = 10_000_000;
/// A sign of a reset is forgotten after so long (ns) without an end.
const SIGN_HOLDS: u64 = 1_000_000_000;
/// A child is in SYN_RECV for less than this (ns).
const CHILD_HOLDS: u64 = 300_000_000_000;
/// A connect() that a poll did not show, so long (ns) after it began, has ended unseen.
const NAMELESS_HOLDS: u64 = 1_000_000_000;

/// Turns events into state changes.
#[derive(Debug, Default)]
pub struct Changes {
    /// In the order of the events.
    queue: VecDeque<Queued>,
    /// Sockets without a port yet, by cookie, with the event of their opening.
    nameless: HashMap<u64, RawEvent, RandomState>,
    /// When listeners made children of which no more is known, by their address in the kernel.
    children: HashMap<u64, u64, RandomState>,
    /// Resets of sockets that have not ended, by their address in the kernel.
    resets: HashMap<u64, Resets, RandomState>,
    /// Errors that sockets had when they went on, by their address in the kernel: with IP_RECVERR, that of
    /// an ICMP message stays until it is asked for.
    errors: HashMap<u64, u32, RandomState>,
    /// Those that are in the queue, or were removed and have not been handed out; and where the last ones led
    /// to.
    pending: PendingChanges,
    /// Events that did not come before those of the last delivery. What was lost is counted before events are
    /// read: the next count decides.
    missing: Vec<MissingEvent>,
}

#[derive(Debug)]
struct Queued {
    change: StateChange,
    /// The socket's address in the kernel.
    socket: u64,
    /// Until then (ns) a reset may follow; 0 for none.
    waits_until: u64,
}

/// The resets of one socket.
#[derive(Debug, Clone, Copy, Default)]
struct Resets {
    /// When the last one was noted (ns).
    time: u64,
    received: bool,
    /// In which state one was sent.
    sent: Option<State>,
}

impl Changes {
    /// Takes in the next event. `wall_offset` (µs) is from the boot clock to the wall clock.
    pub fn take(&mut self, event: &RawEvent, wall_offset: i64) {
        match event.what {
            What::Step { from, to } if from == to => {}
            What::Step { from: State::Listen, to: State::SynRecv } => {
                self.children.insert(event.socket, event.time);
            }
            What::Step { from: State::Closed, .. } if event.port == 0 => {
                self.nameless.insert(event.cookie, event.clone());
            }
            What::Step { from, to } => self.step(event, (from, to), wall_offset),
            What::ResetReceived => {
                let resets = self.resets.entry(event.socket).or_default();
                // One that was sent before, in answer to a segment that was not acceptable, ended nothing.
                *resets = Resets { received: true, sent: None, time: event.time };
            }
            What::ResetSent(State::Closed) => self.reset_after_end(event),
            What::ResetSent(state) => {
                let resets = self.resets.entry(event.socket).or_default();
                (resets.sent, resets.time) = (Some(state), event.time);
            }
        }
    }

    fn step(&mut self, event: &RawEvent, (from, to): (State, State), wall_offset: i64) {
        let mut local = Endpoint { addr: event.local, port: port_of(event) };
        if let Some(born) = self.children.remove(&event.socket)
            && from == State::SynRecv
        {
            let birth = RawEvent { time: born, inode: 0, ..event.clone() };
            let step = (State::Closed, State::SynRecv);
            let change = change(&birth, local, step, wall_offset);
            self.push(event.socket, StateChange { passive: true, ..change }, 0);
        }
        let is_reborn = from == State::Closed;
        let birth = self.nameless.remove(&event.cookie).filter(|_| !is_reborn);
        // It may have sent others in an earlier life.
        let sent_before = birth.as_ref().map_or(0, |birth| birth.segments);
        let has_sent = event.segments > sent_before;
        if let Some(birth) = birth {
            // The port that it had in an earlier life is none that it got now.
            if event.port == 0 && event.last_port == birth.last_port && !has_sent {
                local.port = 0;
            }
            self.name(&birth, local, wall_offset);
        }
        let mut change = change(event, local, (from, to), wall_offset);
        let mut waits_until = 0;
        if to == State::Closed {
            let resets = self.resets.remove(&event.socket).unwrap_or_default();
            let is_from_before = self.errors.remove(&event.socket) == Some(event.error);
            let error = if is_from_before { 0 } else { event.error };
            (change.abort, change.reset_by) =
                resets.abort_reason(from, event, error, (local.port, has_sent));
            if change.reset_by == Some(Side::Remote) {
                // A process that has asked for the socket's error since has taken it away.
                change.caller = None;
            }
            let may_follow = match from {
                State::LastAck | State::Closing => resets.received,
                State::SynSent | State::Listen => false,
                _ => change.abort != Some(AbortReason::TimedOut),
            };
            if may_follow && change.reset_by != Some(Side::Local) {
                waits_until = event.time.saturating_add(RESET_WAIT);
            }
        }
        if to != State::Closed && event.error != 0 {
            self.errors.insert(event.socket, event.error);
        }
        self.push(event.socket, change, waits_until);
    }

    fn push(&mut self, socket: u64, change: StateChange, waits_until: u64) {
        self.pending.add(&change, socket);
        self.queue.push_back(Queued { change, socket, waits_until });
    }

    /// The socket has sent a reset after its end: it aborted the connection. It was not the other
    /// side, even if a reset seemed to be received: nobody answers a reset by another one, and the
    /// kernel reports data that comes too late for its process as a reset.
    fn reset_after_end(&mut self, event: &RawEvent) {
        let ends = |queued: &&mut Queued| {
            queued.socket == event.socket && queued.change.to == State::Closed
        };
        let end = self.queue.iter_mut().rev().find(ends);
        if let Some(end) = end.filter(|end| end.waits_until >= event.time) {
            end.waits_until = 0;
            (end.change.abort, end.change.reset_by) = (Some(AbortReason::Reset), Some(Side::Local));
        }
    }

    /// A nameless socket got its local address.
    fn name(&mut self, birth: &RawEvent, local: Endpoint, wall_offset: i64) {
        let What::Step { from, to } = birth.what else { return };
        let change = change(birth, local, (from, to), wall_offset);
        self.push(birth.socket, change, 0);
    }

    /// Takes in rows that were read after this boot time (ns): they show the ports of sockets whose
    /// opening had none. `is_whole`: what they do not show is not there.
    pub fn take_rows(&mut self, rows: &[SocketRow], start: u64, is_whole: bool, wall_offset: i64) {
        if !self.nameless.is_empty() {
            for row in rows.iter().filter(|row| row.addrs.local.port != 0) {
                if let Some(birth) = self.nameless.remove(&row.cookie) {
                    self.name(&birth, row.addrs.local, wall_offset);
                }
            }
        }
        if is_whole {
            let holds = |time: u64, span: u64| time.saturating_add(span) >= start;
            self.nameless.retain(|_, birth| holds(birth.time, NAMELESS_HOLDS));
            self.children.retain(|_, born| holds(*born, CHILD_HOLDS));
            self.resets.retain(|_, resets| holds(resets.time, SIGN_HOLDS));
            self.pending.keep_shown(rows);
        }
    }

    /// When the first socket was opened (ns) that has no port yet; `None` if all have one.
    pub fn oldest_nameless(&self) -> Option<u64> {
        self.nameless.values().map(|birth| birth.time).min()
    }

    /// Whether nothing waits for a later event, its time, or the next delivery.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.nameless.is_empty() && self.missing.is_empty()
    }

    /// Events were lost: an address in the kernel may have been given to another socket.
    pub fn forget_addresses(&mut self) {
        self.children.clear();
        self.resets.clear();
        self.errors.clear();
    }

    /// All events of a delivery were taken in; `is_counted`: others were lost, and counted until then. Returns
    /// those that did not come before the events of the delivery before, and are not counted.
    pub fn end_delivery(&mut self, is_counted: bool) -> Vec<MissingEvent> {
        let missing = self.pending.take_missing();
        if is_counted {
            // These may be what is missing between any two events so far.
            self.pending.note_loss();
            self.missing.clear();
            return Vec::new();
        }
        std::mem::replace(&mut self.missing, missing)
    }

    /// Whether there is something of the socket with this cookie that has not been handed out.
    pub fn has_change_of(&self, cookie: u64) -> bool {
        self.nameless.contains_key(&cookie) || self.pending.has(cookie)
    }

    /// A change that was removed from here is handed out, or dropped. Returns whether the process, which
    /// had the socket then, has closed it since: nobody holds it now.
    pub fn hand_out(&mut self, change: &StateChange) -> bool {
        self.pending.remove(change)
    }

    /// Removes the changes that are complete at this boot time (ns), in order.
    pub fn complete_at(&mut self, now: u64) -> Vec<StateChange> {
        let waits = |queued: &Queued| queued.waits_until > now;
        let ready = self.queue.iter().position(waits).unwrap_or(self.queue.len());
        self.queue.drain(..ready).map(|queued| queued.change).collect()
    }
}

impl Resets {
    /// Why a socket ended in `from` by this event, and who sent the reset. Also given: its error,
    /// its port, and whether it has sent segments since it was opened.
    fn abort_reason(
        self,
        from: State,
        event: &RawEvent,
        error: u32,
        (port, has_sent): (u16, bool),
    ) -> (Option<AbortReason>, Option<Side>) {
        const EPIPE: u32 = 32;
        const ENETUNREACH: u32 = 101;
        const ECONNRESET: u32 = 104;
        const ETIMEDOUT: u32 = 110;
        const ECONNREFUSED: u32 = 111;
        const EHOSTUNREACH: u32 = 113;
        let is_opening = from == State::SynSent;
        // In SYN_SENT one is sent in answer to a segment that does not answer the SYN, and that goes on.
        let is_sent = self.sent == Some(from) && !is_opening;
        let is_recent = event.time.saturating_sub(self.time) <= RESET_WAIT;
        if from == State::Listen {
            return (None, None);
        }
        match error {
            // Keepalive gives up with a reset that nobody gets.
            ETIMEDOUT => (Some(AbortReason::TimedOut), None),
            _ if is_sent && is_recent => (Some(AbortReason::Reset), Some(Side::Local)),
            _ if self.received && is_recent => {
                let reason = if is_opening { AbortReason::Refused } else { AbortReason::Reset };
                (Some(reason), Some(Side::Remote))
            }
            EHOSTUNREACH | ENETUNREACH => (Some(AbortReason::Unreachable), None),
            // By a message of ICMP.
            ECONNREFUSED if is_opening => (Some(AbortReason::Refused), None),
            ECONNRESET | EPIPE if !is_opening => (Some(AbortReason::Reset), None),
            // Else an error may have ended it that a process has asked for, and taken away, since.
            0 if is_opening && has_sent && is_own_call(event, (from, State::Closed)) => {
                (Some(AbortReason::NoAnswer), None)
            }
            0 if is_opening && port == 0 => (Some(AbortReason::NoPort), None),
            _ => (None, None),
        }
    }
}

/// The port of a socket when an event happened. The kernel takes a port that it has chosen itself
/// away before it reports the end.
const fn port_of(event: &RawEvent) -> u16 {
    if event.port == 0 { event.last_port } else { event.port }
}

fn change(
    event: &RawEvent,
    local: Endpoint,
    (from, to): (State, State),
    wall_offset: i64,
) -> StateChange {
    let boot = event.time / 1000;
    let wall = i64::try_from(boot).unwrap_or(i64::MAX).saturating_add(wall_offset);
    let listens = State::Listen == from || State::Listen == to;
    let remote = if listens {
        Endpoint { addr: event.family.unspecified(), port: 0 }
    } else {
        Endpoint { addr: event.remote, port: event.remote_port }
    };
    let is_own_call = is_own_call(event, (from, to));
    let RawEvent { pid, ref comm, is_descendant, .. } = *event;
    StateChange {
        time: Stamp { wall, boot },
        netns: Some(event.netns.into()),
        socket: 0,
        cookie: event.cookie,
        addrs: AddressPair::new(event.family, local, remote),
        ifindex: event.ifindex,
        device: None,
        ipv6_only: None,
        inode: Some(event.inode),
        uid: Some(event.uid),
        from,
        to,
        passive: false,
        caller: is_own_call.then(|| Caller { pid, comm: Some(comm.to_vec()), is_descendant }),
        abort: None,
        reset_by: None,
    }
}

/// Whether an event comes from a system call of the current process on the socket. The end of a listener is
/// not a call on the connections that nobody has accepted from it.
fn is_own_call(event: &RawEvent, (from, to): (State, State)) -> bool {
    let is_held = event.inode != 0 && event.is_in_call && !event.is_kernel_thread;
    is_held && event.pid != 0 && is_of_own_call(from, to, event.error)
}

/// Whether a step is made by a system call on the socket, or the end of its last descriptor, and never
/// by a packet or a timer (`tcp_v4_connect()`, `inet_csk_listen_start()`, `__tcp_close()`,
/// `tcp_shutdown()`). Packets and timers end a connection or a connect() with an error; without one a
/// close() does that resets it, with unread data or by SO_LINGER, or a connect() to no address.
const fn is_of_own_call(from: State, to: State, error: u32) -> bool {
    use State::{CloseWait, Closed, Established, FinWait1, LastAck, Listen, SynRecv, SynSent};
    match (from, to) {
        (Closed, SynSent | Listen)
        | (Established | SynRecv, FinWait1)
        | (CloseWait, LastAck)
        | (Listen, Closed) => true,
        (SynSent | Established | CloseWait, Closed) => error == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
