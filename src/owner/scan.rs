//! The only reader of `/proc/<pid>`: which processes there are, how they are called, and which
//! sockets their descriptors lead to.
//!
//! Processes, threads and descriptors vanish while they are looked at: that is normal and never
//! an error. All files of a process are opened below one open directory, which leads to nothing
//! once the process is gone, never to its pid's next bearer.

mod descent;
mod describe;
mod survey;

use super::book::Found;
use super::register::Owners;
use super::{Among, Finder, Holder, Inodes, Process};
use crate::filter::{Match, ProcessFilter, Tree};
use crate::reading::Caller;
use describe::{Described, Reads, describe, read_file, start_of, status_number, without_newline};
use procfs::ProcError;
use procfs::process::{Process as Entry, all_processes_with_root};
use rustix::buffer::spare_capacity;
use rustix::fs::{OFlags, PROC_SUPER_MAGIC, RawDir, readlinkat, statat, statfs};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

/// How often (µs) sockets without a known owner are looked for again: their process may have been
/// started, renamed or handed the descriptor after the first look.
const LOOK_AGAIN: u64 = 1_000_000;
/// Two tables whose newest descriptors are the same are the same table: one that was split off
/// (`unshare(CLONE_FILES)`) and has a socket of its own differs there.
const SAMPLE: usize = 8;

/// Looks into the processes of one procfs.
#[derive(Debug)]
pub struct Scan {
    root: PathBuf,
    /// Some processes are hidden from us (`hidepid`): process 1 is there, but not for us.
    hidden: bool,
    /// The processes that held sockets at the last look.
    recent: HashSet<i32>,
    /// Who may not be read, as the last survey described them.
    denied: HashMap<(i32, u64), Process>,
    /// The boot time (µs) of the reading at hand, and that from which on sockets without a known
    /// owner are looked for again.
    now: u64,
    look_again: u64,
    /// The processes of a command, which grow more while it runs.
    tree: Option<Tree>,
    /// Those of them that run.
    living: Vec<i32>,
}

/// The descriptors of one table.
struct Table {
    /// Its size as the directory tells it; 0 on old kernels.
    size: u64,
    /// The newest descriptors and where they lead.
    sample: Vec<(i32, Vec<u8>)>,
}

impl Scan {
    /// Looks into the procfs mounted at `root`.
    pub fn new(root: &Path) -> Self {
        let is_procfs = statfs(root).is_ok_and(|stat| stat.f_type == PROC_SUPER_MAGIC);
        Self {
            root: root.to_owned(),
            hidden: is_procfs && !root.join("1").exists(),
            recent: HashSet::new(),
            denied: HashMap::new(),
            now: 0,
            look_again: 0,
            tree: None,
            living: Vec::new(),
        }
    }

    /// Also finds out who belongs to a tree.
    #[must_use]
    pub fn following(self, tree: Option<Tree>) -> Self {
        Self { tree, ..self }
    }

    /// Finds the holders of sockets. Where some of the wanted inodes stay without one, threads with
    /// tables of their own are looked into.
    fn search(&mut self, among: Among<'_>, wanted: &Inodes) -> (Found, Vec<Process>) {
        self.grow_tree();
        let found = Found { denied: u64::from(self.hidden), ..Found::default() };
        let mut search = Search { among, found, denied: Vec::new(), threaded: Vec::new() };
        // Who held sockets before opens the next ones, and short-lived ones are gone soon.
        let first = std::mem::take(&mut self.recent);
        for pid in &first {
            search.visit(self.process(*pid));
        }
        for entry in self.processes(among) {
            if !entry.as_ref().is_ok_and(|entry| first.contains(&entry.pid())) {
                search.visit(entry);
            }
        }
        let Search { mut found, threaded, denied, .. } = search;
        let resolved: Inodes = found.holders.iter().map(|(inode, _)| *inode).collect();
        if !wanted.is_subset(&resolved) {
            for (process, table) in threaded {
                self.look_into_threads(&process, table, &mut found);
            }
        }
        let pids = found.processes.iter().map(|process| process.pid);
        self.recent = pids.collect();
        (found, denied)
    }

    /// A process as far as it is still there to be asked.
    fn ask(&self, pid: i32, reads: Reads) -> Process {
        match self.process(pid) {
            Ok(entry) => describe(&entry, reads).process,
            Err(_) => Process::unknown(pid),
        }
    }

    /// The processes to look at, one after the other: each holds a descriptor open.
    fn processes(
        &self,
        among: Among<'_>,
    ) -> Box<dyn Iterator<Item = Result<Entry, ProcError>> + '_> {
        let of_pid = |pid| self.process(pid).and_then(leader);
        match among {
            Among::Matching(filter) if !filter.pids.is_empty() => {
                Box::new(filter.pids.clone().into_iter().map(of_pid))
            }
            Among::Matching(ProcessFilter { tree: Some(_), .. }) => {
                Box::new(self.living.clone().into_iter().map(of_pid))
            }
            _ => match all_processes_with_root(&self.root) {
                Ok(entries) => Box::new(entries),
                Err(error) => Box::new(std::iter::once(Err(error))),
            },
        }
    }

    fn process(&self, pid: i32) -> Result<Entry, ProcError> {
        Entry::new_with_root(self.root.join(pid.to_string()))
    }

    fn look_into_threads(&self, process: &Process, leader: Table, found: &mut Found) {
        let Ok(entry) = self.process(process.pid) else { return };
        if start_of(&entry) != process.start {
            return;
        }
        let Ok(tasks) = entry.tasks() else { return };
        let mut known = vec![leader];
        let mut holds = false;
        for tid in tasks.flatten().map(|task| task.tid).filter(|tid| *tid != process.pid) {
            let path = format!("task/{tid}/fd");
            let Ok(dir) = open_dir(&entry, &path) else { continue };
            if known.iter().any(|table| table.is(&dir)) {
                continue;
            }
            let before = found.holders.len();
            known.push(read_table(&dir, (process, tid), SAMPLE, found));
            holds |= found.holders.len() > before;
        }
        if holds && !found.processes.contains(process) {
            found.processes.push(process.clone());
        }
    }
}

impl Finder for Scan {
    fn begin_round(&mut self, now: u64) {
        self.now = now;
    }

    fn looks_again(&mut self) -> bool {
        let due = self.now >= self.look_again;
        if due {
            self.look_again = self.now.saturating_add(LOOK_AGAIN);
        }
        due
    }

    fn find(&mut self, among: Among<'_>, wanted: &Inodes) -> Found {
        self.search(among, wanted).0
    }

    fn still_holds(&mut self, holder: &Holder, inode: u64) -> Option<Vec<u8>> {
        let entry = self.process(holder.pid).ok()?;
        let table = if holder.task == holder.pid {
            "fd".to_owned()
        } else {
            format!("task/{}/fd", holder.task)
        };
        let dir = open_dir(&entry, &table).ok()?;
        let link = readlinkat(&dir, holder.fd.to_string(), Vec::new()).ok()?;
        let held = socket_inode(link.as_bytes())? == inode && start_of(&entry) == holder.start;
        held.then(|| read_file(&entry, "comm").map(without_newline))?
    }

    fn caller(&mut self, caller: &Caller, filter: &ProcessFilter) -> Process {
        self.grow_tree();
        self.ask(caller.pid, Reads::asked(filter)).named(caller)
    }

    /// It looks for itself.
    fn learn(&mut self, _: Owners) {}
}

/// One scan under way.
struct Search<'a> {
    among: Among<'a>,
    found: Found,
    /// Processes that could be meant, and may not be read.
    denied: Vec<Process>,
    /// Processes that have threads, with their leader's table.
    threaded: Vec<(Process, Table)>,
}

impl Search<'_> {
    /// Reads a process's descriptors if it is to be looked into.
    fn visit(&mut self, entry: Result<Entry, ProcError>) {
        match entry.and_then(|entry| self.look_into(&entry)) {
            Ok(()) => {}
            // It may not be read, or it has gone meanwhile.
            Err(error) => self.found.denied += u64::from(is_denied(&error)),
        }
    }

    fn look_into(&mut self, entry: &Entry) -> Result<(), ProcError> {
        let Described { process, threads } = describe(entry, Reads::asked(self.among.filter()));
        match self.among.wants(&process) {
            Match::No => return Ok(()),
            Match::Unreadable => {
                self.found.denied += 1;
                return Ok(());
            }
            Match::Yes => {}
        }
        let dir = match open_dir(entry, "fd") {
            Ok(dir) => dir,
            Err(error) => {
                self.denied.extend(is_denied(&error).then_some(process));
                return Err(error);
            }
        };
        let before = self.found.holders.len();
        let sampled = if threads { SAMPLE } else { 0 };
        let table = read_table(&dir, (&process, process.pid), sampled, &mut self.found);
        if self.found.holders.len() > before {
            self.found.processes.push(process.clone());
        }
        if threads {
            self.threaded.push((process, table));
        }
        Ok(())
    }
}

impl Table {
    /// Whether the table in this directory is this one, judged by size and newest descriptors.
    fn is(&self, dir: &File) -> bool {
        size_of(dir) == self.size
            && self.sample.iter().all(|(fd, link)| {
                readlinkat(dir, fd.to_string(), Vec::new())
                    .is_ok_and(|found| found.as_bytes() == link)
            })
    }
}

/// Reads all descriptors of a thread's table; sockets go to `found`, the newest descriptors into
/// a sample of the table.
fn read_table(
    dir: &File,
    (process, task): (&Process, i32),
    sampled: usize,
    found: &mut Found,
) -> Table {
    let mut sample: Vec<(i32, Vec<u8>)> = Vec::with_capacity(sampled);
    let mut buffer = [MaybeUninit::<u8>::uninit(); 8192];
    let mut entries = RawDir::new(dir, &mut buffer);
    let mut link = Vec::with_capacity(64);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name();
        let Some(fd) = name.to_str().ok().and_then(|name| name.parse().ok()) else { continue };
        link.clear();
        if rustix::fs::readlinkat_raw(dir, name, spare_capacity(&mut link)).is_err() {
            continue;
        }
        if let Some(inode) = socket_inode(&link) {
            let holder = Holder { pid: process.pid, start: process.start, task, fd };
            found.holders.push((inode, holder));
        }
        if sampled == 0 {
            continue;
        }
        if sample.len() == sampled {
            sample.remove(0);
        }
        sample.push((fd, link.clone()));
    }
    Table { size: size_of(dir), sample }
}

/// `socket:[4026]`.
fn socket_inode(link: &[u8]) -> Option<u64> {
    let digits = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The number of descriptors since Linux 6.2, before that 0.
fn size_of(dir: &File) -> u64 {
    let stat = statat(dir, "", rustix::fs::AtFlags::EMPTY_PATH);
    stat.map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or_default())
}

fn open_dir(entry: &Entry, path: &str) -> Result<File, ProcError> {
    entry.open_relative_flags(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)
}

/// A thread can be looked up like a process, but is not listed as one.
fn leader(entry: Entry) -> Result<Entry, ProcError> {
    let leader = status_number(&entry, b"Tgid:").and_then(|tgid| i32::try_from(tgid).ok());
    if leader.is_some_and(|leader| leader != entry.pid()) {
        return Err(ProcError::NotFound(None));
    }
    Ok(entry)
}

/// Forbidden, or beyond our own limits: in either case nothing is known of the process.
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
