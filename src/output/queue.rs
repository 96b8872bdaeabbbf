//! Bytes for a stream whose reader may be slow. A thread of its own writes them, so that polling goes
//! on meanwhile: a write may block whatever poll(2) returned before (a terminal reports room for a
//! single byte), and O_NONBLOCK would be set for all processes that share the stream.

use crate::error::{Error, Result};
use crate::signals::Signals;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A pipe that is ready for writing takes this much without blocking (POSIX: 512 or more), and
/// takes it as a whole.
const PIECE: usize = 4096;
/// Small blocks are joined up to this size before they are written.
const BLOCK: usize = 64 * 1024;
/// How long a reader that takes nothing is waited for when the run has to end.
const READER_GRACE: Duration = Duration::from_secs(1);
/// How often a wait looks for signals.
const TICK: Duration = Duration::from_millis(50);

/// A bounded queue of bytes to be written to one stream. Its owner asks [`has_room`](Self::has_room)
/// before it makes the next bytes, and counts what it leaves out.
pub(super) struct Queue {
    blocks: Sender<Vec<u8>>,
    /// The lengths that the thread has written; at last why it cannot write any more.
    written: Receiver<io::Result<usize>>,
    /// Bytes that have not been written yet.
    queued: usize,
    capacity: usize,
    was_full: bool,
    /// Why nothing can be written any more, until that is reported.
    failure: Option<io::Error>,
}

/// How long a queue is waited for.
pub(super) enum Wait<'s> {
    /// Until this instant.
    Until(Instant),
    /// As long as the reader takes something every second.
    WhileRead,
    /// However late the reader begins, until the run has to end: from then on as long as it takes
    /// something every second, and no other signal comes.
    WhileRunning(&'s Signals),
}

impl Queue {
    /// Starts the thread that writes to `stream`. It calls `failed` when nothing can be written
    /// any more; the next [`push`](Self::push) returns why.
    ///
    /// # Errors
    /// The stream cannot be duplicated, or no thread can be started.
    pub(super) fn to(
        stream: &impl AsFd,
        capacity: usize,
        failed: impl FnOnce() + Send + 'static,
    ) -> Result<Self> {
        Self::with_parts(BlockingFile::open(stream)?, capacity, failed)
    }

    /// As [`to`](Self::to), with the writer that the thread uses.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn with_parts(
        stream: impl Write + Send + 'static,
        capacity: usize,
        failed: impl FnOnce() + Send + 'static,
    ) -> Result<Self> {
        let (blocks, to_write) = channel();
        let (progress, written) = channel();
        let write = move || {
            let Err(cause) = write_blocks(stream, &to_write, &progress) else { return };
            // First of all, so that no block is queued behind the error.
            drop(to_write);
            let _ = progress.send(Err(cause));
            failed();
        };
        thread::Builder::new()
            .spawn(write)
            .map_err(|cause| Error::System { what: "start a thread", cause })?;
        Ok(Self { blocks, written, queued: 0, capacity, was_full: false, failure: None })
    }

    /// Adds bytes to the queue, whether or not they have room.
    ///
    /// # Errors
    /// Once: why nothing can be written any more. Later bytes are thrown away.
    pub(super) fn push(&mut self, mut bytes: Vec<u8>) -> Result<()> {
        self.update();
        if let Some(cause) = self.failure.take() {
            return Err(Error::output(cause));
        }
        // The bytes may be queued for long: the spare room of the buffer is given back.
        bytes.shrink_to_fit();
        let length = bytes.len();
        if length > 0 && self.blocks.send(bytes).is_ok() {
            self.queued += length;
        }
        Ok(())
    }

    /// How many bytes have not been written yet.
    pub(super) fn queued(&mut self) -> usize {
        self.update();
        self.queued
    }

    /// Whether the next bytes have room. A queue that was full has room again once half of it is
    /// written: what is left out becomes one long gap instead of many short ones.
    pub(super) fn has_room(&mut self) -> bool {
        let most = if self.was_full { self.capacity / 2 } else { self.capacity };
        self.was_full = self.queued() >= most;
        !self.was_full
    }

    /// Waits for at most `most` bytes to be queued; false if it gave up.
    pub(super) fn wait(&mut self, most: usize, wait: &Wait<'_>) -> bool {
        let mut has_to_end = false;
        if let Wait::WhileRunning(signals) = wait {
            has_to_end = signals.has_to_end();
            // The signal that ended the run does not count again.
            signals.take_signal();
        }
        let mut last_progress = Instant::now();
        while self.queued() > most {
            let left = match wait {
                Wait::Until(deadline) => deadline.saturating_duration_since(Instant::now()),
                Wait::WhileRunning(signals) => {
                    if signals.take_signal() && has_to_end {
                        return false;
                    }
                    if !has_to_end {
                        has_to_end = signals.has_to_end();
                        last_progress = Instant::now();
                    }
                    READER_GRACE.saturating_sub(last_progress.elapsed())
                }
                Wait::WhileRead => READER_GRACE.saturating_sub(last_progress.elapsed()),
            };
            if left.is_zero() {
                return false;
            }
            match self.written.recv_timeout(left.min(TICK)) {
                Ok(written) => {
                    self.note(written);
                    last_progress = Instant::now();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.queued = 0,
            }
        }
        true
    }

    /// Takes in what the thread has written meanwhile.
    fn update(&mut self) {
        while let Ok(written) = self.written.try_recv() {
            self.note(written);
        }
    }

    fn note(&mut self, written: io::Result<usize>) {
        match written {
            Ok(length) => self.queued -= length,
            Err(cause) => (self.failure, self.queued) = (Some(cause), 0),
        }
    }
}

/// Writes blocks and reports the length of each piece, until no more can come or nobody wants to
/// know.
fn write_blocks(
    mut stream: impl Write,
    blocks: &Receiver<Vec<u8>>,
    progress: &Sender<io::Result<usize>>,
) -> io::Result<()> {
    while let Ok(mut block) = blocks.recv() {
        while block.len() < BLOCK
            && let Ok(more) = blocks.try_recv()
        {
            block.extend(more);
        }
        for piece in pieces(&block) {
            stream.write_all(piece)?;
            if progress.send(Ok(piece.len())).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Cuts bytes into pieces that a pipe takes as a whole: as many whole lines as fit; a longer line goes
/// in several.
pub(super) fn pieces(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let most = &bytes[..bytes.len().min(PIECE)];
        let whole_lines = most.iter().rposition(|byte| *byte == b'\n').map(|newline| newline + 1);
        let (piece, rest) = bytes.split_at(whole_lines.unwrap_or(most.len()));
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// A file whose writes block, even where another process has set O_NONBLOCK on the stream that is
/// shared with it.
pub(super) struct BlockingFile(File);

impl BlockingFile {
    /// Duplicates the descriptor of a stream. It is written without the lock of std: a thread that is
    /// stuck in a write would hold that for ever.
    ///
    /// # Errors
    /// There is no descriptor to be had.
    pub(super) fn open(stream: &impl AsFd) -> Result<Self> {
        let descriptor = stream.as_fd().try_clone_to_owned().map_err(Error::output)?;
        Ok(Self(File::from(descriptor)))
    }
}

impl Write for BlockingFile {
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

#[cfg(test)]
pub(super) mod tests;
