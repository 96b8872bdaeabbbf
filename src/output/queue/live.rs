//! The stream of a live run, whose reader is not waited for: no poll is late because he is slow, and
//! what he has not read does not grow without bound.

use super::{Outbox, Patience};
use crate::error::Result;
use crate::model::reading::{Lost, LostReason};
use crate::model::time::Stamp;
use crate::monitor::sink::ReadingInfo;
use crate::signals::Signals;
use crate::view::Record;
use std::io;
use std::time::{Duration, Instant};

/// Bytes that wait for a reader at most: a quarter of what following 100,000 sockets may take, and
/// 30,000 events as JSON: seconds of a busy machine.
const MOST: usize = 16 << 20;
/// With this many waiting, the rest of a large look is not made faster than it is read, as long as
/// no poll is late for it.
const MANY: usize = 1 << 20;

/// The reading whose records are to be written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Turn {
    /// When it ended.
    pub at: Stamp,
    /// When the next one is due, as far as that is known.
    pub due: Option<Instant>,
}

impl From<ReadingInfo> for Turn {
    fn from(reading: ReadingInfo) -> Self {
        Self { at: reading.at, due: reading.due }
    }
}

/// Records on their way to a reader who may be slow.
pub(crate) struct Live {
    outbox: Outbox,
    /// The time between two readings.
    interval: Duration,
    /// Bytes that may wait.
    most: usize,
    /// The reading at hand.
    turn: Turn,
    /// Until when its records may wait for room; `None` before the first of them.
    deadline: Option<Instant>,
    /// What found no room since the last that did.
    lost: Option<Lost>,
}

impl Live {
    /// Takes standard output.
    ///
    /// # Errors
    /// What the system refuses.
    pub(crate) fn open(interval: Duration, stop: &Signals) -> Result<Self> {
        let outbox = Outbox::to(&io::stdout(), stop.waker()?)?;
        Ok(Self { outbox, interval, most: MOST, turn: Turn::default(), deadline: None, lost: None })
    }

    /// The records to come are of this reading.
    pub(crate) const fn begin_turn(&mut self, turn: Turn) {
        (self.turn, self.deadline) = (turn, None);
    }

    /// Lets the reader take what is there before more of the same reading is made. All records of
    /// one wait until the same instant: names may take half of an interval, looking and laying out
    /// take their part, too.
    pub(crate) fn let_read(&mut self) {
        if let Some(deadline) = self.deadline {
            self.outbox.wait_below(MANY.min(self.most), deadline);
        } else {
            self.deadline = Some(self.new_deadline());
        }
    }

    fn new_deadline(&self) -> Instant {
        let now = Instant::now();
        let left = self.turn.due.map_or(Duration::ZERO, |due| due.saturating_duration_since(now));
        now + (self.interval / 4).max(left / 2)
    }

    /// The records if there is room for them, behind the loss of those that found none.
    pub(crate) fn admit(&mut self, records: Vec<Record>) -> Option<Vec<Record>> {
        // Once something is lost it is not records in turn with losses, but one long gap.
        let room = if self.lost.is_some() { self.most / 2 } else { self.most };
        if self.outbox.waiting() < room {
            return Some(match self.lost() {
                Some(lost) => std::iter::once(Record::Lost(lost)).chain(records).collect(),
                None => records,
            });
        }
        if !records.is_empty() {
            let (time, reason) = (self.turn.at, LostReason::Output);
            let lost = self.lost.get_or_insert(Lost { time, reason, count: None });
            lost.count = Some(lost.count.unwrap_or_default() + records.len() as u64);
        }
        None
    }

    /// What was lost and not told yet.
    pub(crate) const fn lost(&mut self) -> Option<Lost> {
        self.lost.take()
    }

    /// Hands over what is to be written next.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn push(&self, bytes: Vec<u8>) -> Result<()> {
        self.outbox.push(bytes)
    }

    /// Gives the reader what waits for him, however late he begins, unless the run has to end: by
    /// its time or a signal, now or meanwhile. Then he is left once he takes nothing, or another
    /// signal comes. Returns how many bytes were left.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn finish(self, stop: &Signals) -> Result<usize> {
        // The one that ended the run does not count as another.
        stop.take_signal();
        let mut has_to_end = stop.is_interrupted() || stop.is_time_over();
        self.outbox.finish(|| patience(stop, &mut has_to_end))
    }
}

/// How long the reader is waited for now; notes in `has_to_end` that the run has to end.
fn patience(stop: &Signals, has_to_end: &mut bool) -> Patience {
    let signal = stop.take_signal();
    if signal && *has_to_end {
        return Patience::Over;
    }
    *has_to_end |= signal || stop.is_time_over();
    if *has_to_end { Patience::Short } else { Patience::Endless }
}

#[cfg(test)]
mod tests;
