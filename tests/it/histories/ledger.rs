//! What has been told of every life, and what the next record must therefore be.

use super::readings::Time;
use std::collections::HashMap;
use tcplapse::model::event::{EventKind, SocketId, SocketStatus, Transition};
use tcplapse::tcp::path::{Proof, between};
use tcplapse::tcp::state::State;

/// The records so far.
pub(super) struct Ledger {
    time: Time,
    lives: HashMap<SocketId, Entry>,
    /// Something happened that can have cost lives without an end.
    pub(super) doubtful: bool,
}

/// What a life was last told to be.
struct Entry {
    state: State,
    over: bool,
}

impl Ledger {
    pub(super) fn new(time: Time) -> Self {
        Self { time, lives: HashMap::new(), doubtful: false }
    }

    /// Enters a record.
    ///
    /// # Panics
    /// If it contradicts those before, or itself.
    pub(super) fn enter(&mut self, told: &Transition) {
        self.follows(told);
        is_a_way(told);
        has_its_ends(told);
        if self.time == Time::Forwards {
            assert!(told.after.is_none_or(|after| after <= told.time), "{told:?}");
            assert!(told.ages.held.is_none_or(|held| held <= told.ages.lived), "{told:?}");
        }
        let entry = Entry { state: told.to, over: told.kind == EventKind::Closed };
        self.lives.insert(told.socket.id, entry);
    }

    /// It goes on where the last record of its life left it.
    fn follows(&self, told: &Transition) {
        let before = self.lives.get(&told.socket.id);
        assert!(before.is_none_or(|before| !before.over), "it is over: {told:?}");
        let first = matches!(told.kind, EventKind::Present | EventKind::Opened);
        assert_eq!(first, before.is_none(), "{told:?}");
        assert_eq!(told.from, before.map(|before| before.state), "{told:?}");
        assert!(told.kind != EventKind::Changed || told.from != Some(told.to), "{told:?}");
    }

    /// What stands between two readings is what was told and is not over.
    ///
    /// # Panics
    /// Where it is not.
    pub(super) fn agree(&self, standings: impl Iterator<Item = SocketStatus>) {
        for now in standings {
            if let Some(entry) = self.lives.get(&now.socket.id) {
                assert!(!entry.over, "it is over: {now:?}");
                assert_eq!(entry.state, now.state, "{now:?}");
            }
        }
    }

    /// The lives whose end was not told.
    pub(super) fn unended(&self) -> Vec<SocketId> {
        let open = self.lives.iter().filter(|(_, entry)| !entry.over);
        open.map(|(life, _)| *life).collect()
    }
}

/// What it says was passed lies between its two states, each state once, and makes one way.
fn is_a_way(told: &Transition) {
    let passed: Vec<State> = told.via.iter().chain(&told.maybe).copied().collect();
    for (place, state) in passed.iter().enumerate() {
        assert!(!passed[..place].contains(state), "{state:?} twice in {told:?}");
        assert!(*state != State::Closed, "{told:?}");
    }
    assert!(told.kind != EventKind::Present || passed.is_empty(), "{told:?}");
    let from = told.from.unwrap_or(State::Closed);
    let stations: Vec<State> =
        [from].into_iter().chain(told.via.clone()).chain([told.to]).collect();
    // Where a state has no name, nobody knows its edges.
    let named = !stations.iter().any(|state| matches!(state, State::Unknown(_)));
    if told.kind != EventKind::Present && from != told.to && named {
        for pair in stations.windows(2) {
            let legal = pair[0] == pair[1] || between(pair[0], pair[1], Proof::default()).is_some();
            assert!(legal, "no way from {:?} to {:?}: {told:?}", pair[0], pair[1]);
        }
    }
}

/// What every record has, and only some.
fn has_its_ends(told: &Transition) {
    let closed = told.kind == EventKind::Closed;
    assert!(!closed || told.to == State::Closed, "{told:?}");
    assert!(closed || told.verdict.is_none(), "{told:?}");
    assert_eq!(told.from.is_some(), told.ages.held.is_some(), "{told:?}");
    assert_eq!(told.kind == EventKind::Present, told.after.is_none(), "{told:?}");
    assert!(!told.ages.held_at_least || told.ages.lived_at_least, "{told:?}");
}
