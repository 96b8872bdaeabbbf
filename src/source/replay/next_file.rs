//! The file in which a recording goes on after the one that is read.

use super::ring::{self, RingFiles, open_newest};
use super::state::InputState;
use crate::error::reason;
use crate::source::open_nonblocking;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Finds the next file.
pub(super) struct NextFile {
    path: PathBuf,
    /// The other files, where the recording is a ring.
    ring: Option<RingFiles>,
    /// The number of the last one that was there when the current file was opened.
    newest_before: u64,
    /// The user has been warned that the next file cannot be opened.
    has_warned: bool,
}

impl NextFile {
    /// Opens the first file, and looks for what follows it.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(super) fn open(path: &Path, state: &InputState) -> io::Result<(File, Self)> {
        let ring = RingFiles::of(path);
        let file = open_newest(path, ring.as_ref(), state)?;
        let newest_before = newest(ring.as_ref());
        Ok((file, Self { path: path.to_owned(), ring, newest_before, has_warned: false }))
    }

    /// The next file, once there is something in it: of a ring the one that was begun after this
    /// one, else the one that has this one's name now.
    pub(super) fn find(
        &mut self,
        current: &File,
        state: &InputState,
        warn: impl FnOnce(&str),
    ) -> io::Result<Option<File>> {
        let ours = current.metadata()?;
        let Ok(there) = std::fs::metadata(&self.path) else { return Ok(None) };
        if ring::identity(&there) == ring::identity(&ours) || there.len() == 0 {
            return Ok(None);
        }
        if let Some((number, next)) = self.next_segment(&ours, state) {
            (self.newest_before, self.has_warned) = (number, false);
            return Ok(Some(next));
        }
        match open_nonblocking(&self.path) {
            Ok(file) => {
                (self.newest_before, self.has_warned) = (newest(self.ring.as_ref()), false);
                Ok(Some(file))
            }
            Err(cause) => {
                if !std::mem::replace(&mut self.has_warned, true) {
                    warn(&format!(
                        "was replaced, and the new file cannot be read: {}; waiting until it can",
                        reason(&cause)
                    ));
                }
                Ok(None)
            }
        }
    }

    /// The file of a ring that was begun after this one and has been renamed, too, with its number:
    /// a slow reader finds several.
    fn next_segment(&self, ours: &Metadata, state: &InputState) -> Option<(u64, File)> {
        let (mut newer, mut unread, mut after) = (Vec::new(), Vec::new(), self.newest_before);
        for segment in self.ring.as_ref()?.segments() {
            match segment.open(ours.uid()) {
                Ok(Some((found, _))) if ring::identity(&found) == ring::identity(ours) => {
                    (newer, unread) = (Vec::new(), Vec::new());
                    after = segment.number;
                }
                Ok(Some((_, file))) if segment.number > after => newer.push((segment.number, file)),
                Err(part) if segment.number > after => unread.push(part),
                Ok(_) | Err(_) => {}
            }
        }
        for part in unread {
            state.note_unread(part);
        }
        newer.into_iter().next()
    }
}

/// The number of the newest file of a ring that has been renamed; 0 if there is none.
fn newest(ring: Option<&RingFiles>) -> u64 {
    ring.and_then(|ring| ring.segments().pop()).map_or(0, |newest| newest.number)
}
