//! A search by the BPF iterator: it shows the descriptors of all processes, also of those that procfs
//! hides or that need permission there. What a process is called is still read from procfs.

use super::Scan;
use super::fd_table::{Extent, open_dir, ring_sockets};
use super::iterator::{Descriptors, Iterator};
use super::process::{ProcessFields, describe};
use super::record::{SocketDescriptor, Target};
use super::search::Search;
use crate::error::BpfError;
use crate::filter::{Match, ProcessFilter};
use crate::model::process::{Exe, Inodes, Process};
use crate::owner::table::SearchResult;
use crate::owner::{OwnersBy, SearchScope};
use crate::privileges::shared_pid_namespace;

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

impl Scan {
    /// Finds descriptors like this.
    ///
    /// # Errors
    /// The iterator is asked for and cannot be used.
    pub(crate) fn by(mut self, by: OwnersBy) -> Result<Self, BpfError> {
        let iterator = if by == OwnersBy::Bpf { Some(self.load_iterator()?) } else { None };
        self.walker = Walker { by, iterator, refusal: None };
        Ok(self)
    }

    /// It walks through the caller's pid namespace alone, so procfs has to show that one.
    fn load_iterator(&self) -> Result<Iterator, BpfError> {
        match shared_pid_namespace(&self.root) {
            Some(_) => Iterator::load(),
            None => Err(BpfError::OtherProcesses(self.root.clone())),
        }
    }

    /// Why the iterator is not used though it would pay; once.
    pub(super) fn take_refusal(&mut self) -> Option<String> {
        let why = self.walker.refusal.take()?;
        Some(format!("using --owners proc: {why}"))
    }

    /// Searches by the iterator; `None` where that is to be done by procfs.
    pub(super) fn search_by_walk(
        &mut self,
        among: SearchScope<'_>,
        wanted: &Inodes,
    ) -> Option<SearchResult> {
        let pays = || !asks_for_few(among) && self.has_many_files();
        match self.walker.by {
            OwnersBy::Proc => return None,
            OwnersBy::Auto if !pays() => return None,
            OwnersBy::Auto | OwnersBy::Bpf => {}
        }
        if self.walker.iterator.is_none() {
            match self.load_iterator() {
                Ok(iterator) => self.walker.iterator = Some(iterator),
                Err(why) => self.walker = Walker { refusal: Some(why), ..Walker::default() },
            }
        }
        match self.walker.iterator.as_mut()?.walk(wanted) {
            Ok(descriptors) => Some(self.found_in(descriptors, among, wanted)),
            Err(error) => {
                log::debug!("the BPF iterator: {error}");
                None
            }
        }
    }

    /// How many files are open on this machine: there are hardly fewer descriptors.
    fn has_many_files(&self) -> bool {
        let text = std::fs::read_to_string(self.root.join("sys/fs/file-nr")).unwrap_or_default();
        let count = text.split_whitespace().next().and_then(|count| count.parse().ok());
        count.is_some_and(|count: u64| count > MANY_FILES)
    }

    fn found_in(
        &self,
        descriptors: Descriptors,
        among: SearchScope<'_>,
        wanted: &Inodes,
    ) -> SearchResult {
        let Descriptors { all: mut descriptors, has_all } = descriptors;
        descriptors.sort_by_key(|found| (found.pid, found.tid != found.pid, found.tid));
        let mut search = Search::new(among, wanted);
        let mut of_threads = Vec::new();
        for of_process in descriptors.chunk_by(|one, next| one.pid == next.pid) {
            let process = self.describe_holder(&of_process[0], search.fields);
            if among.includes(&process) == Match::No {
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
                    self.add(&process, table, &mut search);
                } else {
                    of_threads.push((process.clone(), table));
                }
            }
        }
        // As a search by procfs does: what threads have copied is their process's.
        if !search.has_all() {
            for (process, table) in of_threads {
                self.add(&process, table, &mut search);
            }
        }
        let mut found = search.found;
        found.hidden |= self.may_hide(among, || has_all);
        found
    }

    /// Adds the descriptors of one table.
    fn add(&self, process: &Process, table: &[SocketDescriptor], search: &mut Search<'_>) {
        let mut extent = Extent::Whole;
        let mut sockets = Vec::with_capacity(table.len());
        for SocketDescriptor { tid, fd, target, .. } in table {
            match target {
                Target::Socket(inode) => sockets.push((*inode, *fd)),
                Target::IoUring => match self.sockets_of_ring(process.pid, *tid, *fd) {
                    Some(held) => sockets.extend(held.into_iter().map(|inode| (inode, *fd))),
                    None => extent = Extent::Partial,
                },
            }
        }
        let task = Some(table[0].tid).filter(|tid| *tid != process.pid);
        search.add_table(process, task, &sockets, extent);
    }

    /// The sockets in the table of an io_uring; `None` if they are not shown.
    fn sockets_of_ring(&self, pid: i32, tid: i32, fd: i32) -> Option<Vec<u64>> {
        let entry = self.open_process(pid).ok()?;
        ring_sockets(&open_dir(&entry, &format!("task/{tid}/fd")).ok()?, fd)
    }

    /// The process of a descriptor. One that procfs hides has a name.
    fn describe_holder(&self, descriptor: &SocketDescriptor, fields: ProcessFields) -> Process {
        let described =
            self.open_process(descriptor.pid).and_then(|it| describe(&it, fields, &self.workloads));
        match described {
            Ok(described) if !described.process.is_unknown() => described.process,
            _ => Process {
                start: descriptor.start,
                comm: descriptor.comm().to_vec(),
                exe: Exe::Denied,
                ..Process::unknown(descriptor.pid)
            },
        }
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
        let procfs = tempfile::tempdir().unwrap();
        let descriptors = Descriptors { all: descriptors.to_vec(), has_all: true };
        let (all, wanted) = (ProcessFilter::default(), wanted.iter().copied().collect());
        let scan = Scan::new(procfs.path());
        let found = scan.found_in(descriptors, SearchScope::All(&all), &wanted);
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
    fn threads_count_for_what_their_process_does_not_hold() {
        let of_all =
            [descriptor(12, 2, 3, 77), descriptor(12, 2, 4, 78), descriptor(PROCESS, 1, 3, 77)];
        assert_eq!(found(&of_all, &[77]), [(77, None, 3)], "the thread has a copy");
        let both = [(77, None, 3), (77, Some(12), 3), (78, Some(12), 4)];
        assert_eq!(found(&of_all, &[77, 78]), both);
    }

    #[test]
    fn a_table_that_threads_share_counts_once() {
        // The first thread has ended, so that each of the others shows the table.
        let shared = [descriptor(11, 1, 3, 77), descriptor(12, 1, 3, 77), descriptor(13, 2, 3, 77)];
        assert_eq!(found(&shared, &[77]), [(77, Some(11), 3), (77, Some(13), 3)]);
    }
}
