//! The summary as text: a table of groups and states, and sentences about what is noteworthy.

mod sentences;

use super::cell::{clip, duration, held, width};
use super::style::{Palette, table_colour as colour};
use super::wrap::wrap;
use super::{Renderer, Size};
use crate::model::escape::one_word;
use crate::render::cell::Names;
use crate::view::Record;
use crate::view::group::GroupKey;
use crate::view::summary::record::SummaryRecord;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};
pub(crate) use sentences::sentence;
use std::time::Duration;

/// So many rows are laid out together at most: comfy-table needs all cells at once.
const ROWS_TOGETHER: usize = 2000;
/// Sentences that do not fit a narrower line are not broken further.
const NARROWEST: usize = 20;
/// Blanks between two columns, where there is room for them.
const GAP: u16 = 2;
/// The groups whose closes are printed, the largest first.
const MOST_ENDS: usize = 10;
/// A screen without a socket should not leave anybody wondering.
const EMPTY: &str = "no matching socket yet";

/// Lays out the summary of one instant.
#[derive(Debug)]
pub(crate) struct SummaryText {
    palette: Palette,
    header: bool,
    /// A terminal's width; `None` in a pipe or a file.
    width: Option<usize>,
}

/// A column behind those of the group, and the least width of a terminal that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SummaryColumn {
    State,
    Now,
    Change,
    Highest,
    In,
    Out,
    Oldest,
    Median,
    P95,
}

impl SummaryColumn {
    const ALL: [Self; 9] = [
        Self::State,
        Self::Now,
        Self::Change,
        Self::Highest,
        Self::In,
        Self::Out,
        Self::Oldest,
        Self::Median,
        Self::P95,
    ];

    /// What a terminal that is too narrow for all goes without, the first one first.
    const LEFT_OUT: [Self; 5] = [Self::Highest, Self::P95, Self::Median, Self::Change, Self::Out];

    const fn heading(self) -> &'static str {
        match self {
            Self::State => "STATE",
            Self::Now => "NOW",
            Self::Change => "CHANGE",
            Self::Highest => "MOST",
            Self::In => "IN/s",
            Self::Out => "OUT/s",
            Self::Oldest => "OLDEST",
            Self::Median => "MEDIAN",
            Self::P95 => "P95",
        }
    }

    fn text(self, row: &SummaryRecord) -> String {
        let time = |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), duration);
        match self {
            Self::State => row.state.map_or_else(|| "all".to_owned(), |state| state.to_string()),
            Self::Now => row.count.to_string(),
            Self::Change if row.change == 0 => "0".to_owned(),
            Self::Change => format!("{:+}", row.change),
            Self::Highest => row.highest.to_string(),
            Self::In => rate(row.opened_per_second),
            Self::Out => rate(row.closed_per_second),
            Self::Oldest => held(row.oldest, row.oldest_at_least),
            Self::Median => time(row.median),
            Self::P95 => time(row.p95),
        }
    }
}

/// `0`, `0.03`, `4.1`, `1204`: about three digits.
fn rate(rate: Option<f64>) -> String {
    match rate {
        None => "-".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(rate) if rate < 1.0 => format!("{rate:.2}"),
        Some(rate) if rate < 100.0 => format!("{rate:.1}"),
        Some(rate) => format!("{rate:.0}"),
    }
}

/// The columns that are shown.
#[derive(Debug)]
struct SummaryLayout {
    columns: Vec<SummaryColumn>,
    /// Blanks between two of them.
    gap: u16,
    /// The width of a terminal; `None` elsewhere.
    room: Option<usize>,
    /// There is no room even for the columns that are never left out.
    is_too_wide: bool,
}

impl SummaryLayout {
    /// A sentence about the columns that are left out; `None` where there are none.
    fn left_out(&self) -> Option<String> {
        let is_out = |column: &&SummaryColumn| !self.columns.contains(column);
        let out: Vec<&str> =
            SummaryColumn::ALL.iter().filter(is_out).map(|column| column.heading()).collect();
        (!out.is_empty()).then(|| format!("this terminal has no room for {}", out.join(", ")))
    }
}

impl SummaryText {
    /// `width`: that of a terminal.
    pub(crate) fn new(palette: Palette, header: bool, width: Option<u16>) -> Self {
        Self { palette, header, width: width.map(usize::from) }
    }

    /// The columns that a terminal has room for, as many as possible; all without a terminal.
    fn layout(&self, rows: &[&SummaryRecord], room: Option<usize>) -> SummaryLayout {
        let columns = SummaryColumn::ALL.to_vec();
        let mut layout = SummaryLayout { columns, gap: GAP, room, is_too_wide: false };
        let Some(room) = room else { return layout };
        let heading = |text: &str| if self.header { text.len() } else { 0 };
        let by = rows.first().map_or(&[] as &[GroupKey], |row| &row.by);
        let groups = by.iter().enumerate().map(|(place, key)| {
            let names = rows.iter().map(|row| width(&group_name(row, place)));
            names.max().unwrap_or_default().max(heading(self::heading(*key)))
        });
        let groups: Vec<usize> = groups.collect();
        let widest = |column: &SummaryColumn| {
            let cells = rows.iter().map(|row| column.text(row).len());
            cells.max().unwrap_or_default().max(heading(column.heading()))
        };
        let widths: Vec<(SummaryColumn, usize)> =
            SummaryColumn::ALL.map(|column| (column, widest(&column))).into();
        let mut left_out = SummaryColumn::LEFT_OUT.iter();
        loop {
            let shown = widths.iter().filter(|(column, _)| layout.columns.contains(column));
            let cells: usize = groups.iter().copied().chain(shown.map(|(_, width)| *width)).sum();
            let gaps = groups.len() + layout.columns.len() - 1;
            if cells + usize::from(GAP) * gaps <= room {
                layout.gap = GAP;
                return layout;
            }
            layout.gap = 1;
            if cells + gaps <= room {
                return layout;
            }
            let Some(next) = left_out.next() else {
                layout.is_too_wide = true;
                return layout;
            };
            layout.columns.retain(|column| column != next);
        }
    }

    /// The rows as lines, with or without the one of headings.
    fn table(&self, rows: &[&SummaryRecord], layout: &SummaryLayout, header: bool) -> Vec<String> {
        let Some(room) = layout.room.filter(|_| layout.is_too_wide) else {
            return self.lines(rows, layout, header);
        };
        // Colours do not survive a cut.
        let plain = Self { palette: Palette { on: false }, ..*self };
        plain.lines(rows, layout, header).iter().map(|line| clip(line, room)).collect()
    }

    fn lines(&self, rows: &[&SummaryRecord], layout: &SummaryLayout, header: bool) -> Vec<String> {
        let SummaryLayout { columns, gap, .. } = layout;
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        if self.palette.on {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        let by = rows.first().map_or(&[] as &[GroupKey], |row| &row.by);
        let aligned = |column: SummaryColumn, text: String| {
            let left = column == SummaryColumn::State;
            let alignment = if left { CellAlignment::Left } else { CellAlignment::Right };
            Cell::new(text).set_alignment(alignment)
        };
        if header {
            let bold = |cell: Cell| cell.add_attribute(Attribute::Bold);
            let groups = by.iter().map(|key| bold(Cell::new(heading(*key))));
            let others = columns.iter().map(|c| bold(aligned(*c, c.heading().to_owned())));
            table.set_header(groups.chain(others).collect::<Vec<_>>());
        }
        let mut before = None;
        for row in rows {
            // For people a name stands once, for scripts on every line.
            let again = self.width.is_some() && before == Some((&row.group, row.is_rest));
            before = Some((&row.group, row.is_rest));
            let groups = (0..by.len())
                .map(|place| Cell::new(if again { String::new() } else { group_name(row, place) }));
            let others = columns.iter().map(|column| {
                let cell = aligned(*column, column.text(row));
                match (column, row.state) {
                    (SummaryColumn::State, Some(state)) => cell.fg(colour(state)),
                    _ => cell,
                }
            });
            table.add_row(groups.chain(others).collect::<Vec<_>>());
        }
        let last = by.len() + columns.len() - 1;
        for (place, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if place == last { 0 } else { *gap }));
        }
        table.to_string().lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// What is said below the table.
    fn sentences(records: &[Record], layout: &SummaryLayout) -> Vec<String> {
        let ends = summaries(records).filter_map(sentences::ends).take(MOST_ENDS);
        let found = records.iter().filter_map(|record| match record {
            Record::Finding(found) => Some(sentence(found)),
            _ => None,
        });
        layout.left_out().into_iter().chain(ends).chain(found).collect()
    }

    /// Sentences as lines of a terminal, the second and further ones of each indented.
    fn wrapped(sentence: &str, room: usize) -> Vec<String> {
        let mut lines = wrap(sentence, room.saturating_sub(2).max(NARROWEST));
        lines.iter_mut().skip(1).for_each(|line| line.insert_str(0, "  "));
        lines.into_iter().map(|line| clip(&line, room)).collect()
    }
}

/// What the rows of a group are called in a column.
fn group_name(row: &SummaryRecord, place: usize) -> String {
    match row.group.get(place) {
        Some(name) => name.as_deref().map_or("?".to_owned(), one_word),
        None => "(others)".to_owned(),
    }
}

/// The column of a group.
pub(crate) const fn heading(key: GroupKey) -> &'static str {
    match key {
        GroupKey::Remote => "REMOTE",
        GroupKey::Process => "PROCESS",
        GroupKey::LocalPort => "LOCAL PORT",
        GroupKey::Unit => "UNIT",
        GroupKey::Container => "CONTAINER",
        GroupKey::Pod => "POD",
        GroupKey::State => "STATE",
    }
}

fn summaries(records: &[Record]) -> impl Iterator<Item = &SummaryRecord> {
    records.iter().filter_map(|record| match record {
        Record::Summary(row) => Some(&**row),
        _ => None,
    })
}

/// The rows that say something: where all sockets of a group are in one state, and none was closed,
/// the row of the group says what that of the state says.
fn shown_rows(records: &[Record]) -> Vec<&SummaryRecord> {
    let rows: Vec<&SummaryRecord> = summaries(records).collect();
    let group = |row: &SummaryRecord| (row.group.clone(), row.is_rest);
    let mut shown = Vec::new();
    for rows in rows.chunk_by(|a, b| group(a) == group(b)) {
        let is_twice = rows.len() == 2 && rows[0].closed == 0;
        shown.extend(rows.iter().skip(usize::from(is_twice)));
    }
    shown
}

impl Renderer for SummaryText {
    fn rows(&mut self, records: &[Record], _: &Names) -> Vec<u8> {
        let rows = shown_rows(records);
        let layout = self.layout(&rows, self.width);
        let mut lines = Vec::new();
        for (part, rows) in rows.chunks(ROWS_TOGETHER).enumerate() {
            lines.extend(self.table(rows, &layout, self.header && part == 0));
        }
        let sentences = Self::sentences(records, &layout);
        if !lines.is_empty() && !sentences.is_empty() {
            lines.push(String::new());
        }
        for sentence in sentences {
            match self.width {
                Some(width) => lines.extend(Self::wrapped(&sentence, width)),
                None => lines.push(sentence),
            }
        }
        lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>().into_bytes()
    }

    fn frame(&mut self, records: &[Record], _: &Names, size: Size) -> Vec<String> {
        let Size { columns, rows: room } = size;
        let rows = shown_rows(records);
        if rows.is_empty() {
            return vec![clip(EMPTY, columns)];
        }
        let layout = self.layout(&rows, Some(columns));
        let sentences = Self::sentences(records, &layout);
        let mut said: Vec<String> =
            sentences.iter().flat_map(|sentence| Self::wrapped(sentence, columns)).collect();
        // What is noteworthy has a third of the screen, and what the table leaves.
        let header = usize::from(self.header);
        let left = room.saturating_sub(rows.len() + header);
        said.truncate((room / 3).max(left));
        let room_for_rows = room.saturating_sub(said.len() + header);
        let shown = rows.len().min(room_for_rows);
        let is_cut = shown < rows.len();
        let shown = if is_cut { shown.saturating_sub(1) } else { shown };
        let mut lines = self.table(&rows[..shown], &layout, self.header);
        if is_cut {
            let more = clip(&format!("and {} more rows", rows.len() - shown), columns);
            lines.push(self.palette.dim(&more));
        }
        lines.extend(said);
        lines.truncate(room);
        lines
    }
}

#[cfg(test)]
mod tests;
