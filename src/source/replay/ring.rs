//! The files of a recording that is kept as a ring, as `recording::segment` names them.
//!
//! The recorder may rename and remove them at any time. What is open stays readable, so the newest
//! file is opened first, and then those that came before it.

use super::state::InputState;
use crate::error::{UnreadPart, reason};
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

    /// Those that came before an open file, open. Those that cannot be opened are noted.
    pub(super) fn before(&self, file: &File, state: &InputState) -> VecDeque<File> {
        let Ok(newest) = file.metadata() else { return VecDeque::new() };
        if let Err(cause) = std::fs::read_dir(&self.folder) {
            state.unlisted.replace(Some(unread(&self.folder, &cause)));
        }
        let mut files = VecDeque::new();
        for segment in self.segments() {
            match segment.open(newest.uid()) {
                // It was renamed since it was opened; what follows is newer.
                Ok(Some((found, _))) if identity(&found) == identity(&newest) => break,
                Ok(Some((_, file))) => files.push_back(file),
                Ok(None) => {}
                Err(part) => state.note_unread(part),
            }
        }
        files
    }
}

impl RingFile {
    /// Opens it if it is a recording, of whatever user.
    fn open_any(&self) -> Result<Option<(Metadata, File)>, UnreadPart> {
        let Ok(found) = std::fs::symlink_metadata(&self.path) else { return Ok(None) };
        self.open(found.uid())
    }

    /// Opens it if it is a recording of this user: others may put files in some folders. `None` if
    /// it is not, or if the recorder has removed it meanwhile.
    pub(super) fn open(&self, uid: u32) -> Result<Option<(Metadata, File)>, UnreadPart> {
        match self.try_open(uid) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map_err(|cause| unread(&self.path, &cause)),
        }
    }

    fn try_open(&self, uid: u32) -> io::Result<Option<(Metadata, File)>> {
        let is_ours = |found: &Metadata| found.is_file() && found.uid() == uid;
        if !is_ours(&std::fs::symlink_metadata(&self.path)?) {
            return Ok(None);
        }
        let file = open_nonblocking(&self.path)?;
        let found = file.metadata()?;
        if !is_ours(&found) {
            return Ok(None);
        }
        let mut head = vec![0; recording::HEAD];
        let length = file.read_at(&mut head, 0)?;
        Ok(recording::is_header(&head[..length]).then_some((found, file)))
    }
}

fn unread(path: &Path, cause: &io::Error) -> UnreadPart {
    UnreadPart { path: path.to_owned(), reason: reason(cause) }
}

/// What is the same for one file under all its names.
pub(super) fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// Opens the newest file of a recording. The writer of a pipe may come later: that is waited for
/// where signals are, too. Between two files of a ring, or if its recorder was killed there, the
/// newest has been renamed.
pub(super) fn open_newest(
    path: &Path,
    ring: Option<&RingFiles>,
    state: &InputState,
) -> io::Result<File> {
    let missing = match open_nonblocking(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => cause,
        opened => return opened,
    };
    let segments = ring.map(RingFiles::segments).unwrap_or_default();
    let note = |part| {
        state.note_unread(part);
        None
    };
    // Where others may put files, ours count first.
    let own = rustix::process::geteuid().as_raw();
    let open_own = |segment: &RingFile| segment.open(own).unwrap_or_else(note);
    let open_any = |segment: &RingFile| segment.open_any().unwrap_or_else(note);
    let newest_first = || segments.iter().rev();
    let newest = newest_first().find_map(open_own).or_else(|| newest_first().find_map(open_any));
    newest.map(|(_, file)| file).ok_or_else(|| match state.unread.borrow().first() {
        Some(UnreadPart { path, reason }) => {
            io::Error::other(format!("{}: {reason}", path.display()))
        }
        None => missing,
    })
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
