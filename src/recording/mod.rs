//! The format of a recording: readings to lines of JSON, and back. It touches no file.
//!
//! The first line is a header; each line after it is a reading. A snapshot is written as what
//! differs from the one before (`delta`), and of snapshots without a difference only some are kept
//! (`thin`). The owners that were found for a reading stand in the line before it.

mod decode;
mod delta;
mod encode;
mod lines;
mod row;
pub(crate) mod segment;
mod thin;

pub use decode::Decoder;
pub(crate) use encode::Encoded;
pub use encode::Encoder;
pub(crate) use thin::Thinner;

use crate::model::json;
use crate::model::reading::Interface;
use crate::model::time::Stamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The version of the format; older ones are read, too.
pub(crate) const VERSION: u64 = 2;

/// What a recording says about its run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// When the run began: with the boot id, its identity.
    #[serde(with = "json::stamp")]
    pub start: Stamp,
    /// The kernel's id of this boot of the machine.
    pub boot_id: String,
    /// How many files of the same run came before: one more with each rotation.
    pub part: u64,
    /// When this file begins, where it is not the first one of its run.
    #[serde(default, with = "json::optional_stamp", skip_serializing_if = "Option::is_none")]
    pub since: Option<Stamp>,
    /// Where the readings come from.
    pub source: Interface,
    /// Time between the starts of two polls.
    #[serde(with = "micros")]
    pub interval: Duration,
    /// The machine's name, escaped.
    pub host: String,
    /// The release of its kernel, escaped.
    pub kernel: String,
}

impl Header {
    /// Whether this file continues the run of another one where that ends.
    pub(crate) fn continues(&self, before: &Self) -> bool {
        self.part == before.part.saturating_add(1) && self.is_same_run(before)
    }

    /// Whether both are of the same run.
    pub(crate) fn is_same_run(&self, other: &Self) -> bool {
        self.start == other.start && self.boot_id == other.boot_id
    }

    /// When what follows the header begins.
    pub(crate) fn begins(&self) -> Stamp {
        self.since.unwrap_or(self.start)
    }
}

mod micros {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_micros)
    }
}

/// Why a line cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The file does not begin with a header.
    #[error("not a tcplapse recording; write the name of one")]
    NotARecording,
    /// The file was written by a newer version of this program.
    #[error(
        "format version {0} is newer than this program, which reads up to {VERSION}; update tcplapse"
    )]
    NewerVersion(u64),
    /// What is wrong with the line.
    #[error("{0}")]
    Damaged(String),
}

/// This many bytes show whether a file is a recording.
pub(crate) const HEAD: usize = 64;

/// Whether a line is the header of a recording, of whatever version.
pub(crate) fn is_header(line: &[u8]) -> bool {
    line.starts_with(lines::MAGIC)
}

/// Whether a recording may begin with these bytes, of which there may be too few to say.
pub(crate) fn may_begin(head: &[u8]) -> bool {
    let length = head.len().min(lines::MAGIC.len());
    head[..length] == lines::MAGIC[..length]
}

#[cfg(test)]
mod tests;
