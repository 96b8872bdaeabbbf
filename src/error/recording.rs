//! A recording that cannot be read or appended to.

use crate::recording::DecodeError;
use std::path::PathBuf;

/// Why a recording cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// `--follow` of a compressed file.
    #[error("{} is compressed and cannot grow; leave out --follow", .0.display())]
    Packed(PathBuf),
    /// `--follow` of something other than a regular file.
    #[error("{} is not a regular file; leave out --follow", .0.display())]
    NotAFile(PathBuf),
    /// It does not start as a recording does, or a newer program wrote it.
    #[error("{name}: {cause}")]
    Unfit {
        /// The path, or "standard input".
        name: String,
        /// What is wrong with the first line.
        cause: DecodeError,
    },
    /// A line in the middle cannot be parsed.
    #[error("{name}: line {line} is damaged ({reason}); only what precedes it is shown")]
    Damaged {
        /// The path, or "standard input".
        name: String,
        /// From 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// `list --at` of a moment that the recording does not show.
    #[error("{name} {missing}; write another time with --at")]
    NoSamples {
        /// The path, or "standard input".
        name: String,
        /// What it has instead.
        missing: NoSamples,
    },
    /// `list --at` of a moment that may be in a file that cannot be read.
    #[error(transparent)]
    Unread(#[from] UnreadPart),
    /// Another process records to the same file.
    #[error("{} is in use by another recording; choose another file", .0.display())]
    InUse(PathBuf),
    /// `--record` to a file that holds something else.
    #[error("{} is not a tcplapse recording; choose another file", .0.display())]
    OtherContent(PathBuf),
}

/// A part of a recording that is there and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {}: {reason}; part of the recording is missing", path.display())]
pub struct UnreadPart {
    /// The file, or the folder that cannot be searched for files.
    pub path: PathBuf,
    /// What the kernel said.
    pub reason: String,
}

/// Where samples of a moment are missing in a recording, with times as `--at` takes them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSamples {
    /// Its first sample is later.
    #[error("has no samples before {0}")]
    Before(String),
    /// Its last sample is earlier.
    #[error("has no samples after {0}")]
    After(String),
    /// Two samples have too much time between them, or are of two runs.
    #[error("has no samples between {0} and {1}")]
    Between(String, String),
    /// There are none.
    #[error("has no samples")]
    AtAll,
}
