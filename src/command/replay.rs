//! `replay`: a recording, shown as the run would have been.

use super::show::show;
use super::{checked, stop};
use crate::cli::ReplayOptions;
use crate::error::Result;
use crate::monitor::Monitor;
use crate::owner::register::Register;
use crate::settings;
use crate::source::replay::Replay;

/// Shows the recording to its end; one that is followed, until the run has to end.
///
/// # Errors
/// A file that is no recording, and what ends the run before its time.
pub fn run(options: ReplayOptions) -> Result<()> {
    settings::replay(&options)?;
    let ReplayOptions { file, options, follow, .. } = options;
    let settings = checked(options)?;
    let stop = stop(&settings, settings.duration)?;
    let recording = Box::new(Replay::open(&file, follow, &stop)?);
    let mut monitor = Monitor::new(recording, Box::new(Register::default()), &settings.filter);
    show(&mut monitor, &stop, &settings, None)
}
