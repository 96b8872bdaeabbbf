//! `--view summary`: how many sockets there are and were, by group and state, how fast they come and
//! go, how long they stay, and how they end. [`Summary`] counts, [`record::SummaryRecord`] is a row of it, and
//! [`findings`] are what is noteworthy. Nothing here knows how it is shown.

pub(crate) mod counts;
mod failures;
pub(crate) mod findings;
pub(crate) mod record;
mod rows;
pub(crate) mod times;
pub(super) mod view;

use super::group::GroupKey;
use crate::model::event::{
    BySocket, EventKind, SocketEvent, SocketId, SocketRef, SocketStatus, Transition, Verdict,
};
use crate::model::process::Attribution;
use crate::model::socket::Side;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use counts::{Share, StateCounts};
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

/// So many groups are counted by themselves, a few megabytes; the rest are one group.
const MAX_GROUPS: usize = 10_000;

/// The name of a group: one for each key. `None` for the groups beyond the limit.
type GroupLabels = Option<Vec<Option<String>>>;

/// The counts of a run, or of its part that is shown.
#[derive(Debug)]
pub(crate) struct Summary {
    by: Vec<GroupKey>,
    groups: IndexMap<GroupLabels, Group, RandomState>,
    sockets: BySocket<Counted>,
    /// When the first and the last reading were complete.
    span: Option<(Stamp, Stamp)>,
    /// The groups and states that the current reading has changed.
    touched: HashSet<(usize, State), RandomState>,
}

/// The sockets of one group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    /// All of them: `entered` counts those that were opened, `left` those that were closed, and
    /// `times` how long they lived.
    pub(crate) all: StateCounts,
    /// By state.
    pub(crate) states: BTreeMap<State, StateCounts>,
    /// How those ended that were closed.
    verdicts: Vec<(Verdict, u64)>,
    /// Which side closed those first that were closed, as far as that is proven.
    closers: Vec<(Side, u64)>,
}

/// How a socket that is open is counted: small, because a busy machine has many.
#[derive(Debug, Clone, Copy)]
struct Counted {
    group: u32,
    state: State,
    /// The state that it was in at the start; `None` if it was not there.
    at_start: Option<State>,
    /// A bit for each state that it came into since then.
    entered: u16,
    /// It was opened since then.
    is_opened: bool,
}

impl Counted {
    /// How it is counted in a state.
    fn share(&self, state: State) -> Share {
        let (at_start, entered) = (self.at_start == Some(state), self.entered & bit(state) != 0);
        let now = self.state == state;
        Share { now, at_start, entered, left: (at_start || entered) && !now }
    }
}

/// The bit of a state; all that have no name share one.
const fn bit(state: State) -> u16 {
    1 << if let State::Unknown(_) = state { 15 } else { state.code() }
}

impl Summary {
    /// Counts nothing yet. The state is always one of the things it counts by.
    pub(crate) fn new(by: &[GroupKey]) -> Self {
        let by = by.iter().copied().filter(|key| *key != GroupKey::State).collect();
        let (groups, sockets, touched) =
            (IndexMap::default(), BySocket::default(), HashSet::default());
        Self { by, groups, sockets, span: None, touched }
    }

    /// The events that follow are of a reading that was complete at this instant.
    pub(crate) fn begin_reading(&mut self, at: Stamp) {
        let start = self.span.map_or(at, |(start, _)| start);
        self.span = Some((start, at));
    }

    /// From the first reading to the last.
    pub(crate) fn duration(&self) -> Duration {
        self.span.map_or(Duration::ZERO, |(start, end)| end.since(start))
    }

    /// When the last reading was complete.
    pub(crate) fn at(&self) -> Stamp {
        self.span.map_or_else(Stamp::default, |(_, end)| end)
    }

    /// Counts an event.
    pub(crate) fn apply(&mut self, event: &SocketEvent) {
        let Transition { socket, kind, from, to, ref via, ref ages, verdict, roles, .. } =
            event.transition;
        self.join(&socket, &event.owner, kind, from, event);
        let Some(counted) = self.sockets.get_mut(&socket.id) else { return };
        let place = counted.group as usize;
        let Some((_, group)) = self.groups.get_index_mut(place) else { return };
        let mut touch = |state| {
            self.touched.insert((place, state));
        };
        if kind == EventKind::Present {
            touch(to);
            return;
        }
        if from.is_some() || kind == EventKind::Closed {
            touch(counted.state);
            let held = ages.held.filter(|_| !ages.held_at_least);
            group.state(counted.state).leave(held);
        }
        for state in via {
            // It came and went unseen.
            let counts = group.state(*state);
            counts.enter(false);
            counts.leave(None);
            counted.entered |= bit(*state);
        }
        if kind != EventKind::Closed {
            group.state(to).enter(false);
            (counted.state, counted.entered) = (to, counted.entered | bit(to));
            touch(to);
            return;
        }
        group.all.leave((!ages.lived_at_least).then_some(ages.lived));
        if let Some(verdict) = verdict {
            add(&mut group.verdicts, verdict);
        }
        if let Some(closer) = roles.closer {
            add(&mut group.closers, closer);
        }
        self.sockets.remove(&socket.id);
    }

    /// Counts a socket that is not known yet, as it was before the event; one whose owner is another
    /// than before comes into another group.
    fn join(
        &mut self,
        socket: &SocketRef,
        owner: &Attribution,
        kind: EventKind,
        from: Option<State>,
        event: &SocketEvent,
    ) {
        let Some(known) = self.sockets.get(&socket.id) else {
            let (state, ages) = (from.unwrap_or(event.transition.to), &event.transition.ages);
            let start = self.span.map_or_else(Stamp::default, |(start, _)| start);
            let was_there = match kind {
                EventKind::Present => event.transition.time <= start,
                EventKind::Opened => false,
                EventKind::Changed | EventKind::Closed => {
                    ages.lived_at_least || ages.since.is_some_and(|since| since <= start)
                }
            };
            let is_opened = !was_there && kind != EventKind::Present;
            let at_start = was_there.then_some(state);
            let is_new = kind == EventKind::Opened;
            self.add(socket, owner, state, (at_start, is_opened, !is_new));
            return;
        };
        let (known, state) = (*known, from.unwrap_or(event.transition.to));
        if self.is_in(known.group as usize, socket, owner, state) {
            return;
        }
        let place = self.place(socket, owner, state);
        if place != known.group as usize {
            self.regroup(socket.id, known, place);
        }
    }

    /// Adds a socket to its group. `is_there`: it is in the state, and does not just come into it.
    fn add(
        &mut self,
        socket: &SocketRef,
        owner: &Attribution,
        state: State,
        (at_start, is_opened, is_there): (Option<State>, bool, bool),
    ) {
        let place = self.place(socket, owner, state);
        let (_, group) = self.groups.get_index_mut(place).expect("it was found or added");
        group.all.now += 1;
        group.all.at_start += u64::from(at_start.is_some());
        group.all.entered += u64::from(is_opened);
        if is_there {
            let counts = group.state(state);
            counts.now += 1;
            counts.at_start += u64::from(at_start.is_some());
            counts.entered += u64::from(is_opened);
        }
        self.touched.insert((place, state));
        let group = u32::try_from(place).expect("there are few groups");
        let entered = if is_opened && is_there { bit(state) } else { 0 };
        self.sockets.insert(socket.id, Counted { group, state, at_start, entered, is_opened });
    }

    /// Whether a socket belongs to this group, which is one that is counted by itself.
    fn is_in(&self, place: usize, socket: &SocketRef, owner: &Attribution, state: State) -> bool {
        let Some((Some(names), _)) = self.groups.get_index(place) else { return false };
        let mut parts = self.by.iter().zip(names);
        parts.all(|(key, name)| key.is_in(name.as_deref(), socket, owner, state))
    }

    /// The index of the group of a socket.
    fn place(&mut self, socket: &SocketRef, owner: &Attribution, state: State) -> usize {
        let name = Some(self.by.iter().map(|key| key.of(socket, owner, state)).collect());
        if let Some(place) = self.groups.get_index_of(&name) {
            return place;
        }
        let entry = self.groups.entry(name.filter(|_| self.groups.len() < MAX_GROUPS));
        let place = entry.index();
        entry.or_default();
        place
    }

    /// Counts a socket in another group, with all that was counted of it.
    fn regroup(&mut self, id: SocketId, known: Counted, place: usize) {
        let states = self.groups[known.group as usize].states.keys().copied().collect::<Vec<_>>();
        let Ok([old, new]) = self.groups.get_disjoint_indices_mut([known.group as usize, place])
        else {
            return;
        };
        let (old, new) = (old.1, new.1);
        for state in states {
            let share = known.share(state);
            if share.now || share.at_start || share.entered {
                new.state(state).take(old.state(state), share);
                self.touched.insert((place, state));
            }
        }
        let (at_start, entered) = (known.at_start.is_some(), known.is_opened);
        new.all.take(&mut old.all, Share { now: true, at_start, entered, left: false });
        if let (Some(counted), Ok(group)) = (self.sockets.get_mut(&id), u32::try_from(place)) {
            counted.group = group;
        }
    }

    /// All events of the reading were applied.
    pub(crate) fn end_reading(&mut self) {
        for (place, state) in self.touched.drain() {
            let Some((_, group)) = self.groups.get_index_mut(place) else { continue };
            group.all.end_reading();
            group.state(state).end_reading();
        }
    }

    /// Forgets sockets of which track was lost: nothing is known of their end.
    pub(crate) fn retain(&mut self, is_open: impl Fn(SocketId) -> bool) {
        let groups = &mut self.groups;
        self.sockets.retain(|id, counted| {
            let keep = is_open(*id);
            if !keep && let Some((_, group)) = groups.get_index_mut(counted.group as usize) {
                group.all.now = group.all.now.saturating_sub(1);
                let counts = group.state(counted.state);
                counts.now = counts.now.saturating_sub(1);
            }
            keep
        });
    }

    /// Counts a socket that has come to match without an event, and one whose owner is known better
    /// now.
    pub(crate) fn update(&mut self, now: &SocketStatus, owner: &Attribution) {
        let Some(known) = self.sockets.get(&now.socket.id).copied() else {
            let start = self.span.map_or_else(Stamp::default, |(start, _)| start);
            let was_there = now.held_at_least || now.since <= start;
            let at_start = was_there.then_some(now.state);
            self.add(&now.socket, owner, now.state, (at_start, false, true));
            return;
        };
        let place = self.place(&now.socket, owner, now.state);
        if place != known.group as usize {
            self.regroup(now.socket.id, known, place);
        }
    }

    /// Whether an open socket is counted.
    pub(crate) fn knows(&self, id: SocketId) -> bool {
        self.sockets.contains_key(&id)
    }

    /// The groups with their names; `None` names the one of the groups beyond the limit.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (Option<&[Option<String>]>, &Group)> {
        self.groups.iter().map(|(name, group)| (name.as_deref(), group))
    }

    /// The name of the group of an open socket.
    pub(crate) fn group_of(&self, id: SocketId) -> Option<&[Option<String>]> {
        let counted = self.sockets.get(&id)?;
        self.groups.get_index(counted.group as usize)?.0.as_deref()
    }
}

impl Group {
    fn state(&mut self, state: State) -> &mut StateCounts {
        self.states.entry(state).or_default()
    }
}

/// Counts one more of a few kinds of things.
fn add<K: PartialEq>(counts: &mut Vec<(K, u64)>, key: K) {
    match counts.iter_mut().find(|(known, _)| *known == key) {
        Some((_, count)) => *count += 1,
        None => counts.push((key, 1)),
    }
}

#[cfg(test)]
mod tests;
