//! The only reader of `/proc/<pid>`: which processes there are, their names, and which sockets their
//! descriptors lead to.
//!
//! Processes, threads and descriptors vanish while they are read: that is normal and never an
//! error. All files of a process are opened below one open directory, which leads to nothing once
//! the process is gone, never to the next process with its pid.

mod all;
mod children;
mod fd_table;
mod idle;
mod process;
mod search;
pub(crate) mod survey;
mod threads;

use super::table::Found;
use super::{OwnerLookup, SearchScope};
use crate::filter::ProcessFilter;
use crate::model::process::{Caller, Holder, Inodes, Process};
use crate::model::process_tree::ProcessTree;
use fd_table::{leads_to, open_dir};
use idle::{IdleProcess, IdleProcesses};
use log::trace;
use process::{Fields, describe, name_of, status_number};
use procfs::ProcError;
use procfs::process::Process as Entry;
use rustix::fs::{Mode, OFlags, PROC_SUPER_MAGIC, open, statfs};
use rustix::io::Errno;
use search::Search;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use threads::Threads;

/// How often (µs) sockets without a known owner are searched for again: their process may have been
/// started, renamed or handed the descriptor after the first search.
const RETRY_INTERVAL: u64 = 1_000_000;

/// Searches the processes of one procfs for the holders of sockets.
#[derive(Debug)]
pub struct Scan {
    root: PathBuf,
    /// `root`, open; `None` where it is no real procfs.
    procfs: Option<File>,
    /// Some processes are hidden from us (`hidepid`): process 1 must exist, but we cannot see it.
    hidden: bool,
    /// The processes that held sockets in the last scan.
    recent: HashSet<i32>,
    idle: IdleProcesses,
    threads: Threads,
    /// Processes that may not be read, as the last scan of all described them.
    denied: HashMap<(i32, u64), Process>,
    /// The end of the reading that is being processed (boot time, µs).
    reading: u64,
    /// From which reading on sockets without a known owner are searched for again.
    next_retry: u64,
    /// The processes of a command, which grow more while it runs.
    tree: Option<ProcessTree>,
    /// Those of them that run.
    running: Vec<i32>,
}

impl Scan {
    /// Searches the procfs mounted at `root`.
    pub fn new(root: &Path) -> Self {
        let is_procfs = statfs(root).is_ok_and(|stat| stat.f_type == PROC_SUPER_MAGIC);
        let procfs = open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        Self {
            root: root.to_owned(),
            procfs: procfs.ok().filter(|_| is_procfs).map(File::from),
            hidden: is_procfs && !root.join("1").exists(),
            recent: HashSet::new(),
            idle: IdleProcesses::default(),
            threads: Threads::default(),
            denied: HashMap::new(),
            reading: 0,
            next_retry: 0,
            tree: None,
            running: Vec::new(),
        }
    }

    /// Also keeps up to date which processes belong to a tree.
    #[must_use]
    pub(crate) fn following(self, tree: Option<ProcessTree>) -> Self {
        Self { tree, ..self }
    }

    /// Finds the holders of sockets, and the processes that may not be read. Where some of the
    /// wanted sockets stay without a holder, threads with tables of their own are searched, too.
    fn search(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> (Found, Vec<Process>) {
        self.update_tree();
        self.idle.start_scan();
        let mut search = Search::new(among, wanted, self.hidden);
        // A process that held sockets before opens the next ones, and short-lived ones are gone soon.
        let first = std::mem::take(&mut self.recent);
        for pid in &first {
            self.search_process(*pid, &mut search);
        }
        match self.pids(among) {
            Ok(mut pids) => {
                pids.retain(|pid| !first.contains(pid));
                for pid in pids {
                    self.search_process(pid, &mut search);
                }
            }
            Err(error) => search.found.denied += u64::from(is_denied(&error)),
        }
        self.idle.finish_scan();
        let Search { mut found, threaded, denied, unchecked, .. } = search;
        if !threaded.is_empty() && !found.has_all(wanted) {
            self.search_threads(threaded, &mut found);
        }
        // Some of their holders may be missing.
        found.holders.retain(|(inode, _)| !unchecked.contains(inode));
        let pids = found.processes.iter().map(|process| process.pid);
        self.recent = pids.collect();
        (found, denied)
    }

    /// Searches a process, unless what it holds is still known.
    fn search_process(&mut self, pid: i32, search: &mut Search<'_>) {
        // Read before all else, so that whatever it does meanwhile shows the next time.
        let sched_stat = self.idle.sched_stat(self.procfs.as_ref(), pid);
        if let Some(idle) = self.idle.get(pid, sched_stat)
            && search.reuse(idle, self.procfs.as_ref())
        {
            return;
        }
        match self.open_process(pid).and_then(|entry| search.read_process(&entry)) {
            Ok(None) => {}
            Ok(Some((process, fds))) => {
                if let Some(sched_stat) = sched_stat {
                    let fields = search.fields;
                    self.idle.remember(IdleProcess { sched_stat, fields, process, fds });
                }
            }
            // It may not be read, or is gone.
            Err(error) => {
                trace!("process {pid}: {error}");
                search.found.denied += u64::from(is_denied(&error));
            }
        }
    }

    /// A process, as far as it still exists.
    fn describe(&self, pid: i32, fields: Fields) -> Process {
        match self.open_process(pid) {
            Ok(entry) => describe(&entry, fields).process,
            Err(_) => Process::unknown(pid),
        }
    }

    /// The processes to search.
    fn pids(&self, among: SearchScope<'_>) -> Result<Vec<i32>, ProcError> {
        match among {
            SearchScope::Matching(filter) if !filter.pids.is_empty() => {
                let pids = filter.pids.iter().copied();
                Ok(pids.filter(|pid| self.is_leader(*pid)).collect())
            }
            SearchScope::Matching(ProcessFilter { tree: Some(_), .. }) => Ok(self.running.clone()),
            _ => {
                let names = std::fs::read_dir(&self.root)?.flatten();
                Ok(names.filter_map(|name| name.file_name().to_str()?.parse().ok()).collect())
            }
        }
    }

    /// A thread can be opened like a process, but is not listed as one.
    fn is_leader(&self, pid: i32) -> bool {
        let entry = self.open_process(pid).ok();
        let tgid = entry.and_then(|entry| status_number(&entry, b"Tgid:"));
        tgid.is_none_or(|tgid| i32::try_from(tgid) == Ok(pid))
    }

    /// See [`OwnerLookup::still_holds`].
    fn present_name(&self, holder: &Holder, inode: u64) -> Option<Vec<u8>> {
        let entry = self.open_process(holder.pid).ok()?;
        let table = holder.task.map_or("fd".to_owned(), |task| format!("task/{task}/fd"));
        let dir = open_dir(&entry, &table).ok()?;
        leads_to(&dir, holder.fd, inode).then(|| name_of(&entry, holder.start))?
    }

    fn open_process(&self, pid: i32) -> Result<Entry, ProcError> {
        Entry::new_with_root(self.root.join(pid.to_string()))
    }
}

impl OwnerLookup for Scan {
    fn start_reading(&mut self, end: u64) {
        self.reading = end;
    }

    fn retries_now(&mut self) -> bool {
        let is_due = self.reading >= self.next_retry;
        if is_due {
            self.next_retry = self.reading.saturating_add(RETRY_INTERVAL);
        }
        is_due
    }

    fn find(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> Found {
        self.search(among, wanted).0
    }

    fn still_holds(&mut self, holder: &Holder, inode: u64) -> Option<Vec<u8>> {
        self.present_name(holder, inode)
    }

    fn describe_caller(&mut self, caller: &Caller, filter: &ProcessFilter) -> Process {
        let process = self.describe(caller.pid, Fields::needed_by(filter));
        match &self.tree {
            // It may have ended since, but the kernel knew its parents.
            Some(tree) if caller.is_descendant => tree.add(process.identity()),
            _ => self.add_to_tree(&process),
        }
        process.named(caller)
    }
}

/// Whether a process may not be read. Where our own limits are reached nothing is known of it,
/// either.
fn is_denied(error: &ProcError) -> bool {
    match error {
        ProcError::PermissionDenied(_) => true,
        ProcError::Io(error, _) => {
            let limits = [Errno::PERM, Errno::ACCESS, Errno::MFILE, Errno::NFILE, Errno::NOMEM];
            Errno::from_io_error(error).is_some_and(|errno| limits.contains(&errno))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
