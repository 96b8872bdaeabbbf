//! Threads with descriptor tables of their own, which their process does not show.

use super::fd_table::{FdTable, open_dir, read_table};
use super::is_denied;
use super::process::read_start;
use super::search::Search;
use crate::filter::Match;
use crate::model::process::Process;
use crate::owner::SearchScope;
use procfs::process::Process as ProcEntry;
use procfs::{ProcError, ProcResult};
use rustix::fs::Dir;
use rustix::io::Errno;
use std::collections::HashSet;

/// How often (µs) all threads are searched: there may be thousands, and hardly any has a table of
/// its own.
const SEARCH_INTERVAL: u64 = 1_000_000;
/// So many descriptors are read, in a tenth of a second or two, in tables that look like that of their process.
/// Hundreds of threads in a process with thousands of descriptors are no rarity.
const MOST_READ: usize = 20_000;

/// When threads are searched.
#[derive(Debug)]
pub(super) struct Threads {
    /// See [`MOST_READ`].
    pub(super) most_read: usize,
    /// The boot time (µs) from which on all are searched again.
    due: u64,
    /// They were those of all processes, not only of such as a filter asks for.
    of_all: bool,
    /// The processes that were found with more than one table.
    with_tables: HashSet<(i32, u64)>,
}

impl Default for Threads {
    fn default() -> Self {
        Self { most_read: MOST_READ, due: 0, of_all: false, with_tables: HashSet::new() }
    }
}

impl Threads {
    /// Searches the threads of the processes that a search has come upon and that have some, since some
    /// sockets were not found elsewhere: now and then all of them, so that a socket may be found that
    /// much later, and each time those with tables of their own. `now` is a boot time (µs).
    pub(super) fn search(&mut self, search: &mut Search<'_>, now: u64) {
        if now >= self.due || is_of_all(search) && !self.of_all {
            self.search_all(search, now);
        } else {
            self.search_found(false, search);
        }
    }

    /// Searches all threads of the processes that a search has come upon, at this boot time (µs).
    pub(super) fn search_all(&mut self, search: &mut Search<'_>, now: u64) {
        self.due = now + SEARCH_INTERVAL;
        self.of_all = is_of_all(search);
        self.with_tables.clear();
        self.search_found(true, search);
    }

    /// Searches the threads of the processes that a search has come upon: `all`, or those with tables
    /// of their own.
    pub(super) fn search_found(&mut self, all: bool, search: &mut Search<'_>) {
        let is_needed = search.for_certain && !search.has_all();
        let mut left = is_needed.then_some(self.most_read);
        let mut threaded = std::mem::take(&mut search.threaded);
        if is_needed {
            // What those hold that may match decides.
            let filter = search.among.filter();
            threaded.sort_by_key(|(process, _)| filter.matches(process) == Match::No);
        }
        for (process, table) in threaded {
            let identity = process.identity();
            if !all && !self.with_tables.contains(&identity) {
                continue;
            }
            match search_threads_of(&process, table, &mut left, search) {
                Ok(false) => {}
                Ok(true) => drop(self.with_tables.insert(identity)),
                Err(error) => note_denied(&error, &process, search),
            }
        }
    }
}

const fn is_of_all(search: &Search<'_>) -> bool {
    matches!(search.among, SearchScope::All(_))
}

/// Returns whether there is any table besides the leader's, as far as that shows. Tables that look like the
/// leader's are taken for it, or where so many descriptors are `left` to be read, are read.
///
/// # Errors
/// The process is gone, or its threads cannot be listed.
fn search_threads_of(
    process: &Process,
    leader: FdTable,
    left: &mut Option<usize>,
    search: &mut Search<'_>,
) -> ProcResult<bool> {
    let entry = search.processes.open(process.pid)?;
    if read_start(&entry)? != Some(process.start) {
        return Ok(false);
    }
    // Nearly all threads share one table: that of the leader, or if it has ended the first one's.
    let mut shared = Some(leader).filter(|leader| leader.len() > 0);
    let (mut known, mut has_others, mut is_unread) = (HashSet::new(), false, false);
    for tid in threads_of(&entry)?.into_iter().filter(|tid| *tid != process.pid) {
        let dir = match open_dir(&entry, &format!("task/{tid}/fd")) {
            Ok(dir) => dir,
            Err(error) => {
                note_denied(&error, process, search);
                continue;
            }
        };
        if let Some(like) = shared.as_ref().filter(|shared| shared.is(&dir)) {
            let Some(left) = left else { continue };
            let Some(rest) = left.checked_sub(like.len()) else {
                is_unread = true;
                continue;
            };
            *left = rest;
        } else {
            has_others = true;
        }
        let mut sockets = Vec::new();
        let (table, extent) = read_table(&dir, |inode, fd| sockets.push((inode, fd)));
        shared.get_or_insert(table);
        // What several threads have counts once.
        sockets.retain(|socket| known.insert(*socket));
        search.add_table(process, Some(tid), &sockets, extent);
    }
    if is_unread {
        search.found.unread.push(process.clone());
    }
    Ok(has_others)
}

/// The threads of a process. `ProcEntry::tasks` leaves out those that it cannot open.
fn threads_of(entry: &ProcEntry) -> ProcResult<Vec<i32>> {
    let error = |errno: Errno| ProcError::Io(errno.into(), None);
    let mut threads = Vec::new();
    for name in Dir::new(open_dir(entry, "task")?).map_err(error)? {
        let name = name.map_err(error)?;
        threads.extend(name.file_name().to_str().ok().and_then(|tid| tid.parse::<i32>().ok()));
    }
    Ok(threads)
}

/// Takes in an error of a process or thread that may be there.
fn note_denied(error: &ProcError, process: &Process, search: &mut Search<'_>) {
    if is_denied(error) {
        search.add_denied(process);
    }
}
