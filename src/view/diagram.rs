//! The counts of `--view diagram`: how often sockets passed each edge of the TCP state diagram, and
//! how many are in each state now.
//!
//! An edge counts only where it was passed without doubt: no state that the event leaves open
//! (`maybe`) can lie between its two states. It counts as observed where both states were observed,
//! one after the other, and as certain where one of them was inferred (`via`). Two states without
//! such an edge between them, as ESTABLISHED and then CLOSED, count as a gap.

use super::life::LifeHistories;
use super::{Record, Run, View, losses};
use crate::model::event::{EventKind, MonitorEvent, SocketEvent, Transition};
use crate::model::reading::Interface;
use crate::model::time::Stamp;
use crate::tcp::edge::{EDGES, Edge};
use crate::tcp::path::{Proof, between};
use crate::tcp::state::State;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// How often an edge was passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct EdgeCounts {
    /// How often both states were observed, one after the other, with no possible state between.
    pub(crate) observed: u64,
    /// How often the transition was not observed itself, but is on every legal path through the
    /// states in `via`.
    pub(crate) certain: u64,
}

/// The counts of a run. Without any, the diagram shows what is legal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagram {
    /// How many sockets are in each state now, where there are any.
    states: BTreeMap<State, u64>,
    /// In the order of the table of edges.
    edges: [EdgeCounts; EDGES.len()],
    /// States observed one after the other without a certain edge between them.
    gaps: BTreeMap<(State, State), u64>,
}

impl Diagram {
    /// Counts the edges of an event, if the filter by state asks for it.
    pub fn apply(&mut self, event: &SocketEvent) {
        let Transition { kind, from, via, maybe, to, .. } = &event.transition;
        if event.passes && *kind != EventKind::Present {
            self.count_path(from.unwrap_or(State::Closed), via, maybe, *to);
        }
    }

    /// Counts the edges from one state to another, passing all of `via` and perhaps some of `maybe`.
    pub(crate) fn count_path(&mut self, from: State, via: &[State], maybe: &[State], to: State) {
        let mut here = from;
        for next in via.iter().copied().chain([to]) {
            match passed_edge(here, next, maybe) {
                Some(edge) if via.is_empty() => self.edges[edge].observed += 1,
                Some(edge) => self.edges[edge].certain += 1,
                None => *self.gaps.entry((here, next)).or_default() += 1,
            }
            here = next;
        }
    }

    /// Sets the states in which the sockets are now.
    pub fn set_states(&mut self, states: impl IntoIterator<Item = State>) {
        self.states.clear();
        for state in states {
            *self.states.entry(state).or_default() += 1;
        }
    }

    /// How many sockets are in a state now.
    pub(crate) fn sockets_in(&self, state: State) -> u64 {
        self.states.get(&state).copied().unwrap_or_default()
    }

    /// How many sockets are in each state now: every state that has a name, and codes without one
    /// in which a socket is.
    pub(crate) fn states(&self) -> BTreeMap<State, u64> {
        let mut states: BTreeMap<State, u64> = State::NAMED.map(|state| (state, 0)).into();
        states.extend(&self.states);
        states
    }

    /// Every edge with how often it was passed, in the order of the table.
    pub(crate) fn edges(&self) -> impl Iterator<Item = (&'static Edge, EdgeCounts)> {
        EDGES.iter().zip(self.edges)
    }

    /// The edges as the schema has them.
    pub(crate) fn records(&self) -> impl Iterator<Item = EdgeRecord> {
        self.edges().map(|(edge, counts)| EdgeRecord { from: edge.from, to: edge.to, counts })
    }

    /// States observed one after the other without a certain edge between them, and how often.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = (State, State, u64)> {
        self.gaps.iter().map(|(&(from, to), &count)| (from, to, count))
    }

    /// Whether nothing has been counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.states.is_empty() && self.gaps.is_empty() && self.edges == <[EdgeCounts; _]>::default()
    }
}

/// The index in the table of the edge from one state to another; `None` if there is none, or one of
/// the states in `maybe` can lie between them.
fn passed_edge(from: State, to: State, maybe: &[State]) -> Option<usize> {
    let edge = EDGES.iter().position(|edge| (edge.from, edge.to) == (from, to))?;
    let around = || between(from, to, Proof::default()).unwrap_or_default().possible;
    let doubtful = !maybe.is_empty() && around().iter().any(|state| maybe.contains(state));
    (!doubtful).then_some(edge)
}

/// An edge as the schema has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[schemars(rename = "edge")]
pub(crate) struct EdgeRecord {
    /// The previous state; `CLOSED` for a socket that opens.
    pub(crate) from: State,
    /// The new state; `CLOSED` for a socket that closes.
    pub(crate) to: State,
    /// How often.
    #[serde(flatten)]
    pub(crate) counts: EdgeCounts,
}

impl Serialize for Diagram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DiagramKeys { states: self.states(), edges: self.records().collect() }.serialize(serializer)
    }
}

/// The keys of a diagram.
#[derive(JsonSchema, Serialize)]
pub(super) struct DiagramKeys {
    /// How many sockets are in each state now, by state.
    states: BTreeMap<State, u64>,
    /// How often each legal transition was made: a list of these keys, in the order of
    /// `tcplapse explain`:
    edges: Vec<EdgeRecord>,
}

/// `--view diagram`: how often each edge was passed, and how many sockets are in each state now.
pub(super) struct DiagramView {
    diagram: Diagram,
    /// How many more events it counts; `None` for all.
    left: Option<u64>,
}

impl DiagramView {
    pub(super) fn new(max_count: Option<u64>) -> Self {
        Self { diagram: Diagram::default(), left: max_count }
    }
}

impl View for DiagramView {
    fn apply(
        &mut self,
        events: Vec<MonitorEvent>,
        _: (Stamp, Interface),
        _: &LifeHistories,
    ) -> Vec<Record> {
        for event in passing(&events) {
            if !self.is_full() {
                self.diagram.apply(event);
                self.left = self.left.map(|left| left - 1);
            }
        }
        losses(events)
    }

    fn current(&mut self, run: &mut dyn Run) -> Vec<Record> {
        self.diagram.set_states(run.states());
        vec![Record::Diagram(Box::new(self.diagram.clone()))]
    }

    fn is_picture(&self) -> bool {
        true
    }

    fn title(&self) -> Option<(&'static str, &'static str)> {
        Some(("TCP state diagram", "; legend: tcplapse explain"))
    }

    fn is_full(&self) -> bool {
        self.left == Some(0)
    }
}

/// The events of sockets that pass the filter by state.
fn passing(events: &[MonitorEvent]) -> impl Iterator<Item = &SocketEvent> {
    events.iter().filter_map(|event| match event {
        MonitorEvent::Socket(event) if event.passes => Some(&**event),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
