//! Who opened and who closed a connection, and how it ended, as far as it is proven.

use super::{Life, unaccepted};
use crate::model::event::{Side, Verdict};
use crate::model::reading::AbortReason;
use crate::model::socket_row::SocketRow;
use crate::tcp::path::Proof;
use crate::tcp::state::State;

/// What the other end of the connection, on this machine too, proves.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools)] // each a fact of its own
pub(crate) struct Peer {
    /// A listener made it.
    passive: bool,
    /// It had our FIN.
    had_fin: bool,
    /// It had our FIN before it sent its own.
    closed_second: bool,
    /// Its FIN and ours crossed.
    crossed: bool,
    /// It is none: the two only look alike.
    pub(crate) disproved: bool,
}

/// States of a socket that has not sent its FIN.
pub(crate) const fn before_fin(state: State) -> bool {
    matches!(state, State::SynSent | State::SynRecv | State::Established | State::CloseWait)
}

impl Life {
    /// What is proven of this life beyond its state.
    pub(crate) fn proof(&self) -> Proof {
        Proof {
            passive: self.roles.opener == Some(Side::Remote),
            active: self.peer.passive,
            request: self.request && self.state == Some(State::SynRecv),
            sent_fin: self.peer.had_fin,
            closed_first: self.peer.closed_second || self.peer.crossed,
            uncrossed: self.peer.closed_second,
        }
    }

    /// Draws what the other end's row proves of this one (RFC 9293, section 3.6): it was shown
    /// in this pass, in `state`, made by a listener or not.
    pub(crate) fn note_peer(&mut self, state: State, opener: Option<Side>) {
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
        let both_fins = matches!(state, State::LastAck | State::Closing | State::TimeWait);
        peer.had_fin |= peer.closed_second || both_fins;
        self.roles.both_fins |= both_fins;
        if (peer.closed_second || peer.crossed) && self.roles.closer.is_none() {
            self.roles.closer = Some(Side::Local);
        }
    }

    /// A row that cannot be, were the socket with the mirrored ends the other end: a transparent
    /// proxy has such pairs, that are no connection.
    pub(super) fn unmask_peer(&mut self, row: &SocketRow) {
        if self.peer.had_fin && before_fin(row.state) {
            self.disprove_peer();
            (self.roles.closer, self.roles.both_fins) = (None, false);
        }
    }

    /// What looked like the other end is none: nothing that it seemed to prove holds.
    pub(crate) fn disprove_peer(&mut self) {
        if self.peer.passive {
            self.roles.opener = None;
        }
        self.peer = Peer { disproved: true, ..Peer::default() };
    }

    /// Draws what follows from having been in a state.
    pub(crate) fn note_closer(&mut self, state: State) {
        let roles = &mut self.roles;
        match state {
            State::FinWait1 | State::FinWait2 | State::TimeWait if roles.closer.is_none() => {
                roles.closer = Some(Side::Local);
            }
            State::CloseWait | State::LastAck => roles.closer = Some(Side::Remote),
            State::Closing => roles.closer = Some(Side::Both),
            _ => {}
        }
        roles.both_fins |= matches!(state, State::TimeWait | State::Closing | State::LastAck);
    }

    /// How it ended, judged by what is proven.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        if self.state == Some(State::Listen) {
            return None;
        }
        Some(match (self.roles.both_fins, self.roles.closer) {
            _ if self.cut == Some(AbortReason::Reset) => Verdict::Reset,
            _ if self.cut == Some(AbortReason::Refused) => Verdict::Refused,
            _ if self.cut == Some(AbortReason::TimedOut) => Verdict::TimedOut,
            (true, Some(Side::Local)) => Verdict::LocalClose,
            (true, Some(Side::Both)) => Verdict::SimultaneousClose,
            (true, Some(Side::Remote)) => Verdict::RemoteClose,
            _ => Verdict::Unknown,
        })
    }

    pub(super) fn note_opener(&mut self, row: &SocketRow) {
        let opener = &mut self.roles.opener;
        if row.state == State::SynSent {
            *opener = Some(Side::Local);
        } else if self.now.state == State::SynSent && row.state == State::SynRecv {
            *opener = Some(Side::Both);
        } else if opener.is_none() && row.inode == 0 && unaccepted(row.state) {
            *opener = Some(Side::Remote);
        }
    }
}
