//! The table of `--view table`: the sockets there are now, longest in their state first, as plain
//! aligned columns for a pipe, or as a frame that fits a terminal and is drawn again and again.

use super::columns::Column;
use super::{ClippedLine, GAP, NARROWEST, RowLayout, SocketTable, TableOptions, sockets};
use crate::model::counted::counted;
use crate::render::cell::{Names, TimeFormatter, clip};
use crate::render::style::style_of;
use crate::render::{Renderer, Size};
use crate::tcp::state::State;
use crate::view::Record;
use crate::view::socket::SocketRecord;
use anstyle::Style;
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

/// A change stands out for this long.
const FRESH: Duration = Duration::from_secs(2);
/// Stands for states that have no room.
const MORE: &str = " …";
/// A blank screen should not leave anybody wondering.
const EMPTY: &str = "no matching socket yet";

/// Lays out the sockets of one instant.
#[derive(Debug)]
pub(crate) struct LiveTable {
    table: SocketTable,
    /// How the time of a frame is written.
    clock: TimeFormatter,
    /// The width of a terminal; `None` in a pipe or a file.
    width: Option<usize>,
}

/// The lines of some sockets, and the headings of columns that there was no room for.
struct FrameRows {
    lines: Vec<String>,
    left_out: Vec<&'static str>,
}

impl LiveTable {
    /// `clock` writes the time of a frame; `width` is that of a terminal, for what is printed once.
    pub(crate) fn new(options: TableOptions, clock: TimeFormatter, width: Option<u16>) -> Self {
        let TableOptions { palette, header, extended, timers, tcp_info } = options;
        let mut columns = Column::BY_HELD.to_vec();
        columns.extend(Column::added(extended, timers));
        columns.extend(tcp_info.then_some(Column::TcpInfo));
        let table = SocketTable { columns, palette, header };
        Self { table, clock, width: width.map(usize::from) }
    }

    /// The header and a line per socket, none wider than the frame.
    fn frame_rows(&self, sockets: &[&SocketRecord], names: &Names, frame: usize) -> FrameRows {
        let mut table = SocketTable { columns: self.table.columns.clone(), ..self.table };
        let mut left_out = Vec::new();
        let (rows, widths, gap) = loop {
            let rows = table.rows(sockets.iter().copied(), names);
            let all = table.widths([&rows], true);
            let fitting = [GAP, 1].into_iter().find_map(|gap| {
                let widths = table.narrowed(all.clone(), gap, frame)?;
                Some((widths, gap))
            });
            if let Some((widths, gap)) = fitting {
                break (rows, widths, gap);
            }
            let mut extra = Column::LEFT_OUT.into_iter();
            let Some(next) = extra.find(|column| table.columns.contains(column)) else {
                break (rows, all, 1);
            };
            table.columns.retain(|column| *column != next);
            left_out.push(next.heading());
        };
        let style = |column, state, row: usize| match style(column, state) {
            Some(style) if column == Column::State && is_fresh(sockets[row]) => {
                Some(style.invert())
            }
            style => style,
        };
        let layout = RowLayout { widths: &widths, gap, room: frame };
        let lines = table.lines((&rows, true), layout, style);
        FrameRows { lines: lines.lines().map(str::to_owned).collect(), left_out }
    }

    /// How many sockets there are, and in which states.
    fn summary(&mut self, sockets: &[&SocketRecord], width: usize) -> String {
        let Some(first) = sockets.first() else { return clip(EMPTY, width) };
        let time = self.clock.write(first.time);
        let mut states: Vec<State> = sockets.iter().map(|socket| socket.state).collect();
        states.retain(|state| *state != State::Closed);
        states.sort_unstable();
        let closed = sockets.len() - states.len();
        let mut text = String::new();
        let mut line = ClippedLine { text: &mut text, room: width };
        let mut push = |text: &str, style: Option<Style>| {
            line.push(text, text.len(), style.filter(|_| self.table.palette.on));
        };
        let dim = Some(Style::new().dimmed());
        push(&time, dim);
        push(&format!("  {}", counted(states.len(), "socket")), None);
        if closed > 0 {
            push(&format!(" + {closed} closed"), dim);
        }
        let groups: Vec<&[State]> = states.chunk_by(|a, b| a == b).collect();
        for (i, group) in groups.iter().enumerate() {
            let count = format!("  {} {}", group.len(), group[0]);
            let more = if i + 1 < groups.len() { MORE.width() } else { 0 };
            if line.room < count.len() + more {
                line.push(MORE, MORE.width(), None);
                break;
            }
            let style = Some(style_of(group[0])).filter(|_| self.table.palette.on);
            line.push(&count, count.len(), style);
        }
        text
    }
}

impl Renderer for LiveTable {
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
        let style = |column, state, _| style(column, state);
        let layout = RowLayout { widths: &widths, gap: GAP, room: usize::MAX };
        self.table.lines((&rows, true), layout, style).into_bytes()
    }

    fn frame(&mut self, records: &[Record], names: &Names, size: Size) -> Vec<String> {
        self.table.show_netns(records);
        let sockets: Vec<&SocketRecord> = sockets(records).collect();
        let first = self.summary(&sockets, size.columns);
        let room = size.rows.saturating_sub(1 + usize::from(self.table.header));
        let (rows, note) = self.fitting_rows(&sockets, names, Size { rows: room, ..size });
        let mut lines = vec![first];
        lines.extend(rows);
        lines.extend(note);
        lines.truncate(size.rows);
        lines
    }
}

impl LiveTable {
    /// As many sockets as there is room for below the header, how many are not shown, and a line about
    /// columns that are not.
    fn fitting_rows(
        &self,
        sockets: &[&SocketRecord],
        names: &Names,
        Size { columns, rows: room }: Size,
    ) -> (Vec<String>, Option<String>) {
        let fitting = |room: usize| {
            let shown = if sockets.len() <= room { room } else { room.saturating_sub(1) };
            let (shown, hidden) = sockets.split_at(shown.min(sockets.len()));
            (self.frame_rows(shown, names, columns), hidden.len())
        };
        let dim = |text: &str| self.table.palette.dim(&clip(text, columns));
        let (mut rows, mut hidden) = fitting(room);
        let note = (!rows.left_out.is_empty())
            .then(|| dim(&format!("this terminal has no room for {}", rows.left_out.join(", "))));
        if note.is_some() {
            (rows, hidden) = fitting(room.saturating_sub(1));
        }
        let more = || dim(&format!("and {hidden} more (tcplapse list shows all)"));
        let mut lines = rows.lines;
        lines.extend((hidden > 0).then(more));
        (lines, note)
    }
}

impl SocketTable {
    /// The widths of columns, the widest of those that may be cut made narrower until all fit the frame;
    /// `None` where they cannot.
    fn narrowed(&self, mut widths: Vec<usize>, gap: usize, frame: usize) -> Option<Vec<usize>> {
        let gaps = gap * (widths.len() - 1);
        while widths.iter().sum::<usize>() + gaps > frame {
            let columns = self.columns.iter().zip(&mut widths);
            let wide =
                columns.filter(|(column, width)| column.may_be_cut() && **width > NARROWEST.into());
            let (_, widest) = wide.max_by_key(|(_, width)| **width)?;
            *widest -= 1;
        }
        Some(widths)
    }
}

/// Sockets that have closed are dimmed.
fn style(column: Column, state: State) -> Option<Style> {
    match column {
        Column::State => Some(style_of(state)),
        _ => (state == State::Closed).then(|| Style::new().dimmed()),
    }
}

/// Whether the state of a socket has just changed.
fn is_fresh(socket: &SocketRecord) -> bool {
    socket.held.is_some_and(|held| held < FRESH) && !socket.held_at_least
}

#[cfg(test)]
mod tests;
