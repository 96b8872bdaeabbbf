//! Which life a row of a pass belongs to: first the rows whose inode proves whose they are, then
//! the rest.

use super::socket::Life;
use super::{Tracker, Work};
use crate::model::event::SocketId;
use crate::model::reading::{PollWindow, Snapshot};
use crate::model::socket::AddressPair;
use crate::model::socket_row::SocketRow;
use crate::model::time::Stamp;
use crate::tcp::state::State;

impl Tracker {
    pub(super) fn match_rows(&mut self, snapshot: &Snapshot) -> Work {
        let mut work = Work::default();
        for (index, row) in snapshot.rows.iter().enumerate() {
            let place = self.lives.place(row.addrs);
            let known = self.overtaken((row, place), index, snapshot, &mut work)
                || self.goes_on((row, place), index, snapshot, &mut work);
            if !known {
                work.leftover.push(index);
            }
        }
        self.lives.reserve(work.leftover.len());
        for index in std::mem::take(&mut work.leftover) {
            self.place(&snapshot.rows[index], index, snapshot, &mut work);
        }
        self.new_inodes.append(&mut work.inodes);
        work.touched.sort_unstable_by_key(|(index, ..)| *index);
        work
    }

    /// Gives a row to the life with the same inode, if one can have come to show it.
    fn goes_on(
        &mut self,
        (row, place): (&SocketRow, Option<usize>),
        index: usize,
        at: &Snapshot,
        work: &mut Work,
    ) -> bool {
        let sharers = self.lives.at(place);
        let may_go_on = |life: &&Life| {
            life.now.inode == row.inode
                && life.may_become(row)
                && !self.was_replaced(life, sharers, row)
        };
        let lives = sharers.iter().filter(may_go_on);
        let Some(life) = lives.max_by_key(|life| self.rank(life, row, at)) else { return false };
        let proven = row.inode != 0 || life.cookie_says(row).is_some();
        let unproven = !proven && life.pass != self.pass;
        if unproven
            && (self.gap || life.timer_restarted(row, &at.look()) && !self.peer_in_last_ack(row))
        {
            return false;
        }
        let id = life.id;
        let life = self.lives.at_mut(place).iter_mut().find(|life| life.id == id);
        show(life, (row, index), (self.pass, &at.look()), work);
        true
    }

    /// Whether the last pass showed another socket in place of this one that may have become what
    /// the row shows: of two that nothing else tells apart, that one is meant.
    fn was_replaced(&self, life: &Life, sharers: &[Life], row: &SocketRow) -> bool {
        let in_last_pass = |life: &Life| life.pass + 1 == self.pass;
        row.inode == 0
            && life.cookie_says(row).is_none()
            && life.pass + 1 < self.pass
            && sharers.iter().any(|other| in_last_pass(other) && other.may_become(row))
    }

    /// Of several lives with one inode the latest is meant. Twins without an inode each have a
    /// row: one not shown yet comes first, and one whose timer goes on, in the order of the rows.
    fn rank(&self, life: &Life, row: &SocketRow, at: &Snapshot) -> impl Ord + use<> {
        let twin = row.inode == 0;
        let unshown = twin && life.pass != self.pass;
        let timer_off = if twin { life.timer_off(row, &at.look()) } else { 0 };
        let older = if twin { u64::MAX - life.id.number } else { life.id.number };
        (unshown, std::cmp::Reverse(timer_off), life.pass, older)
    }

    /// Whether the other end of this connection is on this machine and still waits for our ACK:
    /// then its repeated FIN has restarted our timer, and the connection is the same.
    fn peer_in_last_ack(&self, row: &SocketRow) -> bool {
        row.addrs.mirrored().into_iter().flat_map(|addrs| self.lives.of(addrs)).any(|life| {
            life.state == Some(State::LastAck)
                && life.now.state == State::LastAck
                && life.pass + 1 >= self.pass
        })
    }

    /// Gives a row to a life whose inode came or went, or starts a new life with it.
    fn place(&mut self, row: &SocketRow, index: usize, snapshot: &Snapshot, work: &mut Work) {
        let pass = self.pass;
        let lives = self.lives.of(row.addrs).iter();
        let candidate = lives
            .filter(|life| life.pass != pass || life.now.index < index)
            .filter(|life| life.may_become(row))
            .max_by_key(|life| (life.pass != pass, life.pass, life.id));
        let shown_by = (row, index);
        let at = (pass, &snapshot.look());
        let mut first_look = pass == 1 || self.crowded;
        if let Some(life) = candidate {
            let gap = self.gap && life.cookie_says(row).is_none();
            let unproven = gap || life.timer_restarted(row, &snapshot.look());
            let id = life.id;
            if life.pass == pass || !unproven {
                return show(self.lives.get_mut(row.addrs, id), shown_by, at, work);
            }
            // Neither that it ended nor that it went on is known.
            self.undecided += u64::from(!self.gap);
            self.lives.take(row.addrs, id);
            first_look = true;
        }
        let Some(id) = self.begin(row.addrs, row.state, snapshot.end, first_look) else {
            work.left_out += 1;
            return;
        };
        show(self.lives.get_mut(row.addrs, id), shown_by, at, work);
    }

    /// Follows another life; `None` if there is no room for it.
    pub(super) fn begin(
        &mut self,
        addrs: AddressPair,
        state: State,
        born: Stamp,
        first: bool,
    ) -> Option<SocketId> {
        if self.lives.is_full() {
            self.crowded = true;
            return None;
        }
        self.born += 1;
        let id = SocketId { run: self.run, number: self.born };
        let mut life = Life::new(id, state, born, first);
        life.first_pass = self.pass;
        self.lives.add(addrs, life);
        Some(id)
    }
}

/// Shows a row of a pass to the life that it is of.
fn show(
    life: Option<&mut Life>,
    (row, index): (&SocketRow, usize),
    (pass, look): (u64, &PollWindow),
    work: &mut Work,
) {
    let Some(life) = life else { return };
    work.seen += usize::from(life.pass != pass);
    work.inodes.extend(life.new_inode(row));
    life.show(row, index, pass, look);
    // At the first look all are new.
    if pass > 1 && life.state != Some(row.state) {
        work.touched.push((index, row.addrs, life.id));
    }
}
