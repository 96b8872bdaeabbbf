//! The table of `--view table`: the sockets there are now, longest in their state first, as aligned
//! columns, printed once.

use super::columns::Column;
use super::{GAP, SocketTable, TableOptions, sockets};
use crate::render::Renderer;
use crate::render::cell::Names;
use crate::view::Record;

/// Lays out the sockets of one instant.
#[derive(Debug)]
pub(crate) struct HeldTable {
    table: SocketTable,
    /// The width of a terminal; `None` in a pipe or a file.
    width: Option<usize>,
}

impl HeldTable {
    /// `width` is that of a terminal.
    pub(crate) fn new(options: TableOptions, width: Option<u16>) -> Self {
        let TableOptions { palette, header, extended, timers, tcp_info } = options;
        let mut columns = Column::BY_HELD.to_vec();
        columns.extend(Column::added(extended, timers));
        columns.extend(tcp_info.then_some(Column::TcpInfo));
        let table = SocketTable { columns, palette, header };
        Self { table, width: width.map(usize::from) }
    }
}

impl Renderer for HeldTable {
    fn rows(&mut self, records: &[Record], names: &Names) -> Vec<u8> {
        self.table.show_netns(records);
        let rows = self.table.rows(sockets(records), names);
        if rows.is_empty() {
            return Vec::new();
        }
        let widths = self.table.widths([&rows], true);
        let needed = widths.iter().sum::<usize>() + GAP * (widths.len() - 1);
        if let Some(room) = self.width.filter(|room| needed > *room) {
            let usual = self.table.usual_layout([&rows], room);
            return self.table.wrapped_lines((&rows, true), &usual, room).into_bytes();
        }
        self.table.lines((&rows, true), &widths).into_bytes()
    }
}

#[cfg(test)]
mod tests;
