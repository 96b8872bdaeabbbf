//! Bytes for a reader who may be slow, or have stopped reading: a thread writes them while polling
//! goes on. A thread, since a write may block whatever poll(2) said before: a terminal promises
//! room for a byte, and O_NONBLOCK would be set for all who share the stream.

pub(crate) mod live;

use crate::error::{Error, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A pipe that is ready for writing takes this much without blocking (POSIX: 512 or more), and
/// takes it as a whole.
const PIECE: usize = 4096;
/// What comes in smaller portions is kept in blocks of this size.
const BLOCK: usize = 64 * 1024;
/// How long a run that has to end waits for a reader that takes nothing.
const MOMENT: Duration = Duration::from_secs(1);
/// Between two looks at what else there is to mind while a reader is waited for.
const LOOK: Duration = Duration::from_millis(50);

/// How long a reader is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// However late he begins.
    Endless,
    /// As long as he takes something every second.
    Short,
    /// Not at all.
    Over,
}

/// What waits to be written to one stream.
pub(super) struct Outbox {
    desk: Arc<Desk>,
}

#[derive(Default)]
struct Desk {
    waiting: Mutex<Waiting>,
    /// There is something to write, or nothing will come any more.
    came: Condvar,
    /// Something was written, or cannot be.
    went: Condvar,
}

#[derive(Default)]
struct Waiting {
    blocks: VecDeque<Vec<u8>>,
    /// All that the stream has not taken yet.
    bytes: usize,
    /// Why nothing can be written any more, until somebody was told.
    failed: Option<io::Error>,
    over: bool,
    /// Who waits: nobody else is woken.
    writer_waits: bool,
    owner_waits: bool,
}

impl Outbox {
    /// Starts the thread that writes to `stream`. It calls `failed` when nothing can be written
    /// any more; the next [`push`](Self::push) says why.
    ///
    /// # Errors
    /// A stream that cannot be had twice, or no thread to be had.
    pub(super) fn to(stream: &impl AsFd, failed: impl FnOnce() + Send + 'static) -> Result<Self> {
        // Not through std's own lock: others write to the stream when its reader has been left.
        let stream = stream.as_fd().try_clone_to_owned().map_err(Error::output)?;
        Self::over(Patient(File::from(stream)), failed)
    }

    /// The same with what is written to already.
    ///
    /// # Errors
    /// No thread to be had.
    pub(super) fn over(
        stream: impl Write + Send + 'static,
        failed: impl FnOnce() + Send + 'static,
    ) -> Result<Self> {
        let desk = Arc::<Desk>::default();
        let of_thread = Arc::clone(&desk);
        let deliver = move || {
            if of_thread.deliver(stream).is_err() {
                failed();
            }
        };
        thread::Builder::new()
            .spawn(deliver)
            .map_err(|cause| Error::System { what: "start a thread", cause })?;
        Ok(Self { desk })
    }

    /// Hands over what is to be written next.
    ///
    /// # Errors
    /// Once: why nothing can be written any more.
    pub(super) fn push(&self, bytes: Vec<u8>) -> Result<()> {
        let mut waiting = self.desk.lock();
        if let Some(cause) = waiting.failed.take() {
            return Err(Error::output(cause));
        }
        if bytes.is_empty() || waiting.over {
            return Ok(());
        }
        waiting.push(bytes);
        if std::mem::take(&mut waiting.writer_waits) {
            self.desk.came.notify_one();
        }
        Ok(())
    }

    /// How many bytes wait.
    pub(super) fn waiting(&self) -> usize {
        self.desk.lock().bytes
    }

    /// Waits, until `deadline` at the latest, for at most `most` bytes to wait; whether it came so.
    pub(super) fn wait_below(&self, most: usize, deadline: Instant) -> bool {
        let mut waiting = self.desk.lock();
        while waiting.bytes > most {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return false;
            }
            waiting = self.desk.wait(waiting, left);
        }
        true
    }

    /// Gives the reader all that waits, as far as there is `patience` with him: that is asked for
    /// again and again. Returns how many bytes he has not taken.
    ///
    /// # Errors
    /// Why nothing can be written any more.
    pub(super) fn finish(&self, mut patience: impl FnMut() -> Patience) -> Result<usize> {
        let (mut left, mut since) = (self.waiting(), Instant::now());
        while left > 0 {
            self.wait_below(left - 1, Instant::now() + LOOK);
            let (now, patience) = (self.waiting(), patience());
            if now < left || patience == Patience::Endless {
                (left, since) = (now, Instant::now());
            }
            if patience == Patience::Over || since.elapsed() >= MOMENT {
                break;
            }
        }
        match self.desk.lock().failed.take() {
            Some(cause) => Err(Error::output(cause)),
            None => Ok(left),
        }
    }
}

impl Drop for Outbox {
    /// Whoever wants all of it written has waited for that.
    fn drop(&mut self) {
        self.desk.lock().end(None);
        self.desk.came.notify_one();
    }
}

impl Desk {
    /// Writes what comes until nothing will.
    fn deliver(&self, mut stream: impl Write) -> std::result::Result<(), ()> {
        while let Some(block) = self.next() {
            for piece in pieces(&block) {
                let written = stream.write_all(piece).and_then(|()| stream.flush());
                self.note(piece.len(), written)?;
            }
        }
        Ok(())
    }

    fn next(&self) -> Option<Vec<u8>> {
        let mut waiting = self.lock();
        loop {
            if let Some(block) = waiting.blocks.pop_front() {
                return Some(block);
            }
            if waiting.over {
                return None;
            }
            waiting.writer_waits = true;
            waiting = self.came.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes down that a piece was written, or why it was not.
    fn note(&self, len: usize, written: io::Result<()>) -> std::result::Result<(), ()> {
        let mut waiting = self.lock();
        let noted = match written {
            Ok(()) => {
                waiting.bytes = waiting.bytes.saturating_sub(len);
                Ok(())
            }
            Err(cause) => {
                waiting.end(Some(cause));
                Err(())
            }
        };
        if std::mem::take(&mut waiting.owner_waits) {
            self.went.notify_one();
        }
        noted
    }

    fn wait<'w>(
        &self,
        mut waiting: MutexGuard<'w, Waiting>,
        most: Duration,
    ) -> MutexGuard<'w, Waiting> {
        waiting.owner_waits = true;
        self.went.wait_timeout(waiting, most).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Nothing that is done under this lock can be left half done.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, mut bytes: Vec<u8>) {
        self.bytes += bytes.len();
        match self.blocks.back_mut() {
            Some(block) if block.len() + bytes.len() <= BLOCK => block.append(&mut bytes),
            _ => {
                // It may wait for long: no room is kept that was only for making it.
                bytes.shrink_to_fit();
                self.blocks.push_back(bytes);
            }
        }
    }

    fn end(&mut self, failed: Option<io::Error>) {
        (self.failed, self.over) = (failed, true);
        (self.blocks, self.bytes) = (VecDeque::new(), 0);
    }
}

/// Waits for room also where somebody else has set O_NONBLOCK on the stream that we share.
struct Patient(File);

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    match poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(errno) => return Err(errno.into()),
                    }
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As many whole lines as fit into a piece; a longer line goes in several.
pub(super) fn pieces(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let most = &bytes[..bytes.len().min(PIECE)];
        let whole_lines = most.iter().rposition(|byte| *byte == b'\n').map(|newline| newline + 1);
        let (piece, rest) = bytes.split_at(whole_lines.unwrap_or(most.len()));
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
pub(super) mod tests;
