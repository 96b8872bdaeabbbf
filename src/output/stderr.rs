//! What is printed beside the records, mostly on standard error: sentences, the timelines of a
//! command, and the timelines so far on SIGUSR1. A slow reader does not delay polling.

use super::queue::{Outbox, Patience};
use super::renderers::clock;
use super::tty;
use super::views::RunState;
use crate::cli::ColorName;
use crate::error::{Error, Result};
use crate::render::Renderer;
use crate::render::cell::Names;
use crate::render::style::Palette;
use crate::render::timeline::TimelineText;
use crate::settings::OutputSettings;
use crate::view::Record;
use crate::view::pairing::paired;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Bytes that wait at most for a reader who is given more: sentences are few, and whoever calls for
/// reports without reading them needs no further one.
pub(crate) const MOST: usize = 1 << 20;

/// Tells one thing after the other.
#[derive(Default)]
pub(crate) struct Reports {
    outbox: Option<Outbox>,
    /// What found no room.
    left_out: u64,
}

impl Reports {
    /// Tells sentences.
    pub(crate) fn tell(&mut self, sentences: impl IntoIterator<Item = String>) {
        self.write(lines(sentences));
    }

    /// Hands over a report.
    pub(crate) fn write(&mut self, report: Vec<u8>) {
        if report.is_empty() {
            return;
        }
        if self.outbox.is_none() {
            self.outbox = Outbox::to(&io::stderr(), || ()).ok();
        }
        let Some(outbox) = &self.outbox else {
            // Late is better than not at all where no thread is to be had.
            let _ = Sink::Stderr.write(&report);
            return;
        };
        if outbox.waiting() >= MOST {
            self.left_out += 1;
            return;
        }
        let mut bytes = match std::mem::take(&mut self.left_out) {
            0 => Vec::new(),
            many => lines([format!("{many} messages had no room before this one")]),
        };
        bytes.extend(report);
        // Nobody is left to be told that standard error is closed.
        let _ = outbox.push(bytes);
    }
}

impl Drop for Reports {
    /// What was told is written before the run ends, unless its reader takes nothing.
    fn drop(&mut self) {
        let _ = self.outbox.take().map(|outbox| outbox.finish(|| Patience::Short));
    }
}

/// The timelines of the lives that go on, and how much of the run was seen.
pub(crate) fn report(print: &OutputSettings, now: &mut RunState<'_, '_>) -> Vec<u8> {
    let lives = paired(now.open_lives());
    let records: Vec<_> = lives.into_iter().map(|life| Record::Life(Box::new(life))).collect();
    let mut report = Sink::Stderr.timeline(print).rows(&records, &Names::default());
    report.extend(lines([now.monitor.coverage().to_string()]));
    report
}

/// Where what is no record of ours on standard output goes.
pub(crate) enum Sink {
    /// Standard error, which others write to as well.
    Stderr,
    /// A file of its own.
    File(PathBuf, File),
}

impl Sink {
    /// Standard error, or a new file.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::Stderr) };
        let file = File::create(path).map_err(|cause| Error::write(path, cause))?;
        Ok(Self::File(path.to_owned(), file))
    }

    /// Whether others write to it too.
    pub(crate) const fn is_shared(&self) -> bool {
        matches!(self, Self::Stderr)
    }

    /// Lives as text for whoever reads it.
    pub(crate) fn timeline(&self, print: &OutputSettings) -> TimelineText {
        let stderr = io::stderr();
        let (width, terminal) = match self {
            Self::Stderr => (tty::width_of(&stderr), stderr.is_terminal()),
            Self::File(..) => (None, false),
        };
        let on = match print.color {
            ColorName::Auto => terminal && tty::palette(print.color).on,
            asked => tty::palette(asked).on,
        };
        TimelineText { clock: clock(print), palette: Palette { on }, width: width.map(usize::from) }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// What cannot be written.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            // Nobody is left to be told that standard error is closed.
            Self::Stderr => drop(io::stderr().lock().write_all(bytes)),
            Self::File(path, file) => {
                file.write_all(bytes).map_err(|cause| Error::write(path, cause))?;
            }
        }
        Ok(())
    }
}

/// Tells the user something on standard error, where records never go.
pub(crate) fn tell(sentences: impl IntoIterator<Item = String>) {
    // Nobody is left to be told that standard error is closed.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), &lines(sentences));
}

/// Sentences as they stand on standard error.
pub(crate) fn lines(sentences: impl IntoIterator<Item = String>) -> Vec<u8> {
    let line = |sentence| format!("tcplapse: {sentence}\n").into_bytes();
    sentences.into_iter().flat_map(line).collect()
}
