//! The file, or the ring of files, that a recording is written to.

use super::file::{ForeignChange, RecordFile};
use super::ring::{NotWritten, Ring};
use crate::error::{Error, Result, reason};
use crate::model::reading::Reading;
use crate::settings::record::RecordSettings;
use crate::source::clock;
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

/// Where the lines of a recording go.
#[derive(Debug)]
pub(super) struct Destination {
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
    warnings: Vec<String>,
}

impl Destination {
    /// Opens the file.
    ///
    /// # Errors
    /// It cannot be written, or contains anything but recordings.
    pub(super) fn open(settings: &RecordSettings) -> Result<Self> {
        let path = settings.file.as_path();
        let ring = settings.keep.map(|keep| Ring::open(path, keep)).transpose()?;
        Ok(Self {
            path: path.to_owned(),
            file: Some(RecordFile::open(path)?),
            ring,
            beginning: Vec::new(),
            read_at: 0,
            paused_at: None,
            pause_reported: false,
            warnings: Vec::new(),
        })
    }

    /// How long it is until the second is over in which the run before began in this file.
    pub(super) fn time_to_next_second(&self) -> Duration {
        self.file.as_ref().map(RecordFile::time_to_next_second).unwrap_or_default()
    }

    /// Begins a run at this time (wall clock, µs).
    ///
    /// # Errors
    /// The files of a ring cannot be renamed or removed.
    pub(super) fn begin_run(&mut self, now: i64) -> Result<()> {
        self.read_at = now;
        self.continue_ring(now)
    }

    /// What the lines that follow begin with. A ring, whose files may all be of readings, gets it
    /// with the next of them.
    pub(super) fn begin(&mut self, beginning: Vec<u8>) {
        self.beginning = beginning;
    }

    /// Whether it is a ring of files.
    pub(super) const fn is_ring(&self) -> bool {
        self.ring.is_some()
    }

    /// The lines that follow are of a reading that was complete then (wall clock, µs).
    pub(super) const fn begin_reading(&mut self, read_at: i64) {
        self.read_at = read_at;
    }

    /// Continues a ring: in the file there is, or in a new one where that is old or long enough.
    fn continue_ring(&mut self, now: i64) -> Result<()> {
        let (Some(ring), Some(file)) = (&mut self.ring, &self.file) else { return Ok(()) };
        let failed = |cause| Error::Record { path: self.path.clone(), cause };
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

    /// How the recording has to be continued before the next reading, if not as it is: then
    /// [`Self::renew`] has to follow. `reopen`: the user has asked for a new file. Ends the recording
    /// where somebody else writes to it.
    pub(super) fn renewal(&mut self, reopen: bool, next: Option<&Reading>) -> Option<Renewal> {
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

    /// Continues the recording; whether nothing is lost.
    pub(super) fn renew(&mut self, renewal: Renewal) -> bool {
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
        is_complete
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
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Writes the beginning, also without a reading.
    pub(super) fn write_beginning(&mut self) {
        if !self.beginning.is_empty() {
            self.append(&[]);
        }
    }

    /// Writes lines behind the beginning. A full disk ends the recording, not the run; one that is kept as
    /// a ring goes on later.
    pub(super) fn append(&mut self, lines: &[u8]) {
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
