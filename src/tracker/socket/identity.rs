//! What makes two rows the same socket: cookie, inode, timer, and a legal way from state to state.

use super::{Life, Shown, orphaned, unaccepted};
use crate::model::reading::{LookupRequest, PollWindow};
use crate::model::socket::AddressPair;
use crate::model::socket_row::{SocketRow, Timer};
use crate::model::time::Stamp;
use crate::tcp::path::reachable;
use crate::tcp::state::State;

/// A restarted timer moves its end by more than this: `when` counts 1/100 s, and a jiffy may
/// take as long again.
const TIMER_SLACK_MICROS: u64 = 20_000;

/// The timer of a mini-socket as it runs down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Countdown {
    /// The latest boot time (µs) at which it can run out.
    end: u64,
    /// It was seen to run at this boot time (µs) for the first time.
    since: u64,
}

impl Countdown {
    /// Whether a row shows that it was set anew after it was last seen to run (boot time, µs).
    ///
    /// Every TIME_WAIT lasts `TCP_TIMEWAIT_LEN` (`include/net/tcp.h`), and every orphaned FIN_WAIT2
    /// as long as any other, unless its process chose a time (`TCP_LINGER2`). So whatever sets a
    /// timer anew puts its end off by as long as it has run: by less than half of what was seen of
    /// that only a busy machine's tick is late, from which the kernel counts.
    fn was_set_anew(self, row: &SocketRow, last_seen: u64, pass: &PollWindow) -> bool {
        let put_off = runs_out(row, pass.start).saturating_sub(self.end);
        let ran = last_seen.saturating_sub(self.since);
        put_off > TIMER_SLACK_MICROS && put_off >= ran / 2
    }
}

impl Life {
    /// Whether this row can be the same socket a moment later (`tcp-on-linux`: identity). The
    /// inode comes with accept() and goes with close(); it never changes in between.
    pub(crate) fn may_become(&self, row: &SocketRow) -> bool {
        let fits = self.cookie_says(row).unwrap_or_else(|| self.inode_fits(row));
        fits && reachable(self.now.state, row.state)
    }

    /// Whether the cookies say that a row is this socket's, where both are known.
    pub(crate) const fn cookie_says(&self, row: &SocketRow) -> Option<bool> {
        match (self.cookie, row.cookie) {
            (0, _) | (_, 0) => None,
            (ours, its) => Some(ours == its),
        }
    }

    /// The inode of a row that is the first to show it.
    pub(crate) fn new_inode(&self, row: &SocketRow) -> Option<u64> {
        (row.inode != 0 && row.inode != self.last_inode).then_some(row.inode)
    }

    fn inode_fits(&self, row: &SocketRow) -> bool {
        let now = &self.now;
        if !self.has_row {
            return true;
        }
        match (now.inode, row.inode) {
            (0, 0) => !back_from_mini(now, row),
            (0, _) => unaccepted(now.state) || is_unknown(now.state),
            (_, 0) => orphaned(row.state) || is_unknown(row.state),
            (before, after) => before == after,
        }
    }

    /// Whether events tell of its every step, so that a look-up would be ahead of them.
    pub(crate) const fn is_followed(&self) -> bool {
        self.moved > 0 && !self.died && !self.now.mini
    }

    /// Whether a row shows this very kernel socket, but in a state that only a new connection
    /// explains: `connect(AF_UNSPEC)` ended the one we knew.
    pub(crate) fn began_anew(&self, row: &SocketRow) -> bool {
        let same_inode = row.inode != 0 && row.inode == self.now.inode;
        self.cookie_says(row).unwrap_or(same_inode) && !reachable(self.now.state, row.state)
    }

    /// What an exact look-up is asked about this socket.
    pub(crate) const fn question(&self, addrs: AddressPair) -> LookupRequest {
        LookupRequest { addrs, inode: self.now.inode, cookie: self.cookie, ifindex: self.ifindex }
    }

    /// Whether the timer of a mini-socket in an unchanged state was set anew: a retransmitted FIN
    /// did that, or the ends were used by another connection meanwhile.
    pub(crate) fn timer_restarted(&self, row: &SocketRow, pass: &PollWindow) -> bool {
        // A timer that has run out reads 0 until the kernel gets to it, seconds later if need be.
        let running = runs_down(row) && row.timer_left > 0;
        let same = self.now.state == row.state && self.now.mini && running;
        let last_seen = self.pass_start.boot;
        same && self.cookie_says(row).is_none()
            && self.timer.is_some_and(|timer| timer.was_set_anew(row, last_seen, pass))
    }

    /// How far (µs) the timer of a row is from that of this life: twins are told apart by it.
    pub(crate) fn timer_off(&self, row: &SocketRow, pass: &PollWindow) -> u64 {
        let end = runs_out(row, pass.end);
        self.timer.filter(|_| runs_down(row)).map_or(0, |before| end.abs_diff(before.end))
    }

    /// Found as what a close leaves: nobody saw it while it was open.
    pub(crate) fn is_corpse(&self) -> bool {
        self.now.mini && orphaned(self.now.state)
    }

    pub(super) fn note_timer(&mut self, row: &SocketRow, pass: &PollWindow) {
        let end = runs_out(row, pass.end).saturating_add(TIMER_SLACK_MICROS / 2);
        let last_seen = self.pass_start.boot;
        let goes_on = |timer: &Countdown| {
            self.now.state == row.state && !timer.was_set_anew(row, last_seen, pass)
        };
        self.timer = runs_down(row).then(|| match self.timer.filter(goes_on) {
            Some(timer) => Countdown { end: timer.end.min(end), ..timer },
            None => Countdown { end, since: pass.end.boot },
        });
    }
}

const fn is_unknown(state: State) -> bool {
    matches!(state, State::Unknown(_))
}

/// A mini-socket after a close never becomes a full one again, and a child never a request.
fn back_from_mini(now: &Shown, row: &SocketRow) -> bool {
    let request = |state| state == State::SynRecv;
    let grown_back = now.mini && !row.mini && !request(now.state);
    let shrunk_back = !now.mini && row.mini && request(row.state);
    grown_back || shrunk_back
}

fn runs_down(row: &SocketRow) -> bool {
    row.mini && row.timer == Timer::TimeWait
}

/// When (boot time, µs) the timer of a row runs out that was read at this instant.
fn runs_out(row: &SocketRow, read: Stamp) -> u64 {
    read.boot.saturating_add(row.timer_left.saturating_mul(10_000))
}
