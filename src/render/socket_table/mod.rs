//! Sockets as a table: drawn to fit a terminal, or streamed as plain aligned columns.

pub mod board;

use super::cell::{Names, endpoint, held, owner, timer};
use super::style::{Palette, style_of};
use super::{Renderer, beside};
use crate::model::socket::Family;
use crate::tcp::state::State;
use crate::view::Record;
use crate::view::socket::SocketRecord;
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width,
};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt::{Display, Write as _};
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
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // columns are there or not
pub struct Layout {
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

/// A table, which is laid out when all its rows are known.
#[derive(Debug)]
pub struct Sockets {
    layout: Layout,
    /// The rows that are not laid out yet, as they came.
    parts: VecDeque<Cells>,
    /// How wide the columns are, once it is known.
    widths: Vec<usize>,
}

/// The cells of some rows in one text: there may be a hundred thousand rows.
#[derive(Debug, Default)]
struct Cells {
    text: String,
    /// Where each cell ends, and how wide it is.
    addrs: Vec<(usize, usize)>,
    /// The state of each row.
    states: Vec<State>,
}

impl Cells {
    fn push(&mut self, cell: impl Display) {
        let begin = self.text.len();
        // Writing to a string never fails.
        let _ = write!(self.text, "{cell}");
        let cell = &self.text[begin..];
        let width = if cell.is_ascii() { cell.len() } else { cell.width() };
        self.addrs.push((self.text.len(), width));
    }

    /// Each row with its state: its cells with their widths.
    fn rows(&self) -> impl Iterator<Item = (State, impl Iterator<Item = (&str, usize)>)> {
        let columns = (self.addrs.len() / self.states.len().max(1)).max(1);
        let mut begin = 0;
        self.states.iter().zip(self.addrs.chunks(columns)).map(move |(state, addrs)| {
            let first = std::mem::replace(&mut begin, addrs[addrs.len() - 1].0);
            let cells = addrs.iter().scan(first, |begin, (end, width)| {
                let begin = std::mem::replace(begin, *end);
                Some((&self.text[begin..*end], *width))
            });
            (*state, cells)
        })
    }

    /// Makes columns as wide as their cells.
    fn widen(&self, widths: &mut [usize]) {
        for row in self.addrs.chunks(widths.len()) {
            for (widest, (_, width)) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(*width);
            }
        }
    }
}

impl Layout {
    fn headings(self) -> Vec<&'static str> {
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

    fn lay(self, cells: &mut Cells, record: &SocketRecord, names: &Names) {
        let socket = &record.socket;
        cells.push(match socket.family {
            Family::Ipv4 => "tcp",
            Family::Ipv6 => "tcp6",
        });
        cells.push(record.recv_queue);
        cells.push(record.send_queue);
        cells.push(endpoint(socket.local_addr, socket.local_port, names));
        cells.push(endpoint(socket.remote_addr, socket.remote_port, names));
        cells.push(record.state);
        cells.push(owner(&record.owner));
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
        cells.states.push(record.state);
    }

    /// How wide the columns of a table are.
    fn widths<'c>(self, parts: impl IntoIterator<Item = &'c Cells>) -> Vec<usize> {
        let heading = |heading: &str| if self.header { heading.len() } else { 0 };
        let mut widths: Vec<usize> = self.headings().into_iter().map(heading).collect();
        parts.into_iter().for_each(|part| part.widen(&mut widths));
        widths
    }

    fn drawn<'c>(self, width: u16, parts: impl IntoIterator<Item = &'c Cells>) -> String {
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
        for (state, row) in parts.into_iter().flat_map(Cells::rows) {
            let cells = row.enumerate().map(|(i, (text, _))| {
                let cell = right(i, Cell::new(text));
                if i == STATE { cell.fg(colour(state)) } else { cell }
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

    fn heading(self, widths: &[usize]) -> String {
        let mut text = String::new();
        if self.header {
            let row = self.headings().into_iter().map(|heading| (heading, heading.len()));
            push_row(&mut text, row, widths, |_, heading| self.palette.heading(heading).into());
        }
        text
    }

    /// Adds rows to a text.
    fn stream(self, cells: &Cells, widths: &[usize], text: &mut String) {
        text.reserve(cells.text.len() * 2);
        for (state, row) in cells.rows() {
            push_row(text, row, widths, |i, cell| match i {
                STATE if self.palette.on => self.palette.paint(style_of(state), cell).into(),
                _ => cell.into(),
            });
        }
    }
}

/// Whether a drawn table fits without breaking what must stay whole.
fn fits(width: u16, widths: &[usize]) -> bool {
    let needed = widths.iter().enumerate().map(|(i, widest)| {
        if BREAKABLE.contains(&i) { (*widest).min(usize::from(NARROWEST)) } else { *widest }
    });
    needed.sum::<usize>() + widths.len() <= usize::from(width)
}

/// Appends a row of aligned cells; the last is not filled up.
fn push_row<'a>(
    text: &mut String,
    row: impl Iterator<Item = (&'a str, usize)>,
    widths: &[usize],
    paint: impl Fn(usize, &'a str) -> Cow<'a, str>,
) {
    for (i, ((cell, width), widest)) in row.zip(widths).enumerate() {
        let fill = std::iter::repeat_n(' ', widest - width);
        let painted = paint(i, cell);
        if QUEUES.contains(&i) {
            text.extend(fill);
            text.push_str(&painted);
            text.push_str(GAP);
        } else if i + 1 == widths.len() {
            text.push_str(&painted);
        } else {
            text.push_str(&painted);
            text.extend(fill);
            text.push_str(GAP);
        }
    }
    text.push('\n');
}

impl Sockets {
    /// An empty one.
    pub fn new(layout: Layout) -> Self {
        Self { layout, parts: VecDeque::new(), widths: Vec::new() }
    }

    /// The whole table, if it is one to be drawn.
    fn drawn(&mut self) -> Option<String> {
        let rows: usize = self.parts.iter().map(|part| part.states.len()).sum();
        let width = self.layout.width.filter(|_| rows <= DRAWN_AT_MOST)?;
        let fits = fits(width, &self.widths);
        fits.then(|| self.layout.drawn(width, &std::mem::take(&mut self.parts)))
    }
}

impl Renderer for Sockets {
    fn begin(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn rows(&mut self, records: &[Record], names: &Names) -> Vec<u8> {
        let mut part = Cells::default();
        for record in records {
            if let Record::Socket(socket) = record {
                self.layout.lay(&mut part, socket, names);
            }
        }
        self.parts.extend((!part.states.is_empty()).then_some(part));
        Vec::new()
    }

    fn end(&mut self) -> Option<Vec<u8>> {
        let mut text = String::new();
        if self.widths.is_empty() && !self.parts.is_empty() {
            self.widths = self.layout.widths(&self.parts);
            if let Some(table) = self.drawn() {
                return Some(table.into_bytes());
            }
            text = self.layout.heading(&self.widths);
        }
        let part = self.parts.pop_front()?;
        self.layout.stream(&part, &self.widths, &mut text);
        Some(text.into_bytes())
    }

    fn aside(&self, record: &Record) -> Option<String> {
        beside(record)
    }
}

fn user(uid: u32, names: &Names) -> String {
    names.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
}

/// The state's colour in the words of the table's library.
fn colour(state: State) -> Color {
    use anstyle::{AnsiColor, Color as Ansi};
    match style_of(state).get_fg_color() {
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
