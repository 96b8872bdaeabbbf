//! How far a file that somebody writes has been read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

/// So much of the beginning of a file shows whether it is still the same recording: the first line
/// has the time at which the run began, and how often its file was started again.
const HEAD: usize = 512;

/// A file, and what was read of it.
pub(super) struct ReadFile {
    file: File,
    /// How many bytes of it have been read.
    read: u64,
    /// The first of them.
    head: Vec<u8>,
    /// The last of them.
    last: u8,
}

/// What became of a file since it was read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// At most that something was written behind what was read.
    Grown,
    /// It was emptied or cut, and what was read ends in it or behind it.
    Truncated {
        /// There is less to read again than was read.
        is_shorter: bool,
    },
}

impl ReadFile {
    /// Of which nothing has been read.
    pub(super) const fn new(file: File) -> Self {
        Self { file, read: 0, head: Vec::new(), last: b'\n' }
    }

    /// The file that is read.
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Goes on in another file. A line that this one has left incomplete is still to be ended.
    pub(super) fn go_on_in(&mut self, next: File) {
        (self.file, self.read) = (next, 0);
        self.head.clear();
    }

    /// Goes on with what was written after the file was emptied or cut, where it was.
    pub(super) fn restart_if_truncated(&mut self) -> io::Result<Change> {
        let length = self.file.metadata()?.len();
        let mut head = vec![0; self.head.len()];
        let found = self.file.read_at(&mut head, 0)?;
        let is_same = found == self.head.len() && head == self.head;
        if length >= self.read && is_same {
            return Ok(Change::Grown);
        }
        let before = self.read;
        // Of one that was cut the beginning is known; of another all is new.
        self.read = if is_same { length } else { 0 };
        self.file.seek(SeekFrom::Start(self.read))?;
        if !is_same {
            self.head.clear();
        }
        Ok(Change::Truncated { is_shorter: self.read < before })
    }

    /// Reads what there is; 0 where there is no more yet.
    pub(super) fn read_more(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        let of_head = read.min(HEAD - self.head.len());
        if self.read == self.head.len() as u64 {
            self.head.extend(&buffer[..of_head]);
        }
        self.read += read as u64;
        if let Some(last) = buffer[..read].last() {
            self.last = *last;
        }
        Ok(read)
    }

    /// Ends the line that the end of a file or a cut has left incomplete, so that it does not run
    /// into the next one; whether there was one.
    pub(super) fn end_line(&mut self, buffer: &mut [u8]) -> bool {
        let is_incomplete = std::mem::replace(&mut self.last, b'\n') != b'\n';
        if is_incomplete {
            buffer[0] = b'\n';
        }
        is_incomplete
    }
}
