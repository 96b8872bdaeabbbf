//! A recording that is still being written, read as it grows.
//!
//! A recorder that rotates its file finishes the one that was moved away, and continues in a new one
//! of the same name. So they are read: the old file to its end, then the new one.

use super::ring::{self, RingFiles, open_newest};
use super::state::InputState;
use crate::error::{Error, RecordingError, Result, reason};
use crate::file_watch::FileWatch;
use crate::signals::Signals;
use crate::source::open_nonblocking;
use rustix::fd::AsFd;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often the file is checked where the file system does not report changes.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// So much of the beginning of a file shows whether it is still the same recording: the first line
/// has the time at which the run began, and how often its file was started again.
const HEAD: usize = 512;

/// A file that grows.
pub(super) struct GrowingFile<'a> {
    path: PathBuf,
    file: File,
    /// How many bytes of it have been read.
    read: u64,
    /// The first of them.
    head: Vec<u8>,
    /// The last of them.
    last: u8,
    /// The other files, where the recording is a ring.
    ring: Option<RingFiles>,
    /// The number of the last one that was there when this file was opened.
    newest_before: u64,
    /// `None` where the system does not report changes, and before the first wait.
    changes: Option<FileWatch>,
    has_waited: bool,
    /// The user has been warned that the next file cannot be opened.
    has_warned: bool,
    signals: &'a Signals,
    state: Rc<InputState>,
}

impl<'a> GrowingFile<'a> {
    pub(super) fn open(path: &Path, signals: &'a Signals, state: Rc<InputState>) -> Result<Self> {
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(RecordingError::NotAFile(path.to_owned()).into());
        }
        let ring = RingFiles::of(path);
        let file = open_newest(path, ring.as_ref());
        let file = file.map_err(|cause| Error::read(path, cause, ""))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            newest_before: newest(ring.as_ref()),
            ring,
            read: 0,
            head: Vec::new(),
            last: b'\n',
            changes: None,
            has_waited: false,
            has_warned: false,
            signals,
            state,
        })
    }

    fn warn(&self, what: &str) {
        self.state.warnings.borrow_mut().push(format!("{} {what}", self.path.display()));
    }

    /// Waits until something may have changed. The watch takes a thread, which it shall not take from
    /// what cannot do without; so it begins with the first wait, and what came before is read first.
    fn wait(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_waited, true) {
            match FileWatch::new(&self.path) {
                Ok(changes) => self.changes = Some(changes),
                Err(cause) => {
                    self.warn(&format!("is read once a second: {}", reason(&cause)));
                }
            }
            return Ok(());
        }
        let changes = self.changes.as_ref().map(AsFd::as_fd);
        self.state.wait(self.signals, Instant::now() + CHECK_INTERVAL, changes)?;
        if let Some(changes) = &self.changes {
            changes.take_change();
        }
        Ok(())
    }

    /// The file that is read.
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// The next file, once there is something in it: of a ring the one that was begun after this
    /// one, else the one that has this one's name now.
    fn next_file(&mut self) -> io::Result<Option<File>> {
        let ours = self.file.metadata()?;
        let Ok(there) = std::fs::metadata(&self.path) else { return Ok(None) };
        if ring::identity(&there) == ring::identity(&ours) || there.len() == 0 {
            return Ok(None);
        }
        if let Some((number, next)) = self.next_segment(&ours) {
            self.newest_before = number;
            return Ok(Some(next));
        }
        match open_nonblocking(&self.path) {
            Ok(file) => {
                self.newest_before = newest(self.ring.as_ref());
                Ok(Some(file))
            }
            Err(cause) => {
                if !std::mem::replace(&mut self.has_warned, true) {
                    self.warn(&format!(
                        "was replaced, and the new file cannot be read: {}; waiting until it can",
                        reason(&cause)
                    ));
                }
                Ok(None)
            }
        }
    }

    /// The file of a ring that was begun after this one and has been renamed, too, with its number:
    /// a slow reader finds several.
    fn next_segment(&self, ours: &Metadata) -> Option<(u64, File)> {
        let (mut newer, mut after) = (Vec::new(), self.newest_before);
        for segment in self.ring.as_ref()?.segments() {
            let Some((found, file)) = segment.open(ours.uid()) else { continue };
            if ring::identity(&found) == ring::identity(ours) {
                newer.clear();
                after = segment.number;
            } else if segment.number > after {
                newer.push((segment.number, file));
            }
        }
        newer.into_iter().next()
    }

    /// Goes on with what was written after the file was emptied or cut, where it was.
    fn restart_if_truncated(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let mut head = vec![0; self.head.len()];
        let found = self.file.read_at(&mut head, 0)?;
        let is_same = found == self.head.len() && head == self.head;
        if length >= self.read && is_same {
            return Ok(());
        }
        // Of one that was cut the beginning is known; of another all is new.
        self.read = if is_same { length } else { 0 };
        self.file.seek(SeekFrom::Start(self.read))?;
        if !is_same {
            self.head.clear();
        }
        self.warn("was cut while it was read; what follows is shown");
        Ok(())
    }

    fn read_more(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
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
    fn end_line(&mut self, buffer: &mut [u8]) -> bool {
        let is_incomplete = std::mem::replace(&mut self.last, b'\n') != b'\n';
        if is_incomplete {
            buffer[0] = b'\n';
        }
        is_incomplete
    }
}

/// The number of the newest file of a ring that has been renamed; 0 if there is none.
fn newest(ring: Option<&RingFiles>) -> u64 {
    ring.and_then(|ring| ring.segments().pop()).map_or(0, |newest| newest.number)
}

impl Read for GrowingFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let before = self.read;
            self.restart_if_truncated()?;
            if self.read < before && self.end_line(buffer) {
                return Ok(1);
            }
            let read = self.read_more(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            let Some(next) = self.next_file()? else {
                self.wait()?;
                continue;
            };
            // It may have been finished just before the next one was begun.
            let read = self.read_more(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            (self.file, self.read, self.has_warned) = (next, 0, false);
            self.head.clear();
            if self.end_line(buffer) {
                return Ok(1);
            }
        }
    }
}
