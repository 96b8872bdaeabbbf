//! The table of groups that `check --by` prints.

use super::Renderer;
use super::cell::{Names, held, width};
use super::style::{Palette, style_of};
use crate::model::escape::one_word;
use crate::tcp::state::State;
use crate::view::Record;
use std::fmt::Write as _;

const HEADINGS: [&str; 4] = ["GROUP", "STATE", "COUNT", "OLDEST"];

/// Lays groups out as aligned columns once all are known.
#[derive(Debug)]
pub(crate) struct GroupTable {
    palette: Palette,
    header: bool,
    rows: Vec<(State, [String; 4])>,
}

impl GroupTable {
    /// An empty one; `header`: a line that names the columns.
    pub(crate) const fn new(palette: Palette, header: bool) -> Self {
        Self { palette, header, rows: Vec::new() }
    }
}

impl Renderer for GroupTable {
    fn rows(&mut self, records: &[Record], _: &Names) -> Vec<u8> {
        for record in records {
            let Record::Group(group) = record else { continue };
            let name = group.group.as_deref().map_or_else(|| "?".to_owned(), one_word);
            let oldest = held(group.oldest, group.oldest_at_least);
            let cells = [name, group.state.to_string(), group.count.to_string(), oldest];
            self.rows.push((group.state, cells));
        }
        Vec::new()
    }

    fn rest(&mut self) -> Option<Vec<u8>> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return None;
        }
        let mut widths = HEADINGS.map(|heading| if self.header { heading.len() } else { 0 });
        for (_, cells) in &rows {
            for (widest, cell) in widths.iter_mut().zip(cells) {
                *widest = (*widest).max(width(cell));
            }
        }
        let pad =
            |text: &str, column: usize| " ".repeat(widths[column].saturating_sub(width(text)));
        // Writing to a string never fails.
        let mut text = String::new();
        if self.header {
            let [group, state, count, oldest] = HEADINGS;
            let (after, between) = (pad(group, 0), pad(state, 1));
            let (before, last) = (pad(count, 2), pad(oldest, 3));
            let _ =
                writeln!(text, "{group}{after}  {state}{between}  {before}{count}  {last}{oldest}");
        }
        for (state, [group, name, count, oldest]) in &rows {
            let style = if self.palette.on { style_of(*state) } else { anstyle::Style::new() };
            let (after, between) = (pad(group, 0), pad(name, 1));
            let (before, last) = (pad(count, 2), pad(oldest, 3));
            let _ = writeln!(
                text,
                "{group}{after}  {style}{name}{style:#}{between}  {before}{count}  {last}{oldest}"
            );
        }
        Some(text.into_bytes())
    }
}
