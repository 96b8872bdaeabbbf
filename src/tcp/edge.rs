//! The table of legal edges: the state changes that one socket can make on Linux.
//!
//! The code, `explain`, the diagram, the man page and the tests all read this one table. A socket
//! starts in `CLOSED` and ends there; it never passes through it. Edges follow figure 5 of RFC 9293
//! where it has them; the others are marked as Linux's own.

use super::state::State::{
    self, CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv,
    SynSent, TimeWait,
};

/// Which side of a connection passes an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The side that opened, or that closed first.
    Active,
    /// The side that was connected to, or that closed second.
    Passive,
    /// Both, in a simultaneous open or close.
    Both,
    /// The kernel by itself: a timer, a reset, a limit.
    Kernel,
}

/// Where an edge is specified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// RFC 9293, figure 5 or section 3.10.
    Rfc9293,
    /// Linux alone.
    Linux,
}

/// A legal step of one socket from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// What causes the step, in the words of the RFC.
    pub cause: &'static str,
    /// Which side passes it.
    pub actor: Actor,
    /// Where it is specified.
    pub authority: Authority,
}

const fn rfc(from: State, to: State, actor: Actor, cause: &'static str) -> Edge {
    Edge { from, to, cause, actor, authority: Authority::Rfc9293 }
}

const fn linux(from: State, to: State, actor: Actor, cause: &'static str) -> Edge {
    Edge { from, to, cause, actor, authority: Authority::Linux }
}

/// Every legal edge of one socket on Linux.
pub const EDGES: [Edge; 26] = [
    rfc(Closed, Listen, Actor::Passive, "listen()"),
    rfc(Listen, Closed, Actor::Passive, "close() or shutdown() of the listener"),
    rfc(Closed, SynSent, Actor::Active, "connect(): sent SYN"),
    // RFC 9293 moves the listener itself; on Linux it stays and a new socket is created.
    rfc(Closed, SynRecv, Actor::Passive, "received SYN, sent SYN+ACK"),
    rfc(SynSent, SynRecv, Actor::Both, "received SYN, sent SYN+ACK (simultaneous open)"),
    rfc(SynSent, Established, Actor::Active, "received SYN+ACK, sent ACK"),
    rfc(SynRecv, Established, Actor::Passive, "received ACK of our SYN"),
    // No request socket exists with tcp_syncookies=2; TCP_REPAIR connects without a segment.
    linux(Closed, Established, Actor::Kernel, "received ACK of a SYN cookie, or TCP_REPAIR"),
    rfc(Established, CloseWait, Actor::Passive, "received FIN, sent ACK"),
    // tcp_fastopen_add_skb() → tcp_fin(): a Fast Open SYN may carry the FIN.
    linux(SynRecv, CloseWait, Actor::Passive, "received FIN with a Fast Open SYN"),
    rfc(CloseWait, LastAck, Actor::Passive, "close() or shutdown(): sent FIN"),
    rfc(Established, FinWait1, Actor::Active, "close() or shutdown(): sent FIN"),
    rfc(SynRecv, FinWait1, Actor::Active, "close() before the handshake was complete: sent FIN"),
    rfc(FinWait1, FinWait2, Actor::Active, "received ACK of our FIN"),
    rfc(FinWait1, Closing, Actor::Both, "received FIN, sent ACK (simultaneous close)"),
    rfc(FinWait2, TimeWait, Actor::Active, "received FIN, sent ACK"),
    rfc(Closing, TimeWait, Actor::Both, "received ACK of our FIN"),
    rfc(SynSent, Closed, Actor::Kernel, "received RST, no answer, or close()"),
    rfc(SynRecv, Closed, Actor::Kernel, "RST received, no ACK, or the listener closed"),
    rfc(Established, Closed, Actor::Kernel, "RST received or sent, or no answer"),
    rfc(CloseWait, Closed, Actor::Kernel, "RST received or sent, or no answer"),
    rfc(LastAck, Closed, Actor::Passive, "received ACK of our FIN"),
    // A lost peer, orphan limits and tcp_max_tw_buckets end these without TIME_WAIT.
    linux(FinWait1, Closed, Actor::Kernel, "RST, no answer, or too many orphans"),
    linux(FinWait2, Closed, Actor::Kernel, "tcp_fin_timeout, RST, or no room for TIME_WAIT"),
    linux(Closing, Closed, Actor::Kernel, "RST, no answer, or no room for TIME_WAIT"),
    rfc(TimeWait, Closed, Actor::Kernel, "60 s timer expired (or RST, or 4-tuple reused)"),
];

/// The edges that lead out of a state.
pub(crate) fn leaving(from: State) -> impl Iterator<Item = &'static Edge> {
    EDGES.iter().filter(move |edge| edge.from == from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_unique_and_lead_to_another_state() {
        for (i, edge) in EDGES.iter().enumerate() {
            assert_ne!(edge.from, edge.to);
            assert!(EDGES[..i].iter().all(|e| (e.from, e.to) != (edge.from, edge.to)));
        }
    }

    #[test]
    fn steps_that_linux_never_makes_are_not_in_the_table() {
        let has = |from, to| leaving(from).any(|edge| edge.to == to);
        assert!(!has(LastAck, TimeWait) && !has(CloseWait, TimeWait) && !has(FinWait2, Closing));
        assert!(!has(FinWait1, TimeWait), "Linux passes FIN_WAIT2 or CLOSING");
        for edge in EDGES {
            assert!(edge.to != Listen || edge.from == Closed);
            assert!(edge.to != Established || matches!(edge.from, Closed | SynSent | SynRecv));
        }
    }

    #[test]
    fn every_state_can_be_entered_and_left() {
        for state in State::NAMED {
            assert!(leaving(state).next().is_some(), "{state}");
            assert!(EDGES.iter().any(|edge| edge.to == state), "{state}");
        }
    }
}
