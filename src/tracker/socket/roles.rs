//! Who opened and who closed a connection, as far as it is proven.

use super::identity::is_unaccepted_state;
use crate::model::event::{Roles, Side, Verdict};
use crate::model::reading::{AbortReason, StateChange};
use crate::model::socket_row::SocketRow;
use crate::model::time::Stamp;
use crate::tcp::path::Proof;
use crate::tcp::state::State;
use std::num::NonZeroU64;

/// Who opened and who closed, and what proves it.
#[derive(Debug, Default)]
pub(in crate::tracker) struct RoleEvidence {
    pub(in crate::tracker) roles: Roles,
    /// When it was first known (boot time, µs) that it sent its FIN before it had the other's.
    pub(in crate::tracker) closing_since: Option<NonZeroU64>,
    peer: PeerEvidence,
    /// The first poll that showed both ends as if they had closed at once, though neither is known to be
    /// that of this connection: see `peer::decide_crossing`.
    pub(in crate::tracker) may_have_crossed: Option<NonZeroU64>,
    /// What was taken for the peer is another socket: only the address pairs are mirrored.
    pub(in crate::tracker) is_peer_rejected: bool,
}

/// What the socket of the other end, on this machine too, proves of this one.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools)] // each a fact of its own
struct PeerEvidence {
    /// A listener made it.
    passive: bool,
    /// The peer had received our FIN.
    had_fin: bool,
    /// The peer had received our FIN before it sent its own.
    closed_second: bool,
    /// The FINs of both sides crossed.
    crossed: bool,
}

/// States of a socket that has not sent its FIN.
pub(in crate::tracker) const fn before_fin(state: State) -> bool {
    matches!(state, State::SynSent | State::SynRecv | State::Established | State::CloseWait)
}

impl RoleEvidence {
    /// What is proven beyond the states; `is_request_socket`: the state before is a request socket.
    pub(super) fn proof(&self, is_request_socket: bool) -> Proof {
        Proof {
            passive: self.roles.opener == Some(Side::Remote),
            active: self.peer.passive,
            request: is_request_socket,
            sent_fin: self.peer.had_fin,
            closed_first: self.peer.closed_second || self.peer.crossed,
            uncrossed: self.peer.closed_second,
        }
    }

    /// Concludes from the peer's row of the latest poll (RFC 9293, section 3.6), in `state`, opened
    /// by `opener` as the peer sees it.
    pub(in crate::tracker) fn note_peer(&mut self, state: State, opener: Option<Side>) {
        let peer = &mut self.peer;
        match opener {
            Some(Side::Remote) if self.roles.opener.is_none() => {
                peer.passive = true;
                self.roles.opener = Some(Side::Local);
            }
            Some(Side::Both) => self.roles.opener = Some(Side::Both),
            _ => {}
        }
        peer.closed_second |= matches!(state, State::CloseWait | State::LastAck);
        peer.crossed |= state == State::Closing;
        let both_fins = state.has_both_fins();
        peer.had_fin |= peer.closed_second || both_fins;
        self.roles.both_fins |= both_fins;
        if peer.crossed && !matches!(self.roles.closer, Some(Side::Remote)) {
            self.roles.closer = Some(Side::Both);
        } else if peer.closed_second && self.roles.closer.is_none() {
            self.roles.closer = Some(Side::Local);
        }
    }

    /// Rejects the peer if its evidence contradicts a row: a transparent proxy has pairs of sockets
    /// with mirrored addresses that are no connection.
    pub(super) fn check_peer(&mut self, row: &SocketRow) {
        if self.peer.had_fin && before_fin(row.state) {
            self.reject_peer();
            (self.roles.closer, self.roles.both_fins) = (None, false);
        }
    }

    /// What was taken for the peer is another socket: drops what it seemed to prove.
    pub(in crate::tracker) fn reject_peer(&mut self) {
        if self.peer.passive {
            self.roles.opener = None;
        }
        (self.peer, self.is_peer_rejected) = (PeerEvidence::default(), true);
    }

    /// Concludes who closed from the fact that the socket was in a state.
    pub(super) fn note_state(&mut self, state: State) {
        let roles = &mut self.roles;
        match state {
            State::FinWait1 | State::FinWait2 | State::TimeWait if roles.closer.is_none() => {
                roles.closer = Some(Side::Local);
            }
            State::CloseWait | State::LastAck => roles.closer = Some(Side::Remote),
            State::Closing => roles.closer = Some(Side::Both),
            _ => {}
        }
        roles.both_fins |= state.has_both_fins();
    }

    /// Who closed is known as of this instant.
    pub(super) fn note_closing(&mut self, time: Stamp) {
        if self.closing_since.is_none()
            && matches!(self.roles.closer, Some(Side::Local | Side::Both))
        {
            self.closing_since = NonZeroU64::new(time.boot);
        }
    }

    /// Concludes who opened from a row after one in state `before`.
    pub(super) fn note_row(&mut self, before: State, row: &SocketRow) {
        let opener = &mut self.roles.opener;
        if row.state == State::SynSent {
            *opener = Some(Side::Local);
        } else if before == State::SynSent && row.state == State::SynRecv {
            *opener = Some(Side::Both);
        } else if opener.is_none() && row.inode == 0 && is_unaccepted_state(row.state) {
            *opener = Some(Side::Remote);
        }
    }

    /// Concludes who opened from a state change that the kernel reported.
    pub(super) fn note_change(&mut self, change: &StateChange) {
        let opener = &mut self.roles.opener;
        match (change.from, change.to) {
            (_, State::SynSent) => *opener = Some(Side::Local),
            (State::SynSent, State::SynRecv) => *opener = Some(Side::Both),
            _ if change.passive => *opener = Some(Side::Remote),
            _ => {}
        }
    }

    /// How a connection ended that was aborted for `abort`, if it was.
    pub(super) const fn verdict(&self, abort: Option<AbortReason>) -> Verdict {
        match (abort, self.roles.closer) {
            (Some(AbortReason::Reset), _) => Verdict::Reset,
            (Some(AbortReason::Refused), _) => Verdict::Refused,
            (Some(AbortReason::TimedOut), _) => Verdict::TimedOut,
            (Some(AbortReason::NoAnswer), _) => Verdict::NoAnswer,
            (Some(AbortReason::Unreachable), _) => Verdict::Unreachable,
            (Some(AbortReason::NoPort), _) => Verdict::NoPort,
            (None, Some(Side::Local)) if self.roles.both_fins => Verdict::LocalClose,
            (None, Some(Side::Both)) if self.roles.both_fins => Verdict::SimultaneousClose,
            (None, Some(Side::Remote)) if self.roles.both_fins => Verdict::RemoteClose,
            (None, _) => Verdict::Unknown,
        }
    }
}
