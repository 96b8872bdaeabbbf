//! Threads with descriptor tables of their own, which their process does not show.

use super::Scan;
use super::fd_table::{FdTable, open_dir, read_table};
use super::process::start_of;
use crate::model::process::{Holder, Process};
use crate::owner::table::Found;
use std::collections::HashSet;

/// How often (µs) all threads are searched: there may be thousands, and hardly any has a table of
/// its own.
const SEARCH_INTERVAL: u64 = 1_000_000;

/// When threads are searched.
#[derive(Debug, Default)]
pub(super) struct Threads {
    /// The boot time (µs) from which on all are searched again.
    due: u64,
    /// The processes that were found with more than one table.
    with_tables: HashSet<(i32, u64)>,
}

impl Scan {
    /// Searches the threads of processes, given with their leader's table, since some sockets were
    /// not found elsewhere: at times all of them, so that a socket may be found that much later,
    /// and each time those with tables of their own.
    pub(super) fn search_threads(&mut self, threaded: Vec<(Process, FdTable)>, found: &mut Found) {
        let all = self.reading >= self.threads.due;
        if all {
            self.threads.due = self.reading + SEARCH_INTERVAL;
            self.threads.with_tables.clear();
        }
        for (process, table) in threaded {
            let identity = process.identity();
            if (all || self.threads.with_tables.contains(&identity))
                && self.search_threads_of(&process, table, found)
            {
                self.threads.with_tables.insert(identity);
            }
        }
    }

    /// Returns whether there is any table besides the leader's.
    fn search_threads_of(&self, process: &Process, leader: FdTable, found: &mut Found) -> bool {
        let Ok(entry) = self.open_process(process.pid) else { return false };
        if start_of(&entry) != Some(process.start) {
            return false;
        }
        let Ok(tasks) = entry.tasks() else { return false };
        let before = found.holders.len();
        let mut known = vec![leader];
        for tid in tasks.flatten().map(|task| task.tid).filter(|tid| *tid != process.pid) {
            let Ok(dir) = open_dir(&entry, &format!("task/{tid}/fd")) else { continue };
            if known.iter().any(|table| table.is(&dir)) {
                continue;
            }
            let Process { pid, start, .. } = *process;
            let holder = |fd| Holder { pid, start, fd, task: Some(tid) };
            known.push(read_table(&dir, |inode, fd| found.holders.push((inode, holder(fd)))));
        }
        if found.holders.len() > before && !found.processes.contains(process) {
            found.processes.push(process.clone());
        }
        known.len() > 1
    }
}
