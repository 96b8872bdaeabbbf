//! Writes the readings of a run, and the owners found for them, to a file, from which
//! `source::replay` reads them.
//!
//! Not every reading is written, and timers are written as predicted: so the run has to act on what
//! the recorder hands back, no more and no less, or its replay would show something else.

mod file;

use crate::error::Result;
use crate::model::escape::escape;
use crate::model::reading::{Interface, OwnerUpdate, Reading};
use crate::recording::{Encoded, Encoder, Header, Thinner};
use crate::source::clock;
use file::{ForeignChange, RecordFile};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Records one run.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    /// `None` once it could not be written to.
    file: Option<RecordFile>,
    header: Header,
    encoder: Encoder,
    thinner: Thinner,
    /// A snapshot without a change: it is dropped unless it turns out to be the last one before a
    /// change, or before the end.
    held_back: Option<EncodedReading>,
    /// Readings that are to be processed, at most two.
    ready: VecDeque<EncodedReading>,
    /// The reading that is being processed. It is written once its owners are known.
    current: Option<Encoded>,
    warnings: Vec<String>,
}

type EncodedReading = (Reading, Encoded);

impl Recorder {
    /// Opens a file for a run that reads this interface once in an interval.
    ///
    /// # Errors
    /// A file that cannot be written, or that contains anything but recordings.
    pub(crate) fn open(path: &Path, source: Interface, interval: Duration) -> Result<Self> {
        let file = RecordFile::open(path)?;
        // The ids of a run begin with its second, which must not be that of the run before it in
        // this file. The wait is shorter than a second, and nothing has been read yet.
        std::thread::sleep(file.time_to_next_second());
        let names = rustix::system::uname();
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let header = Header {
            start: clock::stamp(),
            boot_id: boot_id.unwrap_or_default().trim_end().to_owned(),
            part: 0,
            source,
            interval,
            host: escape(names.nodename().to_bytes()),
            kernel: escape(names.release().to_bytes()),
        };
        let mut recorder = Self {
            path: path.to_owned(),
            file: Some(file),
            header,
            encoder: Encoder::default(),
            thinner: Thinner::default(),
            held_back: None,
            ready: VecDeque::new(),
            current: None,
            warnings: Vec::new(),
        };
        recorder.write_header();
        Ok(recorder)
    }

    /// Takes a reading. Nothing may follow from it until [`Self::pop`] hands it back.
    pub(crate) fn push(&mut self, mut reading: Reading) {
        let encoded = self.encoder.encode(&mut reading);
        let is_unchanged = encoded.is_unchanged();
        let is_kept = self.thinner.keeps(is_unchanged, reading.time());
        let before = self.held_back.take();
        if !is_kept {
            self.held_back = Some((reading, encoded));
            return;
        }
        // Until then nothing had changed.
        self.ready.extend(before.filter(|_| !is_unchanged));
        self.ready.push_back((reading, encoded));
    }

    /// The next reading to process, as it will be read from the file; then comes [`Self::write`].
    pub(crate) fn pop(&mut self) -> Option<Reading> {
        let (reading, encoded) = self.ready.pop_front()?;
        self.current = Some(encoded);
        Some(reading)
    }

    /// Whether [`Self::pop`] has a reading.
    pub(crate) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// No reading follows: the last one is not dropped.
    pub(crate) fn finish(&mut self) {
        self.ready.extend(self.held_back.take());
    }

    /// Writes the reading that [`Self::pop`] has handed out last, and what changed of the owners.
    pub(crate) fn write(&mut self, owners: Option<&OwnerUpdate>) {
        if let Some(encoded) = self.current.take() {
            self.append(&encoded.lines(owners));
        }
    }

    /// Continues in a new file at the same path, after the old one was moved away. `owners`:
    /// everything known.
    pub(crate) fn reopen(&mut self, owners: OwnerUpdate) {
        self.held_back = None;
        // If something was lost meanwhile, a number is left out.
        self.header.part += if self.file.take().is_some() { 1 } else { 2 };
        match RecordFile::open(&self.path) {
            Ok(file) => self.file = Some(file),
            Err(error) => self.warnings.push(format!("{error}; recording stopped")),
        }
        self.write_beginning(owners);
    }

    /// Writes what makes the lines that follow readable without those before.
    fn write_beginning(&mut self, owners: OwnerUpdate) {
        self.write_header();
        let lines = self.encoder.encode(&mut Reading::OwnerUpdate(owners)).lines(None);
        self.append(&lines);
    }

    /// Whether somebody has emptied or cut the file, as logrotate's `copytruncate` does: then
    /// [`Self::restart`] has to follow. Ends the recording where somebody else writes to it.
    pub(crate) fn is_truncated(&mut self) -> bool {
        match self.file.as_ref().map(RecordFile::foreign_change) {
            Some(Ok(Some(ForeignChange::Truncated))) => true,
            Some(Ok(Some(ForeignChange::Appended))) => {
                self.end("something else writes to this file");
                false
            }
            Some(Err(cause)) => {
                self.end(&cause.to_string());
                false
            }
            None | Some(Ok(None)) => false,
        }
    }

    /// Continues in the same file after it was truncated. `owners`: everything known.
    pub(crate) fn restart(&mut self, owners: OwnerUpdate) {
        self.held_back = None;
        match self.file.as_mut().map(RecordFile::restart) {
            Some(Ok(lost)) => {
                // If something was lost, a number is left out.
                self.header.part += if lost { 2 } else { 1 };
                let path = self.path.display();
                self.warnings.push(format!("{path} was truncated; recording continues in it"));
                self.write_beginning(owners);
            }
            Some(Err(cause)) => self.end(&cause.to_string()),
            None => {}
        }
    }

    /// What the user should know, each thing once.
    pub(crate) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn write_header(&mut self) {
        let header = self.encoder.header(&self.header);
        self.append(&header);
    }

    /// A full disk ends the recording, not the run.
    fn append(&mut self, lines: &[u8]) {
        if let Some(file) = &mut self.file
            && let Err(cause) = file.write(lines)
        {
            self.end(&cause.to_string());
        }
    }

    /// The run goes on without its recording.
    fn end(&mut self, reason: &str) {
        let path = self.path.display();
        self.warnings.push(format!("cannot write {path}: {reason}; recording stopped"));
        self.file = None;
    }
}
