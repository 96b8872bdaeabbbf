//! What makes two rows the same socket: cookie, inode, timer, and a legal way from state to state.

use crate::model::reading::{LookupRequest, PollWindow, StateChange};
use crate::model::socket::AddressPair;
use crate::model::socket_row::{SocketRow, Timer};
use crate::model::time::Stamp;
use crate::tcp::path::reachable;
use crate::tcp::state::State;
use std::num::NonZeroU64;

/// A restarted timer moves its expiry by more than this: `when` counts 1/100 s, and a jiffy may
/// take as long again.
pub(super) const TIMER_SLACK_MICROS: u64 = 20_000;
const HALF_SLACK: NonZeroU64 = NonZeroU64::new(TIMER_SLACK_MICROS / 2).unwrap();

/// What the latest row of a socket showed; a kernel event moves its state on.
#[derive(Debug, Clone, Copy)]
pub(in crate::tracker) struct LastRow {
    pub(in crate::tracker) state: State,
    /// 0 for none.
    pub(in crate::tracker) inode: u64,
    pub(in crate::tracker) mini: bool,
    /// Its place in the poll: a later row is a later sample.
    pub(in crate::tracker) index: u32,
    /// The last row in `SYN_RECV` was that of a request socket.
    pub(super) was_request: bool,
}

/// By what a socket is recognized.
#[derive(Debug, Default)]
pub(in crate::tracker) struct Identity {
    /// 0 where the source does not report it.
    pub(in crate::tracker) cookie: u64,
    /// The interface it is bound to; 0 where the source does not report it.
    ifindex: u32,
    /// The last inode that a row showed; 0 for none.
    pub(in crate::tracker) last_inode: u64,
    /// A row or a kernel event has shown the socket's inode, be it none.
    inode_known: bool,
    /// A request was read twice with its cookie: its child, made later, will have the same.
    is_cookie_inherited: bool,
    /// Of a mini-socket that waits.
    countdown: Option<Countdown>,
}

/// The timer of a mini-socket while it runs.
#[derive(Debug, Clone, Copy)]
struct Countdown {
    /// The latest boot time (µs) at which it can expire.
    expiry: NonZeroU64,
    /// The boot time (µs) at which it was first seen to run.
    since: u64,
}

impl LastRow {
    /// Of a socket without a row.
    pub(super) const fn none(state: State) -> Self {
        Self { state, inode: 0, mini: false, index: 0, was_request: false }
    }

    /// A later row showed the socket.
    pub(super) fn replace(&mut self, row: &SocketRow, index: u32) {
        let SocketRow { state, inode, mini, .. } = *row;
        let was_request = if state == State::SynRecv { mini } else { self.was_request };
        *self = Self { state, inode, mini, index, was_request };
    }

    /// Whether it is what a closed socket leaves: a mini-socket that waits.
    pub(in crate::tracker) fn is_close_remnant(&self) -> bool {
        self.mini && self.state.has_sent_fin()
    }

    /// Whether it is a request, see [`SocketRow::is_request_socket`].
    pub(super) fn is_request_socket(&self) -> bool {
        self.mini && self.state == State::SynRecv
    }

    /// Whether the inode of a later row can be that of the same socket: it comes with accept() and
    /// goes with close(), and never changes in between.
    pub(super) fn inode_may_become(&self, row: &SocketRow) -> bool {
        match (self.inode, row.inode) {
            (0, 0) => !self.mini_comes_back(row),
            (0, _) => is_unaccepted_state(self.state) || is_unknown(self.state),
            // Its owner has closed it, which sent the FIN.
            (_, 0) => row.state.has_sent_fin() || is_unknown(row.state),
            (before, after) => before == after,
        }
    }

    /// Whether a row cannot follow: a mini-socket after a close never becomes a full one again, and
    /// a child never a request.
    fn mini_comes_back(&self, row: &SocketRow) -> bool {
        let is_request_socket = |state| state == State::SynRecv;
        let grows_back = self.mini && !row.mini && !is_request_socket(self.state);
        let shrinks_back = !self.mini && row.mini && is_request_socket(row.state);
        grows_back || shrinks_back
    }
}

impl Countdown {
    /// Whether a row shows that it was restarted after it was last seen to run (boot time, µs).
    ///
    /// Every TIME_WAIT lasts `TCP_TIMEWAIT_LEN` (`include/net/tcp.h`), and every orphaned FIN_WAIT2
    /// as long as any other, unless its process chose a time (`TCP_LINGER2`). So whatever restarts a
    /// timer puts its expiry off by as long as it has run: by less than half of what was seen of
    /// that only a busy machine's tick is late, from which the kernel counts.
    fn was_restarted(self, row: &SocketRow, last_seen: u64, window: &PollWindow) -> bool {
        let put_off = expiry(row, window.start).saturating_sub(self.expiry.get());
        let ran = last_seen.saturating_sub(self.since);
        put_off > TIMER_SLACK_MICROS && put_off >= ran / 2
    }
}

impl Identity {
    /// Takes in what a row shows of it.
    pub(super) fn note_row(&mut self, row: &SocketRow) {
        self.inode_known = true;
        self.is_cookie_inherited |=
            row.cookie != 0 && row.is_request_socket() && row.cookie == self.cookie;
        if row.cookie == 0 && row.inode == 0 {
            // It may be that of the next one with this address pair, which only looks the same.
            (self.cookie, self.ifindex) = (0, 0);
        }
        self.note_ids(row);
    }

    /// Takes in inode and cookie of a row whose state is out of date.
    pub(super) const fn note_ids(&mut self, row: &SocketRow) {
        if row.inode != 0 {
            self.last_inode = row.inode;
        }
        if row.cookie != 0 {
            (self.cookie, self.ifindex) = (row.cookie, row.ifindex);
        }
    }

    /// Takes in cookie and inode of a kernel event, as far as it has them.
    pub(super) const fn note_change(&mut self, change: &StateChange) {
        if change.cookie != 0 {
            (self.cookie, self.ifindex) = (change.cookie, change.ifindex);
        }
        if let Some(inode) = change.inode {
            self.inode_known = true;
            if inode != 0 {
                self.last_inode = inode;
            }
        }
    }

    /// Whether a row can show the same socket a moment after `last`.
    pub(super) fn may_become(&self, last: &LastRow, row: &SocketRow) -> bool {
        let fits = self
            .has_cookie_of(last, row)
            .unwrap_or_else(|| !self.inode_known || last.inode_may_become(row));
        fits && reachable(last.state, row.state)
    }

    /// Whether the cookies are equal; `None` where one is not known, or proves nothing: a request gets
    /// its cookie when it is first dumped, which may be after its child was made without one
    /// (`inet_csk_clone_lock()`), so that the child gets another. Of a request that was still there when
    /// it was read again the child has the cookie.
    pub(in crate::tracker) fn has_cookie_of(
        &self,
        last: &LastRow,
        row: &SocketRow,
    ) -> Option<bool> {
        match (self.cookie, row.cookie) {
            (0, _) | (_, 0) => None,
            (ours, its) if ours == its => Some(true),
            _ if last.is_request_socket() != row.is_request_socket()
                && !self.has_childs_cookie() =>
            {
                None
            }
            _ => Some(false),
        }
    }

    /// Whether a child of this request has its cookie. Before Linux 4.1 cookies were addresses in the
    /// kernel, the upper half of its memory, and no two sockets had the same.
    const fn has_childs_cookie(&self) -> bool {
        self.is_cookie_inherited && self.cookie < 1 << 63
    }

    /// Whether a request is to be read again at once, to know the cookie of its child.
    pub(in crate::tracker) fn is_uncertain_request(&self, last: &LastRow) -> bool {
        last.is_request_socket() && self.cookie != 0 && !self.has_childs_cookie()
    }

    /// The interface it is bound to, 0 for none, where the source reports it.
    pub(in crate::tracker) fn interface(&self) -> Option<u32> {
        (self.cookie != 0).then_some(self.ifindex)
    }

    /// Whether a listener can have made a socket that is bound to this interface: what it makes is
    /// bound to the same one.
    pub(in crate::tracker) fn may_listen_on(&self, interface: Option<u32>) -> bool {
        self.ifindex == 0 || interface.is_none_or(|interface| interface == self.ifindex)
    }

    /// The inode of a row that is the first to show it.
    pub(in crate::tracker) fn new_inode(&self, row: &SocketRow) -> Option<u64> {
        (row.inode != 0 && row.inode != self.last_inode).then_some(row.inode)
    }

    /// Whether a row shows this very kernel socket, but in a state that only a new connection
    /// explains: `connect(AF_UNSPEC)` ended the one that was followed.
    pub(in crate::tracker) fn was_reconnected(&self, last: &LastRow, row: &SocketRow) -> bool {
        let same_inode = row.inode != 0 && row.inode == last.inode;
        self.has_cookie_of(last, row).unwrap_or(same_inode) && !reachable(last.state, row.state)
    }

    pub(in crate::tracker) fn lookup_request(
        &self,
        addrs: AddressPair,
        last: &LastRow,
    ) -> LookupRequest {
        // A request is searched for with any cookie: its child may have another.
        let is_certain = !last.is_request_socket() || self.has_childs_cookie();
        let cookie = if is_certain { self.cookie } else { 0 };
        LookupRequest { addrs, inode: last.inode, cookie, ifindex: self.ifindex }
    }

    /// Whether the timer of a mini-socket in an unchanged state was restarted: by a retransmitted
    /// FIN, or because the 4-tuple was reused meanwhile. `last_seen` is the boot time (µs) of
    /// `last`.
    pub(super) fn timer_restarted(
        &self,
        last: &LastRow,
        row: &SocketRow,
        last_seen: u64,
        window: &PollWindow,
    ) -> bool {
        // A timer that has expired reads 0 until the kernel gets to it, seconds later if need be.
        let running = has_countdown(row) && row.details.timer_left > 0;
        let same = last.state == row.state && last.mini && running;
        same && self.has_cookie_of(last, row).is_none()
            && self.countdown.is_some_and(|timer| timer.was_restarted(row, last_seen, window))
    }

    /// Whether both this socket and a row show a timer that runs.
    pub(super) fn has_timer_of(&self, row: &SocketRow) -> bool {
        self.countdown.is_some() && has_countdown(row) && row.details.timer_left > 0
    }

    /// How far (µs) the expiry of a row's timer is from that of this socket, which
    /// distinguishes sockets with one 4-tuple; 0 where either has none.
    pub(in crate::tracker) fn timer_distance(&self, row: &SocketRow, window: &PollWindow) -> u64 {
        let expiry = expiry(row, window.end);
        let countdown = self.countdown.filter(|_| has_countdown(row));
        countdown.map_or(0, |before| expiry.abs_diff(before.expiry.get()))
    }

    /// Takes in the timer of a row that shows this socket; parameters as for
    /// [`timer_restarted`](Self::timer_restarted).
    pub(super) fn note_timer(
        &mut self,
        last: &LastRow,
        row: &SocketRow,
        last_seen: u64,
        window: &PollWindow,
    ) {
        let expiry = HALF_SLACK.saturating_add(expiry(row, window.end));
        let goes_on = |timer: &Countdown| {
            last.state == row.state && !timer.was_restarted(row, last_seen, window)
        };
        self.countdown = has_countdown(row).then(|| match self.countdown.filter(goes_on) {
            Some(timer) => Countdown { expiry: timer.expiry.min(expiry), ..timer },
            None => Countdown { expiry, since: window.end.boot },
        });
    }
}

fn has_countdown(row: &SocketRow) -> bool {
    row.mini && row.details.timer == Timer::TimeWait
}

/// When (boot time, µs) the timer of a row expires that was read at this instant.
fn expiry(row: &SocketRow, read: Stamp) -> u64 {
    read.boot.saturating_add(row.details.timer_left.saturating_mul(10_000))
}

/// States in which a socket without an inode has not been accepted yet: a close leaves them.
pub(in crate::tracker) const fn is_unaccepted_state(state: State) -> bool {
    matches!(state, State::SynRecv | State::Established | State::CloseWait)
}

const fn is_unknown(state: State) -> bool {
    matches!(state, State::Unknown(_))
}
