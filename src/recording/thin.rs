//! Which passes without news are worth a line: few, so that a long watch of a quiet machine costs
//! next to nothing.

use crate::model::time::Stamp;

/// So many passes after one with news all count: they decide what it left open, such as an end that
/// has to be confirmed.
const SETTLING: u32 = 3;
/// Of those that follow, one counts in so much time (µs), and the last before the next news.
const STRETCH: u64 = 1_000_000;

/// Picks the passes that count.
#[derive(Debug, Default)]
pub struct Thinner {
    /// Passes without news since the last reading that had some.
    quiet: u32,
    /// The end (boot time, µs) of the last pass that counted.
    last: u64,
}

impl Thinner {
    /// Whether a pass that ended then counts for itself.
    pub const fn counts(&mut self, is_quiet: bool, end: Stamp) -> bool {
        self.quiet = if is_quiet { self.quiet.saturating_add(1) } else { 0 };
        let counts = self.quiet <= SETTLING || end.boot.saturating_sub(self.last) >= STRETCH;
        if counts {
            self.last = end.boot;
        }
        counts
    }
}
