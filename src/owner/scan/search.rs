//! One search through the processes: which are wanted, and what was found in them so far.

use super::fd_table::{FdTable, leads_to, open_dir, read_sockets, read_table};
use super::idle::{CachedFds, IdleProcess};
use super::is_denied;
use super::process::{Described, Fields, describe};
use crate::filter::Match;
use crate::model::process::{Holder, Inodes, Process};
use crate::owner::SearchScope;
use crate::owner::table::Found;
use log::trace;
use procfs::ProcError;
use procfs::process::Process as Entry;
use rustix::fs::{Mode, OFlags, openat};
use std::fs::File;

/// A search under way.
pub(super) struct Search<'a> {
    among: SearchScope<'a>,
    wanted: &'a Inodes,
    /// What is read of a process for it.
    pub(super) fields: Fields,
    pub(super) found: Found,
    /// Processes in its scope that may not be read.
    pub(super) denied: Vec<Process>,
    /// Processes with threads, and their leader's table.
    pub(super) threaded: Vec<(Process, FdTable)>,
    /// Sockets that are not wanted and have a remembered holder, which was not checked.
    pub(super) unchecked: Inodes,
}

impl<'a> Search<'a> {
    /// `hidden`: there are processes that are not listed.
    pub(super) fn new(among: SearchScope<'a>, wanted: &'a Inodes, hidden: bool) -> Self {
        let found = Found { denied: u64::from(hidden), ..Found::default() };
        let fields = Fields::needed_by(among.filter());
        let (denied, threaded, unchecked) = (Vec::new(), Vec::new(), Inodes::default());
        Self { among, wanted, fields, found, denied, threaded, unchecked }
    }

    /// Searches a process if it is in scope. Returns what is worth remembering of it, if it did not
    /// run meanwhile.
    pub(super) fn read_process(
        &mut self,
        entry: &Entry,
    ) -> Result<Option<(Process, CachedFds)>, ProcError> {
        let Described { process, has_threads, is_running } = describe(entry, self.fields);
        let fds = match self.among.includes(&process) {
            Match::No => Some(CachedFds::NotSearched),
            Match::Unreadable => {
                self.found.denied += 1;
                Some(CachedFds::NotSearched)
            }
            Match::Yes => match open_dir(entry, "fd") {
                Ok(dir) => self.read_fds(&dir, &process, has_threads),
                Err(error) => {
                    trace!("descriptors of process {}: {error}", process.pid);
                    self.denied.extend(is_denied(&error).then(|| process.clone()));
                    if !matches!(error, ProcError::PermissionDenied(_)) {
                        return Err(error);
                    }
                    self.found.denied += 1;
                    Some(CachedFds::Denied)
                }
            },
        };
        Ok(fds.filter(|_| !has_threads && !is_running).map(|fds| (process, fds)))
    }

    /// Reads the table of a process. Returns what is in it, if all of it could be read and the
    /// process has no threads.
    fn read_fds(&mut self, dir: &File, process: &Process, has_threads: bool) -> Option<CachedFds> {
        let before = self.found.holders.len();
        let Process { pid, start, .. } = *process;
        let found = &mut self.found.holders;
        let socket = |inode, fd| found.push((inode, Holder { pid, start, fd, task: None }));
        let is_whole = if has_threads {
            self.threaded.push((process.clone(), read_table(dir, socket)));
            false
        } else {
            read_sockets(dir, socket)
        };
        let sockets = &self.found.holders[before..];
        if !sockets.is_empty() {
            self.found.processes.push(process.clone());
        }
        let sockets = || sockets.iter().map(|(inode, holder)| (*inode, holder.fd)).collect();
        is_whole.then(|| CachedFds::Sockets(sockets()))
    }

    /// Finds in an idle process what was found before; false if it has to be read.
    pub(super) fn reuse(&mut self, idle: &IdleProcess, procfs: Option<&File>) -> bool {
        let IdleProcess { process, fields, fds, .. } = idle;
        if *fields != self.fields {
            return false;
        }
        match (self.among.includes(process), fds) {
            (Match::No, _) => {}
            (Match::Unreadable, _) => self.found.denied += 1,
            (Match::Yes, CachedFds::NotSearched) => return false,
            (Match::Yes, CachedFds::Denied) => {
                self.found.denied += 1;
                self.denied.push(process.clone());
            }
            (Match::Yes, CachedFds::Sockets(sockets)) => {
                let Process { pid, start, .. } = *process;
                let wanted = || sockets.iter().filter(|(inode, _)| self.wanted.contains(inode));
                if !still_lead(procfs, pid, wanted()) {
                    return false;
                }
                let holder = |fd| Holder { pid, start, fd, task: None };
                self.found.holders.extend(wanted().map(|(inode, fd)| (*inode, holder(*fd))));
                self.found.processes.extend((!sockets.is_empty()).then(|| process.clone()));
                let others = sockets.iter().map(|(inode, _)| *inode);
                self.unchecked.extend(others.filter(|inode| !self.wanted.contains(inode)));
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
