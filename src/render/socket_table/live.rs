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
}

impl LiveTable {
    /// `clock` writes the time of a frame.
    pub(crate) fn new(options: TableOptions, clock: TimeFormatter) -> Self {
        let TableOptions { palette, header, extended, timers, tcp_info } = options;
        let mut columns = Column::BY_HELD.to_vec();
        columns.extend(Column::added(extended, timers));
        columns.extend(tcp_info.then_some(Column::TcpInfo));
        Self { table: SocketTable { columns, palette, header }, clock }
    }

    /// The header and a line per socket, none wider than the frame.
    fn frame_lines(&self, sockets: &[&SocketRecord], names: &Names, frame: usize) -> Vec<String> {
        let rows = self.table.rows(sockets.iter().copied(), names);
        let mut widths = self.table.widths([&rows], true);
        self.narrow(&mut widths, frame);
        let style = |column, state, row: usize| match style(column, state) {
            Some(style) if column == Column::State && is_fresh(sockets[row]) => {
                Some(style.invert())
            }
            style => style,
        };
        let layout = RowLayout { widths: &widths, room: frame };
        let lines = self.table.lines((&rows, true), layout, style);
        lines.lines().map(str::to_owned).collect()
    }

    /// Takes from the widest of the columns that may be cut, until all fit the frame.
    fn narrow(&self, widths: &mut [usize], frame: usize) {
        let gaps = GAP * (widths.len() - 1);
        while widths.iter().sum::<usize>() + gaps > frame {
            let columns = self.table.columns.iter().zip(&mut *widths);
            let wide =
                columns.filter(|(column, width)| column.may_be_cut() && **width > NARROWEST.into());
            let Some((_, widest)) = wide.max_by_key(|(_, width)| **width) else { break };
            *widest -= 1;
        }
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
        let rows = self.table.rows(sockets(records), names);
        if rows.is_empty() {
            return Vec::new();
        }
        let widths = self.table.widths([&rows], true);
        let style = |column, state, _| style(column, state);
        let layout = RowLayout { widths: &widths, room: usize::MAX };
        self.table.lines((&rows, true), layout, style).into_bytes()
    }

    fn frame(&mut self, records: &[Record], names: &Names, size: Size) -> Vec<String> {
        let sockets: Vec<&SocketRecord> = sockets(records).collect();
        let mut lines = vec![self.summary(&sockets, size.columns)];
        let room = size.rows.saturating_sub(lines.len() + usize::from(self.table.header));
        if sockets.len() <= room {
            lines.extend(self.frame_lines(&sockets, names, size.columns));
        } else {
            let (shown, hidden) = sockets.split_at(room.saturating_sub(1));
            lines.extend(self.frame_lines(shown, names, size.columns));
            let more =
                clip(&format!("and {} more (tcplapse list shows all)", hidden.len()), size.columns);
            lines.push(self.table.palette.dim(&more));
        }
        lines.truncate(size.rows);
        lines
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
