//! The only reader of `/proc/<pid>`: which processes there are, their names, and which sockets their
//! descriptors lead to.
//!
//! Processes, threads and descriptors vanish while they are read: that is normal and never an
//! error. All files of a process are opened below one open directory, which leads to nothing once
//! the process is gone, never to the next process with its pid.

mod all;
mod children;
mod entry_file;
mod fd_table;
mod idle;
#[cfg(feature = "bpf")]
mod iterator;
mod process;
#[cfg(feature = "bpf")]
mod record;
mod search;
mod some;
pub(crate) mod survey;
mod threads;
#[cfg(feature = "bpf")]
mod walk;
#[cfg(not(feature = "bpf"))]
#[path = "no_walk.rs"]
mod walk;
pub(crate) mod whereabouts;
mod workloads;

use super::event_search::EventSearch;
use super::table::SearchResult;
use super::{OwnerLookup, SearchScope};
use crate::filter::ProcessFilter;
use crate::model::process::{Caller, CommandLines, Holder, Inodes, Process};
use crate::model::process_tree::ProcessTree;
use crate::privileges::{Remedy, to_inspect_processes};
use fd_table::{leads_to, open_dir};
use idle::{IdleProcess, IdleProcesses};
use log::trace;
use process::{ProcessFields, describe, is_kernel_thread, name_of, start_of, status_number};
use procfs::ProcError;
use procfs::process::Process as ProcEntry;
use rustix::fs::{Mode, OFlags, PROC_SUPER_MAGIC, open, statfs};
use rustix::io::Errno;
use search::Search;
use some::Budget;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use threads::Threads;
#[cfg(feature = "bpf")]
use walk::Walker;
use whereabouts::NetnsScope;
use workloads::Workloads;

/// How often (µs) sockets without a known owner are searched for again: their process may have been
/// started, renamed or handed the descriptor after the first search.
const RETRY_INTERVAL: u64 = 1_000_000;
/// How often the list of processes is read again in a search that has to be certain, as long as it
/// shows new ones.
const LISTINGS: usize = 8;
/// Started by the kernel in the initial pid namespace, and nowhere else: the kernel's other threads
/// are its children.
const KTHREADD: i32 = 2;

/// Searches the processes of one procfs for the holders of sockets.
#[derive(Debug)]
pub struct Scan {
    root: PathBuf,
    /// `root`, open; `None` where it is not a real procfs.
    procfs: Option<File>,
    /// The processes that held sockets in the last scan.
    recent: HashSet<i32>,
    idle: IdleProcesses,
    threads: Threads,
    commands: CommandLines,
    workloads: Workloads,
    /// The network namespaces whose sockets are read.
    netns: NetnsScope,
    /// Processes that permission is denied to inspect, as the last scan of all described them.
    denied: HashMap<(i32, u64), Process>,
    /// The end of the reading that is being processed (boot time, µs).
    reading: u64,
    /// For searches of a few processes, and of all.
    budgets: [Budget; 2],
    #[cfg(feature = "bpf")]
    walker: Walker,
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
            recent: HashSet::new(),
            idle: IdleProcesses::default(),
            threads: Threads::default(),
            commands: CommandLines::default(),
            workloads: Workloads::new(root),
            netns: NetnsScope::default(),
            denied: HashMap::new(),
            reading: 0,
            budgets: Default::default(),
            #[cfg(feature = "bpf")]
            walker: Walker::default(),
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

    /// Finds the holders of sockets. Where some of the wanted sockets stay without a holder, threads
    /// with tables of their own are searched, too.
    fn search(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult {
        self.update_tree();
        if let Some(found) = self.search_by_walk(among, wanted) {
            return found;
        }
        self.idle.start_scan();
        let mut search = Search::new(among, wanted);
        // A process that held sockets before opens the next ones, and short-lived ones are gone soon.
        let mut searched = std::mem::take(&mut self.recent);
        for pid in &searched {
            self.search_process(*pid, &mut search);
        }
        self.search_others(among, &mut searched, &mut search);
        if !search.has_all() {
            self.search_threads(&mut search);
        }
        self.finish(search)
    }

    /// See [`OwnerLookup::find_for_certain`]. While processes are searched, descriptors are passed
    /// on, and processes come and go. A process that passes its descriptors to a new one and goes is
    /// caught by the next list of processes; from one that was not searched yet to one that was,
    /// by another search.
    fn search_for_certain(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult {
        let mut found = self.search_wholly(among, wanted);
        if !found.has_all(wanted) {
            let again = self.search_wholly(among, wanted);
            let known: HashSet<_> = found.processes.iter().map(Process::identity).collect();
            let is_new = |process: &Process| !known.contains(&process.identity());
            found.processes.extend(again.processes.into_iter().filter(is_new));
            found.holders.extend(again.holders);
            (found.denied, found.hidden) = (again.denied, again.hidden);
        }
        found
    }

    fn search_wholly(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult {
        self.update_tree();
        if let Some(found) = self.search_by_walk(among, wanted) {
            return found;
        }
        self.idle.start_scan();
        let (mut search, mut searched) = (Search::new(among, wanted), HashSet::new());
        let mut all_read = false;
        for _ in 0..LISTINGS {
            let is_first = searched.is_empty();
            let listing = self.search_others(among, &mut searched, &mut search);
            all_read = listing.gone == 0;
            if listing.searched == 0 || search.has_all() && !is_first {
                break;
            }
        }
        self.threads.search_all();
        self.search_threads(&mut search);
        search.found.hidden |= !all_read;
        self.finish(search)
    }

    /// Searches the processes that are listed now and have not been searched.
    fn search_others(
        &mut self,
        among: SearchScope<'_>,
        searched: &mut HashSet<i32>,
        search: &mut Search<'_>,
    ) -> Listing {
        let mut listing = Listing::default();
        match self.pids(among) {
            Ok(pids) => {
                for pid in pids {
                    if searched.insert(pid) {
                        listing.searched += 1;
                        listing.gone += usize::from(!self.search_process(pid, search));
                    }
                }
            }
            Err(_) => search.found.hidden = true,
        }
        listing
    }

    fn finish(&mut self, search: Search<'_>) -> SearchResult {
        self.idle.finish_scan();
        let Search { among, mut found, unchecked, .. } = search;
        // Some of their holders may be missing.
        found.holders.retain(|(inode, _)| !unchecked.contains(inode));
        self.recent = found.processes.iter().map(|process| process.pid).collect();
        found.hidden |= self.may_hide(among, || self.lists_all());
        found
    }

    /// Whether all processes are listed: those of other pid namespaces, and those hidden from this
    /// user (`hidepid`). Where a thread of the kernel is listed they are: the initial pid namespace
    /// has the processes of all others, and who may see that thread may see every process.
    pub(crate) fn lists_all(&self) -> bool {
        self.open_process(KTHREADD).is_ok_and(|entry| is_kernel_thread(&entry))
    }

    /// Whether processes that are asked for may exist and not be listed, unless all are. A filter that
    /// names its processes asks for no others.
    fn may_hide(&self, among: SearchScope<'_>, is_whole: impl FnOnce() -> bool) -> bool {
        let ProcessFilter { pids, tree, .. } = among.filter();
        let is_shown = |pid: &i32| {
            // With `hidepid=2` the directory can be opened.
            self.open_process(*pid).is_ok_and(|entry| start_of(&entry).is_some())
        };
        let are_shown = !pids.is_empty() && pids.iter().all(is_shown);
        !(tree.is_some() || are_shown || is_whole())
    }

    /// Searches a process, unless what it holds is still known; false if it is gone.
    fn search_process(&mut self, pid: i32, search: &mut Search<'_>) -> bool {
        // Read before all else, so that whatever it does meanwhile shows the next time.
        let sched_stat = self.idle.sched_stat(self.procfs.as_ref(), pid);
        if let Some(idle) = self.idle.get(pid, sched_stat)
            && search.reuse(idle, self.procfs.as_ref())
        {
            return true;
        }
        let entry = self.open_process(pid);
        match entry
            .and_then(|entry| search.read_process(&entry, &mut self.commands, &self.workloads))
        {
            Ok(None) => true,
            Ok(Some((process, fds))) => {
                if let Some(sched_stat) = sched_stat {
                    let fields = search.fields;
                    self.idle.remember(IdleProcess { sched_stat, fields, process, fds });
                }
                true
            }
            Err(error) => {
                trace!("process {pid}: {error}");
                let is_denied = is_denied(&error);
                search.found.hidden |= is_denied;
                is_denied
            }
        }
    }

    /// A process, as far as it still exists.
    fn describe(&self, pid: i32, fields: ProcessFields) -> Process {
        match self.open_process(pid) {
            Ok(entry) => {
                describe(&entry, fields, &self.workloads).map(|described| described.process)
            }
            Err(error) => Err(error),
        }
        .unwrap_or_else(|_| Process::unknown(pid))
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

    fn open_process(&self, pid: i32) -> Result<ProcEntry, ProcError> {
        ProcEntry::new_with_root(self.root.join(pid.to_string()))
    }
}

impl OwnerLookup for Scan {
    fn start_reading(&mut self, end: u64) {
        self.reading = end;
        self.workloads.start_reading(end);
    }

    fn take_due_retry(&mut self) -> bool {
        let is_due = self.reading >= self.next_retry;
        if is_due {
            self.next_retry = self.reading.saturating_add(RETRY_INTERVAL);
        }
        is_due
    }

    fn find(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult {
        self.search(among, wanted)
    }

    fn find_for_certain(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult {
        self.search_for_certain(among, wanted)
    }

    fn find_now(&mut self, search: &EventSearch, filter: &ProcessFilter) -> Option<SearchResult> {
        self.search_some(search, filter)
    }

    fn warning(&mut self) -> Option<String> {
        self.take_refusal()
    }

    fn elsewhere(&mut self, filter: &ProcessFilter) -> Option<Process> {
        self.find_elsewhere(filter)
    }

    fn remedy(&self) -> Remedy {
        to_inspect_processes(self.lists_all())
    }

    fn still_holds(&mut self, holder: &Holder, inode: u64) -> Option<Vec<u8>> {
        self.present_name(holder, inode)
    }

    fn describe_caller(&mut self, caller: &Caller, filter: &ProcessFilter) -> Process {
        let process = self.describe(caller.pid, ProcessFields::needed_by(filter));
        match &self.tree {
            // It may have ended since, but the kernel knew its parents.
            Some(tree) if caller.is_descendant => tree.add(process.identity()),
            _ => self.add_to_tree(&process),
        }
        process.named(caller)
    }
}

/// Whether permission to inspect a process is denied. Where our own limits are reached nothing is known of it,
/// either.
fn is_denied(error: &ProcError) -> bool {
    match error {
        ProcError::PermissionDenied(_) => true,
        ProcError::Io(error, _) => Errno::from_io_error(error).is_some_and(is_denied_errno),
        _ => false,
    }
}

fn is_denied_errno(errno: Errno) -> bool {
    [Errno::PERM, Errno::ACCESS, Errno::MFILE, Errno::NFILE, Errno::NOMEM].contains(&errno)
}

/// What one list of processes came to.
#[derive(Default)]
struct Listing {
    /// Processes on it that had not been searched before.
    searched: usize,
    /// Of these, such as were gone before they could be read.
    gone: usize,
}

#[cfg(test)]
mod tests;
