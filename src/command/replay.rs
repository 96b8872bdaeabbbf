//! `replay`: shows a recording as `watch` would have shown the run.

use super::follow::{Mode, follow};
use super::{checked, signals};
use crate::cli::ReplayOptions;
use crate::error::Result;
use crate::monitor::Monitor;
use crate::owner::recorded::RecordedOwners;
use crate::settings::{self, Settings};
use crate::signals::Signals;
use crate::source::replay::Replay;
use std::path::Path;

/// Shows the recording to its end; one that is followed, until the run has to end.
///
/// # Errors
/// The file is not a recording; what ends the run before its time.
pub fn run(options: ReplayOptions) -> Result<()> {
    settings::replay(&options)?;
    let ReplayOptions { file, shared, follow: waits_for_more } = options;
    let settings = checked(shared)?;
    let signals = signals(&settings, settings.duration)?;
    let mut monitor = monitor(&file, waits_for_more, &settings, &signals)?;
    follow(&mut monitor, &signals, &settings, Mode::Recorded)
}

/// The monitor of a recording; `waits_for_more` lets it wait at the end of the file for more.
pub(super) fn monitor<'a>(
    file: &Path,
    waits_for_more: bool,
    settings: &'a Settings,
    signals: &'a Signals,
) -> Result<Monitor<'a>> {
    let recording = Box::new(Replay::open(file, waits_for_more, signals)?);
    Ok(Monitor::new(recording, Box::new(RecordedOwners::default()), &settings.filter))
}
