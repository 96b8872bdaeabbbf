//! `top`: the sockets on a whole terminal, live or of a recording.

use crate::error::{Error, Result};
use crate::model::escape::printable;
use crate::model::event::{MonitorEvent, SocketEvent};
use crate::model::time::Stamp;
use crate::monitor::Monitor;
use crate::monitor::sink::{MonitorSink, ReadingInfo};
use crate::output::messages::{Messages, warnings};
use crate::output::ready::Ready;
use crate::output::timelines::open_timelines;
use crate::output::top_screen::TopScreen;
use crate::output::{new_file, top_look, tty};
use crate::render::json::Json;
use crate::settings::Settings;
use crate::signals::{Keys, Signals, Wake};
use crate::tui::{Action, Top};
use crate::view::Record;
use crate::view::life::LifeHistories;
use std::cell::RefCell;
use std::rc::Rc;

/// So many events of a recording are kept: some hundred megabytes.
const MOST_EVENTS: usize = 1_000_000;

/// Whether `top` is asked for, and can be drawn here. Where it cannot, the events are printed, and
/// that is said.
pub(super) fn is_drawn(settings: &Settings) -> bool {
    if settings.output.view != crate::cli::ViewName::Top {
        return false;
    }
    let drawn = tty::can_be_drawn_on();
    let sentence = "standard output is no terminal that can be drawn on; printing events instead";
    crate::output::messages::print((!drawn).then(|| sentence.to_owned()));
    drawn
}

/// The screen and what is on it: changed by readings, and between them by keys.
struct Session {
    top: Top,
    screen: TopScreen,
    messages: Messages,
    /// What went wrong where it could not be returned.
    failure: Option<Error>,
}

impl Session {
    fn open(settings: &Settings, signals: &Signals) -> Result<Rc<RefCell<Self>>> {
        let screen = TopScreen::open(signals, settings.output.mouse)?;
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
        let session = Self { top, screen, messages: Messages::default(), failure: None };
        let session = Rc::new(RefCell::new(session));
        if has_keys {
            let pressed = Rc::clone(&session);
            signals.watch_keys_with(Box::new(move || pressed.borrow_mut().press_keys()));
        }
        Ok(session)
    }

    /// Does what the keys ask for that were pressed, and shows it at once.
    fn press_keys(&mut self) -> Keys {
        if TopScreen::is_gone() {
            return Keys::Quit;
        }
        let Some(keys) = self.screen.keys() else { return Keys::Gone };
        for key in keys {
            match self.top.press(key) {
                Action::None => {}
                Action::Quit => return Keys::Quit,
                Action::Copy(line) => self.screen.copy(&line),
                Action::Write(records) => self.write(&records),
            }
        }
        if let Err(error) = self.screen.draw(&mut self.top) {
            self.failure = Some(error);
            return Keys::Quit;
        }
        if self.screen.is_pending() { Keys::Later } else { Keys::Pressed }
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

    fn draw(&mut self) -> Result<()> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        self.screen.draw(&mut self.top)
    }

    /// Does what signals have asked for.
    fn answer_requests(
        &mut self,
        signals: &Signals,
        monitor: &mut Monitor<'_>,
        settings: &Settings,
    ) -> Result<()> {
        let requests = signals.take_requests();
        if requests.report {
            let text = open_timelines(&settings.output, monitor, self.top.histories());
            self.print(text)?;
        }
        if requests.suspend {
            self.screen.suspend()?;
        }
        Ok(())
    }

    fn warn(&mut self, sentences: Vec<String>) -> Result<()> {
        if let Some(first) = sentences.first() {
            self.top.say(first.clone());
        }
        self.print(warnings(sentences))
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

/// Takes in what is read.
struct Sink<'s> {
    session: &'s RefCell<Session>,
    at: Stamp,
}

impl MonitorSink for Sink<'_> {
    fn begin(&mut self, reading: ReadingInfo) {
        self.at = reading.at;
    }

    fn push(&mut self, events: Vec<MonitorEvent>) {
        self.session.borrow_mut().top.apply(self.at, &events);
    }
}

/// Shows the sockets until a key or a signal ends the run.
///
/// # Errors
/// What ends the run before its time.
pub(super) fn live(
    monitor: &mut Monitor<'_>,
    signals: &Signals,
    settings: &Settings,
    mut ready: Ready,
) -> Result<()> {
    let session = Session::open(settings, signals)?;
    let mut sink = Sink { session: &session, at: Stamp::default() };
    let mut outcome = Ok(());
    loop {
        match monitor.read(signals, &mut sink) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
        let mut session = session.borrow_mut();
        session.answer_requests(signals, monitor, settings)?;
        ready.announce_first_poll(monitor.polls().taken);
        let sentences = monitor.warnings();
        session.warn(sentences)?;
        session.top.end_lives(|| monitor.open_ids());
        if session.screen.is_due() {
            for now in session.top.refresh(monitor.matching()) {
                let owner = monitor.current_owner(&now);
                session.top.add(now, owner);
            }
            session.top.end_reading(monitor.read_at());
            session.draw()?;
            signals.call_key_reader(session.screen.is_pending());
        }
    }
    end(signals, session, monitor, outcome)
}

/// Gives the terminal back, and prints how much was seen.
fn end(
    signals: &Signals,
    session: Rc<RefCell<Session>>,
    monitor: &mut Monitor<'_>,
    outcome: Result<()>,
) -> Result<()> {
    let failure = session.borrow_mut().failure.take();
    signals.stop_watching_keys();
    drop(session);
    outcome?;
    failure.map_or(Ok(()), Err)?;
    crate::output::messages::print([monitor.coverage().to_string()]);
    Ok(())
}

/// The events of a recording, as many as are kept.
#[derive(Default)]
struct RecordedEvents {
    events: Vec<SocketEvent>,
    is_cut: bool,
    lives: LifeHistories,
}

impl MonitorSink for RecordedEvents {
    fn begin(&mut self, _: ReadingInfo) {}

    fn push(&mut self, events: Vec<MonitorEvent>) {
        self.lives.apply(&events);
        for event in events {
            if self.events.len() >= MOST_EVENTS {
                self.is_cut = true;
            } else if let MonitorEvent::Socket(event) = event {
                self.events.push(*event);
            }
        }
    }
}

/// Shows a recording, back and forth; what happened before `since` (microseconds since 1970) has
/// happened already.
///
/// # Errors
/// What the recording lacks, or what ends the run before its time.
pub(super) fn recorded(
    monitor: &mut Monitor<'_>,
    signals: &Signals,
    settings: &Settings,
    since: Option<i64>,
) -> Result<()> {
    let mut read = RecordedEvents::default();
    while monitor.read(signals, &mut read)? {
        read.lives.end_reading(|| monitor.open_ids());
    }
    if signals.has_to_end() {
        return Ok(());
    }
    let session = Session::open(settings, signals)?;
    session.borrow_mut().top.set_recording(read.events, read.is_cut, since, read.lives);
    session.borrow_mut().draw()?;
    signals.call_key_reader(session.borrow().screen.is_pending());
    loop {
        match signals.wait_long()? {
            Wake::Ended | Wake::ReaderGone => break,
            Wake::Due | Wake::Readable => {
                let mut session = session.borrow_mut();
                session.answer_requests(signals, monitor, settings)?;
                session.draw()?;
                signals.call_key_reader(session.screen.is_pending());
            }
        }
    }
    end(signals, session, monitor, Ok(()))
}
