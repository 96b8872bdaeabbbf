//! Sockets that cannot be shown or counted for certain: their owners are not known, or rows of the
//! tables could not be read.

use super::Monitor;
use crate::error::{Error, HiddenOwners, Inconclusive, Question, Reason};
use crate::model::event::SocketStatus;

/// How many sockets have no known owner.
#[derive(Debug, Default)]
pub(super) struct HiddenSockets {
    /// Not shown, because a filter by process cannot decide.
    hidden: u64,
    /// Of these, such as could belong to a process that permission is denied to inspect.
    hidden_denied: u64,
    /// Shown, but without the owner, which permission is denied to inspect.
    denied: u64,
    reported: bool,
}

impl HiddenSockets {
    /// Counts a socket without a known owner. `denied`: permission to inspect its owner may be
    /// denied.
    pub(super) const fn count(&mut self, shown: bool, denied: bool) {
        let denied = denied as u64;
        if shown {
            self.denied += denied;
        } else {
            self.hidden += 1;
            self.hidden_denied += denied;
        }
    }

    /// Counts sockets that are not shown, because permission to inspect their owners is denied.
    pub(super) const fn count_denied(&mut self, sockets: u64) {
        self.hidden += sockets;
        self.hidden_denied += sockets;
    }

    /// How many sockets are not shown, or are shown without an owner; `None` for none, and once it
    /// has been reported.
    pub(super) fn warning(&mut self) -> Option<String> {
        let count = |n: u64| format!("{n} socket{}", if n == 1 { "" } else { "s" });
        if self.reported || self.hidden + self.denied == 0 {
            return None;
        }
        self.reported = true;
        Some(match (self.hidden, self.hidden_denied) {
            (0, _) => format!(
                "no permission to inspect the owners of {}; run as root to see them",
                count(self.denied)
            ),
            (hidden, 0) => format!("{} hidden: unknown owner", count(hidden)),
            (hidden, denied) => {
                format!("{} hidden: unknown owner ({denied} for lack of permission)", count(hidden))
            }
        })
    }
}

/// This many polls in a row must leave an answer open before the run gives up: a process that ends
/// during a poll hides its sockets for one or two.
pub(crate) const MAX_INCONCLUSIVE_POLLS: u32 = 5;

/// Why the last poll may not have shown every matching socket.
pub(crate) struct BlindSpots {
    /// Sockets that may belong to matching processes, which permission is denied to inspect.
    pub(crate) candidates: Vec<SocketStatus>,
    /// Rows that could not be read.
    bad_rows: u64,
}

impl BlindSpots {
    /// What the monitor's last poll may not have shown. Inspects all processes.
    pub(crate) fn of(monitor: &mut Monitor<'_>) -> Self {
        Self { bad_rows: monitor.polls().bad_rows, candidates: monitor.candidates() }
    }

    /// Every row was read: what is missing may only be among the candidates.
    pub(crate) const fn all_rows_read(&self) -> bool {
        self.bad_rows == 0
    }

    /// The error that `question` cannot be answered.
    pub(crate) fn error(&self, question: Question) -> Error {
        let reason = if self.all_rows_read() {
            Reason::HiddenOwners(HiddenOwners(self.candidates.len()))
        } else {
            Reason::BadRows(self.bad_rows)
        };
        Inconclusive { question, reason }.into()
    }
}
