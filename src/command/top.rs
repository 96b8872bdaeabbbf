//! `top`, and `--view table` on a terminal: the sockets on a whole screen, live or of a recording.

use super::follow::open_alerts;
use crate::cli::{FormatName, ViewName};
use crate::error::{Error, Result};
use crate::model::escape::printable;
use crate::model::event::{MonitorEvent, SocketEvent};
use crate::model::time::Stamp;
use crate::monitor::Monitor;
use crate::monitor::sink::{MonitorSink, ReadingInfo};
use crate::output::counts::RunCounts;
use crate::output::formatter::Formatter;
use crate::output::messages::{Messages, lines, warnings};
use crate::output::ready::Ready;
use crate::output::shown::ShownRun;
use crate::output::timelines::open_timelines;
use crate::output::top_screen::TopScreen;
use crate::output::{Output, new_file, top_look, tty};
use crate::render::json::Json;
use crate::render::{alert_message, lost_sentence};
use crate::rules::alerts::Alerts;
use crate::settings::{OutputSettings, Settings};
use crate::signals::{Keys, Signals, Wake};
use crate::tui::{Action, Top};
use crate::view::Record;
use crate::view::life::LifeHistories;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

/// So many events of a recording are kept: some hundred megabytes.
const MOST_EVENTS: usize = 1_000_000;

/// Whether `top` is asked for, and can be drawn here. Where it cannot, the events are printed, and
/// that is said.
pub(super) fn is_drawn(settings: &Settings) -> bool {
    if settings.output.view != ViewName::Top {
        return false;
    }
    let drawn = tty::can_be_drawn_on();
    let sentence = "standard output is no terminal that can be drawn on; printing events instead";
    crate::output::messages::print((!drawn).then(|| sentence.to_owned()));
    drawn
}

/// Whether a table is asked for that is drawn here until the run ends, and printed then.
pub(super) fn is_table_drawn(settings: &Settings) -> bool {
    let OutputSettings { view, format, .. } = settings.output;
    view == ViewName::Table && format == FormatName::Text && tty::can_be_drawn_on()
}

/// The screen and what is on it: changed by readings, and between them by keys.
struct Session {
    top: Top,
    screen: TopScreen,
    messages: Messages,
    /// What SIGUSR1 prints below the timelines.
    counts: RunCounts,
    /// What went wrong where it could not be returned.
    failure: Option<Error>,
}

impl Session {
    fn open(settings: &Settings, signals: &Signals) -> Result<Rc<RefCell<Self>>> {
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
        let session = Self { top, screen, messages, counts, failure: None };
        let session = Rc::new(RefCell::new(session));
        if has_keys {
            let pressed = Rc::clone(&session);
            signals.watch_keys_with(Box::new(move |due| pressed.borrow_mut().press_keys(due)));
        }
        Ok(session)
    }

    /// Does what the keys ask for that were pressed, and shows it at once, unless a poll is `due`.
    fn press_keys(&mut self, due: Instant) -> Keys {
        if TopScreen::is_gone() {
            return Keys::Quit;
        }
        let Some(keys) = self.screen.keys() else { return Keys::Gone };
        let is_changed = !keys.is_empty();
        for key in keys {
            match self.top.press(key) {
                Action::None => {}
                Action::Quit => return Keys::Quit,
                Action::Copy(line) => self.screen.copy(&line),
                Action::Write(records) => self.write(&records),
            }
        }
        if (is_changed || self.screen.has_news())
            && let Err(error) = self.screen.draw_before(due, &mut self.top)
        {
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
            let counts = self.counts.records(monitor, true);
            let text = open_timelines(&settings.output, monitor, self.top.histories(), &counts);
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

    /// Shows what was lost, and alerts, which `--quiet` leaves.
    fn report(&mut self, sentences: Vec<String>) -> Result<()> {
        if let Some(last) = sentences.last() {
            self.top.say(last.clone());
        }
        self.print(lines(sentences))
    }

    /// Takes in the sockets as they are after a reading, and draws them.
    fn show(&mut self, monitor: &mut Monitor<'_>) -> Result<()> {
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

/// Takes in what is read.
struct Sink<'s> {
    session: &'s RefCell<Session>,
    at: Stamp,
    alerts: Option<Alerts>,
    /// The events of the current reading, where rules need all of them at once.
    collected: Vec<MonitorEvent>,
    /// What was lost.
    losses: Vec<String>,
}

impl MonitorSink for Sink<'_> {
    fn begin(&mut self, reading: ReadingInfo) {
        self.at = reading.at;
        self.session.borrow_mut().counts.begin_reading(reading.at);
    }

    fn push(&mut self, events: Vec<MonitorEvent>) {
        let mut session = self.session.borrow_mut();
        session.top.apply(self.at, &events);
        session.counts.apply(&events);
        for event in &events {
            if let MonitorEvent::Lost(lost) = event {
                self.losses.push(lost_sentence(lost));
            }
        }
        if self.alerts.is_some() {
            self.collected.extend(events);
        }
    }
}

impl Sink<'_> {
    /// What was lost in a reading that is over, and the alerts that it gives.
    fn reports(&mut self, monitor: &mut Monitor<'_>) -> Vec<String> {
        let mut sentences = std::mem::take(&mut self.losses);
        let events = std::mem::take(&mut self.collected);
        let alerts = self.alerts.as_mut().map(|alerts| alerts.update(&events, monitor));
        sentences.extend(alerts.iter().flatten().map(alert_message));
        sentences
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
    let alerts = settings.rules.as_deref().map(|rules| open_alerts(rules, settings)).transpose()?;
    let session = Session::open(settings, signals)?;
    let (at, collected, losses) = (Stamp::default(), Vec::new(), Vec::new());
    let mut sink = Sink { session: &session, at, alerts, collected, losses };
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
        let reports = sink.reports(monitor);
        let mut session = session.borrow_mut();
        let Session { top, counts, .. } = &mut *session;
        if top.end_lives(|| monitor.open_ids()) {
            counts.retain(|id| top.histories().is_open(id));
        }
        counts.end_reading(monitor);
        session.answer_requests(signals, monitor, settings)?;
        ready.announce_first_poll(monitor.polls().taken);
        session.report(reports)?;
        let mut sentences = monitor.warnings();
        sentences.extend(sink.alerts.iter_mut().flat_map(Alerts::warnings));
        session.warn(sentences)?;
        if session.screen.takes_reading() {
            session.show(monitor)?;
        } else {
            session.screen.put_off();
        }
        signals.call_key_reader(session.screen.is_pending());
    }
    let alerts = sink.alerts.take();
    leave(signals, session, outcome)?;
    if settings.output.view == ViewName::Table {
        print_table(monitor, signals, settings)?;
    }
    let mut sentences = monitor.warnings();
    sentences.extend(alerts.into_iter().flat_map(Alerts::finish));
    sentences.push(monitor.coverage().to_string());
    crate::output::messages::print(sentences);
    Ok(())
}

/// Prints the sockets there are, to stay on the terminal: a screenful where the user has ended the
/// run, all of them where it ends by itself.
fn print_table(monitor: &mut Monitor<'_>, signals: &Signals, settings: &Settings) -> Result<()> {
    let Settings { output, max_count, poll, .. } = settings;
    let mut shown = ShownRun::open(output, *max_count);
    let formatter = Formatter::of_view(shown.view(), output, *max_count, poll.interval);
    let mut records = shown.current(monitor);
    // With room for the headings, two closing lines and the prompt.
    let room = tty::size().rows.saturating_sub(4).max(1);
    let most = if signals.is_interrupted() { room } else { usize::MAX };
    let left = records.len().saturating_sub(most);
    records.truncate(most);
    let mut output = Output::open(formatter, signals)?;
    let wants_more = output.write(records, signals)?;
    if output.finish(signals)? && wants_more && left > 0 {
        let sentence = format!("{left} more not printed; tcplapse list shows all");
        crate::output::messages::print([sentence]);
    }
    Ok(())
}

/// Gives the terminal back.
fn leave(signals: &Signals, session: Rc<RefCell<Session>>, outcome: Result<()>) -> Result<()> {
    let failure = session.borrow_mut().failure.take();
    signals.stop_watching_keys();
    drop(session);
    outcome?;
    failure.map_or(Ok(()), Err)
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
    leave(signals, session, Ok(()))?;
    crate::output::messages::print([monitor.coverage().to_string()]);
    Ok(())
}
