//! The command as a child process, and the processes that it leaves behind.

use crate::error::{Error, Result, reason};
use crate::signals::Signals;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpgrp, kill_process, wait};
use rustix::termios::tcgetpgrp;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::process::Command;
use std::time::{Duration, Instant};

/// The signals that are passed on to the command.
pub(super) const SIGNALS: [i32; 5] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2];

/// The exit statuses of a shell for a command that is not found, and for one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;
/// How often the command is checked without a SIGCHLD.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The command, running or ended.
pub(super) struct Child {
    pid: Pid,
    /// Its exit status as a shell reports it; `None` while it runs.
    status: Option<u8>,
    /// Processes that it has started still run.
    left_others: bool,
}

/// Why the command was not started, and the exit status for that.
pub(super) struct Failed {
    pub(super) sentence: String,
    pub(super) status: u8,
}

impl Child {
    /// Starts the command, with the standard streams of this process.
    pub(super) fn start(words: &[OsString]) -> std::result::Result<Self, Failed> {
        let (program, arguments) = words.split_first().expect("checked: there is a command");
        match Command::new(program).args(arguments).spawn() {
            Ok(child) => {
                Ok(Self { pid: Pid::from_child(&child), status: None, left_others: false })
            }
            Err(error) => {
                let missing = error.kind() == ErrorKind::NotFound;
                let remedy = match error.kind() {
                    ErrorKind::NotFound => "check its name and PATH",
                    ErrorKind::PermissionDenied => "name a program that you may execute",
                    _ => "name a program of this machine, or a script that begins with #!",
                };
                Err(Failed {
                    sentence: format!(
                        "cannot run {}: {}; {remedy}",
                        program.display(),
                        reason(&error)
                    ),
                    status: if missing { NOT_FOUND } else { NOT_EXECUTABLE },
                })
            }
        }
    }

    /// Whether the command still runs. Also reaps the orphans that have ended.
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
                // Orphans become our children: without a child, all that it started has ended.
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

    /// Whether processes that the command has started still run after its own end.
    pub(super) const fn left_others(&self) -> bool {
        self.left_others
    }

    /// Sends signals to the command, except those that the keyboard has sent to it, too.
    pub(super) fn pass_on(&self, signals: &[i32]) {
        for signal in signals {
            let from_keyboard = matches!(*signal, SIGINT | SIGQUIT) && is_in_foreground();
            if let Some(signal) = Signal::from_named_raw(*signal).filter(|_| !from_keyboard) {
                // Even if it has ended meanwhile: as long as it is not reaped, no other process has its
                // pid.
                let _ = kill_process(self.pid, signal);
            }
        }
    }

    /// Waits until the command has ended, and returns its exit status.
    pub(super) fn wait(mut self, signals: &Signals) -> Result<u8> {
        while self.is_running()? {
            signals.wait(Instant::now() + CHECK_INTERVAL)?;
            self.pass_on(&signals.take_forwarded());
        }
        Ok(self.status.unwrap_or_default())
    }
}

/// Whether the keyboard sends its signals to this process and to the command.
fn is_in_foreground() -> bool {
    let of_terminal = tcgetpgrp(io::stdin()).or_else(|_| tcgetpgrp(io::stderr()));
    of_terminal.is_ok_and(|group| group == getpgrp())
}
