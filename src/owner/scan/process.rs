//! What is read of one process: its names, its user, its start.

use super::entry_file::read_file;
use super::is_denied;
use super::workloads::Workloads;
use crate::filter::ProcessFilter;
use crate::model::process::{Exe, Process, base_name, kept_command};
use crate::privileges::known_uid;
use procfs::ProcResult;
use procfs::process::Process as ProcEntry;
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

/// What is read of a process besides its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // one for each field
pub(super) struct ProcessFields {
    exe: bool,
    cmdline: bool,
    uid: bool,
    workload: bool,
}

impl ProcessFields {
    /// Nothing but its name.
    pub(super) const NONE: Self = Self { exe: false, cmdline: false, uid: false, workload: false };
    pub(super) const ALL: Self = Self { exe: true, cmdline: true, uid: true, workload: true };

    /// What a filter needs.
    pub(super) const fn needed_by(filter: &ProcessFilter) -> Self {
        if filter.for_rules {
            return Self::ALL;
        }
        let cmdline = !filter.patterns.is_empty();
        let workload = filter.shows_workload || !filter.workload.is_empty();
        Self { exe: cmdline && !filter.full, cmdline, uid: !filter.users.is_empty(), workload }
    }
}

/// A process, and what decides how it is searched.
pub(super) struct Described {
    pub(super) process: Process,
    /// It has more threads than its leader.
    pub(super) has_threads: bool,
    /// It was on a processor, or waited for one.
    pub(super) is_running: bool,
    /// It is a thread of the kernel's own: these have no descriptors, also where permission to read them is denied.
    pub(super) is_kernel_thread: bool,
}

/// The one line of `stat`: the name, and some of the fields behind it.
struct Stat<'a> {
    comm: &'a [u8],
    state: u8,
    parent: i32,
    flags: u64,
    threads: u64,
    start: u64,
}

/// A kernel thread (`include/linux/sched.h`).
const PF_KTHREAD: u64 = 0x0020_0000;

/// Reads these fields of a process. One that is not even named, as under `hidepid=1`, may have any
/// name.
///
/// # Errors
/// It is gone.
pub(super) fn describe(
    entry: &ProcEntry,
    fields: ProcessFields,
    workloads: &Workloads,
) -> ProcResult<Described> {
    let line = match read_file(entry, "stat") {
        Err(error) if is_denied(&error) => {
            let process = Process::unreadable(entry.pid());
            return Ok(Described {
                process,
                has_threads: true,
                is_running: true,
                is_kernel_thread: false,
            });
        }
        line => line?,
    };
    let stat = Stat::parse(&line);
    let process = Process {
        pid: entry.pid(),
        start: stat.as_ref().map_or(0, |stat| stat.start),
        comm: stat.as_ref().map_or_else(Vec::new, |stat| stat.comm.to_vec()),
        exe: if fields.exe { executable(entry) } else { Exe::None },
        cmdline: if fields.cmdline { command_line(entry) } else { Arc::default() },
        uid: fields.uid.then(|| status_number(entry, b"Uid:")).flatten().and_then(known_uid),
        workload: fields.workload.then(|| workloads.of(entry)).flatten(),
    };
    Ok(Described {
        process,
        has_threads: stat.as_ref().is_none_or(|stat| stat.threads > 1 || stat.state == b'Z'),
        is_running: stat.as_ref().is_none_or(|stat| stat.state == b'R'),
        is_kernel_thread: stat.is_some_and(|stat| stat.is_kernel_thread()),
    })
}

/// The start of a process (clock ticks since boot), if it still exists.
pub(super) fn start_of(entry: &ProcEntry) -> Option<u64> {
    read_start(entry).ok()?
}

/// The same, `None` where the kernel shows none.
///
/// # Errors
/// It is gone, or cannot be read.
pub(super) fn read_start(entry: &ProcEntry) -> ProcResult<Option<u64>> {
    Ok(Stat::parse(&read_file(entry, "stat")?).map(|stat| stat.start))
}

/// The pid of the process that started this one, or has inherited it.
pub(super) fn parent_of(entry: &ProcEntry) -> Option<i32> {
    Some(Stat::parse(&read_file(entry, "stat").ok()?)?.parent)
}

/// Whether it is a thread of the kernel's own.
pub(super) fn is_kernel_thread(entry: &ProcEntry) -> bool {
    read_file(entry, "stat")
        .is_ok_and(|line| Stat::parse(&line).is_some_and(|stat| stat.is_kernel_thread()))
}

/// The present name of a process, if it is the one with this start.
pub(super) fn name_of(entry: &ProcEntry, start: u64) -> Option<Vec<u8>> {
    let line = read_file(entry, "stat").ok()?;
    let stat = Stat::parse(&line).filter(|stat| stat.start == start)?;
    Some(stat.comm.to_vec())
}

impl<'a> Stat<'a> {
    const fn is_kernel_thread(&self) -> bool {
        self.flags & PF_KTHREAD != 0
    }

    /// The name may contain anything, blanks and brackets too; what follows it contains neither.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let open = line.iter().position(|byte| *byte == b'(')?;
        let close = line.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(line.get(close + 1..)?).ok()?;
        // Numbered as in proc_pid_stat(5).
        let field = |number: usize| rest.split_ascii_whitespace().nth(number - 3);
        Some(Self {
            comm: line.get(open + 1..close)?,
            state: *field(3)?.as_bytes().first()?,
            parent: field(4)?.parse().ok()?,
            flags: field(9)?.parse().ok()?,
            threads: field(20)?.parse().ok()?,
            start: field(22)?.parse().ok()?,
        })
    }
}

fn executable(entry: &ProcEntry) -> Exe {
    match entry.exe() {
        Ok(path) => {
            let path = path.into_os_string().into_vec();
            let name = base_name(&path);
            // The kernel appends this where the file was replaced since the start.
            Exe::Name(name.strip_suffix(b" (deleted)").unwrap_or(name).to_vec())
        }
        Err(error) if is_denied(&error) => Exe::Denied,
        Err(_) => Exe::None,
    }
}

/// The first number of a line of `status`. Another line need not be UTF-8: the name is in one.
pub(super) fn status_number(entry: &ProcEntry, key: &[u8]) -> Option<u32> {
    let status = read_file(entry, "status").ok()?;
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(key))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().next()?.parse().ok()
}

fn command_line(entry: &ProcEntry) -> Arc<[u8]> {
    read_file(entry, "cmdline").map(kept_command).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_bytes_do_not_disturb_the_other_fields() {
        let fields = "S 7 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 3 0 4711 0 0";
        for name in ["server", "a) R 9 (b", "\n \t)", "", "\u{1b}[2J"] {
            let line = format!("12 ({name}) {fields}\n");
            let stat = Stat::parse(line.as_bytes()).unwrap();
            let numbers = (stat.state, stat.parent, stat.threads, stat.start);
            assert_eq!((stat.comm, numbers), (name.as_bytes(), (b'S', 7, 3, 4711)));
        }
        assert_eq!(Stat::parse(b"12 (\xff) S 7").map(|stat| stat.start), None, "cut short");
        for garbage in ["", "(", ")", ")(", "12 server S 7", "12 (x)", "12 (x)\u{e9}"] {
            assert!(Stat::parse(garbage.as_bytes()).is_none(), "{garbage}");
        }
    }
}
