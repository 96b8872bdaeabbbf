//! `replay`: a recording, shown as the run would have been.

use super::follow::{Run, show};
use super::{checked, stop};
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
/// A file that is no recording, and what ends the run before its time.
pub fn run(options: ReplayOptions) -> Result<()> {
    settings::replay(&options)?;
    let ReplayOptions { file, options, follow, .. } = options;
    let settings = checked(options)?;
    let stop = stop(&settings, settings.duration)?;
    let mut monitor = monitor(&file, follow, &settings, &stop)?;
    show(&mut monitor, &stop, &settings, Run::Recorded)
}

/// The monitor of a recording.
pub(super) fn monitor<'a>(
    file: &Path,
    follow: bool,
    settings: &'a Settings,
    stop: &'a Signals,
) -> Result<Monitor<'a>> {
    let recording = Box::new(Replay::open(file, follow, stop)?);
    Ok(Monitor::new(recording, Box::new(RecordedOwners::default()), &settings.filter))
}
