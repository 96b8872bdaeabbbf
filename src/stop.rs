//! When a run has to end: a signal, its time, or a reader that went away. Every wait goes here.

use crate::error::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::{self, IsTerminal};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long a run that has to end waits for a reader that takes nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longer than any run.
const FOREVER: Duration = Duration::from_hours(24 * 366);

/// Waits, and knows when to give up.
#[derive(Debug)]
pub struct Stop {
    /// Readable once a signal has come.
    signals: UnixStream,
    deadline: Option<Instant>,
    watch_reader: bool,
}

/// What a wait ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The time waited for has come.
    Due,
    /// There is something to read.
    Readable,
    /// The run is over.
    Stop,
    /// The run is over because nobody reads standard output any more.
    ReaderGone,
}

impl Stop {
    /// Catches SIGINT and SIGTERM; stops by itself after `duration`.
    pub fn new(duration: Option<Duration>) -> Result<Self> {
        let failed = |cause| Error::System { what: "catch signals", cause };
        let (signals, sender) = UnixStream::pair().map_err(failed)?;
        for signal in [SIGINT, SIGTERM] {
            let sender = sender.try_clone().map_err(failed)?;
            signal_hook::low_level::pipe::register(signal, sender).map_err(failed)?;
        }
        // A duration beyond the clock's range is no limit.
        let deadline = duration.and_then(|duration| Instant::now().checked_add(duration));
        // A hang-up of a terminal comes as a signal; a pipe's reader goes silently.
        let watch_reader = !io::stdout().is_terminal();
        Ok(Self { signals, deadline, watch_reader })
    }

    /// Waits until `due`, or until the run has to end.
    pub fn wait(&self, due: Instant) -> Result<Wake> {
        self.wait_for(due, None)
    }

    /// Waits until there is something to read, until `due`, or until the run has to end.
    pub fn wait_for(&self, due: Instant, source: Option<BorrowedFd<'_>>) -> Result<Wake> {
        loop {
            let until = self.deadline.map_or(due, |deadline| deadline.min(due));
            let left = until.saturating_duration_since(Instant::now());
            let wake = self.poll(left, source)?;
            let now = Instant::now();
            let over = self.deadline.is_some_and(|deadline| deadline <= now);
            match wake {
                // However much there is to read, a run ends in time.
                None | Some(Wake::Readable) if over => return Ok(Wake::Stop),
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
            let left = match self.deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => FOREVER,
            };
            let mut fds = [out(), PollFd::new(&self.signals, PollFlags::IN)];
            poll_for(&mut fds, left)?;
            let [writable, signals] = fds.map(|fd| fd.revents());
            if !writable.is_empty() {
                // An error or a hang-up is for the write to report.
                return Ok(Wake::Due);
            }
            if !signals.is_empty() || self.deadline.is_some_and(|end| end <= Instant::now()) {
                break;
            }
        }
        let mut fds = [out()];
        poll_for(&mut fds, PATIENCE)?;
        Ok(if fds[0].revents().is_empty() { Wake::Stop } else { Wake::Due })
    }

    /// Looks for a signal, a closed pipe or something to read for at most `left`.
    fn poll(&self, left: Duration, source: Option<BorrowedFd<'_>>) -> Result<Option<Wake>> {
        let (stdout, signals) = (io::stdout(), self.signals.as_fd());
        let reader = if self.watch_reader { stdout.as_fd() } else { signals };
        let mut fds = [
            PollFd::from_borrowed_fd(signals, PollFlags::IN),
            // No event asked for: an error or a hang-up is always told.
            PollFd::from_borrowed_fd(reader, PollFlags::empty()),
            PollFd::from_borrowed_fd(source.unwrap_or(signals), PollFlags::IN),
        ];
        poll_for(&mut fds, left)?;
        let [signals, reader, source] = fds.map(|fd| fd.revents());
        let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
        Ok(if !signals.is_empty() {
            Some(Wake::Stop)
        } else if reader.intersects(gone) {
            Some(Wake::ReaderGone)
        } else {
            (!source.is_empty()).then_some(Wake::Readable)
        })
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
