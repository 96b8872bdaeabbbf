//! How much of what happened was seen, in one sentence.

use std::fmt;

/// Counts of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Lives that matched the filters.
    pub lives: u64,
    /// Of these, such as are not over.
    pub open: usize,
    /// Lives with the wanted ends that no look saw while they were open: known by the notice of
    /// their death, or by the wait they left. Whose they were is not known.
    pub missed: u64,
    /// The kernel had more notices of deaths than room for them: `missed` is a lower bound.
    pub notices_lost: bool,
    /// Readings lost, as far as they can be counted.
    pub lost: u64,
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lives, open, missed, lost, .. } = self;
        let least = if self.notices_lost { "at least " } else { "" };
        write!(
            f,
            "coverage: lives seen {lives} (still open {open}), lives missed {least}{missed}, \
             readings lost {lost}"
        )
    }
}
