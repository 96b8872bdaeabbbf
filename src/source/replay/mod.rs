//! A recording as a source: its readings, as fast as they can be read.

mod follow;
mod input;
mod state;

use super::Source;
use super::poll::goes_on;
use crate::error::{Error, Result};
use crate::model::reading::{Interface, LookupRequest, Reading};
use crate::recording::{self, DecodeError, Decoder, Header};
use crate::signals::Signals;
use input::Input;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A longer line is none of ours: the first pass over a million sockets takes half of this.
const LONGEST_LINE: u64 = 512 << 20;
const BUFFER: usize = 256 * 1024;

/// Reads a recording line by line.
pub struct Replay<'a> {
    path: PathBuf,
    input: BufReader<Input<'a>>,
    decoder: Decoder,
    /// What the first line said.
    first: Option<Reading>,
    line: Vec<u8>,
    number: u64,
    /// The next line has been read already.
    ahead: bool,
    notices: Vec<String>,
}

impl<'a> Replay<'a> {
    /// Opens a recording, packed or not; `-` is standard input. With `follow` it goes on as the
    /// file grows, whatever it is called meanwhile. Waits end when `stop` says so.
    ///
    /// # Errors
    /// A file that cannot be read, or is no recording.
    pub fn open(path: &Path, follow: bool, stop: &'a Signals) -> Result<Self> {
        let mut replay = Self {
            path: path.to_owned(),
            input: BufReader::with_capacity(BUFFER, Input::open(path, follow, stop)?),
            decoder: Decoder::default(),
            first: None,
            line: Vec::new(),
            number: 0,
            ahead: false,
            notices: Vec::new(),
        };
        if replay.advance()? {
            replay.first = replay.decode()?;
        } else if !replay.input.get_ref().is_stopped() {
            return Err(replay.unfit(&DecodeError::NotARecording));
        }
        Ok(replay)
    }

    /// Reads the next line that is not blank; false at the end.
    fn advance(&mut self) -> Result<bool> {
        if std::mem::take(&mut self.ahead) {
            return Ok(true);
        }
        loop {
            self.line.clear();
            let read = (&mut self.input).take(LONGEST_LINE).read_until(b'\n', &mut self.line);
            if self.input.get_ref().is_stopped() {
                return Ok(false);
            }
            match read {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                // A packed file whose writer was killed ends in the middle of a block.
                Err(error) if is_cut(&error) => {
                    self.notices.push(format!(
                        "{}: the packed file is cut off; what comes before is shown",
                        self.name()
                    ));
                    return Ok(false);
                }
                Err(cause) => return Err(Error::read(&self.path, cause, "")),
            }
            self.number += 1;
            if self.line.len() as u64 == LONGEST_LINE {
                return Err(self.wrong(self.number, "too long for a line of a recording"));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// The reading that the current line tells.
    fn decode(&mut self) -> Result<Option<Reading>> {
        let wrong = match self.decoder.decode(self.line.trim_ascii_end()) {
            Ok(reading) => return Ok(reading),
            Err(wrong) => wrong,
        };
        let number = self.number;
        let DecodeError::Damaged(reason) = wrong else { return Err(self.unfit(&wrong)) };
        // A writer that was killed leaves part of a line: the last one, or the last of its run.
        let cut = !self.line.ends_with(b"\n")
            || self.advance()? && recording::is_header(&self.line) && {
                self.ahead = true;
                true
            };
        if !cut {
            return Err(self.wrong(number, &reason));
        }
        let name = self.name();
        self.notices.push(format!(
            "{name}, line {number}: cut off in the middle, as if its writer had been killed; left out"
        ));
        Ok(None)
    }

    fn name(&self) -> String {
        if self.path.as_os_str() == "-" {
            "standard input".to_owned()
        } else {
            self.path.display().to_string()
        }
    }

    fn wrong(&self, number: u64, reason: &str) -> Error {
        // A line of the recording is one of JSON: its own number would be told twice.
        let reason = reason.split(" at line ").next().unwrap_or(reason);
        Error::Usage(format!(
            "{}, line {number} is damaged: {reason}; what comes before it is shown",
            self.name()
        ))
    }

    fn unfit(&self, wrong: &DecodeError) -> Error {
        Error::Usage(format!("{}: {wrong}", self.name()))
    }
}

impl Source for Replay<'_> {
    fn next(&mut self, stop: &Signals) -> Result<Option<Reading>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        loop {
            // Nothing is waited for, but a signal ends a replay, too.
            if !goes_on(stop.wait(Instant::now())?)? {
                return Ok(None);
            }
            if !self.advance()? {
                return Ok(None);
            }
            if let Some(reading) = self.decode()? {
                return Ok(Some(reading));
            }
        }
    }

    fn lookup(&mut self, _: &[LookupRequest]) -> Result<Option<Reading>> {
        // The answers that there were come by themselves.
        Ok(None)
    }

    fn interface(&self) -> Interface {
        self.decoder.header().map_or(Interface::Proc, |Header { source, .. }| *source)
    }

    fn notices(&mut self) -> Vec<String> {
        let mut notices = std::mem::take(&mut self.notices);
        notices.extend(self.input.get_mut().notices());
        notices
    }
}

/// Whether an error comes of an end that came too early.
fn is_cut(error: &io::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && error.kind() == io::ErrorKind::UnexpectedEof
        {
            return true;
        }
        cause = error.source();
    }
    false
}
