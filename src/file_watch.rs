//! Watches files for changes with inotify. It is the folder of a file that is watched: a watch on
//! the file itself would stay with it when a rename puts another file in its place.

use notify::event::{AccessKind, AccessMode};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::fd::{AsFd, BorrowedFd};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Watches the folders of files. Its descriptor is readable while there is a change that
/// [`FileWatch::take_change`] has not returned.
#[derive(Debug)]
pub(crate) struct FileWatch {
    changes: UnixStream,
    /// Its thread writes to the other end of `changes`.
    watcher: RecommendedWatcher,
}

impl FileWatch {
    /// Watches the folder of a file, which need not exist. What changes once this has returned is
    /// not missed.
    ///
    /// # Errors
    /// Where the system has no more watches or threads to give, or no watches at all.
    pub(crate) fn new(file: &Path) -> io::Result<Self> {
        let (changes, sender) = UnixStream::pair()?;
        changes.set_nonblocking(true)?;
        sender.set_nonblocking(true)?;
        let on_event = move |event: notify::Result<Event>| {
            // An error may hide a change.
            if event.is_ok_and(|event| is_of_reading(event.kind)) {
                return;
            }
            // If the stream is full, it is readable already.
            let _ = (&sender).write(&[0]);
        };
        let watcher = notify::recommended_watcher(on_event).map_err(cause)?;
        if is_closed(&changes) {
            // It asks its thread to end when it is dropped, and panics where there is none.
            std::mem::forget(watcher);
            return Err(io::Error::other("no thread can be started"));
        }
        let mut watch = Self { changes, watcher };
        watch.add(file)?;
        Ok(watch)
    }

    /// Watches the folder of another file, too.
    ///
    /// # Errors
    /// As for [`FileWatch::new`].
    pub(crate) fn add(&mut self, file: &Path) -> io::Result<()> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        self.watcher.watch(folder, RecursiveMode::NonRecursive).map_err(cause)
    }

    /// Whether anything in the folders has changed since the last call.
    pub(crate) fn take_change(&self) -> bool {
        let mut bytes = [0; 256];
        let mut changed = false;
        while (&self.changes).read(&mut bytes).is_ok_and(|read| read > 0) {
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

/// Whether an event may come of our own reading. The end of writing is not one:
/// nothing else reports what was written through a mapping.
fn is_of_reading(event: EventKind) -> bool {
    matches!(event, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// Whether nothing holds the other end. A watcher does not say that it has no thread, but what its
/// thread would have called is gone.
fn is_closed(mut changes: &UnixStream) -> bool {
    changes.read(&mut [0]).is_ok_and(|read| read == 0)
}

/// The error without the path, which is the user's own.
fn cause(error: notify::Error) -> io::Error {
    match error.kind {
        ErrorKind::Io(cause) => cause,
        ErrorKind::PathNotFound => io::ErrorKind::NotFound.into(),
        ErrorKind::MaxFilesWatch => {
            io::Error::other("all watches that fs.inotify.max_user_watches allows are in use")
        }
        kind => io::Error::other(notify::Error::new(kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::{Duration, Instant};

    /// Whether a change is reported within a generous time.
    fn is_reported(watch: &FileWatch) -> bool {
        let patience = Instant::now() + Duration::from_secs(30);
        while Instant::now() < patience {
            if watch.take_change() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        false
    }

    #[test]
    fn a_change_right_after_the_watch_is_set_is_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        for round in 0..100 {
            let watch = FileWatch::new(&folder.path().join("file")).expect("a watch");
            fs::write(folder.path().join("file"), round.to_string()).expect("it is ours");
            assert!(is_reported(&watch), "round {round}");
        }
    }

    #[test]
    fn every_kind_of_change_is_told_and_reading_is_none() {
        let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir());
        let (file, other) = (folder.path().join("file"), other.expect("a folder"));
        fs::write(&file, "1").expect("it is ours");
        let mut watch = FileWatch::new(&file).expect("a watch");
        watch.add(&other.path().join("file")).expect("a watch");
        let changes: [&dyn Fn() -> io::Result<()>; 5] = [
            &|| fs::write(&file, "2"),
            &|| fs::rename(&file, folder.path().join("old")),
            &|| fs::rename(folder.path().join("old"), &file),
            &|| fs::remove_file(&file),
            &|| fs::write(other.path().join("file"), "3"),
        ];
        for (number, change) in changes.iter().enumerate() {
            change().expect("it is ours");
            assert!(is_reported(&watch), "change {number}");
            // A change has several events.
            std::thread::sleep(Duration::from_millis(50));
            watch.take_change();
        }
        assert_eq!(fs::read(other.path().join("file")).expect("it is ours"), b"3");
        std::thread::sleep(Duration::from_millis(50));
        assert!(!watch.take_change());
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let error = FileWatch::new(Path::new("/nonexistent/file")).expect_err("no folder");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_watcher_without_a_thread_is_known_by_its_end() {
        let (changes, sender) = UnixStream::pair().expect("a pair");
        changes.set_nonblocking(true).expect("it is ours");
        assert!(!is_closed(&changes));
        drop(sender);
        assert!(is_closed(&changes));
    }
}
