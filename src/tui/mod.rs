//! `top`: the sockets on a whole terminal, with keys. Pure: what is drawn follows from the events of
//! the run and from the keys; `output::top_screen` has the terminal.
//!
//! [`Top`] is the state of the screen: [`contents`] are the sockets as events, polls and a recording
//! show them ([`rows`], [`slider`], [`history`]), [`choice`] is what the user wants to see of them and
//! in which order ([`filter`], [`order`]), [`lines`](mod@lines) are the lines that come of both, and
//! [`dialog`] is what stands beside the table for a while. [`keys`] says what a key does, and [`draw`]
//! lays it all out ([`columns`], [`detail`], [`overlay`], [`paint`]).

mod choice;
mod columns;
mod contents;
mod detail;
mod dialog;
mod draw;
mod filter;
mod history;
mod keys;
mod lines;
mod order;
mod overlay;
mod paint;
mod rows;
mod slider;
#[cfg(test)]
mod tests;

use crate::model::event::{MonitorEvent, SocketEvent, SocketId, SocketStatus};
use crate::model::process::Attribution;
use crate::model::tcp_info::TcpInfos;
use crate::model::time::Stamp;
use crate::render::cell::{Names, TimeFormatter};
use crate::view::Record;
use crate::view::life::LifeHistories;
use choice::Choice;
use columns::Drawn;
use contents::Contents;
use dialog::Dialog;
use lines::Lines;
use rows::Row;
use std::rc::Rc;

/// How the screen looks.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools)] // they are flags
pub(crate) struct Look {
    /// Colours are used.
    pub(crate) color: bool,
    /// Other characters than ASCII are used.
    pub(crate) unicode: bool,
    /// The columns have headings.
    pub(crate) header: bool,
    /// Columns for user, inode, descriptor and unit.
    pub(crate) extended: bool,
    /// A column for the timer.
    pub(crate) timers: bool,
    /// A column for what the kernel measures of connections.
    pub(crate) tcp_info: bool,
    /// How times are written.
    pub(crate) clock: TimeFormatter,
}

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

/// What a key asks for that is not done by drawing.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// Nothing.
    None,
    /// The end of the run.
    Quit,
    /// This text in the clipboard.
    Copy(String),
    /// These records in a file.
    Write(Vec<Record>),
}

/// The state of the screen.
#[derive(Debug)]
pub(crate) struct Top {
    look: Look,
    /// What the command line asks for, for the title.
    title: String,
    /// Names of what was shown last.
    names: Names,
    contents: Contents,
    choice: Choice,
    lines: Lines,
    dialog: Dialog,
    drawn: Drawn,
}

impl Top {
    /// An empty screen. `title`: whose sockets they are.
    pub(crate) fn new(look: Look, title: String) -> Self {
        Self {
            look,
            title,
            names: Names::default(),
            contents: Contents::default(),
            choice: Choice::default(),
            lines: Lines::default(),
            dialog: Dialog::default(),
            drawn: Drawn::default(),
        }
    }

    /// Takes in events of a reading that was complete at this instant.
    pub(crate) fn apply(&mut self, at: Stamp, events: &[MonitorEvent]) {
        self.contents.apply(at, events);
        if events.iter().any(|event| matches!(event, MonitorEvent::Socket(_))) {
            self.sockets_changed();
        }
    }

    /// Takes in the sockets there are, with what the last poll showed of them. Returns those that
    /// are not known: they have come to match without an event, and are to be [added](Self::add).
    pub(crate) fn refresh(
        &mut self,
        sockets: impl Iterator<Item = SocketStatus>,
    ) -> Vec<SocketStatus> {
        if self.choice.sort().is_by_queue() {
            self.sockets_changed();
        }
        self.contents.refresh(sockets)
    }

    /// Takes in what the kernel measured with the last poll, where that is asked for.
    pub(crate) fn measure(
        &mut self,
        infos: Rc<TcpInfos>,
        sockets: impl Iterator<Item = SocketStatus>,
    ) {
        self.contents.measure(infos, sockets);
    }

    /// The reading that was complete at this instant was taken in.
    pub(crate) fn end_reading(&mut self, at: Stamp) {
        if self.contents.end_reading(at) {
            self.sockets_changed();
        }
    }

    /// Sockets that were dropped without it being known whether they closed: `followed` are those
    /// that were not. Returns whether there are any.
    pub(crate) fn end_lives(
        &mut self,
        followed: impl Fn() -> std::collections::HashSet<SocketId>,
    ) -> bool {
        let is_any = self.contents.end_lives(followed);
        if is_any {
            self.sockets_changed();
        }
        is_any
    }

    /// Adds a socket that has come to match without an event.
    pub(crate) fn add(&mut self, now: SocketStatus, owner: Attribution) {
        self.contents.add(now, owner);
        self.sockets_changed();
    }

    /// What was observed of each socket.
    pub(crate) const fn histories(&self) -> &LifeHistories {
        self.contents.histories()
    }

    /// From now on the screen shows a recording, whose events and lives these are. `is_cut`: there were more.
    /// What happened before `since`, in microseconds since 1970, has happened already.
    pub(crate) fn set_recording(
        &mut self,
        events: Vec<SocketEvent>,
        is_cut: bool,
        since: Option<i64>,
        lives: LifeHistories,
    ) {
        self.contents.set_recording(events, is_cut, since, lives);
        self.lines.mark_stale();
    }

    /// The sockets that are on the screen, for their names.
    pub(crate) fn on_screen(&mut self) -> Vec<Record> {
        self.arrange();
        let rows = self.lines.sockets_on_screen().filter_map(|id| self.row(id));
        rows.map(|row| Record::Socket(Box::new(self.contents.record(row)))).collect()
    }

    /// From now on these names stand instead of numbers.
    pub(crate) fn set_names(&mut self, names: Names) {
        self.names = names;
    }

    /// Shows sockets in the states alone that a filter asks for.
    pub(crate) fn show_states_of(&mut self, filter: &crate::filter::Filter) {
        self.choice.show_states_of(filter);
    }

    /// The instant that is shown, as a part of a file name.
    pub(crate) fn file_stamp(&self) -> String {
        self.contents.at().to_string().replace([':', '.'], "-")
    }

    /// A sentence for the bottom of the screen.
    pub(crate) fn say(&mut self, sentence: String) {
        self.dialog.say(sentence);
    }

    /// Sockets have come, gone or changed their state.
    const fn sockets_changed(&mut self) {
        if !self.contents.is_paused() {
            self.lines.mark_stale();
        }
    }

    fn row(&self, id: SocketId) -> Option<&Row> {
        self.contents.rows().get(id)
    }

    fn selected_row(&self) -> Option<&Row> {
        self.row(self.lines.selected_socket()?)
    }

    /// Brings the lines of the table up to date.
    fn arrange(&mut self) {
        self.lines.arrange(self.contents.rows(), &self.choice);
    }
}
