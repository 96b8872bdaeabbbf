//! The limits of `check`, and how they are said.

use super::condition::{Age, Comparison, Condition, Quantity};
use super::growth::Window;
use crate::filter::Filter;
use crate::model::event::SocketStatus;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use crate::tcp::state_set::StateSet;
use std::fmt;
use std::time::Duration;

/// Conditions that have to hold at no time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits(pub(crate) Vec<Limit>);

/// A condition that violates.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    pub(super) condition: Condition,
    /// The states as they were written.
    pub(super) states: String,
}

impl Limit {
    /// A socket that is in one of these states for this long.
    pub(crate) fn stuck(states: &str, set: StateSet, age: Duration) -> Self {
        let any = Condition::on_states(set, Quantity::Count(Comparison::AtLeast, 1));
        Self::new(states, Condition { age: Some(Age::AtLeast(age)), ..any })
    }

    /// More than so many sockets in these states.
    pub(crate) fn max(states: &str, set: StateSet, count: u64) -> Self {
        Self::new(states, Condition::on_states(set, Quantity::Count(Comparison::More, count)))
    }

    /// A growing number of sockets in these states.
    pub(crate) fn growing(states: &str, set: StateSet) -> Self {
        let any = Condition::on_states(set, Quantity::Count(Comparison::AtLeast, 1));
        Self::new(states, Condition { growing: Some(Window::WholeRun), ..any })
    }

    /// Whether a socket that the filters show can violate it.
    pub(crate) fn can_be_violated(&self, filter: &Filter) -> bool {
        let counts = |state: &State| self.condition.has_state(*state) && filter.shows_state(*state);
        State::NAMED.iter().any(counts)
    }

    fn new(states: &str, condition: Condition) -> Self {
        Self { condition, states: states.to_owned() }
    }
}

impl Limits {
    /// There is no limit.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a socket in this state can violate a limit.
    pub(crate) fn concern(&self, state: State) -> bool {
        self.0.iter().any(|limit| limit.condition.has_state(state))
    }

    /// The longest time that a socket has to be in a state to violate a limit; `None` where no
    /// limit is about that.
    pub(crate) fn longest_age(&self) -> Option<Duration> {
        let age = |limit: &Limit| match limit.condition.age {
            Some(Age::AtLeast(age) | Age::MoreThan(age)) => Some(age),
            None => None,
        };
        self.0.iter().filter_map(age).max()
    }

    /// Whether every limit is about the time in a state.
    pub(crate) fn are_ages(&self) -> bool {
        self.0.iter().all(|limit| limit.condition.age.is_some())
    }

    /// Whether every limit is about a number that grows.
    pub(crate) fn are_growth(&self) -> bool {
        self.0.iter().all(|limit| limit.condition.growing.is_some())
    }

    /// Whether a number has to grow to violate a limit.
    pub(crate) fn ask_for_growth(&self) -> bool {
        self.0.iter().any(|limit| limit.condition.growing.is_some())
    }
}

/// `sockets stuck in CLOSE_WAIT for 60s, more than 1000 sockets in TIME_WAIT`
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Limit { condition, states }) in self.0.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            match (condition.age, &condition.growing, condition.quantity) {
                (Some(Age::AtLeast(age) | Age::MoreThan(age)), ..) => {
                    write!(f, "sockets stuck in {states} for {age:?}")?;
                }
                (_, Some(_), _) => write!(f, "a growing number of sockets in {states}")?,
                (_, _, Quantity::Count(_, most)) => {
                    write!(f, "more than {most} sockets in {states}")?;
                }
                (_, _, Quantity::All) => write!(f, "sockets in {states}")?,
            }
        }
        Ok(())
    }
}

impl Limit {
    /// Whether it can be violated by `sockets` together with `candidates`, which may match.
    pub(super) fn may_hold(
        &self,
        now: Stamp,
        sockets: &[SocketStatus],
        candidates: &[SocketStatus],
    ) -> bool {
        let may_count = |socket: &&SocketStatus| {
            !socket.missed_by_last_poll && self.condition.covers(socket, now) != Some(false)
        };
        self.holds_with(now, sockets, candidates.iter().filter(may_count).count())
    }

    /// How many of `candidates`, which may match, violate it now together with `sockets`; 0 where it
    /// is not violated.
    pub(super) fn count_possible(
        &self,
        now: Stamp,
        sockets: &[SocketStatus],
        candidates: &[SocketStatus],
    ) -> usize {
        let counts = |socket: &&SocketStatus| {
            !socket.missed_by_last_poll && self.condition.covers(socket, now) == Some(true)
        };
        let more = candidates.iter().filter(counts).count();
        if self.holds_with(now, sockets, more) { more } else { 0 }
    }

    /// Whether `sockets` and so many more may violate it; not if there are no more.
    fn holds_with(&self, now: Stamp, sockets: &[SocketStatus], more: usize) -> bool {
        let mut counts = self.condition.count(now, sockets);
        counts.counted.possible = more as u64;
        more > 0 && self.condition.holds(counts) != Some(false)
    }
}
