//! The columns of the table of sockets: which there is room for, how wide they are, and where their
//! headings stand.

use super::Look;
use super::order::Sort;
use crate::render::cell::{Names, clip, clip_endpoint, clip_owner, owner_in, width};
use crate::render::socket_table::columns::Column;
use crate::view::socket::SocketRecord;
use ratatui::layout::Rect;

/// Blanks between two columns.
const GAP: usize = 2;
/// Columns are not made narrower than this as long as others can be left out.
const NARROW: usize = 12;
/// Owner and addresses are not made narrower than this, in which a port has room: `…:65535`.
const NARROWEST: usize = 7;
/// Before owner and addresses take less than this together, other columns are left out.
const ROOM_FOR_ENDS: usize = 60;
/// What a terminal that is too narrow for all goes without, the first one first.
const LEFT_OUT: [Column; 7] = [
    Column::Queues,
    Column::Unit,
    Column::Descriptors,
    Column::Inode,
    Column::User,
    Column::TcpInfo,
    Column::Timer,
];
/// And what it goes without where owner and addresses cannot be narrower.
const LEFT_OUT_LAST: [Column; 3] = [Column::Held, Column::Owner, Column::Remote];

/// Where the table was when it was drawn last.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    /// The line of the screen with its first row.
    first_line: u16,
    /// The line of the headings; `None` where sockets have none.
    headings: Option<u16>,
    /// The place at which each column ends.
    ends: Vec<(u16, Column)>,
    /// Columns that were asked for, and had no room.
    left_out: Vec<Column>,
}

impl Drawn {
    /// A table without columns.
    pub(super) fn at(first_line: u16) -> Self {
        Self { first_line, ..Self::default() }
    }

    pub(super) fn with_columns(first_line: u16, header: Rect, columns: &Columns) -> Self {
        let mut ends = Vec::new();
        let mut x = header.x;
        for (column, width) in &columns.shown {
            let room = u16::try_from(*width).unwrap_or(0).min(header.right().saturating_sub(x));
            // A click between two columns is one on the left.
            x = x.saturating_add(room).saturating_add(2);
            ends.push((x, *column));
        }
        let headings = (header.height > 0).then_some(header.y);
        Self { first_line, headings, ends, left_out: columns.left_out.clone() }
    }

    /// The columns that were asked for, and had no room. Queues are shown without being asked for.
    pub(super) fn left_out(&self) -> impl Iterator<Item = Column> {
        self.left_out.iter().copied().filter(|column| *column != Column::Queues)
    }

    /// What was clicked on.
    pub(super) fn at_place(&self, column: u16, line: u16) -> Option<Clicked> {
        if self.headings == Some(line) {
            let (_, column) = self.ends.iter().find(|(end, _)| column < *end)?;
            return Sort::by_column(*column).map(Clicked::Heading);
        }
        line.checked_sub(self.first_line).map(|row| Clicked::Row(row.into()))
    }
}

/// What a place of the screen belongs to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Clicked {
    /// A heading, by which rows can be sorted.
    Heading(Sort),
    /// A place on the page, counted from 0; there may be no row.
    Row(usize),
}

impl Look {
    /// The columns, if there is room for all.
    fn columns(&self) -> Vec<Column> {
        let mut columns = Column::BY_HELD.to_vec();
        columns.push(Column::Queues);
        columns.extend(Column::added(self.extended, self.timers));
        columns.extend(self.tcp_info.then_some(Column::TcpInfo));
        columns
    }
}

/// The columns of the table with the cells of some rows.
#[derive(Debug)]
pub(super) struct Columns {
    /// Those that are shown, each with its width.
    shown: Vec<(Column, usize)>,
    /// Those that were asked for, and have no room.
    left_out: Vec<Column>,
    /// The cells of all columns that were asked for, from left to right.
    cells: Vec<Vec<(Column, String)>>,
}

impl Columns {
    /// The columns of some sockets in this room.
    pub(super) fn new(sockets: &[SocketRecord], look: &Look, names: &Names, room: usize) -> Self {
        let columns = look.columns();
        let cells: Vec<Vec<(Column, String)>> =
            sockets.iter().map(|socket| cells(&columns, socket, names)).collect();
        // Where rows come and go, most columns stay as they are.
        let least = |column| match column {
            Column::Held => 8,
            Column::State => 11,
            Column::Owner | Column::Local => 5,
            Column::Remote => 6,
            _ => 0,
        };
        let widest = |column: Column| {
            let cells = cells.iter().flatten().filter(|(of, _)| *of == column);
            let widest = cells.map(|(_, cell)| width(cell)).max().unwrap_or_default();
            widest.max(column.heading().len()).max(least(column))
        };
        let shown = columns.iter().map(|column| (*column, widest(*column))).collect();
        let mut columns = Self { shown, left_out: Vec::new(), cells };
        columns.fit(room);
        columns
    }

    /// The cells of a row that are shown, as one line.
    pub(super) fn line(&self, row: usize) -> String {
        let cell = |column| {
            let cells = self.cells.get(row).into_iter().flatten();
            cells.clone().find(|(of, _)| *of == column).map_or("", |(_, cell)| cell)
        };
        self.joined(cell)
    }

    /// The headings as one line.
    pub(super) fn headings(&self) -> String {
        self.joined(Column::heading)
    }

    /// One line of cells: numbers to the right, others to the left.
    fn joined<'c>(&self, cell: impl Fn(Column) -> &'c str) -> String {
        let mut line = String::new();
        for (column, room) in &self.shown {
            let cell = cut(*column, cell(*column), *room);
            let pad = " ".repeat(room.saturating_sub(width(&cell)));
            let gap = if line.is_empty() { "" } else { "  " };
            let (left, right) =
                if column.is_right_aligned() { (&pad, &cell) } else { (&cell, &pad) };
            line.extend([gap, left, right]);
        }
        line
    }

    /// Where a column begins and how wide it is.
    pub(super) fn place(&self, column: Column) -> Option<(usize, usize)> {
        let at = self.shown.iter().position(|(shown, _)| *shown == column)?;
        let before: usize = self.shown[..at].iter().map(|(_, width)| width + GAP).sum();
        Some((before, self.shown[at].1))
    }

    /// Where the column begins that rows are sorted by, and how wide it is.
    pub(super) fn sorted_by(&self, sort: Sort) -> Option<(usize, usize)> {
        let columns = self.shown.iter().map(|(column, _)| *column);
        let by = columns.clone().find(|column| Sort::by_column(*column) == Some(sort))?;
        self.place(by)
    }

    /// The widths so that all columns fit where that is possible: the widest cells are cut, then what
    /// is worth the least is left out.
    fn fit(&mut self, room: usize) {
        let is_end = |column| matches!(column, Column::Owner | Column::Local | Column::Remote);
        let is_long = |column| matches!(column, Column::Unit | Column::TcpInfo);
        while self.needed() > room {
            let over = self.needed() - room;
            let ends = self.shown.iter().filter(|(column, _)| is_end(*column));
            let spare = ends.map(|(_, width)| *width).sum::<usize>().saturating_sub(ROOM_FOR_ENDS);
            let fits_better = self.cut_widest(is_long, NARROW, over)
                || spare > 0 && self.cut_widest(is_end, NARROW, 1)
                || self.leave_out(&LEFT_OUT)
                || self.cut_widest(is_end, NARROW, 1)
                || self.cut_widest(is_end, NARROWEST, 1)
                || self.leave_out(&LEFT_OUT_LAST);
            if !fits_better {
                break;
            }
        }
    }

    fn needed(&self) -> usize {
        let cells: usize = self.shown.iter().map(|(_, width)| width).sum();
        cells + GAP * self.shown.len().saturating_sub(1)
    }

    /// Cuts the widest of some columns, to `least` or by `most`; whether there was one that may be cut.
    fn cut_widest(&mut self, may_cut: impl Fn(Column) -> bool, least: usize, most: usize) -> bool {
        let wide = self.shown.iter_mut().filter(|(column, width)| {
            may_cut(*column) && *width > least.max(column.heading().len())
        });
        let Some((_, width)) = wide.max_by_key(|(_, width)| *width) else { return false };
        *width -= most.min(*width - least);
        true
    }

    /// Leaves out the first one of these that is shown; whether there was one.
    fn leave_out(&mut self, columns: &[Column]) -> bool {
        let is_shown = |column: &&Column| self.shown.iter().any(|(shown, _)| shown == *column);
        let Some(next) = columns.iter().find(is_shown).copied() else { return false };
        self.shown.retain(|(column, _)| *column != next);
        self.left_out.push(next);
        true
    }
}

/// The cells of a socket.
fn cells(columns: &[Column], socket: &SocketRecord, names: &Names) -> Vec<(Column, String)> {
    let cell = |column: &Column| {
        let mut text = String::new();
        match column {
            Column::Owner => {
                let netns = socket.netns_name.as_deref();
                text = owner_in(&socket.owner, &socket.socket, netns);
            }
            _ => column.write(&mut text, socket, names),
        }
        (*column, text)
    };
    columns.iter().map(cell).collect()
}

/// A cell cut to a width.
fn cut(column: Column, cell: &str, room: usize) -> String {
    match column {
        Column::Local | Column::Remote => clip_endpoint(cell, room),
        Column::Owner => clip_owner(cell, room),
        _ => clip(cell, room),
    }
}
