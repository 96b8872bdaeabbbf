//! Programs that get alerts: run without a shell, one at a time per rule, on a thread of their own,
//! so that they delay no poll.

use crate::error::reason;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// Warnings for standard error, which threads add to and the main loop prints.
#[derive(Clone, Default)]
pub(super) struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    pub(super) fn extend(&self, sentences: impl IntoIterator<Item = String>) {
        locked(&self.0).extend(sentences);
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut locked(&self.0))
    }
}

/// The program of one rule.
pub(super) struct AlertCommand {
    /// The next run: of several that were asked for while the program runs, the latest.
    next: Arc<Mutex<Option<Job>>>,
    /// Wakes the thread; it ends once this is dropped.
    wake: SyncSender<()>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

/// A program with its arguments, and what it reads from standard input.
struct Job {
    exec: Vec<String>,
    record: Vec<u8>,
}

impl AlertCommand {
    /// Starts the thread that runs the programs of a rule, one after the other. The first failure
    /// of a rule gives a warning.
    pub(super) fn new(rule: &str, warnings: &Warnings) -> Self {
        let next = Arc::new(Mutex::new(None));
        let (wake, woken) = sync_channel(1);
        let (ends, ended) = channel();
        let (jobs, name, said) = (Arc::clone(&next), rule.to_owned(), warnings.clone());
        let started = thread::Builder::new().spawn(move || {
            let _ends: Sender<()> = ends;
            let mut failed = false;
            while woken.recv().is_ok() {
                let Some(job) = locked(&jobs).take() else { continue };
                if let Err(reason) = run(&job)
                    && !std::mem::replace(&mut failed, true)
                {
                    said.extend([format!("rule '{name}': {reason}")]);
                }
            }
        });
        if let Err(cause) = started {
            warnings.extend([format!("rule '{rule}': cannot run its program: {}", reason(&cause))]);
        }
        Self { next, wake, ended }
    }

    /// Runs a program with a record on its standard input, as soon as none is running.
    pub(super) fn run(&self, exec: Vec<String>, record: Vec<u8>) {
        *locked(&self.next) = Some(Job { exec, record });
        // A wake-up that is pending will find the job as well.
        let _ = self.wake.try_send(());
    }

    /// Waits until all jobs are done, but no longer than until `deadline`.
    pub(super) fn finish(self, deadline: Instant) {
        drop(self.wake);
        let left = deadline.saturating_duration_since(Instant::now());
        // Nothing is ever sent: it returns when the thread has ended.
        let _ = self.ended.recv_timeout(left);
    }
}

/// Nothing that is done under these locks can be left half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a program to its end. What it prints goes to standard error: records are alone on
/// standard output.
fn run(job: &Job) -> Result<(), String> {
    let Some((program, args)) = job.exec.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(io::stderr());
    let mut child =
        command.spawn().map_err(|error| format!("cannot run '{program}': {}", reason(&error)))?;
    if let Some(mut stdin) = child.stdin.take() {
        // It need not read what it is given.
        let _ = stdin.write_all(&job.record);
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("'{program}' failed: {status}")),
        Err(error) => Err(format!("cannot wait for '{program}': {}", reason(&error))),
    }
}
