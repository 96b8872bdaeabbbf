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
    /// Another process records to the same file.
    #[error("{} is in use by another recording; choose another file", .0.display())]
    InUse(PathBuf),
    /// `--record` to a file that holds something else.
    #[error("{} is not a tcplapse recording; choose another file", .0.display())]
    OtherContent(PathBuf),
}
