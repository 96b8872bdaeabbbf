//! `check --ports`: whether connections to one remote end use up the local ports.

use super::not_seen::NotSeen;
use super::{begin_question, monitor, replay, wake_in_time};
use crate::error::{Inconclusive, Question, Reason, Result};
use crate::model::net_limits::PortRange;
use crate::monitor::Monitor;
use crate::output::formatter::Formatter;
use crate::output::ready::Ready;
use crate::output::{messages, rows_to_print, write_once};
use crate::settings::check::CheckSettings;
use crate::signals::Signals;
use crate::view::Record;
use crate::view::port_usage::{PortRecord, port_usage};
use std::collections::HashMap;
use std::time::Duration;

/// Two polls: a single one may skip a row.
const POLLS: u64 = 2;

/// Prints the remote ends towards which so many percent of the ports are in use, and returns whether
/// there are any.
///
/// # Errors
/// What ends the run, or [`crate::error::Error::Inconclusive`].
pub(super) fn run(check: &CheckSettings, percent: f64) -> Result<bool> {
    let ready = Ready::open(check.settings.ready_fd)?;
    let signals = begin_question(&check.settings, None)?.ignore_closed_stdout();
    let mut monitor = match &check.from {
        Some(recording) => replay::monitor(recording, false, &check.settings, &signals)?,
        None => monitor(&check.settings)?,
    };
    let violations = violations(&mut monitor, check, percent, &signals, ready)?;
    print(check, violations)
}

fn print(check: &CheckSettings, violations: Vec<PortRecord>) -> Result<bool> {
    let found = !violations.is_empty();
    let top = rows_to_print(check.top, &check.settings.output);
    let rest = violations.len().saturating_sub(top);
    let mut formatter = Formatter::of_ports(&check.settings.output, check.settings.max_count);
    let all = violations.len();
    let rows = violations.into_iter().take(top);
    let written = write_once(&mut formatter, rows.map(|row| Record::Ports(Box::new(row))));
    let sentence = || format!("{rest} more are not shown; --top {all} shows all");
    messages::print((rest > 0).then(sentence));
    match written {
        // The exit status is an answer even where nobody reads the output.
        Ok(()) | Err(crate::error::Error::ReaderGone) => Ok(found),
        Err(error) => Err(error),
    }
}

/// The remote ends to which at least so many percent of the ports were in use at a poll, the highest
/// use of each.
fn violations(
    monitor: &mut Monitor<'_>,
    check: &CheckSettings,
    percent: f64,
    signals: &Signals,
    mut ready: Ready,
) -> Result<Vec<PortRecord>> {
    let mut highest: HashMap<_, PortRecord> = HashMap::new();
    let (mut polls, mut unread, mut start, mut is_assumed) = (0, None, None, false);
    let mut not_seen = NotSeen::new(check);
    while monitor.update(signals)? {
        not_seen.note(monitor.take_unseen(), start.is_some());
        messages::print(monitor.source_warnings());
        let (now, taken) = (monitor.read_at(), monitor.polls());
        ready.announce_first_poll(taken.taken);
        let start = *start.get_or_insert(now);
        if !std::mem::replace(&mut is_assumed, true) && monitor.net_limits().ports.is_none() {
            messages::print([assumption()]);
        }
        let range = monitor.net_limits().ports.unwrap_or(PortRange::DEFAULT);
        for usage in port_usage(monitor.with_wanted_addrs(), range, now, percent) {
            let end = (usage.netns, usage.local_addr, usage.remote_addr, usage.remote_port);
            if highest.get(&end).is_none_or(|known| known.used < usage.used) {
                highest.insert(end, usage);
            }
        }
        (polls, unread) = (polls + 1, taken.unread());
        let watched = now.since(start);
        let is_over = check.duration.is_some_and(|time| watched >= time && taken.taken >= POLLS);
        let is_clear = check.duration == Some(Duration::ZERO) && !highest.is_empty();
        if is_over || is_clear {
            break;
        }
        wake_in_time(signals, check.duration, (polls >= POLLS).then_some(watched));
    }
    let because = |reason| Err(Inconclusive { question: Question::NoViolations, reason }.into());
    not_seen.note(monitor.take_unseen(), true);
    if let Some(error) = not_seen.error().filter(|_| highest.is_empty()) {
        return Err(error);
    }
    if highest.is_empty() && polls < POLLS {
        return because(Reason::TooFewPolls);
    }
    if let Some(reason) = unread.filter(|_| highest.is_empty()) {
        return because(reason);
    }
    let mut violations: Vec<PortRecord> = highest.into_values().collect();
    violations.sort_by(|a, b| {
        let end = |usage: &PortRecord| (usage.local_addr, usage.remote_addr, usage.remote_port);
        b.used.cmp(&a.used).then_with(|| end(a).cmp(&end(b)))
    });
    Ok(violations)
}

/// What is taken for granted where the range that is set is not known.
fn assumption() -> String {
    let PortRange { first, last, .. } = PortRange::DEFAULT;
    format!(
        "the range of local ports is not known here; that of the kernel, {first} to {last}, is assumed"
    )
}
