//! The loop of the commands that show a run: readings in, records of the chosen view out.

use crate::cli::FormatName;
use crate::error::{Error, Result};
use crate::model::counted::counted;
use crate::model::escape::printable;
use crate::model::event::MonitorEvent;
use crate::model::time::Stamp;
use crate::monitor::Monitor;
use crate::monitor::sink::{MonitorSink, ReadingInfo};
use crate::output::formatter::Formatter;
use crate::output::messages::{Messages, lines, warnings};
use crate::output::ready::Ready;
use crate::output::screen::Screen;
use crate::output::shown::{EndOfReading, ShownRun};
use crate::output::{Output, date_and_time, tty};
use crate::render::Size;
use crate::render::cell::clip;
use crate::render::json::Json;
use crate::rules::alerts::Alerts;
use crate::settings::{OutputSettings, Settings};
use crate::signals::Signals;
use crate::view::{Record, View};
use std::io::{self, IsTerminal};
use std::path::Path;

/// What is followed.
pub(super) enum Mode {
    /// What happens now: a slow reader delays no poll.
    Live {
        /// What is watched, for a terminal where the first reading shows nothing.
        watched: String,
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
        Mode::Live { watched, ready } => {
            follower.writer.output.go_live(settings.poll.interval);
            let state = follower.shown.view().prints_later().unwrap_or("no matching socket yet");
            follower.nothing_yet = Some(format!("{state}; {watched} (Ctrl-C to stop)"));
            follower.ready = ready;
        }
        Mode::Recorded { since } => {
            follower.shown.hide_before(since);
            follower.replayed = Some(Replayed::default());
        }
    }
    if let Err(error) = follower.read_all(monitor) {
        // The reader still gets what was written before.
        follower.writer.finish()?;
        return Err(error);
    }
    follower.end(monitor)
}

/// A run that is shown: it takes in events and prints records.
struct Follower<'s> {
    settings: &'s Settings,
    signals: &'s Signals,
    shown: ShownRun,
    writer: Writer<'s>,
    /// The terminal on which a picture is drawn.
    screen: Option<Screen>,
    messages: Messages,
    alerts: Option<Alerts>,
    ready: Ready,
    /// The sentence for a terminal where the first reading shows nothing; `None` after it.
    nothing_yet: Option<String>,
    /// What was read of a recording; `None` for a run that is live.
    replayed: Option<Replayed>,
    /// The events of the current reading, where the view or rules need all of them at once.
    collected: Vec<MonitorEvent>,
}

/// Writes the records of a run as long as they are wanted.
struct Writer<'s> {
    output: Output,
    signals: &'s Signals,
    /// Whether more records are wanted.
    wants_more: bool,
    /// Whether records of the current reading were written.
    has_written: bool,
    /// Why records of the current reading could not be written.
    failure: Option<Error>,
}

impl MonitorSink for Follower<'_> {
    fn begin(&mut self, reading: ReadingInfo) {
        self.shown.begin_reading(reading);
        self.writer.begin_reading(reading);
        if let Some(replayed) = &mut self.replayed {
            replayed.add(reading, self.shown.is_hidden());
        }
    }

    /// Events are written as they come, but for a picture and for rules, which need all events of a
    /// reading.
    fn push(&mut self, mut events: Vec<MonitorEvent>) {
        if self.shown.view().prints_later().is_none() && events.iter().any(passes) {
            self.nothing_yet = None;
        }
        if self.needs_whole_readings() {
            self.collected.append(&mut events);
        } else if self.writer.can_write() {
            self.writer.push(self.shown.apply(events));
        }
    }
}

impl Writer<'_> {
    fn begin_reading(&mut self, reading: ReadingInfo) {
        self.has_written = false;
        self.output.begin_reading(reading);
    }

    fn can_write(&self) -> bool {
        self.wants_more && self.failure.is_none()
    }

    /// Writes some records of the current reading. [`end_reading`](Self::end_reading) returns an error.
    fn push(&mut self, records: Vec<Record>) {
        self.failure = self.write(records).err();
    }

    /// Writes the last records of the current reading.
    fn end_reading(&mut self, records: Vec<Record>) -> Result<()> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        // Without records, too: what had no room before is reported once there is some.
        if self.wants_more && !(self.has_written && records.is_empty()) {
            self.write(records)?;
        }
        Ok(())
    }

    fn write(&mut self, records: Vec<Record>) -> Result<()> {
        self.has_written = true;
        self.wants_more = self.output.write(records, self.signals)?;
        Ok(())
    }

    /// Waits until everything is written; whether somebody reads it.
    fn finish(&mut self) -> Result<bool> {
        self.output.finish(self.signals)
    }
}

impl<'s> Follower<'s> {
    fn open(settings: &'s Settings, signals: &'s Signals) -> Result<Self> {
        let Settings { output, max_count, poll, .. } = settings;
        let shown = ShownRun::open(output, *max_count);
        // A table is drawn by `top`, or not at all.
        let drawn = shown.view().title().is_some() && output.format == FormatName::Text;
        let formatter = Formatter::of_view(shown.view(), output, *max_count, poll.interval);
        let output = Output::open(formatter, signals)?;
        Ok(Self {
            settings,
            signals,
            shown,
            writer: Writer { output, signals, wants_more: true, has_written: false, failure: None },
            screen: if drawn { Screen::open(signals)? } else { None },
            messages: Messages::default(),
            alerts: settings
                .rules
                .as_deref()
                .map(|rules| open_alerts(rules, settings))
                .transpose()?,
            ready: Ready::default(),
            nothing_yet: None,
            replayed: None,
            collected: Vec::new(),
        })
    }

    /// Shows one reading after the other until the run is over or no more records are wanted.
    fn read_all(&mut self, monitor: &mut Monitor<'_>) -> Result<()> {
        self.writer.output.write_header()?;
        while self.writer.wants_more
            && !self.shown.view().is_full()
            && monitor.read(self.signals, self)?
        {
            self.end_reading(monitor)?;
        }
        self.print(&lines(monitor.warnings()))
    }

    fn needs_whole_readings(&self) -> bool {
        self.shown.view().is_picture() || self.alerts.is_some()
    }

    /// Prints what follows from a reading as a whole, and does what signals have asked for.
    fn end_reading(&mut self, monitor: &mut Monitor<'_>) -> Result<()> {
        let events = std::mem::take(&mut self.collected);
        let alerts = self.alerts.as_mut().map(|alerts| alerts.update(&events, monitor));
        let mut records =
            if self.needs_whole_readings() { self.shown.apply(events) } else { Vec::new() };
        let EndOfReading { records: last, lost_track } = self.shown.end_reading(monitor);
        records.extend(last);
        if !self.shown.is_hidden() {
            records.extend(alerts.into_iter().flatten().map(Box::new).map(Record::Alert));
        }
        self.writer.end_reading(records)?;
        self.answer_requests(monitor)?;
        self.ready.announce_first_poll(monitor.polls().taken);
        let lost_track = (lost_track > 0).then(|| self.shown.view().lost_track_of(lost_track));
        let mut sentences: Vec<String> = lost_track.flatten().into_iter().collect();
        sentences.extend(monitor.warnings());
        sentences.extend(self.alerts.iter_mut().flat_map(Alerts::warnings));
        let explains = |_: &_| self.screen.is_none() && io::stderr().is_terminal();
        sentences.extend(self.nothing_yet.take().filter(explains));
        let beside = lines(self.writer.output.formatter.take_messages());
        self.print(&[beside, warnings(sentences)].concat())
    }

    /// Writes the report that a signal has asked for, and draws the picture on a terminal.
    fn answer_requests(&mut self, monitor: &mut Monitor<'_>) -> Result<()> {
        let requests = self.signals.take_requests();
        if requests.report {
            let report = self.shown.report(&self.settings.output, monitor);
            self.print(&report)?;
        }
        let Some(screen) = &mut self.screen else { return Ok(()) };
        if requests.suspend {
            screen.suspend();
        }
        let records = self.shown.frame(monitor);
        let Size { columns, rows } = Screen::size();
        let room = Size { columns, rows: rows.saturating_sub(1) };
        let mut lines = vec![title(self.shown.view(), self.settings, columns)];
        lines.extend(self.writer.output.formatter.frame(&records, room));
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
        let was_drawn_on = self.screen.take().is_some();
        let is_interrupted = self.signals.is_interrupted();
        let is_read = self.writer.finish()?;
        if is_interrupted && !was_drawn_on {
            self.messages.flush();
            tty::overwrite_echo();
        }
        if self.writer.wants_more && is_read {
            if is_interrupted && was_drawn_on {
                let Size { columns, rows } = Screen::size();
                // With room for the closing line and the prompt.
                let size = Size { columns, rows: rows.saturating_sub(3) };
                self.writer.output.write_frame(&self.shown.frame(monitor), size)?;
            } else if !self.shown.is_hidden() {
                self.writer.write(self.shown.current(monitor))?;
            }
            self.writer.finish()?;
        }
        self.messages.write(lines(self.writer.output.formatter.take_messages()));
        self.messages.print(self.alerts.into_iter().flat_map(Alerts::finish));
        let coverage = monitor.coverage();
        let is_nothing = |replayed: &Replayed| replayed.readings == 0 || coverage.sockets == 0;
        let replayed = self.replayed.filter(is_nothing);
        self.messages.print(replayed.map(|replayed| replayed.sentence(&self.settings.output)));
        self.messages.print([coverage.to_string()]);
        Ok(())
    }
}

/// The part of a recording that was shown.
#[derive(Debug, Clone, Copy, Default)]
struct Replayed {
    readings: u64,
    /// When the first and the last reading were complete.
    span: Option<(Stamp, Stamp)>,
    /// When the first and the last of all readings were complete, also of those before the part.
    read: Option<(Stamp, Stamp)>,
}

impl Replayed {
    fn add(&mut self, reading: ReadingInfo, is_hidden: bool) {
        let until = |span: Option<(Stamp, Stamp)>| {
            Some((span.map_or(reading.at, |(first, _)| first), reading.at))
        };
        self.read = until(self.read);
        if !is_hidden {
            self.readings += 1;
            self.span = until(self.span);
        }
    }

    /// What was read where no socket was shown: nobody should take that for an all-clear.
    fn sentence(self, output: &OutputSettings) -> String {
        let Some((first, last)) = self.span else {
            let nothing = "no reading of the recording is in the part that was to be shown";
            let read = self.read.map(|(first, last)| {
                let [first, last] = [first, last].map(|time| date_and_time(time, output));
                format!("; those before it are from {first} to {last}")
            });
            return nothing.to_owned() + &read.unwrap_or_default();
        };
        format!(
            "replayed {} from {} to {}; no socket in them matches",
            counted(self.readings, "reading"),
            date_and_time(first, output),
            date_and_time(last, output)
        )
    }
}

/// What a picture on a terminal shows, and how to quit.
fn title(view: &dyn View, settings: &Settings, columns: usize) -> String {
    let (view, hint) = view.title().unwrap_or_default();
    let owners = match settings.patterns.as_slice() {
        [] => String::new(),
        patterns => format!(" of '{}'", printable(&patterns.join("' or '"))),
    };
    let title = clip(&format!("tcplapse: {view}{owners} (q quits{hint})"), columns);
    tty::palette(settings.output.color).heading(&title)
}

/// The rules of a file; their programs get alerts as `--format json` prints them.
pub(super) fn open_alerts(rules: &Path, settings: &Settings) -> Result<Alerts> {
    let json = Json::new(&settings.output.labels);
    Alerts::open(rules, Box::new(move |alert| json.line(&Record::Alert(Box::new(alert.clone())))))
}

/// Whether an event passes the filters.
fn passes(event: &MonitorEvent) -> bool {
    match event {
        MonitorEvent::Socket(event) => event.passes,
        MonitorEvent::Lost(_) => true,
    }
}
