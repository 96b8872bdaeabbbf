//! The only reader of `/proc/<pid>`: which processes there are, how they are called, and which
//! sockets their descriptors lead to.
//!
//! Processes, threads and descriptors vanish while they are looked at: that is normal and never
//! an error. All files of a process are opened below one open directory, which leads to nothing
//! once the process is gone, never to its pid's next bearer.

mod children;
mod fd_table;
mod idle;
mod process;
mod survey;
mod threads;

use super::table::Found;
use super::{Among, OwnerLookup};
use crate::filter::{Match, ProcessFilter};
use crate::model::process::{Caller, Holder, Inodes, Process};
use crate::model::process_tree::ProcessTree;
use crate::model::reading::OwnerUpdate;
use fd_table::{Table, leads_to, open_dir, read_sockets, read_table};
use idle::{Quiet, Quiets, Sight};
use process::{Described, Reads, describe, name_of, status_number};
use procfs::ProcError;
use procfs::process::Process as Entry;
use rustix::fs::{Mode, OFlags, PROC_SUPER_MAGIC, open, openat, statfs};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use threads::Threads;

/// How often (µs) sockets without a known owner are looked for again: their process may have been
/// started, renamed or handed the descriptor after the first look.
const LOOK_AGAIN: u64 = 1_000_000;

/// Looks into the processes of one procfs.
#[derive(Debug)]
pub struct Scan {
    root: PathBuf,
    /// The same, open.
    home: Option<File>,
    /// Some processes are hidden from us (`hidepid`): process 1 is there, but not for us.
    hidden: bool,
    /// The processes that held sockets at the last look.
    recent: HashSet<i32>,
    /// What was found in processes that have not run since.
    quiets: Quiets,
    /// The threads that are worth a look.
    threads: Threads,
    /// Who may not be read, as the last survey described them.
    denied: HashMap<(i32, u64), Process>,
    /// The boot time (µs) of the reading at hand, and that from which on sockets without a known
    /// owner are looked for again.
    now: u64,
    look_again: u64,
    /// The processes of a command, which grow more while it runs.
    tree: Option<ProcessTree>,
    /// Those of them that run.
    living: Vec<i32>,
}

impl Scan {
    /// Looks into the procfs mounted at `root`.
    pub fn new(root: &Path) -> Self {
        let is_procfs = statfs(root).is_ok_and(|stat| stat.f_type == PROC_SUPER_MAGIC);
        let home = open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        Self {
            root: root.to_owned(),
            home: home.ok().filter(|_| is_procfs).map(File::from),
            hidden: is_procfs && !root.join("1").exists(),
            recent: HashSet::new(),
            quiets: Quiets::default(),
            threads: Threads::default(),
            denied: HashMap::new(),
            now: 0,
            look_again: 0,
            tree: None,
            living: Vec::new(),
        }
    }

    /// Also finds out who belongs to a tree.
    #[must_use]
    pub fn following(self, tree: Option<ProcessTree>) -> Self {
        Self { tree, ..self }
    }

    /// Finds the holders of sockets. Where some of the wanted inodes stay without one, threads with
    /// tables of their own are looked into.
    fn search(&mut self, among: Among<'_>, wanted: &Inodes) -> (Found, Vec<Process>) {
        self.grow_tree();
        self.quiets.begin();
        let mut search = Search::new(among, wanted, self.hidden);
        // Who held sockets before opens the next ones, and short-lived ones are gone soon.
        let first = std::mem::take(&mut self.recent);
        for pid in &first {
            self.visit(*pid, &mut search);
        }
        match self.pids(among) {
            Ok(mut pids) => {
                pids.retain(|pid| !first.contains(pid));
                for pid in pids {
                    self.visit(pid, &mut search);
                }
            }
            Err(error) => search.found.denied += u64::from(is_denied(&error)),
        }
        self.quiets.end();
        let Search { mut found, threaded, denied, unchecked, .. } = search;
        if !threaded.is_empty() && !found.has_all(wanted) {
            self.look_into_all_threads(threaded, &mut found);
        }
        // Some of their holders may be missing.
        found.holders.retain(|(inode, _)| !unchecked.contains(inode));
        let pids = found.processes.iter().map(|process| process.pid);
        self.recent = pids.collect();
        (found, denied)
    }

    /// Looks into a process, unless it is known what is to be found there.
    fn visit(&mut self, pid: i32, search: &mut Search<'_>) {
        // Read before all else, so that whatever it does meanwhile shows the next time.
        let pulse = self.quiets.pulse(self.home.as_ref(), pid);
        if let Some(quiet) = self.quiets.unchanged(pid, pulse)
            && search.recall(quiet, self.home.as_ref())
        {
            return;
        }
        match self.process(pid).and_then(|entry| search.look_into(&entry)) {
            Ok(None) => {}
            Ok(Some((process, sight))) => {
                if let Some(pulse) = pulse {
                    self.quiets.remember(Quiet { pulse, reads: search.reads, process, sight });
                }
            }
            // It may not be read, or it has gone meanwhile.
            Err(error) => search.found.denied += u64::from(is_denied(&error)),
        }
    }

    /// A process as far as it is still there to be asked.
    fn ask(&self, pid: i32, reads: Reads) -> Process {
        match self.process(pid) {
            Ok(entry) => describe(&entry, reads).process,
            Err(_) => Process::unknown(pid),
        }
    }

    /// The processes to look at.
    fn pids(&self, among: Among<'_>) -> Result<Vec<i32>, ProcError> {
        match among {
            Among::Matching(filter) if !filter.pids.is_empty() => {
                let pids = filter.pids.iter().copied();
                Ok(pids.filter(|pid| self.is_leader(*pid)).collect())
            }
            Among::Matching(ProcessFilter { tree: Some(_), .. }) => Ok(self.living.clone()),
            _ => {
                let names = std::fs::read_dir(&self.root)?.flatten();
                Ok(names.filter_map(|name| name.file_name().to_str()?.parse().ok()).collect())
            }
        }
    }

    /// A thread can be looked up like a process, but is not listed as one.
    fn is_leader(&self, pid: i32) -> bool {
        let tgid = self.process(pid).ok().and_then(|entry| status_number(&entry, b"Tgid:"));
        tgid.is_none_or(|tgid| i32::try_from(tgid) == Ok(pid))
    }

    fn process(&self, pid: i32) -> Result<Entry, ProcError> {
        Entry::new_with_root(self.root.join(pid.to_string()))
    }
}

impl OwnerLookup for Scan {
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
        let table = holder.task.map_or("fd".to_owned(), |task| format!("task/{task}/fd"));
        let dir = open_dir(&entry, &table).ok()?;
        leads_to(&dir, holder.fd, inode).then(|| name_of(&entry, holder.start))?
    }

    fn caller(&mut self, caller: &Caller, filter: &ProcessFilter) -> Process {
        let process = self.ask(caller.pid, Reads::asked(filter));
        self.take_in(&process);
        process.named(caller)
    }

    /// It looks for itself.
    fn learn(&mut self, _: OwnerUpdate) {}
}

/// One scan under way.
struct Search<'a> {
    among: Among<'a>,
    wanted: &'a Inodes,
    /// What is read of a process for it.
    reads: Reads,
    found: Found,
    /// Processes that could be meant, and may not be read.
    denied: Vec<Process>,
    /// Processes that have threads, with their leader's table.
    threaded: Vec<(Process, Table)>,
    /// Sockets that nobody asked for, whose remembered holders were not checked.
    unchecked: Inodes,
}

impl<'a> Search<'a> {
    fn new(among: Among<'a>, wanted: &'a Inodes, hidden: bool) -> Self {
        let found = Found { denied: u64::from(hidden), ..Found::default() };
        let reads = Reads::asked(among.filter());
        let (denied, threaded, unchecked) = (Vec::new(), Vec::new(), Inodes::default());
        Self { among, wanted, reads, found, denied, threaded, unchecked }
    }

    /// Looks into a process if it is wanted, and returns what is worth remembering of it.
    fn look_into(&mut self, entry: &Entry) -> Result<Option<(Process, Sight)>, ProcError> {
        let Described { process, threads, runs } = describe(entry, self.reads);
        let sight = match self.among.wants(&process) {
            Match::No => Some(Sight::NotLooked),
            Match::Unreadable => {
                self.found.denied += 1;
                Some(Sight::NotLooked)
            }
            Match::Yes => match open_dir(entry, "fd") {
                Ok(dir) => self.read(&dir, &process, threads),
                Err(error) => {
                    self.denied.extend(is_denied(&error).then(|| process.clone()));
                    if !matches!(error, ProcError::PermissionDenied(_)) {
                        return Err(error);
                    }
                    self.found.denied += 1;
                    Some(Sight::Denied)
                }
            },
        };
        Ok(sight.filter(|_| !threads && !runs).map(|sight| (process, sight)))
    }

    /// Reads the table of a process; if it could be read as a whole, returns what is in it.
    fn read(&mut self, dir: &File, process: &Process, threads: bool) -> Option<Sight> {
        let before = self.found.holders.len();
        let Process { pid, start, .. } = *process;
        let found = &mut self.found.holders;
        let socket = |inode, fd| found.push((inode, Holder { pid, start, fd, task: None }));
        let whole = if threads {
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
        whole.then(|| Sight::Sockets(sockets()))
    }

    /// Finds what was found before; false if this needs a look.
    fn recall(&mut self, quiet: &Quiet, procfs: Option<&File>) -> bool {
        let Quiet { process, reads, sight, .. } = quiet;
        if *reads != self.reads {
            return false;
        }
        match (self.among.wants(process), sight) {
            (Match::No, _) => {}
            (Match::Unreadable, _) => self.found.denied += 1,
            (Match::Yes, Sight::NotLooked) => return false,
            (Match::Yes, Sight::Denied) => {
                self.found.denied += 1;
                self.denied.push(process.clone());
            }
            (Match::Yes, Sight::Sockets(sockets)) => {
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

/// Whether these descriptors of a process lead to these sockets as they did.
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
    let dir = procfs.and_then(|home| openat(home, format!("{pid}/fd"), flags, Mode::empty()).ok());
    dir.is_some_and(|dir| {
        let dir = File::from(dir);
        sockets.all(|(inode, fd)| leads_to(&dir, *fd, *inode))
    })
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

#[cfg(test)]
mod tests;
