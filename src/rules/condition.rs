//! The one type for conditions: what `wait` waits for, a limit of `check`, what a rule alerts on.
//! A condition says which sockets are counted and how many there have to be. Pure: its time is
//! that of the readings.
//!
//! Answers have three values, see [`super::count`]: `None` where they depend on sockets that may be
//! gone, may not match, or may have been in their state for long enough.

mod expression;

use super::count::{Count, both, not};
use super::growth::Window;
use crate::model::event::{SocketStatus, Transition, Verdict};
use crate::model::time::Stamp;
use crate::tcp::state::State;
use crate::tcp::state_set::StateSet;
use std::borrow::Borrow;
use std::ops::Add;
use std::time::Duration;

/// A poll may skip a row. Where the absence of a socket decides, or a number is compared with
/// later ones, it takes the second poll of a run.
pub(crate) const POLLS_TO_TRUST: u64 = 2;

/// Which sockets are counted, and how many there have to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Counts sockets in one of these states; `None` for all.
    pub(crate) states: Option<StateSet>,
    /// Counts sockets that are in their state for so long, or were when they left it.
    pub(crate) age: Option<Age>,
    /// Counts sockets to which this has happened within a minute, not those that are there.
    pub(crate) event: Option<EventPattern>,
    /// How many have to be counted.
    pub(crate) quantity: Quantity,
    /// Their number also has to grow over this window; [`super::growth::Growth`] decides that.
    pub(crate) growing: Option<Window>,
}

/// A time in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// As long as this, or longer.
    AtLeast(Duration),
    /// Longer than this.
    MoreThan(Duration),
}

/// What happens to a socket; what is given has to hold together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventPattern {
    /// The change of state; `None` for any event.
    pub(crate) transition: Option<TransitionPattern>,
    /// The verdict with which the socket is closed; `None` for any event.
    pub(crate) verdict: Option<Verdict>,
}

/// From one of some states to one of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TransitionPattern {
    /// The states before; `None` for a socket that appears.
    pub(crate) from: Option<StateSet>,
    /// The states after.
    pub(crate) to: StateSet,
}

/// How many sockets have to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// At least one, and every socket that matches the filters.
    All,
    /// A number that compares like this.
    Count(Comparison, u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    AtLeast,
    More,
    Exactly,
    Fewer,
    AtMost,
}

/// The sockets that match the filters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// The sockets that the condition counts.
    pub(crate) counted: Count,
    /// The sockets that match and that it does not count.
    pub(crate) others: Count,
}

impl Condition {
    /// A condition on the number of sockets in some states.
    pub(crate) const fn on_states(states: StateSet, quantity: Quantity) -> Self {
        Self { states: Some(states), age: None, event: None, quantity, growing: None }
    }

    /// Whether a socket is one of those that are counted, if it is still there; `None` where it
    /// may have been in its state for long enough before it was first observed.
    pub(crate) fn covers(&self, socket: &SocketStatus, now: Stamp) -> Option<bool> {
        if self.event.is_some() || !self.has_state(socket.state) {
            return Some(false);
        }
        match self.age {
            Some(age) if !age.is_reached(now.since(socket.since)) => {
                if socket.held_at_least {
                    None
                } else {
                    Some(false)
                }
            }
            _ => Some(true),
        }
    }

    /// Whether this is an event that is counted.
    pub(crate) fn covers_event(&self, event: &Transition) -> bool {
        let held_for = |age: Age| event.ages.held.is_some_and(|held| age.is_reached(held));
        self.event.as_ref().is_some_and(|pattern| pattern.matches(event))
            && self.age.is_none_or(held_for)
    }

    /// Whether a socket in this state can be counted.
    pub(crate) fn has_state(&self, state: State) -> bool {
        self.states.as_ref().is_none_or(|set| set.contains(state))
    }

    /// Whether a socket in this state decides whether it holds.
    pub(crate) fn concerns(&self, state: State) -> bool {
        self.quantity == Quantity::All || self.has_state(state)
    }

    /// Counts sockets that match the filters. One that the last poll missed may be gone.
    pub(crate) fn count(
        &self,
        now: Stamp,
        sockets: impl IntoIterator<Item = impl Borrow<SocketStatus>>,
    ) -> Counts {
        let mut counts = Counts::default();
        for socket in sockets {
            let socket = socket.borrow();
            let is_counted = self.covers(socket, now) == Some(true);
            let count = if is_counted { &mut counts.counted } else { &mut counts.others };
            if socket.missed_by_last_poll {
                count.possible += 1;
            } else {
                count.certain += 1;
            }
        }
        counts
    }

    /// The sockets that are there and counted, in their order.
    pub(crate) fn counted<'s>(
        &self,
        now: Stamp,
        sockets: &'s [SocketStatus],
    ) -> Vec<&'s SocketStatus> {
        let is_counted = |socket: &&SocketStatus| {
            !socket.missed_by_last_poll && self.covers(socket, now) == Some(true)
        };
        sockets.iter().filter(is_counted).collect()
    }

    /// Whether the quantity holds of sockets that were counted.
    pub(crate) fn holds(&self, counts: Counts) -> Option<bool> {
        let Counts { counted, others } = counts;
        match self.quantity {
            Quantity::All => both(counted.at_least(1), not(others.at_least(1))),
            Quantity::Count(comparison, n) => comparison.holds(counted, n),
        }
    }

    /// Whether more sockets could make it untrue, so that the absence of sockets decides.
    pub(crate) const fn needs_absence(&self) -> bool {
        !matches!(self.quantity, Quantity::Count(Comparison::AtLeast | Comparison::More, _))
    }
}

impl Age {
    fn is_reached(self, held: Duration) -> bool {
        match self {
            Self::AtLeast(age) => held >= age,
            Self::MoreThan(age) => held > age,
        }
    }
}

impl EventPattern {
    fn matches(&self, event: &Transition) -> bool {
        self.transition.as_ref().is_none_or(|pattern| pattern.matches(event.from, event.to))
            && (self.verdict.is_none() || self.verdict == event.verdict)
    }
}

impl Comparison {
    fn holds(self, count: Count, n: u64) -> Option<bool> {
        let more = count.at_least(n.saturating_add(1));
        match self {
            Self::AtLeast => count.at_least(n),
            Self::More => more,
            Self::Fewer => not(count.at_least(n)),
            Self::AtMost => not(more),
            Self::Exactly => both(count.at_least(n), not(more)),
        }
    }
}

impl TransitionPattern {
    fn matches(&self, from: Option<State>, to: State) -> bool {
        let matches_from = match (&self.from, from) {
            (None, None) => true,
            (Some(set), Some(from)) => set.contains(from),
            _ => false,
        };
        matches_from && self.to.contains(to)
    }
}

impl Counts {
    /// These counts of sockets of which it is not certain that they match.
    #[must_use]
    pub(crate) const fn as_possible(self) -> Self {
        Self { counted: self.counted.as_possible(), others: self.others.as_possible() }
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self { counted: self.counted + more.counted, others: self.others + more.others }
    }
}

#[cfg(test)]
mod tests;
