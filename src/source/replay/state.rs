//! What the readers of a recording share: the end of the run, and what is to be told of the file.

use crate::signals::{Signals, Wake};
use rustix::fd::BorrowedFd;
use std::cell::{Cell, RefCell};
use std::io;
use std::time::Instant;

/// What a reader deep inside has to say.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The run is over.
    pub(super) stopped: Cell<bool>,
    pub(super) notices: RefCell<Vec<String>>,
}

impl State {
    /// Waits until there is something to read, or until `due`.
    ///
    /// # Errors
    /// One that stands for the end of the run.
    pub(super) fn wait(
        &self,
        stop: &Signals,
        due: Instant,
        source: BorrowedFd<'_>,
    ) -> io::Result<()> {
        match stop.wait_for(due, Some(source)) {
            Ok(Wake::Due | Wake::Readable) => Ok(()),
            Ok(Wake::Ended | Wake::ReaderGone) => {
                self.stopped.set(true);
                Err(io::Error::other("the run is over"))
            }
            Err(error) => Err(io::Error::other(error)),
        }
    }
}
