//! What ends a run or wakes it early: signals, its time, a closed standard output, a key on a
//! terminal. Every wait of a run goes through here, so that none of them is missed.

mod keys;
mod pipe;
mod requests;

use crate::error::{Error, Result};
use keys::KeyWatch;
#[cfg(feature = "tui")]
pub(crate) use keys::Keys;
use pipe::SignalPipe;
use requests::Noted;
pub(crate) use requests::{Requests, is_ignored};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGWINCH};
use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

/// Longer than any run.
const FOREVER: Duration = Duration::from_secs(24 * 366 * 3600);
/// The reader of the keys is called again after this time.
const BETWEEN_CALLS: Duration = Duration::from_millis(50);

/// Waits for the time of the next poll, for something to read, and for whatever ends the run.
#[derive(Debug)]
pub struct Signals {
    pipe: SignalPipe,
    noted: Noted,
    /// Something has come that ends a wait, and no wait has ended with it yet.
    is_woken: Cell<bool>,
    /// A signal or a key has ended the run.
    is_interrupted: Cell<bool>,
    deadline: Cell<Option<Instant>>,
    /// When a wait ends early though nothing has come.
    wake_at: Cell<Option<Instant>>,
    watches_stdout: bool,
    keys: KeyWatch,
}

/// What a wait ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// The time waited for has come.
    Due,
    /// Before that time, the run asks how things are now: a signal has come that does not end it, or
    /// the instant of [`Signals::wake_within`].
    Woken,
    /// There is something to read.
    Readable,
    /// The run is over: a signal, a key, its time.
    Ended,
    /// The run is over because the reader of standard output has closed it.
    ReaderGone,
}

impl Signals {
    /// Catches SIGINT and SIGTERM, which end the run, and SIGUSR1. The run ends after `duration`, or
    /// once standard output is closed.
    pub fn new(duration: Option<Duration>) -> Result<Self> {
        // A duration beyond the clock's range is no limit.
        let deadline = duration.and_then(|duration| Instant::now().checked_add(duration));
        let signals = Self::catching(&[SIGINT, SIGTERM])?;
        signals.set_deadline(deadline);
        // The end of a terminal comes as a signal; the reader of a pipe goes without one.
        Ok(Self { watches_stdout: !io::stdout().is_terminal(), ..signals })
    }

    /// For a run that follows a command. Nothing ends it but [`Self::set_deadline`]: `forwarded`
    /// signals are meant for the command. Those, SIGCHLD and SIGUSR1 end a wait.
    pub fn for_command(forwarded: &[i32]) -> Result<Self> {
        let signals = Self::catching(forwarded)?;
        signals.pipe.catch(&[SIGCHLD])?;
        Ok(Self { noted: Noted::forwarding(forwarded), ..signals })
    }

    fn catching(caught: &[i32]) -> Result<Self> {
        let pipe = SignalPipe::open()?;
        pipe.catch(caught)?;
        pipe.catch(&[SIGUSR1])?;
        Ok(Self {
            pipe,
            noted: Noted::default(),
            is_woken: Cell::new(false),
            is_interrupted: Cell::new(false),
            deadline: Cell::new(None),
            wake_at: Cell::new(None),
            watches_stdout: false,
            keys: KeyWatch::default(),
        })
    }

    /// Lets SIGHUP ask for a recording to be opened again. It still ends the run if it comes because
    /// the run's terminal is gone, unless SIGHUP was ignored from the start, as by nohup(1).
    pub(crate) fn reopen_on_hangup(&mut self) -> Result<()> {
        self.noted.reopen_on_hangup();
        self.pipe.catch(&[SIGHUP])
    }

    /// Catches what concerns a terminal that is drawn on: SIGQUIT and SIGHUP end the run, SIGWINCH
    /// and SIGTSTP end a wait.
    pub(crate) fn catch_terminal_signals(&self) -> Result<()> {
        self.pipe.catch(&[SIGQUIT, SIGHUP, SIGWINCH, SIGTSTP])
    }

    /// From now on the key `q` on standard input ends the run.
    pub(crate) fn watch_keys(&self) {
        self.keys.watch();
    }

    /// From now on `reader` is called in every wait when keys have been pressed, with the instant at
    /// which the wait ends.
    #[cfg(feature = "tui")]
    pub(crate) fn watch_keys_with(&self, reader: Box<dyn FnMut(Instant) -> Keys>) {
        self.keys.watch_with(reader);
    }

    /// Lets the reader of the keys be called soon, also without a key.
    #[cfg(feature = "tui")]
    pub(crate) fn call_key_reader(&self, soon: bool) {
        self.keys.call_soon(soon);
    }

    /// Nobody reads keys from now on.
    #[cfg(feature = "tui")]
    pub(crate) fn stop_watching_keys(&self) {
        self.keys.stop();
    }

    /// Waits until something happens that a wait ends with.
    #[cfg(feature = "tui")]
    pub(crate) fn wait_long(&self) -> Result<Wake> {
        self.wait(Instant::now() + FOREVER)
    }

    /// Lets the run go on with a closed standard output, for a command whose result is its exit status.
    #[must_use]
    pub(crate) const fn ignore_closed_stdout(mut self) -> Self {
        self.watches_stdout = false;
        self
    }

    /// Sets when the run ends by itself; `None` for never.
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        self.deadline.set(deadline);
    }

    /// Lets a wait end after this time at the latest, once: sources poll then, however long their
    /// interval.
    pub(crate) fn wake_within(&self, time: Duration) {
        let at = Instant::now().checked_add(time);
        self.wake_at.set(self.wake_at.get().into_iter().chain(at).min());
    }

    /// Whether the instant of [`Self::wake_within`] has come; once.
    fn has_to_wake(&self) -> bool {
        let has_come = self.wake_at.get().is_some_and(|at| at <= Instant::now());
        if has_come {
            self.wake_at.set(None);
        }
        has_come
    }

    /// Something that another thread calls to end a wait early.
    pub(crate) fn waker(&self) -> Result<impl FnOnce() + Send + 'static> {
        self.pipe.waker()
    }

    /// The signals for the command that have come since the last call.
    pub(crate) fn take_forwarded(&self) -> Vec<i32> {
        self.receive();
        self.noted.take_forwarded()
    }

    /// The requests since the last call.
    pub(crate) fn take_requests(&self) -> Requests {
        self.receive();
        self.noted.take_requests()
    }

    /// Whether SIGHUP has asked for the recording to be opened again since the last call.
    pub(crate) fn take_reopen_request(&self) -> bool {
        self.receive();
        self.noted.take_reopen_request()
    }

    /// Whether a signal that ends the run has come since the last call.
    pub(crate) fn take_signal(&self) -> bool {
        self.receive();
        self.noted.take_end_signal()
    }

    /// Whether a signal or a key has ended the run.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.is_interrupted.get()
    }

    /// Whether the run has to end: by a signal, a key, or its time.
    pub(crate) fn has_to_end(&self) -> bool {
        self.is_interrupted() || self.is_time_over()
    }

    /// Whether the time of the run is over.
    fn is_time_over(&self) -> bool {
        self.deadline.get().is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Waits until `due`, or until the run has to end.
    pub(crate) fn wait(&self, due: Instant) -> Result<Wake> {
        self.wait_for(due, None)
    }

    /// Waits until there is something to read, until `due`, or until the run has to end.
    pub(crate) fn wait_for(&self, due: Instant, source: Option<BorrowedFd<'_>>) -> Result<Wake> {
        loop {
            let earlier = [self.deadline.get(), self.wake_at.get()].into_iter().flatten();
            let until = earlier.fold(due, Instant::min);
            let left = until.saturating_duration_since(Instant::now());
            let most = if self.keys.calls_soon() { BETWEEN_CALLS } else { left };
            let wake = self.poll(left.min(most), source, due)?;
            let now = Instant::now();
            match wake {
                // However much there is to read, a run ends in time.
                None | Some(Wake::Readable) if self.is_time_over() => return Ok(Wake::Ended),
                None | Some(Wake::Readable) if self.has_to_wake() => return Ok(Wake::Woken),
                Some(wake) => return Ok(wake),
                None if due <= now => return Ok(Wake::Due),
                None if self.keys.calls_soon() && self.keys.read(due) => {
                    self.is_interrupted.set(true);
                }
                None => {}
            }
        }
    }

    /// Waits at most for `left` of a wait until `due`; `None` where nothing happened.
    fn poll(
        &self,
        left: Duration,
        source: Option<BorrowedFd<'_>>,
        due: Instant,
    ) -> Result<Option<Wake>> {
        let (stdout, stdin) = (io::stdout(), io::stdin());
        let pipe = self.pipe.read_end();
        let signals = pipe.as_fd();
        // What is not watched is replaced by what is.
        let reader = if self.watches_stdout { stdout.as_fd() } else { signals };
        let keys = if self.keys.is_watched() { stdin.as_fd() } else { signals };
        let mut fds = [
            PollFd::from_borrowed_fd(signals, PollFlags::IN),
            // Errors and hang-ups are reported even where no event is requested.
            PollFd::from_borrowed_fd(reader, PollFlags::empty()),
            PollFd::from_borrowed_fd(source.unwrap_or(signals), PollFlags::IN),
            PollFd::from_borrowed_fd(keys, PollFlags::IN),
        ];
        let goes_on = !self.is_interrupted() && !self.is_woken.get();
        poll_for(&mut fds, if goes_on { left } else { Duration::ZERO })?;
        let [signals, reader, source, keys] = fds.map(|fd| fd.revents());
        drop(pipe);
        if !signals.is_empty() {
            self.empty_pipe();
        }
        if !keys.is_empty() && self.keys.is_watched() && self.keys.read(due) {
            self.is_interrupted.set(true);
        }
        let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
        Ok(if self.is_interrupted() {
            Some(Wake::Ended)
        } else if reader.intersects(gone) {
            Some(Wake::ReaderGone)
        } else if self.is_woken.take() {
            Some(Wake::Woken)
        } else {
            (!source.is_empty()).then_some(Wake::Readable)
        })
    }

    /// Notes what signals mean that have come since the last wait. They still end the next one.
    fn receive(&self) {
        if self.pipe.has_signal() {
            self.empty_pipe();
        }
    }

    /// Empties the pipe, and notes what the signals mean that have come.
    fn empty_pipe(&self) {
        self.is_woken.set(true);
        self.pipe.empty(|signal| {
            if self.noted.note(signal) {
                self.is_interrupted.set(true);
            }
        });
    }
}

/// Polls for at most `left`; a signal ends it early.
fn poll_for(fds: &mut [PollFd<'_>], left: Duration) -> Result<()> {
    let timeout = Timespec::try_from(left.min(FOREVER)).ok();
    match poll(fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(Error::System { what: "wait", cause: errno.into() }),
    }
}
