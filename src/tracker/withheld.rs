//! Events of a new socket that are withheld until it is known that the one before it has closed.

use super::TrackerSink;
use super::socket::SocketKey;
use crate::model::event::{SocketId, TrackerEvent, Transition};
use std::collections::HashMap;

/// Sockets that wait for the end of another: of one with the same address pair, or with the same
/// inode elsewhere.
#[derive(Debug, Default)]
pub(super) struct Withheld {
    /// Who waits for a socket, with the key of that one.
    successors: HashMap<SocketId, (SocketKey, Vec<SocketId>)>,
    /// What is withheld of each socket that waits.
    transitions: HashMap<SocketId, Vec<Transition>>,
}

impl Withheld {
    /// Withholds the events of a new socket until `before` is decided.
    pub(super) fn add(&mut self, before: SocketKey, new: SocketId) {
        self.successors.entry(before.id).or_insert_with(|| (before, Vec::new())).1.push(new);
        self.transitions.insert(new, Vec::new());
    }

    pub(super) fn contains(&self, id: SocketId) -> bool {
        self.transitions.contains_key(&id)
    }

    /// Pushes an event, or keeps it if its socket waits.
    pub(super) fn push(&mut self, transition: Transition, sink: &mut dyn TrackerSink) {
        match self.transitions.get_mut(&transition.socket.id) {
            Some(withheld) => withheld.push(transition),
            None => sink.push(TrackerEvent::Transition(Box::new(transition))),
        }
    }

    /// A socket that waits is not followed any more: nothing is reported of it.
    pub(super) fn forget(&mut self, id: SocketId) {
        self.transitions.remove(&id);
    }

    /// Pushes what is withheld of one socket, in order.
    pub(super) fn release(&mut self, id: SocketId, sink: &mut dyn TrackerSink) {
        for transition in self.transitions.remove(&id).unwrap_or_default() {
            sink.push(TrackerEvent::Transition(Box::new(transition)));
        }
    }

    /// Pushes what is withheld until `before` is decided.
    pub(super) fn release_after(&mut self, before: SocketId, sink: &mut dyn TrackerSink) {
        for id in self.successors.remove(&before).into_iter().flat_map(|(_, waiting)| waiting) {
            self.release(id, sink);
        }
    }

    /// Pushes what is withheld until one of those is decided that `is_decided` holds of.
    pub(super) fn release_decided(
        &mut self,
        is_decided: impl Fn(SocketKey) -> bool,
        sink: &mut dyn TrackerSink,
    ) {
        let keys = self.successors.values().map(|(before, _)| *before);
        let mut decided: Vec<SocketId> =
            keys.filter(|before| is_decided(*before)).map(|before| before.id).collect();
        decided.sort_unstable();
        for before in decided {
            self.release_after(before, sink);
        }
    }
}
