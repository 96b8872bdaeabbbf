//! Watches files for changes with inotify. It is the folder of a file that is watched: a watch on
//! the file itself would stay with it when a rename puts another file in its place.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::io;
use std::path::Path;

/// Watches the folders of files. Its descriptor is readable while there is a change that
/// [`FileWatch::take_change`] has not returned. It takes no thread.
#[derive(Debug)]
pub(crate) struct FileWatch {
    changes: OwnedFd,
}

impl FileWatch {
    /// Watches the folder of a file, which need not exist.
    ///
    /// # Errors
    /// Where the system has no more watches to give, or none at all.
    pub(crate) fn new(file: &Path) -> io::Result<Self> {
        let watch = Self { changes: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)? };
        watch.add(file)?;
        Ok(watch)
    }

    /// Watches the folder of another file, too.
    ///
    /// # Errors
    /// As for [`FileWatch::new`].
    pub(crate) fn add(&self, file: &Path) -> io::Result<()> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Not ACCESS and OPEN: our own reading is one.
        let changes = WatchFlags::ATTRIB
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF;
        inotify::add_watch(&self.changes, folder.unwrap_or(Path::new(".")), changes)?;
        Ok(())
    }

    /// Whether anything in the folders has changed since the last call.
    pub(crate) fn take_change(&self) -> bool {
        let mut events = [0_u8; 4096];
        let mut changed = false;
        // What the events say does not matter; one that was lost has others before it.
        while rustix::io::read(&self.changes, &mut events).is_ok_and(|read| read > 0) {
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
