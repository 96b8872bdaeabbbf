//! Sockets as a table, for `list` and `check` and for `--view table`.
//!
//! [`columns`] is the list of all columns; [`rows`] keeps the text of their cells until every row
//! is known, because a column is as wide as its widest cell. [`list`] and [`live`] are the two
//! renderers: one lays a table out once, the other one also draws frames that fit a terminal.
//! [`wrapped`] continues rows that are wider than a terminal.

mod columns;
pub(crate) mod list;
pub(crate) mod live;
mod rows;
mod wrapped;

use super::cell::{Names, clip, width};
use super::style::Palette;
use crate::model::socket::NetnsId;
use crate::tcp::state::State;
use crate::view::Record;
use crate::view::socket::SocketRecord;
use anstyle::Style;
use columns::Column;
use rows::TableRows;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Blanks between two columns.
const GAP: usize = 2;
const BLANKS: &str = "                                                                ";
/// Columns are not made narrower than this where room is short.
const NARROWEST: u16 = 12;

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

/// Where the cells of a row stand.
#[derive(Debug, Clone, Copy)]
struct RowLayout<'a> {
    /// The width of each column.
    widths: &'a [usize],
    /// Blanks between two columns.
    gap: usize,
    /// No line is wider than this.
    room: usize,
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

    /// The lines of some rows, below the headings where they are the `first`. `style` gives the
    /// style of a cell by its column, and state and number of its row.
    fn lines(
        &self,
        (rows, first): (&TableRows, bool),
        layout: RowLayout<'_>,
        style: impl Fn(Column, State, usize) -> Option<Style>,
    ) -> String {
        let RowLayout { widths, room, .. } = layout;
        let line = widths.iter().sum::<usize>() + widths.len() * GAP;
        let mut text = String::with_capacity(rows.len() * line);
        if first && self.header {
            let headings = self.columns.iter().map(|column| column.heading());
            let line = ClippedLine { text: &mut text, room };
            self.push_cells(line, headings, layout, |_| Some(Style::new().bold()));
        }
        for (row, (state, cells)) in rows.iter().enumerate() {
            let line = ClippedLine { text: &mut text, room };
            self.push_cells(line, cells, layout, |column| style(column, state, row));
        }
        text
    }

    /// Adds a whole row: each cell is filled up to the width of its column, or cut to it. The last
    /// one is not filled up.
    fn push_cells<'c>(
        &self,
        mut line: ClippedLine<'_>,
        cells: impl Iterator<Item = &'c str>,
        RowLayout { widths, gap, .. }: RowLayout<'_>,
        style: impl Fn(Column) -> Option<Style>,
    ) {
        let last = self.columns.len() - 1;
        for (i, ((column, cell), room)) in self.columns.iter().zip(cells).zip(widths).enumerate() {
            let mut cell = Cow::Borrowed(cell);
            let mut taken = width(&cell);
            if taken > *room {
                cell = column.cut(&cell, *room).into();
                taken = width(&cell);
            }
            let fill = room - taken;
            let gap = if i == 0 { 0 } else { gap };
            let (before, after) = match column.is_right_aligned() {
                _ if i == last => (gap, 0),
                true => (gap + fill, 0),
                false => (gap, fill),
            };
            let style = style(*column).filter(|_| self.palette.on);
            line.push_blanks(before);
            line.push(&cell, taken, style);
            line.push_blanks(after);
        }
        line.text.push('\n');
    }
}

/// A line that ends where there is no more room for it.
struct ClippedLine<'t> {
    text: &'t mut String,
    /// The columns that are left.
    room: usize,
}

impl ClippedLine<'_> {
    /// Adds a text that takes so many columns.
    fn push(&mut self, text: &str, taken: usize, style: Option<Style>) {
        if taken > self.room {
            let cut = clip(text, self.room);
            return self.push(&cut, width(&cut), style);
        }
        self.room -= taken;
        match style {
            Some(style) if !text.is_empty() => {
                // Writing to a string never fails.
                let _ = write!(self.text, "{style}{text}{style:#}");
            }
            _ => self.text.push_str(text),
        }
    }

    fn push_blanks(&mut self, mut count: usize) {
        while count > 0 {
            let blanks = &BLANKS[..count.min(BLANKS.len())];
            self.push(blanks, blanks.len(), None);
            count -= blanks.len();
        }
    }
}

fn sockets(records: &[Record]) -> impl Iterator<Item = &SocketRecord> {
    records.iter().filter_map(|record| match record {
        Record::Socket(socket) => Some(&**socket),
        _ => None,
    })
}
