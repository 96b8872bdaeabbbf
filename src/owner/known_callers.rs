//! The processes in whose system calls sockets change their states. There may be thousands of such calls a
//! second, so that each process is read once in a while.

use crate::model::process::{Caller, Process};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::rc::Rc;

/// What was read of a process holds for so long (µs): no pid is used again so soon.
const HOLDS: u64 = 50_000;
/// With so many processes, those are forgotten of which nothing holds any more.
const MANY: usize = 1024;

/// What was read of the processes that have called lately.
#[derive(Debug, Default)]
pub(crate) struct KnownCallers(HashMap<i32, KnownCaller, RandomState>);

#[derive(Debug)]
struct KnownCaller {
    caller: Caller,
    process: Rc<Process>,
    /// The boot time (µs) of the call for which it was read.
    read_for: u64,
}

impl KnownCaller {
    const fn holds_at(&self, time: u64) -> bool {
        time.abs_diff(self.read_for) < HOLDS
    }
}

impl KnownCallers {
    /// The process of a call at this boot time (µs), by `read` if nothing is known of it that holds.
    pub(crate) fn describe(
        &mut self,
        caller: &Caller,
        time: u64,
        read: impl FnOnce() -> Process,
    ) -> Rc<Process> {
        if let Some(known) = self.0.get(&caller.pid)
            && known.caller == *caller
            && known.holds_at(time)
        {
            return Rc::clone(&known.process);
        }
        let mut process = read();
        if process.has_started_after(time) {
            // It has the pid of the one that called.
            process = Process::unreadable(caller.pid).named(caller);
        }
        let process = Rc::new(process);
        if !process.is_unknown() {
            if self.0.len() >= MANY {
                self.0.retain(|_, known| known.holds_at(time));
            }
            let (caller, process) = (caller.clone(), Rc::clone(&process));
            self.0.insert(caller.pid, KnownCaller { caller, process, read_for: time });
        }
        process
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_is_read_once_in_a_while() {
        let mut known = KnownCallers::default();
        let mut reads = 0;
        let mut call = |pid: i32, comm: &[u8], time| {
            let caller = Caller { pid, comm: Some(comm.to_vec()), is_descendant: false };
            known.describe(&caller, time, || {
                reads += 1;
                Process { start: 7, ..Process::unknown(pid) }.named(&caller)
            })
        };
        for time in 0..100 {
            assert_eq!(call(1, b"client", time).comm, b"client");
            assert_eq!(call(2, b"server", time).comm, b"server");
        }
        assert_eq!(call(2, b"renamed", 100).comm, b"renamed");
        call(1, b"client", HOLDS);
        assert_eq!(reads, 4);
    }

    /// It has got the pid of the one that called, which ended meanwhile.
    #[test]
    fn a_process_that_was_started_later_has_not_called() {
        let caller = Caller { pid: 7, comm: Some(b"client".to_vec()), is_descendant: false };
        let called = |time| {
            let read = || Process {
                start: 100,
                comm: b"other".to_vec(),
                cmdline: b"other\0".as_slice().into(),
                ..Process::unknown(7)
            };
            let process = KnownCallers::default().describe(&caller, time, read);
            (process.start, process.comm.clone(), process.cmdline.to_vec())
        };
        assert_eq!(called(999_999), (0, b"client".to_vec(), Vec::new()));
        assert_eq!(called(1_000_000), (100, b"other".to_vec(), b"other\0".to_vec()));
    }

    #[test]
    fn processes_that_do_not_call_any_more_are_forgotten() {
        let mut known = KnownCallers::default();
        for pid in 1..10_000 {
            let caller = Caller { pid, comm: None, is_descendant: false };
            let time = u64::from(pid.unsigned_abs()) * HOLDS;
            known.describe(&caller, time, || Process { start: 7, ..Process::unknown(pid) });
        }
        assert!(known.0.len() <= MANY);
    }
}
