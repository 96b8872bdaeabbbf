//! What the layers that read a recording's file report to the source: readers can only return
//! errors of input and output.

use crate::error::UnreadPart;
use crate::signals::{Signals, Wake};
use rustix::fd::BorrowedFd;
use std::cell::{Cell, RefCell};
use std::io;
use std::time::Instant;

/// Shared by the readers of one recording.
#[derive(Debug, Default)]
pub(super) struct InputState {
    /// The run is over.
    pub(super) is_stopped: Cell<bool>,
    pub(super) warnings: RefCell<Vec<String>>,
    /// Files of the recording that are there and cannot be read.
    pub(super) unread: RefCell<Vec<UnreadPart>>,
    /// The folder of the recording, where it cannot be searched for other files: whether there are
    /// any is not known.
    pub(super) unlisted: RefCell<Option<UnreadPart>>,
}

impl InputState {
    /// Notes a file that cannot be read, and warns of it; once.
    pub(super) fn note_unread(&self, part: UnreadPart) {
        let mut unread = self.unread.borrow_mut();
        if !unread.contains(&part) {
            self.warnings.borrow_mut().push(part.to_string());
            unread.push(part);
        }
    }

    /// Waits until there is something to read, or until `due`.
    ///
    /// # Errors
    /// A failed wait, or the end of the run: then `is_stopped` is set.
    pub(super) fn wait(
        &self,
        signals: &Signals,
        due: Instant,
        file: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        match signals.wait_for(due, file) {
            Ok(Wake::Due | Wake::Woken | Wake::Readable) => Ok(()),
            Ok(Wake::Ended | Wake::ReaderGone) => {
                self.is_stopped.set(true);
                Err(io::Error::other("the run is over"))
            }
            Err(error) => Err(io::Error::other(error)),
        }
    }
}
