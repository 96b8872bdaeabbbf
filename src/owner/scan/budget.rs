//! The time that there is for searches between polls, for what a kernel event shows. Events come by the
//! thousand: what is not searched for, the next poll finds.

use crate::owner::event_search::EventSearch;
use std::time::{Duration, Instant};

/// The searches of either kind take at most one part in this many of the time.
const SHARE: u32 = 20;
/// So much time for them (µs) is saved up while there are none.
const SAVINGS: i64 = 50_000;

/// The time that there is for searches of a few processes, and of all.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    few: Budget,
    all: Budget,
}

/// The time that there is for searches of one kind.
#[derive(Debug)]
pub(super) struct Budget {
    /// In µs; less than 0 after a search that took longer.
    left: i64,
    /// When that was.
    at: Instant,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: SAVINGS, at: Instant::now() }
    }
}

impl Budget {
    /// The instant at which a search starts now; `None` if there is no time for it.
    pub(super) fn start(&mut self) -> Option<Instant> {
        let now = Instant::now();
        self.is_left(now).then_some(now)
    }

    /// Whether there is time for a search at this instant.
    fn is_left(&mut self, now: Instant) -> bool {
        let earned = micros(now.saturating_duration_since(self.at) / SHARE);
        (self.left, self.at) = (SAVINGS.min(self.left.saturating_add(earned)), now);
        self.left > 0
    }

    /// A search took so long.
    pub(super) fn spend(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(micros(time));
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

impl Budgets {
    /// The budget of a search. One that takes long must not keep one from being made that takes little.
    pub(super) const fn of(&mut self, search: &EventSearch) -> &mut Budget {
        if search.pids.is_some() { &mut self.few } else { &mut self.all }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_take_their_share_of_the_time() {
        let start = Instant::now();
        let mut budget = Budget { left: SAVINGS, at: start };
        let mut searches = 0;
        for millis in 0..10_000 {
            if budget.is_left(start + Duration::from_millis(millis)) {
                budget.spend(Duration::from_millis(2));
                searches += 1;
            }
        }
        assert!((250..=277).contains(&searches), "{searches} of 2 ms in 10 s");
    }
}
