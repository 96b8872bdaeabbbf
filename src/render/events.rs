//! The stream of events as text: one line each, columns that grow with what they hold and never
//! cut it. On a narrow terminal the story goes on the next line instead of breaking anywhere.

use super::cell::{Clock, Names, duration, endpoint, held, owner};
use super::sentence::ending;
use super::style::{Palette, style_of};
use super::{Renderer, lost_sentence};
use crate::model::event::EventKind;
use crate::model::reading::Lost;
use crate::tcp::state::State;
use crate::view::Record;
use crate::view::alert::AlertRecord;
use crate::view::event::EventRecord;
use anstyle::Style;
use unicode_width::UnicodeWidthStr;

/// The columns before the story; all but the last are aligned to the left.
const HEADINGS: [&str; 5] = ["TIME", "OWNER", "LOCAL", "REMOTE", "HELD"];
/// Room for usual cells from the start, so that columns seldom move.
const WIDTHS: [usize; 5] = [12, 14, 15, 15, 6];
const GAP: &str = "  ";

/// Writes events as lines of text.
#[derive(Debug)]
pub struct Events {
    clock: Clock,
    palette: Palette,
    header: bool,
    /// The terminal's width; `None` in a pipe, where a line stays a line.
    width: Option<usize>,
    widths: [usize; 5],
}

impl Events {
    /// `width` is that of a terminal, `None` for a pipe or a file.
    pub fn new(clock: Clock, palette: Palette, header: bool, width: Option<usize>) -> Self {
        let mut widths = WIDTHS;
        widths[0] = clock.width();
        Self { clock, palette, header, width, widths }
    }

    fn cells(&mut self, event: &EventRecord, names: &Names) -> [String; 5] {
        let socket = &event.socket;
        [
            self.clock.write(event.time),
            owner(&event.owner),
            endpoint(socket.local_addr, socket.local_port, names),
            endpoint(socket.remote_addr, socket.remote_port, names),
            held(event.held, event.held_at_least),
        ]
    }

    /// The worst socket.
    fn alert_cells(&mut self, alert: &AlertRecord, names: &Names) -> [String; 5] {
        let worst = &alert.worst;
        [
            self.clock.write(alert.time),
            owner(&alert.owner),
            endpoint(worst.local_addr, worst.local_port, names),
            endpoint(worst.remote_addr, worst.remote_port, names),
            held(alert.held, alert.held_at_least),
        ]
    }

    fn alert_story(&self, alert: &AlertRecord) -> Story {
        let style = if alert.active { style_of(State::CloseWait) } else { Style::new() };
        let word = Word { text: self.palette.paint(style, "ALERT"), width: "ALERT".len() };
        let note = alert.sentence().split(' ').map(Word::plain).collect();
        Story { change: vec![word], note }
    }

    fn lost_cells(&mut self, lost: &Lost) -> [String; 5] {
        let none = || "-".to_owned();
        [self.clock.write(lost.time), none(), none(), none(), none()]
    }

    fn grow(&mut self, cells: &[String; 5]) {
        for (i, (width, cell)) in self.widths.iter_mut().zip(cells).enumerate() {
            // Room for the mark that an owner gets once it is only remembered.
            let mark = usize::from(i == 1 && !cell.ends_with(['~', '^']));
            *width = (*width).max(cell.width() + mark);
        }
    }

    /// The aligned columns, then the story: on the same line as far as it fits.
    fn line(&self, cells: &[String; 5], story: &Story) -> String {
        let mut line = String::new();
        for (i, (cell, width)) in cells.iter().zip(self.widths).enumerate() {
            let fill = " ".repeat(width.saturating_sub(cell.width()));
            let right = i + 1 == cells.len();
            let (before, after) = if right { (fill.as_str(), "") } else { ("", fill.as_str()) };
            line.extend([before, cell, after, GAP]);
        }
        let indent = self.widths[0] + GAP.len();
        let mut text = Wrapped { at: line.width(), text: line, room: self.width, indent };
        text.push(&story.change, "");
        text.push(&story.note, GAP);
        text.text.push('\n');
        text.text
    }

    fn story(&self, event: &EventRecord) -> Story {
        let palette = self.palette;
        let note = note(event).map_or_else(Vec::new, |note| {
            note.split(' ').map(|word| Word::dim(palette, word)).collect()
        });
        if event.event == EventKind::Present {
            let there = Word::dim(palette, "(there already)");
            return Story { change: vec![Word::state(palette, event.to), there], note };
        }
        let mut change = vec![match event.from {
            Some(from) => Word::state(palette, from),
            None => Word::plain("new"),
        }];
        for state in &event.via {
            change.extend([Word::plain("->"), Word::dim(palette, &format!("[{state}]"))]);
        }
        change.extend([Word::plain("->"), Word::state(palette, event.to)]);
        let last = event.maybe.len().saturating_sub(1);
        for (i, state) in event.maybe.iter().enumerate() {
            let open = if i == 0 { "(" } else { "" };
            let close = if i == last { ")" } else { "" };
            change.push(Word::dim(palette, &format!("{open}{state}?{close}")));
        }
        Story { change, note }
    }
}

impl Renderer for Events {
    fn begin(&mut self) -> Vec<u8> {
        if !self.header {
            return Vec::new();
        }
        let cells = HEADINGS.map(str::to_owned);
        let state = Story { change: vec![Word::plain("STATE")], note: Vec::new() };
        let line = self.line(&cells, &state);
        let heading = self.palette.heading(line.trim_end_matches('\n'));
        (heading + "\n").into_bytes()
    }

    fn rows(&mut self, records: &[Record], names: &Names) -> Vec<u8> {
        let mut lines = Vec::with_capacity(records.len());
        for record in records {
            let (cells, story) = match record {
                Record::Event(event) => (self.cells(event, names), self.story(event)),
                Record::Alert(alert) => (self.alert_cells(alert, names), self.alert_story(alert)),
                Record::Lost(lost) => (self.lost_cells(lost), Story::lost(lost)),
                Record::Socket(_) | Record::Life(_) | Record::Diagram(_) => continue,
            };
            self.grow(&cells);
            lines.push((cells, story));
        }
        // All records of a pass are aligned to each other.
        lines.iter().map(|(cells, story)| self.line(cells, story)).collect::<String>().into_bytes()
    }

    fn aside(&self, _: &Record) -> Option<String> {
        None
    }
}

/// A word of the story, styled, with the width it takes on the screen.
struct Word {
    text: String,
    width: usize,
}

impl Word {
    fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), width: text.width() }
    }

    fn state(palette: Palette, state: State) -> Self {
        Self { text: palette.seen(state), width: state.to_string().len() }
    }

    fn dim(palette: Palette, text: &str) -> Self {
        Self { width: text.width(), text: palette.dim(text) }
    }
}

/// What happened, and what follows from it.
struct Story {
    change: Vec<Word>,
    note: Vec<Word>,
}

impl Story {
    fn lost(lost: &Lost) -> Self {
        let note = lost_sentence(lost).split(' ').map(Word::plain).collect();
        Self { change: vec![Word::plain("LOST")], note }
    }
}

/// A line that goes on in the next where the terminal ends.
struct Wrapped {
    text: String,
    at: usize,
    room: Option<usize>,
    indent: usize,
}

impl Wrapped {
    /// Appends words, behind a gap where something stands before them, on a line of their own
    /// where they do not fit as a whole, on several where even that is too narrow.
    fn push(&mut self, words: &[Word], gap: &str) {
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

/// The sentence a colleague would say, where the facts prove it; "likely" where they suggest it.
fn note(event: &EventRecord) -> Option<String> {
    if event.event != EventKind::Closed {
        return Some(match event.to {
            State::CloseWait => "the other side closed, this side not yet".to_owned(),
            State::FinWait2 => "this side closed, the other not yet".to_owned(),
            State::Closing => "both sides closed at once".to_owned(),
            _ => return None,
        });
    }
    let verb = if event.lived_at_least { "watched" } else { "lived" };
    let lived = format!("{verb} {}", duration(event.lived));
    let how = ending(event.verdict, event.from, event.both_fins);
    let Some(how) = how else { return Some(lived) };
    Some(format!("{how}, {lived}"))
}

#[cfg(test)]
mod tests;
