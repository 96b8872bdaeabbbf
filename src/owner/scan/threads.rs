//! Threads with descriptor tables of their own, which their process does not show.

use super::Scan;
use super::fd_table::{Table, open_dir, read_table};
use super::process::start_of;
use crate::model::process::{Holder, Process};
use crate::owner::table::Found;
use std::collections::HashSet;

/// How often (µs) all threads are looked into: there may be thousands, where hardly any has a table
/// of its own.
const LOOK_AGAIN: u64 = 1_000_000;

/// When threads are looked into, and those that have been worth it.
#[derive(Debug, Default)]
pub(super) struct Threads {
    due: u64,
    /// The processes with more than one table.
    split: HashSet<(i32, u64)>,
}

impl Scan {
    /// Looks into the threads of processes, since some sockets were not found elsewhere. Now and
    /// then into all, so that a socket may come to light that much later than it was asked for;
    /// each time into those that had tables of their own.
    pub(super) fn look_into_all_threads(
        &mut self,
        threaded: Vec<(Process, Table)>,
        found: &mut Found,
    ) {
        let due = self.now >= self.threads.due;
        if due {
            self.threads.due = self.now + LOOK_AGAIN;
            self.threads.split.clear();
        }
        for (process, table) in threaded {
            let identity = process.identity();
            if (due || self.threads.split.contains(&identity))
                && self.look_into_threads(&process, table, found)
            {
                self.threads.split.insert(identity);
            }
        }
    }

    /// Returns whether there is any table beside the leader's.
    fn look_into_threads(&self, process: &Process, leader: Table, found: &mut Found) -> bool {
        let Ok(entry) = self.process(process.pid) else { return false };
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
