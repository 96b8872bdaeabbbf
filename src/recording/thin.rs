//! Which snapshots without a change are worth a line: few, so that a long watch of a quiet machine
//! costs next to nothing.

use crate::model::time::Stamp;

/// This many unchanged snapshots after a change are kept: they decide what it left open, such as a
/// close that has to be confirmed.
const KEPT_AFTER_CHANGE: u32 = 3;
/// Of those that follow, one is kept in this time (µs), and the last before the next change.
const SPACING: u64 = 1_000_000;

/// Chooses the snapshots that are kept.
#[derive(Debug, Default)]
pub(crate) struct Thinner {
    /// Unchanged snapshots since the last reading with a change.
    unchanged: u32,
    /// The end (boot time, µs) of the last reading that was kept.
    last_kept: u64,
}

impl Thinner {
    /// Whether a reading that ended at `end` is kept; one with a change always is.
    pub(crate) const fn keeps(&mut self, is_unchanged: bool, end: Stamp) -> bool {
        self.unchanged = if is_unchanged { self.unchanged.saturating_add(1) } else { 0 };
        let is_kept = self.unchanged <= KEPT_AFTER_CHANGE
            || end.boot.saturating_sub(self.last_kept) >= SPACING;
        if is_kept {
            self.last_kept = end.boot;
        }
        is_kept
    }
}
