//! The command as a child process, and what becomes of orphans.

use crate::error::{Error, Result};
use crate::signals::Signals;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpgrp, kill_process, wait};
use rustix::termios::tcgetpgrp;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::process::Command;
use std::time::{Duration, Instant};

/// What is sent to us and meant for the command.
pub(super) const SIGNALS: [i32; 5] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2];

/// The statuses of a shell for a command that is not there, and for one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;
/// A look at the command between two of its calls.
const PAUSE: Duration = Duration::from_secs(1);

/// The command while it runs, and its status after.
pub(super) struct Child {
    pid: Pid,
    status: Option<u8>,
    /// Something that it has started still runs, after its own end.
    left_others: bool,
}

/// Why there is no child.
pub(super) struct Failed {
    pub(super) sentence: String,
    pub(super) status: u8,
}

impl Child {
    /// Starts the command with our standard streams.
    pub(super) fn start(words: &[OsString]) -> std::result::Result<Self, Failed> {
        let (program, arguments) = words.split_first().expect("checked: there is a command");
        match Command::new(program).args(arguments).spawn() {
            Ok(child) => {
                Ok(Self { pid: Pid::from_child(&child), status: None, left_others: false })
            }
            Err(error) => {
                let missing = error.kind() == ErrorKind::NotFound;
                let program = program.display();
                Err(Failed {
                    sentence: format!("cannot run {program}: {error}"),
                    status: if missing { NOT_FOUND } else { NOT_EXECUTABLE },
                })
            }
        }
    }

    /// Whether it still runs. Orphans that have ended are seen off too.
    pub(super) fn is_running(&mut self) -> Result<bool> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.pid => {
                    let code = status.exit_status();
                    let signal = status.terminating_signal().map(|signal| 128 + signal);
                    // Both are below 256.
                    self.status = code.or(signal).and_then(|status| u8::try_from(status).ok());
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                // As orphans become our children, all that it started has ended where we have none.
                ended @ (Ok(None) | Err(Errno::CHILD)) => {
                    self.left_others = ended.is_ok();
                    return Ok(self.status.is_none());
                }
                Err(errno) => {
                    return Err(Error::System {
                        what: "wait for the command",
                        cause: errno.into(),
                    });
                }
            }
        }
    }

    /// Whether something that it has started still runs, after its own end.
    pub(super) const fn left_others(&self) -> bool {
        self.left_others
    }

    /// Passes signals on, but for those that the keyboard has sent to both.
    pub(super) fn pass_on(&self, signals: &[i32]) {
        for signal in signals {
            let from_keyboard = matches!(*signal, SIGINT | SIGQUIT) && is_in_foreground();
            if let Some(signal) = Signal::from_named_raw(*signal).filter(|_| !from_keyboard) {
                // It may have ended meanwhile, and is not seen off yet: its pid is its own.
                let _ = kill_process(self.pid, signal);
            }
        }
    }

    /// Waits for its end, and returns its status.
    pub(super) fn wait(mut self, stop: &Signals) -> Result<u8> {
        while self.is_running()? {
            stop.wait(Instant::now() + PAUSE)?;
            self.pass_on(&stop.take_forwarded());
        }
        Ok(self.status.unwrap_or_default())
    }
}

/// Whether the keys of our terminal reach us and the command alike.
fn is_in_foreground() -> bool {
    let of_terminal = tcgetpgrp(io::stdin()).or_else(|_| tcgetpgrp(io::stderr()));
    of_terminal.is_ok_and(|group| group == getpgrp())
}
