//! The columns of the table of sockets: their cells, their widths, and where their headings are.

use super::Top;
use super::order::Sort;
use super::rows::Row;
use crate::model::event::SocketStatus;
use crate::model::time::Stamp;
use crate::render::cell::{
    Names, clip, clip_endpoint, clip_owner, held, local_end, owner_in, remote_end,
};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

/// The line of the headings, and the column at which each of them ends.
#[derive(Debug)]
pub(super) struct Headings {
    pub(super) line: u16,
    ends: [u16; 6],
}

impl Headings {
    /// What a click on a column of the screen sorts by.
    pub(super) fn at(&self, column: u16) -> Option<Sort> {
        let place = self.ends.iter().position(|end| column < *end)?;
        Some(Sort::OF_COLUMNS[place])
    }
}

impl Top {
    /// Marks the heading that rows are sorted by. Returns where each is, for clicks.
    pub(super) fn mark_headings(
        &self,
        buffer: &mut Buffer,
        header: Rect,
        widths: &[usize; 6],
    ) -> Option<Headings> {
        let mut ends = [0; 6];
        let mut x = header.x;
        for (place, width) in widths.iter().enumerate() {
            let room = u16::try_from(*width).unwrap_or(0).min(header.right().saturating_sub(x));
            if Sort::OF_COLUMNS[place] == self.sort {
                let column = Rect { x, width: room, ..header }.intersection(buffer.area);
                buffer.set_style(column, Style::new().add_modifier(Modifier::UNDERLINED));
            }
            x = x.saturating_add(room);
            // A click between two columns is one on the left.
            ends[place] = if *width == 0 { x } else { x.saturating_add(2) };
            x = ends[place];
        }
        (header.height > 0).then_some(Headings { line: header.y, ends })
    }
}

/// The cells of a row.
pub(super) fn cells(row: &Row, at: Stamp) -> [String; 6] {
    let SocketStatus { socket, details, netns_name, .. } = &row.status;
    let names = Names::default();
    let queues = match (details.rx_queue, details.tx_queue) {
        (0, 0) => String::new(),
        (received, sent) => format!("{received}/{sent}"),
    };
    [
        held(Some(row.held(at)), row.status.held_at_least),
        row.status.state.to_string(),
        owner_in(&row.owner, socket, netns_name.as_deref()),
        local_end(socket, &names),
        remote_end(socket, &names),
        queues,
    ]
}

/// The widths of the columns, so that all of them fit where that is possible.
pub(super) fn widths(cells: &[[String; 6]], room: usize) -> [usize; 6] {
    let least = [8, 11, 5, 5, 6, 6];
    let width = |text: &String| unicode_width::UnicodeWidthStr::width(text.as_str());
    let mut widths = least;
    for row in cells {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    // An owner, then an address, may be cut; the queues are left out.
    while widths.iter().sum::<usize>() + 2 * 5 > room {
        let widest = [2, 3, 4].into_iter().max_by_key(|column| widths[*column]);
        match widest {
            _ if widths[5] > 0 && widths[2] + widths[3] + widths[4] <= 60 => widths[5] = 0,
            Some(column) if widths[column] > 12 => widths[column] -= 1,
            _ => break,
        }
    }
    widths
}

/// Cells as one line: times to the right, others to the left.
pub(super) fn line(cells: &[String; 6], widths: &[usize; 6]) -> String {
    let mut line = String::new();
    for (place, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if *width == 0 {
            continue;
        }
        let cut = [clip, clip, clip_owner, clip_endpoint, clip_endpoint, clip][place];
        let cell = cut(cell, *width);
        let blanks = width.saturating_sub(unicode_width::UnicodeWidthStr::width(cell.as_str()));
        let pad = " ".repeat(blanks);
        line += &if place == 0 { pad + &cell } else { ["  ", &cell, &pad].concat() };
    }
    line
}
