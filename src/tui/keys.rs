//! What the keys do.

use super::columns::Clicked;
use super::dialog::{OverlayKind, Typing};
use super::order::{self, GroupLine};
use super::slider::Jump;
use super::{Action, Key, Top};
use crate::view::Record;
use crate::view::group::GroupKey;

impl Top {
    /// Does what a key asks for.
    pub(crate) fn press(&mut self, key: Key) -> Action {
        self.dialog.clear_message();
        if let Some(typing) = self.dialog.type_key(key) {
            self.type_filter(typing);
            return Action::None;
        }
        let quits = matches!(key, Key::Char('q' | 'Q'));
        if quits {
            return Action::Quit;
        }
        if self.dialog.overlay().is_some() {
            self.dialog.press_in_overlay(key);
            return Action::None;
        }
        match key {
            Key::Escape if self.choice.group().is_some() => self.group_by(None),
            Key::Escape if !self.choice.filter_text().is_empty() => self.clear_filter(),
            Key::Escape => return Action::Quit,
            Key::Left | Key::Char('h') => self.go(Jump::Back),
            Key::Right | Key::Char('l') => self.go(Jump::Forward),
            Key::Char('[') => self.go(Jump::MinuteBack),
            Key::Char(']') => self.go(Jump::MinuteForward),
            Key::Char('<') => self.go(Jump::Start),
            Key::Char('>') => self.go(Jump::End),
            Key::Char('/') => self.dialog.start_typing(self.choice.filter_text()),
            Key::Char('s') => self.sort_by(self.choice.sort().next()),
            Key::Char('S') => self.sort_by(self.choice.sort()),
            Key::Char('g') => self.group_by(self.choice.next_group()),
            Key::Char(' ') => {
                self.contents.pause();
                self.lines.mark_stale();
            }
            Key::Char('t') => {
                let shown = if self.choice.toggle_closed() { "shown for 5s" } else { "not shown" };
                self.dialog.say(format!("closed sockets are {shown}"));
                self.lines.mark_stale();
            }
            Key::Char('d') => self.dialog.cover(OverlayKind::Diagram),
            Key::Char('e') => self.dialog.cover(OverlayKind::Explain),
            Key::Char('?') => self.dialog.cover(OverlayKind::Help),
            Key::Char('w') => return Action::Write(self.records()),
            _ => return self.press_in_table(key),
        }
        Action::None
    }

    /// Does what a key asks for that is about a line of the table. Only these keys need the lines to be up
    /// to date: several others in a row are arranged once, when they are drawn.
    fn press_in_table(&mut self, key: Key) -> Action {
        self.arrange();
        let page = self.lines.page();
        match key {
            Key::Up | Key::Char('k') => self.lines.select_up(1),
            Key::Down | Key::Char('j') => self.lines.select_down(1),
            Key::PageUp => self.lines.select_up(page),
            Key::PageDown => self.lines.select_down(page),
            Key::Home => self.lines.select(0),
            Key::End => self.lines.select(usize::MAX),
            Key::Enter => self.open_group(),
            Key::Char('y') => match self.selected_row() {
                Some(row) => {
                    let line = order::line(row, self.contents.at());
                    self.dialog.say("copied, if the terminal permits it (OSC 52)".to_owned());
                    return Action::Copy(line);
                }
                None => self.dialog.say("no socket is selected".to_owned()),
            },
            Key::Click { column, line } => match self.drawn.at_place(column, line) {
                Some(Clicked::Heading(sort)) => self.sort_by(sort),
                Some(Clicked::Row(place)) => self.lines.select_on_screen(place),
                None => {}
            },
            _ => {}
        }
        Action::None
    }

    /// The filter follows what is typed as long as it is understood.
    fn type_filter(&mut self, typing: Typing) {
        match typing {
            // What is half typed may mean nothing yet.
            Typing::Unfinished(text) => drop(self.filter_by(&text)),
            Typing::Finished(text) => {
                if let Err(error) = self.filter_by(&text) {
                    self.dialog.say(error);
                }
            }
            Typing::Cancelled => self.clear_filter(),
        }
    }

    fn filter_by(&mut self, text: &str) -> Result<(), String> {
        self.choice.filter_by(text).map_err(|error| error.to_string())?;
        self.lines.mark_stale();
        Ok(())
    }

    fn clear_filter(&mut self) {
        self.choice.clear_filter();
        self.lines.mark_stale();
    }

    fn sort_by(&mut self, sort: order::Sort) {
        let sentence = self.choice.sort_by(sort);
        self.dialog.say(sentence);
        self.lines.mark_stale();
    }

    fn group_by(&mut self, group: Option<GroupKey>) {
        self.choice.group_by(group);
        self.lines.restart();
    }

    /// Shows the sockets of the group that is selected.
    fn open_group(&mut self) {
        let group = self.choice.group().zip(self.lines.selected_group());
        let Some((key, line)) = group else { return };
        let Some(word) = filter_word(key, line) else {
            let sentence = "sockets without a known owner, or that run in none, cannot be chosen";
            return self.dialog.say(sentence.to_owned());
        };
        let text = format!("{} {word}", self.choice.filter_text()).trim().to_owned();
        match self.filter_by(&text) {
            Ok(()) => self.group_by(None),
            Err(error) => self.dialog.say(error),
        }
    }

    /// Goes to another moment of a recording.
    fn go(&mut self, step: Jump) {
        if self.contents.go(step) {
            self.lines.mark_stale();
        } else {
            self.dialog.say("only a recording can be stepped through (replay)".to_owned());
        }
    }

    /// What is shown, as records.
    fn records(&self) -> Vec<Record> {
        let sockets = self.choice.sockets(self.contents.rows());
        let rows = sockets.into_iter().filter_map(|id| self.row(id));
        let open = rows.filter(|row| row.closed.is_none());
        open.map(|row| Record::Socket(Box::new(self.contents.record(row)))).collect()
    }
}

/// The word of a filter for the sockets of a group; `None` where its name is not known.
fn filter_word(key: GroupKey, group: &GroupLine) -> Option<String> {
    let name = group.name.as_deref()?;
    Some(match key {
        GroupKey::Remote if name.contains(':') => format!("remote:[{name}]"),
        GroupKey::Remote => format!("remote:{name}"),
        GroupKey::LocalPort => format!("local::{name}"),
        GroupKey::State => format!("state:{name}"),
        GroupKey::Unit => format!("unit:{}", in_one_word(name)),
        GroupKey::Container => format!("container:{}", in_one_word(name)),
        GroupKey::Pod => format!("pod:{}", in_one_word(name)),
        GroupKey::Process => format!("^{}$", regex::escape(name).replace(' ', r"\x20")),
    })
}

/// A name as a pattern without blanks.
fn in_one_word(name: &str) -> String {
    name.replace(' ', "?")
}
