//! One file per command. `follow` is the loop of the commands that show a run, `open_source` opens
//! the source that the settings name.

pub(crate) mod check;
mod check_ports;
pub(crate) mod explain;
#[cfg(feature = "export")]
pub(crate) mod export;
mod follow;
pub(crate) mod list;
mod netns;
mod not_seen;
mod open_source;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod schema;
#[cfg(feature = "tui")]
mod top;
pub(crate) mod wait;
pub(crate) mod watch;

use crate::cli::{Options, OwnersName};
use crate::error::{Error, ProcessError, Result, no_process};
use crate::monitor::Monitor;
use crate::output::messages;
use crate::owner::scan::Scan;
use crate::owner::scan::pids::WrongPid;
use crate::owner::scan::survey::SurveyedOwners;
use crate::owner::{OwnerLookup, OwnersBy};
use crate::recorder::Recorder;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::source::Source;
use crate::source::net_limits::LimitFiles;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The time to the next poll, if one is needed before the interval is over.
const SOON: Duration = Duration::from_millis(100);

/// Checks the options of a command, and prints hints about those that were probably meant otherwise.
///
/// # Errors
/// Wrong usage.
pub(crate) fn checked(options: impl Into<Options>) -> Result<Settings> {
    let settings = Settings::new(options)?;
    print_hints(&settings);
    Ok(settings)
}

/// Catches the signals that the run needs. It ends after `duration` at the latest.
fn signals(settings: &Settings, duration: Option<Duration>) -> Result<Signals> {
    let mut signals = Signals::new(duration)?;
    if settings.record.is_some() {
        signals.reopen_on_hangup()?;
    }
    Ok(signals)
}

/// Begins a command that answers a question: until it does, SIGINT and SIGTERM end the process, and
/// without an answer.
fn begin_question(settings: &Settings, timeout: Option<Duration>) -> Result<Signals> {
    exit_128_plus_signal()?;
    print_hints(settings);
    signals(settings, timeout)
}

/// Lets the polls come that an answer takes, however long the interval: soon the second one, from
/// which on the time is counted that was `watched`, and another one when that time is over.
fn wake_in_time(signals: &Signals, duration: Option<Duration>, watched: Option<Duration>) {
    let left = |time: Duration| watched.map_or(SOON, |watched| time.saturating_sub(watched));
    if let Some(time) = duration {
        signals.wake_within(left(time).max(SOON));
    }
}

/// Prints the hints about options that were probably meant otherwise. With `--quiet` neither these
/// nor any later warnings are printed.
fn print_hints(settings: &Settings) {
    if settings.quiet {
        messages::be_quiet();
    }
    messages::print(settings.hints.iter().cloned());
}

/// The monitor that the settings ask for.
fn monitor(settings: &Settings) -> Result<Monitor<'_>> {
    monitor_of(open_source::open(settings)?, settings)
}

/// The monitor of this source, recorded if the settings ask for it.
fn monitor_of(source: Box<dyn Source>, settings: &Settings) -> Result<Monitor<'_>> {
    let tree = settings.filter.process.tree.clone();
    let by = match settings.owners {
        OwnersName::Proc => OwnersBy::Proc,
        OwnersName::Bpf => OwnersBy::Bpf,
        OwnersName::Auto => OwnersBy::Auto,
    };
    let scan = Scan::new(&settings.procfs).following(tree).by(by).map_err(Error::Owners)?;
    let scope = netns::scope(settings, scan.processes())?;
    let scan = scan.of_namespaces(scope);
    let missing = scan.check_pids(&settings.filter.process).map_err(|wrong| match wrong {
        WrongPid::Missing(pid) => {
            let remedy = (!scan.processes().lists_all()).then(|| scan.remedy());
            ProcessError::Missing { pid, remedy }
        }
        WrongPid::Thread { thread, process } => ProcessError::Thread { thread, process },
    })?;
    let all_listed = missing.is_empty() || scan.processes().lists_all();
    messages::print(missing.iter().map(|pid| no_process(*pid, all_listed)));
    let monitor = if let Some(record) = &settings.record {
        let recorder = Recorder::open(record, source.interface(), settings.poll.interval)?;
        let owners = Box::new(SurveyedOwners::new(scan));
        Monitor::new(source, owners, &settings.filter).recorded_by(recorder)
    } else {
        Monitor::new(source, Box::new(scan), &settings.filter)
    };
    // The limits of several namespaces are not compared with their sockets.
    Ok(if settings.netns.is_empty() {
        monitor.with_limits(LimitFiles::of(&settings.procfs))
    } else {
        monitor
    })
}

/// From now on SIGINT and SIGTERM end the process at once, with the status 130 or 143: a question that
/// is interrupted has no answer.
fn exit_128_plus_signal() -> Result<()> {
    let now = Arc::new(AtomicBool::new(true));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&now))
            .map_err(|cause| Error::System { what: "catch signals", cause })?;
    }
    Ok(())
}
