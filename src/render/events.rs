//! The stream of events as text: one line each, columns that grow with what they hold and never
//! cut it. On a narrow terminal the story goes on the next line instead of breaking anywhere.

use super::cell::{Clock, Names, duration, endpoint, owner};
use super::style::Palette;
use super::{Renderer, lost_sentence};
use crate::reading::Lost;
use crate::tcp::state::State;
use crate::transition::{Event, Verdict};
use crate::view::Record;
use crate::view::event::EventRecord;
use unicode_width::UnicodeWidthStr;

/// The columns before the story; all but the last are aligned to the left.
const HEADINGS: [&str; 5] = ["TIME", "OWNER", "LOCAL", "REMOTE", "HELD"];
/// Room for usual cells from the start, so that columns seldom move.
const WIDTHS: [usize; 5] = [12, 12, 15, 15, 6];
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
    pub const fn new(clock: Clock, palette: Palette, header: bool, width: Option<usize>) -> Self {
        Self { clock, palette, header, width, widths: WIDTHS }
    }

    fn cells(&mut self, event: &EventRecord, names: &Names) -> [String; 5] {
        let socket = &event.socket;
        [
            self.clock.write(event.time),
            owner(&event.owner),
            endpoint(socket.local_addr, socket.local_port, names),
            endpoint(socket.remote_addr, socket.remote_port, names),
            held(event),
        ]
    }

    fn lost_cells(&mut self, lost: &Lost) -> [String; 5] {
        let none = || "-".to_owned();
        [self.clock.write(lost.time), none(), none(), none(), none()]
    }

    fn grow(&mut self, cells: &[String; 5]) {
        for (width, cell) in self.widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.width());
        }
    }

    /// The aligned columns, then the story: on the same line where it fits.
    fn line(&self, cells: &[String; 5], story: &[Word]) -> String {
        let mut line = String::new();
        for (i, (cell, width)) in cells.iter().zip(self.widths).enumerate() {
            let fill = " ".repeat(width.saturating_sub(cell.width()));
            let right = i + 1 == cells.len();
            let (before, after) = if right { (fill.as_str(), "") } else { ("", fill.as_str()) };
            line.extend([before, cell, after, GAP]);
        }
        let used = line.width();
        let whole: usize = story.iter().map(|word| word.width + 1).sum::<usize>().saturating_sub(1);
        let room = self.width.unwrap_or(usize::MAX);
        if used.saturating_add(whole) <= room {
            push_words(&mut line, story, usize::MAX, 0, 0);
        } else {
            let indent = self.widths[0] + GAP.len();
            line.truncate(line.trim_end().len());
            line.push('\n');
            line.push_str(&" ".repeat(indent));
            push_words(&mut line, story, room, indent, indent);
        }
        line.push('\n');
        line
    }

    fn story(&self, event: &EventRecord) -> Vec<Word> {
        let palette = self.palette;
        let mut words = Vec::new();
        if event.event == Event::Present {
            words.push(Word::state(palette, event.to));
            words.push(Word::dim(palette, "(there already)".to_owned()));
        } else {
            words.push(match event.from {
                Some(from) => Word::state(palette, from),
                None => Word::plain("new"),
            });
            for state in &event.via {
                words.extend([Word::plain("->"), Word::dim(palette, format!("[{state}]"))]);
            }
            words.extend([Word::plain("->"), Word::state(palette, event.to)]);
            let last = event.maybe.len().saturating_sub(1);
            for (i, state) in event.maybe.iter().enumerate() {
                let open = if i == 0 { "(" } else { "" };
                let close = if i == last { ")" } else { "" };
                words.push(Word::dim(palette, format!("{open}{state}?{close}")));
            }
        }
        if let Some(note) = note(event) {
            words.push(Word::plain(""));
            words.extend(note.split(' ').map(|word| Word::dim(palette, word.to_owned())));
        }
        words
    }
}

impl Renderer for Events {
    fn begin(&mut self) -> Vec<u8> {
        if !self.header {
            return Vec::new();
        }
        let cells = HEADINGS.map(str::to_owned);
        let state = [Word::plain("STATE")];
        let line = self.line(&cells, &state);
        let heading = self.palette.heading(line.trim_end_matches('\n'));
        (heading + "\n").into_bytes()
    }

    fn rows(&mut self, records: &[Record], names: &Names) -> Vec<u8> {
        let mut lines = Vec::with_capacity(records.len());
        for record in records {
            let (cells, story) = match record {
                Record::Event(event) => (self.cells(event, names), self.story(event)),
                Record::Lost(lost) => {
                    let words = lost_sentence(lost);
                    let words = words.split(' ').map(Word::plain);
                    (
                        self.lost_cells(lost),
                        [Word::plain("LOST")].into_iter().chain(words).collect(),
                    )
                }
                Record::Socket(_) => continue,
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

    fn dim(palette: Palette, text: String) -> Self {
        Self { width: text.width(), text: palette.dim(&text) }
    }
}

/// Appends words with blanks between them, on a new line where they would pass `room`.
fn push_words(line: &mut String, words: &[Word], room: usize, mut at: usize, indent: usize) {
    for (i, word) in words.iter().enumerate() {
        if i > 0 && at + 1 + word.width > room && at > indent {
            line.truncate(line.trim_end().len());
            line.push('\n');
            line.push_str(&" ".repeat(indent));
            at = indent;
        } else if i > 0 {
            line.push(' ');
            at = at.saturating_add(1);
        }
        line.push_str(&word.text);
        at = at.saturating_add(word.width);
    }
}

fn held(event: &EventRecord) -> String {
    match event.held {
        None => "-".to_owned(),
        Some(held) if event.held_at_least => format!(">={}", duration(held)),
        Some(held) => duration(held),
    }
}

/// The sentence a colleague would say, where the facts prove it; "likely" where they suggest it.
fn note(event: &EventRecord) -> Option<String> {
    if event.event != Event::Closed {
        return Some(match event.to {
            State::CloseWait => "the other side has closed, this side not yet".to_owned(),
            State::FinWait2 => "this side has closed, the other not yet".to_owned(),
            State::Closing => "both sides closed at once".to_owned(),
            _ => return None,
        });
    }
    let verb = if event.lived_at_least { "watched" } else { "lived" };
    let lived = format!("{verb} {}", duration(event.lived));
    let how = match (event.verdict, event.from) {
        (Some(Verdict::LocalClose), _) => "this side closed first",
        (Some(Verdict::RemoteClose), _) => "the other side closed first",
        (Some(Verdict::SimultaneousClose), _) => "both sides closed at once",
        (_, Some(State::Established)) => "likely reset, or closed by the other side first",
        (_, Some(State::CloseWait)) => "likely closed by this side too, or reset",
        (_, Some(State::SynSent)) => "likely refused, timed out or given up",
        (_, Some(State::SynRecv)) => "likely reset, or its handshake never ended",
        (_, Some(State::FinWait1 | State::FinWait2)) => "likely timed out or reset",
        _ => return Some(lived),
    };
    Some(format!("{how}, {lived}"))
}

#[cfg(test)]
mod tests;
