//! `watch`: shows the sockets there are, then every transition.

use super::follow::{Mode, follow};
use super::{monitor, signals};
use crate::error::Result;
use crate::output::ready::Ready;
use crate::settings::Settings;

/// Watches until Ctrl-C, SIGTERM, the end of `--for` or `-m`, or a closed standard output.
///
/// # Errors
/// What ends the run before its time.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    let ready = Ready::open(settings.ready_fd)?;
    let signals = signals(settings, settings.duration)?;
    let mut monitor = monitor(settings)?;
    if !settings.filter.process.pids.is_empty()
        && let Some(error) = monitor.elsewhere()
    {
        return Err(error.into());
    }
    #[cfg(feature = "tui")]
    if super::top::is_drawn(settings) || super::top::is_table_drawn(settings) {
        return super::top::live(&mut monitor, &signals, settings, ready);
    }
    follow(&mut monitor, &signals, settings, Mode::Live { watched: watched(settings), ready })
}

/// What is watched.
fn watched(settings: &Settings) -> String {
    match settings.patterns.as_slice() {
        [] => "watching".to_owned(),
        patterns => format!("watching processes matching '{}'", patterns.join("' or '")),
    }
}
