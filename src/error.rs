//! The crate's error: every message says what was wrong and what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Why a run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Wrong usage, in a sentence.
    #[error("{0}")]
    Usage(String),
    /// The answer is not known, in a sentence that says why and how to ask instead.
    #[error("{0}")]
    NotKnown(String),
    /// A file of the kernel, or of a fixture, cannot be read.
    #[error("cannot read {}: {cause}{hint}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the kernel said.
        cause: io::Error,
        /// What to do about it, led by a separator; may be empty.
        hint: &'static str,
    },
    /// A recording cannot be written.
    #[error("cannot record to {}: {cause}", path.display())]
    Record {
        /// Which file.
        path: PathBuf,
        /// What the kernel said.
        cause: io::Error,
    },
    /// A file for the output cannot be written.
    #[error("cannot write {}: {cause}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the kernel said.
        cause: io::Error,
    },
    /// A system call without a file failed.
    #[error("cannot {what}: {cause}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The kernel does not answer on sock_diag.
    #[error(
        "the kernel does not tell of TCP sockets by netlink: {cause}; load its module tcp_diag \
         (modprobe tcp_diag), or use --source proc"
    )]
    Netlink {
        /// What the kernel said.
        cause: io::Error,
    },
    /// The kernel's events cannot be followed.
    #[error("the kernel's events cannot be followed: {0}; or use --source netlink")]
    Trace(String),
    /// Standard output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[source] io::Error),
    /// The reader of standard output has gone: the end, and no fault.
    #[error("the reader of the output has gone")]
    ReaderGone,
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A file that could not be read, with a hint that may be empty.
    pub fn read(path: &Path, cause: impl Into<io::Error>, hint: &'static str) -> Self {
        Self::Read { path: path.to_owned(), cause: cause.into(), hint }
    }

    /// A file for the output that could not be written.
    pub fn write(path: &Path, cause: io::Error) -> Self {
        Self::Write { path: path.to_owned(), cause }
    }

    /// A failed write to standard output; a closed pipe is the end of the run.
    pub fn output(cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Output(cause),
        }
    }
}
