//! A question of `wait` or `check` that cannot be decided by what could be seen.

use super::{ProcessError, UnreadPart};
use crate::model::counted::counted;
use crate::model::reading::{Lost, LostReason};
use crate::model::time::Stamp;
use crate::privileges::Remedy;
use std::fmt;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{question} is inconclusive: {reason}")]
pub struct Inconclusive {
    /// What was to be decided.
    pub question: Question,
    /// What stands in the way.
    pub reason: Reason,
}

/// What `check` or `wait` were to decide.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Question {
    /// No socket violates a limit.
    #[error("check")]
    NoViolations,
    /// A condition holds; as it was written.
    #[error("'{0}'")]
    Holds(String),
}

/// What stands in the way of an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A single poll may skip a row.
    #[error("fewer than two polls were taken; watch longer (--for)")]
    TooFewPolls,
    /// Sockets were in their state already at the first poll, so their age is not known.
    #[error(
        "sockets were in such a state at the first poll, for an unknown time; watch longer (--for)"
    )]
    UnknownAge,
    /// Sockets may belong to matching processes, which this user may not inspect.
    #[error("{0}, or filter by --local, --remote or --port instead of by process")]
    HiddenOwners(HiddenOwners),
    /// Sockets may match a filter by family, address or interface.
    #[error(transparent)]
    UnshownBindings(UnshownBindings),
    /// A process that matches has sockets that cannot be seen.
    #[error(transparent)]
    Elsewhere(ProcessError),
    /// So many rows of the kernel's tables could not be parsed.
    #[error("{} of the kernel's tables could not be read; try again", counted(*.0, "row"))]
    BadRows(u64),
    /// So many network namespaces could not be read.
    #[error(
        "{} could not be read; name those that matter with --netns",
        counted(*.0, "network namespace")
    )]
    Namespaces(u64),
    /// Not all of the time was seen that the question is about.
    #[error(transparent)]
    Unseen(#[from] Unseen),
}

/// What was not seen of a run or of a recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unseen {
    /// Readings that were lost after this moment.
    #[error("{}", lost_readings(*.0, .1))]
    Readings(Stamp, Lost),
    /// So many rows of the kernel's tables, at this moment.
    #[error("{} of the kernel's tables could not be read at {}", counted(*.0, "row"), .1)]
    Rows(u64, Stamp),
    /// So many network namespaces, at this moment.
    #[error("{} could not be read at {}", counted(*.0, "network namespace"), .1)]
    Namespaces(u64, Stamp),
    /// A file of a recording.
    #[error(transparent)]
    Part(#[from] UnreadPart),
    /// Files of a recording that are gone or were never written.
    #[error("{name}: samples are missing before {before}")]
    Samples {
        /// What the recording is called in messages.
        name: String,
        /// When the next file begins.
        before: Stamp,
    },
}

/// What is missing, and where there is something to do about it, what.
fn lost_readings(since: Stamp, Lost { time, reason, count }: &Lost) -> String {
    let events = |how_exact: &str| {
        let number = |count| format!("{how_exact}{}", counted(count, "kernel event"));
        count.map_or_else(|| "kernel events".to_owned(), number)
    };
    match reason {
        LostReason::Gap => format!("there are no samples between {since} and {time}"),
        LostReason::Ring => format!("{} lost by {time}; use a larger --ring", events("")),
        LostReason::Recursion => format!("{} lost by {time}", events("up to ")),
        LostReason::Unreported => format!("{} lost by {time}", events("at least ")),
        LostReason::Table | LostReason::Output => format!("samples lost by {time}"),
    }
}

/// Sockets of which their source does not show what decides whether they match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, thiserror::Error)]
pub struct UnshownBindings {
    /// Listeners on `::` that may accept IPv4, too.
    pub listeners: u64,
    /// Sockets that may be bound to an interface.
    pub bound: u64,
}

impl fmt::Display for UnshownBindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listeners, bound } = *self;
        match (counted(listeners, "listener"), counted(bound, "socket")) {
            (listeners, _) if bound == 0 => write!(f, "{listeners} on [::] may accept IPv4")?,
            (_, bound) if listeners == 0 => write!(f, "{bound} may be bound to that interface")?,
            (listeners, bound) => write!(
                f,
                "{listeners} on [::] may accept IPv4, and {bound} may be bound to that interface"
            )?,
        }
        f.write_str(", which this source does not show; use --source netlink, or record with it")
    }
}

/// Sockets whose owners this process may not inspect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenOwners {
    /// How many.
    pub sockets: usize,
    /// What to do about it.
    pub remedy: Remedy,
}

impl fmt::Display for HiddenOwners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sockets, remedy } = self;
        let sockets = counted(*sockets, "socket");
        write!(f, "{sockets} {}; {remedy}", remedy.doubt())
    }
}
