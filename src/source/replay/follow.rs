//! A recording that is still being written, read as it grows.
//!
//! A recorder that rotates its file finishes the one that was moved away, and continues in a new one
//! of the same name. So they are read: the old file to its end, then the new one.

use super::state::InputState;
use crate::error::{Error, RecordingError, Result};
use crate::file_watch::FileWatch;
use crate::signals::Signals;
use rustix::fd::AsFd;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often the file is checked where the file system does not report changes.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A file that grows.
pub(super) struct GrowingFile<'a> {
    path: PathBuf,
    file: File,
    /// How many bytes of it have been read.
    read: u64,
    /// The last of them.
    last: u8,
    changes: FileWatch,
    /// The user has been warned that the next file cannot be opened.
    has_warned: bool,
    signals: &'a Signals,
    state: Rc<InputState>,
}

impl<'a> GrowingFile<'a> {
    pub(super) fn open(path: &Path, signals: &'a Signals, state: Rc<InputState>) -> Result<Self> {
        let failed = |cause| Error::System { what: "wait for a file to grow", cause };
        let changes = FileWatch::new(path).map_err(failed)?;
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(RecordingError::NotAFile(path.to_owned()).into());
        }
        let file = File::open(path).map_err(|cause| Error::read(path, cause, ""))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            read: 0,
            last: b'\n',
            changes,
            has_warned: false,
            signals,
            state,
        })
    }

    /// Waits until something has changed.
    fn wait(&mut self) -> io::Result<()> {
        self.state.wait(self.signals, Instant::now() + CHECK_INTERVAL, self.changes.as_fd())?;
        self.changes.take_change();
        Ok(())
    }

    /// The next file, which has this one's name now, once there is something in it.
    fn next_file(&mut self) -> io::Result<Option<File>> {
        let identity = |found: &Metadata| (found.dev(), found.ino());
        let ours = self.file.metadata()?;
        let Ok(there) = std::fs::metadata(&self.path) else { return Ok(None) };
        if identity(&there) == identity(&ours) || there.len() == 0 {
            return Ok(None);
        }
        match File::open(&self.path) {
            Ok(file) => Ok(Some(file)),
            Err(cause) => {
                if !std::mem::replace(&mut self.has_warned, true) {
                    let path = self.path.display();
                    let warning =
                        format!("the new {path} cannot be read: {cause}; waiting until it can");
                    self.state.warnings.borrow_mut().push(warning);
                }
                Ok(None)
            }
        }
    }

    /// Starts over if the file was truncated.
    fn rewind_if_truncated(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() < self.read {
            self.file.seek(SeekFrom::Start(0))?;
            self.read = 0;
        }
        Ok(())
    }

    fn read_more(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read += read as u64;
        if let Some(last) = buffer[..read].last() {
            self.last = *last;
        }
        Ok(read)
    }
}

impl Read for GrowingFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let read = self.read_more(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            let Some(next) = self.next_file()? else {
                self.rewind_if_truncated()?;
                self.wait()?;
                continue;
            };
            // It may have been finished just before the next one was begun.
            let read = self.read_more(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            (self.file, self.read, self.has_warned) = (next, 0, false);
            if std::mem::replace(&mut self.last, b'\n') != b'\n' {
                // An incomplete line does not run into the first line of the next file.
                buffer[0] = b'\n';
                return Ok(1);
            }
        }
    }
}
