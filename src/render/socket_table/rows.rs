//! Rows of cells as text: there may be a hundred thousand of them.

use super::columns::Column;
use crate::render::cell::{Names, width};
use crate::tcp::state::State;
use crate::view::socket::SocketRecord;

/// Some rows of a table.
#[derive(Debug)]
pub(super) struct TableRows {
    /// A line for each row, a tab behind each of its cells. No cell has a tab or the end of a line
    /// in it: names are escaped.
    text: String,
    /// The state of each row, which gives it its colour.
    states: Vec<State>,
    /// The widest cell of each column.
    widths: Vec<usize>,
}

impl TableRows {
    pub(super) fn new(columns: usize) -> Self {
        Self { text: String::new(), states: Vec::new(), widths: vec![0; columns] }
    }

    pub(super) fn push(&mut self, columns: &[Column], socket: &SocketRecord, names: &Names) {
        for (column, widest) in columns.iter().zip(&mut self.widths) {
            let start = self.text.len();
            column.write(&mut self.text, socket, names);
            *widest = (*widest).max(width(&self.text[start..]));
            self.text.push('\t');
        }
        self.text.push('\n');
        self.states.push(socket.state);
    }

    /// Each row: its state, and its cells from left to right.
    pub(super) fn iter(&self) -> impl Iterator<Item = (State, impl Iterator<Item = &str>)> {
        self.states.iter().copied().zip(self.text.lines().map(cells))
    }

    pub(super) fn widths(&self) -> &[usize] {
        &self.widths
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}

fn cells(line: &str) -> impl Iterator<Item = &str> {
    let mut start = 0;
    // Far faster than `split` for cells as short as these.
    memchr::memchr_iter(b'\t', line.as_bytes())
        .map(move |end| &line[std::mem::replace(&mut start, end + 1)..end])
}
