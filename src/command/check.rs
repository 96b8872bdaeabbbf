//! `check`: watches for a while, and prints the sockets that are stuck, too many or growing in
//! number.

use super::{die_as_a_shell_reports, hint, monitor, stop};
use crate::error::{Error, Result};
use crate::model::event::SocketStatus;
use crate::monitor::Monitor;
use crate::monitor::hidden::{Inconclusive, MAX_INCONCLUSIVE_POLLS};
use crate::output::Output;
use crate::output::ready::Ready;
use crate::output::stderr::tell;
use crate::rules::check::{Checker, Open, Violation};
use crate::settings::check::Check;
use crate::signals::Signals;
use crate::view::Record;
use crate::view::socket::SocketRecord;
use std::io::{self, IsTerminal};

/// Prints the offenders, the worst first, and returns whether there are any.
///
/// # Errors
/// What ends the run, or an answer that cannot be known.
pub fn run(check: &Check) -> Result<bool> {
    let ready = Some(Ready::open(check.settings.ready_fd)?);
    die_as_a_shell_reports()?;
    hint(&check.settings);
    let stop = stop(&check.settings, None)?.ignore_closed_stdout();
    let mut monitor = match &check.from {
        Some(recording) => super::replay::monitor(recording, false, &check.settings, &stop)?,
        None => monitor(&check.settings)?,
    };
    let time = check.duration.filter(|time| !time.is_zero() && io::stderr().is_terminal());
    tell(time.map(|time| format!("watching for {time:?}; Ctrl-C ends")));
    let offenders = offenders(&mut monitor, check, &stop, ready)?;
    let mut output = Output::sockets(&check.settings.print, check.settings.max_count, true);
    let record = |Violation { socket, at, owner }: &Violation| {
        Record::Socket(Box::new(SocketRecord::new(socket, *at, owner)))
    };
    let records = offenders.iter().map(record);
    match output.write_all(records, &stop) {
        // The exit status is for whoever does not read, too.
        Ok(()) | Err(Error::ReaderGone) => Ok(!offenders.is_empty()),
        Err(error) => Err(error),
    }
}

/// Watches until the time is over by the readings, then for as long as the answer is open.
fn offenders(
    monitor: &mut Monitor<'_>,
    check: &Check,
    stop: &Signals,
    mut ready: Option<Ready>,
) -> Result<Vec<Violation>> {
    let mut judge = Checker::new(&check.limits);
    let mut open_looks = 0;
    loop {
        let before = monitor.polls().taken;
        let more = monitor.update(stop)?;
        tell(monitor.source_warnings());
        let now = monitor.read_at();
        let concerned = |now: &SocketStatus| check.limits.concern(now.state);
        let sockets: Vec<SocketStatus> = monitor.statuses().filter(concerned).collect();
        let polls = monitor.polls().taken;
        if polls > 0
            && let Some(ready) = ready.take()
        {
            ready.announce();
        }
        if polls < before {
            judge.begin_anew();
        }
        if polls > before {
            judge.look(now, &sockets, &mut |socket| monitor.current_owner(socket));
        }
        let over = check.duration.is_some_and(|time| judge.watched(now) >= Some(time));
        if more && !over {
            continue;
        }
        let offenders = judge.offenders(now, &sockets, &mut |socket| monitor.current_owner(socket));
        if !offenders.is_empty() {
            tell(judge.charges(&sockets));
            return Ok(offenders);
        }
        let Some(error) = unknown(monitor, &judge, &sockets) else { return Ok(offenders) };
        open_looks += 1;
        if !more || open_looks == MAX_INCONCLUSIVE_POLLS {
            return Err(error);
        }
    }
}

/// Why it cannot be told that nothing is wrong.
fn unknown(
    monitor: &mut Monitor<'_>,
    judge: &Checker<'_>,
    sockets: &[SocketStatus],
) -> Option<Error> {
    let inconclusive = Inconclusive::of(monitor);
    let question = "whether nothing is wrong";
    let because = |reason: &str| Error::NotKnown(format!("{question} cannot be told: {reason}"));
    match judge.open(monitor.read_at(), sockets, &inconclusive.candidates) {
        Some(Open::PollCount) => Some(because("there were fewer than two looks")),
        Some(Open::Watched) => Some(because(
            "sockets were in such a state from the first look on, for an unknown time",
        )),
        Some(Open::Candidates) => Some(inconclusive.error(question)),
        None if !inconclusive.all_rows_read() => Some(inconclusive.error(question)),
        None => None,
    }
}
