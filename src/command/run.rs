//! `run`: a command, and the story of the sockets of it and of all that it starts.

use super::monitor;
use crate::cli::RunOptions;
use crate::error::{Error, Result};
use crate::model::event::MonitorEvent;
use crate::monitor::Monitor;
use crate::monitor::sink::{MonitorSink, ReadingInfo};
use crate::output::Output;
use crate::output::queue::live::Turn;
use crate::output::stderr::{Reports, Sink, report, tell};
use crate::output::views::{self, RunState, View};
use crate::settings::run::{RunSettings, checked};
use crate::settings::{OutputSettings, Settings};
use crate::signals::{Signals, is_ignored};
use crate::tcp::state::State;
use crate::view::Record;
use crate::view::life::LifeHistories;
use child::{Child, SIGNALS};
use rustix::process::{getpid, set_child_subreaper};
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::{Duration, Instant};

mod child;

/// Timelines that wait for the end of the command, so that they do not run into what it prints: a
/// few megabytes. More go nowhere but into a file.
const MOST_HELD_BACK: usize = 10_000;

/// A process that the command has left behind gets this long to open a socket.
const GRACE: Duration = Duration::from_secs(1);

/// Runs the command and returns its status, as a shell would. Polling begins before it does.
///
/// # Errors
/// Wrong usage, and what keeps the command from being followed at all.
pub fn run(asked: RunOptions) -> Result<ExitCode> {
    let (settings, errand) = checked(asked, getpid().as_raw_nonzero().get())?;
    tell(settings.hints.iter().cloned());
    // Who loses its parent becomes our child, and so stays in the tree.
    set_child_subreaper(Some(getpid()))
        .map_err(|cause| Error::System { what: "keep orphans", cause: cause.into() })?;
    let signals: Vec<i32> = SIGNALS.into_iter().filter(|signal| !is_ignored(*signal)).collect();
    let stop = Signals::for_command(&signals)?;
    let mut story = Story::open(&settings, &errand)?;
    let mut monitor = monitor(&settings)?;
    if monitor.read(&stop, &mut story)? {
        story.end_reading(&mut monitor);
    }
    let mut child = match Child::start(&errand.command) {
        Ok(child) => child,
        Err(failed) => {
            tell([failed.sentence]);
            return Ok(ExitCode::from(failed.status));
        }
    };
    if let Err(error) = follow(&mut child, &errand, &mut monitor, &stop, &mut story) {
        // The command is none the worse for it.
        tell([error.to_string()]);
    }
    let status = child.wait(&stop)?;
    story.end(&mut monitor);
    Ok(ExitCode::from(status))
}

/// Reads until the command and its sockets have come to their end.
fn follow(
    child: &mut Child,
    errand: &RunSettings,
    monitor: &mut Monitor<'_>,
    stop: &Signals,
    story: &mut Story<'_>,
) -> Result<()> {
    let mut ended = None;
    while monitor.read(stop, story)? {
        story.end_reading(monitor);
        story.answer(stop, monitor);
        let signals = stop.take_forwarded();
        if child.is_running()? {
            child.pass_on(&signals);
            continue;
        }
        if !signals.is_empty() {
            break;
        }
        let Some((polls, at)) = ended else {
            let now = Instant::now();
            stop.set_deadline(errand.linger.and_then(|linger| now.checked_add(linger)));
            ended = Some((monitor.polls().taken, now));
            continue;
        };
        // Only a look that began after its end shows what the command has left behind.
        if monitor.polls().taken > polls {
            match left(monitor, errand) {
                0 if !child.left_others() || at.elapsed() > GRACE => break,
                0 => {}
                left => story.say_what_is_waited_for(left, errand),
            }
        }
    }
    Ok(())
}

/// How many sockets have not come to their end. TIME_WAIT is waited for where a time was given.
fn left(monitor: &mut Monitor<'_>, errand: &RunSettings) -> usize {
    let lives = monitor.open_sockets();
    let counts = |state| errand.linger.is_some() || state != State::TimeWait;
    lives.iter().filter(|(now, _)| counts(now.state)).count()
}

/// The timelines on their way to a reader.
struct Story<'s> {
    print: &'s OutputSettings,
    view: Box<dyn View>,
    histories: LifeHistories,
    output: Output,
    sink: Sink,
    /// What waits for the end of the command, and how many found no room.
    held_back: Vec<Record>,
    left_out: u64,
    /// What is to be said once the command has had its say.
    sentences: Vec<String>,
    waiting_told: bool,
    reports: Reports,
    /// The reading at hand.
    reading: Option<ReadingInfo>,
}

impl MonitorSink for Story<'_> {
    fn begin(&mut self, reading: ReadingInfo) {
        self.reading = Some(reading);
        self.output.begin_turn(Turn::from(reading));
    }

    fn push(&mut self, events: Vec<MonitorEvent>) {
        let Some(reading) = self.reading else { return };
        self.histories.apply(&events);
        let records = self.view.apply(events, reading, &self.histories);
        self.tell(records);
    }
}

impl<'s> Story<'s> {
    fn open(settings: &'s Settings, errand: &RunSettings) -> Result<Self> {
        let Settings { output: print, max_count, poll, .. } = settings;
        let sink = Sink::open(errand.output.as_deref())?;
        Ok(Self {
            print,
            view: views::open(print, *max_count),
            histories: LifeHistories::default(),
            output: Output::of_command(print, *max_count, poll.interval, &sink),
            sink,
            held_back: Vec::new(),
            left_out: 0,
            sentences: Vec::new(),
            waiting_told: false,
            reports: Reports::default(),
            reading: None,
        })
    }

    /// What follows from a reading as a whole.
    fn end_reading(&mut self, monitor: &mut Monitor<'_>) {
        self.histories.end_reading(|| monitor.open_ids());
        let records =
            self.view.end_reading(&mut RunState { monitor, histories: &mut self.histories });
        self.sentences.extend(monitor.warnings());
        self.tell(records);
    }

    /// Writes records, or keeps them for the end of the command.
    fn tell(&mut self, records: Vec<Record>) {
        if self.sink.is_shared() {
            let room = MOST_HELD_BACK - self.held_back.len();
            self.left_out += records.len().saturating_sub(room) as u64;
            self.held_back.extend(records.into_iter().take(room));
        } else {
            self.write(records);
        }
    }

    fn write(&mut self, records: Vec<Record>) {
        let bytes = self.output.bytes(records);
        if let Err(error) = self.sink.write(&bytes) {
            self.sentences.push(error.to_string());
        }
    }

    /// Gives whoever calls the timelines so far.
    fn answer(&mut self, stop: &Signals, monitor: &mut Monitor<'_>) {
        if stop.take_requests().report {
            let mut now = RunState { monitor, histories: &mut self.histories };
            self.reports.write(report(self.print, &mut now));
        }
    }

    /// Nobody should wonder why the prompt does not come back.
    fn say_what_is_waited_for(&mut self, left: usize, errand: &RunSettings) {
        let said = std::mem::replace(&mut self.waiting_told, true);
        if !said && errand.linger.is_none() && io::stderr().is_terminal() {
            let sockets = if left == 1 { "1 socket".to_owned() } else { format!("{left} sockets") };
            tell([format!(
                "the command has ended, {sockets} of it not; waiting for that, Ctrl-C ends the wait \
                 (--linger 0s: no wait)"
            )]);
        }
    }

    /// Tells all that has not been told.
    fn end(mut self, monitor: &mut Monitor<'_>) {
        let mut records = std::mem::take(&mut self.held_back);
        records
            .extend(self.view.current(&mut RunState { monitor, histories: &mut self.histories }));
        self.output.begin_rest();
        self.write(records);
        self.sentences.extend(self.output.asides());
        if self.left_out > 0 {
            let many = self.left_out;
            self.sentences.push(format!(
                "{many} more lives had no room to wait for the end of the command; --output FILE \
                 takes them as they come"
            ));
        }
        self.sentences.push(monitor.coverage().to_string());
        tell(self.sentences);
    }
}
