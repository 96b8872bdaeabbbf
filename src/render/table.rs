//! Sockets as a table: drawn to fit a terminal, or streamed as plain aligned columns.

use super::cell::{Names, endpoint, held, owner, timer};
use super::style::{Palette, style_of};
use super::{Renderer, beside};
use crate::reading::Family;
use crate::view::Record;
use crate::view::socket::SocketRecord;
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width,
};
use unicode_width::UnicodeWidthStr;

/// A drawn table needs all its rows at once; more than these are streamed.
const DRAWN_AT_MOST: usize = 2000;

/// Places of columns that are treated in their own way.
const QUEUES: [usize; 2] = [1, 2];
const STATE: usize = 5;
/// Owner, and timer where users and inodes are shown or not: they may be broken to fit, down to
/// this width. An address in two pieces could not be copied.
const BREAKABLE: [usize; 3] = [6, 7, 9];
const NARROWEST: u16 = 12;

const GAP: &str = "  ";

/// What a table shows and how.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // columns are there or not
pub struct Sockets {
    /// Colours, where wanted.
    pub palette: Palette,
    /// Name the columns.
    pub header: bool,
    /// Show user and inode.
    pub extended: bool,
    /// Show timer and retransmits.
    pub timers: bool,
    /// Show the time in the state.
    pub held: bool,
    /// A terminal's width; `None` in a pipe or a file.
    pub width: Option<u16>,
}

impl Sockets {
    fn headings(&self) -> Vec<&'static str> {
        let mut headings = vec!["PROTO", "RECV-Q", "SEND-Q", "LOCAL", "REMOTE", "STATE", "OWNER"];
        if self.extended {
            headings.extend(["USER", "INODE"]);
        }
        if self.timers {
            headings.push("TIMER");
        }
        if self.held {
            headings.push("HELD");
        }
        headings
    }

    fn cells(&self, record: &SocketRecord, names: &Names) -> Vec<String> {
        let socket = &record.socket;
        let mut cells = vec![
            match socket.family {
                Family::Ipv4 => "tcp".to_owned(),
                Family::Ipv6 => "tcp6".to_owned(),
            },
            record.recv_queue.to_string(),
            record.send_queue.to_string(),
            endpoint(socket.local_addr, socket.local_port, names),
            endpoint(socket.remote_addr, socket.remote_port, names),
            record.state.to_string(),
            owner(&record.owner),
        ];
        if self.extended {
            cells.push(record.uid.map_or_else(|| "-".to_owned(), |uid| user(uid, names)));
            cells.push(record.inode.map_or_else(|| "-".to_owned(), |inode| inode.to_string()));
        }
        if self.timers {
            cells.push(timer(record.timer, record.timer_left, record.retransmits));
        }
        if self.held {
            cells.push(held(record.held, record.held_at_least));
        }
        cells
    }

    /// Whether a drawn table fits without breaking what must stay whole.
    fn fits(&self, width: u16, rows: &[Vec<String>]) -> bool {
        let needed = |i: usize| {
            let widest = rows.iter().map(|row| row[i].width()).max().unwrap_or_default();
            let widest = widest.max(self.headings()[i].width());
            if BREAKABLE.contains(&i) { widest.min(usize::from(NARROWEST)) } else { widest }
        };
        let columns = self.headings().len();
        (0..columns).map(needed).sum::<usize>() + columns <= usize::from(width)
    }

    fn drawn(&self, width: u16, sockets: &[&SocketRecord], rows: Vec<Vec<String>>) -> String {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        if self.palette.on {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        let right = |i: usize, cell: Cell| match i {
            i if QUEUES.contains(&i) => cell.set_alignment(CellAlignment::Right),
            _ => cell,
        };
        if self.header {
            let bold =
                |(i, name): (usize, &str)| right(i, Cell::new(name).add_attribute(Attribute::Bold));
            table.set_header(self.headings().into_iter().enumerate().map(bold).collect::<Vec<_>>());
        }
        for (record, row) in sockets.iter().zip(rows) {
            let cells = row.into_iter().enumerate().map(|(i, text)| {
                let cell = right(i, Cell::new(text));
                if i == STATE { cell.fg(colour(record)) } else { cell }
            });
            table.add_row(cells.collect::<Vec<_>>());
        }
        for (i, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 1));
            column.set_constraint(if BREAKABLE.contains(&i) {
                ColumnConstraint::LowerBoundary(Width::Fixed(NARROWEST + 1))
            } else {
                ColumnConstraint::ContentWidth
            });
        }
        table.trim_fmt() + "\n"
    }

    fn streamed(&self, sockets: &[&SocketRecord], rows: &[Vec<String>]) -> String {
        let headings: Vec<_> = self.headings().into_iter().map(str::to_owned).collect();
        let shown = || self.header.then_some(&headings).into_iter().chain(rows);
        let mut widths = vec![0; headings.len()];
        for row in shown() {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let mut text = String::new();
        if self.header {
            push_row(&mut text, &headings, &widths, |_, heading| self.palette.heading(heading));
        }
        for (record, row) in sockets.iter().zip(rows) {
            let style = style_of(record.state);
            push_row(&mut text, row, &widths, |i, cell| match i {
                STATE => self.palette.paint(style, cell),
                _ => cell.to_owned(),
            });
        }
        text
    }
}

/// Appends a row of aligned cells; the last is not filled up.
fn push_row(
    text: &mut String,
    row: &[String],
    widths: &[usize],
    paint: impl Fn(usize, &str) -> String,
) {
    for (i, (cell, width)) in row.iter().zip(widths).enumerate() {
        let fill = " ".repeat(width - cell.width());
        let painted = paint(i, cell);
        match i {
            i if QUEUES.contains(&i) => text.extend([&fill, &painted, GAP]),
            _ if i + 1 == widths.len() => text.push_str(&painted),
            _ => text.extend([&painted, &fill, GAP]),
        }
    }
    text.push('\n');
}

impl Renderer for Sockets {
    fn begin(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn rows(&mut self, records: &[Record], names: &Names) -> Vec<u8> {
        let sockets: Vec<&SocketRecord> = records
            .iter()
            .filter_map(|record| match record {
                Record::Socket(socket) => Some(&**socket),
                _ => None,
            })
            .collect();
        if sockets.is_empty() {
            return Vec::new();
        }
        let rows: Vec<_> = sockets.iter().map(|record| self.cells(record, names)).collect();
        let width = self.width.filter(|_| sockets.len() <= DRAWN_AT_MOST);
        match width.filter(|width| self.fits(*width, &rows)) {
            Some(width) => self.drawn(width, &sockets, rows).into_bytes(),
            None => self.streamed(&sockets, &rows).into_bytes(),
        }
    }

    fn aside(&self, record: &Record) -> Option<String> {
        beside(record)
    }
}

fn user(uid: u32, names: &Names) -> String {
    names.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
}

/// The state's colour in the words of the table's library.
fn colour(record: &SocketRecord) -> Color {
    use anstyle::{AnsiColor, Color as Ansi};
    match style_of(record.state).get_fg_color() {
        Some(Ansi::Ansi(AnsiColor::Red)) => Color::Red,
        Some(Ansi::Ansi(AnsiColor::Yellow)) => Color::DarkYellow,
        Some(Ansi::Ansi(AnsiColor::Cyan)) => Color::DarkCyan,
        Some(Ansi::Ansi(AnsiColor::Green)) => Color::DarkGreen,
        Some(Ansi::Ansi(AnsiColor::Magenta)) => Color::DarkMagenta,
        Some(Ansi::Ansi(AnsiColor::Blue)) => Color::DarkBlue,
        _ => Color::Reset,
    }
}

#[cfg(test)]
mod tests;
