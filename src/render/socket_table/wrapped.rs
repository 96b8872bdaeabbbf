//! Rows on a terminal that is too narrow for them. A row is continued between two cells, never within
//! one: an address in two pieces could not be copied. Long addresses of some rows do not widen the
//! columns of the others.

use super::columns::Column;
use super::rows::TableRows;
use super::{GAP, SocketTable, push_blanks, push_styled};
use crate::render::cell::{UNKNOWN, width};
use crate::render::style::style_of;
use anstyle::Style;

/// How far a row that is continued in the next line is indented there.
const INDENT: usize = 4;
/// The widest endpoint of IPv4, `255.255.255.255:65535`.
const USUAL_ENDPOINT: usize = 21;

/// Where the cells of a row stand.
#[derive(Debug)]
pub(super) struct Layout {
    /// The columns from left to right, by their places in the table.
    order: Vec<usize>,
    /// The width of each column, by its place in the table.
    widths: Vec<usize>,
    /// Blanks between two columns.
    gap: usize,
    /// The places in `order` that begin another line.
    breaks: Vec<usize>,
}

impl Layout {
    /// The layout with the fewest lines for columns of these widths, as far as possible in their order
    /// and with the usual gap.
    fn with_fewest_lines(columns: &[Column], widths: Vec<usize>, room: usize) -> Self {
        let natural: Vec<usize> = (0..columns.len()).collect();
        // Two long addresses leave most room where the state stands between them.
        let mut state_between = natural.clone();
        let place = |column| columns.iter().position(|other| *other == column);
        if let (Some(local), Some(state)) = (place(Column::Local), place(Column::State)) {
            state_between.retain(|column| *column != state);
            state_between.insert(if state < local { local } else { local + 1 }, state);
        }
        let candidates =
            [(GAP, &natural), (GAP, &state_between), (1, &natural), (1, &state_between)];
        let layouts =
            candidates.map(|(gap, order)| (gap, order, breaks(order, &widths, gap, room)));
        // The first of equal ones.
        let best = layouts.into_iter().min_by_key(|(_, _, breaks)| breaks.len());
        let (gap, order, breaks) = best.unwrap_or((GAP, &natural, Vec::new()));
        Self { order: order.clone(), widths, gap, breaks }
    }

    /// Whether no cell is wider than its column.
    fn fits(&self, cells: &[&str]) -> bool {
        cells.iter().zip(&self.widths).all(|(cell, room)| width(cell) <= *room)
    }
}

/// The places that have to begin another line, so that no line is wider than `room` unless a column is.
fn breaks(order: &[usize], widths: &[usize], gap: usize, room: usize) -> Vec<usize> {
    let mut breaks = Vec::new();
    let mut taken = 0;
    for (place, column) in order.iter().enumerate() {
        let width = widths[*column];
        taken += if place == 0 { width } else { gap + width };
        if place > 0 && taken > room {
            breaks.push(place);
            taken = INDENT + width;
        }
    }
    breaks
}

impl SocketTable {
    /// The layout of most rows: of those with usual addresses, unless most have long ones.
    pub(super) fn usual_layout<'r>(
        &self,
        parts: impl IntoIterator<Item = &'r TableRows> + Clone,
        room: usize,
    ) -> Layout {
        let mut widths = self.widths([], self.header);
        let (mut usual, mut all) = (0_usize, 0_usize);
        for (_, cells) in parts.clone().into_iter().flat_map(TableRows::iter) {
            let cells: Vec<&str> = cells.collect();
            all += 1;
            if self.has_usual_addresses(&cells) {
                usual += 1;
                for (room, cell) in widths.iter_mut().zip(cells) {
                    *room = (*room).max(width(cell));
                }
            }
        }
        if 2 * usual < all {
            widths = self.widths(parts, self.header);
        }
        Layout::with_fewest_lines(&self.columns, widths, room)
    }

    fn has_usual_addresses(&self, cells: &[&str]) -> bool {
        let is_address = |column: &Column| matches!(column, Column::Local | Column::Remote);
        let mut addresses = self.columns.iter().zip(cells).filter(|(column, _)| is_address(column));
        addresses.all(|(_, cell)| width(cell) <= USUAL_ENDPOINT)
    }

    /// The lines of some rows, below the headings where they are the `first`.
    pub(super) fn wrapped_lines(
        &self,
        (rows, first): (&TableRows, bool),
        usual: &Layout,
        room: usize,
    ) -> String {
        let mut text = String::new();
        if first && self.header {
            let headings: Vec<&str> = self.columns.iter().map(|column| column.heading()).collect();
            self.push_wrapped(&mut text, &headings, usual, |_| Some(Style::new().bold()));
        }
        for (state, cells) in rows.iter() {
            let cells: Vec<&str> = cells.collect();
            let style = |column| (column == Column::State).then(|| style_of(state));
            if usual.fits(&cells) {
                self.push_wrapped(&mut text, &cells, usual, style);
            } else {
                let own = self.own_layout(&cells, usual, room);
                self.push_wrapped(&mut text, &cells, &own, style);
            }
        }
        text
    }

    /// The layout of a row that is longer than most.
    fn own_layout(&self, cells: &[&str], usual: &Layout, room: usize) -> Layout {
        let known = cells.iter().rposition(|cell| *cell != UNKNOWN).map_or(0, |last| last + 1);
        let columns = &self.columns[..known.max(1)];
        let own: Vec<usize> = cells[..columns.len()].iter().map(|cell| width(cell)).collect();
        // What stands before the addresses stays below its headings, if that takes no further line.
        let mut aligned = own.clone();
        let before = columns.iter().take_while(|column| **column != Column::Local).count();
        for (room, usual) in aligned.iter_mut().zip(&usual.widths).take(before) {
            *room = (*room).max(*usual);
        }
        let [aligned, own] =
            [aligned, own].map(|widths| Layout::with_fewest_lines(columns, widths, room));
        if own.breaks.len() < aligned.breaks.len() { own } else { aligned }
    }

    /// Adds a row in a layout; the last cell of a line is not filled up.
    fn push_wrapped(
        &self,
        text: &mut String,
        cells: &[&str],
        Layout { order, widths, gap, breaks }: &Layout,
        style: impl Fn(Column) -> Option<Style>,
    ) {
        for (place, index) in order.iter().enumerate() {
            let (column, cell) = (self.columns[*index], cells[*index]);
            let fill = widths[*index].saturating_sub(width(cell));
            let before = match place {
                0 => 0,
                _ if breaks.contains(&place) => {
                    text.push('\n');
                    INDENT
                }
                _ => *gap,
            };
            let is_last = place + 1 == order.len();
            let (left, right) = match column.is_right_aligned() {
                _ if is_last => (0, 0),
                true => (fill, 0),
                false if breaks.contains(&(place + 1)) => (0, 0),
                false => (0, fill),
            };
            push_blanks(text, before + left);
            push_styled(text, cell, style(column).filter(|_| self.palette.on));
            push_blanks(text, right);
        }
        text.push('\n');
    }
}
