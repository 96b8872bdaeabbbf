//! What `check` finds: sockets that violate limits, over the polls of a run. Pure: its time is that
//! of the readings.

use super::condition::{Age, POLLS_TO_TRUST, Quantity};
use super::count::both;
use super::growth::Growth;
use super::limits::{Limit, Limits};
use crate::model::counted::counted;
use crate::model::event::{SocketId, SocketStatus};
use crate::model::process::Attribution;
use crate::model::time::Stamp;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

/// Checks limits poll by poll.
#[derive(Debug)]
pub(crate) struct Checker<'a> {
    limits: Vec<LimitState<'a>>,
    polls: u64,
    /// The end of the poll from which time and growth are measured.
    start: Option<Stamp>,
    violations: BTreeMap<SocketId, Violation>,
    /// Sockets that may match the filters, would count for a limit, and have been reviewed.
    reviewed: HashSet<SocketId>,
    /// How many sockets that may match would have violated a limit at one poll.
    past_candidates: usize,
}

/// A limit, and what of the polls so far it depends on.
#[derive(Debug)]
struct LimitState<'a> {
    limit: &'a Limit,
    growth: Option<Growth>,
    /// The sockets that have been stuck.
    stuck: BTreeSet<SocketId>,
    /// The most sockets at one poll; 0 where there never were too many.
    most: u64,
}

/// A socket that violates a limit, as it was at a poll.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Violation {
    /// The socket.
    pub(crate) socket: SocketStatus,
    /// When the poll ended.
    pub(crate) at: Stamp,
    /// The owner of the socket at that time.
    pub(crate) owner: Attribution,
}

/// Why it is not certain that there are no violations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undecided {
    /// There were fewer than [`POLLS_TO_TRUST`] polls.
    TooFewPolls,
    /// Sockets that may match the filters would violate a limit.
    Candidates,
    /// So many that are gone, or in another state, may have matched and violated one.
    PastCandidates(usize),
    /// Sockets were in their state at the first poll, and may have been for long enough.
    UnknownAge,
}

impl<'a> Checker<'a> {
    /// Before the first poll.
    pub(crate) fn new(limits: &'a Limits) -> Self {
        let state = |limit: &'a Limit| LimitState {
            limit,
            growth: limit.condition.growing.map(Growth::new),
            stuck: BTreeSet::new(),
            most: 0,
        };
        Self {
            limits: limits.0.iter().map(state).collect(),
            polls: 0,
            start: None,
            violations: BTreeMap::new(),
            reviewed: HashSet::new(),
            past_candidates: 0,
        }
    }

    /// How long limits have been checked at `now`; `None` before the second poll.
    pub(crate) fn watched(&self, now: Stamp) -> Option<Duration> {
        self.start.map(|start| now.since(start))
    }

    /// Another run follows, as in a recording that was appended to: time and growth are measured
    /// from its own polls. Violations so far remain.
    pub(crate) fn restart(&mut self) {
        (self.polls, self.start) = (0, None);
        for state in &mut self.limits {
            state.growth = state.limit.condition.growing.map(Growth::new);
        }
    }

    /// Applies a poll: the sockets that match the filters. `owner` is called for sockets that
    /// violate a limit for the first time.
    pub(crate) fn apply_poll(
        &mut self,
        now: Stamp,
        sockets: &[SocketStatus],
        owner: &mut impl FnMut(&SocketStatus) -> Attribution,
    ) {
        self.polls += 1;
        if self.polls == POLLS_TO_TRUST {
            self.start = Some(now);
        }
        for state in &mut self.limits {
            let condition = &state.limit.condition;
            if let Some(growth) = &mut state.growth {
                if self.start.is_some() {
                    growth.push(now, condition.count(now, sockets).counted);
                }
            } else if condition.age.is_some() {
                for socket in condition.counted(now, sockets) {
                    if state.stuck.insert(socket.socket.id) {
                        let violation = self.violations.entry(socket.socket.id);
                        violation.or_insert_with(|| Violation::new(now, socket, owner));
                    }
                }
            } else if condition.holds(condition.count(now, sockets)) == Some(true) {
                // All of them violate it: it is not known which of them are too many.
                let counted = condition.counted(now, sockets);
                if state.most == 0 {
                    for socket in &counted {
                        let violation = Violation::new(now, socket, owner);
                        self.violations.insert(socket.socket.id, violation);
                    }
                }
                state.most = state.most.max(counted.len() as u64);
            }
        }
    }

    /// Whether watching on cannot change the answer to limits that are all about the time in a state:
    /// one is violated, or none can be by a socket that was there at the first polls. `sockets` are
    /// those that match the filters now.
    pub(crate) fn is_decided(&self, now: Stamp, sockets: &[SocketStatus]) -> bool {
        let is_open = |socket: &SocketStatus| {
            let mut limits = self.limits.iter().map(|state| &state.limit.condition);
            socket.held_at_least && limits.any(|condition| condition.covers(socket, now).is_none())
        };
        !self.violations.is_empty() || self.polls >= POLLS_TO_TRUST && !sockets.iter().any(is_open)
    }

    /// Whether a limit is violated now if `doubtful` sockets match, of which some have not been
    /// reviewed: at the end it is not known any more whether one that is gone by then did.
    pub(crate) fn note_doubtful(
        &mut self,
        now: Stamp,
        sockets: &[SocketStatus],
        doubtful: &[SocketStatus],
    ) -> bool {
        if self.past_candidates > 0 || self.most_possible(now, sockets, doubtful) == 0 {
            return false;
        }
        let limits = || self.limits.iter().filter(|state| state.growth.is_none());
        let counts = |socket: &&SocketStatus| {
            limits().any(|state| state.limit.condition.covers(socket, now) == Some(true))
        };
        let counted = doubtful.iter().filter(counts).map(|socket| socket.socket.id).collect();
        let known = std::mem::replace(&mut self.reviewed, counted);
        !self.reviewed.is_subset(&known)
    }

    /// Takes in which sockets may match, now that all processes have been searched.
    pub(crate) fn review(
        &mut self,
        now: Stamp,
        sockets: &[SocketStatus],
        candidates: &[SocketStatus],
    ) {
        self.past_candidates = self.most_possible(now, sockets, candidates);
    }

    /// How many candidates are in the states of a limit that they would violate at this moment.
    fn most_possible(
        &self,
        now: Stamp,
        sockets: &[SocketStatus],
        candidates: &[SocketStatus],
    ) -> usize {
        let of_now = self.limits.iter().filter(|state| state.growth.is_none());
        let counts = of_now.map(|state| state.limit.count_possible(now, sockets, candidates));
        counts.max().unwrap_or(0)
    }

    /// All violations, the longest in its state first. `sockets` are those that match the filters
    /// now; which of them still violate a limit is shown as it is now.
    pub(crate) fn violations(
        &mut self,
        now: Stamp,
        sockets: &[SocketStatus],
        owner: &mut impl FnMut(&SocketStatus) -> Attribution,
    ) -> Vec<Violation> {
        for state in &self.limits {
            if state.holds(now, sockets) == Some(true) {
                for socket in state.limit.condition.counted(now, sockets) {
                    let violation = Violation::new(now, socket, owner);
                    self.violations.insert(socket.socket.id, violation);
                }
            }
        }
        let mut violations: Vec<Violation> = self.violations.values().cloned().collect();
        violations.sort_by_key(|violation| Reverse(violation.at.since(violation.socket.since)));
        violations
    }

    /// A sentence for each limit that was violated. `sockets` are those that match the filters
    /// now. `ends_early`: some of them were not watched for the time of the limit.
    pub(crate) fn sentences(
        &self,
        now: Stamp,
        sockets: &[SocketStatus],
        ends_early: bool,
    ) -> Vec<String> {
        self.limits.iter().filter_map(|state| state.sentence(now, sockets, ends_early)).collect()
    }

    /// Why it is not certain that there are no violations; `None` where it is. `sockets` are those
    /// that match the filters now, `candidates` those that may match them.
    pub(crate) fn undecided(
        &self,
        now: Stamp,
        sockets: &[SocketStatus],
        candidates: &[SocketStatus],
    ) -> Option<Undecided> {
        if self.polls < POLLS_TO_TRUST {
            return Some(Undecided::TooFewPolls);
        }
        if self.limits.iter().any(|state| state.limit.may_hold(now, sockets, candidates)) {
            return Some(Undecided::Candidates);
        }
        let is_unknown = |socket: &SocketStatus| {
            let covers = |state: &LimitState<'_>| state.limit.condition.covers(socket, now);
            !socket.missed_by_last_poll && self.limits.iter().any(|state| covers(state).is_none())
        };
        if sockets.iter().any(is_unknown) {
            return Some(Undecided::UnknownAge);
        }
        (self.past_candidates > 0).then_some(Undecided::PastCandidates(self.past_candidates))
    }
}

impl LimitState<'_> {
    /// Whether the limit is violated now.
    fn holds(&self, now: Stamp, sockets: &[SocketStatus]) -> Option<bool> {
        let condition = &self.limit.condition;
        let counts = condition.count(now, sockets);
        let has_grown = |growth: &Growth| growth.has_grown_to(now, counts.counted);
        both(condition.holds(counts), self.growth.as_ref().map_or(Some(true), has_grown))
    }

    fn sentence(&self, now: Stamp, sockets: &[SocketStatus], ends_early: bool) -> Option<String> {
        let Limit { condition, states } = self.limit;
        if let Some(growth) = &self.growth {
            let count = condition.count(now, sockets).counted;
            let grown = growth.has_grown_to(now, count) == Some(true);
            let start = growth.start().filter(|_| grown)?;
            return Some(format!("sockets in {states} grew from {start} to {}", count.certain));
        }
        match (condition.age, condition.quantity) {
            (Some(Age::AtLeast(age) | Age::MoreThan(age)), _) => {
                let others = sockets.iter().filter(|socket| {
                    condition.has_state(socket.state) && !self.stuck.contains(&socket.socket.id)
                });
                let more = match others.count() {
                    0 => String::new(),
                    others if ends_early => format!(
                        "; {others} more for less, or for an unknown time (--for {age:?} watches them, too)"
                    ),
                    others => format!("; {others} more for less"),
                };
                let sockets = counted(self.stuck.len(), "socket");
                (!self.stuck.is_empty()).then(|| match age {
                    Duration::ZERO => format!("{sockets} in {states}"),
                    age => format!("{sockets} in {states} for {age:?} or longer{more}"),
                })
            }
            (None, Quantity::Count(_, allowed)) if self.most > 0 => {
                Some(format!("{} in {states}, more than {allowed}", counted(self.most, "socket")))
            }
            _ => None,
        }
    }
}

impl Violation {
    fn new(
        at: Stamp,
        socket: &SocketStatus,
        owner: &mut impl FnMut(&SocketStatus) -> Attribution,
    ) -> Self {
        Self { socket: socket.clone(), at, owner: owner(socket) }
    }
}

#[cfg(test)]
pub(crate) mod tests;
