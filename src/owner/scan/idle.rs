//! Processes that have not run since they were read: what was found in them still holds.
//!
//! A table of descriptors is changed by the process itself, whether it opens, accepts, closes or
//! is handed a descriptor (`recvmsg`, `pidfd_getfd` and what a seccomp supervisor adds all run in
//! the process that gets it). Its size proves nothing, as one may be closed and another opened.
//! But the scheduler counts, to the nanosecond, how long a thread has run, and how often it was put
//! on a processor: where these counts stand still, nothing was done.
//!
//! Only processes of one thread are remembered, for each thread has counts of its own. A table may
//! be shared with another process (`CLONE_FILES` without `CLONE_THREAD`, which hardly anything
//! does): what that one opened, it is found to hold itself, since it has run. What it closed is
//! gone from both: so a holder counts as one only after its descriptor was read again, and as that
//! is done for the wanted sockets alone, others are left out of what is found.

use super::process::ProcessFields;
use crate::model::growth::most_kept;
use crate::model::process::Process;
use rustix::buffer::spare_capacity;
use rustix::fs::{Mode, OFlags, openat};
use std::collections::HashMap;
use std::fs::File;

/// The scheduler's counts of a thread: time run, time waited, times put on a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SchedStat([u64; 3]);

/// What a process was found to hold.
#[derive(Debug)]
pub(super) enum CachedFds {
    /// It was not searched.
    NotSearched,
    /// Permission to read its descriptors is denied.
    Denied,
    /// The inodes of its sockets, with a descriptor each.
    Sockets(Box<[(u64, i32)]>),
}

/// A process as it was when it was read.
#[derive(Debug)]
pub(super) struct IdleProcess {
    pub(super) sched_stat: SchedStat,
    /// What was read of it.
    pub(super) fields: ProcessFields,
    pub(super) process: Process,
    pub(super) fds: CachedFds,
}

/// The processes that were read, by pid: those of the last scan, and not many more.
#[derive(Debug, Default)]
pub(super) struct IdleProcesses {
    /// Each with the number of the last scan that came across it.
    known: HashMap<i32, (IdleProcess, u32)>,
    scan: u32,
    /// How many this scan has come across so far.
    seen: usize,
    /// There was a scan before: a single one has nothing to remember for.
    is_on: bool,
}

impl IdleProcesses {
    pub(super) fn start_scan(&mut self) {
        self.is_on = self.scan > 0;
        self.scan = self.scan.wrapping_add(1).max(1);
        self.seen = 0;
    }

    /// The counts of a process; `None` where they are not worth reading, or cannot be read.
    pub(super) fn sched_stat(&self, procfs: Option<&File>, pid: i32) -> Option<SchedStat> {
        if self.is_on { SchedStat::read(procfs?, pid) } else { None }
    }

    /// A process, if it has not run since it was remembered.
    pub(super) fn get(&mut self, pid: i32, now: Option<SchedStat>) -> Option<&IdleProcess> {
        let (process, scan) = self.known.get_mut(&pid)?;
        (Some(process.sched_stat) == now).then(|| {
            self.seen += 1;
            *scan = self.scan;
            &*process
        })
    }

    /// Remembers a process whose counts were read before all else.
    pub(super) fn remember(&mut self, process: IdleProcess) {
        self.seen += 1;
        self.known.insert(process.process.pid, (process, self.scan));
    }

    /// Drops processes that are gone, once there are many.
    pub(super) fn finish_scan(&mut self) {
        if self.known.len() > most_kept(self.seen) {
            self.known.retain(|_, (_, scan)| *scan == self.scan);
            self.known.shrink_to(2 * self.seen);
        }
    }
}

impl SchedStat {
    fn read(procfs: &File, pid: i32) -> Option<Self> {
        let path = format!("{pid}/schedstat");
        let file = openat(procfs, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let mut text = Vec::with_capacity(96);
        rustix::io::read(file, spare_capacity(&mut text)).ok()?;
        Self::parse(&text)
    }

    /// `None` where the kernel does not count (`CONFIG_SCHED_INFO`): there all are zero.
    fn parse(text: &[u8]) -> Option<Self> {
        let mut counts = std::str::from_utf8(text).ok()?.split_ascii_whitespace().map(str::parse);
        let mut next = || counts.next()?.ok();
        let counts = [next()?, next()?, next()?];
        (counts[0] > 0 && counts[2] > 0).then_some(Self(counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(pid: i32, ran: u64) -> IdleProcess {
        let process = Process { start: 1, ..Process::unknown(pid) };
        let (sched_stat, fds) = (SchedStat([ran, 0, 1]), CachedFds::NotSearched);
        IdleProcess { sched_stat, fields: ProcessFields::ALL, process, fds }
    }

    #[test]
    fn only_a_process_with_the_same_counts_is_idle() {
        let mut processes = IdleProcesses::default();
        processes.start_scan();
        processes.remember(idle(10, 5));
        assert!(processes.get(10, SchedStat::parse(b"5 0 1\n")).is_some());
        for other in ["6 0 1\n", "5 0 2\n", "0 0 0\n", ""] {
            assert!(processes.get(10, SchedStat::parse(other.as_bytes())).is_none(), "{other}");
        }
        assert!(processes.get(11, SchedStat::parse(b"5 0 1\n")).is_none());
    }

    #[test]
    fn processes_that_are_gone_are_dropped() {
        let mut processes = IdleProcesses::default();
        for pid in 1..20_000 {
            processes.start_scan();
            processes.remember(idle(0, 1));
            processes.remember(idle(pid, 1));
            processes.finish_scan();
            assert!(processes.known.len() <= most_kept(2), "{}", processes.known.len());
        }
        assert!(processes.get(0, SchedStat::parse(b"1 0 1")).is_some());
    }
}
