//! The table of `list` and `check`: drawn to fit a terminal, or as plain aligned columns.

use super::columns::Column;
use super::rows::TableRows;
use super::wrapped::Layout;
use super::{GAP, SocketTable, TableOptions};
use crate::render::Renderer;
use crate::render::cell::{Names, UNKNOWN};
use crate::render::style::table_colour as colour;
use crate::view::Record;
use comfy_table::{Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table};
use std::collections::VecDeque;

/// A table with more rows than these is not fitted to a terminal: comfy-table needs all cells at
/// once.
const DRAWN_AT_MOST: usize = 2000;

/// Lays a table out when all its rows are known.
#[derive(Debug)]
pub struct SocketList {
    table: SocketTable,
    /// A terminal's width; `None` in a pipe or a file.
    width: Option<u16>,
    /// The rows that are not written yet, in the order of the records.
    parts: VecDeque<TableRows>,
    /// The widths of the columns, once all rows are there.
    widths: Vec<usize>,
    /// How rows are laid out on a terminal that is too narrow for some of them.
    wrapped: Option<(Layout, usize)>,
}

impl SocketList {
    /// An empty table. `idle` adds a column for the time without data where timers are shown.
    pub fn new(options: TableOptions, idle: bool, width: Option<u16>) -> Self {
        let TableOptions { palette, header, extended, timers, tcp_info } = options;
        let mut columns = Column::OF_NETSTAT.to_vec();
        columns.extend(Column::added(extended, timers));
        columns.push(Column::Held);
        columns.extend((idle && timers).then_some(Column::Idle));
        columns.extend(tcp_info.then_some(Column::TcpInfo));
        let table = SocketTable { columns, palette, header };
        Self { table, width, parts: VecDeque::new(), widths: Vec::new(), wrapped: None }
    }

    /// Leaves out the last columns where the kernel knows nothing to put there, so that the rest fits
    /// into 80 columns.
    fn leave_out_unknown(&mut self) {
        while let Some(Column::Held | Column::Idle) = self.table.columns.last() {
            let last = self.table.columns.len() - 1;
            if self.parts.iter().any(|part| part.widths()[last] > UNKNOWN.len()) {
                break;
            }
            self.table.columns.pop();
        }
    }

    /// The whole table drawn for a terminal, if there is one and the table fits it.
    fn drawn(&mut self) -> Option<String> {
        let rows: usize = self.parts.iter().map(TableRows::len).sum();
        let width = self.width.filter(|_| (1..=DRAWN_AT_MOST).contains(&rows))?;
        let needed = |gap: usize| self.widths.iter().map(|widest| widest + gap).sum::<usize>();
        let gap = (1..=GAP).rev().find(|gap| needed(*gap) <= usize::from(width) + gap)?;
        Some(self.draw(width, u16::try_from(gap).unwrap_or(1)))
    }

    /// Draws it with so many blanks between its columns.
    fn draw(&self, width: u16, gap: u16) -> String {
        let SocketTable { columns, palette, header } = &self.table;
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        if palette.on {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        let last = columns[columns.len() - 1];
        let cell = |column: Column, text: &str| {
            let right = column.is_right_aligned() && column != last;
            let alignment = if right { CellAlignment::Right } else { CellAlignment::Left };
            Cell::new(text).set_alignment(alignment)
        };
        if *header {
            let heading =
                |column: &Column| cell(*column, column.heading()).add_attribute(Attribute::Bold);
            table.set_header(columns.iter().map(heading).collect::<Vec<_>>());
        }
        for (state, cells) in self.parts.iter().flat_map(TableRows::iter) {
            let cells = columns.iter().zip(cells).map(|(column, text)| match column {
                Column::State => cell(*column, text).fg(colour(state)),
                _ => cell(*column, text),
            });
            table.add_row(cells.collect::<Vec<_>>());
        }
        for (column, drawn) in columns.iter().zip(table.column_iter_mut()) {
            let gap = if *column == last { 0 } else { gap };
            // An address in two pieces could not be copied.
            drawn.set_padding((0, gap)).set_constraint(ColumnConstraint::ContentWidth);
        }
        table.trim_fmt() + "\n"
    }
}

impl Renderer for SocketList {
    fn rows(&mut self, records: &[Record], names: &Names) -> Vec<u8> {
        // All sockets of a run are of the own namespace, or none.
        if self.parts.is_empty() {
            self.table.show_netns(records);
        }
        let part = self.table.rows(super::sockets(records), names);
        self.parts.extend((!part.is_empty()).then_some(part));
        Vec::new()
    }

    fn rest(&mut self) -> Option<Vec<u8>> {
        let first = self.widths.is_empty();
        if first {
            self.leave_out_unknown();
            self.widths = self.table.widths(&self.parts, self.table.header);
            if let Some(table) = self.drawn() {
                self.parts.clear();
                return Some(table.into_bytes());
            }
            self.wrapped = self
                .width
                .map(usize::from)
                .map(|room| (self.table.usual_layout(&self.parts, room), room));
        }
        let part = self.parts.pop_front()?;
        let lines = if let Some((usual, room)) = &self.wrapped {
            self.table.wrapped_lines((&part, first), usual, *room)
        } else {
            self.table.lines((&part, first), &self.widths)
        };
        Some(lines.into_bytes())
    }
}

#[cfg(test)]
mod tests;
