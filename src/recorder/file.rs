//! The file that a recording is written to. It is only appended to, and only if it is a recording.

use crate::error::{Error, RecordingError, Result};
use crate::recording::{self, Decoder};
use crate::trusted_path::open_for_writing;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::cmp::Ordering;
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// No header is longer.
const LONGEST_HEADER: u64 = 4096;
/// So often a file that another recorder has renamed meanwhile is opened again.
const ATTEMPTS: usize = 5;

/// What somebody else did to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ForeignChange {
    /// It was emptied or cut, as logrotate's `copytruncate` does.
    Truncated,
    /// Something was appended.
    Appended,
}

/// A file open for appending.
#[derive(Debug)]
pub(super) struct RecordFile {
    file: File,
    /// The length of its complete lines; `None` for a pipe or a device.
    length: Option<u64>,
    /// How much of that was written last.
    last_written: u64,
}

impl RecordFile {
    /// Creates the file, readable for its owner alone, or opens one with recordings.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |cause| Error::Record { path: path.to_owned(), cause };
        let planted = |distrust| Error::Planted { path: path.to_owned(), distrust };
        let mut attempts = 0;
        let mut file = loop {
            // A pipe without a reader is an error, nothing to wait for.
            let file = open_for_writing(path, true).map_err(failed)?.map_err(planted)?;
            if !file.metadata().map_err(failed)?.is_file() {
                return Ok(Self { file, length: None, last_written: 0 });
            }
            if !lock(&file) {
                return Err(RecordingError::InUse(path.to_owned()).into());
            }
            attempts += 1;
            // The recorder that has begun another file has unlocked this one.
            if attempts == ATTEMPTS || is_at(path, &file).map_err(failed)? {
                break file;
            }
        };
        let mut head = Vec::new();
        (&file).take(recording::HEAD as u64).read_to_end(&mut head).map_err(failed)?;
        if !may_be_appended_to(&head) {
            return Err(RecordingError::OtherContent(path.to_owned()).into());
        }
        end_last_line(&mut file).map_err(failed)?;
        let length = Some(file.metadata().map_err(failed)?.len());
        Ok(Self { file, length, last_written: 0 })
    }

    /// How long a run has to wait to begin in another second than the last one in the file: the
    /// second is part of the ids of sockets.
    pub(super) fn time_to_next_second(&self) -> Duration {
        let written = self.file.metadata().and_then(|found| found.modified());
        let recorded = self.length.is_some_and(|length| length > 0);
        let (Ok(written), Ok(now), true) =
            (written, SystemTime::now().duration_since(UNIX_EPOCH), recorded)
        else {
            return Duration::ZERO;
        };
        let written = written.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // If the clock was set back, there is nothing to wait for.
        if written == now.as_secs() {
            Duration::from_secs(written + 1).saturating_sub(now)
        } else {
            Duration::ZERO
        }
    }

    /// Whether somebody else has changed the length of the file since the last line was written,
    /// and how.
    ///
    /// # Errors
    /// Where its length cannot be read.
    pub(super) fn foreign_change(&self) -> io::Result<Option<ForeignChange>> {
        let Some(length) = self.length else { return Ok(None) };
        Ok(match self.file.metadata()?.len().cmp(&length) {
            Ordering::Less => Some(ForeignChange::Truncated),
            Ordering::Equal => None,
            Ordering::Greater => Some(ForeignChange::Appended),
        })
    }

    /// Goes on behind what a truncation has left; what is written next has to be a header. Returns
    /// whether the line written last is lost.
    ///
    /// # Errors
    /// Where the file cannot be written, or holds something else by now.
    pub(super) fn restart(&mut self) -> io::Result<bool> {
        // Without the lines before it, what was written just after the truncation cannot be read.
        let is_torn = self.last_written > 0 && self.file.metadata()?.len() == self.last_written;
        if is_torn {
            self.file.set_len(0)?;
        }
        let mut head = [0; recording::HEAD];
        let found = self.file.read_at(&mut head, 0)?;
        if !may_be_appended_to(&head[..found]) {
            return Err(io::Error::other("it is not a recording any more"));
        }
        end_last_line(&mut self.file)?;
        self.length = Some(self.file.metadata()?.len());
        Ok(is_torn)
    }

    /// The length of its complete lines.
    pub(super) fn length(&self) -> u64 {
        self.length.unwrap_or_default()
    }

    /// The file, unless it is a pipe or a device.
    pub(super) fn regular(&self) -> Option<&File> {
        self.length.is_some().then_some(&self.file)
    }

    /// When it begins, and when it was written to last (wall clock, µs); `None` if it is empty, or
    /// no regular file.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(super) fn period(&self) -> io::Result<Option<(i64, i64)>> {
        if self.length() == 0 {
            return Ok(None);
        }
        let written = self.file.metadata()?;
        let written = written.mtime() * 1_000_000 + written.mtime_nsec() / 1000;
        let mut head = vec![0; usize::try_from(self.length().min(LONGEST_HEADER)).unwrap_or(0)];
        self.file.read_exact_at(&mut head, 0)?;
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut decoder = Decoder::default();
        // A header that cannot be read is of another version: its file is not continued for long.
        let is_read = decoder.decode(line).is_ok();
        let begun = decoder.header().filter(|_| is_read).map_or(0, |header| header.begins().wall);
        Ok(Some((begun, written)))
    }

    /// Gives the file the mode and the group of another one, so that those who could read that can
    /// read this.
    pub(super) fn share_like(&self, other: &Self) {
        let (Ok(ours), Ok(theirs)) = (self.file.metadata(), other.file.metadata()) else { return };
        // Without the group, its rights would be another group's.
        let is_given = ours.gid() == theirs.gid()
            || std::os::unix::fs::fchown(&self.file, None, Some(theirs.gid())).is_ok();
        let mode = if is_given { theirs.mode() } else { theirs.mode() & !0o070 };
        let _ = self.file.set_permissions(Permissions::from_mode(mode & 0o777));
    }

    /// Appends lines: all of them or, where there is no room for all, none.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(lines);
        if let Some(length) = &mut self.length {
            match written {
                Ok(()) => {
                    self.last_written = lines.len() as u64;
                    *length += self.last_written;
                }
                Err(_) => self.file.set_len(*length)?,
            }
        }
        written
    }
}

/// Whether a path still leads to a file.
fn is_at(path: &Path, file: &File) -> io::Result<bool> {
    let ours = file.metadata()?;
    let is_ours = |there: Metadata| (there.dev(), there.ino()) == (ours.dev(), ours.ino());
    Ok(std::fs::metadata(path).is_ok_and(is_ours))
}

/// Locks a file against other recorders until it is closed; false if one has locked it. Any process
/// that may read the file can hold a lock for reading, which is not that of a recorder: it is ignored.
#[allow(clippy::cast_possible_truncation)] // the constants are small
fn lock(file: &File) -> bool {
    let whole = |kind: libc::c_int| libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    let mut lock = whole(libc::F_WRLCK);
    match fcntl(file, FcntlArg::F_OFD_SETLK(&lock)) {
        Err(Errno::EAGAIN | Errno::EACCES) => {
            let in_the_way = fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock));
            in_the_way.is_err() || lock.l_type != whole(libc::F_WRLCK).l_type
        }
        // Not every file system has locks.
        _ => true,
    }
}

/// Whether a file that begins so is a recording, or empty.
fn may_be_appended_to(head: &[u8]) -> bool {
    head.is_empty() || recording::is_header(head)
}

/// Ends a line that its writer, when it was killed, left incomplete.
fn end_last_line(file: &mut File) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(())
}
