//! Whose socket it is: who holds a descriptor of it, and how we know.

pub mod book;
pub mod scan;

use serde::Serialize;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

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

impl Process {
    /// One of which no more than the id is known.
    pub const fn unknown(pid: i32) -> Self {
        Self { pid, start: 0, comm: Vec::new(), exe: Exe::None, cmdline: Vec::new(), uid: None }
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
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// What a record says about owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// The main owner.
    pub main: Option<Process>,
    /// All holders found, with the names of their processes.
    pub holders: Vec<(Holder, Vec<u8>)>,
    /// How this is known.
    pub source: OwnerSource,
}
