//! A scan of all processes, for a recording: a replay may ask for any of them.

use super::Scan;
use super::process::ProcessFields;
use crate::filter::ProcessFilter;
use crate::model::process::{Holder, Inodes, Process};
use crate::owner::SearchScope;
use crate::owner::table::SearchResult;
use std::collections::HashSet;

impl Scan {
    /// Finds all holders of these sockets, and describes their processes, and those that may not be
    /// read, with all that a filter may need.
    pub(super) fn scan_all(&mut self, wanted: &Inodes) -> SearchResult {
        let mut found = self.search(SearchScope::All(&ProcessFilter::default()), wanted);
        found.holders.retain(|(inode, _)| wanted.contains(inode));
        let holding: HashSet<_> =
            found.holders.iter().map(|(_, holder)| Holder::process(holder)).collect();
        found.processes.retain(|process| holding.contains(&process.identity()));
        for process in &mut found.processes {
            self.complete(process);
        }
        found.denied = self.describe_denied(found.denied);
        found
    }

    /// A process with all that a filter may need, as far as it still exists.
    pub(super) fn describe_fully(&self, pid: i32) -> Process {
        self.describe(pid, ProcessFields::ALL)
    }

    /// Adds what was not needed to find a process; one that is gone stays as it is.
    fn complete(&self, process: &mut Process) {
        let now = self.describe_fully(process.pid);
        if now.identity() == process.identity() {
            *process = now;
        }
    }

    /// Describes processes that permission is denied to inspect. There may be thousands, and they hardly ever
    /// change: a description counts as long as the process has the same name.
    fn describe_denied(&mut self, mut denied: Vec<Process>) -> Vec<Process> {
        let known = std::mem::take(&mut self.denied);
        for process in &mut denied {
            match known.get(&process.identity()) {
                Some(before) if before.comm == process.comm => process.clone_from(before),
                _ => self.complete(process),
            }
        }
        self.denied = denied.iter().map(|process| (process.identity(), process.clone())).collect();
        denied
    }
}
