//! `--view events` as text: a line per event, in columns that become wider with their cells and
//! never cut them. On a narrow terminal the last column, STATE, goes to the next line.

use super::cell::{Names, TimeFormatter, duration, held, local_end, owner_in, remote_end};
use super::style::{Palette, style_of};
use super::wording::ending;
use super::{Renderer, alert_sentence, lost_sentence};
use crate::model::event::{Ages, Alert, EventKind};
use crate::model::reading::Lost;
use crate::tcp::state::State;
use crate::view::Record;
use crate::view::event::EventRecord;
use anstyle::Style;
use unicode_width::UnicodeWidthStr;

/// The columns before STATE; all but the last are aligned to the left.
const HEADINGS: [&str; 5] = ["TIME", "OWNER", "LOCAL", "REMOTE", "HELD"];
/// Their widths at the start: room for usual cells, so that columns seldom move. The first lines widen
/// them before they are written.
const WIDTHS: [usize; 5] = [12, 11, 15, 15, 6];
const GAP: &str = "  ";
/// How far a row is indented that is continued below its time.
const INDENT: usize = 4;
/// On a terminal, the columns that are left for a state, and those that an owner gets at most.
const ROOM_FOR_STATE: usize = 26;
const WIDEST_OWNER: usize = 24;

/// Writes events, losses and alerts as lines of text.
#[derive(Debug)]
pub struct EventsText {
    clock: TimeFormatter,
    palette: Palette,
    header: bool,
    /// The terminal's width; `None` in a pipe, where a line stays a line.
    width: Option<usize>,
    widths: [usize; 5],
    /// The widths that the header was written with; `None` before the first lines.
    header_widths: Option<[usize; 5]>,
}

impl EventsText {
    /// `width` is that of a terminal, `None` for a pipe or a file.
    pub fn new(clock: TimeFormatter, palette: Palette, header: bool, width: Option<usize>) -> Self {
        let mut widths = WIDTHS;
        widths[0] = clock.width();
        Self { clock, palette, header, width, widths, header_widths: None }
    }

    fn cells(&mut self, event: &EventRecord, names: &Names) -> [String; 5] {
        [
            self.clock.write(event.time),
            owner_in(&event.owner, &event.socket, event.netns_name.as_deref()),
            local_end(&event.socket, names),
            remote_end(&event.socket, names),
            held(event.ages.held, event.ages.held_at_least),
        ]
    }

    /// The cells of an alert are those of its worst socket.
    fn alert_cells(&mut self, alert: &Alert, names: &Names) -> [String; 5] {
        let worst = &alert.worst;
        [
            self.clock.write(alert.time),
            owner_in(&worst.owner, &worst.socket, None),
            local_end(&worst.socket, names),
            remote_end(&worst.socket, names),
            held(worst.held, worst.held_at_least),
        ]
    }

    fn alert_state_cell(&self, alert: &Alert) -> StateCell {
        let style = if alert.active { style_of(State::CloseWait) } else { Style::new() };
        let word = StyledWord { text: self.palette.paint(style, "ALERT"), width: "ALERT".len() };
        let note = alert_sentence(alert).split(' ').map(StyledWord::plain).collect();
        StateCell { change: vec![word], note }
    }

    fn lost_cells(&mut self, lost: &Lost) -> [String; 5] {
        let none = || "-".to_owned();
        [self.clock.write(lost.time), none(), none(), none(), none()]
    }

    fn widen(&mut self, cells: &[String; 5]) {
        let most = self.widest();
        for (i, (width, cell)) in self.widths.iter_mut().zip(cells).enumerate() {
            // With room for the mark that an owner gets once it is only remembered.
            let mark = usize::from(i == 1 && !cell.ends_with(['~', '^']));
            let wanted = cell.width() + mark;
            if wanted <= most[i] {
                *width = (*width).max(wanted);
            }
        }
    }

    /// How wide columns may become: on a terminal one long owner or address is written beyond its
    /// column, so that the lines of all others still fit.
    fn widest(&self) -> [usize; 5] {
        let Some(room) = self.width else { return [usize::MAX; 5] };
        let [time, owner, local, remote, held] = self.widths;
        let others = time + owner + held + 5 * GAP.len() + ROOM_FOR_STATE;
        let addr = room.saturating_sub(others) / 2;
        [usize::MAX, WIDEST_OWNER, addr.max(local), addr.max(remote), usize::MAX]
    }

    /// The aligned columns, then the state: on the same line as far as it fits. What is continued stands
    /// beside the times, or below them where that takes fewer lines.
    fn line(&self, cells: &[String; 5], state_cell: &StateCell) -> String {
        let beside = self.aligned_line(cells, state_cell);
        let lines = |text: &str| text.matches('\n').count();
        if lines(&beside) <= 2 {
            return beside;
        }
        let [time, owner, ..] = self.widths;
        let below = self.line_in([time, owner, 0, 0, 0], INDENT, cells, state_cell);
        if lines(&below) < lines(&beside) { below } else { beside }
    }

    fn aligned_line(&self, cells: &[String; 5], state_cell: &StateCell) -> String {
        self.line_in(self.widths, self.widths[0] + GAP.len(), cells, state_cell)
    }

    fn line_in(
        &self,
        widths: [usize; 5],
        indent: usize,
        cells: &[String; 5],
        state_cell: &StateCell,
    ) -> String {
        let mut text = WrappedLine { text: String::new(), at: 0, room: self.width, indent };
        for (i, (cell, width)) in cells.iter().zip(widths).enumerate() {
            text.push_cell(cell, width, i + 1 == cells.len());
        }
        text.push(&state_cell.change, "");
        text.push(&state_cell.note, GAP);
        text.text.push('\n');
        text.text
    }

    fn state_cell(&self, event: &EventRecord) -> StateCell {
        let palette = self.palette;
        let info = event.tcp_info.as_ref().map(ToString::to_string);
        let notes = note(event).into_iter().chain(info.filter(|info| !info.is_empty()));
        let words = |note: String| -> Vec<StyledWord> {
            note.split(' ').map(|word| StyledWord::dim(palette, word)).collect()
        };
        let note = notes.flat_map(words).collect();
        if event.event == EventKind::Present {
            let there = StyledWord::dim(palette, "(present)");
            return StateCell { change: vec![StyledWord::state(palette, event.to), there], note };
        }
        let mut change = vec![match event.from {
            Some(from) => StyledWord::state(palette, from),
            None => StyledWord::plain("new"),
        }];
        for state in &event.via {
            change
                .extend([StyledWord::plain("->"), StyledWord::dim(palette, &format!("[{state}]"))]);
        }
        change.extend([StyledWord::plain("->"), StyledWord::state(palette, event.to)]);
        // The note of a closed socket says what its possible states mean.
        let skipped = match event.maybe.as_slice() {
            [] => None,
            _ if event.event == EventKind::Closed && event.verdict.is_some() => None,
            [one] => Some(format!("({one}?)")),
            more => Some(format!("({} states?)", more.len())),
        };
        change.extend(skipped.map(|skipped| StyledWord::dim(palette, &skipped)));
        StateCell { change, note }
    }
}

impl EventsText {
    /// The header where it is due: above the first lines, and aligned with them; on a terminal again
    /// above lines that have made a column wider.
    fn header_line(&mut self) -> String {
        let again = self.width.is_some() && self.header_widths != Some(self.widths);
        if !self.header || self.header_widths.is_some() && !again {
            return String::new();
        }
        self.header_widths = Some(self.widths);
        let cells = HEADINGS.map(str::to_owned);
        let state = StateCell { change: vec![StyledWord::plain("STATE")], note: Vec::new() };
        let line = self.aligned_line(&cells, &state);
        self.palette.heading(line.trim_end_matches('\n')) + "\n"
    }
}

impl Renderer for EventsText {
    fn rows(&mut self, records: &[Record], names: &Names) -> Vec<u8> {
        let mut lines = Vec::with_capacity(records.len());
        for record in records {
            let (cells, state_cell) = match record {
                Record::Event(event) => (self.cells(event, names), self.state_cell(event)),
                Record::Alert(alert) => {
                    (self.alert_cells(alert, names), self.alert_state_cell(alert))
                }
                Record::Lost(lost) => (self.lost_cells(lost), StateCell::lost(lost)),
                _ => continue,
            };
            self.widen(&cells);
            lines.push((cells, state_cell));
        }
        // All records of a reading are aligned to each other.
        let mut text = if lines.is_empty() { String::new() } else { self.header_line() };
        text.extend(lines.iter().map(|(cells, state_cell)| self.line(cells, state_cell)));
        text.into_bytes()
    }

    fn message(&self, _: &Record) -> Option<String> {
        None
    }
}

/// A word with its style, and the columns that it takes.
struct StyledWord {
    text: String,
    width: usize,
}

impl StyledWord {
    fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), width: text.width() }
    }

    fn state(palette: Palette, state: State) -> Self {
        Self { text: palette.state(state), width: state.to_string().len() }
    }

    fn dim(palette: Palette, text: &str) -> Self {
        Self { width: text.width(), text: palette.dim(text) }
    }
}

/// The cell of the column STATE: the states, and what follows from the change.
struct StateCell {
    change: Vec<StyledWord>,
    note: Vec<StyledWord>,
}

impl StateCell {
    fn lost(lost: &Lost) -> Self {
        let note = lost_sentence(lost).split(' ').map(StyledWord::plain).collect();
        Self { change: vec![StyledWord::plain("LOST")], note }
    }
}

/// A line that is continued in the next one where the terminal ends.
struct WrappedLine {
    text: String,
    /// The columns that its last line takes.
    at: usize,
    /// The terminal's width; `None` for no limit.
    room: Option<usize>,
    indent: usize,
}

impl WrappedLine {
    /// Adds words behind a gap, or on a line of their own where they do not all fit, or on several
    /// where not even that is wide enough.
    fn push(&mut self, words: &[StyledWord], gap: &str) {
        if words.is_empty() {
            return;
        }
        let whole: usize = words.iter().map(|word| word.width + 1).sum::<usize>() - 1;
        if self.fits(gap.len() + whole) {
            self.text.push_str(gap);
            self.at += gap.len();
        } else {
            self.break_line();
        }
        for (i, word) in words.iter().enumerate() {
            if i > 0 && !self.fits(1 + word.width) {
                self.break_line();
            } else if i > 0 {
                self.text.push(' ');
                self.at += 1;
            }
            self.text.push_str(&word.text);
            self.at += word.width;
        }
    }

    /// Adds the cell of a column, and a gap; on a line of its own where it does not fit.
    fn push_cell(&mut self, cell: &str, width: usize, is_right_aligned: bool) {
        let (taken, blanks) = (cell.width(), width.saturating_sub(cell.width()));
        if self.at > self.indent && !self.fits(taken.max(width * usize::from(is_right_aligned))) {
            self.break_line();
        }
        let fill = " ".repeat(blanks);
        let (before, after) = if is_right_aligned { (fill.as_str(), "") } else { ("", &*fill) };
        self.text.extend([before, cell, after, GAP]);
        self.at += taken + blanks + GAP.len();
    }

    fn fits(&self, width: usize) -> bool {
        self.room.is_none_or(|room| self.at + width <= room)
    }

    fn break_line(&mut self) {
        self.text.truncate(self.text.trim_end().len());
        self.text.push('\n');
        self.text.push_str(&" ".repeat(self.indent));
        self.at = self.indent;
    }
}

/// What the new state means, and of a closed socket how it ended and how long it lived; `None` for
/// states that need no words.
fn note(event: &EventRecord) -> Option<String> {
    if event.event != EventKind::Closed {
        return Some(match event.to {
            State::CloseWait => "the peer has closed, this side has not".to_owned(),
            State::FinWait2 if event.roles.both_fins => "both sides have closed".to_owned(),
            State::FinWait2 => "this side has closed, the peer has not".to_owned(),
            State::Closing => "both sides closed at once".to_owned(),
            _ => return None,
        });
    }
    let how = ending((event.verdict, event.reset_by), event.from, event.roles.both_fins);
    let Ages { held, lived, lived_at_least, .. } = event.ages;
    let verb = if lived_at_least { "watched" } else { "lived" };
    // Of a socket that was observed in one state alone, HELD says it.
    let lived = (held != Some(lived)).then(|| format!("{verb} {}", duration(lived)));
    match (how, lived) {
        (Some(how), Some(lived)) => Some(format!("{how}, {lived}")),
        (how, lived) => how.map(str::to_owned).or(lived),
    }
}

#[cfg(test)]
mod tests;
