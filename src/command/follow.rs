//! The loop of every command that shows a run: readings in, records of the chosen view out.

use crate::cli::{FormatName, ViewName};
use crate::error::{Error, Result};
use crate::model::event::MonitorEvent;
use crate::monitor::Monitor;
use crate::monitor::sink::{MonitorSink, ReadingInfo};
use crate::output::Output;
use crate::output::queue::live::Turn;
use crate::output::ready::Ready;
use crate::output::screen::Screen;
use crate::output::stderr::{Reports, lines, report};
use crate::output::views::{self, RunState, View};
use crate::render::json;
use crate::rules::alerts::Alerts;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::view::Record;
use crate::view::life::LifeHistories;
use std::io::{self, IsTerminal};
use std::path::Path;

/// What is shown.
pub(super) enum Run {
    /// What happens now: a slow reader makes no poll late.
    Live {
        /// The sentence for a terminal where the first poll finds nothing.
        nothing_yet: String,
        /// Where the end of the first poll is announced.
        ready: Ready,
    },
    /// A recording, which waits for its reader.
    Recorded,
}

/// Shows what the monitor reads until the run is over.
///
/// # Errors
/// What ends the run before its time.
pub(super) fn show(
    monitor: &mut Monitor<'_>,
    stop: &Signals,
    settings: &Settings,
    run: Run,
) -> Result<()> {
    let mut show = Show::open(settings, stop)?;
    if let Run::Live { nothing_yet, ready } = run {
        show.output.go_live(settings.poll.interval, stop)?;
        (show.ready, show.nothing_yet) = (Some(ready), Some(nothing_yet));
    }
    if let Err(error) = follow(&mut show, monitor) {
        // What was written before still gets to its reader.
        show.output.finish(stop)?;
        return Err(error);
    }
    show.say(lines(monitor.warnings()));
    show.end(monitor)
}

/// Shows one reading after the other until the run is over or nobody wants more.
fn follow(show: &mut Show<'_>, monitor: &mut Monitor<'_>) -> Result<()> {
    show.output.begin(show.stop)?;
    while show.more && !show.view.is_full() && monitor.read(show.stop, show)? {
        show.end_reading(monitor)?;
    }
    Ok(())
}

/// A run as it is shown.
struct Show<'s> {
    settings: &'s Settings,
    stop: &'s Signals,
    view: Box<dyn View>,
    histories: LifeHistories,
    output: Output,
    /// Where a picture is drawn again and again.
    screen: Option<Screen>,
    reports: Reports,
    alarm: Option<Alerts>,
    /// Until the first poll is over.
    ready: Option<Ready>,
    /// The sentence for a terminal where the first reading shows nothing; `None` once it is over.
    nothing_yet: Option<String>,
    /// The reading at hand.
    reading: Option<ReadingInfo>,
    /// Its events, where the view or rules need all of them at once.
    collected: Vec<MonitorEvent>,
    /// Records of it have been handed to the output.
    streamed: bool,
    /// More records are wanted.
    more: bool,
    /// Why events that were pushed could not be written.
    failed: Option<Error>,
}

impl MonitorSink for Show<'_> {
    fn begin(&mut self, reading: ReadingInfo) {
        (self.reading, self.streamed) = (Some(reading), false);
    }

    /// A stream writes events as they come; a picture and rules are of all that there is.
    fn push(&mut self, mut events: Vec<MonitorEvent>) {
        if events.iter().any(passes) {
            self.nothing_yet = None;
        }
        if self.needs_whole() {
            self.collected.append(&mut events);
        } else if self.more && self.failed.is_none() {
            let records = self.records(events);
            self.failed = self.stream(records).err();
        }
    }
}

impl<'s> Show<'s> {
    fn open(settings: &'s Settings, stop: &'s Signals) -> Result<Self> {
        let Settings { output, max_count, poll, .. } = settings;
        let view = views::open(output, *max_count);
        let drawn = view.is_picture() && output.format == FormatName::Text;
        Ok(Self {
            settings,
            stop,
            histories: LifeHistories::default(),
            output: Output::of_view(&*view, output, *max_count, poll.interval),
            view,
            screen: if drawn { Screen::open(stop)? } else { None },
            reports: Reports::default(),
            alarm: settings.rules.as_deref().map(alarm).transpose()?,
            ready: None,
            nothing_yet: None,
            reading: None,
            collected: Vec::new(),
            streamed: false,
            more: true,
            failed: None,
        })
    }

    fn needs_whole(&self) -> bool {
        self.view.is_picture() || self.alarm.is_some()
    }

    /// What a stream prints of events of the reading at hand.
    fn records(&mut self, events: Vec<MonitorEvent>) -> Vec<Record> {
        let Some(reading) = self.reading else { return Vec::new() };
        self.histories.apply(&events);
        self.view.apply(events, reading, &self.histories)
    }

    fn stream(&mut self, records: Vec<Record>) -> Result<()> {
        if !std::mem::replace(&mut self.streamed, true) {
            self.output.begin_turn(self.reading.map(Turn::from).unwrap_or_default());
        }
        self.more = self.output.stream(records, self.stop)?;
        Ok(())
    }

    /// Shows what is to be shown of a whole reading, and answers requests.
    fn end_reading(&mut self, monitor: &mut Monitor<'_>) -> Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let events = std::mem::take(&mut self.collected);
        let alerts = self.alarm.as_mut().map(|alarm| alarm.update(&events, monitor));
        let mut records = if self.needs_whole() { self.records(events) } else { Vec::new() };
        let lost = self.histories.end_reading(|| monitor.open_ids());
        let mut now = RunState { monitor, histories: &mut self.histories };
        records.extend(self.view.end_reading(&mut now));
        records.extend(alerts.into_iter().flatten().map(Box::new).map(Record::Alert));
        if self.more && !(self.streamed && records.is_empty()) {
            self.stream(records)?;
        }
        self.answer_requests(monitor)?;
        if monitor.polls().taken > 0
            && let Some(ready) = self.ready.take()
        {
            ready.announce();
        }
        let mut sentences: Vec<String> = lost_sight(lost, self.settings).into_iter().collect();
        sentences.extend(self.output.asides().into_iter().chain(monitor.warnings()));
        sentences.extend(self.alarm.iter_mut().flat_map(Alerts::warnings));
        let waits = self.screen.is_none() && io::stderr().is_terminal();
        sentences.extend(self.nothing_yet.take().filter(|_| waits));
        self.say(lines(sentences));
        Ok(())
    }

    /// Writes the report that was asked for by a signal, and draws the picture on a terminal.
    fn answer_requests(&mut self, monitor: &mut Monitor<'_>) -> Result<()> {
        let requests = self.stop.take_requests();
        let mut now = RunState { monitor, histories: &mut self.histories };
        if requests.report {
            let report = report(&self.settings.output, &mut now);
            self.say(report);
        }
        let Some(screen) = &mut self.screen else { return Ok(()) };
        if requests.suspend {
            screen.suspend();
        }
        let mut now = RunState { monitor, histories: &mut self.histories };
        screen.draw(&self.output.frame(&self.view.frame(&mut now), Screen::size()))
    }

    /// Tells something on standard error. On the terminal that is drawn on it stands there once
    /// the run is over.
    fn say(&mut self, text: Vec<u8>) {
        match &mut self.screen {
            Some(screen) if io::stderr().is_terminal() => screen.tell(text),
            _ => self.reports.write(text),
        }
    }

    /// What is told when the run is over. A terminal that was drawn on is left clean where that was
    /// asked for; a run that ends by itself leaves its picture.
    fn end(mut self, monitor: &mut Monitor<'_>) -> Result<()> {
        let left_clean = self.screen.is_some() && self.stop.is_interrupted();
        let untold = self.screen.take().map(Screen::close);
        let read = self.output.finish(self.stop)?;
        if self.more && read && !left_clean {
            let mut now = RunState { monitor, histories: &mut self.histories };
            self.output.write(self.view.current(&mut now), self.stop)?;
        }
        self.reports.write(untold.unwrap_or_default());
        self.reports.tell(self.output.asides());
        self.reports.tell(self.alarm.into_iter().flat_map(Alerts::finish));
        self.reports.tell([monitor.coverage().to_string()]);
        Ok(())
    }
}

/// The rules of a file; their programs are given alerts as `--format json` prints them.
fn alarm(rules: &Path) -> Result<Alerts> {
    Alerts::open(rules, |alert| json::line(&Record::Alert(Box::new(alert.clone()))))
}

/// Whether news is of what was asked for.
fn passes(news: &MonitorEvent) -> bool {
    match news {
        MonitorEvent::Socket(told) => told.passes,
        MonitorEvent::Lost(_) => true,
    }
}

/// Lives that were lost sight of have no timeline.
fn lost_sight(lives: usize, settings: &Settings) -> Option<String> {
    let sockets = match lives {
        _ if settings.output.view != ViewName::Timeline => return None,
        0 => return None,
        1 => "a socket was".to_owned(),
        many => format!("{many} sockets were"),
    };
    Some(format!("{sockets} lost sight of: what became of them is in no timeline"))
}
