//! The files of a recording that is kept as a ring, as `recording::segment` names them.
//!
//! The recorder may rename and remove them at any time. What is open stays readable, so the newest
//! file is opened first, and then those that came before it.

use crate::recording::{self, segment};
use crate::source::open_nonblocking;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Where the files are.
pub(super) struct RingFiles {
    folder: PathBuf,
    name: OsString,
}

/// A file that was renamed.
pub(super) struct RingFile {
    pub(super) number: u64,
    path: PathBuf,
}

impl RingFiles {
    /// The ring whose newest file has this path; `None` for standard input.
    pub(super) fn of(path: &Path) -> Option<Self> {
        // A link leads to where the files are.
        let there = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let name = there.file_name().filter(|_| path.as_os_str() != "-")?.to_owned();
        let folder = there.parent().filter(|folder| !folder.as_os_str().is_empty());
        Some(Self { folder: folder.unwrap_or(Path::new(".")).to_owned(), name })
    }

    /// The files that were renamed, the oldest first.
    pub(super) fn segments(&self) -> Vec<RingFile> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut segments: Vec<RingFile> = entries
            .filter_map(|entry| {
                let number = segment::number(&self.name, &entry.file_name())?;
                Some(RingFile { number, path: entry.path() })
            })
            .collect();
        segments.sort_unstable_by_key(|segment| segment.number);
        segments
    }

    /// Those that came before an open file, open.
    pub(super) fn before(&self, file: &File) -> VecDeque<File> {
        let Ok(newest) = file.metadata() else { return VecDeque::new() };
        let mut files = VecDeque::new();
        for segment in self.segments() {
            let Some((found, file)) = segment.open(newest.uid()) else { continue };
            // It was renamed since it was opened; what follows is newer.
            if identity(&found) == identity(&newest) {
                break;
            }
            files.push_back(file);
        }
        files
    }
}

impl RingFile {
    /// Opens it if it is a recording, of whatever user.
    pub(super) fn open_any(&self) -> Option<File> {
        let uid = std::fs::symlink_metadata(&self.path).ok()?.uid();
        self.open(uid).map(|(_, file)| file)
    }

    /// Opens it if it is a recording of this user: others may put files in some folders.
    pub(super) fn open(&self, uid: u32) -> Option<(Metadata, File)> {
        let is_ours = |found: &Metadata| found.is_file() && found.uid() == uid;
        if !std::fs::symlink_metadata(&self.path).is_ok_and(|found| is_ours(&found)) {
            return None;
        }
        let file = open_nonblocking(&self.path).ok()?;
        let found = file.metadata().ok().filter(is_ours)?;
        let mut head = vec![0; recording::HEAD];
        let length = file.read_at(&mut head, 0).ok()?;
        recording::is_header(&head[..length]).then_some((found, file))
    }
}

/// What is the same for one file under all its names.
pub(super) fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// Opens the newest file of a recording. The writer of a pipe may come later: that is waited for
/// where signals are, too. Between two files of a ring, or if its recorder was killed there, the
/// newest has been renamed.
pub(super) fn open_newest(path: &Path, ring: Option<&RingFiles>) -> io::Result<File> {
    let missing = match open_nonblocking(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => cause,
        opened => return opened,
    };
    let segments = ring.map(RingFiles::segments).unwrap_or_default();
    let newest_first = || segments.iter().rev();
    // Where others may put files, ours count first.
    let own = rustix::process::geteuid().as_raw();
    let newest = newest_first().find_map(|segment| Some(segment.open(own)?.1));
    newest.or_else(|| newest_first().find_map(RingFile::open_any)).ok_or(missing)
}

/// Files, one after the other. A line that one of them leaves incomplete is ended.
pub(super) struct Joined<R> {
    before: VecDeque<File>,
    last: R,
    /// The last byte of a file that has not ended.
    byte: u8,
}

impl<R> Joined<R> {
    pub(super) const fn new(before: VecDeque<File>, last: R) -> Self {
        Self { before, last, byte: b'\n' }
    }
}

impl<R: Read> Read for Joined<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(file) = self.before.front_mut() {
            let read = file.read(buffer)?;
            if let Some(last) = buffer[..read].last() {
                self.byte = *last;
                return Ok(read);
            }
            self.before.pop_front();
            if std::mem::replace(&mut self.byte, b'\n') != b'\n' {
                buffer[0] = b'\n';
                return Ok(1);
            }
        }
        self.last.read(buffer)
    }
}
