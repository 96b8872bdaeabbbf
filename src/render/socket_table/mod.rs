//! Sockets as a table, for `list` and `check` and for `--view table`.
//!
//! [`columns`] is the list of all columns; [`rows`] keeps the text of their cells until every row
//! is known, because a column is as wide as its widest cell. [`list`] and [`by_held`] are the two
//! renderers. [`wrapped`] continues rows that are wider than a terminal.

pub(crate) mod by_held;
pub(crate) mod columns;
pub(crate) mod list;
mod rows;
mod wrapped;

use super::cell::{Names, width};
use super::style::{Palette, style_of};
use crate::model::socket::NetnsId;
use crate::view::Record;
use crate::view::socket::SocketRecord;
use anstyle::Style;
use columns::Column;
use rows::TableRows;
use std::fmt::Write as _;

/// Blanks between two columns.
const GAP: usize = 2;
const BLANKS: &str = "                                                                ";

/// The options of every table of sockets.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // they are flags
pub struct TableOptions {
    /// The colours.
    pub palette: Palette,
    /// Write the line that names the columns.
    pub header: bool,
    /// Show user, inode and descriptors.
    pub extended: bool,
    /// Show timer and retransmits.
    pub timers: bool,
    /// Show what the kernel measured of connections.
    pub tcp_info: bool,
}

/// The columns of a table, and how its lines are laid out.
#[derive(Debug)]
struct SocketTable {
    columns: Vec<Column>,
    palette: Palette,
    header: bool,
}

impl SocketTable {
    /// Adds the column for network namespaces where sockets may be of several.
    fn show_netns(&mut self, records: &[Record]) {
        let is_named = |socket: &SocketRecord| socket.socket.addrs.netns != NetnsId::default();
        if self.columns.contains(&Column::Netns) || !sockets(records).any(is_named) {
            return;
        }
        let owner = self.columns.iter().position(|column| *column == Column::Owner);
        self.columns.insert(owner.map_or(0, |owner| owner + 1), Column::Netns);
    }

    fn rows<'r>(
        &self,
        sockets: impl IntoIterator<Item = &'r SocketRecord>,
        names: &Names,
    ) -> TableRows {
        let mut rows = TableRows::new(self.columns.len());
        for socket in sockets {
            rows.push(&self.columns, socket, names);
        }
        rows
    }

    /// The width of each column: that of its widest cell, or of its heading where `headings` count.
    fn widths<'r>(
        &self,
        parts: impl IntoIterator<Item = &'r TableRows>,
        headings: bool,
    ) -> Vec<usize> {
        let heading = |column: &Column| if headings { column.heading().len() } else { 0 };
        let mut widths: Vec<usize> = self.columns.iter().map(heading).collect();
        for part in parts {
            for (width, widest) in widths.iter_mut().zip(part.widths()) {
                *width = (*width).max(*widest);
            }
        }
        widths
    }

    /// The lines of some rows, below the headings where they are the `first`.
    fn lines(&self, (rows, first): (&TableRows, bool), widths: &[usize]) -> String {
        let line = widths.iter().sum::<usize>() + widths.len() * GAP;
        let mut text = String::with_capacity(rows.len() * line);
        if first && self.header {
            let headings = self.columns.iter().map(|column| column.heading());
            self.push_cells(&mut text, headings, widths, |_| Some(Style::new().bold()));
        }
        for (state, cells) in rows.iter() {
            let style = |column| (column == Column::State).then(|| style_of(state));
            self.push_cells(&mut text, cells, widths, style);
        }
        text
    }

    /// Adds a whole row: each cell is filled up to the width of its column, but for the last one.
    fn push_cells<'c>(
        &self,
        text: &mut String,
        cells: impl Iterator<Item = &'c str>,
        widths: &[usize],
        style: impl Fn(Column) -> Option<Style>,
    ) {
        let last = self.columns.len() - 1;
        for (i, ((column, cell), room)) in self.columns.iter().zip(cells).zip(widths).enumerate() {
            let fill = room.saturating_sub(width(cell));
            let gap = if i == 0 { 0 } else { GAP };
            let (before, after) = match column.is_right_aligned() {
                _ if i == last => (gap, 0),
                true => (gap + fill, 0),
                false => (gap, fill),
            };
            push_blanks(text, before);
            push_styled(text, cell, style(*column).filter(|_| self.palette.on));
            push_blanks(text, after);
        }
        text.push('\n');
    }
}

fn push_styled(text: &mut String, cell: &str, style: Option<Style>) {
    match style {
        Some(style) if !cell.is_empty() => {
            // Writing to a string never fails.
            let _ = write!(text, "{style}{cell}{style:#}");
        }
        _ => text.push_str(cell),
    }
}

fn push_blanks(text: &mut String, mut count: usize) {
    while count > 0 {
        let blanks = &BLANKS[..count.min(BLANKS.len())];
        text.push_str(blanks);
        count -= blanks.len();
    }
}

fn sockets(records: &[Record]) -> impl Iterator<Item = &SocketRecord> {
    records.iter().filter_map(|record| match record {
        Record::Socket(socket) => Some(&**socket),
        _ => None,
    })
}
