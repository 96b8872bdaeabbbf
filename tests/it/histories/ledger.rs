//! What has been reported of every socket, and what its next record must therefore be.

use super::readings::Time;
use std::collections::HashMap;
use tcplapse::testing::model::event::{EventKind, SocketId, SocketStatus, Transition};
use tcplapse::testing::tcp::path::{Proof, between};
use tcplapse::testing::tcp::state::State;

/// The records so far.
pub(super) struct Ledger {
    time: Time,
    lives: HashMap<SocketId, LedgerEntry>,
    /// Something happened after which sockets may vanish without a record of their end.
    pub(super) may_lack_ends: bool,
}

/// What was reported of a socket last.
struct LedgerEntry {
    state: State,
    ended: bool,
}

impl Ledger {
    pub(super) fn new(time: Time) -> Self {
        Self { time, lives: HashMap::new(), may_lack_ends: false }
    }

    /// Enters a record.
    ///
    /// # Panics
    /// If it contradicts those before, or itself.
    pub(super) fn enter(&mut self, record: &Transition) {
        self.follows(record);
        has_a_legal_path(record);
        has_its_fields(record);
        if self.time == Time::Forwards {
            assert!(record.after.is_none_or(|after| after <= record.time), "{record:?}");
            assert!(record.ages.held.is_none_or(|held| held <= record.ages.lived), "{record:?}");
        }
        let entry = LedgerEntry { state: record.to, ended: record.kind == EventKind::Closed };
        self.lives.insert(record.socket.id, entry);
    }

    /// It begins where the last record of the socket ended.
    fn follows(&self, record: &Transition) {
        let before = self.lives.get(&record.socket.id);
        assert!(before.is_none_or(|before| !before.ended), "it has ended: {record:?}");
        let first = matches!(record.kind, EventKind::Present | EventKind::Opened);
        assert_eq!(first, before.is_none(), "{record:?}");
        assert_eq!(record.from, before.map(|before| before.state), "{record:?}");
        assert!(record.kind != EventKind::Changed || record.from != Some(record.to), "{record:?}");
    }

    /// The sockets between two readings are those that were reported and have not ended.
    ///
    /// # Panics
    /// Where it is not.
    pub(super) fn agree(&self, statuses: impl Iterator<Item = SocketStatus>) {
        for now in statuses {
            if let Some(entry) = self.lives.get(&now.socket.id) {
                assert!(!entry.ended, "it has ended: {now:?}");
                assert_eq!(entry.state, now.state, "{now:?}");
            }
        }
    }

    /// The sockets without a record of their end.
    pub(super) fn unended(&self) -> Vec<SocketId> {
        let open = self.lives.iter().filter(|(_, entry)| !entry.ended);
        open.map(|(life, _)| *life).collect()
    }
}

/// The states that it says were passed lie between its two states, each once, on a legal path.
fn has_a_legal_path(record: &Transition) {
    let passed: Vec<State> = record.via.iter().chain(&record.maybe).copied().collect();
    for (place, state) in passed.iter().enumerate() {
        assert!(!passed[..place].contains(state), "{state:?} twice in {record:?}");
        assert!(*state != State::Closed, "{record:?}");
    }
    assert!(record.kind != EventKind::Present || passed.is_empty(), "{record:?}");
    let from = record.from.unwrap_or(State::Closed);
    let path: Vec<State> =
        [from].into_iter().chain(record.via.clone()).chain([record.to]).collect();
    // The edges of a state without a name are not known.
    let named = !path.iter().any(|state| matches!(state, State::Unknown(_)));
    if record.kind != EventKind::Present && from != record.to && named {
        for pair in path.windows(2) {
            let legal = pair[0] == pair[1] || between(pair[0], pair[1], Proof::default()).is_some();
            assert!(legal, "no path from {:?} to {:?}: {record:?}", pair[0], pair[1]);
        }
    }
}

/// Which fields a record has depends on its event.
fn has_its_fields(record: &Transition) {
    let closed = record.kind == EventKind::Closed;
    assert!(!closed || record.to == State::Closed, "{record:?}");
    assert!(closed || record.verdict.is_none(), "{record:?}");
    assert_eq!(record.from.is_some(), record.ages.held.is_some(), "{record:?}");
    // The first poll may have missed a socket that was becoming one of these.
    let may_be_missed = record.to.has_sent_fin();
    let has_no_bound = match record.kind {
        EventKind::Present => record.after.is_none(),
        EventKind::Opened if may_be_missed => true,
        _ => record.after.is_some(),
    };
    assert!(has_no_bound, "{record:?}");
    assert!(!record.ages.held_at_least || record.ages.lived_at_least, "{record:?}");
}
