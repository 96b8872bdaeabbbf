//! `list`: the sockets of one poll.

use super::{die_as_a_shell_reports, monitor_of, open_source, stop};
use crate::cli::ViewName;
use crate::error::{Result, UsageError};
use crate::output::Output;
use crate::output::stderr::tell;
use crate::settings::Settings;
use crate::view::Record;
use crate::view::socket::SocketRecord;

/// Prints the sockets that the filters ask for, and returns whether there are any.
///
/// # Errors
/// Wrong usage, tables that cannot be read, or output that cannot be written.
pub fn run(settings: &Settings) -> Result<bool> {
    if settings.output.view == ViewName::Diagram {
        return Err(UsageError::ListDiagram.into());
    }
    die_as_a_shell_reports()?;
    let stop = stop(settings, None)?;
    let mut monitor = monitor_of(open_source::open_for_one_poll(settings)?, settings)?;
    let mut output = Output::sockets(&settings.output, settings.max_count, false);
    monitor.poll_once(&stop)?;
    let at = monitor.read_at();
    let records = monitor
        .sockets()
        .map(|(now, owner)| Record::Socket(Box::new(SocketRecord::new(&now, at, owner))));
    output.write_all(records, &stop)?;
    tell(monitor.warnings());
    Ok(output.written() > 0)
}
