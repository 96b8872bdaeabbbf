//! `wait`: waits until a condition on matching sockets holds.

use super::{begin_question, monitor};
use crate::error::{HiddenOwners, Question, Result, UnshownBindings};
use crate::monitor::Monitor;
use crate::monitor::hidden::{BlindSpots, MAX_INCONCLUSIVE_POLLS};
use crate::output::messages;
use crate::output::ready::Ready;
use crate::rules::condition::{Condition, POLLS_TO_TRUST};
use crate::settings::wait::WaitSettings;
use crate::tcp::state::State;
use std::collections::{BTreeMap, HashSet};
use std::io::{self, IsTerminal};

/// Waits, and returns whether the condition came to hold before the time-out. Prints nothing on
/// standard output: the exit status is the answer.
///
/// # Errors
/// What ends the run, or [`crate::error::Error::Inconclusive`].
pub(crate) fn run(wait: &WaitSettings) -> Result<bool> {
    let mut ready = Ready::open(wait.settings.ready_fd)?;
    let signals = begin_question(&wait.settings, wait.timeout)?.ignore_closed_stdout();
    let mut monitor = monitor(&wait.settings)?;
    let (mut readings, mut undecided) = (0, 0);
    while monitor.update(&signals)? {
        ready.announce_first_poll(monitor.polls().taken);
        messages::print(monitor.source_warnings());
        undecided = match evaluate(&mut monitor, &wait.condition) {
            Outcome::Holds(unheld) => {
                messages::print(unheld);
                return Ok(true);
            }
            Outcome::HoldsNot => 0,
            Outcome::Undecided(blind_spots) if undecided + 1 == MAX_INCONCLUSIVE_POLLS => {
                return Err(blind_spots.error(Question::Holds(wait.expression.clone())));
            }
            Outcome::Undecided(_) => undecided + 1,
        };
        readings += 1;
        if readings == 1 && io::stderr().is_terminal() {
            messages::print([format!("waiting for '{}'; Ctrl-C to stop", wait.expression)]);
        }
    }
    messages::print([timed_out(&mut monitor, wait)]);
    Ok(false)
}

enum Outcome {
    /// The condition holds, with a sentence about matching sockets that no process holds.
    Holds(Option<String>),
    HoldsNot,
    /// The condition holds for the sockets that were read, but may not with those of the blind spots.
    Undecided(BlindSpots),
}

fn evaluate(monitor: &mut Monitor<'_>, condition: &Condition) -> Outcome {
    let now = monitor.read_at();
    let counts = condition.count(now, monitor.statuses());
    if condition.holds(counts) != Some(true) {
        return Outcome::HoldsNot;
    }
    if !condition.needs_absence() {
        return Outcome::Holds(None);
    }
    if monitor.polls().taken < POLLS_TO_TRUST {
        return Outcome::HoldsNot;
    }
    let blind_spots = BlindSpots::of(monitor, |state| condition.concerns(state));
    let counts = counts + condition.count(now, &blind_spots.candidates.sockets).as_possible();
    if blind_spots.only_candidates() && condition.holds(counts) == Some(true) {
        // If they matched, the answer would be another one.
        let with_unheld = condition.count(now, &blind_spots.candidates.unheld).as_possible();
        let matters = condition.holds(counts + with_unheld) != Some(true);
        Outcome::Holds(matters.then(|| blind_spots.unheld()))
    } else {
        Outcome::Undecided(blind_spots)
    }
}

/// The sentence for a time-out, with the number of matching sockets by state.
fn timed_out(monitor: &mut Monitor<'_>, wait: &WaitSettings) -> String {
    let concerns = |state| wait.condition.concerns(state);
    let candidates = monitor.possible_matches(concerns);
    let mut states: BTreeMap<State, u64> = BTreeMap::new();
    let mut matching = HashSet::new();
    for socket in monitor.statuses() {
        *states.entry(socket.state).or_default() += 1;
        matching.insert(socket.socket.id);
    }
    let there = if states.is_empty() {
        "no matching socket".to_owned()
    } else {
        let states: Vec<String> =
            states.iter().map(|(state, count)| format!("{state} {count}")).collect();
        format!("matching sockets: {}", states.join(", "))
    };
    let remedy = candidates.remedy.unwrap_or_else(|| monitor.remedy());
    // Some of them are known to match only now.
    let others = candidates.sockets.iter().filter(|now| !matching.contains(&now.socket.id));
    let hidden = match others.count() {
        0 => String::new(),
        sockets => format!("; {}", HiddenOwners { sockets, remedy }),
    };
    let unshown = monitor.unshown_bindings(concerns);
    let unshown =
        if unshown == UnshownBindings::default() { String::new() } else { format!("; {unshown}") };
    format!("timed out waiting for '{}'; {there}{hidden}{unshown}", wait.expression)
}
