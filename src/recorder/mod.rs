//! Writes the readings of a run, and the owners found for them, to a file, from which
//! `source::replay` reads them.
//!
//! Not every reading is written, and timers are written as predicted: so the run has to act on what
//! the recorder hands back, no more and no less, or its replay would show something else.

mod destination;
mod file;
mod ring;

use crate::error::Result;
use crate::model::escape::escape;
use crate::model::reading::{Interface, OwnerUpdate, Reading};
use crate::recording::{Encoded, Encoder, Header, Thinner};
use crate::settings::record::RecordSettings;
use crate::source::clock;
use destination::Destination;
pub(crate) use destination::Renewal;
use std::collections::VecDeque;
use std::time::Duration;

/// Records one run.
#[derive(Debug)]
pub(crate) struct Recorder {
    destination: Destination,
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
}

type EncodedReading = (Reading, Encoded);

impl Recorder {
    /// Opens a file for a run that reads this interface once in an interval.
    ///
    /// # Errors
    /// A file that cannot be written, or that contains anything but recordings.
    pub(crate) fn open(
        settings: &RecordSettings,
        source: Interface,
        interval: Duration,
    ) -> Result<Self> {
        let mut destination = Destination::open(settings)?;
        // The ids of a run begin with its second, which must not be that of the run before it in
        // this file. The wait is shorter than a second, and nothing has been read yet.
        std::thread::sleep(destination.time_to_next_second());
        let names = rustix::system::uname();
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let header = Header {
            start: clock::stamp(),
            boot_id: boot_id.unwrap_or_default().trim_end().to_owned(),
            part: 0,
            since: None,
            source,
            interval,
            host: escape(names.nodename().to_bytes()),
            kernel: escape(names.release().to_bytes()),
        };
        destination.begin_run(header.start.wall)?;
        let mut encoder = Encoder::default();
        destination.begin(encoder.header(&header));
        if !destination.is_ring() {
            destination.write_beginning();
        }
        Ok(Self {
            destination,
            header,
            encoder,
            thinner: Thinner::default(),
            held_back: None,
            ready: VecDeque::new(),
            current: None,
        })
    }

    /// Takes a reading. Nothing may follow from it until [`Self::pop`] hands it back.
    pub(crate) fn push(&mut self, mut reading: Reading) {
        self.destination.begin_reading(reading.time().wall);
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
        self.destination.write_beginning();
        self.ready.extend(self.held_back.take());
    }

    /// Writes the reading that [`Self::pop`] has handed out last, and what changed of the owners.
    pub(crate) fn write(&mut self, owners: Option<&OwnerUpdate>) {
        if let Some(encoded) = self.current.take() {
            self.destination.append(&encoded.lines(owners));
        }
    }

    /// How the recording has to be continued before the next reading, if not as it is: then
    /// [`Self::renew`] has to follow. `reopen`: the user has asked for a new file. Ends the recording
    /// where somebody else writes to it.
    pub(crate) fn renewal(&mut self, reopen: bool, next: Option<&Reading>) -> Option<Renewal> {
        self.destination.renewal(reopen, next)
    }

    /// Continues the recording. `owners`: everything known.
    pub(crate) fn renew(&mut self, renewal: Renewal, owners: OwnerUpdate) {
        self.held_back = None;
        // If something was lost meanwhile, a number is left out.
        self.header.part += if self.destination.renew(renewal) { 1 } else { 2 };
        self.header.since = Some(clock::stamp());
        let mut beginning = self.encoder.header(&self.header);
        beginning.extend(self.encoder.encode(&mut Reading::OwnerUpdate(owners)).lines(None));
        self.destination.begin(beginning);
    }

    /// What the user should know, each thing once.
    pub(crate) fn take_warnings(&mut self) -> Vec<String> {
        self.destination.take_warnings()
    }
}
