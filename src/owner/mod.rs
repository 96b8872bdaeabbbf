//! Whose socket it is: who holds a descriptor of it, and how we know.

pub mod book;
pub mod register;
pub mod scan;

use crate::filter::{Match, ProcessFilter};
use crate::reading::Caller;
use book::Found;
use register::Owners;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

/// Inodes of sockets. There may be a hundred thousand, each asked for in every poll, so they are
/// hashed fast, yet by a seed: whoever opens sockets has some say in their numbers.
pub type Inodes = HashSet<u64, foldhash::fast::RandomState>;

/// What is known of sockets by their inodes.
pub type ByInode<T> = HashMap<u64, T, foldhash::fast::RandomState>;

/// A process as far as it was looked at. Names are bytes: they may hold anything but NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its start in clock ticks since boot: with the pid, its identity.
    pub start: u64,
    /// What the kernel calls it, at most 15 bytes.
    pub comm: Vec<u8>,
    /// The base name of its executable.
    pub exe: Exe,
    /// Its command line, arguments separated by NUL; empty where it was not needed.
    pub cmdline: Vec<u8>,
    /// Its real user; `None` where it was not needed or cannot be read.
    pub uid: Option<u32>,
}

/// What is known of a process's executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exe {
    /// Its base name.
    Name(Vec<u8>),
    /// None is needed, or there is none (a kernel thread).
    None,
    /// It may not be read: any name is possible.
    Denied,
}

/// Finds the holders of sockets: by looking at the processes, or in what a recording keeps of such
/// looks.
pub trait Finder {
    /// A reading that was complete at this boot time (µs) is worked on from now on.
    fn begin_round(&mut self, now: u64);

    /// Whether sockets without a known owner are worth another look.
    fn looks_again(&mut self) -> bool;

    /// Finds the holders of sockets.
    fn find(&mut self, among: Among<'_>, wanted: &Inodes) -> Found;

    /// Whether the descriptor still leads to the socket; if so, how its process is called now.
    fn still_holds(&mut self, holder: &Holder, inode: u64) -> Option<Vec<u8>>;

    /// The process that a kernel event ran in, as far as it is still there to be asked.
    fn caller(&mut self, caller: &Caller, filter: &ProcessFilter) -> Process;

    /// Takes in what a reading tells of owners.
    fn learn(&mut self, owners: Owners);
}

/// Where to look for holders. In either case the filter tells what has to be read of a process.
#[derive(Debug, Clone, Copy)]
pub enum Among<'a> {
    /// In the processes that the filter can match.
    Matching(&'a ProcessFilter),
    /// In all processes.
    All(&'a ProcessFilter),
}

impl<'a> Among<'a> {
    /// The filter, whether it narrows the search or not.
    pub const fn filter(self) -> &'a ProcessFilter {
        match self {
            Self::Matching(filter) | Self::All(filter) => filter,
        }
    }

    /// Whether to look into a process.
    pub fn wants(self, process: &Process) -> Match {
        match self {
            Self::Matching(filter) => filter.matches(process),
            Self::All(_) => Match::Yes,
        }
    }
}

impl Process {
    /// One of which no more than the id is known.
    pub const fn unknown(pid: i32) -> Self {
        Self { pid, start: 0, comm: Vec::new(), exe: Exe::None, cmdline: Vec::new(), uid: None }
    }

    /// Whether no more than its id is known.
    pub const fn is_unknown(&self) -> bool {
        self.start == 0 && self.comm.is_empty()
    }

    /// By the name that the kernel's event gave it, if it did.
    #[must_use]
    pub fn named(mut self, caller: &Caller) -> Self {
        if let Some(comm) = &caller.comm {
            self.comm.clone_from(comm);
        }
        self
    }

    /// Its id and its start: a pid alone is used again.
    pub const fn identity(&self) -> (i32, u64) {
        (self.pid, self.start)
    }

    /// The base name of `argv[0]`, as the program itself or a script's interpreter shows it.
    pub fn argv0(&self) -> &[u8] {
        let first = self.cmdline.split(|byte| *byte == 0).next().unwrap_or_default();
        base_name(first)
    }

    /// The whole command line as `pgrep -f` sees it: arguments joined by blanks; the kernel's
    /// name where there is none.
    pub fn full_command(&self) -> Vec<u8> {
        let line = self.cmdline.strip_suffix(b"\0").unwrap_or(&self.cmdline);
        if line.is_empty() {
            return self.comm.clone();
        }
        line.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect()
    }
}

/// The last component of a path.
pub(crate) fn base_name(path: &[u8]) -> &[u8] {
    std::path::Path::new(OsStr::from_bytes(path)).file_name().map_or(path, OsStr::as_bytes)
}

/// How an owner is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnerSource {
    /// Its descriptor was verified for this record.
    Proven,
    /// It held the socket earlier in this life.
    Remembered,
    /// The socket is not accepted yet: the owner of the one listener it can have come from.
    Listener,
    /// Some processes may not be read, so it cannot be told.
    Denied,
    /// Nobody is known to hold it.
    Unknown,
}

/// A descriptor of a socket in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub pid: i32,
    /// When it started, in clock ticks since boot.
    pub start: u64,
    /// The thread whose descriptor table it is in; the pid where the process has but one table.
    pub task: i32,
    /// The number of the descriptor.
    pub fd: i32,
}

impl Holder {
    /// The identity of the process.
    pub const fn process(&self) -> (i32, u64) {
        (self.pid, self.start)
    }

    /// What the holders of one socket are put in order by.
    const fn order(&self) -> (u64, i32, i32) {
        (self.start, self.pid, self.fd)
    }
}

/// Brings the holders of one socket into the order of their processes' start, each once.
fn put_in_order(holders: &mut Vec<Holder>) {
    holders.sort_unstable_by_key(Holder::order);
    holders.dedup_by_key(|holder| (holder.pid, holder.fd));
}

/// What a record says about owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// The main owner.
    pub main: Option<Rc<Process>>,
    /// All holders found, with their processes.
    pub holders: Vec<(Holder, Rc<Process>)>,
    /// How this is known.
    pub source: OwnerSource,
}

impl Attribution {
    /// Whether an owner satisfies the filter, or the socket's own user where there is none.
    pub fn satisfies(&self, filter: &ProcessFilter, uid: Option<u32>) -> bool {
        match self.main {
            Some(_) => self.matches(filter),
            None => filter.matches_socket_uid(uid),
        }
    }

    /// Whether any of the owners satisfies the filter.
    pub fn matches(&self, filter: &ProcessFilter) -> bool {
        let holders = self.holders.iter().map(|(_, process)| process);
        self.main.iter().chain(holders).any(|process| filter.matches(process) == Match::Yes)
    }
}
