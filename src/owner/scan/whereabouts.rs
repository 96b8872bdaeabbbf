//! Where the processes are that a filter asks for. One in another network namespace has sockets that no
//! table read here shows, and nothing else says so.

use super::Scan;
use super::process::{Described, ProcessFields, describe, status_number};
use crate::filter::workload::{NamePattern, WorkloadFilter};
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

/// Whose sockets are read.
#[derive(Debug, Clone, Default)]
pub(crate) enum NetnsScope {
    /// Those of the caller's network namespace, or of that of the procfs.
    #[default]
    Own,
    /// Those of the namespaces that have these `net/tcp`, by their inodes.
    Tables(Vec<u64>),
    /// Those of all.
    All,
}

impl Scan {
    /// The sockets of these namespaces are read.
    #[must_use]
    pub(crate) fn of_namespaces(self, netns: NetnsScope) -> Self {
        Self { netns, ..self }
    }

    /// The processes that run in a container with this name or id, as far as that is known.
    pub(crate) fn pids_in_container(&self, container: &NamePattern) -> Vec<i32> {
        let containers = vec![container.clone()];
        let filter = WorkloadFilter { containers, ..WorkloadFilter::default() };
        let is_in_it = |pid: &i32| {
            let workload = self.open_process(*pid).ok().and_then(|it| self.workloads.of(&it));
            workload.is_some_and(|workload| filter.matches(Some(&workload)) == Match::Yes)
        };
        let everyone = ProcessFilter::default();
        let pids = self.pids(SearchScope::All(&everyone)).unwrap_or_default();
        pids.into_iter().filter(is_in_it).collect()
    }

    /// The inode of the `net/tcp` of a process.
    pub(crate) fn table_of(&self, pid: i32) -> Option<u64> {
        self.netns_of(&pid.to_string())
    }

    /// The `net/tcp` of the network namespace with this inode, where a process runs in it.
    pub(crate) fn table_of_namespace(&self, inode: u64) -> Option<u64> {
        let link = format!("net:[{inode}]");
        let is_in_it = |pid: &i32| {
            let path = self.root.join(pid.to_string()).join("ns/net");
            std::fs::read_link(path).is_ok_and(|target| target == Path::new(&link))
        };
        let everyone = ProcessFilter::default();
        let pids = self.pids(SearchScope::All(&everyone)).ok()?;
        self.table_of(pids.into_iter().find(is_in_it)?)
    }

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
        let ours = match &self.netns {
            NetnsScope::Own => vec![self.netns_of(if is_own { "thread-self" } else { "1" })?],
            NetnsScope::Tables(tables) => tables.clone(),
            NetnsScope::All => return None,
        };
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
            if !ours.contains(&theirs) {
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
