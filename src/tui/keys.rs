//! What the keys do.

use super::filter::RowFilter;
use super::order::Sort;
use super::slider::Jump;
use super::{Action, Overlay, OverlayKind, Paused, Top, order};
use crate::view::Record;
use crate::view::group::GroupKey;

/// A key, or a movement of the mouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Backspace,
    /// A click on this place of the screen, counted from 0.
    Click {
        column: u16,
        line: u16,
    },
}

/// The longest filter that can be typed.
const LONGEST_FILTER: usize = 200;

impl Top {
    /// Does what a key asks for.
    pub(crate) fn press(&mut self, key: Key) -> Action {
        self.message = None;
        if self.typed.is_some() {
            self.type_filter(key);
            return Action::None;
        }
        if self.overlay.is_some() {
            return self.press_in_overlay(key);
        }
        self.arrange();
        let page = self.page.max(1);
        match key {
            Key::Escape if self.group.is_some() => self.group_by(None),
            Key::Escape if !self.filter.text.is_empty() => self.set_filter(RowFilter::default()),
            Key::Char('q' | 'Q') | Key::Escape => return Action::Quit,
            Key::Up | Key::Char('k') => self.select(self.selected.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.select(self.selected.saturating_add(1)),
            Key::PageUp => self.select(self.selected.saturating_sub(page)),
            Key::PageDown => self.select(self.selected.saturating_add(page)),
            Key::Home => self.select(0),
            Key::End => self.select(usize::MAX),
            Key::Left | Key::Char('h') => self.go(Jump::Back),
            Key::Right | Key::Char('l') => self.go(Jump::Forward),
            Key::Char('[') => self.go(Jump::MinuteBack),
            Key::Char(']') => self.go(Jump::MinuteForward),
            Key::Char('<') => self.go(Jump::Start),
            Key::Char('>') => self.go(Jump::End),
            Key::Char('/') => self.typed = Some(self.filter.text.clone()),
            Key::Char('s') => self.sort_by(self.sort.next()),
            Key::Char('S') => self.sort_by(self.sort),
            Key::Char('g') => self.group_by(match self.group {
                None => Some(GroupKey::Process),
                Some(GroupKey::Process) => Some(GroupKey::Unit),
                Some(GroupKey::Unit) => Some(GroupKey::Container),
                Some(GroupKey::Container) => Some(GroupKey::Pod),
                Some(GroupKey::Pod) => Some(GroupKey::Remote),
                Some(GroupKey::Remote) => Some(GroupKey::LocalPort),
                Some(GroupKey::LocalPort) => Some(GroupKey::State),
                Some(GroupKey::State) => None,
            }),
            Key::Enter => self.open_group(),
            Key::Char(' ') => self.pause(),
            Key::Char('t') => {
                self.shows_closed = !self.shows_closed;
                let shown = if self.shows_closed { "shown for 5s" } else { "not shown" };
                self.message = Some(format!("closed sockets are {shown}"));
                self.is_stale = true;
            }
            Key::Char('d') => self.cover(OverlayKind::Diagram),
            Key::Char('e') => self.cover(OverlayKind::Explain),
            Key::Char('?') => self.cover(OverlayKind::Help),
            Key::Char('y') => {
                let at = self.shown().1;
                if let Some(line) = self.selected_row().map(|row| order::line(row, at)) {
                    self.message = Some("copied, if the terminal permits it (OSC 52)".to_owned());
                    return Action::Copy(line);
                }
            }
            Key::Char('w') => return Action::Write(self.records()),
            Key::Click { column, line }
                if self.headings.as_ref().is_some_and(|it| it.line == line) =>
            {
                let clicked = self.headings.as_ref().and_then(|headings| headings.at(column));
                if let Some(sort) = clicked {
                    self.sort_by(sort);
                }
            }
            Key::Click { line, .. } => {
                if let Some(row) = line.checked_sub(self.first_line).map(usize::from)
                    && row < page
                {
                    self.select(self.offset + row);
                }
            }
            Key::Char(_) | Key::Backspace => {}
        }
        Action::None
    }

    fn press_in_overlay(&mut self, key: Key) -> Action {
        let Some(overlay) = &mut self.overlay else { return Action::None };
        let scroll = &mut overlay.scroll;
        match key {
            Key::Up | Key::Char('k') => *scroll = scroll.saturating_sub(1),
            // Drawing limits it.
            Key::Down | Key::Char('j') => *scroll = scroll.saturating_add(1),
            Key::PageUp => *scroll = scroll.saturating_sub(10),
            Key::PageDown | Key::Char(' ') => *scroll = scroll.saturating_add(10),
            Key::Char('q' | 'Q') => return Action::Quit,
            _ => self.overlay = None,
        }
        Action::None
    }

    /// A key of what is typed behind `/`: the filter follows as long as it is understood.
    fn type_filter(&mut self, key: Key) {
        let Some(text) = &mut self.typed else { return };
        match key {
            Key::Char(character) if text.len() < LONGEST_FILTER => text.push(character),
            Key::Backspace if text.pop().is_none() => self.typed = None,
            Key::Enter | Key::Escape => {
                let text = self.typed.take().unwrap_or_default();
                if key == Key::Escape {
                    self.set_filter(RowFilter::default());
                } else if let Err(error) = self.try_filter(&text) {
                    self.message = Some(error);
                }
                return;
            }
            _ => {}
        }
        let text = self.typed.clone().unwrap_or_default();
        // What is half typed may mean nothing yet.
        drop(self.try_filter(&text));
    }

    fn try_filter(&mut self, text: &str) -> Result<(), String> {
        let filter = RowFilter::parse(text).map_err(|error| error.to_string())?;
        self.set_filter(filter);
        Ok(())
    }

    fn set_filter(&mut self, filter: RowFilter) {
        self.filter = filter;
        self.is_stale = true;
    }

    /// Sorts by a column; in the other direction where it is sorted by that already.
    fn sort_by(&mut self, sort: Sort) {
        self.reversed = self.sort == sort && !self.reversed;
        self.sort = sort;
        let direction = if self.reversed { ", the other way round" } else { "" };
        self.message = Some(format!("sorted by {}{direction}", sort.name()));
        self.is_stale = true;
    }

    fn group_by(&mut self, group: Option<GroupKey>) {
        self.group = group;
        self.regroup();
        (self.selected, self.offset, self.selected_id) = (0, 0, None);
    }

    /// Shows the sockets of the group that is selected.
    fn open_group(&mut self) {
        let Some(key) = self.group else { return };
        let Some(line) = self.groups.get(self.selected).cloned() else { return };
        let word = match (key, line.name) {
            (GroupKey::Remote, Some(addr)) if addr.contains(':') => format!("remote:[{addr}]"),
            (GroupKey::Remote, Some(addr)) => format!("remote:{addr}"),
            (GroupKey::LocalPort, Some(port)) => format!("local::{port}"),
            (GroupKey::State, Some(state)) => format!("state:{state}"),
            (GroupKey::Unit, Some(name)) => format!("unit:{}", in_one_word(&name)),
            (GroupKey::Container, Some(name)) => format!("container:{}", in_one_word(&name)),
            (GroupKey::Pod, Some(name)) => format!("pod:{}", in_one_word(&name)),
            (GroupKey::Process, Some(name)) => {
                format!("^{}$", regex::escape(&name).replace(' ', r"\x20"))
            }
            (_, None) => {
                let sentence =
                    "sockets without a known owner, or that run in none, cannot be chosen";
                self.message = Some(sentence.to_owned());
                return;
            }
        };
        let text = format!("{} {word}", self.filter.text).trim().to_owned();
        match self.try_filter(&text) {
            Ok(()) => self.group_by(None),
            Err(error) => self.message = Some(error),
        }
    }

    fn pause(&mut self) {
        self.paused = match self.paused.take() {
            Some(_) => None,
            None => Some(Paused {
                rows: self.rows.clone(),
                infos: self.infos.clone(),
                at: self.at,
                news: 0,
            }),
        };
        self.is_stale = true;
    }

    fn cover(&mut self, kind: OverlayKind) {
        self.overlay = Some(Overlay { kind, scroll: 0 });
    }

    /// Goes to another moment of a recording.
    fn go(&mut self, step: Jump) {
        let Some(slider) = &mut self.slider else {
            self.message = Some("only a recording can be stepped through (replay)".to_owned());
            return;
        };
        slider.go(step, &mut self.rows);
        self.at = slider.at();
        self.history = slider.history(self.at);
        self.paused = None;
        self.is_stale = true;
    }

    /// What is shown, as records.
    fn records(&self) -> Vec<Record> {
        let (_, at) = self.shown();
        let rows = self.order.iter().filter_map(|id| self.row(*id));
        let open = rows.filter(|row| row.closed.is_none());
        open.map(|row| Record::Socket(Box::new(self.socket_record(row, at)))).collect()
    }

    /// A sentence for the bottom of the screen.
    pub(crate) fn say(&mut self, sentence: String) {
        self.message = Some(sentence);
    }
}

/// A name as a pattern without blanks.
fn in_one_word(name: &str) -> String {
    name.replace(' ', "?")
}
