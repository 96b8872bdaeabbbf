//! Where readings come from. Sources are the only code, beside `owner::scan`, that reads the
//! kernel, and, beside the head of a recording, the only code that asks the clock.

pub mod clock;
mod namespace;
pub mod netlink;
pub mod poll;
pub mod proc;
pub mod replay;
pub mod trace;

use crate::error::Result;
use crate::model::reading::{Interface, LookupRequest, Reading};
use crate::model::socket_row::SocketRow;
use crate::signals::Signals;
use std::time::Instant;

/// Says what the kernel's sockets do.
pub trait Source {
    /// Waits for the next reading; `None` when the run is over.
    ///
    /// # Errors
    /// What ends the run: tables that cannot be read, or a reader that has gone.
    fn next(&mut self, stop: &Signals) -> Result<Option<Reading>>;

    /// Looks exactly for sockets that the last reading did not show; `None` where that cannot be
    /// done, so that the next readings decide.
    ///
    /// # Errors
    /// What ends the run.
    fn lookup(&mut self, questions: &[LookupRequest]) -> Result<Option<Reading>>;

    /// Takes back rows that are done with, for the room they have.
    fn reuse(&mut self, _: Vec<SocketRow>) {}

    /// Whether kernel events that came together with the last one wait to be told.
    fn has_more(&self) -> bool {
        false
    }

    /// Until when nothing is read that cannot wait.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Which of the kernel's interfaces it reads.
    fn interface(&self) -> Interface;

    /// Something the user should be told about the readings, each thing once.
    fn notices(&mut self) -> Vec<String>;
}
