//! One rule during a run: which sockets violate it now, and whether its alert is active.

use super::Rule;
use super::count::both;
use super::growth::Growth;
use crate::model::event::{Alert, AlertSocket, SocketEvent, SocketId, SocketStatus};
use crate::model::process::Attribution;
use crate::model::time::Stamp;
use std::collections::{HashSet, VecDeque};
use std::time::Duration;

/// How long an event is counted.
const EVENT_WINDOW: Duration = Duration::from_secs(60);

/// A rule, and what of the readings so far its condition depends on.
#[derive(Debug)]
pub(crate) struct RuleState {
    rule: Rule,
    recent: RecentEvents,
    growth: Option<Growth>,
    /// The worst socket when the alert was raised; `None` while no alert is active.
    active: Option<AlertSocket>,
}

/// The events of the last minute that a rule counts, one per socket.
#[derive(Debug, Default)]
struct RecentEvents {
    /// When the first event of a socket was read, in order of time.
    sockets: VecDeque<(Stamp, SocketId)>,
    /// The ids in `sockets`.
    known: HashSet<SocketId>,
    /// The socket of the latest event; of several at once, the one that was longest in the state
    /// it left.
    latest: Option<AlertSocket>,
}

impl RuleState {
    /// A rule before the first reading.
    pub(crate) fn new(rule: Rule) -> Self {
        let growth = rule.condition.growing.map(Growth::new);
        Self { rule, recent: RecentEvents::default(), growth, active: None }
    }

    /// The rule.
    pub(crate) const fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Applies one reading: the sockets that match the rule's filter, and the events of such.
    /// Returns an alert where one is raised or cleared. Only then `owner` is called, for the worst
    /// socket.
    pub(crate) fn update(
        &mut self,
        now: Stamp,
        sockets: &[SocketStatus],
        events: &[&SocketEvent],
        owner: &mut dyn FnMut(&SocketStatus) -> Attribution,
    ) -> Option<Alert> {
        let condition = &self.rule.condition;
        let is_counted = |event: &&SocketEvent| condition.covers_event(&event.transition);
        self.recent.update(now, events.iter().copied().filter(is_counted));
        let mut counts = condition.count(now, sockets);
        counts.counted.certain += self.recent.sockets.len() as u64;
        let grows = self.growth.as_mut().map_or(Some(true), |growth| {
            growth.push(now, counts.counted);
            growth.has_grown_to(now, counts.counted)
        });
        match (&self.active, both(condition.holds(counts), grows)) {
            (None, Some(true)) => self.raise(now, sockets, owner),
            (Some(_), Some(false)) => {
                let left = self.ids(&self.violating(now, sockets));
                self.clear(now, left)
            }
            _ => None,
        }
    }

    /// Clears the alert, if it is active. `sockets` are those that still violate the rule; there
    /// are none where the rule itself was removed.
    pub(crate) fn clear(&mut self, now: Stamp, sockets: Vec<SocketId>) -> Option<Alert> {
        let worst = self.active.take()?;
        Some(self.alert(now, false, sockets, worst))
    }

    fn raise(
        &mut self,
        now: Stamp,
        sockets: &[SocketStatus],
        owner: &mut dyn FnMut(&SocketStatus) -> Attribution,
    ) -> Option<Alert> {
        let violating = self.violating(now, sockets);
        let worst = match violating.first() {
            Some(socket) => of_status(socket, now, owner(socket)),
            None => self.recent.latest.clone()?,
        };
        let sockets = self.ids(&violating);
        self.active = Some(worst.clone());
        Some(self.alert(now, true, sockets, worst))
    }

    /// The sockets that are there and violate the rule, the longest in its state first.
    fn violating<'s>(&self, now: Stamp, sockets: &'s [SocketStatus]) -> Vec<&'s SocketStatus> {
        let mut violating = self.rule.condition.counted(now, sockets);
        violating.sort_unstable_by_key(|socket| (socket.since, socket.socket.id));
        violating
    }

    /// The ids of all that violates the rule, the worst first: the sockets of events, latest first,
    /// then those that are there.
    fn ids(&self, violating: &[&SocketStatus]) -> Vec<SocketId> {
        let of_events = self.recent.sockets.iter().rev().map(|(_, id)| *id);
        of_events.chain(violating.iter().map(|socket| socket.socket.id)).collect()
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
}

impl RecentEvents {
    fn update<'a>(&mut self, now: Stamp, events: impl Iterator<Item = &'a SocketEvent>) {
        let is_new = |event: &&SocketEvent| self.known.insert(event.transition.socket.id);
        let mut new: Vec<&SocketEvent> = events.filter(is_new).collect();
        new.sort_by_key(|event| event.transition.ages.held);
        self.sockets.extend(new.iter().map(|event| (now, event.transition.socket.id)));
        if let Some(latest) = new.last() {
            self.latest = Some(of_event(latest));
        }
        while let Some((time, id)) = self.sockets.front()
            && now.since(*time) >= EVENT_WINDOW
        {
            self.known.remove(id);
            self.sockets.pop_front();
        }
    }
}

fn of_status(status: &SocketStatus, now: Stamp, owner: Attribution) -> AlertSocket {
    let SocketStatus { socket, held_at_least, .. } = *status;
    AlertSocket { socket, owner, held: Some(now.since(status.since)), held_at_least }
}

fn of_event(event: &SocketEvent) -> AlertSocket {
    let SocketEvent { transition, owner, .. } = event;
    AlertSocket {
        socket: transition.socket,
        owner: owner.clone(),
        held: transition.ages.held,
        held_at_least: transition.ages.held_at_least,
    }
}

#[cfg(test)]
mod tests;
