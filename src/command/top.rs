//! `top`, and `--view table` on a terminal: the sockets on a whole screen, live or of a recording.

mod session;

use super::follow::open_alerts;
use crate::cli::FormatName;
use crate::error::Result;
use crate::model::event::{MonitorEvent, SocketEvent};
use crate::model::time::Stamp;
use crate::monitor::Monitor;
use crate::monitor::sink::{MonitorSink, ReadingInfo};
use crate::output::formatter::Formatter;
use crate::output::ready::Ready;
use crate::output::shown::ShownRun;
use crate::output::top_screen::TopScreen;
use crate::output::{Output, tty};
use crate::render::{alert_message, lost_sentence};
use crate::rules::alerts::Alerts;
use crate::settings::{OutputSettings, Settings};
use crate::signals::{Signals, Wake};
use crate::view::Record;
use crate::view::life::LifeHistories;
use session::Session;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

/// So many events of a recording are kept: some hundred megabytes.
const MOST_EVENTS: usize = 1_000_000;

/// Whether `top` is asked for, and can be drawn here. Where it cannot, the events are printed, and
/// that is said.
pub(super) fn is_drawn(settings: &Settings) -> bool {
    if !settings.output.view.traits().is_interactive {
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
    view.traits().is_of_one_instant && format == FormatName::Text && tty::can_be_drawn_on()
}

/// Takes in what is read.
struct Sink<'s> {
    session: &'s RefCell<Session>,
    at: Stamp,
    /// When the next poll is due, where the reading is not a poll itself.
    due: Option<Instant>,
    alerts: Option<Alerts>,
    /// The events of the current reading, where rules need all of them at once.
    collected: Vec<MonitorEvent>,
    /// What was lost.
    losses: Vec<String>,
}

impl MonitorSink for Sink<'_> {
    fn begin(&mut self, reading: ReadingInfo) {
        self.at = reading.at;
        self.due = reading.due.filter(|_| reading.took.is_none());
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
    /// Whether the reading can be drawn before the next poll is due. There is no better time than after a poll.
    fn leaves_time(&self, screen: &TopScreen) -> bool {
        self.due.is_none_or(|due| screen.has_time_before(due))
    }

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
    let (at, due, collected, losses) = (Stamp::default(), None, Vec::new(), Vec::new());
    let mut sink = Sink { session: &session, at, due, alerts, collected, losses };
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
        session.end_reading(monitor);
        session.answer_requests(signals, monitor, settings)?;
        ready.announce_first_poll(monitor.polls().taken);
        session.report(reports)?;
        let mut sentences = monitor.warnings();
        sentences.extend(sink.alerts.iter_mut().flat_map(Alerts::warnings));
        session.warn(sentences)?;
        if !session.press_keys_left() {
            break;
        }
        let has_time = sink.leaves_time(&session.screen);
        session.show_if(has_time, monitor)?;
        signals.call_key_reader(session.screen.is_pending());
    }
    let alerts = sink.alerts.take();
    leave(signals, session, outcome)?;
    if settings.output.view.traits().is_of_one_instant {
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
    let mut most = records.len();
    if signals.is_interrupted() {
        let unnamed = OutputSettings { resolve: false, ..output.clone() };
        let lines = |records: &[Record]| {
            let mut formatter = Formatter::of_view(shown.view(), &unnamed, None, poll.interval);
            memchr::memchr_iter(b'\n', &formatter.bytes(records.to_vec())).count()
        };
        // With room for two closing lines and the prompt.
        most = fitting(&records, tty::size().rows.saturating_sub(3), lines);
    }
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

/// How many of some records have room on so many lines, at least one: on a narrow terminal a record
/// takes several.
fn fitting(records: &[Record], room: usize, lines: impl Fn(&[Record]) -> usize) -> usize {
    let mut most = records.len().min(room).max(1);
    while most > 1 {
        let taken = lines(&records[..most.min(records.len())]);
        if taken <= room {
            break;
        }
        most = (most * room / taken).clamp(1, most - 1);
    }
    most
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
            Wake::Due | Wake::Woken | Wake::Readable => {
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
