//! When a run has to end: a signal, its time, or a reader that went away. Every wait goes here, and
//! so does whatever else wants attention meanwhile: a call for a report, a key, a terminal of
//! another size.

use crate::error::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGWINCH};
use signal_hook::{flag, low_level};
use std::cell::Cell;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a run that has to end waits for a reader that takes nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longer than any run.
const FOREVER: Duration = Duration::from_hours(24 * 366);

/// Waits, and knows when to give up.
#[derive(Debug)]
pub struct Signals {
    /// Readable once a signal that ends the run has come.
    ended: UnixStream,
    sender: UnixStream,
    /// Readable when there is a call.
    calls: UnixStream,
    caller: UnixStream,
    report: Arc<AtomicBool>,
    suspend: Arc<AtomicBool>,
    /// Signals that are meant for a command, with whether they have come.
    passed_on: Vec<(i32, Arc<AtomicBool>)>,
    /// Keys are listened to.
    keys: Cell<bool>,
    interrupted: Cell<bool>,
    hangups: Option<Hangups>,
    deadline: Cell<Option<Instant>>,
    watch_reader: bool,
}

/// SIGHUP, where it is caught.
#[derive(Debug)]
struct Hangups {
    /// Readable once one has come.
    came: UnixStream,
    /// The run has a terminal, and the end of that is its own.
    end_with_terminal: bool,
    /// One has come that asks for a recording to be opened anew.
    taken: Cell<bool>,
}

/// What a wait ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The time waited for has come, or somebody wants to know how things stand now.
    Due,
    /// There is something to read.
    Readable,
    /// The run is over.
    Signals,
    /// The run is over because nobody reads standard output any more.
    ReaderGone,
}

/// What somebody asked for while the run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// The timelines so far: SIGUSR1.
    pub report: bool,
    /// To be stopped from the terminal: SIGTSTP.
    pub suspend: bool,
}

impl Signals {
    /// Catches SIGINT and SIGTERM; stops by itself after `duration`. SIGUSR1 is a call.
    pub fn new(duration: Option<Duration>) -> Result<Self> {
        // A duration beyond the clock's range is no limit.
        let deadline = duration.and_then(|duration| Instant::now().checked_add(duration)).into();
        // A hang-up of a terminal comes as a signal; a pipe's reader goes silently.
        let watch_reader = !io::stdout().is_terminal();
        let stop = Self { deadline, watch_reader, ..Self::deaf()? };
        stop.ends_by(&[SIGINT, SIGTERM])?;
        Ok(stop)
    }

    /// For the time of a command: signals are meant for that, and its end, as of everything it has
    /// started, is a call. Standard output is the command's.
    pub fn of_command(signals: &[i32]) -> Result<Self> {
        let mut stop = Self::deaf()?;
        stop.passed_on = signals.iter().map(|signal| (*signal, Arc::default())).collect();
        for (signal, came) in &stop.passed_on {
            stop.call_by(*signal, came)?;
        }
        stop.call_by(SIGCHLD, &Arc::default())?;
        Ok(stop)
    }

    /// Hears SIGUSR1 alone.
    fn deaf() -> Result<Self> {
        let (signals, sender) = UnixStream::pair().map_err(uncaught)?;
        let (calls, caller) = UnixStream::pair().map_err(uncaught)?;
        calls.set_nonblocking(true).map_err(uncaught)?;
        let stop = Self {
            ended: signals,
            sender,
            calls,
            caller,
            report: Arc::default(),
            suspend: Arc::default(),
            passed_on: Vec::new(),
            keys: Cell::new(false),
            interrupted: Cell::new(false),
            hangups: None,
            deadline: Cell::default(),
            watch_reader: false,
        };
        stop.call_by(SIGUSR1, &stop.report)?;
        Ok(stop)
    }

    /// Sets the end of the run, or none.
    pub fn end_at(&self, deadline: Option<Instant>) {
        self.deadline.set(deadline);
    }

    /// The signals for the command that have come since the last time.
    pub fn passed_on(&self) -> Vec<i32> {
        let came = |(signal, came): &(i32, Arc<AtomicBool>)| {
            came.swap(false, Ordering::Relaxed).then_some(*signal)
        };
        self.passed_on.iter().filter_map(came).collect()
    }

    /// From now on also minds what happens to a terminal that is drawn on: another size, a stop
    /// from the keyboard, its end. Every such signal is a call, or ends the run.
    pub fn mind_terminal(&self) -> Result<()> {
        self.ends_by(&[SIGQUIT])?;
        if self.hangups.is_none() {
            self.ends_by(&[SIGHUP])?;
        }
        self.call_by(SIGWINCH, &Arc::default())?;
        self.call_by(SIGTSTP, &self.suspend)
    }

    /// From now on the key `q` ends the run.
    pub fn mind_keys(&self) {
        self.keys.set(true);
    }

    /// What was asked for since the last time.
    pub fn calls(&self) -> Calls {
        let called = |flag: &AtomicBool| flag.swap(false, Ordering::Relaxed);
        Calls { report: called(&self.report), suspend: called(&self.suspend) }
    }

    /// Whether a signal or a key ended the run.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.get()
    }

    /// Whether a signal that ends the run has come since this was asked last.
    pub fn take_signal(&self) -> Result<bool> {
        let mut fds = [PollFd::new(&self.ended, PollFlags::IN)];
        poll_for(&mut fds, Duration::ZERO)?;
        let came = !fds[0].revents().is_empty();
        if came {
            self.interrupted.set(true);
            let _ = (&self.ended).read(&mut [0; 64]);
        }
        Ok(came)
    }

    /// Something that another thread calls to end a wait early.
    pub fn waker(&self) -> Result<impl FnOnce() + Send + 'static> {
        let mut caller = self.caller.try_clone().map_err(uncaught)?;
        // Where so many calls are waiting already that there is no room, one more is not needed.
        Ok(move || drop(caller.write(&[0])))
    }

    /// Whether the time of the run is over.
    pub fn is_time_over(&self) -> bool {
        self.deadline.get().is_some_and(|deadline| deadline <= Instant::now())
    }

    fn ends_by(&self, signals: &[i32]) -> Result<()> {
        for signal in signals {
            let sender = self.sender.try_clone().map_err(uncaught)?;
            low_level::pipe::register(*signal, sender).map_err(uncaught)?;
        }
        Ok(())
    }

    /// A signal that sets a flag, and then wakes.
    fn call_by(&self, signal: i32, set: &Arc<AtomicBool>) -> Result<()> {
        flag::register(signal, Arc::clone(set)).map_err(uncaught)?;
        let caller = self.caller.try_clone().map_err(uncaught)?;
        low_level::pipe::register(signal, caller).map(|_| ()).map_err(uncaught)
    }

    /// Catches SIGHUP too. It asks for a recording to be opened anew; only where it comes because
    /// the run's terminal is gone it ends the run, unless those signals were `ignored` before.
    pub fn catch_hangups(&mut self, ignored: bool) -> Result<()> {
        let came = catch(&[SIGHUP])?;
        came.set_nonblocking(true).map_err(uncaught)?;
        let end_with_terminal = !ignored && has_terminal();
        self.hangups = Some(Hangups { came, end_with_terminal, taken: Cell::new(false) });
        Ok(())
    }

    /// Whether a SIGHUP has asked for a recording to be opened anew since this was asked last.
    pub fn take_hangup(&self) -> bool {
        self.hangups.as_ref().is_some_and(|hangups| hangups.taken.take())
    }

    /// Goes on where nobody reads standard output: the exit status is the answer.
    #[must_use]
    pub const fn whoever_reads(mut self) -> Self {
        self.watch_reader = false;
        self
    }

    /// Waits until `due`, or until the run has to end.
    pub fn wait(&self, due: Instant) -> Result<Wake> {
        self.wait_for(due, None)
    }

    /// Waits until there is something to read, until `due`, or until the run has to end.
    pub fn wait_for(&self, due: Instant, source: Option<BorrowedFd<'_>>) -> Result<Wake> {
        loop {
            let until = self.deadline.get().map_or(due, |deadline| deadline.min(due));
            let left = until.saturating_duration_since(Instant::now());
            let wake = self.poll(left, source)?;
            let now = Instant::now();
            let over = self.is_time_over();
            match wake {
                // However much there is to read, a run ends in time.
                None | Some(Wake::Readable) if over => return Ok(Wake::Signals),
                Some(wake) => return Ok(wake),
                None if due <= now => return Ok(Wake::Due),
                None => {}
            }
        }
    }

    /// Waits until standard output takes a piece of at most `PIPE_BUF` bytes without blocking. If
    /// the run has to end meanwhile, a slow reader still gets what has been seen, but one that
    /// has stopped reading holds up no Ctrl-C.
    pub fn wait_writable(&self) -> Result<Wake> {
        let stdout = io::stdout();
        let out = || PollFd::new(&stdout, PollFlags::OUT);
        loop {
            let left = match self.deadline.get() {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => FOREVER,
            };
            let mut fds = [out(), PollFd::new(&self.ended, PollFlags::IN)];
            poll_for(&mut fds, left)?;
            let [writable, signals] = fds.map(|fd| fd.revents());
            if !writable.is_empty() {
                // An error or a hang-up is for the write to report.
                return Ok(Wake::Due);
            }
            if !signals.is_empty() || self.interrupted.get() || self.is_time_over() {
                break;
            }
        }
        let mut fds = [out()];
        poll_for(&mut fds, PATIENCE)?;
        Ok(if fds[0].revents().is_empty() { Wake::Signals } else { Wake::Due })
    }

    /// Looks for a signal, a closed pipe, a call, a key or something to read for at most `left`.
    fn poll(&self, left: Duration, source: Option<BorrowedFd<'_>>) -> Result<Option<Wake>> {
        let (stdout, stdin) = (io::stdout(), io::stdin());
        let signals = self.ended.as_fd();
        let reader = if self.watch_reader { stdout.as_fd() } else { signals };
        let keys = if self.keys.get() { stdin.as_fd() } else { signals };
        let hangups = self.hangups.as_ref().map_or(signals, |hangups| hangups.came.as_fd());
        let mut fds = [
            PollFd::from_borrowed_fd(signals, PollFlags::IN),
            PollFd::from_borrowed_fd(hangups, PollFlags::IN),
            // No event asked for: an error or a hang-up is always told.
            PollFd::from_borrowed_fd(reader, PollFlags::empty()),
            PollFd::from_borrowed_fd(source.unwrap_or(signals), PollFlags::IN),
            PollFd::new(&self.calls, PollFlags::IN),
            PollFd::from_borrowed_fd(keys, PollFlags::IN),
        ];
        poll_for(&mut fds, left)?;
        let [signals, hangups, reader, source, calls, keys] = fds.map(|fd| fd.revents());
        let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
        let hung_up = !hangups.is_empty() && self.hangups.as_ref().is_some_and(Hangups::is_the_end);
        Ok(if !signals.is_empty() || hung_up || !keys.is_empty() && self.wants_to_quit() {
            self.interrupted.set(true);
            Some(Wake::Signals)
        } else if reader.intersects(gone) {
            Some(Wake::ReaderGone)
        } else if !calls.is_empty() {
            self.hear_calls();
            Some(Wake::Due)
        } else {
            (!source.is_empty()).then_some(Wake::Readable)
        })
    }

    /// Whether a key that was pressed ends the run.
    fn wants_to_quit(&self) -> bool {
        let mut keys = [0; 64];
        match rustix::io::read(io::stdin(), &mut keys) {
            Ok(0) | Err(_) => {
                self.keys.set(false);
                false
            }
            Ok(read) => keys[..read].iter().any(|key| matches!(key, b'q' | b'Q')),
        }
    }

    /// Empties the pipe of the calls: their flags tell what they were.
    fn hear_calls(&self) {
        let mut calls = [0; 64];
        while matches!((&self.calls).read(&mut calls), Ok(read) if read > 0) {}
    }
}

fn uncaught(cause: io::Error) -> Error {
    Error::System { what: "catch signals", cause }
}

impl Hangups {
    /// Takes in the signals that came; whether they mean the end of the run.
    fn is_the_end(&self) -> bool {
        let mut signals = [0; 64];
        while (&self.came).read(&mut signals).is_ok_and(|read| read > 0) {}
        self.taken.set(true);
        self.end_with_terminal && !has_terminal()
    }
}

/// A stream that becomes readable when one of the signals comes.
fn catch(signals: &[i32]) -> Result<UnixStream> {
    let (came, sender) = UnixStream::pair().map_err(uncaught)?;
    for signal in signals {
        let sender = sender.try_clone().map_err(uncaught)?;
        low_level::pipe::register(*signal, sender).map_err(uncaught)?;
    }
    Ok(came)
}

/// Whether there is a controlling terminal.
fn has_terminal() -> bool {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open("/dev/tty", flags, Mode::empty()).is_ok()
}

/// Polls for at most `left`; a signal ends it early.
fn poll_for(fds: &mut [PollFd<'_>], left: Duration) -> Result<()> {
    let timeout = Timespec::try_from(left.min(FOREVER)).ok();
    match poll(fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(Error::System { what: "wait", cause: errno.into() }),
    }
}

/// Whether SIGHUP was ignored when the run began, as nohup(1) has it.
pub fn hangups_are_ignored() -> bool {
    is_ignored(SIGHUP)
}

/// Whether a signal is ignored, as it may have been from the start.
pub fn is_ignored(signal: i32) -> bool {
    let status = procfs::process::Process::myself().and_then(|own| own.status());
    status.is_ok_and(|status| status.sigign & 1 << (signal - 1) != 0)
}
