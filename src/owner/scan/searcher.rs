//! Searches through procfs, one process after the other, and what is remembered from one search to the
//! next so that it costs less.

use super::idle::{IdleProcess, IdleProcesses};
use super::is_denied;
use super::search::Search;
use super::threads::Threads;
use crate::model::process::CommandLines;
use crate::owner::table::SearchResult;
use log::trace;
use std::collections::HashSet;

/// How often the list of processes is read again in a search that has to be certain, as long as it
/// shows new ones.
const LISTINGS: usize = 8;

/// Searches processes in procfs.
#[derive(Debug, Default)]
pub(super) struct Searcher {
    /// The processes that held sockets in the last search.
    recent: HashSet<i32>,
    idle: IdleProcesses,
    pub(super) threads: Threads,
    commands: CommandLines,
}

/// What one list of processes came to.
#[derive(Default)]
struct Listing {
    /// Processes on it that had not been searched before.
    searched: usize,
    /// Of these, such as were gone before they could be read.
    gone: usize,
}

impl Searcher {
    /// Searches the processes in scope, at this boot time (µs). Where some of the wanted sockets stay
    /// without a holder, threads with tables of their own are searched, too.
    pub(super) fn search(&mut self, mut search: Search<'_>, now: u64) -> SearchResult {
        self.idle.start_scan();
        // A process that held sockets before opens the next ones, and short-lived ones are gone soon.
        let mut searched = std::mem::take(&mut self.recent);
        for pid in &searched {
            self.search_process(*pid, &mut search);
        }
        self.search_others(&mut searched, &mut search);
        if !search.has_all() {
            self.threads.search(&mut search, now);
        }
        self.finish(search)
    }

    /// Searches every process in scope and every thread of them, also those that come meanwhile.
    pub(super) fn search_wholly(&mut self, mut search: Search<'_>, now: u64) -> SearchResult {
        self.idle.start_scan();
        let mut searched = HashSet::new();
        let mut all_read = false;
        for _ in 0..LISTINGS {
            let is_first = searched.is_empty();
            let listing = self.search_others(&mut searched, &mut search);
            all_read = listing.gone == 0;
            if listing.searched == 0 || search.has_all() && !is_first {
                break;
            }
        }
        self.threads.search_all(&mut search, now);
        search.found.hidden |= !all_read;
        self.finish(search)
    }

    /// Searches these processes alone.
    pub(super) fn search_some(&mut self, pids: &[i32], mut search: Search<'_>) -> SearchResult {
        for pid in pids {
            self.search_process(*pid, &mut search);
        }
        if !search.has_all() {
            // They are few, and this is no search of all.
            self.threads.search_found(true, &mut search);
        }
        search.found
    }

    /// Searches the processes that are listed now and have not been searched.
    fn search_others(&mut self, searched: &mut HashSet<i32>, search: &mut Search<'_>) -> Listing {
        let mut listing = Listing::default();
        match search.pids() {
            Ok(pids) => {
                for pid in pids {
                    if searched.insert(pid) {
                        listing.searched += 1;
                        if !self.search_process(pid, search) {
                            listing.gone += 1;
                            // If it is listed again, it is there and cannot be read.
                            searched.remove(&pid);
                        }
                    }
                }
            }
            Err(_) => search.found.hidden = true,
        }
        listing
    }

    /// Searches a process, unless what it holds is still known; false if it is gone.
    fn search_process(&mut self, pid: i32, search: &mut Search<'_>) -> bool {
        // Read before all else, so that whatever it does meanwhile shows the next time.
        let sched_stat = self.idle.sched_stat(search.processes.directory(), pid);
        if let Some(idle) = self.idle.get(pid, sched_stat)
            && search.reuse(idle)
        {
            return true;
        }
        let entry = search.processes.open(pid);
        match entry.and_then(|entry| search.read_process(&entry, &mut self.commands)) {
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

    fn finish(&mut self, search: Search<'_>) -> SearchResult {
        self.idle.finish_scan();
        let Search { processes, among, mut found, unchecked, .. } = search;
        // Some of their holders may be missing.
        found.holders.retain(|(inode, _)| !unchecked.contains(inode));
        self.recent = found.processes.iter().map(|process| process.pid).collect();
        found.hidden |= processes.may_hide(among, || processes.lists_all());
        found
    }
}
