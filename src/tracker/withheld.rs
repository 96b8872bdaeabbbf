//! Events of a new socket that are withheld until it is known of those before it whether they have
//! closed.

use super::TrackerSink;
use super::socket::SocketKey;
use crate::model::event::{BySocket, SocketId, TrackerEvent, Transition};
use crate::model::time::Stamp;

/// Sockets that wait for the end of others: of those with the same address pair, or with the same
/// inode elsewhere.
#[derive(Debug, Default)]
pub(super) struct Withheld {
    /// Who waits for a socket and since when, with the key of that one.
    successors: BySocket<(SocketKey, Vec<(SocketId, Stamp)>)>,
    waiting: BySocket<Waiting>,
}

/// A socket that waits.
#[derive(Debug, Default)]
struct Waiting {
    /// For these, of which some may be decided.
    predecessors: Vec<SocketId>,
    undecided: usize,
    transitions: Vec<Transition>,
}

impl Withheld {
    /// Withholds the events of a socket that was new at this instant until `before` is decided.
    pub(super) fn add(&mut self, before: SocketKey, new: SocketId, since: Stamp) {
        let (_, successors) =
            self.successors.entry(before.id).or_insert_with(|| (before, Vec::new()));
        successors.push((new, since));
        let waiting = self.waiting.entry(new).or_default();
        waiting.predecessors.push(before.id);
        waiting.undecided += 1;
    }

    pub(super) fn contains(&self, id: SocketId) -> bool {
        self.waiting.contains_key(&id)
    }

    /// Pushes an event, or keeps it if its socket waits.
    pub(super) fn push(&mut self, transition: Transition, sink: &mut dyn TrackerSink) {
        match self.waiting.get_mut(&transition.socket.id) {
            Some(waiting) => waiting.transitions.push(transition),
            None => sink.push(TrackerEvent::Transition(Box::new(transition))),
        }
    }

    /// A socket that waits is not followed any more: nothing is reported of it.
    pub(super) fn forget(&mut self, id: SocketId) {
        self.waiting.remove(&id);
    }

    /// Pushes what is withheld of one socket, in order, after what is withheld of those that it waits for:
    /// these were opened before.
    pub(super) fn release(&mut self, id: SocketId, sink: &mut dyn TrackerSink) {
        let Some(waiting) = self.waiting.remove(&id) else { return };
        let Waiting { mut predecessors, transitions, .. } = waiting;
        predecessors.sort_unstable();
        for before in predecessors {
            self.release(before, sink);
        }
        for transition in transitions {
            sink.push(TrackerEvent::Transition(Box::new(transition)));
        }
    }

    /// Pushes what is withheld until `before` is decided.
    pub(super) fn release_after(&mut self, before: SocketId, sink: &mut dyn TrackerSink) {
        for (id, _) in self.successors.remove(&before).into_iter().flat_map(|(_, waiting)| waiting)
        {
            self.wait_for_one_less(id, sink);
        }
    }

    /// Pushes what is withheld until those are decided that `is_decided` holds of, which is asked with
    /// the instant since when another one waits.
    pub(super) fn release_decided(
        &mut self,
        is_decided: impl Fn(SocketKey, Stamp) -> bool,
        sink: &mut dyn TrackerSink,
    ) {
        let mut decided = Vec::new();
        self.successors.retain(|_, (before, waiting)| {
            waiting.retain(|(new, since)| {
                let is_decided = is_decided(*before, *since);
                decided.extend(is_decided.then_some((before.id, *new)));
                !is_decided
            });
            !waiting.is_empty()
        });
        // Of several that wait for each other the oldest comes first.
        decided.sort_unstable();
        for (_, id) in decided {
            self.wait_for_one_less(id, sink);
        }
    }

    /// One of those that a socket waits for is decided: with the last one it waits no more.
    fn wait_for_one_less(&mut self, id: SocketId, sink: &mut dyn TrackerSink) {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.undecided = waiting.undecided.saturating_sub(1);
            if waiting.undecided == 0 {
                self.release(id, sink);
            }
        }
    }
}
