//! How many sockets there are and were in one state of a group, or in the whole of it.

use super::times::Times;
use std::time::Duration;

/// The sockets of a group in one state, or in any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StateCounts {
    /// How many there are.
    pub(crate) now: u64,
    /// How many there were at the start.
    pub(crate) at_start: u64,
    /// The most there were after a reading.
    pub(crate) highest: u64,
    /// There were fewer after a reading than after the one before.
    pub(crate) has_fallen: bool,
    /// How many there were after the last reading that changed it.
    before: u64,
    /// How many came into the state, or were opened, since the start.
    pub(crate) entered: u64,
    /// How many left it, or were closed.
    pub(crate) left: u64,
    /// How long those that left were in it, or lived, as far as that is known.
    pub(crate) times: Times,
}

impl StateCounts {
    /// How many more there are than at the start.
    pub(crate) fn change(&self) -> i64 {
        i64::try_from(self.now).unwrap_or(i64::MAX)
            - i64::try_from(self.at_start).unwrap_or(i64::MAX)
    }

    /// All changes of a reading were counted.
    pub(super) fn end_reading(&mut self) {
        self.highest = self.highest.max(self.now);
        self.has_fallen |= self.now < self.before;
        self.before = self.now;
    }

    /// Whether there was never any.
    pub(crate) const fn is_empty(&self) -> bool {
        self.now == 0 && self.at_start == 0 && self.entered == 0
    }

    /// One more is there, since the start or newly.
    pub(super) const fn enter(&mut self, at_start: bool) {
        self.now += 1;
        if at_start {
            self.at_start += 1;
        } else {
            self.entered += 1;
        }
    }

    /// A socket has left the state, after this time in it where that is known.
    pub(super) fn leave(&mut self, after: Option<Duration>) {
        self.now = self.now.saturating_sub(1);
        self.left += 1;
        if let Some(time) = after {
            self.times.add(time);
        }
    }

    /// What another group has counted of a socket is counted here from now on.
    pub(super) fn take(&mut self, other: &mut Self, part: Share) {
        let Share { now, at_start, entered, left } = part;
        let give = |from: &mut u64, to: &mut u64, is_counted: bool| {
            if is_counted {
                *from = from.saturating_sub(1);
                *to += 1;
            }
        };
        give(&mut other.now, &mut self.now, now);
        give(&mut other.at_start, &mut self.at_start, at_start);
        give(&mut other.entered, &mut self.entered, entered);
        give(&mut other.left, &mut self.left, left);
    }
}

/// What a socket is counted as in [`StateCounts`].
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // named as the counts are
pub(super) struct Share {
    pub(super) now: bool,
    pub(super) at_start: bool,
    pub(super) entered: bool,
    pub(super) left: bool,
}
