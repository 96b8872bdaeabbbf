//! In which network namespaces processes are. One in another namespace than those that are read has
//! sockets that no table read here shows, and nothing else says so.
//!
//! A namespace is known by the inode of its `net/tcp`, which, unlike the link in `ns`, every user may
//! read.

use super::process::ProcessFields;
use super::process_files::ProcessFiles;
use crate::filter::workload::{NamePattern, WorkloadFilter};
use crate::filter::{Match, ProcessFilter};
use crate::model::process::Process;
use crate::owner::SearchScope;
use std::path::Path;

/// The network namespaces whose sockets are read.
#[derive(Debug, Clone, Default)]
pub(crate) enum NetnsScope {
    /// The caller's network namespace, or that of the procfs.
    #[default]
    Own,
    /// The namespaces that have these `net/tcp`, by their inodes.
    Tables(Vec<u64>),
    /// All.
    All,
}

impl NetnsScope {
    /// A process that is asked for and is in no namespace that is read: any of those that the filter
    /// names, or else one if all that match are. `running`: the processes of a followed tree.
    pub(super) fn find_elsewhere(
        &self,
        filter: &ProcessFilter,
        running: &[i32],
        processes: &ProcessFiles,
    ) -> Option<Process> {
        let root = processes.root();
        // The namespace of `--procfs` is that of its process 1.
        let own = if root == Path::new("/proc") { "thread-self" } else { "1" };
        let ours = match self {
            Self::Own => vec![table_at(root, own)?],
            Self::Tables(tables) => tables.clone(),
            Self::All => return None,
        };
        let own_pid = std::fs::read_link(root.join("self")).ok();
        let mut elsewhere = None;
        for pid in processes.pids(SearchScope::Matching(filter), running).ok()? {
            let Some(theirs) = table_of(pid, processes) else { continue };
            let entry = processes.open(pid);
            let fields = ProcessFields::needed_by(filter);
            let Ok(described) = entry.and_then(|entry| processes.read(&entry, fields)) else {
                continue;
            };
            let is_this = own_pid.as_deref() == Some(Path::new(&pid.to_string()));
            if is_this || filter.matches(&described.process) != Match::Yes {
                continue;
            }
            if !ours.contains(&theirs) {
                elsewhere.get_or_insert(described.process);
            } else if filter.pids.is_empty() {
                return None;
            }
        }
        elsewhere
    }
}

/// The inode of the `net/tcp` of a process.
pub(crate) fn table_of(pid: i32, processes: &ProcessFiles) -> Option<u64> {
    table_at(processes.root(), &pid.to_string())
}

/// The inode of the `net/tcp` of the network namespace with this inode, where a process runs in it.
pub(crate) fn table_of_namespace(inode: u64, processes: &ProcessFiles) -> Option<u64> {
    let link = format!("net:[{inode}]");
    let is_in_it = |pid: &i32| {
        let path = processes.root().join(pid.to_string()).join("ns/net");
        std::fs::read_link(path).is_ok_and(|target| target == Path::new(&link))
    };
    table_of(processes.list().ok()?.into_iter().find(is_in_it)?, processes)
}

/// The processes that run in a container with this name or id, as far as that is known.
pub(crate) fn pids_in_container(container: &NamePattern, processes: &ProcessFiles) -> Vec<i32> {
    let containers = vec![container.clone()];
    let filter = WorkloadFilter { containers, ..WorkloadFilter::default() };
    let is_in_it = |pid: &i32| {
        let workload = processes.open(*pid).ok().and_then(|it| processes.workload(&it));
        workload.is_some_and(|workload| filter.matches(Some(&workload)) == Match::Yes)
    };
    processes.list().unwrap_or_default().into_iter().filter(is_in_it).collect()
}

fn table_at(procfs: &Path, process: &str) -> Option<u64> {
    Some(rustix::fs::stat(procfs.join(process).join("net/tcp")).ok()?.st_ino)
}
