//! Which polls, lookups and kernel events have shown a socket.

use crate::model::reading::{AbortReason, StateChange};
use crate::model::socket::Side;
use crate::model::time::Stamp;

/// Polls in a row that must miss a socket before it is gone: of single misses under the worst churn
/// none was seen twice.
const MISSES_TO_CLOSE: u8 = 2;

/// Which polls, lookups and kernel events have shown a socket. Polls are numbered from 1, times of
/// boot are in microseconds.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // each a fact of its own
pub(in crate::tracker) struct Sightings {
    /// The latest poll when the socket was first observed.
    pub(in crate::tracker) first_poll: u64,
    /// The last poll that showed it; 0 for none.
    pub(in crate::tracker) last_poll: u64,
    /// The start of that one, or the time of a later kernel event.
    pub(in crate::tracker) last_start: Stamp,
    /// The boot time at which a kernel event or a lookup last showed its state: polls that started
    /// before are out of date. 0 for none.
    pub(in crate::tracker) state_known_at: u64,
    /// Kernel events have shown it.
    pub(super) is_traced: bool,
    /// The full socket was destroyed, which may leave a mini-socket.
    pub(in crate::tracker) is_destroyed: bool,
    /// Why the connection was aborted, by the kernel's last event.
    pub(super) abort: Option<AbortReason>,
    /// Which side sent the reset that aborted it.
    pub(super) reset_by: Option<Side>,
    /// Polls in a row without it.
    misses: u8,
    /// It has been missing since rows could not be read.
    pub(in crate::tracker) missing_since_bad_rows: bool,
    /// A lookup after the last poll that showed it found another socket with its addresses: a successor,
    /// or one on another interface.
    pub(in crate::tracker) other_found: bool,
}

impl Sightings {
    /// Of a socket first observed at `born`, with or after the poll of this number.
    pub(super) const fn new(first_poll: u64, born: Stamp) -> Self {
        Self {
            first_poll,
            last_poll: 0,
            last_start: born,
            state_known_at: 0,
            is_traced: false,
            is_destroyed: false,
            abort: None,
            reset_by: None,
            misses: 0,
            missing_since_bad_rows: false,
            other_found: false,
        }
    }

    /// A poll that started at `start` showed it.
    pub(super) const fn note_poll(&mut self, poll: u64, start: Stamp) {
        (self.last_start, self.missing_since_bad_rows, self.other_found) = (start, false, false);
        self.note_stale_poll(poll);
    }

    /// A poll showed it as it was before a kernel event.
    pub(super) const fn note_stale_poll(&mut self, poll: u64) {
        (self.last_poll, self.misses) = (poll, 0);
    }

    /// A kernel event showed it.
    pub(super) const fn note_change(&mut self, change: &StateChange) {
        (self.is_traced, self.state_known_at) = (true, change.time.boot);
        (self.abort, self.reset_by) = (change.abort, change.reset_by);
    }

    /// A poll did not show it. `whole`: every row of the poll could be read; `bad_rows`: some rows
    /// cannot be read. Returns whether the socket is gone.
    pub(in crate::tracker) const fn note_miss(&mut self, whole: bool, bad_rows: bool) -> bool {
        self.missing_since_bad_rows |= !whole;
        // It may be in one of the rows that cannot be read.
        if !(self.missing_since_bad_rows && bad_rows) {
            self.misses += 1;
        }
        self.misses >= MISSES_TO_CLOSE
    }

    /// Whether the last poll did not show it.
    pub(in crate::tracker) const fn is_missing(&self) -> bool {
        self.misses > 0 || self.missing_since_bad_rows
    }
}
