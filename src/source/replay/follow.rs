//! A recording that is still being written, read as it grows.
//!
//! A service that rotates its recording moves the old file away, finishes it, and goes
//! on in a new one of the same name. So is it read: the old one to its end, then the new one.

use super::state::State;
use crate::error::{Error, Result};
use crate::file_watch::Folder;
use crate::signals::Signals;
use rustix::fd::AsFd;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Some file systems tell nothing: then the file is looked at this often.
const LOOK: Duration = Duration::from_secs(1);

/// A file that grows.
pub(super) struct Tail<'a> {
    path: PathBuf,
    file: File,
    /// How much of it has been read, and how that ended.
    read: u64,
    last: u8,
    changes: Folder,
    /// The new file could not be opened, and that has been told.
    denied: bool,
    stop: &'a Signals,
    state: Rc<State>,
}

impl<'a> Tail<'a> {
    pub(super) fn open(path: &Path, stop: &'a Signals, state: Rc<State>) -> Result<Self> {
        let failed = |cause| Error::System { what: "wait for a file to grow", cause };
        let changes = Folder::of(path).map_err(failed)?;
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            let path = path.display();
            return Err(Error::Usage(format!("{path} is no file that grows: leave out --follow")));
        }
        let file = File::open(path).map_err(|cause| Error::read(path, cause, ""))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            read: 0,
            last: b'\n',
            changes,
            denied: false,
            stop,
            state,
        })
    }

    /// Waits until something has changed.
    fn wait(&mut self) -> io::Result<()> {
        self.state.wait(self.stop, Instant::now() + LOOK, self.changes.as_fd())?;
        self.changes.has_changed();
        Ok(())
    }

    /// The file that has taken this one's name and been begun to be written.
    fn successor(&mut self) -> io::Result<Option<File>> {
        let identity = |found: &Metadata| (found.dev(), found.ino());
        let ours = self.file.metadata()?;
        let Ok(there) = std::fs::metadata(&self.path) else { return Ok(None) };
        if identity(&there) == identity(&ours) || there.len() == 0 {
            return Ok(None);
        }
        match File::open(&self.path) {
            Ok(file) => Ok(Some(file)),
            Err(cause) => {
                if !std::mem::replace(&mut self.denied, true) {
                    let path = self.path.display();
                    let told =
                        format!("the new {path} cannot be read: {cause}; waiting until it can");
                    self.state.notices.borrow_mut().push(told);
                }
                Ok(None)
            }
        }
    }

    /// Begins again where the file was emptied under its name.
    fn notice_truncation(&mut self) -> io::Result<()> {
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

impl Read for Tail<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let read = self.read_more(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            let Some(next) = self.successor()? else {
                self.notice_truncation()?;
                self.wait()?;
                continue;
            };
            // It was finished before the next one was begun.
            let read = self.read_more(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            (self.file, self.read, self.denied) = (next, 0, false);
            if std::mem::replace(&mut self.last, b'\n') != b'\n' {
                // What was cut off does not run into the first line of the next file.
                buffer[0] = b'\n';
                return Ok(1);
            }
        }
    }
}
