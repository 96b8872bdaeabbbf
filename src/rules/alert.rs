//! One rule under way: what offends now, and whether its alert is on.

use super::Rule;
use crate::model::event::{Alert, AlertSocket, SocketEvent, SocketId, SocketStatus};
use crate::model::process::Attribution;
use crate::model::time::Stamp;
use std::collections::{HashSet, VecDeque};
use std::time::Duration;

/// How long an instant counts.
const REMEMBERED: Duration = Duration::from_mins(1);

/// A rule, and what it has seen.
#[derive(Debug)]
pub struct Watch {
    rule: Rule,
    recent: Recent,
    growth: Growth,
    /// The worst offender when the alert began, while it is on.
    active: Option<AlertSocket>,
}

/// What happened in the last minute.
#[derive(Debug, Default)]
struct Recent {
    /// To which lives, in order of time.
    lives: VecDeque<(Stamp, SocketId)>,
    known: HashSet<SocketId>,
    /// The latest; of several at once the one that was longest in the state it left.
    latest: Option<AlertSocket>,
}

/// How many offend, from each change of that number on; no older than has to be compared with.
#[derive(Debug, Default)]
struct Growth {
    counts: VecDeque<(Stamp, usize)>,
}

impl Watch {
    /// Has seen nothing yet.
    pub fn new(rule: Rule) -> Self {
        let (recent, growth) = (Recent::default(), Growth::default());
        Self { rule, recent, growth, active: None }
    }

    /// The rule.
    pub const fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Takes in one reading: the sockets that its filters ask for, and what happened to such.
    /// `owner` is asked for the worst socket where there is something to be told.
    pub fn take(
        &mut self,
        now: Stamp,
        sockets: &[SocketStatus],
        happened: &[&SocketEvent],
        owner: &mut dyn FnMut(&SocketStatus) -> Attribution,
    ) -> Option<Alert> {
        let conditions = &self.rule.conditions;
        let asked = |told: &&&SocketEvent| conditions.happened(&told.transition);
        self.recent.take(now, happened.iter().filter(asked).copied());
        let stands = |socket: &&SocketStatus| conditions.stands(socket, now);
        let (missed, standing): (Vec<_>, Vec<_>) =
            sockets.iter().filter(stands).partition(|socket| socket.missed);
        let there = self.recent.lives.len() + standing.len();
        // A look that misses a socket ends nothing.
        let perhaps = there + missed.len();
        let grows = conditions.growing_for.is_none_or(|age| self.growth.take(now, perhaps, age));
        let enough = conditions.at_least.map_or(1, |n| usize::try_from(n).unwrap_or(usize::MAX));
        match &self.active {
            None if grows && there >= enough => self.begin(now, standing, owner),
            Some(_) if !grows || perhaps < enough => self.end(now, self.offenders(standing)),
            _ => None,
        }
    }

    /// Ends the alert, if it is on: these sockets are left, none where the rule itself is gone.
    pub fn end(&mut self, now: Stamp, left: Vec<SocketId>) -> Option<Alert> {
        let worst = self.active.take()?;
        Some(self.alert(now, false, left, worst))
    }

    fn begin(
        &mut self,
        now: Stamp,
        standing: Vec<&SocketStatus>,
        owner: &mut dyn FnMut(&SocketStatus) -> Attribution,
    ) -> Option<Alert> {
        let longest = standing.iter().min_by_key(|socket| (socket.since, socket.socket.id));
        let worst = match longest {
            Some(socket) => offender_standing(socket, now, owner(socket)),
            None => self.recent.latest.clone()?,
        };
        let offenders = self.offenders(standing);
        self.active = Some(worst.clone());
        Some(self.alert(now, true, offenders, worst))
    }

    fn alert(
        &self,
        time: Stamp,
        active: bool,
        sockets: Vec<SocketId>,
        worst: AlertSocket,
    ) -> Alert {
        Alert { time, rule: self.rule.name.clone(), active, sockets, worst }
    }

    /// The lives that offend, the worst first: the longest in its state, the latest to change.
    fn offenders(&self, mut standing: Vec<&SocketStatus>) -> Vec<SocketId> {
        standing.sort_unstable_by_key(|socket| (socket.since, socket.socket.id));
        let recent = self.recent.lives.iter().rev().map(|(_, life)| *life);
        recent.chain(standing.iter().map(|socket| socket.socket.id)).collect()
    }
}

impl Recent {
    fn take<'a>(&mut self, now: Stamp, happened: impl Iterator<Item = &'a SocketEvent>) {
        let mut new: Vec<&SocketEvent> =
            happened.filter(|told| self.known.insert(told.transition.socket.id)).collect();
        new.sort_by_key(|told| told.transition.ages.held);
        self.lives.extend(new.iter().map(|told| (now, told.transition.socket.id)));
        self.latest = new.last().map(|told| offender(told)).or(self.latest.take());
        while let Some((time, life)) = self.lives.front()
            && now.since(*time) >= REMEMBERED
        {
            self.known.remove(life);
            self.lives.pop_front();
        }
    }
}

impl Growth {
    /// Notes how many there are now; whether they are more than `age` ago, and were never fewer
    /// than then in between.
    fn take(&mut self, now: Stamp, count: usize, age: Duration) -> bool {
        if self.counts.back().is_none_or(|(_, last)| *last != count) {
            self.counts.push_back((now, count));
        }
        // The first one that is kept is what held `age` ago.
        while self.counts.get(1).is_some_and(|(since, _)| now.since(*since) >= age) {
            self.counts.pop_front();
        }
        let Some((since, start)) = self.counts.front() else { return false };
        now.since(*since) >= age
            && count > *start
            && self.counts.iter().all(|(_, count)| count >= start)
    }
}

fn offender_standing(now: &SocketStatus, at: Stamp, owner: Attribution) -> AlertSocket {
    let SocketStatus { socket, held_at_least, .. } = *now;
    AlertSocket { socket, owner, held: Some(at.since(now.since)), held_at_least }
}

fn offender(told: &SocketEvent) -> AlertSocket {
    let SocketEvent { transition: told, owner, .. } = told;
    AlertSocket {
        socket: told.socket,
        owner: owner.clone(),
        held: told.ages.held,
        held_at_least: told.ages.held_at_least,
    }
}

#[cfg(test)]
mod tests;
