//! Whole lives: the transitions of one socket joined into its steps, with what caused each.

use super::SCHEMA;
use super::event::{Owner, Socket, seconds};
use crate::model::event::{
    EventKind, MonitorEvent, Roles, Side, SocketEvent, SocketId, SocketStatus, Transition, Verdict,
};
use crate::model::process::{Attribution, OwnerSource};
use crate::model::socket::AddressPair;
use crate::model::time::Stamp;
use crate::tcp::edge::EDGES;
use crate::tcp::state::State;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// No legal way has as many states: more of them come only from codes that no kernel names.
const MOST_STEPS: usize = 24;

/// One life, over or not. Field names, order and values are the public schema, version 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // README and man page describe the schema
pub struct LifeRecord {
    pub v: u8,
    pub event: &'static str,
    #[serde(flatten)]
    pub socket: Socket,
    #[serde(flatten)]
    pub owner: Owner,
    pub opened: Option<Stamp>,
    pub ended: Option<Stamp>,
    pub opener: Option<Side>,
    pub closer: Option<Side>,
    pub verdict: Option<Verdict>,
    pub steps: Vec<Step>,
    /// Its ends, to find the other one by; for text alone, as all that follows.
    #[serde(skip)]
    pub addrs: AddressPair,
    /// Until when it was followed.
    #[serde(skip)]
    pub seen: Stamp,
    /// The FINs of both sides are proven.
    #[serde(skip)]
    pub both_fins: bool,
    /// A descriptor of it is open now.
    #[serde(skip)]
    pub descriptor: bool,
    /// It was followed before it was known that it is asked for: its first step is the state that it
    /// was in then.
    #[serde(skip)]
    pub late: bool,
    /// Steps that are not told, because there were too many.
    #[serde(skip)]
    pub left_out: u32,
    /// The other end of the connection, where both are told as one.
    #[serde(skip)]
    pub other_end: Option<Box<Self>>,
}

/// A state of a life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Step {
    pub state: State,
    pub at: Option<Stamp>,
    #[serde(serialize_with = "seconds")]
    pub held: Option<Duration>,
    pub evidence: Evidence,
    pub cause: Option<&'static str>,
}

/// How a step is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// It was seen.
    Observed,
    /// It was not seen, but is on every legal way.
    Certain,
    /// It was not seen, and is on some legal way.
    Possible,
}

/// The lives that are not over, and those that the last news ended.
#[derive(Debug, Default)]
pub struct Lives {
    open: HashMap<SocketId, History>,
    ended: HashMap<SocketId, History>,
    /// Lives that stand as they were found: most of those on a busy machine, of which there is no
    /// more to keep.
    unmoved: HashSet<SocketId>,
    /// The time of the first reading that told of a socket.
    first: Option<Stamp>,
    /// This reading, and the one before it, told of something that can have cost lives without an
    /// end.
    costs: bool,
    doubtful: bool,
    /// How many sockets the last reading lost the track of.
    lost_track: usize,
}

/// What is kept of a life: its owner and its ends are known to who tells of it.
#[derive(Debug, Clone, Default)]
pub struct History {
    trail: Vec<Trace>,
    roles: Roles,
    /// Its birth was seen.
    born: bool,
    /// It matched the filters only after that.
    late: bool,
    /// The filter by state asks for one of its transitions.
    passes: bool,
    left_out: u32,
    /// The owner of its listener, before it was accepted: who accepted it may never be found.
    listener: Option<Box<Owner>>,
}

/// One step as it is kept: small, because a busy machine has many.
#[derive(Debug, Clone, Copy)]
struct Trace {
    state: State,
    evidence: Evidence,
    /// When it was seen, or what came after it.
    at: Stamp,
}

impl Lives {
    /// Takes in news of a reading, some or all.
    pub fn take(&mut self, news: &[MonitorEvent]) {
        // Where something was lost, the next reading shows what that has cost; and one that was
        // there already, but not at the first look, takes the place of another.
        let time = |news: &MonitorEvent| match news {
            MonitorEvent::Socket(told) => Some(told.transition.time),
            MonitorEvent::Lost(_) => None,
        };
        self.first = self.first.or_else(|| news.iter().find_map(time));
        let costs = |news: &MonitorEvent| match news {
            MonitorEvent::Lost(_) => true,
            MonitorEvent::Socket(told) => {
                told.transition.kind == EventKind::Present && self.first != time(news)
            }
        };
        self.costs |= news.iter().any(costs);
        self.ended.clear();
        for news in news {
            if let MonitorEvent::Socket(told) = news {
                self.follow(told);
            }
        }
    }

    /// All news of a reading were taken in; `followed` tells which lives still are. Returns how many
    /// were lost sight of: neither that they ended nor that they went on is known.
    pub fn end_reading(&mut self, followed: impl FnOnce() -> HashSet<SocketId>) -> usize {
        let doubtful = std::mem::replace(&mut self.doubtful, std::mem::take(&mut self.costs));
        let open = self.open.len() + self.unmoved.len();
        if doubtful {
            let followed = followed();
            self.open.retain(|life, _| followed.contains(life));
            self.unmoved.retain(|life| followed.contains(life));
        }
        self.lost_track = open - self.open.len() - self.unmoved.len();
        self.lost_track
    }

    /// How many sockets the last reading lost the track of: what [`Self::end_reading`] returned last.
    pub const fn lost_track(&self) -> usize {
        self.lost_track
    }

    /// Whether a history of this socket is kept, and it has not ended.
    pub fn is_open(&self, life: SocketId) -> bool {
        self.open.contains_key(&life) || self.unmoved.contains(&life)
    }

    fn follow(&mut self, told: &SocketEvent) {
        let life = told.transition.socket.id;
        if is_as_found(told) {
            self.unmoved.insert(life);
            return;
        }
        let was_there = self.unmoved.remove(&life);
        let history = self.open.entry(life).or_default();
        if was_there {
            history.stand(&told.transition);
            history.passes = true;
        }
        history.extend(&told.transition);
        history.passes |= told.passes;
        if told.owner.source == OwnerSource::Listener {
            history.listener = Some(Box::new(Owner::of(&told.owner)));
        }
        if told.transition.kind == EventKind::Closed
            && let Some(history) = self.open.remove(&life)
        {
            self.ended.insert(life, history);
        }
    }

    /// The record of a life that this reading ended, if the filter by state asks for it.
    pub fn ended(&self, told: &SocketEvent) -> Option<LifeRecord> {
        if told.transition.kind != EventKind::Closed {
            return None;
        }
        let Transition { socket, time, verdict, .. } = told.transition;
        let history = self.ended.get(&socket.id).filter(|history| history.passes)?;
        let record = history.record(Socket::of(socket), socket.addrs, Owner::of(&told.owner), time);
        Some(LifeRecord { ended: Some(time), verdict, ..record })
    }

    /// The record of a life that is not over at this instant, if the filter by state asks for it;
    /// `wanted`: it asks for the state it is in.
    pub fn so_far(
        &self,
        now: &SocketStatus,
        owner: &Attribution,
        at: Stamp,
        wanted: bool,
    ) -> Option<LifeRecord> {
        // Nothing may have happened to it since it came to match.
        let there = self.unmoved.contains(&now.socket.id);
        let untold = History { late: !there, ..History::untold(now, there || wanted) };
        let history = self.open.get(&now.socket.id).unwrap_or(&untold);
        if !history.passes {
            return None;
        }
        let socket = Socket::of(now.socket);
        let mut record = history.record(socket, now.socket.addrs, Owner::of(owner), at);
        record.descriptor = now.clues.inode != 0;
        if let Some(last) = record.steps.last_mut() {
            last.held = Some(at.since(now.since));
        }
        Some(record)
    }
}

impl History {
    /// That of a life of which only the state is known that it is in.
    fn untold(now: &SocketStatus, wanted: bool) -> Self {
        let trace = Trace { state: now.state, evidence: Evidence::Observed, at: now.since };
        Self { trail: vec![trace], passes: wanted, ..Self::default() }
    }

    fn extend(&mut self, told: &Transition) {
        if self.trail.is_empty() {
            // The filter by process may have matched only now.
            self.late = told.from.is_some();
            self.stand(told);
        }
        self.born |= told.kind == EventKind::Opened;
        self.roles = told.roles;
        let unseen = |states: &[State], evidence| {
            let trace = |state: &State| Trace { state: *state, evidence, at: told.time };
            states.iter().map(trace).collect::<Vec<_>>()
        };
        let mut passed = unseen(&told.via, Evidence::Certain);
        passed.extend(unseen(&told.maybe, Evidence::Possible));
        // In the order of the table of edges no legal way goes backwards.
        passed.sort_by_key(|trace| trace.state);
        passed.push(Trace { state: told.to, evidence: Evidence::Observed, at: told.time });
        for trace in passed {
            self.push(trace);
        }
    }

    /// Begins with the state that it stood in until now.
    fn stand(&mut self, told: &Transition) {
        self.trail.reserve_exact(2 + told.via.len() + told.maybe.len());
        if let (Some(state), Some(at)) = (told.from, told.ages.since) {
            self.trail.push(Trace { state, evidence: Evidence::Observed, at });
        }
    }

    /// Keeps the first step and the latest ones.
    fn push(&mut self, trace: Trace) {
        if self.trail.len() >= MOST_STEPS {
            self.trail.remove(1);
            self.left_out += 1;
        }
        self.trail.push(trace);
    }

    fn record(&self, socket: Socket, addrs: AddressPair, owner: Owner, seen: Stamp) -> LifeRecord {
        let opened = self.trail.first().filter(|_| self.born);
        let owner = match &self.listener {
            Some(listener) if owner.owner_source == OwnerSource::Unknown => (**listener).clone(),
            _ => owner,
        };
        LifeRecord {
            v: SCHEMA,
            event: "life",
            socket,
            owner,
            opened: opened.map(|first| first.at),
            ended: None,
            opener: self.roles.opener,
            closer: self.roles.closer,
            verdict: None,
            steps: self.steps(),
            addrs,
            seen,
            both_fins: self.roles.both_fins,
            descriptor: false,
            late: self.late,
            left_out: self.left_out,
            other_end: None,
        }
    }

    fn steps(&self) -> Vec<Step> {
        let observed = |trace: &Trace| trace.evidence == Evidence::Observed;
        let step = |(i, trace): (usize, &Trace)| {
            let next = self.trail[i + 1..].iter().find(|next| observed(next));
            Step {
                state: trace.state,
                at: observed(trace).then_some(trace.at),
                held: next.filter(|_| observed(trace)).map(|next| next.at.since(trace.at)),
                evidence: trace.evidence,
                cause: self.cause(i),
            }
        };
        self.trail.iter().enumerate().map(step).collect()
    }

    /// What made this step, where only one edge can have led to it.
    fn cause(&self, i: usize) -> Option<&'static str> {
        let before = &self.trail[..i];
        let sure = before.iter().rposition(|trace| trace.evidence != Evidence::Possible);
        // What was there at the first look was made by nobody knows what.
        let birth = sure.is_none().then_some(State::Closed).filter(|_| self.born);
        let since = &before[sure.unwrap_or_default()..];
        let from = since.iter().map(|trace| trace.state).chain(birth);
        let from: HashSet<State> = from.collect();
        let to = self.trail[i].state;
        let mut edges = EDGES.iter().filter(|edge| edge.to == to && from.contains(&edge.from));
        let only = edges.next()?;
        edges.next().is_none().then_some(only.cause)
    }
}

/// Whether a state is all that there is to tell of a life.
fn is_as_found(told: &SocketEvent) -> bool {
    told.transition.kind == EventKind::Present
        && told.passes
        && told.transition.roles == Roles::default()
        && told.owner.source != OwnerSource::Listener
}

impl LifeRecord {
    /// Whether the other end of this connection, on this machine, is that.
    pub fn is_other_end_of(&self, other: &Self) -> bool {
        let began = |life: &Self| life.steps.iter().find_map(|step| step.at).unwrap_or_default();
        let over = |life: &Self| life.ended.unwrap_or(life.seen);
        self.socket.id != other.socket.id
            && self.socket.netns == other.socket.netns
            && self.addrs.mirrored().contains(&other.addrs)
            && began(self) <= over(other)
            && began(other) <= over(self)
    }

    /// How long it was followed.
    pub fn lived(&self) -> Duration {
        let began = self.steps.iter().find_map(|step| step.at);
        began.map_or(Duration::ZERO, |began| self.ended.unwrap_or(self.seen).since(began))
    }
}

#[cfg(test)]
pub(crate) mod tests;
