//! A recording as a source: its readings, as fast as they can be read.

mod follow;
mod input;
mod netns;
mod next_file;
mod read_file;
mod ring;
mod state;

use super::Source;
use super::poll::continues;
use crate::error::{Error, RecordingError, Result, Unseen};
use crate::model::reading::{Interface, LookupRequest, Lost, LostReason, Reading};
use crate::model::time::Stamp;
use crate::recording::{self, DecodeError, Decoder, Header};
use crate::settings::netns::NetnsPattern;
use crate::signals::Signals;
use input::Input;
use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

/// A longer line is not from a recorder: the first poll of a million sockets takes half of this.
const LONGEST_LINE: u64 = 512 << 20;
const BUFFER: usize = 256 * 1024;

/// Reads a recording line by line.
pub(crate) struct Replay<'a> {
    path: PathBuf,
    input: BufReader<Input<'a>>,
    decoder: Decoder,
    /// The reading of the first line.
    first: Option<Reading>,
    line: Vec<u8>,
    /// The number of that line.
    number: u64,
    /// The line is the next one: it has been read ahead.
    is_ahead: bool,
    /// The readings end before the first one that is later than this, in microseconds since 1970.
    until: Option<i64>,
    end: Rc<Cell<Option<RecordingEnd>>>,
    /// The network namespaces that are asked for.
    wanted: netns::Wanted,
    warnings: Vec<String>,
    /// What is missing, as far as it has not been asked for.
    unread: Vec<Unseen>,
}

/// Why the readings of a recording end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordingEnd {
    /// There are no more.
    Complete,
    /// The next one, at this time, is later than what is wanted.
    Later {
        /// When it was complete.
        next: Stamp,
        /// It continues the readings before it: there is no gap between them.
        continues: bool,
    },
}

impl<'a> Replay<'a> {
    /// Opens a recording, compressed or not; `-` is standard input. With `follow` the readings go on
    /// as the file grows and is rotated. Waits end with the run.
    ///
    /// # Errors
    /// A file that cannot be read, or that is not a recording.
    pub(crate) fn open(path: &Path, follow: bool, signals: &'a Signals) -> Result<Self> {
        let mut replay = Self {
            path: path.to_owned(),
            input: BufReader::with_capacity(BUFFER, Input::open(path, follow, signals)?),
            decoder: Decoder::default(),
            first: None,
            line: Vec::new(),
            number: 0,
            is_ahead: false,
            until: None,
            end: Rc::default(),
            wanted: netns::Wanted::default(),
            warnings: Vec::new(),
            unread: Vec::new(),
        };
        replay.expect_header()?;
        if replay.advance()? {
            replay.first = replay.decode()?;
            replay.report_beginning();
        } else if !replay.input.get_ref().is_stopped() {
            return Err(replay.unfit(DecodeError::NotARecording));
        }
        Ok(replay)
    }

    /// When the recording begins; `None` where the run was over before it was opened.
    pub(crate) fn start(&self) -> Option<Stamp> {
        self.decoder.header().map(Header::begins)
    }

    /// Why its readings have ended; `None` before.
    pub(crate) fn end(&self) -> Rc<Cell<Option<RecordingEnd>>> {
        Rc::clone(&self.end)
    }

    /// Reports where the beginning of the run is missing, as it is of a ring, and files that cannot be
    /// read.
    fn report_beginning(&mut self) {
        let header = self.decoder.header().filter(|header| header.part > 0);
        let begins = header.map(Header::begins);
        let unread = self.input.get_ref().unread(begins.is_some());
        if let Some(begins) = begins {
            let name = self.name();
            let or_unread = if unread.is_empty() { "" } else { ", or cannot be read" };
            self.warnings.push(format!(
                "{name} begins at {begins}: what its run recorded before is not in it{or_unread}"
            ));
        }
        self.unread.extend(unread.into_iter().map(Unseen::Part));
    }

    /// The recording up to a moment, in microseconds since 1970.
    #[must_use]
    pub(crate) fn until(self, moment: Option<i64>) -> Self {
        Self { until: moment, ..self }
    }

    /// What the recording shows of these network namespaces; of all, if there are none.
    #[must_use]
    pub(crate) fn of_namespaces(self, netns: Vec<NetnsPattern>) -> Self {
        Self { wanted: netns::Wanted::new(netns), ..self }
    }

    /// Refuses what does not begin as a recording before a line of it is read: it may be an endless
    /// one.
    fn expect_header(&mut self) -> Result<()> {
        // Errors come again with the first line.
        let head = self.input.fill_buf().unwrap_or_default();
        if head.first().is_none_or(u8::is_ascii_whitespace) || recording::may_begin(head) {
            return Ok(());
        }
        Err(self.unfit(DecodeError::NotARecording))
    }

    /// Reads the next line that is not blank; false at the end.
    fn advance(&mut self) -> Result<bool> {
        if std::mem::take(&mut self.is_ahead) {
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
                // A compressed file whose writer was killed ends in the middle of a block.
                Err(error) if is_truncated(&error) => {
                    self.warnings.push(format!(
                        "{}: the compressed file is truncated; only what precedes is shown",
                        self.name()
                    ));
                    return Ok(false);
                }
                Err(cause) => return Err(Error::read(&self.path, cause, "")),
            }
            self.number += 1;
            if self.line.len() as u64 == LONGEST_LINE {
                return Err(self.damaged(self.number, "too long for a line of a recording"));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// The reading of the current line; `None` if it has none, or is incomplete.
    fn decode(&mut self) -> Result<Option<Reading>> {
        let before = recording::is_header(&self.line).then(|| self.decoder.header().cloned());
        let error = match self.decoder.decode(self.line.trim_ascii_end()) {
            Ok(reading) => {
                self.report_gap(before.flatten());
                return Ok(reading);
            }
            Err(error) => error,
        };
        let number = self.number;
        let DecodeError::Damaged(reason) = error else { return Err(self.unfit(error)) };
        // A writer that was killed leaves an incomplete line: the last one, or the last of its run.
        let is_incomplete = !self.line.ends_with(b"\n") || self.header_follows()?;
        if !is_incomplete {
            return Err(self.damaged(number, &reason));
        }
        let name = self.name();
        self.warnings.push(format!(
            "{name}, line {number}: truncated line, omitted (was its writer killed?)"
        ));
        Ok(None)
    }

    /// Reports where files before this one are missing, or were never written.
    fn report_gap(&mut self, before: Option<Header>) {
        let Some((before, now)) = before.zip(self.decoder.header()) else { return };
        let is_first = now.part == 0 && !now.is_same_run(&before);
        if !is_first && !now.continues(&before) {
            let missing = Unseen::Samples { name: self.name(), before: now.begins() };
            self.warnings.push(missing.to_string());
            self.unread.push(missing);
        }
    }

    /// Whether the next line is a header; reads it ahead.
    fn header_follows(&mut self) -> Result<bool> {
        self.is_ahead = self.advance()?;
        Ok(self.is_ahead && recording::is_header(&self.line))
    }

    /// What the recording is called in messages.
    pub(crate) fn name(&self) -> String {
        if self.path.as_os_str() == "-" {
            "standard input".to_owned()
        } else {
            self.path.display().to_string()
        }
    }

    fn damaged(&self, number: u64, reason: &str) -> Error {
        // The line of a recording is always line 1 of its JSON.
        let reason = reason.split(" at line ").next().unwrap_or(reason);
        let reason = reason.to_owned();
        RecordingError::Damaged { name: self.name(), line: number, reason }.into()
    }

    fn unfit(&self, cause: DecodeError) -> Error {
        RecordingError::Unfit { name: self.name(), cause }.into()
    }
}

impl Replay<'_> {
    /// The reading, if it is not later than what is wanted.
    fn if_wanted(&self, reading: Reading) -> Option<Reading> {
        let next = reading.time();
        if self.until.is_none_or(|until| next.wall <= until) {
            return Some(reading);
        }
        let is_gap = |lost: &Lost| lost.reason == LostReason::Gap;
        let continues = match &reading {
            Reading::Begin(_) => false,
            Reading::Lost(lost) => !is_gap(lost),
            _ => true,
        };
        self.end.set(Some(RecordingEnd::Later { next, continues }));
        None
    }
}

impl Source for Replay<'_> {
    fn next(&mut self, signals: &Signals) -> Result<Option<Reading>> {
        while let Some(reading) = self.next_of_all(signals)? {
            if let Some(part) = self.wanted.part_of(reading) {
                return Ok(Some(part));
            }
        }
        match self.wanted.missing().filter(|_| self.end.get().is_some()) {
            Some(missing) => Err(missing.into()),
            None => Ok(None),
        }
    }

    fn lookup(&mut self, _: &[LookupRequest]) -> Result<Option<Reading>> {
        // The lookups of the run are readings of the recording.
        Ok(None)
    }

    fn can_look_up(&self) -> bool {
        false
    }

    fn interface(&self) -> Interface {
        self.decoder.header().map_or(Interface::Proc, |Header { source, .. }| *source)
    }

    fn warnings(&mut self) -> Vec<String> {
        // Files that cannot be read come before what is missing for that.
        let mut warnings = self.input.get_mut().take_warnings();
        warnings.append(&mut self.warnings);
        warnings
    }

    fn take_unread(&mut self) -> Vec<Unseen> {
        std::mem::take(&mut self.unread)
    }
}

impl Replay<'_> {
    /// The next reading, whatever it is about.
    fn next_of_all(&mut self, signals: &Signals) -> Result<Option<Reading>> {
        if let Some(first) = self.first.take() {
            return Ok(self.if_wanted(first));
        }
        loop {
            // There is nothing to wait for, but a signal ends a replay, too.
            if !continues(signals.wait(Instant::now())?)? {
                return Ok(None);
            }
            if !self.advance()? {
                self.end.set(Some(RecordingEnd::Complete));
                return Ok(None);
            }
            if let Some(reading) = self.decode()? {
                return Ok(self.if_wanted(reading));
            }
        }
    }
}

/// Whether an error means that compressed data ended too early.
fn is_truncated(error: &io::Error) -> bool {
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
