//! The closing line: how much of what happened was seen.

use std::fmt;

/// Counts of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Sockets that matched the filters.
    pub sockets: u64,
    /// Of these, such as are open still.
    pub open: usize,
    /// Sockets with wanted addresses that no poll saw while they were open: known by the destroy
    /// event of their end, or by the mini-socket they left. Their owners are not known.
    pub missed: u64,
    /// The kernel had more destroy events than room for them: `missed` is a lower bound.
    pub destroy_events_lost: bool,
    /// Readings lost, as far as they can be counted.
    pub lost: u64,
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sockets, open, missed, lost, .. } = self;
        let least = if self.destroy_events_lost { "at least " } else { "" };
        write!(
            f,
            "coverage: lives seen {sockets} (still open {open}), lives missed {least}{missed}, \
             readings lost {lost}"
        )
    }
}
