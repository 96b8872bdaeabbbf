//! One file per command, each a table of contents. Only here and in `main` is anything written.

pub mod explain;
pub mod list;
mod names;
pub mod output;
mod reports;
mod screen;
mod show;
mod sources;
pub mod terminal;
mod views;
pub mod watch;

use crate::cli::Options;
use crate::error::Result;
use crate::monitor::Monitor;
use crate::owner::scan::Scan;
use crate::settings::Settings;
use crate::source::Source;

/// The settings of a command; what was probably meant otherwise is said on standard error.
///
/// # Errors
/// Wrong usage.
pub fn checked(options: Options) -> Result<Settings> {
    let settings = Settings::new(options)?;
    tell(settings.hints.iter().cloned());
    Ok(settings)
}

/// The monitor that the settings ask for.
fn monitor(settings: &Settings) -> Result<Monitor<'_>> {
    Ok(monitor_of(sources::open(settings)?, settings))
}

fn monitor_of(source: Box<dyn Source>, settings: &Settings) -> Monitor<'_> {
    Monitor::new(source, Box::new(Scan::new(&settings.procfs)), &settings.filter)
}

/// Tells the user something on standard error, where records never go.
fn tell(sentences: impl IntoIterator<Item = String>) {
    for sentence in sentences {
        // Nobody is left to be told that standard error is closed.
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("tcplapse: {sentence}\n"),
        );
    }
}
