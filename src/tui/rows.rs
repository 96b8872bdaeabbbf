//! The sockets of the screen, as events and polls show them.

use crate::model::event::{
    EventKind, HeldFrom, SocketEvent, SocketId, SocketStatus, Transition, Verdict,
};
use crate::model::process::Attribution;
use crate::model::socket_row::Details;
use crate::model::tcp_info::TcpInfo;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

/// How long a socket that has closed is still shown.
const CLOSED_SHOWN_FOR: Duration = Duration::from_secs(5);

/// A socket of the screen.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) status: SocketStatus,
    pub(super) owner: Attribution,
    /// How it ended; `None` while it is open.
    pub(super) closed: Option<Verdict>,
    /// What the kernel had measured when it closed, where that was asked for.
    pub(super) measured: Option<Box<TcpInfo>>,
}

impl Row {
    pub(super) fn new(status: SocketStatus, owner: Attribution) -> Self {
        Self { status, owner, closed: None, measured: None }
    }

    pub(super) const fn id(&self) -> SocketId {
        self.status.socket.id
    }

    /// How long it has been in its state, or closed.
    pub(super) fn held(&self, at: Stamp) -> Duration {
        at.since(self.status.since)
    }
}

/// The sockets, open and just closed.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    /// In the order in which they came, which is that of the tracker: what a poll shows of many is taken
    /// in without going back and forth in memory.
    by_id: IndexMap<SocketId, Row, RandomState>,
    /// How many are open in each state.
    counts: BTreeMap<State, u64>,
    /// Those that have closed, the first one first.
    closed: Vec<SocketId>,
}

impl Rows {
    pub(super) fn get(&self, id: SocketId) -> Option<&Row> {
        self.by_id.get(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.by_id.values()
    }

    /// How many sockets are open in each state.
    pub(super) const fn counts(&self) -> &BTreeMap<State, u64> {
        &self.counts
    }

    /// How many are open.
    pub(super) fn open(&self) -> u64 {
        self.counts.values().sum()
    }

    fn count(&mut self, state: State, more: bool) {
        let count = self.counts.entry(state).or_default();
        *count = if more { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            self.counts.remove(&state);
        }
    }

    fn insert(&mut self, row: Row) {
        let (id, state, is_open) = (row.id(), row.status.state, row.closed.is_none());
        let before = self.by_id.insert(id, row);
        if let Some(before) = before.filter(|before| before.closed.is_none()) {
            self.count(before.status.state, false);
        }
        if is_open {
            self.count(state, true);
        }
    }

    pub(super) fn add(&mut self, now: SocketStatus, owner: Attribution) {
        self.insert(Row::new(now, owner));
    }

    /// Applies an event.
    pub(super) fn apply(&mut self, event: &SocketEvent) {
        let transition = &event.transition;
        let is_closed = transition.kind == EventKind::Closed;
        let closed = is_closed.then(|| transition.verdict.unwrap_or(Verdict::Unknown));
        let held = transition.ages.held.filter(|_| transition.kind == EventKind::Present);
        let status =
            status(transition, transition.to, transition.time.before(held.unwrap_or_default()));
        let status =
            SocketStatus { held_at_least: transition.kind == EventKind::Present, ..status };
        if is_closed {
            self.closed.push(transition.socket.id);
        }
        let owner = event.owner.clone();
        self.insert(Row { status, owner, closed, measured: event.tcp_info.clone() });
    }

    /// Goes back to how it was before an event.
    pub(super) fn undo(&mut self, event: &SocketEvent) {
        let transition = &event.transition;
        let id = transition.socket.id;
        self.closed.retain(|closed| *closed != id);
        let before = transition.from.zip(transition.ages.since);
        let Some((state, since)) = before else {
            self.remove(id);
            return;
        };
        let status = SocketStatus {
            held_at_least: transition.ages.held_at_least,
            ..status(transition, state, since)
        };
        self.insert(Row::new(status, event.owner.clone()));
    }

    fn remove(&mut self, id: SocketId) {
        if let Some(row) = self.by_id.swap_remove(&id).filter(|row| row.closed.is_none()) {
            self.count(row.status.state, false);
        }
    }

    /// Takes in what the last poll showed, and returns the sockets that are not known.
    pub(super) fn refresh(
        &mut self,
        sockets: impl Iterator<Item = SocketStatus>,
    ) -> Vec<SocketStatus> {
        let mut unknown = Vec::new();
        for now in sockets {
            match self.by_id.get_mut(&now.socket.id) {
                None => unknown.push(now),
                Some(row) => {
                    let is_open = row.closed.is_none() && row.status.state == now.state;
                    if is_open && row.status != now {
                        row.status = now;
                    }
                }
            }
        }
        unknown
    }

    /// Removes those that have been closed for a while; whether there were any.
    pub(super) fn expire(&mut self, at: Stamp) -> bool {
        let rows = &self.by_id;
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.closed)
            .into_iter()
            .partition(|id| rows.get(id).is_some_and(|row| row.held(at) < CLOSED_SHOWN_FOR));
        self.closed = kept;
        for id in &gone {
            self.remove(*id);
        }
        !gone.is_empty()
    }

    /// Removes those that are open and not among these.
    pub(super) fn retain(&mut self, followed: &HashSet<SocketId>) {
        let gone: Vec<SocketId> = self
            .iter()
            .filter(|row| row.closed.is_none() && !followed.contains(&row.id()))
            .map(Row::id)
            .collect();
        for id in gone {
            self.remove(id);
        }
    }
}

/// A socket as a transition shows it.
fn status(transition: &Transition, state: State, since: Stamp) -> SocketStatus {
    SocketStatus {
        socket: transition.socket,
        netns_name: transition.netns_name.clone(),
        state,
        since,
        held_from: transition.ages.held_from.unwrap_or(HeldFrom::Observed),
        held_at_least: false,
        missed_by_last_poll: false,
        row: 0,
        withheld: false,
        clues: transition.clues.clone(),
        details: Details::NONE,
    }
}
