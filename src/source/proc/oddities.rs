//! What is odd about tables, which may be copies from anywhere: each kind is said once, in one sentence
//! with its count.

use crate::error::reason;
use crate::model::socket::Family;
use crate::model::socket_row::SocketRow;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

/// What was odd about the tables of one poll, and which kinds have been said.
#[derive(Debug, Default)]
pub(super) struct Oddities {
    found: PollOddities,
    has_said: Said,
}

#[derive(Debug, Default)]
struct PollOddities {
    /// Lines that are not rows, with the first of them.
    bad: u64,
    first_bad: Option<(PathBuf, usize)>,
    unreadable: Option<String>,
    /// A table without a line; `None` once there is one with any.
    empty: Option<PathBuf>,
    has_lines: bool,
    /// A table whose addresses are those of the other byte order.
    swapped: Option<PathBuf>,
}

#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // one for each kind
struct Said {
    bad: bool,
    unreadable: bool,
    empty: bool,
    swapped: bool,
}

impl Oddities {
    /// A line is not a row.
    pub(super) fn note_bad(&mut self, table: &Path, line: usize) {
        self.found.bad += 1;
        self.found.first_bad.get_or_insert_with(|| (table.to_owned(), line));
    }

    /// A table cannot be read, while another can.
    pub(super) fn note_unreadable(&mut self, table: &Path, family: Family, cause: &io::Error) {
        let family = match family {
            Family::Ipv4 => "IPv4",
            Family::Ipv6 => "IPv6",
        };
        let path = table.display();
        self.found.unreadable.get_or_insert_with(|| {
            format!("cannot read {path}: {}; sockets of {family} are not shown", reason(cause))
        });
    }

    /// A table was read: how many lines it has, and its rows.
    pub(super) fn note_table(&mut self, table: &Path, lines: usize, rows: &[SocketRow]) {
        if lines == 0 {
            self.found.empty.get_or_insert_with(|| table.to_owned());
        } else {
            self.found.has_lines = true;
        }
        // Every poll of a live machine would pay for it.
        if !self.has_said.swapped && rows.iter().any(is_swapped) {
            self.found.swapped.get_or_insert_with(|| table.to_owned());
        }
    }

    /// What has not been said before, at the end of a poll.
    pub(super) fn finish_poll(&mut self, warnings: &mut Vec<String>) {
        let found = std::mem::take(&mut self.found);
        let said = &mut self.has_said;
        if let Some((path, line)) = found.first_bad
            && !std::mem::replace(&mut said.bad, true)
        {
            let path = path.display();
            warnings.push(match found.bad {
                1 => format!("{path}, line {line}: not a row of a TCP table, left out"),
                many => format!(
                    "{path}, line {line}: not a row of a TCP table; {many} such lines are left out"
                ),
            });
        }
        if let Some(sentence) = found.unreadable
            && !std::mem::replace(&mut said.unreadable, true)
        {
            warnings.push(sentence);
        }
        if let Some(path) = found.empty.filter(|_| !found.has_lines)
            && !std::mem::replace(&mut said.empty, true)
        {
            warnings.push(format!(
                "{} is empty: a table has at least a line that names its columns",
                path.display()
            ));
        }
        if let Some(path) = found.swapped
            && !std::mem::replace(&mut said.swapped, true)
        {
            warnings.push(format!(
                "{}: the addresses seem to come from a machine of the other byte order, such as \
                 1.0.0.127 for 127.0.0.1; they are shown reversed",
                path.display()
            ));
        }
    }
}

/// Whether an address is one of the loopback interface of a machine of the other byte order.
fn is_swapped(row: &SocketRow) -> bool {
    const LOOPBACK: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0x100, 0);
    match row.addrs.local.addr {
        IpAddr::V4(v4) => v4.octets()[1..] == [0, 0, 127] && v4.octets()[0] != 0,
        IpAddr::V6(v6) => v6 == LOOPBACK,
    }
}
