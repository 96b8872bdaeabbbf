//! `list`: the sockets of one poll, or of a recording at a moment.

use super::{exit_128_plus_signal, monitor_of, open_source, replay, signals};
use crate::error::Result;
use crate::output::formatter::Formatter;
use crate::output::{messages, write_once};
use crate::settings::{ListedRecording, Settings};
use crate::view::Record;
use crate::view::socket::SocketRecord;
use std::io::{self, IsTerminal};

/// Prints the sockets that pass the filters, and returns whether there are any.
///
/// # Errors
/// Wrong usage, tables that cannot be read, or output that cannot be written.
pub fn run(settings: &Settings, recording: Option<ListedRecording>) -> Result<bool> {
    exit_128_plus_signal()?;
    let signals = signals(settings, None)?;
    let mut formatter = Formatter::of_sockets(&settings.output, settings.max_count, true);
    let mut monitor = if let Some(ListedRecording { file, at }) = recording {
        let mut monitor = replay::monitor_until(&file, at.as_ref(), settings, &signals)?;
        while monitor.update(&signals)? {}
        monitor
    } else {
        let mut monitor = monitor_of(open_source::open_for_one_poll(settings)?, settings)?;
        monitor.poll_once(&signals)?;
        monitor
    };
    let at = monitor.read_at();
    let records = monitor
        .sockets()
        .map(|(now, owner)| Record::Socket(Box::new(SocketRecord::new(&now, at, owner))));
    write_once(&mut formatter, records)?;
    messages::print(monitor.warnings());
    let found = formatter.written() > 0;
    if !found
        && !settings.filter.process.pids.is_empty()
        && let Some(error) = monitor.elsewhere()
    {
        return Err(error.into());
    }
    if !found && io::stderr().is_terminal() {
        messages::print(["no matching socket".to_owned()]);
    }
    Ok(found)
}
