//! The rules file, read again when it changes, also when an editor renames a new one over it.

use crate::error::{Error, Result};
use crate::file_watch::FileWatch;
use crate::trusted_path::open_unchangeable;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Editors write a file in several steps.
const SETTLED: Duration = Duration::from_millis(100);

/// How often the file is checked where the system does not report changes.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// No rules file is longer.
const LONGEST: u64 = 1 << 20;

/// A rules file with its text.
#[derive(Debug)]
pub(super) struct RulesFile {
    path: PathBuf,
    /// What it held when it was last read; `None` where it could not be read then.
    text: Option<String>,
    watch: io::Result<FileWatch>,
    /// When it is read again, after a change.
    due: Option<Instant>,
}

impl RulesFile {
    /// Reads a file and watches it for changes.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) fn read(path: &Path) -> Result<Self> {
        // Before it is read, so that no change is missed.
        let watch = watch(path);
        let text = Some(read(path)?);
        Ok(Self { path: path.to_owned(), text, watch, due: None })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What it held when it was last read.
    pub(super) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Says that the system does not report its changes, where that is so.
    pub(super) fn warning(&self) -> Option<String> {
        let failure = self.watch.as_ref().err()?;
        Some(format!("{} is checked for changes once a second: {failure}", self.path.display()))
    }

    /// The text of the file, or why it cannot be read, where that has changed since the last call.
    pub(super) fn take_change(&mut self) -> Option<Result<&str>> {
        let (may_have_changed, delay) = match &self.watch {
            Ok(watch) => (watch.take_change(), SETTLED),
            Err(_) => (true, CHECK_INTERVAL),
        };
        if may_have_changed {
            self.due.get_or_insert_with(|| Instant::now() + delay);
        }
        self.due.take_if(|due| *due <= Instant::now())?;
        match read(&self.path) {
            Ok(text) if self.text.as_ref() == Some(&text) => None,
            Ok(text) => Some(Ok(self.text.insert(text))),
            // A file that stays away is reported once.
            Err(error) => self.text.take().map(|_| Err(error)),
        }
    }
}

/// Watches a file, and the one that it is a link to.
fn watch(path: &Path) -> io::Result<FileWatch> {
    let mut watch = FileWatch::new(path)?;
    if let Ok(target) = fs::canonicalize(path) {
        watch.add(&target)?;
    }
    Ok(watch)
}

/// Nothing but a regular file is read: a pipe may be waited for without end, and a device read.
fn read(path: &Path) -> Result<String> {
    let failed = |cause| Error::read(path, cause, "");
    let file = open_unchangeable(path)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("rules are read from a regular file only")));
    }
    let mut text = String::new();
    let read = file.take(LONGEST + 1).read_to_string(&mut text).map_err(failed)?;
    if read as u64 > LONGEST {
        return Err(failed(io::Error::other("it is longer than 1 MiB, and so no rules file")));
    }
    Ok(text)
}
