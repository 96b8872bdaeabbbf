//! Processes that have not run since they were looked into: what was found in them holds still.
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
//! gone from both: so a holder counts as one only after a look at that descriptor, and as only the
//! sockets asked for are worth one, others are left out of what is found.

use super::process::Reads;
use crate::model::process::Process;
use rustix::buffer::spare_capacity;
use rustix::fs::{Mode, OFlags, openat};
use std::collections::HashMap;
use std::fs::File;

/// Room for this many more processes than were looked at before those are dropped that were not.
const SLACK: usize = 1024;

/// The scheduler's counts of a thread: time run, time waited, times put on a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pulse([u64; 3]);

/// What a process was found to hold.
#[derive(Debug)]
pub(super) enum Sight {
    /// It was not wanted.
    NotLooked,
    /// Its descriptors may not be read.
    Denied,
    /// These sockets: inode and descriptor.
    Sockets(Box<[(u64, i32)]>),
}

/// A process as it was when it was looked at.
#[derive(Debug)]
pub(super) struct Quiet {
    pub(super) pulse: Pulse,
    /// What was read of it.
    pub(super) reads: Reads,
    pub(super) process: Process,
    pub(super) sight: Sight,
}

/// The processes that were looked at, by pid. No more than there are and were at the last look.
#[derive(Debug, Default)]
pub(super) struct Quiets {
    known: HashMap<i32, (Quiet, u32)>,
    /// The number of the look under way, and how many processes it has come across.
    look: u32,
    seen: usize,
    /// One look alone has nothing to remember for.
    on: bool,
}

impl Quiets {
    /// A look at processes begins.
    pub(super) fn begin(&mut self) {
        self.on = self.look > 0;
        self.look = self.look.wrapping_add(1).max(1);
        self.seen = 0;
    }

    /// The counts of a process, where it is worth their while to read them.
    pub(super) fn pulse(&self, procfs: Option<&File>, pid: i32) -> Option<Pulse> {
        if self.on { read_pulse(procfs?, pid) } else { None }
    }

    /// A process, if it has not run since it was looked at.
    pub(super) fn unchanged(&mut self, pid: i32, pulse: Option<Pulse>) -> Option<&Quiet> {
        let (quiet, look) = self.known.get_mut(&pid)?;
        (Some(quiet.pulse) == pulse).then(|| {
            self.seen += 1;
            *look = self.look;
            &*quiet
        })
    }

    /// Remembers a process whose counts were read before it was looked at.
    pub(super) fn remember(&mut self, quiet: Quiet) {
        self.seen += 1;
        self.known.insert(quiet.process.pid, (quiet, self.look));
    }

    /// The look is over: lets go who is gone.
    pub(super) fn end(&mut self) {
        if self.known.len() > 2 * self.seen + SLACK {
            self.known.retain(|_, (_, look)| *look == self.look);
            self.known.shrink_to(2 * self.seen);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

/// `None` where the kernel does not count (`CONFIG_SCHED_INFO`): there all are zero.
fn read_pulse(procfs: &File, pid: i32) -> Option<Pulse> {
    let path = format!("{pid}/schedstat");
    let file = openat(procfs, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = Vec::with_capacity(96);
    rustix::io::read(file, spare_capacity(&mut text)).ok()?;
    parse(&text)
}

fn parse(text: &[u8]) -> Option<Pulse> {
    let mut counts = std::str::from_utf8(text).ok()?.split_ascii_whitespace().map(str::parse);
    let mut next = || counts.next()?.ok();
    let pulse = [next()?, next()?, next()?];
    (pulse[0] > 0 && pulse[2] > 0).then_some(Pulse(pulse))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(pid: i32, ran: u64) -> Quiet {
        let process = Process { start: 1, ..Process::unknown(pid) };
        Quiet { pulse: Pulse([ran, 0, 1]), reads: Reads::ALL, process, sight: Sight::NotLooked }
    }

    #[test]
    fn only_who_has_not_run_is_unchanged() {
        let mut quiets = Quiets::default();
        quiets.begin();
        quiets.remember(quiet(10, 5));
        assert!(quiets.unchanged(10, parse(b"5 0 1\n")).is_some());
        for other in ["6 0 1\n", "5 0 2\n", "0 0 0\n", ""] {
            assert!(quiets.unchanged(10, parse(other.as_bytes())).is_none(), "{other}");
        }
        assert!(quiets.unchanged(11, parse(b"5 0 1\n")).is_none());
    }

    #[test]
    fn who_is_gone_is_forgotten_however_many_come_and_go() {
        let mut quiets = Quiets::default();
        for pid in 1..20_000 {
            quiets.begin();
            quiets.remember(quiet(0, 1));
            quiets.remember(quiet(pid, 1));
            quiets.end();
            assert!(quiets.len() <= SLACK + 4, "{}", quiets.len());
        }
        assert!(quiets.unchanged(0, parse(b"1 0 1")).is_some());
    }
}
