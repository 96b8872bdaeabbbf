//! Processes, the socket descriptors they hold, and what is known of the owner of a socket.

use super::json::{self, is_default};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

/// A process, as far as it was read. Names are bytes: they may hold anything but NUL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its start in clock ticks since boot; 0 if unknown. With the pid it identifies the process.
    pub start: u64,
    /// The kernel's name of it, at most 15 bytes; empty if unknown.
    #[serde(with = "json::name")]
    pub comm: Vec<u8>,
    /// The base name of its executable.
    #[serde(flatten)]
    pub exe: Exe,
    /// Its command line, arguments separated by NUL; empty where it was not read.
    #[serde(default, with = "json::name", skip_serializing_if = "Vec::is_empty")]
    pub cmdline: Vec<u8>,
    /// Its real user; `None` where it was not read or cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
}

/// What is known of a process's executable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenExe", into = "WrittenExe")]
pub enum Exe {
    /// Its base name.
    Name(Vec<u8>),
    /// It was not read, or there is none (a kernel thread).
    None,
    /// No permission to read it: any name is possible.
    Denied,
}

/// An executable as it is written in a recording.
#[derive(Serialize, Deserialize)]
struct WrittenExe {
    #[serde(default, with = "json::optional_name", skip_serializing_if = "Option::is_none")]
    exe: Option<Vec<u8>>,
    #[serde(default, skip_serializing_if = "is_default")]
    exe_denied: bool,
}

impl From<Exe> for WrittenExe {
    fn from(exe: Exe) -> Self {
        match exe {
            Exe::Name(name) => Self { exe: Some(name), exe_denied: false },
            Exe::None => Self { exe: None, exe_denied: false },
            Exe::Denied => Self { exe: None, exe_denied: true },
        }
    }
}

impl From<WrittenExe> for Exe {
    fn from(WrittenExe { exe, exe_denied }: WrittenExe) -> Self {
        match exe {
            Some(name) => Self::Name(name),
            None if exe_denied => Self::Denied,
            None => Self::None,
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

/// The process in whose system call a socket changed its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Its id (that of the thread group).
    pub pid: i32,
    /// The kernel's name of it at that moment, if known.
    #[serde(default, with = "json::optional_name")]
    pub comm: Option<Vec<u8>>,
}

/// A descriptor of a socket in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: i32,
    /// Its start in clock ticks since boot.
    pub start: u64,
    /// The number of the descriptor.
    pub fd: i32,
    /// The thread in whose descriptor table it is; `None` for the table of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<i32>,
}

impl Holder {
    /// The identity of the process.
    pub const fn process(&self) -> (i32, u64) {
        (self.pid, self.start)
    }

    /// What the holders of one socket are put in order by.
    pub(crate) const fn order(&self) -> (u64, i32, i32) {
        (self.start, self.pid, self.fd)
    }
}

/// Brings the holders of one socket into the order of their processes' start, each once.
pub(crate) fn put_in_order(holders: &mut Vec<Holder>) {
    holders.sort_unstable_by_key(Holder::order);
    holders.dedup_by_key(|holder| (holder.pid, holder.fd));
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

/// Inodes of sockets. There may be a hundred thousand, each asked for in every poll, so they are
/// hashed fast, yet by a seed: whoever opens sockets has some say in their numbers.
pub type Inodes = HashSet<u64, foldhash::fast::RandomState>;

/// What is known of sockets by their inodes.
pub type ByInode<T> = HashMap<u64, T, foldhash::fast::RandomState>;
