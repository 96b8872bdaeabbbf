//! Who opened and who closed a connection, and how it ended, as far as it is proven.

use super::{Life, unaccepted};
use crate::reading::{Cut, Observation};
use crate::tcp::path::Proof;
use crate::tcp::state::State;
use crate::transition::{End, Verdict};

impl Life {
    /// What is proven of this life beyond its state.
    pub(crate) fn proof(&self) -> Proof {
        Proof {
            passive: self.roles.opener == Some(End::Remote),
            request: self.request && self.state == Some(State::SynRecv),
        }
    }

    /// Draws what follows from having been in a state.
    pub(crate) fn note_closer(&mut self, state: State) {
        let roles = &mut self.roles;
        match state {
            State::FinWait1 | State::FinWait2 | State::TimeWait if roles.closer.is_none() => {
                roles.closer = Some(End::Local);
            }
            State::CloseWait | State::LastAck => roles.closer = Some(End::Remote),
            State::Closing => roles.closer = Some(End::Both),
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
            _ if self.cut == Some(Cut::Reset) => Verdict::Reset,
            _ if self.cut == Some(Cut::Refused) => Verdict::Refused,
            _ if self.cut == Some(Cut::TimedOut) => Verdict::TimedOut,
            (true, Some(End::Local)) => Verdict::LocalClose,
            (true, Some(End::Both)) => Verdict::SimultaneousClose,
            (true, Some(End::Remote)) => Verdict::RemoteClose,
            _ => Verdict::Unknown,
        })
    }

    pub(super) fn note_opener(&mut self, row: &Observation) {
        let opener = &mut self.roles.opener;
        if row.state == State::SynSent {
            *opener = Some(End::Local);
        } else if self.now.state == State::SynSent && row.state == State::SynRecv {
            *opener = Some(End::Both);
        } else if opener.is_none() && row.inode == 0 && unaccepted(row.state) {
            *opener = Some(End::Remote);
        }
    }
}
