//! `wait`: until a condition on matching sockets holds.

use super::{die_as_a_shell_reports, hint, monitor, stop};
use crate::error::Result;
use crate::monitor::Monitor;
use crate::monitor::hidden::{Inconclusive, MAX_INCONCLUSIVE_POLLS, hidden_sentence};
use crate::output::ready::Ready;
use crate::output::stderr::tell;
use crate::rules::condition::{Condition, StateCounts};
use crate::settings::wait::Wait;
use std::io::{self, IsTerminal};

/// An absence is believed after this many looks: a single one may skip a row.
const LOOKS_FOR_ABSENCE: u64 = 2;

/// Waits, and returns whether the condition came to hold before the time-out. Prints nothing on
/// standard output: the exit status is the answer.
///
/// # Errors
/// What ends the run, or an answer that cannot be known.
pub fn run(wait: &Wait) -> Result<bool> {
    let mut ready = Some(Ready::open(wait.settings.ready_fd)?);
    die_as_a_shell_reports()?;
    hint(&wait.settings);
    let stop = stop(&wait.settings, wait.timeout)?.ignore_closed_stdout();
    let mut monitor = monitor(&wait.settings)?;
    let (mut polls, mut open) = (0, 0);
    while monitor.update(&stop)? {
        if monitor.polls().taken > 0
            && let Some(ready) = ready.take()
        {
            ready.announce();
        }
        tell(monitor.source_warnings());
        open = match answer(&mut monitor, &wait.condition) {
            Answer::Holds => return Ok(true),
            Answer::HoldsNot => 0,
            Answer::Open(inconclusive) if open + 1 == MAX_INCONCLUSIVE_POLLS => {
                return Err(inconclusive.error(&format!("whether '{}' holds", wait.condition)));
            }
            Answer::Open(_) => open + 1,
        };
        polls += 1;
        if polls == 1 && io::stderr().is_terminal() {
            tell([format!("waiting for '{}'; Ctrl-C ends", wait.condition)]);
        }
    }
    tell([timed_out(&mut monitor, wait)]);
    Ok(false)
}

enum Answer {
    Holds,
    HoldsNot,
    /// It holds, unless sockets that were not seen make it untrue.
    Open(Inconclusive),
}

fn answer(monitor: &mut Monitor<'_>, condition: &Condition) -> Answer {
    let mut census = census(monitor);
    if condition.holds(&census) != Some(true) {
        return Answer::HoldsNot;
    }
    if !condition.needs_absence() {
        return Answer::Holds;
    }
    if monitor.polls().taken < LOOKS_FOR_ABSENCE {
        return Answer::HoldsNot;
    }
    let inconclusive = Inconclusive::of(monitor);
    inconclusive.candidates.iter().for_each(|now| census.count_possible(now.state));
    if inconclusive.all_rows_read() && condition.holds(&census) == Some(true) {
        Answer::Holds
    } else {
        Answer::Open(inconclusive)
    }
}

/// The matching sockets by state.
fn census(monitor: &Monitor<'_>) -> StateCounts {
    let mut census = StateCounts::default();
    for now in monitor.statuses() {
        census.count_standing(&now);
    }
    census
}

/// Why it did not come: what there is instead.
fn timed_out(monitor: &mut Monitor<'_>, wait: &Wait) -> String {
    let there = match census(monitor).to_string() {
        none if none.is_empty() => "no matching socket".to_owned(),
        some => format!("matching sockets: {some}"),
    };
    let more = match monitor.candidates().len() {
        0 => String::new(),
        candidates => format!("; {}", hidden_sentence(candidates)),
    };
    format!("'{}' did not come to hold in time; {there}{more}", wait.condition)
}
