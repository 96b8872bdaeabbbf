//! The lives of sockets: the states that each was in from its creation to its destruction, with their
//! causes, gathered from events for `--view timeline`.

mod record;

pub(crate) use self::record::{Evidence, LifeRecord, LifeStep};
use crate::model::event::{
    BySocket, EventKind, MonitorEvent, Roles, SocketEvent, SocketId, SocketIds, SocketRef,
    SocketStatus, Transition,
};
use crate::model::process::{Attribution, OwnerSource};
use crate::model::tcp_info::{TcpInfo, TcpInfos};
use crate::model::time::Stamp;
use crate::tcp::edge::EDGES;
use crate::tcp::state::State;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

/// No legal path has as many states: more of them come only from codes that no kernel header names.
const MAX_STEPS: usize = 24;

/// What is kept of the sockets that have not closed, and of those that the last reading closed.
#[derive(Debug, Default)]
pub struct LifeHistories {
    open: BySocket<LifeHistory>,
    closed: BySocket<LifeHistory>,
    /// Sockets still in the state in which they were found: most of those of a busy machine, and
    /// there is nothing else to keep of them.
    unchanged: SocketIds,
    /// The time of the first event of a socket.
    first_event: Option<Stamp>,
    /// At the end of this reading, ask which sockets are still followed.
    check_now: bool,
    /// At the end of the next reading, too.
    check_next: bool,
    lost_track: usize,
    /// What polls measured, the last of them; `None` where that is not asked for.
    measured: Option<Measured>,
}

/// What the kernel last measured of the sockets that are open.
#[derive(Debug, Default)]
struct Measured {
    by_id: BySocket<TcpInfo>,
    /// The poll that it is of.
    poll: Rc<TcpInfos>,
}

/// The states of one socket so far. Its owner and addresses are known to those who ask for its
/// record.
#[derive(Debug, Clone, Default)]
struct LifeHistory {
    steps: Vec<HistoryStep>,
    roles: Roles,
    /// Its creation was observed.
    opened: bool,
    matched_late: bool,
    /// The filter by state asks for one of its transitions.
    passes: bool,
    actors: Actors,
    left_out: u32,
}

/// The processes that have owned a socket, or changed its state by a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Actors {
    #[default]
    None,
    One(i32),
    Several,
}

/// One step as it is kept: small, because a busy machine has many.
#[derive(Debug, Clone, Copy)]
struct HistoryStep {
    state: State,
    evidence: Evidence,
    /// When it was observed, or else the step after it.
    at: Stamp,
    /// Of the state in which the socket was found: what is to be added to the time from `at` to the next
    /// step, in microseconds. It had been in it before, by what the kernel proved; and how long it was in
    /// it after the last poll that showed that is not known.
    correction: i64,
}

impl LifeHistories {
    /// Applies events of a reading: some or all of them.
    pub fn apply(&mut self, events: &[MonitorEvent]) {
        let time = |event: &MonitorEvent| match event {
            MonitorEvent::Socket(event) => Some(event.transition.time),
            MonitorEvent::Lost(_) => None,
        };
        self.first_event = self.first_event.or_else(|| events.iter().find_map(time));
        // What a loss has cost shows with the next reading; and a socket that was there already, but
        // not at the first poll, takes the place of another.
        let may_drop = |event: &MonitorEvent| match event {
            MonitorEvent::Lost(_) => true,
            MonitorEvent::Socket(socket) => {
                socket.transition.kind == EventKind::Present && self.first_event != time(event)
            }
        };
        self.check_next |= events.iter().any(may_drop);
        self.closed.clear();
        for event in events {
            if let MonitorEvent::Socket(event) = event {
                self.apply_event(event);
            }
        }
    }

    /// Takes over what the last poll measured of the sockets that are `followed` now. Of a socket that it
    /// measured nothing of, as one in TIME_WAIT, it keeps what was measured before.
    pub fn measure(
        &mut self,
        poll: &Rc<TcpInfos>,
        followed: impl Iterator<Item = (SocketId, TcpInfo)>,
    ) {
        let mut before = self.measured.take().unwrap_or_default();
        if !Rc::ptr_eq(&before.poll, poll) {
            let last = |(id, info): (SocketId, TcpInfo)| {
                let is_measured = info != TcpInfo::default();
                let kept = before.by_id.remove(&id).filter(|_| !is_measured);
                (id, kept.unwrap_or(info))
            };
            before = Measured { by_id: followed.map(last).collect(), poll: Rc::clone(poll) };
        }
        self.measured = Some(before);
    }

    fn tcp_info(&self, id: SocketId) -> Option<Box<TcpInfo>> {
        let last = |measured: &Measured| measured.by_id.get(&id).copied().unwrap_or_default();
        self.measured.as_ref().map(last).map(Box::new)
    }

    /// All events of a reading were applied. `followed` gives the sockets that the tracker still
    /// follows; it is called only where some may have been dropped without a `closed` event.
    /// Returns [`Self::lost_track`].
    pub fn end_reading(&mut self, followed: impl FnOnce() -> HashSet<SocketId>) -> usize {
        let check = std::mem::replace(&mut self.check_now, std::mem::take(&mut self.check_next));
        let open = self.open.len() + self.unchanged.len();
        if check {
            let followed = followed();
            self.open.retain(|id, _| followed.contains(id));
            self.unchanged.retain(|id| followed.contains(id));
        }
        self.lost_track = open - self.open.len() - self.unchanged.len();
        self.lost_track
    }

    /// Of how many sockets the last reading lost track: they were dropped without it being known
    /// whether they closed.
    pub(crate) const fn lost_track(&self) -> usize {
        self.lost_track
    }

    /// Whether a history of this socket is kept, and it has not closed.
    pub fn is_open(&self, id: SocketId) -> bool {
        self.open.contains_key(&id) || self.unchanged.contains(&id)
    }

    fn apply_event(&mut self, event: &SocketEvent) {
        let id = event.transition.socket.id;
        if is_as_found(event) {
            self.unchanged.insert(id);
            return;
        }
        let was_unchanged = self.unchanged.remove(&id);
        let history = self.open.entry(id).or_default();
        if was_unchanged {
            history.push_previous_state(&event.transition);
            history.passes = true;
        }
        history.apply(&event.transition);
        history.note_actors(event);
        history.passes |= event.passes;
        if event.transition.kind == EventKind::Closed
            && let Some(history) = self.open.remove(&id)
        {
            self.closed.insert(id, history);
        }
    }

    /// The record of the life that an event of the last reading ended; `None` if it ended none, or
    /// the filter by state does not ask for it.
    pub fn ended(&self, event: &SocketEvent) -> Option<LifeRecord> {
        if event.transition.kind != EventKind::Closed {
            return None;
        }
        let Transition { socket, time, verdict, reset_by, .. } = event.transition;
        let history = self.closed.get(&socket.id).filter(|history| history.passes)?;
        let record = history.record(socket, &event.owner, time);
        let lived = record.opened.map(|opened| time.since(opened));
        let tcp_info = self.tcp_info(socket.id);
        let netns_name = event.transition.netns_name.as_deref().map(str::to_owned);
        let record = LifeRecord { netns_name, ..record };
        Some(LifeRecord { ended: Some(time), verdict, reset_by, lived, tcp_info, ..record })
    }

    /// The record of a socket that is open at this instant; `None` if the filter by state does not
    /// ask for it. `wanted`: that filter asks for the state it is in.
    pub fn so_far(
        &self,
        now: &SocketStatus,
        owner: &Attribution,
        at: Stamp,
        wanted: bool,
    ) -> Option<LifeRecord> {
        let unchanged = self.unchanged.contains(&now.socket.id);
        // Nothing may have happened to it since it came to match.
        let history = match self.open.get(&now.socket.id) {
            Some(history) => Cow::Borrowed(history),
            None => Cow::Owned(LifeHistory::without_events(now, unchanged, wanted)),
        };
        if !history.passes {
            return None;
        }
        let mut record = history.record(now.socket, owner, at);
        record.is_held = now.clues.inode != 0;
        record.netns_name = now.netns_name.as_deref().map(str::to_owned);
        record.tcp_info = self.tcp_info(now.socket.id);
        if let Some(last) = record.steps.last_mut() {
            last.held = Some(at.since(now.since));
        }
        Some(record)
    }
}

impl LifeHistory {
    /// That of a socket of which only the state is known that it is in.
    fn without_events(now: &SocketStatus, unchanged: bool, wanted: bool) -> Self {
        let (state, at) = (now.state, now.since);
        let step = HistoryStep { state, evidence: Evidence::Observed, at, correction: 0 };
        let (matched_late, passes) = (!unchanged, unchanged || wanted);
        Self { steps: vec![step], matched_late, passes, ..Self::default() }
    }

    fn apply(&mut self, transition: &Transition) {
        if self.steps.is_empty() {
            // The filter by process may have matched only now.
            self.matched_late = transition.from.is_some();
            self.push_previous_state(transition);
        }
        let Transition { kind, time, ages, .. } = transition;
        if let [found] = self.steps.as_mut_slice()
            && ages.held_at_least
        {
            found.correction = micros(ages.held) - micros(Some(time.since(found.at)));
        }
        self.opened |= transition.kind == EventKind::Opened;
        self.roles = transition.roles;
        let at = transition.time;
        let step = |state, evidence| HistoryStep { state, evidence, at, correction: 0 };
        let certain = transition.via.iter().map(|state| step(*state, Evidence::Certain));
        let possible = transition.maybe.iter().map(|state| step(*state, Evidence::Possible));
        let mut passed: SmallVec<[HistoryStep; 4]> = certain.chain(possible).collect();
        // In the order of the table of edges no legal path goes backwards.
        passed.sort_by_key(|step| step.state);
        passed.push(step(transition.to, Evidence::Observed));
        if let (EventKind::Present, Some(found)) = (kind, passed.last_mut()) {
            found.correction = micros(ages.held);
        }
        for step in passed {
            self.push(step);
        }
    }

    /// Notes whether it was passed to another process. Those that may accept it are none that had it.
    fn note_actors(&mut self, SocketEvent { transition, owner, .. }: &SocketEvent) {
        let owns = owner.source != OwnerSource::Listener;
        let owner = owner.main.as_ref().filter(|_| owns).map(|process| process.pid);
        let caller = transition.caller.as_ref().map(|caller| caller.pid);
        for pid in owner.into_iter().chain(caller) {
            self.actors = match self.actors {
                Actors::None => Actors::One(pid),
                Actors::One(before) if before == pid => Actors::One(pid),
                Actors::One(_) | Actors::Several => Actors::Several,
            };
        }
    }

    /// Starts with the state in which the socket was until now, if there was one.
    fn push_previous_state(&mut self, transition: &Transition) {
        self.steps.reserve_exact(2 + transition.via.len() + transition.maybe.len());
        if let (Some(state), Some(at)) = (transition.from, transition.ages.since) {
            self.steps.push(HistoryStep { state, evidence: Evidence::Observed, at, correction: 0 });
        }
    }

    /// Keeps the first step and the latest ones.
    fn push(&mut self, step: HistoryStep) {
        if self.steps.len() >= MAX_STEPS {
            self.steps.remove(1);
            self.left_out += 1;
        }
        self.steps.push(step);
    }

    fn record(&self, socket: SocketRef, owner: &Attribution, followed_until: Stamp) -> LifeRecord {
        LifeRecord {
            socket,
            owner: owner.clone(),
            opened: self.steps.first().filter(|_| self.opened).map(|first| first.at),
            ended: None,
            roles: self.roles,
            verdict: None,
            reset_by: None,
            steps: self.life_steps(),
            lived: None,
            workload: owner.workload(),
            netns_name: None,
            binding: socket.binding,
            tcp_info: None,
            followed_until,
            is_held: false,
            matched_late: self.matched_late,
            changed_hands: self.actors == Actors::Several,
            left_out: self.left_out,
            peer: None,
            peer_owner: None,
        }
    }

    fn life_steps(&self) -> Vec<LifeStep> {
        let observed = |step: &HistoryStep| step.evidence == Evidence::Observed;
        let life_step = |(i, step): (usize, &HistoryStep)| {
            let next = self.steps[i + 1..].iter().find(|next| observed(next));
            LifeStep {
                state: step.state,
                at: observed(step).then_some(step.at),
                held: next.filter(|_| observed(step)).map(|next| held_until(step, next)),
                evidence: step.evidence,
                cause: self.cause(i),
            }
        };
        self.steps.iter().enumerate().map(life_step).collect()
    }

    /// What caused a step; `None` unless exactly one edge can have led to it.
    fn cause(&self, i: usize) -> Option<&'static str> {
        let before = &self.steps[..i];
        let last_sure = before.iter().rposition(|step| step.evidence != Evidence::Possible);
        // Nothing is known of how a socket got into the state that the first poll found.
        let creation = last_sure.is_none().then_some(State::Closed).filter(|_| self.opened);
        let since = &before[last_sure.unwrap_or_default()..];
        let from: HashSet<State> = since.iter().map(|step| step.state).chain(creation).collect();
        let to = self.steps[i].state;
        let mut edges = EDGES.iter().filter(|edge| edge.to == to && from.contains(&edge.from));
        let only = edges.next()?;
        edges.next().is_none().then_some(only.cause)
    }
}

/// How long a socket was in the state of a step that was observed, until the next one.
fn held_until(step: &HistoryStep, next: &HistoryStep) -> Duration {
    let correction = Duration::from_micros(step.correction.unsigned_abs());
    let time = next.at.since(step.at);
    if step.correction < 0 { time.saturating_sub(correction) } else { time + correction }
}

fn micros(time: Option<Duration>) -> i64 {
    i64::try_from(time.unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
}

/// Whether an event says no more of a socket than the state in which it was found.
fn is_as_found(event: &SocketEvent) -> bool {
    event.transition.kind == EventKind::Present
        && event.passes
        && event.transition.roles == Roles::default()
        && event.owner.source != OwnerSource::Listener
}

#[cfg(test)]
pub(crate) mod tests;
