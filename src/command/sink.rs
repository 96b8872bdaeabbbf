//! Where the timelines of a command go: to standard error, or into a file of their own.

use super::output::clock;
use super::terminal;
use crate::cli::ColorName;
use crate::error::{Error, Result};
use crate::render::style::Palette;
use crate::render::timeline::Timeline;
use crate::settings::Print;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Where what is no record of ours on standard output goes.
pub enum Sink {
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
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::Stderr) };
        let file = File::create(path).map_err(|cause| Error::write(path, cause))?;
        Ok(Self::File(path.to_owned(), file))
    }

    /// Whether others write to it too.
    pub const fn is_shared(&self) -> bool {
        matches!(self, Self::Stderr)
    }

    /// Lives as text for whoever reads it.
    pub fn timeline(&self, print: &Print) -> Timeline {
        let stderr = io::stderr();
        let (width, terminal) = match self {
            Self::Stderr => (terminal::width_of(&stderr), stderr.is_terminal()),
            Self::File(..) => (None, false),
        };
        let on = match print.color {
            ColorName::Auto => terminal && terminal::palette(print.color).on,
            asked => terminal::palette(asked).on,
        };
        Timeline { clock: clock(print), palette: Palette { on }, width: width.map(usize::from) }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
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
