//! `run`: runs a command, and prints the timelines of its sockets and of those of its children.

use super::{SOON, monitor, print_hints};
use crate::cli::RunOptions;
use crate::error::{Error, Result};
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
use signal_hook::consts::SIGINT;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::{Duration, Instant};

mod child;

/// How many timelines are kept until the command has ended, so that they do not mix with what it
/// prints: a few megabytes. Only a file takes more.
const MAX_HELD_BACK: usize = 10_000;

/// How long a process that the command has left behind gets to open a socket, and how long a wait is
/// that needs no explanation.
const CHILD_GRACE: Duration = Duration::from_secs(1);

/// Runs the command and returns its status, as a shell would. Polling begins before it does.
///
/// # Errors
/// Wrong usage, and what keeps the command from being followed at all.
pub(crate) fn run(options: RunOptions) -> Result<ExitCode> {
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
    report.end(&mut monitor, status == 0);
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
        report.follows_echo |= forwarded.contains(&SIGINT);
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
            signals.wake_within(Duration::ZERO);
            ended = Some((monitor.polls().taken, now));
            continue;
        };
        // Only a poll that began after its end shows what the command has left behind.
        if monitor.polls().taken > polls {
            let left = open_sockets(monitor, command);
            if !left.is_empty() && at.elapsed() > CHILD_GRACE {
                report.say_what_it_waits_for(|| {
                    wait_sentence(&left, child.left_others(), command.linger)
                });
            } else if left.is_empty() && (!child.left_others() || at.elapsed() > CHILD_GRACE) {
                break;
            }
            // However long the interval: after as much time as has passed since the end.
            signals.wake_within(at.elapsed().max(SOON));
        }
    }
    Ok(())
}

/// The states of the sockets that are waited for: TIME_WAIT only where a time was given.
fn open_sockets(monitor: &mut Monitor<'_>, command: &RunSettings) -> Vec<State> {
    let sockets = monitor.open_sockets();
    let counts = |state: &State| command.linger.is_some() || *state != State::TimeWait;
    sockets.iter().map(|(now, _)| now.state).filter(counts).collect()
}

/// Why the run does not end with its command, for how long at most, and how to end it. `are_held`:
/// processes that the command has started still run.
fn wait_sentence(left: &[State], are_held: bool, linger: Option<Duration>) -> String {
    let mut states = left.to_vec();
    states.sort_unstable();
    let sockets = match states.as_slice() {
        [state] => format!("1 socket in {state}"),
        states => {
            let groups = states.chunk_by(|a, b| a == b);
            let counts: Vec<_> =
                groups.map(|group| format!("{} {}", group.len(), group[0])).collect();
            format!("{} sockets ({})", states.len(), counts.join(", "))
        }
    };
    let limit = match linger {
        Some(linger) => format!("for {linger:?} at most"),
        None if are_held => "as long as processes that it has started hold them".to_owned(),
        // tcp_fin_timeout, of a socket that no process holds.
        None if left.iter().all(|state| *state == State::FinWait2) => {
            "60s at most unless the kernel is configured otherwise".to_owned()
        }
        None => "until the kernel gives up".to_owned(),
    };
    format!(
        "the command has exited; waiting for {sockets} to close, {limit}; Ctrl-C ends the wait and \
         prints the timelines, --linger 0s does not wait"
    )
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
    /// A terminal has echoed `^C`, perhaps behind what the command has printed.
    follows_echo: bool,
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
            follows_echo: false,
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

    /// Prints a sentence the first time: a script that runs a command has to know as well why
    /// nothing goes on.
    fn say_what_it_waits_for(&mut self, sentence: impl FnOnce() -> String) {
        if !std::mem::replace(&mut self.has_hinted, true) {
            messages::print([sentence()]);
        }
    }

    /// Writes the timelines that are left, and the messages. A command without `success` may have been
    /// one that could not connect.
    fn end(mut self, monitor: &mut Monitor<'_>, success: bool) {
        let mut records = std::mem::take(&mut self.held_back);
        records.extend(self.shown.current(monitor));
        if self.follows_echo && io::stderr().is_terminal() {
            messages::write(b"\n");
        }
        self.formatter.end_readings();
        self.write(records);
        self.sentences.extend(self.formatter.take_messages());
        if self.left_out > 0 {
            let many = self.left_out;
            self.sentences.push(format!(
                "{many} more timelines dropped while the command was running; use --output FILE"
            ));
        }
        let coverage = monitor.coverage();
        if !success && coverage.has_all() && coverage.sockets == 0 {
            let sentence = "no matching socket reached a state; where there is no route to the \
                            destination, connect() fails before that";
            self.sentences.push(sentence.to_owned());
        }
        self.sentences.push(coverage.to_string());
        messages::print_errors(self.errors);
        messages::print(self.sentences);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Established, FinWait2, LastAck};

    #[test]
    fn a_wait_is_explained_with_its_limit() {
        let says = |left: &[State], are_held, linger, words: &str| {
            let sentence = wait_sentence(left, are_held, linger);
            assert!(sentence.contains(words), "{sentence}");
        };
        let linger = Some(Duration::from_secs(5));
        says(&[FinWait2], false, None, "1 socket in FIN_WAIT2 to close, 60s at most unless");
        says(&[FinWait2], true, linger, "1 socket in FIN_WAIT2 to close, for 5s at most;");
        says(&[Established], true, None, "as long as processes that it has started hold them;");
        says(
            &[FinWait2, LastAck, FinWait2],
            false,
            None,
            "3 sockets (1 LAST_ACK, 2 FIN_WAIT2) to close, until the kernel gives up;",
        );
    }
}
