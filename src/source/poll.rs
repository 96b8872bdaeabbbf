//! When the next poll is due, and whether too much time went by before it.

use super::clock;
use crate::error::{Error, Result};
use crate::model::reading::{Lost, LostReason, Reading, Snapshot};
use crate::model::socket_row::SocketRow;
use crate::model::time::Stamp;
use crate::settings::PollSettings;
use crate::signals::{Signals, Wake};
use std::time::{Duration, Instant};

/// A pass this much later than planned is no late pass but a gap.
const GRACE: Duration = Duration::from_secs(2);
/// After this long a whole TIME_WAIT may have come and gone unseen.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// So many stretched intervals in a row are no single dear look at new owners.
const STRETCHES: u32 = 3;

/// Keeps a pace from pass to pass.
#[derive(Debug)]
pub(super) struct PollTimer {
    pace: PollSettings,
    last: Option<Pass>,
    /// The shortest time a pass has taken.
    quickest: Option<Duration>,
    /// Read, but told after the gap before it.
    held_back: Option<Snapshot>,
    /// Passes in a row that took more than their share.
    stretched: u32,
    stretch_told: bool,
}

/// When a pass began, on the clocks that decide about the next.
#[derive(Debug, Clone, Copy)]
struct Pass {
    start: Instant,
    began: Stamp,
    cpu: Duration,
}

/// A pass that goes on.
#[derive(Debug)]
pub(super) struct PollStart {
    start: Instant,
    cpu: Duration,
    /// The pass before, and how long after it this one was due.
    planned: Option<(Pass, Duration)>,
}

impl PollTimer {
    pub(super) const fn new(pace: PollSettings) -> Self {
        let (last, quickest, held_back) = (None, None, None);
        Self { pace, last, quickest, held_back, stretched: 0, stretch_told: false }
    }

    /// What was read already.
    pub(super) fn held_back(&mut self) -> Option<Reading> {
        self.held_back.take().map(Reading::Snapshot)
    }

    /// When the next pass is due: at once if there was none, so that the first look waits for
    /// nothing, however short the run.
    pub(super) fn due(&self) -> Option<Instant> {
        self.last.map(|last| last.start + self.planned(last))
    }

    /// How long after the start of the last pass the next one is due: the interval, or longer
    /// where polling would take more than its share of a core.
    fn planned(&self, last: Pass) -> Duration {
        self.share(last).max(self.pace.interval)
    }

    /// The interval that what was done since the last pass is the allowed share of.
    fn share(&self, last: Pass) -> Duration {
        clock::cpu().saturating_sub(last.cpu).div_f64(self.pace.max_cpu / 100.0)
    }

    /// Waits until the next pass is due; false when the run is over.
    pub(super) fn wait(&self, stop: &Signals) -> Result<bool> {
        let Some(due) = self.due() else { return Ok(true) };
        goes_on(stop.wait(due)?)
    }

    pub(super) fn begin(&mut self, notices: &mut Vec<String>) -> PollStart {
        let planned = self.last.map(|last| (last, self.planned(last)));
        if let Some((last, planned)) = planned {
            let stretched = self.share(last) > self.pace.interval;
            self.stretched = if stretched { self.stretched.saturating_add(1) } else { 0 };
            notices.extend(self.stretch_notice(planned));
        }
        PollStart { start: Instant::now(), cpu: clock::cpu(), planned }
    }

    fn stretch_notice(&mut self, planned: Duration) -> Option<String> {
        let tell = self.stretched == STRETCHES && !std::mem::replace(&mut self.stretch_told, true);
        let PollSettings { interval, max_cpu } = self.pace;
        tell.then(|| {
            format!(
                "polling every {planned:.1?} instead of {interval:?}, to stay under {max_cpu}% of \
                 one core (--max-cpu)"
            )
        })
    }

    /// What is to be said of a pass: that there was a gap before it, or what it has seen.
    pub(super) fn end(&mut self, pass: &PollStart, snapshot: Snapshot) -> Reading {
        if let Some(lost) = self.note(pass, &snapshot) {
            self.held_back = Some(snapshot);
            return Reading::Lost(lost);
        }
        Reading::Snapshot(snapshot)
    }

    /// Takes down when a pass was, and says whether there was a gap before it.
    pub(super) fn note(&mut self, pass: &PollStart, snapshot: &Snapshot) -> Option<Lost> {
        self.last = Some(Pass { start: pass.start, began: snapshot.start, cpu: pass.cpu });
        let took = snapshot.end.since(snapshot.start);
        let quickest = self.quickest.map_or(took, |quickest| quickest.min(took));
        self.quickest = Some(quickest);
        // A pause within a pass is one for the rows read after it, and for those before it the
        // next time: so from the start of the last pass to the end of this one.
        let (last, planned) = pass.planned?;
        is_gap(snapshot.end.since(last.began), planned, 2 * quickest).then_some(Lost {
            time: snapshot.start,
            reason: LostReason::Gap,
            count: None,
        })
    }

    /// This CPU time since the last pass was not spent for it.
    pub(super) fn excuse(&mut self, cpu: Duration) {
        if let Some(last) = &mut self.last {
            last.cpu += cpu;
        }
    }
}

/// The room of rows that are done with; what a burst needed is given back.
pub(super) fn emptied(mut rows: Vec<SocketRow>) -> Vec<SocketRow> {
    let used = rows.len();
    rows.clear();
    rows.shrink_to(used.saturating_mul(4));
    rows
}

/// Whether a wait ended because there is something to do.
pub(super) const fn goes_on(wake: Wake) -> Result<bool> {
    match wake {
        Wake::Due | Wake::Readable => Ok(true),
        Wake::Ended => Ok(false),
        Wake::ReaderGone => Err(Error::ReaderGone),
    }
}

/// Whether too much can have happened between two passes, which `took` so long, to go on from the
/// one to the other.
fn is_gap(elapsed: Duration, planned: Duration, took: Duration) -> bool {
    planned > LONGEST_WAIT || elapsed > planned + took + GRACE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_pass_is_a_gap_only_if_much_was_missed() {
        let s = Duration::from_secs_f64;
        let is_gap = |elapsed, planned| is_gap(s(elapsed), s(planned), s(0.01));
        assert!(!is_gap(0.1, 0.1));
        assert!(!is_gap(1.9, 0.1), "a busy machine is no gap");
        assert!(is_gap(2.2, 0.1), "a stopped monitor is one");
        assert!(!is_gap(31.0, 30.0));
        assert!(!is_gap(60.1, 60.0), "an interval of a minute is allowed");
        assert!(is_gap(61.0, 61.0), "in a longer one a TIME_WAIT fits");
    }
}
