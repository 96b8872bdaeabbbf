//! A file of rules, read again when it changes: also when an editor renames a new one over it.

use crate::error::{Error, Result};
use crate::file_watch::Folder;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Whoever writes a file takes several steps to do so.
const SETTLED: Duration = Duration::from_millis(100);

/// A file of rules.
#[derive(Debug)]
pub(super) struct RulesFile {
    path: PathBuf,
    /// What it held when it was last read; `None` where it could not be.
    text: Option<String>,
    changes: io::Result<Folder>,
    /// When it is to be read again.
    due: Option<Instant>,
}

impl RulesFile {
    /// Watches and reads a file.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) fn read(path: &Path) -> Result<Self> {
        // Before it is read, so that no change is missed.
        let changes = changes(path);
        let text = Some(text_of(path)?);
        Ok(Self { path: path.to_owned(), text, changes, due: None })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What it held when it was last read.
    pub(super) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Why it is not read again when it changes, if it is not.
    pub(super) fn notice(&self) -> Option<String> {
        let failure = self.changes.as_ref().err()?;
        Some(format!("{} is not read again when it changes: {failure}", self.path.display()))
    }

    /// What it holds now, if that has changed.
    pub(super) fn changed(&mut self) -> Option<Result<&str>> {
        if self.changes.as_mut().is_ok_and(Folder::has_changed) {
            self.due.get_or_insert_with(|| Instant::now() + SETTLED);
        }
        self.due.take_if(|due| *due <= Instant::now())?;
        match text_of(&self.path) {
            Ok(text) if self.text.as_ref() == Some(&text) => None,
            Ok(text) => Some(Ok(self.text.insert(text))),
            // Told once: a file that stays away is no news.
            Err(error) => self.text.take().map(|_| Err(error)),
        }
    }
}

/// Of the folder of a file, and of that of what it is a link to.
fn changes(path: &Path) -> io::Result<Folder> {
    let mut changes = Folder::of(path)?;
    if let Ok(target) = fs::canonicalize(path) {
        changes.also_of(&target)?;
    }
    Ok(changes)
}

fn text_of(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|cause| Error::read(path, cause, ""))
}
