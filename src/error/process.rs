//! A process that is asked for and cannot be inspected from here.

use crate::privileges::Remedy;

/// What is wrong with a process that a filter asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// `--pid` of nothing.
    #[error("--pid: {}; write another number{}", no_process(*.pid, .remedy.is_none()), if_hidden(.remedy.as_ref()))]
    Missing {
        /// The number.
        pid: i32,
        /// What to do where processes may be hidden; `None` where all are listed.
        remedy: Option<Remedy>,
    },
    /// `--pid` of a thread.
    #[error("--pid: {thread} is a thread of process {process}; write --pid {process}")]
    Thread {
        /// Its id.
        thread: i32,
        /// The id of its process.
        process: i32,
    },
    /// A process in another network namespace.
    #[error(
        "process {pid}{} is in another network namespace, whose sockets are not read; write \
         --netns pid:{pid}",
        name.as_ref().map(|name| format!("/{name}")).unwrap_or_default()
    )]
    Elsewhere {
        /// Its id.
        pid: i32,
        /// Its name, where that is known.
        name: Option<String>,
    },
}

/// That a process does not exist, as far as that is known.
pub(crate) fn no_process(pid: i32, all_listed: bool) -> String {
    if all_listed {
        format!("there is no process {pid}")
    } else {
        format!("no process {pid} is listed in procfs")
    }
}

fn if_hidden(remedy: Option<&Remedy>) -> String {
    remedy.map_or_else(String::new, |remedy| format!(", or {remedy} if it is hidden"))
}
