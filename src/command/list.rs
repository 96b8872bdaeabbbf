//! `list`: the sockets of one poll, or of a recording at a moment.

use super::{begin_question, monitor_of, open_source, replay};
use crate::cli::{FormatName, SortName};
use crate::error::Result;
use crate::monitor::SocketOrder;
use crate::output::formatter::Formatter;
use crate::output::{messages, write_once};
use crate::settings::OWN_PROCFS;
use crate::settings::list::{ListSettings, ListedRecording};
use crate::tcp::state::State;
use crate::view::Record;
use crate::view::socket::SocketRecord;
use std::cmp::Reverse;
use std::io::{self, IsTerminal};
use std::path::Path;

/// Prints the sockets that pass the filters, and returns whether there are any.
///
/// # Errors
/// Wrong usage, tables that cannot be read, or output that cannot be written.
pub(crate) fn run(list: &ListSettings) -> Result<bool> {
    let settings = &list.settings;
    let signals = begin_question(settings, None)?;
    let mut formatter = Formatter::of_sockets(&settings.output, settings.max_count, true);
    let mut monitor = if let Some(ListedRecording { file, at }) = &list.recording {
        replay::monitor_at(file, at.as_ref(), settings, &signals)?
    } else {
        let mut monitor = monitor_of(open_source::open_for_one_poll(settings)?, settings)?;
        monitor.poll_once(&signals)?;
        monitor
    };
    let at = monitor.read_at();
    // Scripts get the order of the kernel's tables, unless they ask for another.
    let order = match settings.output.format {
        FormatName::Text => SocketOrder::Ports,
        _ => SocketOrder::Kernel,
    };
    let infos = monitor.tcp_infos();
    let records = monitor
        .sockets(order)
        .map(|(now, owner)| SocketRecord::new(&now, at, owner).with_tcp_info(infos.as_deref()));
    let record = |socket| Record::Socket(Box::new(socket));
    let top = list.top.unwrap_or(usize::MAX);
    if let Some(key) = list.sort {
        let mut records: Vec<SocketRecord> = records.collect();
        sort(&mut records, key);
        write_once(&mut formatter, records.into_iter().take(top).map(record))?;
    } else {
        write_once(&mut formatter, records.take(top).map(record))?;
    }
    messages::print(monitor.warnings());
    let found = formatter.written() > 0;
    if !found
        && !settings.filter.process.pids.is_empty()
        && let Some(error) = monitor.elsewhere()
    {
        return Err(error.into());
    }
    // With 0 rows asked for, none says nothing.
    let is_answer = settings.max_count != Some(0);
    if !found && is_answer && io::stderr().is_terminal() {
        let hint = if hides_bound(list) {
            "; --source netlink also lists sockets that are bound and do not listen"
        } else {
            ""
        };
        messages::print([format!("no matching socket{hint}")]);
    }
    Ok(found)
}

/// Whether a socket that is bound, and does not listen, may match: only sock_diag lists it.
fn hides_bound(list: &ListSettings) -> bool {
    let settings = &list.settings;
    let is_wanted = !settings.filter.ports.is_empty() && settings.filter.shows_state(State::Bound);
    let is_own = settings.procfs == Path::new(OWN_PROCFS);
    is_wanted && !settings.poll.bound && is_own && list.recording.is_none()
}

/// Sorts rows; equal ones keep their order.
fn sort(rows: &mut [SocketRecord], key: SortName) {
    match key {
        SortName::Local => rows.sort_by_key(|row| {
            let end = row.socket.addrs.local;
            (end.addr, end.port)
        }),
        SortName::Remote => rows.sort_by_key(|row| {
            let end = row.socket.addrs.remote;
            (end.addr, end.port)
        }),
        SortName::State => rows.sort_by_key(|row| row.state),
        SortName::Process => rows.sort_by_cached_key(|row| {
            let name = row.owner.main.as_ref().and_then(|process| process.name());
            (name.is_none(), name)
        }),
        SortName::RecvQueue => rows.sort_by_key(|row| Reverse(row.details.rx_queue)),
        SortName::SendQueue => rows.sort_by_key(|row| Reverse(row.details.tx_queue)),
    }
}
