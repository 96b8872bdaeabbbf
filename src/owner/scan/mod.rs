//! The only reader of `/proc/<pid>`: which processes there are, their names, and which sockets their
//! descriptors lead to.
//!
//! `process_files` reads single processes, `searcher` goes through all of them and remembers what makes
//! the next search cheaper, `walk` has a BPF program find the descriptors instead.
//!
//! Processes, threads and descriptors vanish while they are read: that is normal and never an
//! error. All files of a process are opened below one open directory, which leads to nothing once
//! the process is gone, never to the next process with its pid.

mod budget;
mod children;
mod denied;
mod entry_file;
mod fd_table;
mod idle;
#[cfg(feature = "bpf")]
mod iterator;
pub(crate) mod netns;
pub(crate) mod pids;
mod process;
pub(crate) mod process_files;
#[cfg(feature = "bpf")]
mod record;
mod search;
mod searcher;
pub(crate) mod survey;
mod threads;
#[cfg(feature = "bpf")]
mod walk;
#[cfg(not(feature = "bpf"))]
#[path = "no_walk.rs"]
mod walk;
mod workloads;

use super::event_search::EventSearch;
use super::table::SearchResult;
use super::{OwnerLookup, OwnersBy, SearchScope};
use crate::error::BpfError;
use crate::filter::ProcessFilter;
use crate::model::process::{Caller, Holder, Inodes, Process};
use crate::model::process_tree::ProcessTree;
use crate::privileges::{Remedy, to_inspect_processes};
use budget::Budgets;
use children::CommandTree;
use denied::DeniedProcesses;
use netns::NetnsScope;
use pids::WrongPid;
use process::ProcessFields;
use process_files::ProcessFiles;
use procfs::ProcError;
use rustix::io::Errno;
use search::Search;
use searcher::Searcher;
use std::collections::HashSet;
use std::path::Path;
use walk::Walker;

/// How often (µs) sockets without a known owner are searched for again: their process may have been
/// started, renamed or handed the descriptor after the first search.
const RETRY_INTERVAL: u64 = 1_000_000;

/// Searches the processes of one procfs for the holders of sockets.
#[derive(Debug)]
pub struct Scan {
    processes: ProcessFiles,
    /// The processes of a command that is followed.
    tree: Option<CommandTree>,
    searcher: Searcher,
    walker: Walker,
    budgets: Budgets,
    denied: DeniedProcesses,
    /// The network namespaces whose sockets are read.
    netns: NetnsScope,
    /// The end of the reading that is being processed (boot time, µs).
    reading: u64,
    /// From which reading on sockets without a known owner are searched for again.
    next_retry: u64,
}

impl Scan {
    /// Searches the procfs mounted at `root`.
    pub fn new(root: &Path) -> Self {
        Self {
            processes: ProcessFiles::new(root),
            tree: None,
            searcher: Searcher::default(),
            walker: Walker::default(),
            budgets: Budgets::default(),
            denied: DeniedProcesses::default(),
            netns: NetnsScope::default(),
            reading: 0,
            next_retry: 0,
        }
    }

    /// Also keeps up to date which processes belong to a tree.
    #[must_use]
    pub(crate) fn following(self, tree: Option<ProcessTree>) -> Self {
        Self { tree: tree.map(CommandTree::new), ..self }
    }

    /// Finds descriptors in this way.
    ///
    /// # Errors
    /// BPF is asked for and cannot be used.
    pub(crate) fn by(self, by: OwnersBy) -> Result<Self, BpfError> {
        Ok(Self { walker: Walker::new(by, &self.processes)?, ..self })
    }

    /// The sockets of these namespaces are read.
    #[must_use]
    pub(crate) fn of_namespaces(self, netns: NetnsScope) -> Self {
        Self { netns, ..self }
    }

    /// The processes that are searched.
    pub(crate) const fn processes(&self) -> &ProcessFiles {
        &self.processes
    }

    /// Checks that the pids of a filter are those of processes, as far as that can be seen. Returns
    /// those that are not, if others are.
    ///
    /// # Errors
    /// None is, or one is that of a thread.
    pub(crate) fn check_pids(&self, filter: &ProcessFilter) -> Result<Vec<i32>, WrongPid> {
        match pids::check(filter, &self.processes) {
            // They may be hidden, and found even so.
            Err(WrongPid::Missing(_))
                if self.walker.finds_hidden() && !self.processes.lists_all() =>
            {
                Ok(filter.pids.clone())
            }
            checked => checked,
        }
    }

    /// Finds the holders of sockets. `for_certain`: see [`OwnerLookup::find_for_certain`].
    fn search_once(
        &mut self,
        for_certain: bool,
        among: SearchScope<'_>,
        wanted: &Inodes,
    ) -> SearchResult {
        if let Some(tree) = &mut self.tree {
            tree.update(&self.processes);
        }
        let running = running(self.tree.as_ref());
        let mut search = Search::new(&self.processes, running, among, wanted);
        search.for_certain = for_certain;
        match self.walker.search(&mut search) {
            Some(found) => found,
            None if for_certain => self.searcher.search_wholly(search, self.reading),
            None => self.searcher.search(search, self.reading),
        }
    }

    fn search(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult {
        self.search_once(false, among, wanted)
    }

    /// See [`OwnerLookup::find_for_certain`]. While processes are searched, descriptors are passed
    /// on, and processes come and go. A process that passes its descriptors to a new one and goes is
    /// caught by the next list of processes; from one that was not searched yet to one that was,
    /// by another search.
    fn search_for_certain(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult {
        let mut found = self.search_once(true, among, wanted);
        if !found.has_all(wanted) {
            let again = self.search_once(true, among, wanted);
            let known: HashSet<_> = found.processes.iter().map(Process::identity).collect();
            let is_new = |process: &Process| !known.contains(&process.identity());
            found.processes.extend(again.processes.into_iter().filter(is_new));
            found.holders.extend(again.holders);
            (found.denied, found.hidden) = (again.denied, again.hidden);
            found.unread = again.unread;
        }
        found
    }

    /// See [`OwnerLookup::find_now`].
    fn search_for_event(
        &mut self,
        search: &EventSearch,
        filter: &ProcessFilter,
    ) -> Option<SearchResult> {
        let start = self.budgets.of(search).start()?;
        let (among, wanted) = (SearchScope::All(filter), search.wanted());
        let found = match &search.pids {
            None => self.search(among, &wanted),
            Some(pids) => {
                let running = running(self.tree.as_ref());
                let search = Search::new(&self.processes, running, among, &wanted);
                let mut found = self.searcher.search_some(pids, search);
                found.holders.retain(|(inode, _)| wanted.contains(inode));
                found
            }
        };
        self.budgets.of(search).spend(start.elapsed());
        Some(found)
    }

    /// Finds all holders of these sockets, and describes their processes, and those that permission is
    /// denied to inspect, with all that a filter may need: a replay may ask for any of them.
    fn search_for_recording(&mut self, wanted: &Inodes) -> SearchResult {
        let mut found = self.search(SearchScope::All(&ProcessFilter::default()), wanted);
        found.holders.retain(|(inode, _)| wanted.contains(inode));
        let holding: HashSet<_> =
            found.holders.iter().map(|(_, holder)| Holder::process(holder)).collect();
        found.processes.retain(|process| holding.contains(&process.identity()));
        for process in &mut found.processes {
            self.processes.complete(process);
        }
        self.denied.describe(&mut found.denied, &self.processes);
        found
    }
}

/// The processes of a followed tree that run.
fn running(tree: Option<&CommandTree>) -> &[i32] {
    tree.map_or(&[], CommandTree::running)
}

impl OwnerLookup for Scan {
    fn start_reading(&mut self, end: u64) {
        self.reading = end;
        self.processes.start_reading(end);
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
        self.search_for_event(search, filter)
    }

    fn warning(&mut self) -> Option<String> {
        self.walker.take_refusal()
    }

    fn elsewhere(&mut self, filter: &ProcessFilter) -> Option<Process> {
        self.netns.find_elsewhere(filter, running(self.tree.as_ref()), &self.processes)
    }

    fn remedy(&self) -> Remedy {
        to_inspect_processes(self.processes.lists_all())
    }

    fn still_holds(&mut self, holder: &Holder, inode: u64) -> Option<Vec<u8>> {
        self.processes.present_name(holder, inode)
    }

    fn describe_caller(&mut self, caller: &Caller, filter: &ProcessFilter) -> Process {
        let process = self.processes.describe_caller(caller.pid, ProcessFields::needed_by(filter));
        if let Some(tree) = &self.tree {
            // It may have ended since, but the kernel knew its parents.
            tree.add(&process, caller.is_descendant, &self.processes);
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

#[cfg(test)]
mod tests;
