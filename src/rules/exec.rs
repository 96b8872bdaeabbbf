//! Programs that are given alerts: run without a shell, one at a time per rule, beside the polling.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What is to be told on standard error by whoever writes there.
#[derive(Clone, Default)]
pub(super) struct Notices(Arc<Mutex<Vec<String>>>);

impl Notices {
    pub(super) fn extend(&self, sentences: impl IntoIterator<Item = String>) {
        locked(&self.0).extend(sentences);
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut locked(&self.0))
    }
}

/// Runs the program of one rule.
pub(super) struct AlertCommand {
    desk: Arc<Desk>,
}

/// Where the work lies.
#[derive(Default)]
struct Desk {
    work: Mutex<Work>,
    changed: Condvar,
}

#[derive(Default)]
struct Work {
    /// The alert that is next: of several that came while a program runs, the latest.
    next: Option<Job>,
    running: bool,
    /// Nothing will come any more.
    closed: bool,
}

/// A program with its arguments, and what it is given to read.
struct Job {
    exec: Vec<String>,
    record: Vec<u8>,
}

impl AlertCommand {
    /// Starts the thread that runs the programs of a rule, one after the other.
    pub(super) fn new(rule: &str, notices: &Notices) -> Self {
        let desk = Arc::new(Desk::default());
        let (of_thread, name, said) = (Arc::clone(&desk), rule.to_owned(), notices.clone());
        let begun = thread::Builder::new().spawn(move || {
            let mut failed = false;
            while let Some(job) = of_thread.next() {
                if let Err(reason) = run(&job)
                    && !std::mem::replace(&mut failed, true)
                {
                    said.extend([format!("rule '{name}': {reason}")]);
                }
            }
        });
        if let Err(cause) = begun {
            notices.extend([format!("rule '{rule}': its program cannot be run: {cause}")]);
        }
        Self { desk }
    }

    /// Has a program run with a record on its standard input, as soon as none is running.
    pub(super) fn give(&self, exec: Vec<String>, record: Vec<u8>) {
        self.desk.lock().next = Some(Job { exec, record });
        self.desk.changed.notify_all();
    }

    /// Waits for what was given to be done, but no longer than until `deadline`.
    pub(super) fn finish(&self, deadline: Instant) {
        let mut work = self.desk.lock();
        while work.running || work.next.is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return;
            }
            let waited = self.desk.changed.wait_timeout(work, left);
            work = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for AlertCommand {
    fn drop(&mut self) {
        self.desk.lock().closed = true;
        self.desk.changed.notify_all();
    }
}

impl Desk {
    /// The next job, once there is one; the one before is done.
    fn next(&self) -> Option<Job> {
        let mut work = self.lock();
        work.running = false;
        self.changed.notify_all();
        loop {
            if let Some(job) = work.next.take() {
                work.running = true;
                return Some(job);
            }
            if work.closed {
                return None;
            }
            work = self.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        locked(&self.work)
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
    let mut child = command.spawn().map_err(|error| format!("cannot run '{program}': {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // It need not read what it is given.
        let _ = stdin.write_all(&job.record);
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("'{program}' failed: {status}")),
        Err(error) => Err(format!("cannot wait for '{program}': {error}")),
    }
}
