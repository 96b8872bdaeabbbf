//! What may hide sockets where an absence decides.

use crate::error::Error;
use crate::model::event::Standing;
use crate::monitor::Monitor;

/// So many looks in a row have to leave an answer open before it is given up: a process that ends
/// just then hides its sockets for a look or two.
pub(super) const PATIENCE: u32 = 5;

/// What the last look may have missed.
pub(super) struct Unseen {
    /// Sockets that may belong to matching processes which may not be read.
    pub(super) candidates: Vec<Standing>,
    /// Rows that could not be understood.
    bad_rows: u64,
}

impl Unseen {
    /// What the monitor's last look may have missed.
    pub(super) fn of(monitor: &mut Monitor<'_>) -> Self {
        Self { bad_rows: monitor.looks().bad_rows, candidates: monitor.candidates() }
    }

    /// Every row was understood: what is missing may only be among the candidates.
    pub(super) const fn all_rows_read(&self) -> bool {
        self.bad_rows == 0
    }

    /// `question` cannot be answered.
    pub(super) fn error(&self, question: &str) -> Error {
        let reason = if self.all_rows_read() {
            format!(
                "{}; ask as root, or by --local, --remote or --port instead of by process",
                hidden(self.candidates.len())
            )
        } else {
            let rows = if self.bad_rows == 1 { "row" } else { "rows" };
            format!("{} {rows} of the kernel's tables cannot be read", self.bad_rows)
        };
        Error::NotKnown(format!("{question} cannot be told: {reason}"))
    }
}

/// `n` sockets, and why they cannot be told.
pub(super) fn hidden(n: usize) -> String {
    let sockets = if n == 1 { "socket" } else { "sockets" };
    format!("{n} {sockets} may belong to processes that may not be read")
}
