//! A recording that is still being written, read as it grows.
//!
//! The kernel tells of changes in its folder, since a watch on the file itself would end with the
//! file's name: a service that rotates its recording moves the old file away, finishes it, and goes
//! on in a new one of the same name. So is it read: the old one to its end, then the new one.

use super::replay_input::State;
use crate::error::{Error, Result};
use crate::stop::Stop;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::fd::AsFd;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
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
    /// Readable once something has changed in the folder.
    changes: UnixStream,
    /// Tells of changes as long as it lives.
    _watcher: RecommendedWatcher,
    /// The new file could not be opened, and that has been told.
    denied: bool,
    stop: &'a Stop,
    state: Rc<State>,
}

impl<'a> Tail<'a> {
    pub(super) fn open(path: &Path, stop: &'a Stop, state: Rc<State>) -> Result<Self> {
        let failed = |cause| Error::System { what: "wait for a file to grow", cause };
        let (changes, sender) = UnixStream::pair().map_err(failed)?;
        changes.set_nonblocking(true).map_err(failed)?;
        sender.set_nonblocking(true).map_err(failed)?;
        let told = move |event: notify::Result<Event>| {
            // Our own reading is an access, too. An error may hide a change.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                // A full pipe wakes us as well.
                let _ = (&sender).write(&[0]);
            }
        };
        let unwatched = |error: notify::Error| failed(io::Error::other(error));
        let mut watcher = notify::recommended_watcher(told).map_err(unwatched)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        watcher.watch(folder, RecursiveMode::NonRecursive).map_err(unwatched)?;
        let file = File::open(path).map_err(|cause| Error::read(path, cause, ""))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            read: 0,
            last: b'\n',
            changes,
            _watcher: watcher,
            denied: false,
            stop,
            state,
        })
    }

    /// Waits until something has changed.
    fn wait(&mut self) -> io::Result<()> {
        self.state.wait(self.stop, Instant::now() + LOOK, self.changes.as_fd())?;
        let mut told = [0; 256];
        while self.changes.read(&mut told).is_ok_and(|read| read > 0) {}
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
