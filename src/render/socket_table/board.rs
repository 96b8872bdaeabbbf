//! The sockets there are now, longest in their state first: a table for a pipe, or a frame that
//! fits a terminal and is drawn again with every reading.

use crate::render::cell::{Clock, Names, duration, endpoint, owner, timer};
use crate::render::style::{Palette, style_of};
use crate::render::{Renderer, Size, beside};
use crate::tcp::state::State;
use crate::view::Record;
use crate::view::socket::SocketRecord;
use std::time::Duration;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A change stands out for this long.
const FRESH: Duration = Duration::from_secs(2);
const HELD: usize = 0;
const STATE: usize = 1;
/// Owner and both ends are cut in a frame that is too narrow, down to this width.
const CUTTABLE: [usize; 3] = [2, 3, 4];
const NARROWEST: usize = 12;
const ENDS: [usize; 2] = [3, 4];
/// A blank screen should not leave anybody wondering.
const EMPTY: &str = "no such socket yet; watching, q ends";
const GAP: &str = "  ";

/// What the table shows and how.
#[derive(Debug)]
pub struct Board {
    /// How the time of a frame is written.
    pub clock: Clock,
    /// Colours, where wanted.
    pub palette: Palette,
    /// Name the columns.
    pub header: bool,
    /// Show user and inode.
    pub extended: bool,
    /// Show timer and retransmits.
    pub timers: bool,
}

impl Board {
    fn headings(&self) -> Vec<String> {
        let mut headings = vec!["HELD", "STATE", "OWNER", "LOCAL", "REMOTE"];
        if self.extended {
            headings.extend(["USER", "INODE"]);
        }
        if self.timers {
            headings.push("TIMER");
        }
        headings.into_iter().map(str::to_owned).collect()
    }

    fn cells(&self, record: &SocketRecord, names: &Names) -> Vec<String> {
        let socket = &record.socket;
        let at_least = if record.held_at_least { ">=" } else { "" };
        let held = record.held.map_or_else(|| "-".to_owned(), duration);
        let mut cells = vec![
            format!("{at_least}{held}"),
            record.state.to_string(),
            owner(&record.owner),
            endpoint(socket.local_addr, socket.local_port, names),
            endpoint(socket.remote_addr, socket.remote_port, names),
        ];
        if self.extended {
            let user = |uid: u32| names.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string());
            cells.push(record.uid.map_or_else(|| "-".to_owned(), user));
            cells.push(record.inode.map_or_else(|| "-".to_owned(), |inode| inode.to_string()));
        }
        if self.timers {
            cells.push(timer(record.timer, record.timer_left, record.retransmits));
        }
        cells
    }

    /// The header and a line per socket; within `width` where there is one.
    fn lines(&self, sockets: &[&SocketRecord], names: &Names, width: Option<usize>) -> Vec<String> {
        let headings = self.headings();
        let rows: Vec<_> = sockets.iter().map(|socket| self.cells(socket, names)).collect();
        let widths = widths(&headings, &rows, width);
        let mut lines = Vec::with_capacity(rows.len() + 1);
        if self.header {
            lines.push(line(&headings, &widths, width, |_, text| self.palette.heading(text)));
        }
        for (socket, row) in sockets.iter().zip(&rows) {
            lines.push(line(row, &widths, width, |column, text| {
                self.painted(socket, column, text, width.is_some())
            }));
        }
        lines
    }

    /// On a frame what has just changed stands out, and what has gone fades.
    fn painted(&self, socket: &SocketRecord, column: usize, text: &str, frame: bool) -> String {
        let style = style_of(socket.state);
        let fresh = socket.held.is_some_and(|held| held < FRESH) && !socket.held_at_least;
        match column {
            STATE if frame && fresh => self.palette.paint(style.invert(), text),
            STATE => self.palette.paint(style, text),
            _ if socket.state == State::Closed => self.palette.dim(text),
            _ => text.to_owned(),
        }
    }

    /// How many sockets there are, and in which states.
    fn summary(&mut self, sockets: &[&SocketRecord], width: usize) -> String {
        let Some(first) = sockets.first() else { return clip(EMPTY, width) };
        let there = || sockets.iter().filter(|socket| socket.state != State::Closed);
        let mut line = Line { text: String::new(), room: width };
        line.push(&self.clock.write(first.time), |text| self.palette.dim(text));
        line.push(&format!("{GAP}{}", counted(there().count())), str::to_owned);
        let mut states: Vec<State> = there().map(|socket| socket.state).collect();
        states.sort_unstable();
        for group in states.chunk_by(|a, b| a == b) {
            let text = format!("{GAP}{} {}", group.len(), group[0]);
            line.push(&text, |text| self.palette.paint(style_of(group[0]), text));
        }
        line.push(&format!("{GAP}q ends"), |text| self.palette.dim(text));
        line.text
    }
}

impl Renderer for Board {
    fn begin(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn rows(&mut self, records: &[Record], names: &Names) -> Vec<u8> {
        let sockets = sockets(records);
        if sockets.is_empty() {
            return Vec::new();
        }
        (self.lines(&sockets, names, None).join("\n") + "\n").into_bytes()
    }

    fn frame(&mut self, records: &[Record], names: &Names, size: Size) -> Vec<String> {
        let mut sockets = sockets(records);
        let mut lines = vec![self.summary(&sockets, size.columns)];
        let room = size.rows.saturating_sub(lines.len() + usize::from(self.header));
        let more = sockets.len().saturating_sub(room);
        if more > 0 {
            sockets.truncate(room.saturating_sub(1));
            let more = more + 1;
            lines.extend(self.lines(&sockets, names, Some(size.columns)));
            lines.push(self.palette.dim(&clip(&format!("and {more} more"), size.columns)));
        } else {
            lines.extend(self.lines(&sockets, names, Some(size.columns)));
        }
        lines.truncate(size.rows);
        lines
    }

    fn aside(&self, record: &Record) -> Option<String> {
        beside(record)
    }
}

fn sockets(records: &[Record]) -> Vec<&SocketRecord> {
    let mut sockets = Vec::with_capacity(records.len());
    for record in records {
        if let Record::Socket(socket) = record {
            sockets.push(&**socket);
        }
    }
    sockets
}

fn counted(sockets: usize) -> String {
    format!("{sockets} socket{}", if sockets == 1 { "" } else { "s" })
}

/// Wide enough for every cell; where that is wider than the frame, the widest of those columns
/// that may be cut give way.
fn widths(headings: &[String], rows: &[Vec<String>], frame: Option<usize>) -> Vec<usize> {
    let widest = |column: usize| {
        let cells = rows.iter().map(|row| row[column].width());
        cells.max().unwrap_or_default().max(headings[column].width())
    };
    let mut widths: Vec<usize> = (0..headings.len()).map(widest).collect();
    let Some(frame) = frame else { return widths };
    let gaps = GAP.len() * (widths.len() - 1);
    while widths.iter().sum::<usize>() + gaps > frame {
        let cuttable = CUTTABLE.into_iter().filter(|column| widths[*column] > NARROWEST);
        let Some(column) = cuttable.max_by_key(|column| widths[*column]) else { break };
        widths[column] -= 1;
    }
    widths
}

fn line(
    row: &[String],
    widths: &[usize],
    frame: Option<usize>,
    paint: impl Fn(usize, &str) -> String,
) -> String {
    let mut line = Line { text: String::new(), room: frame.unwrap_or(usize::MAX) };
    for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
        let cell = if ENDS.contains(&column) { clip_end(cell, *width) } else { clip(cell, *width) };
        let fill = " ".repeat(width - cell.width());
        let gap = if column == 0 { "" } else { GAP };
        let (before, after) =
            if column == HELD { (fill, String::new()) } else { (gap.to_owned(), fill) };
        line.push(&before, str::to_owned);
        line.push(&cell, |text| paint(column, text));
        if column + 1 < widths.len() {
            line.push(&after, str::to_owned);
        }
    }
    line.text
}

/// A line that ends where the frame does.
struct Line {
    text: String,
    room: usize,
}

impl Line {
    fn push(&mut self, text: &str, paint: impl Fn(&str) -> String) {
        let text = clip(text, self.room);
        self.room -= text.width();
        if !text.is_empty() {
            self.text.push_str(&paint(&text));
        }
    }
}

/// The text, or as much of it as fits with a mark that there is more.
pub(super) fn clip(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(1);
    let fits = |character: &char| {
        let width = character.width().unwrap_or_default();
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    if room == 0 { kept } else { kept + "…" }
}

/// An end cut in its middle: its port is worth more than its address.
fn clip_end(end: &str, room: usize) -> String {
    let port = end.rfind(':').map_or("", |colon| &end[colon..]);
    match room.checked_sub(port.len()) {
        Some(left) if end.width() > room => clip(end, left) + port,
        _ => clip(end, room),
    }
}

#[cfg(test)]
mod tests;
