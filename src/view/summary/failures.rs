//! Connections that failed: who tried to connect to whom and why that failed, and who was reset.

use crate::model::event::{EventKind, Side, SocketEvent, Verdict};
use crate::model::socket::Endpoint;
use crate::tcp::state::State;
use std::collections::HashMap;

/// So many kinds of failures are counted by themselves; more of them are not counted.
const MAX_KINDS: usize = 10_000;

/// What is known of a failed connection, besides when.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionFailure {
    /// The name of the process; `None` if unknown.
    pub(crate) process: Option<String>,
    /// The other end of a connect(); `None` of a reset, whose remote port says little.
    pub(crate) remote: Option<Endpoint>,
    /// Why.
    pub(crate) reason: FailureReason,
}

/// Why a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FailureReason {
    /// connect() failed; `Unknown` where it is not known why.
    Connect(Verdict),
    /// An open connection was reset, by this side where that is known.
    Reset(Option<Side>),
}

/// The failures of a run.
#[derive(Debug, Default)]
pub(crate) struct FailureCounts {
    counts: HashMap<ConnectionFailure, u64>,
}

impl FailureCounts {
    /// Counts an event, if it is a failure.
    pub(crate) fn apply(&mut self, event: &SocketEvent) {
        let transition = &event.transition;
        let (EventKind::Closed, Some(verdict)) = (transition.kind, transition.verdict) else {
            return;
        };
        // The kernel also gives up connections that are open.
        let was_opening = transition.from == Some(State::SynSent);
        let reason = match verdict {
            Verdict::Refused | Verdict::NoAnswer | Verdict::NoPort => {
                FailureReason::Connect(verdict)
            }
            Verdict::TimedOut | Verdict::Unreachable | Verdict::Unknown if was_opening => {
                FailureReason::Connect(verdict)
            }
            Verdict::Reset => FailureReason::Reset(transition.reset_by),
            _ => return,
        };
        let is_connect = matches!(reason, FailureReason::Connect(_));
        let process = event.owner.main.as_ref().and_then(|process| process.name());
        let remote = is_connect.then_some(transition.socket.addrs.remote);
        let failure = ConnectionFailure { process, remote, reason };
        if self.counts.len() < MAX_KINDS || self.counts.contains_key(&failure) {
            *self.counts.entry(failure).or_default() += 1;
        }
    }

    /// Each kind and how often it happened, the most frequent first.
    pub(crate) fn most_frequent(&self) -> Vec<(&ConnectionFailure, u64)> {
        let mut all: Vec<_> = self.counts.iter().map(|(kind, count)| (kind, *count)).collect();
        all.sort_by(|(a, one), (b, other)| {
            let end = |failure: &ConnectionFailure| {
                (failure.process.clone(), failure.remote.map(|end| (end.addr, end.port)))
            };
            other.cmp(one).then_with(|| end(a).cmp(&end(b)))
        });
        all
    }
}
