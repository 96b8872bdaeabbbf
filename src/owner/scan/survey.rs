//! A look at every process, for a recording: whoever replays it may ask for any of them.

use super::Scan;
use super::process::Reads;
use crate::filter::ProcessFilter;
use crate::model::process::{Holder, Inodes, Process};
use crate::owner::Among;
use crate::owner::recorded::Survey;
use std::collections::HashSet;

impl Scan {
    /// Finds all holders of these sockets, with all that a filter may ask of their processes, and
    /// of those that may not be read.
    pub fn survey(&mut self, wanted: &Inodes) -> Survey {
        let (mut found, denied) = self.search(Among::All(&ProcessFilter::default()), wanted);
        let hidden = found.denied > denied.len() as u64;
        found.holders.retain(|(inode, _)| wanted.contains(inode));
        let holding: HashSet<_> =
            found.holders.iter().map(|(_, holder)| Holder::process(holder)).collect();
        found.processes.retain(|process| holding.contains(&process.identity()));
        for process in &mut found.processes {
            self.complete(process);
        }
        Survey { found, denied: self.describe_denied(denied), hidden }
    }

    /// A process, with all that a filter may ask of it, as far as it is still there.
    pub fn whole(&self, pid: i32) -> Process {
        self.ask(pid, Reads::ALL)
    }

    /// Adds what was not needed to find it; a process that has gone stays as it is.
    fn complete(&self, process: &mut Process) {
        let now = self.whole(process.pid);
        if now.identity() == process.identity() {
            *process = now;
        }
    }

    /// Describes who may not be read. There may be thousands, and they hardly ever change: what was
    /// read of one counts as long as it has the same name.
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
