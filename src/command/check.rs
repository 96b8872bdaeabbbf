//! `check`: watches for a while, and prints the sockets that violate the limits.

use super::not_seen::NotSeen;
use super::{begin_question, check_ports, monitor, wake_in_time};
use crate::error::{Error, HiddenOwners, Inconclusive, Question, Reason, Result, Unseen};
use crate::model::event::SocketStatus;
use crate::model::time::Stamp;
use crate::monitor::Monitor;
use crate::monitor::hidden::{BlindSpots, MAX_INCONCLUSIVE_POLLS};
use crate::output::formatter::Formatter;
use crate::output::ready::Ready;
use crate::output::{date_and_time, group_key, messages, rows_to_print, write_once};
use crate::rules::check::{Checker, Undecided, Violation};
use crate::settings::check::CheckSettings;
use crate::signals::Signals;
use crate::view::Record;
use crate::view::group::grouped;
use crate::view::socket::SocketRecord;
use std::io::{self, IsTerminal};

/// Prints the violations, the worst first, and returns whether there are any.
///
/// # Errors
/// What ends the run, or [`Error::Inconclusive`].
pub(crate) fn run(check: &CheckSettings) -> Result<bool> {
    if let Some(percent) = check.ports {
        return check_ports::run(check, percent);
    }
    let ready = Ready::open(check.settings.ready_fd)?;
    let signals = begin_question(&check.settings, None)?.ignore_closed_stdout();
    let mut monitor = match &check.from {
        Some(recording) => super::replay::monitor(recording, false, &check.settings, &signals)?,
        None => monitor(&check.settings)?,
    };
    let violations = violations(&mut monitor, check, &signals, ready)?;
    match print(check, &violations) {
        // The exit status is an answer even where nobody reads the output.
        Ok(()) | Err(Error::ReaderGone) => Ok(!violations.is_empty()),
        Err(error) => Err(error),
    }
}

/// Prints the violations, each or counted, as far as they are wanted.
fn print(check: &CheckSettings, violations: &[Violation]) -> Result<()> {
    let (output, max_count) = (&check.settings.output, check.settings.max_count);
    let record =
        |Violation { socket, at, owner }: &Violation| SocketRecord::new(socket, *at, owner.clone());
    let top = rows_to_print(check.top, output);
    let all = match check.by {
        None => {
            let mut formatter = Formatter::of_sockets(output, max_count, false);
            let rows = violations.iter().take(top).map(record);
            write_once(&mut formatter, rows.map(|row| Record::Socket(Box::new(row))))?;
            violations.len()
        }
        Some(key) => {
            let violations: Vec<_> = violations.iter().map(record).collect();
            let groups = grouped(&violations, group_key(key));
            let (all, mut formatter) = (groups.len(), Formatter::of_groups(output, max_count));
            let rows = groups.into_iter().take(top);
            write_once(&mut formatter, rows.map(|row| Record::Group(Box::new(row))))?;
            all
        }
    };
    let rest = all.saturating_sub(top);
    let sentence = || format!("{rest} more are not shown; --top {all} shows all");
    messages::print((rest > 0).then(sentence));
    Ok(())
}

/// What is known of the limits after each reading.
struct Watch<'c> {
    check: &'c CheckSettings,
    checker: Checker<'c>,
    not_seen: NotSeen<'c>,
    /// When the last reading ended that showed sockets.
    now: Stamp,
}

/// Watches until the readings cover the time to watch, and then as long as it is undecided whether
/// there are violations. Returns them, the worst first.
fn violations(
    monitor: &mut Monitor<'_>,
    check: &CheckSettings,
    signals: &Signals,
    mut ready: Ready,
) -> Result<Vec<Violation>> {
    let mut watch = Watch::new(check);
    let mut undecided = 0;
    let mut ends_when_decided = check.ends_when_decided;
    let mut announces = check.from.is_none() && io::stderr().is_terminal();
    loop {
        let (more, sockets) = watch.read(monitor, signals, &mut ready)?;
        let Watch { checker, not_seen, now, .. } = &mut watch;
        let now = *now;
        let is_over = check.duration.is_some_and(|time| checker.watched(now) >= Some(time));
        let is_decided = ends_when_decided && checker.is_decided(now, &sockets);
        if more && !is_over && !is_decided {
            if std::mem::take(&mut announces) {
                messages::print(announcement(check, now));
            }
            continue;
        }
        let violations =
            checker.violations(now, &sockets, &mut |socket| monitor.current_owner(socket));
        if !violations.is_empty() {
            messages::print(checker.sentences(now, &sockets, is_decided && !is_over));
            return Ok(violations);
        }
        // What was missed comes back with no further poll.
        if let Some(error) = not_seen.error() {
            return Err(error);
        }
        let Some(error) = watch.inconclusive(monitor, &sockets) else {
            return Ok(violations);
        };
        if more && !is_over {
            // What hides its owner may be gone before the time is over.
            ends_when_decided = false;
            continue;
        }
        undecided += 1;
        if !more || undecided == MAX_INCONCLUSIVE_POLLS {
            return Err(error);
        }
    }
}

impl<'c> Watch<'c> {
    fn new(check: &'c CheckSettings) -> Self {
        let (checker, not_seen) = (Checker::new(&check.limits), NotSeen::new(check));
        Self { check, checker, not_seen, now: Stamp::default() }
    }

    /// Waits for the next reading. Returns whether there was one, and the sockets after it that the
    /// limits concern.
    fn read(
        &mut self,
        monitor: &mut Monitor<'_>,
        signals: &Signals,
        ready: &mut Ready,
    ) -> Result<(bool, Vec<SocketStatus>)> {
        let polls_before = monitor.polls().taken;
        wake_in_time(signals, self.check.duration, self.checker.watched(monitor.read_at()));
        let more = monitor.update(signals)?;
        messages::print(monitor.source_warnings());
        let unseen = monitor.take_unseen();
        // What became of the sockets meanwhile is not known before the next poll.
        if more && !unseen.iter().any(|unseen| matches!(unseen, Unseen::Readings(..))) {
            self.now = monitor.read_at();
        }
        let concerned = |now: &SocketStatus| self.check.limits.concern(now.state);
        let sockets: Vec<SocketStatus> = monitor.statuses().filter(concerned).collect();
        ready.announce_first_poll(monitor.polls().taken);
        self.apply_polls(monitor, polls_before, &sockets);
        self.not_seen.note(unseen, self.checker.watched(self.now).is_some());
        Ok((more, sockets))
    }

    /// Counts the sockets of a reading and those that may match, if it was a poll. Begins again where
    /// another run of a recording has begun.
    fn apply_polls(
        &mut self,
        monitor: &mut Monitor<'_>,
        polls_before: u64,
        sockets: &[SocketStatus],
    ) {
        let Self { check, checker, now, .. } = self;
        let polls = monitor.polls().taken;
        if polls < polls_before {
            checker.restart();
        }
        if polls <= polls_before {
            return;
        }
        checker.apply_poll(*now, sockets, &mut |socket| monitor.current_owner(socket));
        let concerns = |state| check.limits.concern(state);
        let doubtful = monitor.doubtful(concerns);
        if checker.note_doubtful(*now, sockets, &doubtful) {
            checker.review(*now, sockets, &monitor.possible_matches(concerns).sockets);
        }
    }

    /// Why it is not certain that there are no violations; `None` where it is.
    fn inconclusive(&self, monitor: &mut Monitor<'_>, sockets: &[SocketStatus]) -> Option<Error> {
        let Self { check, checker, now, .. } = self;
        let blind_spots = BlindSpots::of(monitor, |state| check.limits.concern(state));
        let question = Question::NoViolations;
        let because =
            |reason| Some(Inconclusive { question: Question::NoViolations, reason }.into());
        match checker.undecided(*now, sockets, &blind_spots.candidates.sockets) {
            Some(Undecided::TooFewPolls) => because(Reason::TooFewPolls),
            Some(Undecided::UnknownAge) => because(Reason::UnknownAge),
            Some(Undecided::Candidates) => Some(blind_spots.error(question)),
            Some(Undecided::PastCandidates(sockets)) => {
                let remedy = monitor.remedy();
                because(Reason::HiddenOwners(HiddenOwners { sockets, remedy }))
            }
            None if !blind_spots.only_candidates() => Some(blind_spots.error(question)),
            None => {
                // If they matched, the answer would be another one.
                let unheld = checker.undecided(*now, sockets, &blind_spots.candidates.unheld);
                messages::print(unheld.map(|_| blind_spots.unheld()));
                None
            }
        }
    }
}

/// What a terminal shows while `check` watches from this instant on; `None` for nothing.
fn announcement(check: &CheckSettings, now: Stamp) -> Option<String> {
    let time = check.duration.filter(|time| !time.is_zero())?;
    let end = date_and_time(now.after(time), &check.settings.output);
    let most = if check.ends_when_decided { " at the latest" } else { "" };
    Some(format!("watching for {} until {end}{most}; Ctrl-C to stop", check.limits))
}
