//! A recording that keeps what happened last: its file is renamed from time to time, a new one is
//! begun, and the oldest of those that were renamed are removed.
//!
//! Each file begins as the first file of a run does, with a poll of all sockets and their owners, so
//! nothing is lost with another one but what it shows itself.

use super::file::RecordFile;
use crate::error::{Error, Result};
use crate::recording::{self, segment};
use crate::settings::record::Keep;
use crate::trusted_path::Place;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// What is kept is in about so many files: one of them more than was asked for is kept, and without
/// the oldest one all but as much is.
const FILES: u32 = 8;
/// A reading that takes more than this part of the room is not written: a file of half the room,
/// such a reading and the beginning of the next file have to fit.
const LARGEST_READING: u64 = 4;

/// The files of a recording.
#[derive(Debug)]
pub(super) struct Ring {
    keep: Keep,
    place: Place,
    /// Those that are not written to any more, the oldest first.
    segments: VecDeque<Segment>,
    /// The highest number of one so far, removed ones included: a follower goes by it.
    newest: u64,
    /// When the file that is written to begins (wall clock, µs).
    begun: i64,
    /// The length of what it begins with: all sockets and their owners; 0 until it is written.
    beginning: u64,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    length: u64,
    /// When it was written to last (wall clock, µs).
    ended: i64,
}

/// Why lines are not written.
#[derive(Debug)]
pub(super) enum NotWritten {
    /// There is no room for them now.
    NoRoom(String),
    /// The file cannot be written.
    Failed(io::Error),
}

impl From<io::Error> for NotWritten {
    fn from(cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::NoRoom(cause.to_string())
            }
            _ => Self::Failed(cause),
        }
    }
}

impl Ring {
    /// Finds the files that a recording has already.
    ///
    /// # Errors
    /// A folder that cannot be read or written, or whose way others have a hand in.
    pub(super) fn open(path: &Path, keep: Keep) -> Result<Self> {
        let failed = |cause| Error::Record { path: path.to_owned(), cause };
        let planted = |distrust| Error::Planted { path: path.to_owned(), distrust };
        let place = Place::of(path).map_err(failed)?.map_err(planted)?;
        place.check_writable().map_err(failed)?;
        let mut segments = Vec::new();
        for name in place.names().map_err(failed)? {
            let Some(number) = segment::number(place.name(), &name) else { continue };
            segments.extend(found(&place, number, &name).map_err(failed)?);
        }
        segments.sort_unstable_by_key(|segment| segment.number);
        let newest = segments.last().map_or(0, |newest| newest.number);
        Ok(Self { keep, place, segments: segments.into(), newest, begun: 0, beginning: 0 })
    }

    /// The file that is written to has begun.
    pub(super) const fn begin(&mut self, at: i64) {
        (self.begun, self.beginning) = (at, 0);
    }

    /// Whether the next file is to be begun before a reading; a poll if possible, since that begins
    /// with all sockets anyway.
    pub(super) fn is_due(&self, now: i64, file: &RecordFile, before_poll: bool) -> bool {
        // Where the clock was set back, nothing else would end the file.
        let age = Duration::from_micros(now.abs_diff(self.begun));
        let is_old = self.keep.time.is_some_and(|time| age >= time / FILES);
        let is_long = self.keep.size.is_some_and(|size| {
            let (usual, longest) = (size / u64::from(FILES), size / 2);
            let length = file.length();
            length >= (2 * self.beginning).clamp(usual, longest) && before_poll
                || length >= longest + longest / 2
        });
        is_old && before_poll || is_long
    }

    /// Renames the file that is written to, after which a new one has to be opened. `ended`: when it
    /// was written to last.
    ///
    /// # Errors
    /// Where it cannot be renamed.
    pub(super) fn rotate(&mut self, file: &RecordFile, ended: i64) -> io::Result<()> {
        let Some(file_there) = file.regular() else { return Ok(()) };
        loop {
            self.newest = self.newest.checked_add(1).ok_or(io::ErrorKind::AlreadyExists)?;
            let number = self.newest;
            let name = segment::name(self.place.name(), number);
            match self.place.rename(file_there, &name) {
                Ok(true) => {
                    self.segments.push_back(Segment { number, length: file.length(), ended });
                    return Ok(());
                }
                // Somebody has moved it away.
                Ok(false) => return Ok(()),
                // A file of another user, or no recording.
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(cause),
            }
        }
    }

    /// Removes the files that ended too long ago.
    ///
    /// # Errors
    /// Where one cannot be removed.
    pub(super) fn expire(&mut self, now: i64) -> io::Result<()> {
        let Some(time) = self.keep.time else { return Ok(()) };
        // The clock was set back: otherwise it would stay, and all that came after it.
        for segment in &mut self.segments {
            segment.ended = segment.ended.min(now);
        }
        let age = |segment: &Segment| now.saturating_sub(segment.ended);
        let time = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        while self.segments.front().is_some_and(|oldest| age(oldest) > time) {
            self.remove_oldest()?;
        }
        Ok(())
    }

    /// Appends lines to the file, and removes old files as far as that takes their room.
    ///
    /// # Errors
    /// Where the lines are not written: none of them are.
    pub(super) fn write(
        &mut self,
        file: &mut RecordFile,
        lines: &[u8],
    ) -> std::result::Result<(), NotWritten> {
        let length = lines.len() as u64;
        if let Some(size) = self.keep.size {
            if length > size / LARGEST_READING {
                return Err(NotWritten::NoRoom(format!(
                    "what one poll shows takes {} KiB, and --keep has to be at least \
                     {LARGEST_READING} times as much",
                    length >> 10
                )));
            }
            let room = size.saturating_sub(file.length() + length);
            while self.segments.iter().map(|segment| segment.length).sum::<u64>() > room {
                self.remove_oldest()?;
            }
        }
        loop {
            match file.write(lines).map_err(NotWritten::from) {
                Err(NotWritten::NoRoom(_)) if !self.segments.is_empty() => self.remove_oldest()?,
                Err(not_written) => return Err(not_written),
                Ok(()) => break,
            }
        }
        if self.beginning == 0 {
            self.beginning = length;
        }
        Ok(())
    }

    fn remove_oldest(&mut self) -> io::Result<()> {
        if let Some(oldest) = self.segments.pop_front() {
            let name = segment::name(self.place.name(), oldest.number);
            self.place.remove_beside(&name)?;
        }
        Ok(())
    }
}

/// A file that was found: a segment if it is a recording.
fn found(place: &Place, number: u64, name: &OsStr) -> io::Result<Option<Segment>> {
    let Some(file) = place.open_beside(name)? else { return Ok(None) };
    let mut head = Vec::new();
    (&file).take(recording::HEAD as u64).read_to_end(&mut head)?;
    if !head.is_empty() && !recording::is_header(&head) {
        return Ok(None);
    }
    let found = file.metadata()?;
    let ended = found.mtime().saturating_mul(1_000_000).saturating_add(found.mtime_nsec() / 1000);
    Ok(Some(Segment { number, length: found.len(), ended }))
}
