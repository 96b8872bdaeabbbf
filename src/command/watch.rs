//! `watch`: shows the sockets there are, then every transition.

use super::follow::{Mode, follow};
use super::{monitor, signals};
use crate::cli::ViewName;
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
    follow(
        &mut monitor,
        &signals,
        settings,
        Mode::Live { nothing_yet: nothing_yet(settings), ready },
    )
}

/// The sentence for a terminal on which nothing is shown yet.
fn nothing_yet(settings: &Settings) -> String {
    let of = match settings.patterns.as_slice() {
        [] => String::new(),
        patterns => format!(" processes matching '{}'", patterns.join("' or '")),
    };
    let state = match settings.output.view {
        ViewName::Timeline => "timelines are printed when sockets close, or at the end",
        ViewName::Table => "the table is printed at the end",
        _ => "no matching socket yet",
    };
    format!("{state}; watching{of} (Ctrl-C to stop)")
}
