//! Changes in the folder of a file, as the kernel tells them: a watch on the file itself would end
//! with the file's name, which a rename gives to another.

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::fd::{AsFd, BorrowedFd};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Tells of changes.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Readable once something has changed.
    changes: UnixStream,
    /// Tells of changes as long as it lives.
    watcher: RecommendedWatcher,
}

impl Folder {
    /// Of the folder that a file is in.
    pub(crate) fn of(file: &Path) -> io::Result<Self> {
        let (changes, sender) = UnixStream::pair()?;
        changes.set_nonblocking(true)?;
        sender.set_nonblocking(true)?;
        let told = move |event: notify::Result<Event>| {
            // Our own reading is an access, too. An error may hide a change.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                // A full pipe wakes us as well.
                let _ = (&sender).write(&[0]);
            }
        };
        let watcher = notify::recommended_watcher(told).map_err(io::Error::other)?;
        let mut folder = Self { changes, watcher };
        folder.also_of(file)?;
        Ok(folder)
    }

    /// Watches the folder of another file, too.
    pub(crate) fn also_of(&mut self, file: &Path) -> io::Result<()> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        self.watcher.watch(folder, RecursiveMode::NonRecursive).map_err(io::Error::other)
    }

    /// Whether something has changed since it was asked last.
    pub(crate) fn has_changed(&mut self) -> bool {
        let mut told = [0; 256];
        let mut changed = false;
        while self.changes.read(&mut told).is_ok_and(|read| read > 0) {
            changed = true;
        }
        changed
    }
}

/// Readable once something has changed.
impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.changes.as_fd()
    }
}
