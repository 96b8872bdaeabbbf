//! What signals mean that have come.

use rustix::fs::{Mode, OFlags};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGTSTP, SIGUSR1, SIGWINCH};
use std::cell::{Cell, RefCell};

/// What signals have requested while the run goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    /// SIGUSR1: print what there is so far.
    pub(crate) report: bool,
    /// SIGTSTP: the key Ctrl-Z on a terminal that is drawn on.
    pub(crate) suspend: bool,
}

/// What signals mean to a run, and those that have come and were not asked for yet.
#[derive(Debug, Default)]
pub(super) struct Noted {
    requests: Cell<Requests>,
    /// A signal that ends the run has come.
    end_signal: Cell<bool>,
    /// What SIGHUP means; `None` where it ends the run, or is not caught.
    hangup: Option<Hangup>,
    /// Signals that are meant for a command.
    forwarded: Vec<i32>,
    /// Those of them that have come and have not been passed on.
    to_forward: RefCell<Vec<i32>>,
}

/// SIGHUP in a run that is recorded.
#[derive(Debug)]
struct Hangup {
    /// The recording is to be opened again.
    reopen: Cell<bool>,
    /// It ends the run if the run's terminal is gone.
    ends_with_terminal: bool,
}

impl Noted {
    /// Of a run in which these signals are meant for a command.
    pub(super) fn forwarding(forwarded: &[i32]) -> Self {
        Self { forwarded: forwarded.to_vec(), ..Self::default() }
    }

    /// Lets SIGHUP ask for a recording to be opened again. It still ends the run if it comes because
    /// the run's terminal is gone, unless SIGHUP was ignored from the start, as by nohup(1).
    pub(super) fn reopen_on_hangup(&mut self) {
        let ends_with_terminal = !is_ignored(SIGHUP) && has_terminal();
        self.hangup = Some(Hangup { reopen: Cell::new(false), ends_with_terminal });
    }

    /// Notes a signal; whether it ends the run.
    pub(super) fn note(&self, signal: i32) -> bool {
        let requests = self.requests.get();
        match signal {
            SIGUSR1 => self.requests.set(Requests { report: true, ..requests }),
            SIGTSTP => self.requests.set(Requests { suspend: true, ..requests }),
            SIGCHLD | SIGWINCH => {}
            _ if self.forwarded.contains(&signal) => self.to_forward.borrow_mut().push(signal),
            SIGHUP if self.hangup.as_ref().is_some_and(Hangup::note) => {}
            _ => {
                self.end_signal.set(true);
                return true;
            }
        }
        false
    }

    /// The signals for the command that have come since the last call.
    pub(super) fn take_forwarded(&self) -> Vec<i32> {
        self.to_forward.take()
    }

    /// The requests since the last call.
    pub(super) fn take_requests(&self) -> Requests {
        self.requests.take()
    }

    /// Whether SIGHUP has asked for the recording to be opened again since the last call.
    pub(super) fn take_reopen_request(&self) -> bool {
        self.hangup.as_ref().is_some_and(|hangup| hangup.reopen.take())
    }

    /// Whether a signal that ends the run has come since the last call.
    pub(super) fn take_end_signal(&self) -> bool {
        self.end_signal.take()
    }
}

impl Hangup {
    /// Notes a SIGHUP; false if it ends the run.
    fn note(&self) -> bool {
        self.reopen.set(true);
        !self.ends_with_terminal || has_terminal()
    }
}

/// Whether there is a controlling terminal.
fn has_terminal() -> bool {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open("/dev/tty", flags, Mode::empty()).is_ok()
}

/// Whether this process ignores a signal, as its parent may have arranged.
pub(crate) fn is_ignored(signal: i32) -> bool {
    let status = procfs::process::Process::myself().and_then(|own| own.status());
    status.is_ok_and(|status| status.sigign & 1 << (signal - 1) != 0)
}
