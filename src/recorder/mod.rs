//! Writes the readings of a run, and the owners found for them, to a file, from which
//! `source::replay` reads them.
//!
//! Not every reading is written, and timers are written as predicted: so the run has to act on what
//! the recorder hands back, no more and no less, or its replay would show something else.

mod file;
mod ring;

use crate::error::{Error, Result, reason};
use crate::model::escape::escape;
use crate::model::reading::{Interface, OwnerUpdate, Reading};
use crate::recording::{Encoded, Encoder, Header, Thinner};
use crate::settings::record::RecordSettings;
use crate::source::clock;
use file::{ForeignChange, RecordFile};
use ring::{NotWritten, Ring};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

/// How long a recording that had no room waits until it tries again, in microseconds.
const PAUSE: u64 = 1_000_000;

/// How a recording is to be continued so that what follows can be read without what was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// In a new file at the same path, after the old one was moved away.
    Reopen,
    /// In the next file of a ring.
    Rotate,
    /// In the same file, after somebody has emptied or cut it, as logrotate's `copytruncate` does.
    Restart,
    /// In the same file, after there was no room.
    Resume,
}

/// Records one run.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    /// `None` once it could not be written to.
    file: Option<RecordFile>,
    /// The files beside it, where only what happened last is kept.
    ring: Option<Ring>,
    /// Written before the next reading, and only with it.
    beginning: Vec<u8>,
    /// When the last reading was complete (wall clock, µs).
    read_at: i64,
    /// There was no room, at this time: nothing is written.
    paused_at: Option<i64>,
    pause_reported: bool,
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
    pub(crate) fn open(
        settings: &RecordSettings,
        source: Interface,
        interval: Duration,
    ) -> Result<Self> {
        let path = settings.file.as_path();
        let ring = settings.keep.map(|keep| Ring::open(path, keep)).transpose()?;
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
            since: None,
            source,
            interval,
            host: escape(names.nodename().to_bytes()),
            kernel: escape(names.release().to_bytes()),
        };
        let mut recorder = Self {
            path: path.to_owned(),
            file: Some(file),
            ring,
            beginning: Vec::new(),
            read_at: header.start.wall,
            paused_at: None,
            pause_reported: false,
            header,
            encoder: Encoder::default(),
            thinner: Thinner::default(),
            held_back: None,
            ready: VecDeque::new(),
            current: None,
            warnings: Vec::new(),
        };
        recorder.continue_ring()?;
        recorder.beginning = recorder.encoder.header(&recorder.header);
        if recorder.ring.is_none() {
            recorder.write_beginning();
        }
        Ok(recorder)
    }

    /// Continues a ring: in the file there is, or in a new one where that is old or long enough.
    fn continue_ring(&mut self) -> Result<()> {
        let (Some(ring), Some(file)) = (&mut self.ring, &self.file) else { return Ok(()) };
        let failed = |cause| Error::Record { path: self.path.clone(), cause };
        let now = self.header.start.wall;
        ring.begin(now);
        if let Some((begun, written)) = file.period().map_err(failed)? {
            ring.begin(begun);
            if ring.is_due(now, file, true) {
                ring.rotate(file, written).map_err(failed)?;
                ring.begin(now);
                let next = RecordFile::open(&self.path)?;
                next.share_like(file);
                self.file = Some(next);
            }
        }
        ring.expire(now).map_err(failed)
    }

    /// Takes a reading. Nothing may follow from it until [`Self::pop`] hands it back.
    pub(crate) fn push(&mut self, mut reading: Reading) {
        self.read_at = reading.time().wall;
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
        self.write_beginning();
        self.ready.extend(self.held_back.take());
    }

    /// Writes the reading that [`Self::pop`] has handed out last, and what changed of the owners.
    pub(crate) fn write(&mut self, owners: Option<&OwnerUpdate>) {
        if let Some(encoded) = self.current.take() {
            self.append(&encoded.lines(owners));
        }
    }

    /// How the recording has to be continued before the next reading, if not as it is: then
    /// [`Self::renew`] has to follow. `reopen`: the user has asked for a new file. Ends the recording
    /// where somebody else writes to it.
    pub(crate) fn renewal(&mut self, reopen: bool, next: Option<&Reading>) -> Option<Renewal> {
        // A ring that begins another file opens one anyway. However often it is asked to, it does not
        // keep one file for ever.
        if reopen {
            let is_due = self.paused_at.is_none() && self.is_due(next);
            return Some(if is_due { Renewal::Rotate } else { Renewal::Reopen });
        }
        let file = self.file.as_ref()?;
        match file.foreign_change() {
            Ok(Some(ForeignChange::Truncated)) => return Some(Renewal::Restart),
            Ok(Some(ForeignChange::Appended)) => {
                self.end("something else writes to this file");
                return None;
            }
            Err(cause) => {
                self.end(&reason(&cause));
                return None;
            }
            Ok(None) => {}
        }
        let (ring, next) = (self.ring.as_mut()?, next?);
        let (now, is_poll) = (next.time().wall, matches!(next, Reading::Snapshot(_)));
        if let Err(cause) = ring.expire(now) {
            self.end(&format!("cannot remove what is too old: {}", reason(&cause)));
            return None;
        }
        if let Some(paused_at) = self.paused_at {
            let is_over = is_poll && now.abs_diff(paused_at) >= PAUSE;
            return is_over.then_some(Renewal::Resume);
        }
        self.is_due(Some(next)).then_some(Renewal::Rotate)
    }

    /// Whether the next file of a ring is to be begun before this reading.
    fn is_due(&self, next: Option<&Reading>) -> bool {
        let (Some(ring), Some(file), Some(next)) = (&self.ring, &self.file, next) else {
            return false;
        };
        ring.is_due(next.time().wall, file, matches!(next, Reading::Snapshot(_)))
    }

    /// Continues the recording. `owners`: everything known.
    pub(crate) fn renew(&mut self, renewal: Renewal, owners: OwnerUpdate) {
        self.held_back = None;
        // If something was lost meanwhile, a number is left out.
        let is_complete = match renewal {
            Renewal::Reopen => {
                let is_complete = self.file.take().is_some() && self.paused_at.is_none();
                self.open_next(None);
                is_complete
            }
            Renewal::Rotate => self.rotate(),
            Renewal::Restart => self.restart() && self.paused_at.is_none(),
            Renewal::Resume => false,
        };
        self.paused_at = None;
        self.header.part += if is_complete { 1 } else { 2 };
        self.header.since = Some(clock::stamp());
        self.beginning = self.encoder.header(&self.header);
        let owners = self.encoder.encode(&mut Reading::OwnerUpdate(owners)).lines(None);
        self.beginning.extend(owners);
    }

    /// Begins the next file of the ring; whether nothing is lost.
    fn rotate(&mut self) -> bool {
        let Some((ring, file)) = self.ring.as_mut().zip(self.file.take()) else { return false };
        match ring.rotate(&file, self.read_at) {
            Ok(()) => self.open_next(Some(&file)),
            Err(cause) => self.end(&format!("cannot rename it: {}", reason(&cause))),
        }
        true
    }

    /// Opens the next file, to be shared like the one before.
    fn open_next(&mut self, before: Option<&RecordFile>) {
        match RecordFile::open(&self.path) {
            Ok(file) => {
                if let Some(ring) = &mut self.ring {
                    // It may be the same one again.
                    let begun = file.period().ok().flatten().map(|(begun, _)| begun);
                    ring.begin(begun.unwrap_or_else(|| clock::stamp().wall));
                }
                if let Some(before) = before {
                    file.share_like(before);
                }
                self.file = Some(file);
            }
            Err(error) => self.warnings.push(format!("{error}; recording stopped")),
        }
    }

    /// Continues in the same file after it was truncated; whether nothing is lost.
    fn restart(&mut self) -> bool {
        match self.file.as_mut().map(RecordFile::restart) {
            Some(Ok(is_torn)) => {
                let path = self.path.display();
                self.warnings.push(format!("{path} was truncated; recording continues in it"));
                !is_torn
            }
            Some(Err(cause)) => {
                self.end(&reason(&cause));
                false
            }
            None => false,
        }
    }

    /// What the user should know, each thing once.
    pub(crate) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn write_beginning(&mut self) {
        if !self.beginning.is_empty() {
            self.append(&[]);
        }
    }

    /// A full disk ends the recording, not the run; one that is kept as a ring goes on later.
    fn append(&mut self, lines: &[u8]) {
        let Some(file) = self.file.as_mut().filter(|_| self.paused_at.is_none()) else { return };
        let beginning = std::mem::take(&mut self.beginning);
        let together = [&beginning, lines].concat();
        let lines = if beginning.is_empty() { lines } else { &together };
        let written = match &mut self.ring {
            Some(ring) => ring.write(file, lines),
            None => file.write(lines).map_err(NotWritten::Failed),
        };
        match written {
            Ok(()) => {}
            Err(NotWritten::Failed(cause)) => self.end(&reason(&cause)),
            Err(NotWritten::NoRoom(why)) => self.pause(&why),
        }
    }

    /// The run goes on without its recording until there is room for it.
    fn pause(&mut self, reason: &str) {
        self.paused_at = Some(self.read_at);
        if !std::mem::replace(&mut self.pause_reported, true) {
            let path = self.path.display();
            let pauses = "recording pauses until there is room";
            self.warnings.push(format!("cannot write {path}: {reason}; {pauses}"));
        }
    }

    /// The run goes on without its recording.
    fn end(&mut self, reason: &str) {
        let path = self.path.display();
        self.warnings.push(format!("cannot write {path}: {reason}; recording stopped"));
        self.file = None;
    }
}
