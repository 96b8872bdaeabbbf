//! Timelines beside the records: those of a command, and the timelines so far on SIGUSR1.

use super::messages::{warnings, write};
use super::renderers::text_options;
#[cfg(feature = "tui")]
use super::run_state::{name_peers, open_lives};
use super::tty;
use crate::cli::ColorName;
use crate::error::{Error, Result};
#[cfg(feature = "tui")]
use crate::monitor::Monitor;
use crate::render::ascii::ascii;
use crate::render::cell::Names;
use crate::render::style::Palette;
use crate::render::{Renderer, TextOptions, of_view};
use crate::settings::OutputSettings;
use crate::trusted_path::open_for_writing;
#[cfg(feature = "tui")]
use crate::view::life::LifeHistories;
use crate::view::life::LifeRecord;
use crate::view::pairing::paired;
use crate::view::{Record, ViewName};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// How long a pipe that is full is waited for.
const FULL_PIPE_SECONDS: i64 = 1;

/// Timelines, the counts of the run and a sentence below them, as text for standard error.
pub(super) fn as_text(
    output: &OutputSettings,
    lives: Vec<LifeRecord>,
    counts: &[Record],
    sentence: &str,
) -> Vec<u8> {
    let lives = paired(lives).into_iter().map(Box::new);
    let records: Vec<_> = lives.map(Record::Life).collect();
    let (target, names) = (TimelineTarget::Stderr, Names::default());
    let mut text = target.text(ViewName::Timeline, output).rows(&records, &names);
    if !records.is_empty() && !counts.is_empty() {
        text.push(b'\n');
    }
    text.extend(target.text(ViewName::Summary, output).rows(counts, &names));
    if !tty::draws_unicode() {
        text = ascii(&String::from_utf8_lossy(&text)).into_bytes();
    }
    text.extend(warnings([sentence.to_owned()]));
    text
}

/// The timelines of the sockets that are open, the counts of the run, and how much of it was seen, as
/// text for standard error.
#[cfg(feature = "tui")]
pub(crate) fn open_timelines(
    output: &OutputSettings,
    monitor: &mut Monitor<'_>,
    histories: &LifeHistories,
    counts: &[Record],
) -> Vec<u8> {
    let mut lives = open_lives(monitor, histories);
    name_peers(monitor, &mut lives);
    as_text(output, lives, counts, &monitor.coverage().to_string())
}

/// Where timelines that are not records of standard output go.
pub(crate) enum TimelineTarget {
    /// Standard error, which other processes write to as well.
    Stderr,
    /// A file of their own.
    ///
    /// `None` once it could not be written to.
    File(PathBuf, Option<File>),
}

impl TimelineTarget {
    /// A new file, or standard error where `path` is `None`.
    ///
    /// # Errors
    /// The file cannot be created.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::Stderr) };
        let file = open_for_writing(path, false).map_err(|cause| Error::write(path, cause))?;
        let planted = |distrust| Error::Planted { path: path.to_owned(), distrust };
        Ok(Self::File(path.to_owned(), Some(file.map_err(planted)?)))
    }

    /// Whether it is standard error.
    pub(crate) const fn is_stderr(&self) -> bool {
        matches!(self, Self::Stderr)
    }

    /// Formats the records of a view as text, in the width and colours of the target.
    fn text(&self, view: ViewName, output: &OutputSettings) -> Box<dyn Renderer> {
        let stderr = io::stderr();
        let (width, terminal) = match self {
            Self::Stderr => (tty::width_of(&stderr), stderr.is_terminal()),
            Self::File(..) => (None, false),
        };
        let on = match output.color {
            ColorName::Auto => terminal && tty::palette(output.color).on,
            chosen => tty::palette(chosen).on,
        };
        let mut options = text_options(output);
        options.table.palette = Palette { on };
        of_view(view, TextOptions { width, ..options })
    }

    /// Formats what the settings ask for as text.
    pub(crate) fn renderer(&self, output: &OutputSettings) -> Box<dyn Renderer> {
        self.text(output.view, output)
    }

    /// Writes bytes, and waits until they are written.
    ///
    /// # Errors
    /// The file cannot be written; a closed standard error is not an error.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Stderr => write(bytes),
            Self::File(path, file) => {
                let Some(open) = file else { return Ok(()) };
                if let Err(cause) = write_patiently(open, bytes) {
                    *file = None;
                    return Err(Error::write(path, cause));
                }
            }
        }
        Ok(())
    }
}

/// Writes a file that does not exist yet.
///
/// # Errors
/// It cannot be made or written, or somebody else may have made it.
#[cfg(feature = "tui")]
pub(crate) fn new_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut target = TimelineTarget::open(Some(path))?;
    target.write(bytes)
}

/// Writes all bytes; a pipe that nobody reads is waited for no longer than this.
fn write_patiently(file: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {
                let mut pipe = [PollFd::new(file, PollFlags::OUT)];
                let limit = Timespec { tv_sec: FULL_PIPE_SECONDS, tv_nsec: 0 };
                if poll(&mut pipe, Some(&limit)).unwrap_or_default() == 0 {
                    return Err(io::Error::other("its reader takes nothing"));
                }
            }
            Err(cause) => return Err(cause),
        }
    }
    Ok(())
}
