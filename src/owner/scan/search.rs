//! One search through the processes: which are wanted, and what was found in them so far.

use super::fd_table::{Extent, FdTable, leads_to, open_dir, read_sockets, read_table};
use super::idle::{CachedFds, IdleProcess};
use super::is_denied;
use super::process::{Described, ProcessFields};
use super::process_files::ProcessFiles;
use crate::filter::Match;
use crate::model::process::{CommandLines, Holder, Inodes, Process};
use crate::owner::SearchScope;
use crate::owner::table::SearchResult;
use log::trace;
use procfs::process::Process as ProcEntry;
use procfs::{ProcError, ProcResult};
use rustix::fs::{Mode, OFlags, openat};
use std::fs::File;

/// A search under way.
pub(super) struct Search<'a> {
    pub(super) processes: &'a ProcessFiles,
    /// The processes of a followed tree that run.
    running: &'a [i32],
    pub(super) among: SearchScope<'a>,
    wanted: &'a Inodes,
    /// What is read of a process for it.
    pub(super) fields: ProcessFields,
    pub(super) found: SearchResult,
    /// The absence of holders decides.
    pub(super) for_certain: bool,
    /// Processes with threads, and their leader's table.
    pub(super) threaded: Vec<(Process, FdTable)>,
    /// Sockets that are not wanted and have a remembered holder, which was not checked.
    pub(super) unchecked: Inodes,
}

impl<'a> Search<'a> {
    /// One that has found nothing yet. `running`: the processes of a followed tree.
    pub(super) fn new(
        processes: &'a ProcessFiles,
        running: &'a [i32],
        among: SearchScope<'a>,
        wanted: &'a Inodes,
    ) -> Self {
        let fields = ProcessFields::needed_by(among.filter());
        let (found, threaded, unchecked) = (SearchResult::default(), Vec::new(), Inodes::default());
        Self {
            processes,
            running,
            among,
            wanted,
            fields,
            found,
            for_certain: false,
            threaded,
            unchecked,
        }
    }

    /// The pids of the processes to search, as they are listed now.
    ///
    /// # Errors
    /// The list of processes cannot be read.
    pub(super) fn pids(&self) -> Result<Vec<i32>, ProcError> {
        self.processes.pids(self.among, self.running)
    }

    /// The inodes of the sockets whose holders are wanted.
    #[cfg_attr(not(feature = "bpf"), allow(dead_code))]
    pub(super) const fn wanted(&self) -> &Inodes {
        self.wanted
    }

    /// Whether a holder of every wanted socket was found.
    pub(super) fn has_all(&self) -> bool {
        self.found.has_all(self.wanted)
    }

    /// Searches a process if it is in scope. Returns what is worth remembering of it, if it did not
    /// run meanwhile.
    ///
    /// # Errors
    /// It is gone, or there is no room for its files.
    pub(super) fn read_process(
        &mut self,
        entry: &ProcEntry,
        commands: &mut CommandLines,
    ) -> ProcResult<Option<(Process, CachedFds)>> {
        let described = self.processes.read(entry, self.fields)?;
        let Described { mut process, has_threads, is_running, is_kernel_thread } = described;
        commands.share(&mut process);
        let fds = match self.among.includes(&process) {
            Match::No => Some(CachedFds::NotSearched),
            _ if is_kernel_thread => Some(CachedFds::Sockets(Box::default())),
            _ => match open_dir(entry, "fd") {
                Ok(dir) => self.read_fds(&dir, &process, has_threads),
                Err(error) if is_denied(&error) => {
                    trace!("descriptors of process {}: {error}", process.pid);
                    self.found.denied.push(process.clone());
                    matches!(error, ProcError::PermissionDenied(_)).then_some(CachedFds::Denied)
                }
                Err(error) => return Err(error),
            },
        };
        Ok(fds.filter(|_| !has_threads && !is_running).map(|fds| (process, fds)))
    }

    /// Reads the table of a process. Returns what is in it, if all of it could be read and the
    /// process has no threads.
    fn read_fds(&mut self, dir: &File, process: &Process, has_threads: bool) -> Option<CachedFds> {
        let mut sockets = Vec::new();
        let socket = |inode, fd| sockets.push((inode, fd));
        let extent = if has_threads {
            let (table, extent) = read_table(dir, socket);
            self.threaded.push((process.clone(), table));
            extent
        } else {
            read_sockets(dir, socket)
        };
        self.add_table(process, None, &sockets, extent);
        (!has_threads && extent == Extent::Whole).then(|| CachedFds::Sockets(sockets.into()))
    }

    /// Takes in a table that was read, of a process in scope or of one of its threads.
    pub(super) fn add_table(
        &mut self,
        process: &Process,
        task: Option<i32>,
        sockets: &[(u64, i32)],
        extent: Extent,
    ) {
        let is_match = self.among.includes(process) == Match::Yes;
        let holds_wanted = || sockets.iter().any(|(inode, _)| self.wanted.contains(inode));
        if extent == Extent::Partial || !is_match && holds_wanted() {
            self.add_denied(process);
        }
        if is_match && !sockets.is_empty() {
            let Process { pid, start, .. } = *process;
            let holder = |fd| Holder { pid, start, fd, task };
            self.found.holders.extend(sockets.iter().map(|(inode, fd)| (*inode, holder(*fd))));
            // Tables of one process are read one after the other.
            if self.found.processes.last() != Some(process) {
                self.found.processes.push(process.clone());
            }
        }
    }

    /// Takes in that not all of a process in scope may be inspected.
    pub(super) fn add_denied(&mut self, process: &Process) {
        if self.found.denied.last() != Some(process) {
            self.found.denied.push(process.clone());
        }
    }

    /// Finds in an idle process what was found before; false if it has to be read.
    pub(super) fn reuse(&mut self, idle: &IdleProcess) -> bool {
        let IdleProcess { process, fields, fds, .. } = idle;
        if *fields != self.fields {
            return false;
        }
        match (self.among.includes(process), fds) {
            (Match::No, _) => {}
            (_, CachedFds::NotSearched) => return false,
            (_, CachedFds::Denied) => self.add_denied(process),
            (_, CachedFds::Sockets(sockets)) => {
                let is_wanted = |(inode, _): &&(u64, i32)| self.wanted.contains(inode);
                let (wanted, others): (Vec<_>, Vec<_>) = sockets.iter().partition(is_wanted);
                if !still_lead(self.processes.directory(), process.pid, wanted.iter()) {
                    return false;
                }
                self.add_table(process, None, &wanted, Extent::Whole);
                self.unchecked.extend(others.iter().map(|(inode, _)| *inode));
            }
        }
        true
    }
}

/// Whether these descriptors of a process still lead to their sockets.
fn still_lead<'s>(
    procfs: Option<&File>,
    pid: i32,
    sockets: impl Iterator<Item = &'s (u64, i32)>,
) -> bool {
    let mut sockets = sockets.peekable();
    if sockets.peek().is_none() {
        return true;
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = procfs.and_then(|root| openat(root, format!("{pid}/fd"), flags, Mode::empty()).ok());
    dir.is_some_and(|dir| {
        let dir = File::from(dir);
        sockets.all(|(inode, fd)| leads_to(&dir, *fd, *inode))
    })
}
