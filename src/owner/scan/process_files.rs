//! The processes of one procfs, as its files show them: which there are, what they are called, what they
//! hold.

use super::fd_table::{leads_to, open_dir};
use super::process::{
    Described, ProcessFields, describe, is_kernel_thread, name_of, start_of, status_number,
};
use super::workloads::Workloads;
use crate::filter::ProcessFilter;
use crate::model::process::{Exe, Holder, Process};
use crate::model::workload::Workload;
use crate::owner::SearchScope;
use procfs::process::Process as ProcEntry;
use procfs::{ProcError, ProcResult};
use rustix::fs::{Mode, OFlags, PROC_SUPER_MAGIC, open, statfs};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Started by the kernel in the initial pid namespace, and nowhere else: the kernel's other threads
/// are its children.
const KTHREADD: i32 = 2;
/// The first process.
const INIT: i32 = 1;

/// Reads the processes of one procfs.
#[derive(Debug)]
pub(crate) struct ProcessFiles {
    root: PathBuf,
    /// `root`, open; `None` where it is not a real procfs.
    procfs: Option<File>,
    workloads: Workloads,
}

impl ProcessFiles {
    /// Those of the procfs mounted at `root`.
    pub(crate) fn new(root: &Path) -> Self {
        let is_procfs = statfs(root).is_ok_and(|stat| stat.f_type == PROC_SUPER_MAGIC);
        let procfs = open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        Self {
            root: root.to_owned(),
            procfs: procfs.ok().filter(|_| is_procfs).map(File::from),
            workloads: Workloads::new(root),
        }
    }

    /// Lets a made-up procfs count as a real one.
    #[cfg(test)]
    pub(super) fn pretend_procfs(&mut self) {
        self.procfs = File::open(&self.root).ok();
    }

    /// Where the procfs is mounted.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of all processes, open; `None` where it is not that of a real procfs.
    pub(super) const fn directory(&self) -> Option<&File> {
        self.procfs.as_ref()
    }

    /// From now on a reading is processed that ended at this boot time (µs).
    pub(super) fn start_reading(&self, end: u64) {
        self.workloads.start_reading(end);
    }

    /// Opens the directory of a process, which leads to nothing once the process is gone.
    pub(super) fn open(&self, pid: i32) -> Result<ProcEntry, ProcError> {
        ProcEntry::new_with_root(self.root.join(pid.to_string()))
    }

    /// Reads these fields of a process, see [`describe`].
    ///
    /// # Errors
    /// It is gone.
    pub(super) fn read(&self, entry: &ProcEntry, fields: ProcessFields) -> ProcResult<Described> {
        describe(entry, fields, &self.workloads)
    }

    /// What a process runs in; `None` if it is gone.
    pub(super) fn workload(&self, entry: &ProcEntry) -> Option<Arc<Workload>> {
        self.workloads.of(entry)
    }

    /// A process, as far as it still exists.
    pub(super) fn describe(&self, pid: i32, fields: ProcessFields) -> Process {
        let described = self.open(pid).and_then(|entry| self.read(&entry, fields));
        described.map_or_else(|_| Process::unreadable(pid), |described| described.process)
    }

    /// The process of a system call, as far as it still exists. One that has ended, but is still listed,
    /// has no executable and no command line any more.
    pub(super) fn describe_caller(&self, pid: i32, fields: ProcessFields) -> Process {
        let described = self.open(pid).and_then(|entry| self.read(&entry, fields));
        let Ok(Described { mut process, is_kernel_thread, .. }) = described else {
            return Process::unreadable(pid);
        };
        if process.exe == Exe::None && process.cmdline.is_empty() && !is_kernel_thread {
            process.exe = Exe::Denied;
        }
        process
    }

    /// A process with all that a filter may need, as far as it still exists.
    pub(super) fn describe_fully(&self, pid: i32) -> Process {
        self.describe(pid, ProcessFields::ALL)
    }

    /// Adds to a process what was not needed to find it; one that is gone stays as it is.
    pub(super) fn complete(&self, process: &mut Process) {
        let now = self.describe_fully(process.pid);
        if now.identity() == process.identity() {
            *process = now;
        }
    }

    /// The pids of all processes that are listed.
    ///
    /// # Errors
    /// The list cannot be read.
    pub(super) fn list(&self) -> Result<Vec<i32>, ProcError> {
        let mut pids = Vec::new();
        for entry in std::fs::read_dir(&self.root)? {
            pids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
        }
        Ok(pids)
    }

    /// The pids of the processes in scope, as far as the scope names them: those of a tree are
    /// `running`.
    ///
    /// # Errors
    /// The list of processes cannot be read.
    pub(super) fn pids(
        &self,
        among: SearchScope<'_>,
        running: &[i32],
    ) -> Result<Vec<i32>, ProcError> {
        match among {
            SearchScope::Matching(filter) if !filter.pids.is_empty() => {
                let pids = filter.pids.iter().copied();
                Ok(pids.filter(|pid| self.is_leader(*pid)).collect())
            }
            SearchScope::Matching(ProcessFilter { tree: Some(_), .. }) => Ok(running.to_vec()),
            _ => self.list(),
        }
    }

    /// A thread can be opened like a process, but is not listed as one.
    fn is_leader(&self, pid: i32) -> bool {
        let entry = self.open(pid).ok();
        let tgid = entry.and_then(|entry| status_number(&entry, b"Tgid:"));
        tgid.is_none_or(|tgid| i32::try_from(tgid) == Ok(pid))
    }

    /// Whether all processes are listed: those of other pid namespaces, and those hidden from this
    /// user (`hidepid`). Where a thread of the kernel is listed they are: the initial pid namespace
    /// has the processes of all others, and who may see that thread may see every process, unless a
    /// security module hides some: the first process is looked for, too.
    pub(crate) fn lists_all(&self) -> bool {
        self.open(KTHREADD).is_ok_and(|entry| is_kernel_thread(&entry)) && self.is_shown(INIT)
    }

    /// Whether processes that are asked for may exist and not be listed, unless all are. A filter that
    /// names its processes asks for no others.
    pub(super) fn may_hide(
        &self,
        among: SearchScope<'_>,
        lists_all: impl FnOnce() -> bool,
    ) -> bool {
        let ProcessFilter { pids, tree, .. } = among.filter();
        let are_shown = !pids.is_empty() && pids.iter().all(|pid| self.is_shown(*pid));
        !(tree.is_some() || are_shown || lists_all())
    }

    fn is_shown(&self, pid: i32) -> bool {
        // With `hidepid=2` the directory can be opened.
        self.open(pid).is_ok_and(|entry| start_of(&entry).is_some())
    }

    /// The present name of the holder's process, if its descriptor still leads to the socket.
    pub(super) fn present_name(&self, holder: &Holder, inode: u64) -> Option<Vec<u8>> {
        let entry = self.open(holder.pid).ok()?;
        let table = holder.task.map_or("fd".to_owned(), |task| format!("task/{task}/fd"));
        let dir = open_dir(&entry, &table).ok()?;
        leads_to(&dir, holder.fd, inode).then(|| name_of(&entry, holder.start))?
    }
}
