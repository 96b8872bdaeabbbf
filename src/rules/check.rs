//! What `check` judges: sockets that are stuck, too many, growing in number. Pure: its time is that
//! of the readings.

use super::condition::{StateCounts, Tally};
use crate::model::event::{SocketId, SocketStatus};
use crate::model::process::Attribution;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use crate::tcp::state_set::StateSet;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The first look may skip a row: the second makes the start.
const LOOKS_TO_START: u64 = 2;

/// What offends.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// A socket that is in one of these states for this long.
    pub stuck: Vec<Limit<Duration>>,
    /// More sockets than this in these states.
    pub most: Vec<Limit<u64>>,
    /// More sockets in these states at the end than at the start, and never fewer in between.
    pub growing: Vec<Limit<()>>,
}

/// What is allowed in some states.
#[derive(Debug, Clone)]
pub struct Limit<T> {
    /// The states.
    pub states: StateSet,
    /// How long, or how many.
    pub allowed: T,
    /// As it was written.
    pub text: String,
}

impl Limits {
    /// Nothing offends.
    pub const fn is_empty(&self) -> bool {
        self.stuck.is_empty() && self.most.is_empty() && self.growing.is_empty()
    }

    /// Whether a socket in this state can offend.
    pub fn concern(&self, state: State) -> bool {
        self.stuck.iter().any(|limit| limit.states.contains(state))
            || self.most.iter().any(|limit| limit.states.contains(state))
            || self.growing.iter().any(|limit| limit.states.contains(state))
    }

    /// The longest age that is asked for.
    pub fn longest_age(&self) -> Option<Duration> {
        self.stuck.iter().map(|limit| limit.allowed).max()
    }
}

/// Judges look after look.
#[derive(Debug)]
pub struct Checker<'a> {
    limits: &'a Limits,
    looks: u64,
    start: Option<Stamp>,
    /// By limit: the sockets that are or were stuck.
    stuck: Vec<BTreeSet<SocketId>>,
    /// By limit: the most there were, where they were too many.
    exceeded: Vec<Option<u64>>,
    /// By limit: how many there were at the start, and never fewer since.
    growing: Vec<Option<u64>>,
    offenders: BTreeMap<SocketId, Violation>,
}

/// A socket that offends, as it was at a look.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// The socket.
    pub socket: SocketStatus,
    /// When the look ended.
    pub at: Stamp,
    /// Whose it was.
    pub owner: Attribution,
}

/// What the judge was not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// Sockets of unknown owners, which may offend.
    Candidates,
    /// Sockets that were found in their state, and watched for a shorter time than offends.
    Watched,
    /// Too few looks.
    PollCount,
}

impl<'a> Checker<'a> {
    /// Has seen nothing yet.
    pub fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            looks: 0,
            start: None,
            stuck: vec![BTreeSet::new(); limits.stuck.len()],
            exceeded: vec![None; limits.most.len()],
            growing: vec![None; limits.growing.len()],
            offenders: BTreeMap::new(),
        }
    }

    /// For how long it has watched at an instant.
    pub fn watched(&self, now: Stamp) -> Option<Duration> {
        self.start.map(|start| now.since(start))
    }

    /// Another run begins, as in a recording that was gone on with: what was there before is no
    /// start to grow from, but what has offended has.
    pub fn begin_anew(&mut self) {
        (self.looks, self.start) = (0, None);
        self.growing.fill(None);
    }

    /// Takes in the matching sockets of one look at all of them. `owner` is asked for those that
    /// begin to offend.
    pub fn look(
        &mut self,
        now: Stamp,
        sockets: &[SocketStatus],
        owner: &mut impl FnMut(&SocketStatus) -> Attribution,
    ) {
        self.looks += 1;
        let census = census(sockets);
        self.find_stuck(now, sockets, owner);
        for (i, limit) in self.limits.most.iter().enumerate() {
            let count = tally(&census, limit).certain;
            if count > limit.allowed && self.exceeded[i].is_none() {
                self.charge(now, sockets, limit, owner);
            }
            if count > limit.allowed {
                self.exceeded[i] = self.exceeded[i].max(Some(count));
            }
        }
        if self.looks == LOOKS_TO_START {
            self.start = Some(now);
        }
        for (limit, start) in self.limits.growing.iter().zip(&mut self.growing) {
            let Tally { certain, possible } = tally(&census, limit);
            if self.looks == LOOKS_TO_START {
                *start = Some(certain + possible);
            }
            *start = start.filter(|start| certain + possible >= *start);
        }
    }

    /// Who offends, as of this last look: the longest in their state first.
    pub fn offenders(
        &mut self,
        now: Stamp,
        sockets: &[SocketStatus],
        owner: &mut impl FnMut(&SocketStatus) -> Attribution,
    ) -> Vec<Violation> {
        for limit in &self.limits.stuck {
            let stuck = |socket: &&SocketStatus| is_stuck(socket, limit, now);
            let still = sockets.iter().filter(stuck);
            self.offenders.extend(still.map(|socket| violation(now, socket, owner)));
        }
        let census = census(sockets);
        for limit in &self.limits.most {
            if tally(&census, limit).certain > limit.allowed {
                self.charge(now, sockets, limit, owner);
            }
        }
        for (i, limit) in self.limits.growing.iter().enumerate() {
            if self.growing[i].is_some_and(|start| tally(&census, limit).certain > start) {
                self.charge(now, sockets, limit, owner);
            }
        }
        let mut offenders: Vec<Violation> = self.offenders.values().cloned().collect();
        offenders.sort_by_key(|offender| Reverse(offender.at.since(offender.socket.since)));
        offenders
    }

    /// What was exceeded, a sentence each, as of this last look.
    pub fn charges(&self, sockets: &[SocketStatus]) -> Vec<String> {
        let census = census(sockets);
        let limits = self.limits;
        let stuck = limits.stuck.iter().zip(&self.stuck).filter(|(_, stuck)| !stuck.is_empty());
        let stuck = stuck.map(|(limit, stuck)| {
            let many = many(stuck.len() as u64);
            format!("{many} in {} for {:?} or longer", limit.text, limit.allowed)
        });
        let most = limits.most.iter().zip(&self.exceeded).filter_map(|(limit, most)| {
            let (many, limit, allowed) = (many((*most)?), &limit.text, limit.allowed);
            Some(format!("{many} in {limit}, more than {allowed}"))
        });
        let growing = limits.growing.iter().zip(&self.growing).filter_map(|(limit, start)| {
            let (start, now) = ((*start)?, tally(&census, limit).certain);
            let grew = || format!("sockets in {} grew from {start} to {now}", limit.text);
            (now > start).then(grew)
        });
        stuck.chain(most).chain(growing).collect()
    }

    /// Why it cannot be told that nothing offends, as of this last look. `candidates` are sockets
    /// that may match.
    pub fn open(
        &self,
        now: Stamp,
        sockets: &[SocketStatus],
        candidates: &[SocketStatus],
    ) -> Option<Open> {
        if self.looks < LOOKS_TO_START {
            return Some(Open::PollCount);
        }
        let hidden = census(candidates);
        let census = census(sockets);
        let limits = self.limits;
        let may_be_stuck = |socket: &&SocketStatus| {
            let of = |limit| may_be_stuck(socket, limit, now);
            limits.stuck.iter().any(of)
        };
        let may_exceed = |limit: &Limit<u64>| {
            let more = tally(&hidden, limit).certain;
            more > 0 && tally(&census, limit).certain + more > limit.allowed
        };
        let may_grow = |limit: &Limit<()>| tally(&hidden, limit).certain > 0;
        if candidates.iter().any(|socket| may_be_stuck(&socket))
            || limits.most.iter().any(may_exceed)
            || limits.growing.iter().any(may_grow)
        {
            return Some(Open::Candidates);
        }
        sockets.iter().any(|socket| may_be_stuck(&socket)).then_some(Open::Watched)
    }

    fn find_stuck(
        &mut self,
        now: Stamp,
        sockets: &[SocketStatus],
        owner: &mut impl FnMut(&SocketStatus) -> Attribution,
    ) {
        for (limit, known) in self.limits.stuck.iter().zip(&mut self.stuck) {
            for socket in sockets.iter().filter(|socket| is_stuck(socket, limit, now)) {
                if known.insert(socket.socket.id) {
                    let offender = self.offenders.entry(socket.socket.id);
                    offender.or_insert_with(|| violation(now, socket, owner).1);
                }
            }
        }
    }

    /// All sockets in the states of a limit offend: which of them are too many nobody can tell.
    fn charge<T>(
        &mut self,
        now: Stamp,
        sockets: &[SocketStatus],
        limit: &Limit<T>,
        owner: &mut impl FnMut(&SocketStatus) -> Attribution,
    ) {
        let there = |socket: &&SocketStatus| !socket.missed && limit.states.contains(socket.state);
        let charged = sockets.iter().filter(there);
        self.offenders.extend(charged.map(|socket| violation(now, socket, owner)));
    }
}

/// A socket that offends at a look, by its life.
fn violation(
    at: Stamp,
    socket: &SocketStatus,
    owner: &mut impl FnMut(&SocketStatus) -> Attribution,
) -> (SocketId, Violation) {
    (socket.socket.id, Violation { socket: *socket, at, owner: owner(socket) })
}

/// Whether it is proven that a socket is in its state for as long as offends: one that was found
/// there may have been for longer.
fn is_stuck(socket: &SocketStatus, limit: &Limit<Duration>, now: Stamp) -> bool {
    !socket.missed
        && limit.states.contains(socket.state)
        && now.since(socket.since) >= limit.allowed
}

/// Whether a socket can be in its state for as long as offends, for all that was seen.
fn may_be_stuck(socket: &SocketStatus, limit: &Limit<Duration>, now: Stamp) -> bool {
    let long = now.since(socket.since) >= limit.allowed;
    limit.states.contains(socket.state) && (socket.held_at_least || long) && !socket.missed
}

fn census(sockets: &[SocketStatus]) -> StateCounts {
    let mut census = StateCounts::default();
    for socket in sockets {
        census.count_standing(socket);
    }
    census
}

fn tally<T>(census: &StateCounts, limit: &Limit<T>) -> Tally {
    census.tally(|state: State| limit.states.contains(state))
}

fn many(n: u64) -> String {
    format!("{n} socket{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
pub(crate) mod tests;
