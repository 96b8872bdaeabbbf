//! The one meaning of "growing": more at the end of a window than at its start, and never fewer
//! than at the start in between.

use super::count::Count;
use crate::model::time::Stamp;
use std::collections::VecDeque;
use std::time::Duration;

/// The time over which a number has to grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// From the first count on.
    WholeRun,
    /// As long as this before the last count.
    Last(Duration),
}

/// The counts within a window that decide whether they grow.
#[derive(Debug)]
pub(crate) struct Growth {
    window: Window,
    /// When the number changed, and what to; the first is the number at the start of the window.
    /// Sockets that may be gone are included: a poll that misses one is not a decrease.
    changes: VecDeque<(Stamp, u64)>,
}

impl Growth {
    /// Without a count yet.
    pub(crate) const fn new(window: Window) -> Self {
        Self { window, changes: VecDeque::new() }
    }

    /// The number at the start of the window; `None` before the first count.
    pub(crate) fn start(&self) -> Option<u64> {
        self.changes.front().map(|(_, count)| *count)
    }

    /// Adds a count; counts are added in order of time.
    pub(crate) fn push(&mut self, now: Stamp, count: Count) {
        let count = count.most();
        match self.window {
            Window::WholeRun => {
                // The start stays where it is, so one decrease below it decides for good.
                let decides = match self.changes.len() {
                    0 => true,
                    1 => self.start() > Some(count),
                    _ => false,
                };
                self.changes.extend(decides.then_some((now, count)));
            }
            Window::Last(length) => {
                if self.changes.back().is_none_or(|(_, last)| *last != count) {
                    self.changes.push_back((now, count));
                }
                // The first one that is kept was the number `length` ago.
                while self.changes.get(1).is_some_and(|(at, _)| now.since(*at) >= length) {
                    self.changes.pop_front();
                }
            }
        }
    }

    /// Whether the number has grown to `count`; `None` where it depends on sockets that may be
    /// gone. Not before a whole window has passed.
    pub(crate) fn has_grown_to(&self, now: Stamp, count: Count) -> Option<bool> {
        let Some((at, start)) = self.changes.front() else { return Some(false) };
        let is_whole = match self.window {
            Window::WholeRun => true,
            Window::Last(length) => now.since(*at) >= length,
        };
        if !is_whole || self.changes.iter().any(|(_, count)| count < start) {
            return Some(false);
        }
        count.at_least(start + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::tests::at;

    const fn certain(count: u64) -> Count {
        Count { certain: count, possible: 0 }
    }

    /// Whether counts a second apart have grown at the last of them.
    fn grown(window: Window, counts: &[u64]) -> Option<bool> {
        let counts: Vec<Count> = counts.iter().map(|count| certain(*count)).collect();
        grown_to(window, &counts)
    }

    fn grown_to(window: Window, counts: &[Count]) -> Option<bool> {
        let mut growth = Growth::new(window);
        let mut grown = Some(false);
        for (second, count) in (0..).zip(counts) {
            growth.push(at(second), *count);
            grown = growth.has_grown_to(at(second), *count);
        }
        grown
    }

    #[test]
    fn growing_is_more_at_the_end_and_never_fewer_in_between() {
        for window in [Window::WholeRun, Window::Last(Duration::from_secs(3))] {
            assert_eq!(grown(window, &[2, 2, 2, 3]), Some(true));
            assert_eq!(grown(window, &[2, 5, 4, 3]), Some(true), "fewer than before, not than 2");
            assert_eq!(grown(window, &[2, 1, 2, 3]), Some(false), "fewer in between");
            assert_eq!(grown(window, &[2, 4, 4, 2]), Some(false), "as many as at the start");
        }
    }

    #[test]
    fn a_window_moves_and_a_run_does_not() {
        let three = Window::Last(Duration::from_secs(3));
        assert_eq!(grown(three, &[1, 2, 3]), Some(false), "not a whole window");
        assert_eq!(grown(three, &[1, 2, 2, 2, 2]), Some(false), "no more than three seconds ago");
        assert_eq!(grown(Window::WholeRun, &[1, 2, 2, 2, 2]), Some(true));
        assert_eq!(grown(three, &[2, 1, 2, 2, 2]), Some(true), "the decrease is the start");
        assert_eq!(grown(Window::WholeRun, &[2, 1, 3, 3, 3]), Some(false));
    }

    #[test]
    fn sockets_that_may_be_gone_decide_nothing() {
        let missed = |certain, possible| Count { certain, possible };
        for window in [Window::WholeRun, Window::Last(Duration::from_secs(2))] {
            let grown = |counts: [Count; 3]| grown_to(window, &counts);
            let (one, two) = (certain(1), certain(2));
            assert_eq!(grown([one, one, missed(1, 1)]), None);
            assert_eq!(grown([two, missed(1, 1), certain(3)]), Some(true));
            assert_eq!(grown([missed(1, 1), two, two]), Some(false));
        }
    }
}
