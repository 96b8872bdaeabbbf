//! The file of a table, as it is read piece by piece: one of a procfs, a copy of one, or a pipe.

use crate::error::Result;
use crate::signals::{Signals, Wake};
use crate::source::open_nonblocking;
use crate::source::poll::continues;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::fs::{PROC_SUPER_MAGIC, fstatfs};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// A run that has to end waits this long for the rest of a table.
const PIPE_GRACE: Duration = Duration::from_secs(1);
/// Nothing happens after this time but another wait.
const LONG: Duration = Duration::from_secs(3600);

/// A table that is open for reading.
pub(super) struct TableFile {
    file: File,
    is_pipe: bool,
}

/// A file as it was at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileState {
    file: (u64, u64),
    length: u64,
    changed: (i64, i64),
}

/// What ends a wait for a pipe.
pub(super) struct TableWait<'a> {
    /// `None` where nothing is waited for.
    signals: Option<&'a Signals>,
    /// Until when the rest of the tables is waited for, once the run has to end.
    end: Option<Instant>,
}

impl<'a> TableWait<'a> {
    pub(super) const fn none() -> Self {
        Self { signals: None, end: None }
    }

    pub(super) const fn until_end_of(signals: &'a Signals) -> Self {
        Self { signals: Some(signals), end: None }
    }
}

impl TableFile {
    /// Opens a table. A pipe may stand for one; a device or a socket may not.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = open_nonblocking(path)?;
        let kind = file.metadata()?.file_type();
        if !kind.is_file() && !kind.is_fifo() {
            return Err(io::Error::other("a table is a regular file or a pipe"));
        }
        Ok(Self { file, is_pipe: kind.is_fifo() })
    }

    /// Which version of a copy this is; `None` of a table of a procfs or in a pipe, which is new with
    /// every poll.
    pub(super) fn file_state(&self) -> Option<FileState> {
        let found = self.file.metadata().ok().filter(|_| !self.is_pipe && !self.is_procfs())?;
        let changed = (found.mtime(), found.mtime_nsec());
        Some(FileState { file: (found.dev(), found.ino()), length: found.len(), changed })
    }

    /// Only procfs promises that a chunk which leaves room for a row is the last.
    pub(super) fn is_procfs(&self) -> bool {
        is_procfs(&self.file)
    }

    /// Reads the next piece, 0 bytes at the end; `None` if the run is over before there is one.
    ///
    /// # Errors
    /// What cannot be read, as the inner result, and what ends the run.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        table_wait: &mut TableWait<'_>,
    ) -> Result<Option<io::Result<usize>>> {
        loop {
            if self.is_pipe && !self.wait(table_wait)? {
                return Ok(None);
            }
            match self.file.read(buffer) {
                Err(cause) if is_passing(&cause) => {}
                read => return Ok(Some(read)),
            }
        }
    }

    /// Waits until there is something in the pipe; false if the run is over before.
    fn wait(&self, table_wait: &mut TableWait<'_>) -> Result<bool> {
        let Some(signals) = table_wait.signals else { return Ok(false) };
        let end = loop {
            if let Some(end) = table_wait.end {
                break end;
            }
            match signals.wait_for(Instant::now() + LONG, Some(self.file.as_fd()))? {
                Wake::Readable => return Ok(true),
                // A signal came, not the table: a pipe that nobody has opened for writing yet would
                // be read as an empty one.
                wake if continues(wake)? => {}
                _ => table_wait.end = Some(Instant::now() + PIPE_GRACE),
            }
        };
        let left = end.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
        let timeout = Timespec::try_from(left).ok();
        let ready = poll(&mut fds, timeout.as_ref()).unwrap_or_default();
        Ok(ready > 0 && !left.is_zero())
    }
}

/// Whether a read is to be tried again.
fn is_passing(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

/// Whether a file or folder is one of procfs.
pub(super) fn is_procfs(file: &File) -> bool {
    fstatfs(file).is_ok_and(|stat| stat.f_type == PROC_SUPER_MAGIC)
}
