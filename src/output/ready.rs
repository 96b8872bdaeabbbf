//! `--ready-fd`: announces the end of the first poll, so that a script knows from when on everything
//! that happens is reported from its beginning.

use crate::error::{Result, UsageError};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

/// What is written; the newline lets `read` of a shell return.
const READY: &[u8] = b"ready\n";

/// Where the end of the first poll is announced. It has to be opened before the program opens other
/// descriptors, one of which could get the number in question.
#[derive(Default)]
pub(crate) struct Ready(Option<ReadyTarget>);

enum ReadyTarget {
    /// Descriptor 2, whatever it is: a socket cannot be opened by name.
    Stderr,
    /// A descriptor opened again through procfs, which needs no raw descriptor.
    File(File),
}

impl Ready {
    /// Checks that descriptor `fd` can be written; `None` announces nothing.
    ///
    /// # Errors
    /// [`UsageError::ReadyFdClosed`] where the descriptor is not open for writing, or is a pipe without a
    /// reader.
    pub(crate) fn open(fd: Option<u32>) -> Result<Self> {
        let target = match fd {
            None => None,
            Some(2) => Some(ReadyTarget::Stderr),
            Some(fd) => {
                let mut options = OpenOptions::new();
                let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
                options.append(true).custom_flags(flags.bits().cast_signed());
                let file = options
                    .open(format!("/proc/self/fd/{fd}"))
                    .map_err(|cause| UsageError::ReadyFdClosed { fd, cause })?;
                Some(ReadyTarget::File(file))
            }
        };
        Ok(Self(target))
    }

    /// Writes `ready` once `polls`, the number of polls so far, is not 0. A reader that has closed its
    /// end is not an error.
    pub(crate) fn announce_first_poll(&mut self, polls: u64) {
        let target = if polls > 0 { self.0.take() } else { None };
        let _ = match target {
            None => Ok(()),
            Some(ReadyTarget::Stderr) => io::stderr().write_all(READY),
            Some(ReadyTarget::File(mut file)) => file.write_all(READY),
        };
    }
}
