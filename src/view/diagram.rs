//! The diagram: how often each edge of the TCP state diagram was walked, and how many sockets are
//! in each state now. A pure fold of what is told.
//!
//! An edge counts only where it was walked without doubt: no legal way that the record leaves open
//! (`maybe`) leads around it. It counts as observed where both its ends were seen, one after the
//! other, and as certain where it lies on the way through states that were not seen (`via`).
//! What has no such edge, as a socket that was ESTABLISHED and then gone, is kept as a gap.

use super::SCHEMA;
use crate::model::event::{EventKind, SocketEvent, Transition};
use crate::tcp::edge::{EDGES, Edge};
use crate::tcp::path::{Proof, between};
use crate::tcp::state::State;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// How often an edge was walked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Walks {
    /// With both its ends seen.
    pub observed: u64,
    /// Inferred: on every legal way between what was seen.
    pub certain: u64,
}

/// The counts of a run. Without any it is the diagram of what is legal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagram {
    /// Sockets now.
    states: BTreeMap<State, u64>,
    /// In the order of the table of edges.
    edges: [Walks; EDGES.len()],
    /// Two states seen one after the other, with no telling which way led between them.
    gaps: BTreeMap<(State, State), u64>,
}

impl Diagram {
    /// Counts the steps of a transition that the filters ask for.
    pub fn take(&mut self, told: &SocketEvent) {
        let Transition { kind, from, via, maybe, to, .. } = &told.transition;
        if told.passes && *kind != EventKind::Present {
            self.walk(from.unwrap_or(State::Closed), via, maybe, *to);
        }
    }

    /// Counts the steps from one state to another.
    pub(crate) fn walk(&mut self, from: State, via: &[State], maybe: &[State], to: State) {
        let mut here = from;
        for next in via.iter().copied().chain([to]) {
            match walked(here, next, maybe) {
                Some(edge) if via.is_empty() => self.edges[edge].observed += 1,
                Some(edge) => self.edges[edge].certain += 1,
                None => *self.gaps.entry((here, next)).or_default() += 1,
            }
            here = next;
        }
    }

    /// Sets the states that the sockets are in now.
    pub fn stand(&mut self, states: impl IntoIterator<Item = State>) {
        self.states.clear();
        for state in states {
            *self.states.entry(state).or_default() += 1;
        }
    }

    /// How many sockets are in a state now.
    pub fn now(&self, state: State) -> u64 {
        self.states.get(&state).copied().unwrap_or_default()
    }

    /// How many sockets are in each state now: all that have a name, and those without one that
    /// some socket is in.
    pub fn states(&self) -> Vec<(State, u64)> {
        let nameless = self.states.keys().filter(|state| matches!(state, State::Unknown(_)));
        let all = State::NAMED.iter().chain(nameless);
        all.map(|state| (*state, self.now(*state))).collect()
    }

    /// The edges with how often each was walked, in the order of the table.
    pub fn edges(&self) -> impl Iterator<Item = (&'static Edge, Walks)> {
        EDGES.iter().zip(self.edges)
    }

    /// The edges as the schema has them.
    pub fn records(&self) -> impl Iterator<Item = EdgeRecord> {
        self.edges().map(|(edge, walks)| EdgeRecord {
            from: edge.from,
            to: edge.to,
            observed: walks.observed,
            certain: walks.certain,
        })
    }

    /// States seen one after the other without a certain edge between them, and how often.
    pub fn gaps(&self) -> impl Iterator<Item = (State, State, u64)> {
        self.gaps.iter().map(|(&(from, to), &count)| (from, to, count))
    }

    /// Whether nothing has been counted: the diagram of what is legal.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty() && self.gaps.is_empty() && self.edges == <[Walks; _]>::default()
    }
}

/// The place in the table of the edge that was walked between two states, if there is one and none
/// of the states in `maybe` can lie between them.
fn walked(from: State, to: State, maybe: &[State]) -> Option<usize> {
    let edge = EDGES.iter().position(|edge| (edge.from, edge.to) == (from, to))?;
    let around = || between(from, to, Proof::default()).unwrap_or_default().possible;
    let doubtful = !maybe.is_empty() && around().iter().any(|state| maybe.contains(state));
    (!doubtful).then_some(edge)
}

/// The diagram as the schema has it.
#[derive(Serialize)]
struct DiagramRecord {
    v: u8,
    event: &'static str,
    #[serde(serialize_with = "as_map")]
    states: Vec<(State, u64)>,
    edges: Vec<EdgeRecord>,
}

/// An edge as the schema has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // README and man page describe the schema
pub struct EdgeRecord {
    pub from: State,
    pub to: State,
    pub observed: u64,
    pub certain: u64,
}

impl Serialize for Diagram {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let (states, edges) = (self.states(), self.records().collect());
        DiagramRecord { v: SCHEMA, event: "diagram", states, edges }.serialize(s)
    }
}

fn as_map<S: Serializer>(states: &[(State, u64)], s: S) -> Result<S::Ok, S::Error> {
    s.collect_map(states.iter().copied())
}

#[cfg(test)]
mod tests;
