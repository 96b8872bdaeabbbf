//! `watch`: the sockets there are, then every transition, until the run is over.

use super::output::Output;
use super::{monitor, tell, terminal};
use crate::error::Result;
use crate::settings::Settings;
use crate::stop::Stop;
use std::io::{self, IsTerminal};

/// Watches until Ctrl-C, SIGTERM, `--for`, `-m` or the end of the reader.
///
/// # Errors
/// What ends the run before its time.
pub fn run(settings: &Settings) -> Result<()> {
    let stop = Stop::new(settings.duration)?;
    let mut monitor = monitor(settings)?;
    let mut output = Output::events(&settings.print, settings.max_count, settings.pace.interval);
    let mut waiting_told = false;
    output.begin(&stop)?;
    while let Some(records) = monitor.events(&stop)? {
        let nothing_yet = records.is_empty() && !waiting_told;
        waiting_told = true;
        let more = output.write(records, &stop)?;
        tell(monitor.notices());
        if nothing_yet {
            tell_waiting(settings);
        }
        if !more {
            break;
        }
    }
    let (lives, open) = monitor.counts();
    if io::stderr().is_terminal() && terminal::is_terminal() {
        tell([format!("{lives} lives of sockets seen, {open} of them not over")]);
    }
    Ok(())
}

/// A blank screen should not leave anybody wondering.
fn tell_waiting(settings: &Settings) {
    if !io::stderr().is_terminal() {
        return;
    }
    let whose = match settings.patterns.as_slice() {
        [] => "no such socket".to_owned(),
        patterns => format!("no socket of a process matching '{}'", patterns.join("' or '")),
    };
    tell([format!("{whose} yet; watching, Ctrl-C ends")]);
}
