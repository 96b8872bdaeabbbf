//! Readings that are ready to be handed out, in the kernel's order.

use crate::model::reading::Reading;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So many readings may be ready before no more events are taken from the ring's thread.
const MOST: usize = 1 << 18;
/// How long readings are still handed out when the run is over. Who follows may be slow.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// Readings that are ready to be handed out.
#[derive(Debug, Default)]
pub(super) struct ReadyReadings {
    readings: VecDeque<Reading>,
    has_poll: bool,
    /// The run is over, and what is ready may be handed out until then.
    drain_until: Option<Instant>,
    /// Readings for which there was no time at the end.
    dropped: usize,
}

impl ReadyReadings {
    /// Adds a reading behind all others.
    pub(super) fn push(&mut self, reading: Reading) {
        self.has_poll |= matches!(reading, Reading::Snapshot(_));
        self.readings.push_back(reading);
    }

    /// The next reading; `None` where there is none, or the run has been over for too long.
    pub(super) fn pop(&mut self) -> Option<Reading> {
        if self.drain_until.is_some_and(|end| end <= Instant::now()) {
            self.dropped += self.readings.len();
            self.readings.clear();
        }
        let reading = self.readings.pop_front()?;
        if matches!(reading, Reading::Snapshot(_)) {
            self.has_poll = false;
        }
        Some(reading)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.readings.is_empty()
    }

    /// Whether there are so many that no more are to be made.
    pub(super) fn is_full(&self) -> bool {
        self.readings.len() > MOST
    }

    /// Whether one of them is a poll: another one has no hurry.
    pub(super) const fn has_poll(&self) -> bool {
        self.has_poll
    }

    /// The run is over: only what is ready now, and is added at once, is handed out.
    pub(super) fn start_draining(&mut self) {
        self.drain_until = Some(Instant::now() + DRAIN_TIME);
    }

    /// Whether the run is over.
    pub(super) const fn is_draining(&self) -> bool {
        self.drain_until.is_some()
    }

    /// How many were dropped since the last call.
    pub(super) fn take_dropped(&mut self) -> usize {
        std::mem::take(&mut self.dropped)
    }
}
