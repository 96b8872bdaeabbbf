//! `run`: runs a command, and prints the timelines of its sockets and of those of its children.

use super::{monitor, print_hints};
use crate::cli::RunOptions;
use crate::error::{Error, Result};
use crate::model::counted::counted;
use crate::model::event::MonitorEvent;
use crate::monitor::Monitor;
use crate::monitor::sink::{MonitorSink, ReadingInfo};
use crate::output::formatter::Formatter;
use crate::output::messages::{self, Messages};
use crate::output::shown::ShownRun;
use crate::output::timelines::TimelineTarget;
use crate::settings::run::{RunSettings, checked};
use crate::settings::{OutputSettings, Settings};
use crate::signals::{Signals, is_ignored};
use crate::tcp::state::State;
use crate::view::Record;
use child::{Child, SIGNALS};
use rustix::process::{getpid, set_child_subreaper};
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::{Duration, Instant};

mod child;

/// How many timelines are kept until the command has ended, so that they do not mix with what it
/// prints: a few megabytes. Only a file takes more.
const MAX_HELD_BACK: usize = 10_000;

/// How long a process that the command has left behind gets to open a socket.
const CHILD_GRACE: Duration = Duration::from_secs(1);

/// Runs the command and returns its status, as a shell would. Polling begins before it does.
///
/// # Errors
/// Wrong usage, and what keeps the command from being followed at all.
pub fn run(options: RunOptions) -> Result<ExitCode> {
    let (settings, command) = checked(options, getpid().as_raw_nonzero().get())?;
    print_hints(&settings);
    // A process that loses its parent becomes our child, and so stays in the tree.
    set_child_subreaper(Some(getpid()))
        .map_err(|cause| Error::System { what: "keep orphans", cause: cause.into() })?;
    let caught: Vec<i32> = SIGNALS.into_iter().filter(|signal| !is_ignored(*signal)).collect();
    let signals = Signals::for_command(&caught)?;
    let mut report = RunReport::open(&settings, &command)?;
    let mut monitor = monitor(&settings)?;
    if monitor.read(&signals, &mut report)? {
        report.end_reading(&mut monitor);
    }
    let mut child = match Child::start(&command.command) {
        Ok(child) => child,
        Err(failed) => {
            messages::print_errors([failed.sentence]);
            return Ok(ExitCode::from(failed.status));
        }
    };
    if let Err(error) = follow(&mut child, &command, &mut monitor, &signals, &mut report) {
        // The command goes on without being followed.
        messages::print_errors([error.to_string()]);
    }
    let status = child.wait(&signals)?;
    report.end(&mut monitor);
    Ok(ExitCode::from(status))
}

/// Reads until the command has ended and its sockets have closed.
fn follow(
    child: &mut Child,
    command: &RunSettings,
    monitor: &mut Monitor<'_>,
    signals: &Signals,
    report: &mut RunReport<'_>,
) -> Result<()> {
    let mut ended = None;
    while monitor.read(signals, report)? {
        report.end_reading(monitor);
        report.answer_requests(signals, monitor);
        let forwarded = signals.take_forwarded();
        if child.is_running()? {
            child.pass_on(&forwarded);
            continue;
        }
        if !forwarded.is_empty() {
            break;
        }
        let Some((polls, at)) = ended else {
            let now = Instant::now();
            signals.set_deadline(command.linger.and_then(|linger| now.checked_add(linger)));
            ended = Some((monitor.polls().taken, now));
            continue;
        };
        // Only a poll that began after its end shows what the command has left behind.
        if monitor.polls().taken > polls {
            match open_sockets(monitor, command) {
                0 if !child.left_others() || at.elapsed() > CHILD_GRACE => break,
                0 => {}
                left => report.print_wait_hint(left, command),
            }
        }
    }
    Ok(())
}

/// How many sockets are waited for: those in TIME_WAIT only where a time was given.
fn open_sockets(monitor: &mut Monitor<'_>, command: &RunSettings) -> usize {
    let sockets = monitor.open_sockets();
    let counts = |state| command.linger.is_some() || state != State::TimeWait;
    sockets.iter().filter(|(now, _)| counts(now.state)).count()
}

/// The timelines of a command's sockets.
struct RunReport<'s> {
    output: &'s OutputSettings,
    shown: ShownRun,
    formatter: Formatter,
    target: TimelineTarget,
    /// Timelines for the end of the command, and how many more there were no room for.
    held_back: Vec<Record>,
    left_out: u64,
    /// Messages for the end of the command.
    sentences: Vec<String>,
    errors: Vec<String>,
    has_hinted: bool,
    /// Standard error, for reports while the command runs.
    messages: Messages,
}

impl MonitorSink for RunReport<'_> {
    fn begin(&mut self, reading: ReadingInfo) {
        self.shown.begin_reading(reading);
        self.formatter.begin_reading(reading);
    }

    fn push(&mut self, events: Vec<MonitorEvent>) {
        let records = self.shown.apply(events);
        self.write_or_hold_back(records);
    }
}

impl<'s> RunReport<'s> {
    fn open(settings: &'s Settings, command: &RunSettings) -> Result<Self> {
        let Settings { output, max_count, poll, .. } = settings;
        let target = TimelineTarget::open(command.output.as_deref())?;
        Ok(Self {
            output,
            shown: ShownRun::open(output, *max_count),
            formatter: Formatter::of_command(output, *max_count, poll.interval, &target),
            target,
            held_back: Vec::new(),
            left_out: 0,
            sentences: Vec::new(),
            errors: Vec::new(),
            has_hinted: false,
            messages: Messages::default(),
        })
    }

    /// Takes in what follows from a reading as a whole.
    fn end_reading(&mut self, monitor: &mut Monitor<'_>) {
        let records = self.shown.end_reading(monitor).records;
        self.sentences.extend(monitor.warnings());
        self.write_or_hold_back(records);
    }

    /// Writes records to a file at once; for standard error they are kept until the command has
    /// ended.
    fn write_or_hold_back(&mut self, records: Vec<Record>) {
        if self.target.is_stderr() {
            let room = MAX_HELD_BACK - self.held_back.len();
            self.left_out += records.len().saturating_sub(room) as u64;
            self.held_back.extend(records.into_iter().take(room));
        } else {
            self.write(records);
        }
    }

    fn write(&mut self, records: Vec<Record>) {
        let bytes = self.formatter.bytes(records);
        if let Err(error) = self.target.write(&bytes) {
            self.errors.push(error.to_string());
        }
    }

    /// Prints the timelines so far where a signal has asked for them.
    fn answer_requests(&mut self, signals: &Signals, monitor: &mut Monitor<'_>) {
        if signals.take_requests().report {
            self.messages.write(self.shown.report(self.output, monitor));
        }
    }

    /// Says once, on a terminal, why the run does not end with the command.
    fn print_wait_hint(&mut self, left: usize, command: &RunSettings) {
        let has_hinted = std::mem::replace(&mut self.has_hinted, true);
        if !has_hinted && command.linger.is_none() && io::stderr().is_terminal() {
            let sockets = counted(left, "socket");
            messages::print([format!(
                "command exited; waiting for {sockets} to close (Ctrl-C to stop, --linger 0s to skip)"
            )]);
        }
    }

    /// Writes the timelines that are left, and the messages.
    fn end(mut self, monitor: &mut Monitor<'_>) {
        let mut records = std::mem::take(&mut self.held_back);
        records.extend(self.shown.current(monitor));
        self.formatter.end_readings();
        self.write(records);
        self.sentences.extend(self.formatter.take_messages());
        if self.left_out > 0 {
            let many = self.left_out;
            self.sentences.push(format!(
                "{many} more timelines dropped while the command was running; use --output FILE"
            ));
        }
        self.sentences.push(monitor.coverage().to_string());
        messages::print_errors(self.errors);
        messages::print(self.sentences);
    }
}
