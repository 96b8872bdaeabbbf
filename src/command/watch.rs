//! `watch`: the sockets there are, then every transition, until the run is over.

use super::follow::{Run, show};
use super::{monitor, stop};
use crate::error::Result;
use crate::output::ready::Ready;
use crate::settings::Settings;

/// Watches until Ctrl-C, SIGTERM, `--for`, `-m` or the end of the reader.
///
/// # Errors
/// What ends the run before its time.
pub fn run(settings: &Settings) -> Result<()> {
    let ready = Ready::open(settings.ready_fd)?;
    let stop = stop(settings, settings.duration)?;
    let mut monitor = monitor(settings)?;
    show(&mut monitor, &stop, settings, Run::Live { nothing_yet: nothing_yet(settings), ready })
}

/// A blank screen should not leave anybody wondering.
fn nothing_yet(settings: &Settings) -> String {
    let whose = match settings.patterns.as_slice() {
        [] => "no such socket".to_owned(),
        patterns => format!("no socket of a process matching '{}'", patterns.join("' or '")),
    };
    format!("{whose} yet; watching, Ctrl-C ends")
}
