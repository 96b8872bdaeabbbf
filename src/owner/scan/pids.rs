//! The processes that `--pid` names.

use super::process::{ProcessFields, status_number};
use super::process_files::ProcessFiles;
use crate::filter::ProcessFilter;

/// A number that is not that of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WrongPid {
    /// There is no process or thread with this number that can be seen.
    Missing(i32),
    /// The number is that of a thread.
    Thread {
        /// The thread.
        thread: i32,
        /// Its process.
        process: i32,
    },
}

/// Checks that the pids of a filter are those of processes, as far as that can be seen. Returns those
/// that are not, if others are.
///
/// # Errors
/// None is, or one is that of a thread.
pub(super) fn check(
    filter: &ProcessFilter,
    processes: &ProcessFiles,
) -> Result<Vec<i32>, WrongPid> {
    let mut missing = Vec::new();
    for pid in &filter.pids {
        let is_there = |entry: &_| processes.read(entry, ProcessFields::NONE).is_ok();
        let Some(entry) = processes.open(*pid).ok().filter(is_there) else {
            missing.push(*pid);
            continue;
        };
        let leader = status_number(&entry, b"Tgid:").and_then(|tgid| i32::try_from(tgid).ok());
        if let Some(leader) = leader.filter(|leader| leader != pid) {
            return Err(WrongPid::Thread { thread: *pid, process: leader });
        }
    }
    match missing.first() {
        Some(first) if missing.len() == filter.pids.len() => Err(WrongPid::Missing(*first)),
        _ => Ok(missing),
    }
}
