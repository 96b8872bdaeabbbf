//! A recording that is still being written, read as it grows.
//!
//! A recorder that rotates its file finishes the one that was moved away, and continues in a new one
//! of the same name. So they are read: the old file to its end, then the new one.

use super::next_file::NextFile;
use super::read_file::{Change, ReadFile};
use super::state::InputState;
use crate::error::{Error, RecordingError, Result, reason};
use crate::file_watch::FileWatch;
use crate::signals::Signals;
use rustix::fd::AsFd;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often the file is checked where the file system does not report changes.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A file that grows.
pub(super) struct GrowingFile<'a> {
    path: PathBuf,
    current: ReadFile,
    next: NextFile,
    /// `None` where the system does not report changes, and before the first wait.
    changes: Option<FileWatch>,
    has_waited: bool,
    signals: &'a Signals,
    state: Rc<InputState>,
}

impl<'a> GrowingFile<'a> {
    pub(super) fn open(path: &Path, signals: &'a Signals, state: Rc<InputState>) -> Result<Self> {
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(RecordingError::NotAFile(path.to_owned()).into());
        }
        let opened = NextFile::open(path, &state);
        let (file, next) = opened.map_err(|cause| Error::read(path, cause, ""))?;
        Ok(Self {
            path: path.to_owned(),
            current: ReadFile::new(file),
            next,
            changes: None,
            has_waited: false,
            signals,
            state,
        })
    }

    fn warn(&self, what: &str) {
        warn(&self.state, &self.path, what);
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
        self.current.file()
    }

    /// Goes on where a file was cut; whether a line is ended in the buffer because of that.
    fn follow_cut(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let Change::Truncated { is_shorter } = self.current.restart_if_truncated()? else {
            return Ok(false);
        };
        self.warn("was cut while it was read; what follows is shown");
        Ok(is_shorter && self.current.end_line(buffer))
    }

    /// The file in which the recording goes on, once there is one.
    fn next_file(&mut self) -> io::Result<Option<File>> {
        let (state, path) = (&self.state, &self.path);
        self.next.find(self.current.file(), state, |what| warn(state, path, what))
    }
}

fn warn(state: &InputState, path: &Path, what: &str) {
    state.warnings.borrow_mut().push(format!("{} {what}", path.display()));
}

impl Read for GrowingFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.follow_cut(buffer)? {
                return Ok(1);
            }
            let read = self.current.read_more(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            let Some(next) = self.next_file()? else {
                self.wait()?;
                continue;
            };
            // It may have been finished just before the next one was begun.
            let read = self.current.read_more(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            self.current.go_on_in(next);
            if self.current.end_line(buffer) {
                return Ok(1);
            }
        }
    }
}
