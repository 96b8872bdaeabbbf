//! Which life a row of a pass belongs to: first the rows whose inode proves whose they are, then
//! the rest.

use super::{Tracker, Work};
use crate::life::Life;
use crate::reading::{Ends, Observation, Snapshot, Stamp};
use crate::tcp::state::State;
use crate::transition::LifeId;

impl Tracker {
    pub(super) fn match_rows(&mut self, snapshot: &Snapshot) -> Work {
        let mut work = Work::default();
        for (index, row) in snapshot.rows.iter().enumerate() {
            if self.overtaken(row, index, snapshot, &mut work) {
                continue;
            }
            if !self.goes_on(row, index, snapshot, &mut work) {
                work.leftover.push(index);
            }
        }
        for index in std::mem::take(&mut work.leftover) {
            self.place(&snapshot.rows[index], index, snapshot, &mut work);
        }
        work.touched.sort_unstable_by_key(|(index, ..)| *index);
        work
    }

    /// Gives a row to the life with the same inode, if one can have come to show it.
    fn goes_on(&mut self, row: &Observation, i: usize, at: &Snapshot, work: &mut Work) -> bool {
        let found = self.lives.get(&row.ends).and_then(|lives| {
            lives
                .iter()
                .filter(|life| life.now.inode == row.inode && life.may_become(row))
                .max_by_key(|life| self.rank(life, row, at))
        });
        let Some(life) = found else { return false };
        let proven = row.inode != 0 || life.cookie_says(row).is_some();
        let unproven = !proven && life.pass != self.pass;
        if unproven
            && (self.gap || life.timer_restarted(row, &at.look()) && !self.peer_in_last_ack(row))
        {
            return false;
        }
        let id = life.id;
        self.show(row, i, id, at, work);
        true
    }

    /// Of several lives with one inode the latest is meant. Twins without an inode each have a
    /// row: one not shown yet comes first, and one whose timer goes on, in the order of the rows.
    fn rank(&self, life: &Life, row: &Observation, at: &Snapshot) -> impl Ord + use<> {
        let twin = row.inode == 0;
        let unshown = twin && life.pass != self.pass;
        let timer_off = if twin { life.timer_off(row, &at.look()) } else { 0 };
        let older = if twin { u64::MAX - life.id.number } else { life.id.number };
        (unshown, std::cmp::Reverse(timer_off), life.pass, older)
    }

    /// Whether the other end of this connection is on this machine and still waits for our ACK:
    /// then its repeated FIN has restarted our timer, and the connection is the same.
    fn peer_in_last_ack(&self, row: &Observation) -> bool {
        row.ends.mirrored().iter().filter_map(|ends| self.lives.get(ends)).flatten().any(|life| {
            life.state == Some(State::LastAck)
                && life.now.state == State::LastAck
                && life.pass + 1 >= self.pass
        })
    }

    /// Gives a row to a life whose inode came or went, or starts a new life with it.
    fn place(&mut self, row: &Observation, index: usize, snapshot: &Snapshot, work: &mut Work) {
        let pass = self.pass;
        let candidate = self.lives.get(&row.ends).and_then(|lives| {
            lives
                .iter()
                .filter(|life| life.pass != pass || life.now.index < index)
                .filter(|life| life.may_become(row))
                .max_by_key(|life| (life.pass != pass, life.pass, life.id))
        });
        let mut first_look = pass == 1;
        if let Some(life) = candidate {
            let gap = self.gap && life.cookie_says(row).is_none();
            let unproven = gap || life.timer_restarted(row, &snapshot.look());
            let id = life.id;
            if life.pass == pass || !unproven {
                return self.show(row, index, id, snapshot, work);
            }
            // Neither that it ended nor that it went on is known.
            self.undecided += u64::from(!self.gap);
            self.forget(row.ends, id);
            first_look = true;
        }
        let id = self.begin(row.ends, row.state, snapshot.end, first_look);
        self.show(row, index, id, snapshot, work);
    }

    pub(super) fn begin(&mut self, ends: Ends, state: State, born: Stamp, first: bool) -> LifeId {
        self.born += 1;
        self.count += 1;
        let id = LifeId { run: self.run, number: self.born };
        let mut life = Life::new(id, state, born, first);
        life.first_pass = self.pass;
        // Nearly all ends are those of one socket.
        self.lives.entry(ends).or_insert_with(|| Vec::with_capacity(1)).push(life);
        id
    }

    fn show(&mut self, row: &Observation, i: usize, id: LifeId, at: &Snapshot, work: &mut Work) {
        let pass = self.pass;
        let Some(life) = self.life_mut(row.ends, id) else { return };
        work.seen += usize::from(life.pass != pass);
        life.show(row, i, pass, &at.look());
        if life.state != Some(row.state) {
            work.touched.push((i, row.ends, id));
        }
    }
}
