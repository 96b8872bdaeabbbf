//! The screen of `top` and what is on it, between readings and keys.

use crate::error::{Error, Result};
use crate::model::escape::printable;
use crate::monitor::Monitor;
use crate::output::counts::RunCounts;
use crate::output::messages::{Messages, lines, warnings};
use crate::output::timelines::open_timelines;
use crate::output::top_screen::TopScreen;
use crate::output::{new_file, top_look, tty};
use crate::render::json::Json;
use crate::settings::Settings;
use crate::signals::{Keys, Signals};
use crate::tui::{Action, Key, Top};
use crate::view::Record;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

/// The screen and what is on it: changed by readings, and between them by keys.
pub(super) struct Session {
    pub(super) top: Top,
    pub(super) screen: TopScreen,
    messages: Messages,
    /// What SIGUSR1 prints below the timelines.
    pub(super) counts: RunCounts,
    /// Keys that were pressed when there was no time for them.
    keys: VecDeque<Key>,
    /// What went wrong where it could not be returned.
    pub(super) failure: Option<Error>,
}

impl Session {
    pub(super) fn open(settings: &Settings, signals: &Signals) -> Result<Rc<RefCell<Self>>> {
        let screen = TopScreen::open(signals, &settings.output)?;
        let screen = screen.ok_or_else(|| Error::System {
            what: "draw on standard output",
            cause: std::io::ErrorKind::Unsupported.into(),
        })?;
        let of = match settings.patterns.as_slice() {
            [] => String::new(),
            patterns => format!("  {}", printable(&patterns.join(" or "))),
        };
        let mut top = Top::new(top_look(&settings.output), of);
        top.show_states_of(&settings.filter);
        let has_keys = screen.has_keys();
        let (messages, counts) = (Messages::default(), RunCounts::new(&settings.output));
        let keys = VecDeque::new();
        let session = Self { top, screen, messages, counts, keys, failure: None };
        let session = Rc::new(RefCell::new(session));
        if has_keys {
            let pressed = Rc::clone(&session);
            signals.watch_keys_with(Box::new(move |due| pressed.borrow_mut().press_keys(due)));
        }
        Ok(session)
    }

    /// Ends a reading, after all of its events.
    pub(super) fn end_reading(&mut self, monitor: &Monitor<'_>) {
        let Self { top, counts, .. } = self;
        if top.end_lives(|| monitor.open_ids()) {
            counts.retain(|id| top.histories().is_open(id));
        }
        counts.end_reading(monitor);
    }

    /// Shows the sockets as they are now where there is time for that, else later.
    pub(super) fn show_if(&mut self, has_time: bool, monitor: &mut Monitor<'_>) -> Result<()> {
        if has_time && self.screen.takes_reading() {
            return self.show(monitor);
        }
        self.screen.put_off();
        Ok(())
    }

    /// Does what the keys ask for that were pressed, and shows it at once: as far as there is time
    /// before a poll is `due`. What is left is done after that poll.
    fn press_keys(&mut self, due: Instant) -> Keys {
        if TopScreen::is_gone() {
            return Keys::Quit;
        }
        let Some(keys) = self.screen.keys() else { return Keys::Gone };
        self.keys.extend(keys);
        let is_changed = !self.keys.is_empty() || self.screen.has_news();
        while self.screen.has_time_before(due)
            && let Some(key) = self.keys.pop_front()
        {
            if !self.press(key) {
                return Keys::Quit;
            }
        }
        if is_changed && !self.screen.has_time_before(due) {
            self.screen.put_off();
        } else if is_changed && let Err(error) = self.screen.draw(&mut self.top) {
            self.failure = Some(error);
            return Keys::Quit;
        }
        if self.screen.is_pending() { Keys::Later } else { Keys::Pressed }
    }

    /// Does what the keys ask for that there was no time for; false where the run has to end.
    pub(super) fn press_keys_left(&mut self) -> bool {
        while let Some(key) = self.keys.pop_front() {
            if !self.press(key) {
                return false;
            }
        }
        true
    }

    /// Does what a key asks for; false where the run has to end.
    fn press(&mut self, key: Key) -> bool {
        match self.top.press(key) {
            Action::None => {}
            Action::Quit => return false,
            Action::Copy(line) => self.screen.copy(&line),
            Action::Write(records) => self.write(&records),
        }
        true
    }

    fn write(&mut self, records: &[Record]) {
        let lines: Vec<u8> =
            records.iter().flat_map(|record| Json::default().line(record)).collect();
        let name = format!("tcplapse-{}.jsonl", self.top.file_stamp());
        let written = new_file(name.as_ref(), &lines);
        self.top.say(match written {
            Ok(()) => format!("{} sockets written to {name}", records.len()),
            Err(error) => error.to_string(),
        });
    }

    pub(super) fn draw(&mut self) -> Result<()> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        self.screen.draw(&mut self.top)
    }

    /// Does what signals have asked for.
    pub(super) fn answer_requests(
        &mut self,
        signals: &Signals,
        monitor: &mut Monitor<'_>,
        settings: &Settings,
    ) -> Result<()> {
        let requests = signals.take_requests();
        if requests.report {
            let counts = self.counts.records(monitor, true);
            let text = open_timelines(&settings.output, monitor, self.top.histories(), &counts);
            self.print(text)?;
        }
        if requests.suspend {
            self.screen.suspend()?;
        }
        Ok(())
    }

    pub(super) fn warn(&mut self, sentences: Vec<String>) -> Result<()> {
        if let Some(first) = sentences.first() {
            self.top.say(first.clone());
        }
        self.print(warnings(sentences))
    }

    /// Shows what was lost, and alerts, which `--quiet` leaves.
    pub(super) fn report(&mut self, sentences: Vec<String>) -> Result<()> {
        if let Some(last) = sentences.last() {
            self.top.say(last.clone());
        }
        self.print(lines(sentences))
    }

    /// Takes in the sockets as they are after a reading, and draws them.
    pub(super) fn show(&mut self, monitor: &mut Monitor<'_>) -> Result<()> {
        for now in self.top.refresh(monitor.matching()) {
            let owner = monitor.current_owner(&now);
            self.top.add(now, owner);
        }
        if let Some(infos) = monitor.tcp_infos() {
            self.top.measure(infos, monitor.matching());
        }
        self.top.end_reading(monitor.read_at());
        self.draw()
    }

    /// Writes text to standard error; where that is the terminal, to its main screen.
    fn print(&mut self, text: Vec<u8>) -> Result<()> {
        if tty::stderr_is_stdout() {
            self.screen.print(&text)?;
        } else {
            self.messages.write(text);
        }
        Ok(())
    }
}
