//! Rules, and the conditions of `wait` and `check`: which sockets are an offence, when one begins
//! and when it is over. Time is that of the readings. Pure but for `file`, which reads the rules,
//! and `exec`, which runs their programs.
//!
//! A state is an offence as long as it lasts. A transition or an end is an instant: it counts for a
//! minute, so that a burst of them is one offence, over when the last is a minute old.

pub mod alert;
pub(crate) mod alerts;
pub mod check;
pub mod condition;
mod exec;
mod file;
pub mod parse;

use crate::filter::Filter;
use crate::model::event::{SocketStatus, Transition, Verdict};
use crate::model::time::Stamp;
use crate::tcp::state::State;
use crate::tcp::state_set::StateSet;
use std::time::Duration;

/// What is to be told of some sockets.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Names its alerts.
    pub name: String,
    /// Which sockets it is about, among those that are followed at all.
    pub filter: Filter,
    /// What offends.
    pub conditions: Conditions,
    /// The program that is given every alert, with its arguments; empty for none.
    pub exec: Vec<String>,
    /// As it was written: a rule that was not edited goes on.
    pub definition: String,
}

/// What has to hold, all of it, for an offence.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// A socket is in its state for longer than this, or was when it left it.
    pub longer_than: Option<Duration>,
    /// There are at least so many of them.
    pub at_least: Option<u64>,
    /// There are more of them than this long ago, and were never fewer in between.
    pub growing_for: Option<Duration>,
    /// A socket goes from one state to another.
    pub transition: Option<Step>,
    /// A socket ends like this.
    pub verdict: Option<Verdict>,
}

/// The change of state that a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The states before; `None` for a socket that appears.
    pub from: Option<StateSet>,
    /// The states after.
    pub to: StateSet,
}

impl Conditions {
    /// Nothing is asked for.
    pub const fn is_empty(&self) -> bool {
        self.longer_than.is_none()
            && self.at_least.is_none()
            && self.growing_for.is_none()
            && !self.is_instant()
    }

    /// It is about something that happens, not about a state that lasts.
    pub const fn is_instant(&self) -> bool {
        self.transition.is_some() || self.verdict.is_some()
    }

    /// Whether what happened is what is asked for.
    pub fn happened(&self, told: &Transition) -> bool {
        self.is_instant()
            && self.transition.as_ref().is_none_or(|step| step.is(told.from, told.to))
            && (self.verdict.is_none() || self.verdict == told.verdict)
            && self.longer_than.is_none_or(|age| told.ages.held.is_some_and(|held| held > age))
    }

    /// Whether a socket stands as is asked for.
    pub fn stands(&self, socket: &SocketStatus, now: Stamp) -> bool {
        !self.is_instant() && self.longer_than.is_none_or(|age| now.since(socket.since) > age)
    }
}

impl Step {
    fn is(&self, from: Option<State>, to: State) -> bool {
        self.to.contains(to)
            && match (&self.from, from) {
                (None, None) => true,
                (Some(set), Some(from)) => set.contains(from),
                _ => false,
            }
    }
}
