//! What is read of one process: its names, its user, its start.

use super::is_denied;
use crate::filter::ProcessFilter;
use crate::owner::{Exe, Process, base_name};
use procfs::process::Process as Entry;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;

/// What is read of a process beside its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reads {
    exe: bool,
    cmdline: bool,
    uid: bool,
}

impl Reads {
    pub(super) const ALL: Self = Self { exe: true, cmdline: true, uid: true };

    /// What a filter asks for.
    pub(super) const fn asked(filter: &ProcessFilter) -> Self {
        if filter.for_rules {
            return Self::ALL;
        }
        let cmdline = !filter.patterns.is_empty();
        Self { exe: cmdline && !filter.full, cmdline, uid: !filter.users.is_empty() }
    }
}

/// A process with what decides where to look.
pub(super) struct Described {
    pub(super) process: Process,
    /// It has more threads than its leader.
    pub(super) threads: bool,
}

/// Reads what is asked for of a process.
pub(super) fn describe(entry: &Entry, reads: Reads) -> Described {
    let stat = entry.stat().ok();
    let process = Process {
        pid: entry.pid(),
        start: stat.as_ref().map_or(0, |stat| stat.starttime),
        comm: without_newline(read_file(entry, "comm").unwrap_or_default()),
        exe: if reads.exe { executable(entry) } else { Exe::None },
        cmdline: reads.cmdline.then(|| read_file(entry, "cmdline")).flatten().unwrap_or_default(),
        uid: reads.uid.then(|| status_number(entry, b"Uid:")).flatten(),
    };
    Described {
        process,
        threads: stat.is_none_or(|stat| stat.num_threads > 1 || stat.state == 'Z'),
    }
}

pub(super) fn start_of(entry: &Entry) -> u64 {
    entry.stat().map_or(0, |stat| stat.starttime)
}

fn executable(entry: &Entry) -> Exe {
    match entry.exe() {
        Ok(path) => {
            let path = path.into_os_string().into_vec();
            let name = base_name(&path);
            // A file that was replaced since its start is shown with this behind it.
            Exe::Name(name.strip_suffix(b" (deleted)").unwrap_or(name).to_vec())
        }
        Err(error) if is_denied(&error) => Exe::Denied,
        Err(_) => Exe::None,
    }
}

/// The first number of a line of `status`; a name that is no UTF-8 fails no line but its own.
pub(super) fn status_number(entry: &Entry, key: &[u8]) -> Option<u32> {
    let status = read_file(entry, "status")?;
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(key))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().next()?.parse().ok()
}

pub(super) fn read_file(entry: &Entry, name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.open_relative(name).ok()?.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// comm ends with one newline of the kernel's; any before it are the name's own.
pub(super) fn without_newline(mut comm: Vec<u8>) -> Vec<u8> {
    if comm.last() == Some(&b'\n') {
        comm.pop();
    }
    comm
}
