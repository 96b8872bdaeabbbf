//! When the next poll is due, and whether too much time has passed since the last one.

use super::clock;
use crate::error::{Error, Result};
use crate::model::reading::{Lost, LostReason, Reading, Snapshot};
use crate::model::socket_row::SocketRow;
use crate::model::time::Stamp;
use crate::settings::PollSettings;
use crate::signals::{Signals, Wake};
use log::trace;
use std::time::{Duration, Instant};

/// A poll that is later than planned by more than this leaves a gap.
const GAP_TOLERANCE: Duration = Duration::from_secs(2);
/// In more time than this a whole TIME_WAIT fits between two polls.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// The user is warned after this many stretched intervals in a row: a single one may come of an
/// expensive search for new owners.
const STRETCHES: u32 = 3;

/// Spaces the polls of a source.
#[derive(Debug)]
pub(super) struct PollTimer {
    settings: PollSettings,
    last: Option<LastPoll>,
    /// The shortest time that a poll has taken.
    shortest: Option<Duration>,
    /// A snapshot that is handed out after the gap before it.
    held_back: Option<Snapshot>,
    /// Intervals in a row that were stretched to keep to the share of CPU time.
    stretched: u32,
    has_warned: bool,
    /// The run has ended.
    has_ended: bool,
}

/// When a poll began, on the clocks that decide about the next.
#[derive(Debug, Clone, Copy)]
struct LastPoll {
    start: Instant,
    start_stamp: Stamp,
    cpu: Duration,
}

/// A poll under way.
#[derive(Debug)]
pub(super) struct PollStart {
    start: Instant,
    cpu: Duration,
    /// The poll before, and the interval planned after it.
    planned: Option<(LastPoll, Duration)>,
}

impl PollTimer {
    pub(super) const fn new(settings: PollSettings) -> Self {
        let (last, shortest, held_back) = (None, None, None);
        Self {
            settings,
            last,
            shortest,
            held_back,
            stretched: 0,
            has_warned: false,
            has_ended: false,
        }
    }

    /// The snapshot that was held back after a gap, see [`Self::finish_poll`].
    pub(super) fn take_held_back(&mut self) -> Option<Reading> {
        self.held_back.take().map(Reading::Snapshot)
    }

    /// When the next poll is due; `None` for at once, before the first one.
    pub(super) fn due(&self) -> Option<Instant> {
        self.last.map(|last| last.start + self.interval_after(last))
    }

    /// The time from the start of a poll to the next: the interval that is set, or longer where
    /// polls would take more than their share of a core.
    fn interval_after(&self, last: LastPoll) -> Duration {
        self.least_interval_after(last).max(self.settings.interval)
    }

    /// The interval of which the CPU time since that poll is the allowed share.
    fn least_interval_after(&self, last: LastPoll) -> Duration {
        clock::cpu().saturating_sub(last.cpu).div_f64(self.settings.max_cpu / 100.0)
    }

    /// The gap since the last poll, where the run has ended and was stopped for so long before that
    /// much was missed; once.
    pub(super) fn gap_at_end(&mut self) -> Option<Reading> {
        let last = self.last?;
        let (now, planned) = (clock::stamp(), self.interval_after(last));
        let took = 2 * self.shortest.unwrap_or_default();
        let lost = Lost { time: now, reason: LostReason::Gap, count: None };
        let is_gap = is_gap(now.since(last.start_stamp), planned, took, LONGEST_INTERVAL);
        let is_first = !std::mem::replace(&mut self.has_ended, true);
        (is_first && is_gap && planned <= LONGEST_INTERVAL).then_some(Reading::Lost(lost))
    }

    /// Waits until the next poll is due; false when the run is over.
    pub(super) fn wait(&self, signals: &Signals) -> Result<bool> {
        let Some(due) = self.due() else { return Ok(true) };
        continues(signals.wait(due)?)
    }

    pub(super) fn start_poll(&mut self, warnings: &mut Vec<String>) -> PollStart {
        let planned = self.last.map(|last| (last, self.interval_after(last)));
        if let Some((last, interval)) = planned {
            let is_stretched = self.least_interval_after(last) > self.settings.interval;
            self.stretched = if is_stretched { self.stretched.saturating_add(1) } else { 0 };
            warnings.extend(self.stretch_warning(interval));
        }
        PollStart { start: Instant::now(), cpu: clock::cpu(), planned }
    }

    fn stretch_warning(&mut self, planned: Duration) -> Option<String> {
        let warns = self.stretched == STRETCHES && !std::mem::replace(&mut self.has_warned, true);
        let PollSettings { interval, max_cpu, .. } = self.settings;
        warns.then(|| {
            format!(
                "polling every {planned:.1?} instead of {interval:?}, to stay under {max_cpu}% of \
                 one core (--max-cpu)"
            )
        })
    }

    /// The reading that a poll yields: its snapshot or, if there was a gap before it, the gap.
    pub(super) fn finish_poll(&mut self, poll: &PollStart, snapshot: Snapshot) -> Reading {
        if let Some(lost) = self.record_poll(poll, &snapshot, LONGEST_INTERVAL) {
            self.held_back = Some(snapshot);
            return Reading::Lost(lost);
        }
        Reading::Snapshot(snapshot)
    }

    /// Records when a poll was, and returns the gap before it, if there was one: it came late, or after more than
    /// the `longest` interval.
    pub(super) fn record_poll(
        &mut self,
        poll: &PollStart,
        snapshot: &Snapshot,
        longest: Duration,
    ) -> Option<Lost> {
        let (start, start_stamp, cpu) = (poll.start, snapshot.start, poll.cpu);
        self.last = Some(LastPoll { start, start_stamp, cpu });
        let took = snapshot.end.since(snapshot.start);
        let shortest = self.shortest.map_or(took, |shortest| shortest.min(took));
        self.shortest = Some(shortest);
        // A pause within a poll concerns the rows read after it, and with the next poll those read
        // before it: so from the start of the last poll to the end of this one.
        let (last, interval) = poll.planned?;
        let elapsed = snapshot.start.since(last.start_stamp);
        trace!("poll of {} rows after {elapsed:?}, planned {interval:?}", snapshot.rows.len());
        let until_end = snapshot.end.since(last.start_stamp);
        is_gap(until_end, interval, 2 * shortest, longest).then_some(Lost {
            time: snapshot.start,
            reason: LostReason::Gap,
            count: None,
        })
    }

    /// Leaves CPU time that was used since the last poll, but not for it, out of its share.
    #[cfg(feature = "bpf")]
    pub(super) fn exclude_cpu(&mut self, cpu: Duration) {
        if let Some(last) = &mut self.last {
            last.cpu += cpu;
        }
    }
}

/// An empty vector with the memory of these rows, or less where they were a burst.
pub(super) fn recycled(mut rows: Vec<SocketRow>) -> Vec<SocketRow> {
    let used = rows.len();
    rows.clear();
    rows.shrink_to(used.saturating_mul(4));
    rows
}

/// Whether the run goes on after a wait.
pub(super) const fn continues(wake: Wake) -> Result<bool> {
    match wake {
        Wake::Due | Wake::Woken | Wake::Readable => Ok(true),
        Wake::Ended => Ok(false),
        Wake::ReaderGone => Err(Error::ReaderGone),
    }
}

/// Whether too much can have happened in the time that has `elapsed` since the last poll to go on
/// from it. A poll takes `took`; one was to follow within the `longest` interval.
fn is_gap(elapsed: Duration, planned: Duration, took: Duration, longest: Duration) -> bool {
    elapsed.min(planned) > longest || elapsed > planned + took + GAP_TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_threads_use_stretches_no_interval() {
        let (idle, tcp_info, bound) = (false, false, false);
        let interval = Duration::from_millis(1);
        let timer = PollTimer::new(PollSettings { interval, max_cpu: 1.0, idle, tcp_info, bound });
        let (start, start_stamp) = (Instant::now(), clock::stamp());
        let last = LastPoll { start, start_stamp, cpu: clock::cpu() };
        let busy = || {
            let begun = clock::cpu();
            // A tenth of a second is at most a percent of ten.
            while clock::cpu() < begun + Duration::from_millis(100) {}
        };
        std::thread::scope(|scope| scope.spawn(busy).join()).expect("it ends");
        assert!(timer.interval_after(last) < Duration::from_secs(5), "{timer:?}");
        busy();
        assert!(timer.interval_after(last) >= Duration::from_secs(10), "{timer:?}");
    }

    #[test]
    fn a_late_poll_is_a_gap_only_if_much_was_missed() {
        let s = Duration::from_secs_f64;
        let is_gap = |elapsed, planned| is_gap(s(elapsed), s(planned), s(0.01), LONGEST_INTERVAL);
        assert!(!is_gap(0.1, 0.1));
        assert!(!is_gap(1.9, 0.1), "a busy machine is no gap");
        assert!(is_gap(2.2, 0.1), "a stopped monitor is one");
        assert!(!is_gap(31.0, 30.0));
        assert!(!is_gap(60.1, 60.0), "an interval of a minute is allowed");
        assert!(is_gap(61.0, 61.0), "in a longer one a TIME_WAIT fits");
        assert!(!is_gap(1.0, 3600.0), "a signal has asked for a poll before its time");
    }
}
