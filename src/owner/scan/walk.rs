//! A search by the BPF iterator: it shows the descriptors of all processes, also of those that procfs
//! hides or that need permission there. What a process is called is still read from procfs.

use super::fd_table::{Extent, is_ring, open_dir, ring_sockets};
use super::iterator::{Descriptors, Iterator};
use super::process_files::ProcessFiles;
use super::record::{SocketDescriptor, Target};
use super::search::Search;
use crate::bpf;
use crate::error::BpfError;
use crate::filter::{Match, ProcessFilter};
use crate::model::process::Process;
use crate::owner::table::SearchResult;
use crate::owner::{OwnersBy, SearchScope};
use crate::privileges::in_time_namespace;
use std::path::Path;

/// With so many open files it is worth 50 ms of CPU time to load the iterator.
const MANY_FILES: u64 = 20_000;

/// Whether descriptors are found by the iterator.
#[derive(Debug, Default)]
pub(super) struct Walker {
    by: OwnersBy,
    /// Once it is loaded.
    iterator: Option<Iterator>,
    /// Why it is not used though it would pay.
    refusal: Option<BpfError>,
}

impl Walker {
    /// Finds descriptors in the way that is asked for.
    ///
    /// # Errors
    /// The iterator is asked for and cannot be used.
    pub(super) fn new(by: OwnersBy, processes: &ProcessFiles) -> Result<Self, BpfError> {
        let iterator = if by == OwnersBy::Bpf { Some(load_iterator(processes)?) } else { None };
        Ok(Self { by, iterator, refusal: None })
    }

    /// Whether it finds processes that procfs hides.
    pub(super) const fn finds_hidden(&self) -> bool {
        self.iterator.is_some()
    }

    /// Why the iterator is not used though it would pay; once.
    pub(super) fn take_refusal(&mut self) -> Option<String> {
        let why = self.refusal.take()?;
        Some(format!("using --owners proc: {why}"))
    }

    /// Searches by the iterator; `None` where that is to be done by procfs.
    pub(super) fn search(&mut self, search: &mut Search<'_>) -> Option<SearchResult> {
        let processes = search.processes;
        let pays = || !asks_for_few(search.among) && has_many_files(processes.root());
        match self.by {
            OwnersBy::Proc => return None,
            OwnersBy::Auto if !pays() => return None,
            OwnersBy::Auto | OwnersBy::Bpf => {}
        }
        if self.iterator.is_none() {
            match load_iterator(processes) {
                Ok(iterator) => self.iterator = Some(iterator),
                Err(why) => *self = Self { refusal: Some(why), ..Self::default() },
            }
        }
        match self.iterator.as_mut()?.walk(search.wanted()) {
            Ok(descriptors) => Some(found_in(descriptors, search)),
            Err(error) => {
                log::debug!("the BPF iterator: {error}");
                None
            }
        }
    }
}

/// It walks through the caller's pid namespace alone, so procfs has to show that one.
fn load_iterator(processes: &ProcessFiles) -> Result<Iterator, BpfError> {
    bpf::pid_namespace(processes.root())?;
    Iterator::load()
}

/// How many files are open on this machine: there are hardly fewer descriptors.
fn has_many_files(procfs: &Path) -> bool {
    let text = std::fs::read_to_string(procfs.join("sys/fs/file-nr")).unwrap_or_default();
    let count = text.split_whitespace().next().and_then(|count| count.parse().ok());
    count.is_some_and(|count: u64| count > MANY_FILES)
}

/// What the iterator has shown of the processes that are searched.
fn found_in(descriptors: Descriptors, search: &mut Search<'_>) -> SearchResult {
    let Descriptors { all: mut descriptors, has_all } = descriptors;
    descriptors.sort_by_key(|found| (found.pid, found.tid != found.pid, found.tid));
    let mut of_threads = Vec::new();
    for of_process in descriptors.chunk_by(|one, next| one.pid == next.pid) {
        let process = holder(&of_process[0], search);
        if search.among.includes(&process) == Match::No {
            continue;
        }
        let mut tables = Vec::new();
        for table in of_process.chunk_by(|one, next| one.tid == next.tid) {
            // Threads share one whose process has ended its first thread.
            if tables.contains(&table[0].table) {
                continue;
            }
            tables.push(table[0].table);
            if table[0].tid == process.pid {
                add(&process, table, search);
            } else {
                of_threads.push((process.clone(), table));
            }
        }
    }
    // As a search by procfs does: what threads have copied is their process's.
    if search.for_certain || !search.has_all() {
        for (process, table) in of_threads {
            add(&process, table, search);
        }
    }
    let mut found = std::mem::take(&mut search.found);
    found.hidden |= search.processes.may_hide(search.among, || has_all);
    found
}

/// Adds the descriptors of one table.
fn add(process: &Process, table: &[SocketDescriptor], search: &mut Search<'_>) {
    let mut extent = Extent::Whole;
    let mut sockets = Vec::with_capacity(table.len());
    for SocketDescriptor { tid, fd, target, .. } in table {
        match target {
            Target::Socket(inode) => sockets.push((*inode, *fd)),
            Target::IoUring => match sockets_of_ring(search.processes, process.pid, *tid, *fd) {
                Some(held) => sockets.extend(held.into_iter().map(|inode| (inode, *fd))),
                None => extent = Extent::Partial,
            },
        }
    }
    let task = Some(table[0].tid).filter(|tid| *tid != process.pid);
    search.add_table(process, task, &sockets, extent);
}

/// The sockets in the table of an io_uring; `None` if they are not shown.
fn sockets_of_ring(processes: &ProcessFiles, pid: i32, tid: i32, fd: i32) -> Option<Vec<u64>> {
    let entry = processes.open(pid).ok()?;
    let dir = open_dir(&entry, &format!("task/{tid}/fd")).ok()?;
    // Any file may have the name that the kernel gives it.
    if is_ring(&dir, fd) == Ok(false) { Some(Vec::new()) } else { ring_sockets(&dir, fd) }
}

/// The process of a descriptor. One that procfs hides has a name; so has one whose pid is another's by now.
fn holder(descriptor: &SocketDescriptor, search: &Search<'_>) -> Process {
    let process = search.processes.describe(descriptor.pid, search.fields);
    if process.start == descriptor.start || !process.is_unknown() && in_time_namespace() {
        return process;
    }
    Process {
        start: descriptor.start,
        comm: descriptor.comm().to_vec(),
        ..Process::unreadable(descriptor.pid)
    }
}

/// Whether only a few processes are to be searched.
const fn asks_for_few(among: SearchScope<'_>) -> bool {
    match among {
        SearchScope::Matching(ProcessFilter { pids, tree, .. }) => {
            !pids.is_empty() || tree.is_some()
        }
        SearchScope::All(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESS: i32 = 10;

    fn descriptor(tid: i32, table: u64, fd: i32, inode: u64) -> SocketDescriptor {
        SocketDescriptor::of_server(PROCESS, tid, table, fd, Target::Socket(inode))
    }

    /// The thread, if any, and the number of each descriptor that is found where procfs shows nothing.
    fn found(descriptors: &[SocketDescriptor], wanted: &[u64]) -> Vec<(u64, Option<i32>, i32)> {
        found_for(false, descriptors, wanted)
    }

    fn found_for(
        certain: bool,
        descriptors: &[SocketDescriptor],
        wanted: &[u64],
    ) -> Vec<(u64, Option<i32>, i32)> {
        let procfs = tempfile::tempdir().unwrap();
        let descriptors = Descriptors { all: descriptors.to_vec(), has_all: true };
        let (all, wanted) = (ProcessFilter::default(), wanted.iter().copied().collect());
        let processes = ProcessFiles::new(procfs.path());
        let mut search = Search::new(&processes, &[], SearchScope::All(&all), &wanted);
        search.for_certain = certain;
        let found = found_in(descriptors, &mut search);
        assert!(found.is_whole(), "{found:?}");
        let named = found.processes.iter().all(|it| it.comm == b"server" && it.start == 7);
        assert!(named, "{found:?}");
        let mut holders: Vec<_> =
            found.holders.iter().map(|(inode, holder)| (*inode, holder.task, holder.fd)).collect();
        holders.sort_unstable();
        holders
    }

    #[test]
    fn a_hidden_process_is_named_by_its_descriptors() {
        assert_eq!(found(&[descriptor(PROCESS, 1, 3, 77)], &[77]), [(77, None, 3)]);
    }

    #[test]
    fn a_file_with_the_name_of_an_io_uring_hides_nothing() {
        let procfs = tempfile::tempdir().unwrap();
        let fds = procfs.path().join(format!("{PROCESS}/task/{PROCESS}/fd"));
        std::fs::create_dir_all(&fds).unwrap();
        std::os::unix::fs::symlink("/tmp/[io_uring]", fds.join("3")).unwrap();
        let processes = ProcessFiles::new(procfs.path());
        let sockets = |fd| sockets_of_ring(&processes, PROCESS, PROCESS, fd);
        assert_eq!(sockets(3), Some(Vec::new()));
        std::os::unix::fs::symlink("anon_inode:[io_uring]", fds.join("4")).unwrap();
        let info = procfs.path().join(format!("{PROCESS}/task/{PROCESS}/fdinfo"));
        std::fs::create_dir(&info).unwrap();
        std::fs::write(info.join("4"), "UserFiles:\t1\n    0: socket:[77]\n").unwrap();
        assert_eq!(sockets(4), Some(vec![77]));
    }

    #[test]
    fn a_process_that_has_the_pid_now_is_not_named() {
        let procfs = tempfile::tempdir().unwrap();
        let home = procfs.path().join(PROCESS.to_string());
        std::fs::create_dir(&home).unwrap();
        let stat = format!("{PROCESS} (other) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 8");
        std::fs::write(home.join("stat"), stat + &" 0".repeat(30) + "\n").unwrap();
        let (all, wanted) = (ProcessFilter::default(), std::iter::once(77).collect());
        let processes = ProcessFiles::new(procfs.path());
        let search = Search::new(&processes, &[], SearchScope::All(&all), &wanted);
        let named = holder(&descriptor(PROCESS, 1, 3, 77), &search);
        assert_eq!((named.comm.as_slice(), named.start), (b"server".as_slice(), 7));
    }

    #[test]
    fn threads_count_for_what_their_process_does_not_hold() {
        let of_all =
            [descriptor(12, 2, 3, 77), descriptor(12, 2, 4, 78), descriptor(PROCESS, 1, 3, 77)];
        assert_eq!(found(&of_all, &[77]), [(77, None, 3)], "the thread has a copy");
        let both = [(77, None, 3), (77, Some(12), 3), (78, Some(12), 4)];
        assert_eq!(found(&of_all, &[77, 78]), both);
    }

    /// It may be a thread of the process that is asked for.
    #[test]
    fn threads_count_where_the_absence_of_holders_decides() {
        let other = SocketDescriptor::of_server(9, 9, 7, 5, Target::Socket(77));
        let both = [other, descriptor(12, 2, 3, 77)];
        assert_eq!(found(&both, &[77]), [(77, None, 5)]);
        assert_eq!(found_for(true, &both, &[77]), [(77, None, 5), (77, Some(12), 3)]);
    }

    #[test]
    fn a_table_that_threads_share_counts_once() {
        // The first thread has ended, so that each of the others shows the table.
        let shared = [descriptor(11, 1, 3, 77), descriptor(12, 1, 3, 77), descriptor(13, 2, 3, 77)];
        assert_eq!(found(&shared, &[77]), [(77, Some(11), 3), (77, Some(13), 3)]);
    }
}
