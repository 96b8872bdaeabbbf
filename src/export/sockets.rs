//! What there is at one instant: sockets by group and state, the oldest of each, and the accept queues
//! of listeners.

use super::exposition::LabelSet;
use super::groups::{GroupId, Groups};
use crate::model::event::SocketStatus;
use crate::model::process::Attribution;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use std::collections::BTreeMap;

/// The sockets of a group in a state.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct InState {
    pub(super) count: u64,
    /// How long the oldest has been in the state, in seconds.
    pub(super) oldest: f64,
}

/// The accept queue of a listener.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct AcceptQueue {
    /// How many connections wait for accept().
    pub(super) length: u32,
    /// How many may wait; `None` where the source does not report it.
    pub(super) limit: Option<u32>,
}

/// Sockets at one instant.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    by_state: BTreeMap<(GroupId, State), InState>,
    queues: BTreeMap<GroupId, AcceptQueue>,
}

impl AcceptQueue {
    /// Of two queues that have the same labels the fuller one is shown: a sum would hide it.
    fn is_fuller_than(self, other: Self) -> bool {
        let left =
            |queue: Self| queue.limit.map(|limit| i64::from(limit) - i64::from(queue.length));
        match (left(self), left(other)) {
            (Some(one), Some(two)) if one != two => one < two,
            _ => self.length > other.length,
        }
    }
}

impl Sockets {
    /// Adds a socket as it is at this instant. `listeners`: the groups of accept queues.
    pub(super) fn add(
        &mut self,
        at: Stamp,
        (now, owner): (&SocketStatus, &Attribution),
        (groups, listeners): (&mut Groups, &mut Groups),
        ports: &dyn Fn(u16) -> bool,
    ) {
        let group = groups.of(&now.socket, owner, ports);
        let in_state = self.by_state.entry((group, now.state)).or_default();
        in_state.count += 1;
        in_state.oldest = in_state.oldest.max(at.since(now.since).as_secs_f64());
        if now.state == State::Listen {
            let queue =
                AcceptQueue { length: now.details.rx_queue, limit: now.details.backlog_limit };
            let known = self.queues.entry(listeners.of(&now.socket, owner, ports));
            known
                .and_modify(|known| {
                    if queue.is_fuller_than(*known) {
                        *known = queue;
                    }
                })
                .or_insert(queue);
        }
    }

    /// Of each group and each of these states how many sockets are in it, none included; also of
    /// states that are not among these, where there are any.
    pub(super) fn by_state(
        &self,
        groups: &Groups,
        states: &[State],
    ) -> impl Iterator<Item = (LabelSet, InState)> {
        let mut all: BTreeMap<(GroupId, State), InState> = BTreeMap::new();
        for group in groups.all() {
            all.extend(states.iter().map(|state| ((group, *state), InState::default())));
        }
        all.extend(&self.by_state);
        all.into_iter().map(|((group, state), in_state)| {
            let mut labels = vec![("state", state.to_string())];
            labels.extend(groups.labels(group));
            (labels, in_state)
        })
    }

    /// The accept queues of the listeners that there are.
    pub(super) fn queues(
        &self,
        listeners: &Groups,
    ) -> impl Iterator<Item = (LabelSet, AcceptQueue)> {
        self.queues.iter().map(|(group, queue)| (listeners.labels(*group), *queue))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fuller_of_two_accept_queues_counts() {
        let queue = |length, limit| AcceptQueue { length, limit };
        assert!(queue(128, Some(128)).is_fuller_than(queue(200, Some(4096))));
        assert!(!queue(1, Some(4096)).is_fuller_than(queue(1, Some(4))));
        assert!(queue(3, None).is_fuller_than(queue(2, None)));
        assert!(!queue(2, None).is_fuller_than(queue(2, None)));
    }
}
