//! The state that was last reported of a socket, and what is known of the way to the next one.

use crate::model::event::{Ages, HeldFrom};
use crate::model::process::Caller;
use crate::model::reading::PollWindow;
use crate::model::time::Stamp;
use crate::tcp::path::{Between, Proof, between_all};
use crate::tcp::state::State;
use std::time::Duration;

/// The state last reported, since when, and since when the socket is followed.
#[derive(Debug)]
pub(in crate::tracker) struct StateRecord {
    /// `None` until the socket's first event.
    reported: Option<State>,
    /// When that state was first observed.
    pub(in crate::tracker) since: Stamp,
    /// When it was last observed: the start of a poll, or the time of a kernel event.
    pub(super) last_seen: Stamp,
    /// When the socket was first observed.
    pub(in crate::tracker) born: Stamp,
    /// The socket had been there before `born`, for an unknown time.
    birth_unseen: bool,
    /// The socket is still in the state in which it was found.
    pub(super) as_found: bool,
    /// How long before `since` the socket had been in it, as far as the kernel proved that, in
    /// milliseconds.
    held_before: u32,
    /// Boxed, since most sockets stay in their state.
    hints: Option<Box<PathHints>>,
}

/// What is known of the way from the state last reported to the next one.
#[derive(Debug, Default)]
struct PathHints {
    /// States shown by a row that a later one of the same poll followed, or left by the step of a
    /// kernel event.
    observed: Vec<State>,
    /// A kernel event showed the last step: nothing lies between `observed` and its end.
    is_exact: bool,
    /// The process whose own system call made that step.
    caller: Option<Caller>,
}

impl StateRecord {
    /// Of a socket first observed at `born`; `found`: it had been there before.
    pub(super) const fn new(born: Stamp, found: bool) -> Self {
        Self {
            reported: None,
            since: born,
            last_seen: born,
            born,
            birth_unseen: found,
            as_found: found,
            held_before: 0,
            hints: None,
        }
    }

    /// The state last reported; `None` until the socket's first event.
    pub(in crate::tracker) const fn reported(&self) -> Option<State> {
        self.reported
    }

    /// Moves on to the state that is reported next: the only place where a socket's state changes.
    /// `proven` is how long the socket has been in it, or longer, by what the kernel remembers.
    pub(super) fn advance(&mut self, to: State, window: &PollWindow, proven: Option<u32>) {
        self.as_found &= self.reported.is_none();
        self.held_before = proven.filter(|_| self.as_found).unwrap_or_default();
        self.reported = Some(to);
        (self.since, self.last_seen) = (window.end, window.start);
        self.hints = None;
    }

    /// The socket is in the state last reported, or is again.
    pub(super) fn stay(&mut self) {
        self.hints = None;
    }

    /// The socket was observed in a state on the way to the next that is reported.
    pub(super) fn observe(&mut self, state: State) {
        let observed = &mut self.hints.get_or_insert_default().observed;
        if observed.last() != Some(&state) {
            observed.push(state);
        }
    }

    /// A kernel event showed a step, which `caller` made by its own system call.
    pub(super) fn note_step(&mut self, caller: Option<Caller>) {
        let hints = self.hints.get_or_insert_default();
        (hints.is_exact, hints.caller) = (true, caller);
    }

    /// The step that a kernel event showed may not have been the last one.
    pub(super) fn forget_step(&mut self) {
        if let Some(hints) = &mut self.hints {
            (hints.is_exact, hints.caller) = (false, None);
        }
    }

    /// The process whose own system call made the last step.
    pub(super) fn caller(&self) -> Option<Caller> {
        self.hints.as_ref().and_then(|hints| hints.caller.clone())
    }

    /// The states between two that are reported one after the other.
    pub(super) fn between(&self, from: State, to: State, proof: Proof) -> Between {
        let none = PathHints::default();
        let PathHints { observed, is_exact, .. } = self.hints.as_deref().unwrap_or(&none);
        if !is_exact {
            // What closed in a state may have left a mini-socket in the same.
            let passed = observed.strip_suffix(&[to]).unwrap_or(observed);
            return between_all(from, passed, to, proof);
        }
        // The state observed last is the one that the event's step left.
        let Some((last, before)) = observed.split_last() else { return Between::default() };
        let mut way = between_all(from, before, *last, proof);
        way.certain.push(*last);
        way
    }

    /// Since when the socket is known to have been in the state last reported.
    pub(super) fn known_since(&self) -> Stamp {
        self.since.before(Duration::from_millis(self.held_before.into()))
    }

    /// How that is known.
    pub(super) const fn held_from(&self) -> HeldFrom {
        if self.held_before > 0 { HeldFrom::Kernel } else { HeldFrom::Observed }
    }

    /// How long the socket had been in the state and followed when it was observed, at this instant, not to
    /// be in it any more.
    pub(super) fn ages(&self, at: Stamp) -> Ages {
        let since = self.reported.map(|_| self.since);
        // A lower bound ends when the socket was last observed in the state.
        let last_seen = [self.last_seen, self.since].into_iter().max_by_key(|seen| seen.boot);
        let until = last_seen.filter(|_| self.as_found).unwrap_or(at);
        Ages {
            since,
            held: since.map(|_| until.since(self.known_since())),
            held_at_least: since.is_some() && self.as_found,
            held_from: since.map(|_| self.held_from()),
            lived: at.since(self.born),
            lived_at_least: self.birth_unseen,
            idle: None,
        }
    }
}
