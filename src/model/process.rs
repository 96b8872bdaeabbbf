//! Processes, the socket descriptors they hold, and what is known of the owner of a socket.

use super::escape::escaped;
use super::json::{self, is_default};
use super::workload::{self, MainWorkload, Workload};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::sync::Arc;

/// A clock tick (µs): `USER_HZ` is 100.
const TICK: u64 = 10_000;

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
    /// Its command line, arguments separated by NUL; empty where it was not read. The middle of a
    /// long one is left out.
    #[serde(default, with = "json::shared_name", skip_serializing_if = "is_empty")]
    pub cmdline: Arc<[u8]>,
    /// Its real user; `None` where it was not read or cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// What it runs in; `None` where it was not read.
    #[serde(default, with = "workload::shared", skip_serializing_if = "Option::is_none")]
    pub workload: Option<Arc<Workload>>,
}

/// Of a longer command line only so much is kept, of its beginning and of its end each: any user can
/// make one of megabytes, and a process of it with every fork.
pub(crate) const KEPT_OF_COMMAND: usize = 8 << 10;

/// What stands for the rest of it, as an argument.
const CUT: &[u8] = b"\0...\0";

/// A command line as it is kept.
pub(crate) fn kept_command(mut line: Vec<u8>) -> Vec<u8> {
    if line.len() > 2 * KEPT_OF_COMMAND {
        let end = line.split_off(line.len() - KEPT_OF_COMMAND);
        line.truncate(KEPT_OF_COMMAND);
        line.extend(CUT);
        line.extend(end);
        line.shrink_to_fit();
    }
    line
}

fn is_empty(line: &Arc<[u8]>) -> bool {
    line.is_empty()
}

/// Command lines, of which equal ones are stored once: a server may have thousands of processes with
/// the same long one.
#[derive(Debug, Default)]
pub(crate) struct CommandLines {
    known: HashSet<Arc<[u8]>>,
    /// How many there were after those without a process were dropped.
    kept: usize,
}

impl CommandLines {
    /// Lets a process share its command line with others.
    pub(crate) fn share(&mut self, process: &mut Process) {
        if process.cmdline.is_empty() {
            return;
        }
        if let Some(known) = self.known.get(&process.cmdline) {
            process.cmdline = Arc::clone(known);
            return;
        }
        if self.known.len() > 2 * self.kept + 64 {
            self.known.retain(|line| Arc::strong_count(line) > 1);
            self.kept = self.known.len();
        }
        self.known.insert(Arc::clone(&process.cmdline));
    }
}

/// What is known of a process's executable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenExe", into = "WrittenExe")]
pub enum Exe {
    /// Its base name.
    Name(Vec<u8>),
    /// It was not read, or there is none (a kernel thread).
    None,
    /// It cannot be read, as permission is denied or the process is over: any name is possible.
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
    /// A process of which nothing but the id is known.
    pub fn unknown(pid: i32) -> Self {
        let cmdline = Arc::default();
        let (comm, exe) = (Vec::new(), Exe::None);
        Self { pid, start: 0, comm, exe, cmdline, uid: None, workload: None }
    }

    /// A process that cannot be read, as permission is denied or it is gone.
    pub(crate) fn unreadable(pid: i32) -> Self {
        Self { exe: Exe::Denied, ..Self::unknown(pid) }
    }

    /// Whether `earlier` says more of this process, which could not be read any more. The kernel names
    /// its threads differently; another name may be that of another program, which it runs now.
    pub(crate) fn was_read_as(&self, earlier: &Self) -> bool {
        /// The kernel cuts names at so many bytes.
        const COMM: usize = 15;
        let is_unread = self.exe == Exe::Denied || self.is_unknown();
        let is_program = |name: &[u8]| name.iter().take(COMM).eq(&self.comm);
        let has_name = earlier.comm == self.comm
            || is_program(earlier.argv0())
            || matches!(&earlier.exe, Exe::Name(name) if is_program(name));
        self.pid == earlier.pid
            && is_unread
            && [0, earlier.start].contains(&self.start)
            && (self.comm.is_empty() || has_name)
    }

    /// Whether nothing but its id is known.
    pub(crate) const fn is_unknown(&self) -> bool {
        self.start == 0 && self.comm.is_empty()
    }

    /// What the kernel calls it, safe to print; `None` where no more than its id is known.
    pub fn name(&self) -> Option<String> {
        self.shown_name().map(Cow::into_owned)
    }

    /// The same, for a while.
    pub(crate) fn shown_name(&self) -> Option<Cow<'_, str>> {
        (!self.is_unknown()).then(|| escaped(&self.comm))
    }

    /// The same process with the name in the kernel's event, if that has one.
    #[must_use]
    pub(crate) fn named(mut self, caller: &Caller) -> Self {
        if let Some(comm) = &caller.comm {
            self.comm.clone_from(comm);
        }
        self
    }

    /// Whether it was started after this boot time (µs).
    pub(crate) const fn has_started_after(&self, time: u64) -> bool {
        self.start.saturating_mul(TICK) > time
    }

    /// Its pid and start. The kernel uses a pid again.
    pub(crate) const fn identity(&self) -> (i32, u64) {
        (self.pid, self.start)
    }

    /// The base name of `argv[0]`, as the program itself or a script's interpreter shows it.
    pub(crate) fn argv0(&self) -> &[u8] {
        let first = self.cmdline.split(|byte| *byte == 0).next().unwrap_or_default();
        base_name(first)
    }

    /// Whether its command line was too long to be kept.
    pub(crate) fn is_cut(&self) -> bool {
        self.cmdline.len() > 2 * KEPT_OF_COMMAND
    }

    /// The whole command line as `pgrep -f` sees it: arguments joined by blanks; the kernel's
    /// name where there is none.
    pub(crate) fn full_command(&self) -> Vec<u8> {
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
    /// It was a descendant of the process that follows a command.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_descendant: bool,
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
    /// The [identity](Process::identity) of the process.
    pub(crate) const fn process(&self) -> (i32, u64) {
        (self.pid, self.start)
    }

    /// Whether its process was started less than a second before this boot time (µs). Until a process
    /// runs another program, it has all descriptors of its parent, so it may soon be a holder no more.
    pub(crate) const fn is_new(&self, now: u64) -> bool {
        now.saturating_sub(self.start.saturating_mul(TICK)) < 1_000_000
    }
}

/// How an owner is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[schemars(rename = "owner-source")]
#[serde(rename_all = "lowercase")]
pub enum OwnerSource {
    /// Its descriptor was seen in the reading of this record.
    Proven,
    /// It held the socket earlier.
    Remembered,
    /// No process was seen to hold it, as it is not accepted yet, or was not there for long: a holder of
    /// a listener that it can have come from.
    Listener,
    /// No holder was found, but some processes cannot be inspected.
    Denied,
    /// No holder was found.
    Unknown,
}

/// The owner of a socket.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Attribution {
    /// The main owner: one that the filter matches, if any does.
    #[serde(flatten, serialize_with = "pid_and_name")]
    #[schemars(with = "MainOwnerKeys<'_>")]
    pub main: Option<Rc<Process>>,
    /// All processes found that hold the socket: a list of `pid`, `fd` and `process`, in the order
    /// of their start. Where `owner_source` is `listener`: those that may accept it, if several may.
    #[serde(rename = "owners", serialize_with = "holders")]
    #[schemars(with = "Vec<HolderKeys<'_>>")]
    pub holders: Vec<(Holder, Rc<Process>)>,
    /// How the owner is known: `proven` (its descriptor was verified for this record, or the change was
    /// made by its own system call, see tcplapse-accuracy(7)), `remembered` (held the socket earlier),
    /// `listener` (not accepted yet, or not seen in a process since: a holder of a listener that it can
    /// have come from), or why it is not: `denied` (some processes cannot be inspected), `unknown`.
    #[serde(rename = "owner_source")]
    pub source: OwnerSource,
}

impl Attribution {
    /// What the main owner runs in, for records.
    pub fn workload(&self) -> MainWorkload {
        MainWorkload(self.main.as_ref().and_then(|process| process.workload.clone()))
    }
}

#[allow(clippy::ref_option)] // serde passes the field by reference
fn pid_and_name<S: Serializer>(main: &Option<Rc<Process>>, s: S) -> Result<S::Ok, S::Error> {
    let main = main.as_ref();
    let process = main.and_then(|process| process.shown_name());
    MainOwnerKeys { pid: main.map(|process| process.pid), process }.serialize(s)
}

#[derive(JsonSchema, Serialize)]
struct MainOwnerKeys<'a> {
    /// Process id of the main owner: of the holders that match the filter the one that started
    /// first; null if unknown.
    pid: Option<i32>,
    /// The name that the kernel shows for it.
    process: Option<Cow<'a, str>>,
}

/// A list of objects with the keys `pid`, `fd` and `process`.
fn holders<S: Serializer>(holders: &[(Holder, Rc<Process>)], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(holders.iter().map(|(holder, process)| HolderKeys {
        pid: holder.pid,
        fd: holder.fd,
        process: escaped(&process.comm),
    }))
}

/// A process that holds a socket, with its descriptor.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "holder")]
struct HolderKeys<'a> {
    /// Process id.
    pid: i32,
    /// The number of the descriptor.
    fd: i32,
    /// The name that the kernel shows for the process.
    process: Cow<'a, str>,
}

/// Inodes of sockets. There may be a hundred thousand, each looked up in every poll, so they are
/// hashed fast, yet with a seed: a program that opens sockets has some influence on their numbers.
pub(crate) type Inodes = HashSet<u64, foldhash::fast::RandomState>;

/// A map from the inodes of sockets.
pub(crate) type ByInode<T> = HashMap<u64, T, foldhash::fast::RandomState>;
