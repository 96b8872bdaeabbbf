//! A recording: readings as lines of JSON, and back. Pure.
//!
//! The first line names the run; each line after it is a reading. A pass is written as what differs
//! from the pass before (`delta`); of passes that show the same not all count (`thin`). The owners
//! found for a reading stand before it.

mod convert;
mod decode;
mod delta;
mod encode;
mod lines;
mod row;
mod thin;

pub use decode::Decoder;
pub use encode::{Encoder, Written};
pub use thin::Thinner;

use crate::model::reading::Interface;
use crate::model::time::Stamp;
use std::time::Duration;

/// The version of the format; older ones are read too.
pub const VERSION: u64 = 1;

/// What a recording says of the run it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// When the run began: with the boot id, its identity.
    pub start: Stamp,
    /// What the kernel calls this boot of the machine.
    pub boot_id: String,
    /// How many files of the same run came before: one more with each rotation.
    pub part: u64,
    /// Where the readings come from.
    pub source: Interface,
    /// Time between the starts of two polls.
    pub interval: Duration,
    /// The machine's name.
    pub host: String,
    /// The release of its kernel.
    pub kernel: String,
}

impl Header {
    /// Whether this file goes on where another one ends.
    pub fn follows(&self, before: &Self) -> bool {
        let run = |header: &Self| (header.start, header.boot_id.clone());
        self.part == before.part.saturating_add(1) && run(self) == run(before)
    }
}

/// Why a line cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It does not begin as a recording does.
    #[error("this is no recording of tcplapse")]
    NoRecording,
    /// A later program wrote it.
    #[error("version {0} of the format is newer than this program, which reads up to {VERSION}")]
    Newer(u64),
    /// Something else.
    #[error("{0}")]
    Broken(String),
}

/// Whether a line is the first one of a recording, of whatever version.
pub fn begins(line: &[u8]) -> bool {
    line.starts_with(lines::MAGIC)
}

#[cfg(test)]
mod tests;
