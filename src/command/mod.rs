//! One file per command, each a table of contents. `follow` is the loop of the commands that show
//! a run, `open_source` opens the source that the settings name.

pub mod check;
pub mod explain;
mod follow;
pub mod list;
mod open_source;
pub mod replay;
pub mod run;
pub mod wait;
pub mod watch;

use crate::cli::Options;
use crate::error::{Error, Result};
use crate::monitor::Monitor;
use crate::output::stderr::tell;
use crate::owner::scan::Scan;
use crate::owner::scan::survey::SurveyedOwners;
use crate::recorder::Recorder;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::source::Source;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The settings of a command; what was probably meant otherwise is said on standard error.
///
/// # Errors
/// Wrong usage.
pub fn checked(options: Options) -> Result<Settings> {
    let settings = Settings::new(options)?;
    hint(&settings);
    Ok(settings)
}

/// What ends a run that the settings ask for, after `duration` at the latest.
fn stop(settings: &Settings, duration: Option<Duration>) -> Result<Signals> {
    let mut stop = Signals::new(duration)?;
    if settings.record.is_some() {
        stop.reopen_on_hangup()?;
    }
    Ok(stop)
}

/// What was probably meant otherwise.
fn hint(settings: &Settings) {
    tell(settings.hints.iter().cloned());
}

/// The monitor that the settings ask for.
fn monitor(settings: &Settings) -> Result<Monitor<'_>> {
    monitor_of(open_source::open(settings)?, settings)
}

/// The monitor of a source.
fn monitor_of(source: Box<dyn Source>, settings: &Settings) -> Result<Monitor<'_>> {
    let tree = settings.filter.process.tree.clone();
    let scan = Scan::new(&settings.procfs).following(tree);
    let Some(path) = &settings.record else {
        return Ok(Monitor::new(source, Box::new(scan), &settings.filter));
    };
    let recorder = Recorder::open(path, source.interface(), settings.poll.interval)?;
    let owners = Box::new(SurveyedOwners::new(scan));
    Ok(Monitor::new(source, owners, &settings.filter).recorded_by(recorder))
}

/// A question that is interrupted has no answer: 130 or 143, at once.
fn die_as_a_shell_reports() -> Result<()> {
    let now = Arc::new(AtomicBool::new(true));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&now))
            .map_err(|cause| Error::System { what: "catch signals", cause })?;
    }
    Ok(())
}
