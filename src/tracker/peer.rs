//! The other end's row: a connection within this machine shows both, and each proves something of
//! the other.

use super::Tracker;
use super::socket::Life;
use super::socket::roles::before_fin;
use crate::model::event::{Side, SocketId};
use crate::model::socket::AddressPair;
use crate::model::time::Stamp;
use crate::tcp::state::State;

/// What one end shows.
#[derive(Clone, Copy)]
struct View {
    state: State,
    opener: Option<Side>,
    first_pass: u64,
    pass: u64,
    /// When it was read, as far as that can be told.
    read: (Stamp, usize),
}

impl View {
    const fn of(life: &Life) -> Self {
        Self {
            state: life.now.state,
            opener: life.roles.opener,
            first_pass: life.first_pass,
            pass: life.pass,
            read: (life.pass_start, life.now.index),
        }
    }

    /// Whether it can prove anything of another end.
    const fn teaches(self) -> bool {
        has_fin(self.state) || matches!(self.opener, Some(Side::Remote | Side::Both))
    }
}

impl Tracker {
    /// Lets the lives of the first look, and their other ends, learn from each other.
    pub(super) fn compare_all_ends(&mut self) {
        // Both ends are new: what one can learn, the other has to teach.
        let teachers = self.lives.iter().filter(|(_, life)| View::of(life).teaches());
        let teachers: Vec<_> = teachers.map(|(addrs, life)| (addrs, life.id)).collect();
        self.compare_ends(teachers.into_iter());
    }

    /// Lets every life with news, and its other end, learn from each other.
    pub(super) fn compare_ends(&mut self, touched: impl Iterator<Item = (AddressPair, SocketId)>) {
        for (addrs, id) in touched {
            for mirrored in addrs.mirrored() {
                let Some(mirror) = self.only_life(mirrored) else { continue };
                let Some(own) = self.lives.get(addrs, id).map(View::of) else { continue };
                let Some(other) = self.lives.get(mirrored, mirror).map(View::of) else { continue };
                self.learn(addrs, id, own, other);
                self.learn(mirrored, mirror, other, own);
            }
        }
    }

    /// Asks about the other ends of those asked about, too: what they show now proves how these
    /// ended.
    pub(super) fn ask_other_ends(&mut self) {
        for addrs in self.asked.addrs() {
            for mirrored in addrs.mirrored() {
                let other = self.only_life(mirrored);
                let id = other.filter(|id| {
                    self.lives.get(mirrored, *id).is_some_and(|life| !life.is_followed())
                });
                if let Some(id) = id {
                    self.ask(mirrored, id);
                }
            }
        }
    }

    /// One connection has one other end; where several lives share its ends, none is sure.
    fn only_life(&self, addrs: AddressPair) -> Option<SocketId> {
        match self.lives.of(addrs) {
            // Nor where another may be among those that are not followed.
            [life] if !self.crowded => Some(life.id),
            _ => None,
        }
    }

    fn learn(&mut self, addrs: AddressPair, id: SocketId, own: View, other: View) {
        // They are two ends of one connection only if both were there at one time; who is still
        // connecting may meet what an older connection left.
        let together = own.first_pass <= other.pass && other.first_pass <= own.pass;
        let shown = other.pass == self.pass;
        if !together || !shown || matches!(own.state, State::SynSent | State::Listen) {
            return;
        }
        let read_later = own.pass == self.pass && own.read > other.read;
        let Some(life) = self.lives.get_mut(addrs, id) else { return };
        if life.peer.disproved || read_later && before_fin(own.state) && has_fin(other.state) {
            return life.disprove_peer();
        }
        life.note_peer(other.state, other.opener);
    }
}

/// States of a socket that has received the other's FIN.
const fn has_fin(state: State) -> bool {
    matches!(state, State::CloseWait | State::LastAck | State::Closing | State::TimeWait)
}
