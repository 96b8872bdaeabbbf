//! The loop of the commands that show a run: readings in, records of the chosen view out.

use crate::cli::{FormatName, ViewName};
use crate::error::{Error, Result};
use crate::model::escape::printable;
use crate::model::event::MonitorEvent;
use crate::monitor::Monitor;
use crate::monitor::sink::{MonitorSink, ReadingInfo};
use crate::output::formatter::Formatter;
use crate::output::messages::{Messages, lines, warnings};
use crate::output::ready::Ready;
use crate::output::screen::Screen;
use crate::output::timelines::report;
use crate::output::views::{self, RunState, View};
use crate::output::{Output, tty};
use crate::render::Size;
use crate::render::cell::clip;
use crate::render::json;
use crate::rules::alerts::Alerts;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::view::Record;
use crate::view::life::LifeHistories;
use std::io::{self, IsTerminal};
use std::path::Path;

/// What is followed.
pub(super) enum Mode {
    /// What happens now: a slow reader delays no poll.
    Live {
        /// The sentence for a terminal where the first reading shows nothing.
        nothing_yet: String,
        /// Where the end of the first poll is announced.
        ready: Ready,
    },
    /// A recording, which waits for its reader.
    Recorded {
        /// What happened before is not shown, in microseconds since 1970.
        since: Option<i64>,
    },
}

/// Shows what the monitor reads until the run is over.
///
/// # Errors
/// What ends the run before its time.
pub(super) fn follow(
    monitor: &mut Monitor<'_>,
    signals: &Signals,
    settings: &Settings,
    mode: Mode,
) -> Result<()> {
    let mut follower = Follower::open(settings, signals)?;
    match mode {
        Mode::Live { nothing_yet, ready } => {
            follower.output.go_live(settings.poll.interval);
            (follower.ready, follower.nothing_yet) = (ready, Some(nothing_yet));
        }
        Mode::Recorded { since } => follower.since = since,
    }
    if let Err(error) = follower.read_all(monitor) {
        // The reader still gets what was written before.
        follower.output.finish(signals)?;
        return Err(error);
    }
    follower.end(monitor)
}

/// A run that is shown: it takes in events and prints records.
struct Follower<'s> {
    settings: &'s Settings,
    signals: &'s Signals,
    view: Box<dyn View>,
    histories: LifeHistories,
    output: Output,
    /// The terminal on which a picture is drawn.
    screen: Option<Screen>,
    messages: Messages,
    alerts: Option<Alerts>,
    ready: Ready,
    /// The sentence for a terminal where the first reading shows nothing; `None` after it.
    nothing_yet: Option<String>,
    /// What happened before is not shown, in microseconds since 1970; `None` shows everything.
    since: Option<i64>,
    /// The current reading.
    reading: Option<ReadingInfo>,
    /// Its events, where the view or rules need all of them at once.
    collected: Vec<MonitorEvent>,
    /// Whether some of its records were written.
    has_written: bool,
    /// Whether more records are wanted.
    wants_more: bool,
    /// Why records of it could not be written.
    failure: Option<Error>,
}

impl MonitorSink for Follower<'_> {
    fn begin(&mut self, reading: ReadingInfo) {
        (self.reading, self.has_written) = (Some(reading), false);
        self.output.begin_reading(reading);
    }

    /// Events are written as they come, but for a picture and for rules, which need all events of a
    /// reading.
    fn push(&mut self, mut events: Vec<MonitorEvent>) {
        if events.iter().any(passes) {
            self.nothing_yet = None;
        }
        if self.needs_whole_readings() {
            self.collected.append(&mut events);
        } else if self.wants_more && self.failure.is_none() {
            let records = self.records(events);
            self.failure = self.write(records).err();
        }
    }
}

impl<'s> Follower<'s> {
    fn open(settings: &'s Settings, signals: &'s Signals) -> Result<Self> {
        let Settings { output, max_count, poll, .. } = settings;
        let view = views::open(output, *max_count);
        let drawn = view.is_picture() && output.format == FormatName::Text;
        let formatter = Formatter::of_view(&*view, output, *max_count, poll.interval);
        Ok(Self {
            settings,
            signals,
            histories: LifeHistories::default(),
            output: Output::open(formatter, signals)?,
            view,
            screen: if drawn { Screen::open(signals)? } else { None },
            messages: Messages::default(),
            alerts: settings.rules.as_deref().map(open_alerts).transpose()?,
            ready: Ready::default(),
            nothing_yet: None,
            since: None,
            reading: None,
            collected: Vec::new(),
            has_written: false,
            wants_more: true,
            failure: None,
        })
    }

    /// Shows one reading after the other until the run is over or no more records are wanted.
    fn read_all(&mut self, monitor: &mut Monitor<'_>) -> Result<()> {
        self.output.write_header()?;
        while self.wants_more && !self.view.is_full() && monitor.read(self.signals, self)? {
            self.end_reading(monitor)?;
        }
        self.print(&lines(monitor.warnings()))
    }

    fn needs_whole_readings(&self) -> bool {
        self.view.is_picture() || self.alerts.is_some()
    }

    /// The records that the view makes of events of the current reading.
    fn records(&mut self, events: Vec<MonitorEvent>) -> Vec<Record> {
        let Some(reading) = self.reading else { return Vec::new() };
        self.histories.apply(&events);
        if self.is_hidden() {
            // A diagram counts what is shown; timelines join the ends of what began before.
            if !self.view.is_picture() {
                drop(self.view.apply(events, reading, &self.histories));
            }
            return Vec::new();
        }
        self.view.apply(events, reading, &self.histories)
    }

    /// Whether the current reading is of before what is shown.
    fn is_hidden(&self) -> bool {
        let before = |since: i64| self.reading.is_some_and(|reading| reading.at.wall < since);
        self.since.is_some_and(before)
    }

    fn write(&mut self, records: Vec<Record>) -> Result<()> {
        self.has_written = true;
        self.wants_more = self.output.write(records, self.signals)?;
        Ok(())
    }

    /// Prints what follows from a reading as a whole, and does what signals have asked for.
    fn end_reading(&mut self, monitor: &mut Monitor<'_>) -> Result<()> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        let events = std::mem::take(&mut self.collected);
        let alerts = self.alerts.as_mut().map(|alerts| alerts.update(&events, monitor));
        let mut records =
            if self.needs_whole_readings() { self.records(events) } else { Vec::new() };
        let lost_track = self.histories.end_reading(|| monitor.open_ids());
        let mut run = RunState { monitor, histories: &mut self.histories };
        records.extend(self.view.end_reading(&mut run));
        records.extend(alerts.into_iter().flatten().map(Box::new).map(Record::Alert));
        if self.is_hidden() {
            records.clear();
        }
        // Without records, too: what had no room before is reported once there is some.
        if self.wants_more && !(self.has_written && records.is_empty()) {
            self.write(records)?;
        }
        self.answer_requests(monitor)?;
        self.ready.announce_first_poll(monitor.polls().taken);
        let mut sentences: Vec<String> =
            lost_track_sentence(lost_track, self.settings).into_iter().collect();
        sentences.extend(monitor.warnings());
        sentences.extend(self.alerts.iter_mut().flat_map(Alerts::warnings));
        let explains = |_: &_| self.screen.is_none() && io::stderr().is_terminal();
        sentences.extend(self.nothing_yet.take().filter(explains));
        let beside = lines(self.output.formatter.take_messages());
        self.print(&[beside, warnings(sentences)].concat())
    }

    /// Writes the report that a signal has asked for, and draws the picture on a terminal.
    fn answer_requests(&mut self, monitor: &mut Monitor<'_>) -> Result<()> {
        let requests = self.signals.take_requests();
        let mut run = RunState { monitor, histories: &mut self.histories };
        if requests.report {
            let report = report(&self.settings.output, &mut run);
            self.print(&report)?;
        }
        let Some(screen) = &mut self.screen else { return Ok(()) };
        if requests.suspend {
            screen.suspend();
        }
        let mut run = RunState { monitor, histories: &mut self.histories };
        let records = self.view.frame(&mut run);
        let Size { columns, rows } = Screen::size();
        let room = Size { columns, rows: rows.saturating_sub(1) };
        let mut lines = vec![title(self.settings, columns)];
        lines.extend(self.output.formatter.frame(&records, room));
        screen.draw(&lines)
    }

    /// Writes text to standard error, or to the main screen of the terminal that is drawn on.
    fn print(&mut self, text: &[u8]) -> Result<()> {
        match &mut self.screen {
            Some(screen) if tty::stderr_is_stdout() => screen.print(text)?,
            _ => self.messages.write(text.to_vec()),
        }
        Ok(())
    }

    /// Writes what is left when the run is over. A terminal that was drawn on keeps the last picture:
    /// as much as fits where the user has ended the run, all of it where it ends by itself.
    fn end(mut self, monitor: &mut Monitor<'_>) -> Result<()> {
        let is_interrupted = self.screen.take().is_some() && self.signals.is_interrupted();
        let is_read = self.output.finish(self.signals)?;
        if self.wants_more && is_read {
            let mut run = RunState { monitor, histories: &mut self.histories };
            if is_interrupted {
                // With room for the closing line and the prompt.
                let Size { columns, rows } = Screen::size();
                let size = Size { columns, rows: rows.saturating_sub(3) };
                self.output.write_frame(&self.view.frame(&mut run), size)?;
            } else {
                self.output.write(self.view.current(&mut run), self.signals)?;
            }
            self.output.finish(self.signals)?;
        }
        self.messages.write(lines(self.output.formatter.take_messages()));
        self.messages.print(self.alerts.into_iter().flat_map(Alerts::finish));
        self.messages.print([monitor.coverage().to_string()]);
        Ok(())
    }
}

/// What a picture on a terminal shows, and how to quit.
fn title(settings: &Settings, columns: usize) -> String {
    let (view, hint) = match settings.output.view {
        ViewName::Diagram => ("TCP state diagram", "; legend: tcplapse explain"),
        _ => ("TCP sockets", ""),
    };
    let owners = match settings.patterns.as_slice() {
        [] => String::new(),
        patterns => format!(" of '{}'", printable(&patterns.join("' or '"))),
    };
    let title = clip(&format!("tcplapse: {view}{owners} (q quits{hint})"), columns);
    tty::palette(settings.output.color).heading(&title)
}

/// The rules of a file; their programs get alerts as `--format json` prints them.
fn open_alerts(rules: &Path) -> Result<Alerts> {
    Alerts::open(rules, |alert| json::line(&Record::Alert(Box::new(alert.clone()))))
}

/// Whether an event passes the filters.
fn passes(event: &MonitorEvent) -> bool {
    match event {
        MonitorEvent::Socket(event) => event.passes,
        MonitorEvent::Lost(_) => true,
    }
}

/// The sentence about sockets whose timelines end before their close; `None` where no timelines are
/// shown, or there are no such sockets.
fn lost_track_sentence(sockets: usize, settings: &Settings) -> Option<String> {
    if settings.output.view != ViewName::Timeline || sockets == 0 {
        return None;
    }
    let noun = if sockets == 1 { "socket" } else { "sockets" };
    Some(format!("lost track of {sockets} {noun}; their timelines are incomplete"))
}
