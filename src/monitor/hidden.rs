//! Sockets that cannot be shown or counted for certain: their owners are not known, or rows of the
//! tables could not be read.

use super::Monitor;
use crate::error::Error;
use crate::model::event::SocketStatus;

/// Sockets whose owner is not known, until they have been told of.
#[derive(Debug, Default)]
pub(super) struct Unowned {
    /// Not shown, because a filter by process cannot decide.
    hidden: u64,
    /// Of these, such as could belong to a process that may not be read.
    hidden_denied: u64,
    /// Shown, without the owner that may not be read.
    denied: u64,
    told: bool,
}

impl Unowned {
    pub(super) const fn count(&mut self, shown: bool, denied: bool) {
        let denied = denied as u64;
        if shown {
            self.denied += denied;
        } else {
            self.hidden += 1;
            self.hidden_denied += denied;
        }
    }

    /// Counts such as a filter by process cannot decide, because not all may be read.
    pub(super) const fn leave_out(&mut self, sockets: u64) {
        self.hidden += sockets;
        self.hidden_denied += sockets;
    }

    /// Tells once how many sockets are not shown, or are shown without an owner.
    pub(super) fn notice(&mut self) -> Option<String> {
        let count = |n: u64| format!("{n} socket{}", if n == 1 { "" } else { "s" });
        if self.told || self.hidden + self.denied == 0 {
            return None;
        }
        self.told = true;
        Some(match (self.hidden, self.hidden_denied) {
            (0, _) => format!(
                "the owners of {} cannot be told, because not all processes may be read",
                count(self.denied)
            ),
            (hidden, 0) => format!("{} without a known owner not shown", count(hidden)),
            (hidden, denied) => format!(
                "{} without a known owner not shown; {denied} of them could belong to processes \
                 that may not be read",
                count(hidden)
            ),
        })
    }
}

/// So many looks in a row have to leave an answer open before it is given up: a process that ends
/// just then hides its sockets for a look or two.
pub(crate) const PATIENCE: u32 = 5;

/// What the last look may have missed.
pub(crate) struct Unseen {
    /// Sockets that may belong to matching processes which may not be read.
    pub(crate) candidates: Vec<SocketStatus>,
    /// Rows that could not be understood.
    bad_rows: u64,
}

impl Unseen {
    /// What the monitor's last look may have missed.
    pub(crate) fn of(monitor: &mut Monitor<'_>) -> Self {
        Self { bad_rows: monitor.looks().bad_rows, candidates: monitor.candidates() }
    }

    /// Every row was understood: what is missing may only be among the candidates.
    pub(crate) const fn all_rows_read(&self) -> bool {
        self.bad_rows == 0
    }

    /// `question` cannot be answered.
    pub(crate) fn error(&self, question: &str) -> Error {
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
pub(crate) fn hidden(n: usize) -> String {
    let sockets = if n == 1 { "socket" } else { "sockets" };
    format!("{n} {sockets} may belong to processes that may not be read")
}
