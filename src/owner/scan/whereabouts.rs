//! Where the processes are that a filter asks for. One in another network namespace has sockets that no
//! table read here shows, and nothing else says so.

use super::Scan;
use super::process::{Described, ProcessFields, describe, status_number};
use crate::filter::{Match, ProcessFilter};
use crate::model::process::Process;
use crate::owner::SearchScope;
use std::path::Path;

/// A number that is not that of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WrongPid {
    /// It is that of nothing that can be seen.
    Missing(i32),
    /// It is that of a thread.
    Thread {
        /// The thread.
        thread: i32,
        /// Its process.
        process: i32,
    },
}

impl Scan {
    /// Checks that the pids of a filter are those of processes, as far as that can be seen. Returns
    /// those that are not, if others are.
    ///
    /// # Errors
    /// None is, or one is that of a thread.
    pub(crate) fn check_pids(&self, filter: &ProcessFilter) -> Result<Vec<i32>, WrongPid> {
        let mut missing = Vec::new();
        for pid in &filter.pids {
            let entry = self.open_process(*pid).ok();
            let Some(entry) =
                entry.filter(|entry| describe(entry, ProcessFields::NONE, &self.workloads).is_ok())
            else {
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

    /// See [`OwnerLookup::elsewhere`](crate::owner::OwnerLookup::elsewhere).
    pub(super) fn find_elsewhere(&self, filter: &ProcessFilter) -> Option<Process> {
        // The namespace of `--procfs` is that of its process 1.
        let is_own = self.root == Path::new("/proc");
        let ours = self.netns_of(if is_own { "thread-self" } else { "1" })?;
        let own_pid = std::fs::read_link(self.root.join("self")).ok();
        let mut elsewhere = None;
        for pid in self.pids(SearchScope::Matching(filter)).ok()? {
            let Some(theirs) = self.netns_of(&pid.to_string()) else { continue };
            let described = self.open_process(pid).and_then(|entry| {
                describe(&entry, ProcessFields::needed_by(filter), &self.workloads)
            });
            let Ok(Described { process, .. }) = described else { continue };
            let is_this = own_pid.as_deref() == Some(Path::new(&pid.to_string()));
            if is_this || filter.matches(&process) != Match::Yes {
                continue;
            }
            if theirs != ours {
                elsewhere.get_or_insert(process);
            } else if filter.pids.is_empty() {
                return None;
            }
        }
        elsewhere
    }

    /// A number that distinguishes the network namespace of a process from others: each has a table
    /// of its own, whose inode, unlike the link in `ns`, every user may read.
    fn netns_of(&self, process: &str) -> Option<u64> {
        let table = rustix::fs::stat(self.root.join(process).join("net/tcp")).ok()?;
        Some(table.st_ino)
    }
}
