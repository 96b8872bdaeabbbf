//! Watches files for changes with inotify. It is the folder of a file that is watched: a watch on
//! the file itself would stay with it when a rename puts another file in its place.

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::fd::{AsFd, BorrowedFd};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Watches the folders of files. Its descriptor is readable while there is a change that
/// [`FileWatch::take_change`] has not returned.
#[derive(Debug)]
pub(crate) struct FileWatch {
    changes: UnixStream,
    /// Writes to the other end of `changes`, until it is dropped.
    watcher: RecommendedWatcher,
}

impl FileWatch {
    /// Watches the folder of a file, which need not exist.
    pub(crate) fn new(file: &Path) -> io::Result<Self> {
        let (changes, sender) = UnixStream::pair()?;
        changes.set_nonblocking(true)?;
        sender.set_nonblocking(true)?;
        let on_event = move |event: notify::Result<Event>| {
            // Our own reading is an access, too. An error may hide a change.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                // If the pipe is full, it is readable already.
                let _ = (&sender).write(&[0]);
            }
        };
        let watcher = notify::recommended_watcher(on_event).map_err(io::Error::other)?;
        let mut watch = Self { changes, watcher };
        watch.add(file)?;
        Ok(watch)
    }

    /// Watches the folder of another file, too.
    pub(crate) fn add(&mut self, file: &Path) -> io::Result<()> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        self.watcher.watch(folder, RecursiveMode::NonRecursive).map_err(io::Error::other)
    }

    /// Whether anything in the folders has changed since the last call.
    pub(crate) fn take_change(&mut self) -> bool {
        let mut bytes = [0; 256];
        let mut changed = false;
        while self.changes.read(&mut bytes).is_ok_and(|read| read > 0) {
            changed = true;
        }
        changed
    }
}

impl AsFd for FileWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.changes.as_fd()
    }
}
