//! Folds readings into transitions, one socket life at a time.
//!
//! Every pass is matched against the lives known so far: first the rows whose inode proves whose
//! they are, then the rest. A life is ended by two passes without it; what follows it on the same
//! ends, or with its inode elsewhere, is told after that end.

use crate::life::{Life, unaccepted};
use crate::reading::{Ends, Family, Lost, LostReason, Observation, Reading, Snapshot, Stamp};
use crate::tcp::path::{Between, between_all, certain_since_birth};
use crate::tcp::state::State;
use crate::transition::{Conclusion, Event, LifeId, Transition};
use std::collections::HashMap;

/// Passes in a row that must miss a socket before it is gone: of single misses under the worst
/// churn none was seen twice.
const PASSES_TO_CONFIRM: u8 = 2;

/// Follows every socket from its first row to its end.
#[derive(Debug, Default)]
pub struct Tracker {
    lives: HashMap<Ends, Vec<Life>>,
    count: usize,
    born: u64,
    run: u32,
    pass: u64,
    /// The start of the last pass that could be read as a whole.
    previous: Option<Stamp>,
    /// A gap came before the next pass.
    gap: bool,
    bad_rows: u64,
    /// Lives that wait for the end of another to be concluded.
    waiting: Vec<(Ends, LifeId)>,
    /// Lives that may or may not be the ones seen before.
    undecided: u64,
}

/// What the matching of one pass leaves to be told.
#[derive(Default)]
struct Work {
    /// Rows that no life with the same inode explains.
    leftover: Vec<usize>,
    /// Lives with news, by the row that brought them.
    touched: Vec<(usize, Ends, LifeId)>,
    /// How many lives the pass showed.
    seen: usize,
}

/// A life that a pass did not show.
struct Missing {
    ends: Ends,
    id: LifeId,
    inode: u64,
    gone: bool,
}

impl Tracker {
    /// Takes in a reading and returns what it proves, in the order to tell it.
    pub fn update(&mut self, reading: &Reading) -> Vec<Conclusion> {
        match reading {
            Reading::Snapshot(snapshot) => self.take_snapshot(snapshot),
            Reading::Lost(lost) => {
                self.gap |= lost.reason == LostReason::Gap;
                vec![Conclusion::Lost(*lost)]
            }
        }
    }

    /// How many sockets are being followed.
    pub const fn open(&self) -> usize {
        self.count
    }

    /// How often a restarted timer left it open whether the ends were used again.
    pub const fn undecided(&self) -> u64 {
        self.undecided
    }

    /// Every life being followed.
    pub fn ids(&self) -> impl Iterator<Item = LifeId> {
        self.lives.values().flatten().map(|life| life.id)
    }

    /// Every inode that a life being followed refers to.
    pub fn inodes(&self) -> impl Iterator<Item = u64> {
        self.lives.values().flatten().flat_map(|life| [life.last_inode, life.listener])
    }

    fn take_snapshot(&mut self, snapshot: &Snapshot) -> Vec<Conclusion> {
        self.pass += 1;
        if self.pass == 1 {
            let seconds = snapshot.end.wall / 1_000_000;
            self.run = u32::try_from(seconds).unwrap_or(u32::MAX);
        }
        let work = self.match_rows(snapshot);
        let mut told = Vec::new();
        let whole = self.judge_rows(snapshot, &mut told);
        let missing = if work.seen < self.count { self.reap(whole) } else { Vec::new() };
        self.close(&missing, snapshot, &mut told);
        self.release(&mut told);
        self.tell_news(work.touched, &missing, snapshot, &mut told);
        if whole || self.previous.is_none() {
            self.previous = Some(snapshot.start);
        }
        self.gap = false;
        told
    }

    /// Rows that cannot be read prove no absence: what is missing since then may be among them.
    fn judge_rows(&mut self, snapshot: &Snapshot, told: &mut Vec<Conclusion>) -> bool {
        let lost = snapshot.bad_rows.saturating_sub(self.bad_rows);
        self.bad_rows = snapshot.bad_rows;
        if lost > 0 {
            let (time, reason) = (snapshot.end, LostReason::Table);
            told.push(Conclusion::Lost(Lost { time, reason, count: Some(lost) }));
        }
        lost == 0
    }

    fn match_rows(&mut self, snapshot: &Snapshot) -> Work {
        let mut work = Work::default();
        for (index, row) in snapshot.rows.iter().enumerate() {
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
        let unproven = row.inode == 0 && life.pass != self.pass;
        if unproven && (self.gap || life.timer_restarted(row, at) && !self.peer_in_last_ack(row)) {
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
        let timer_off = if twin { life.timer_off(row, at) } else { 0 };
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
            let unproven = self.gap || life.timer_restarted(row, snapshot);
            let id = life.id;
            if life.pass == pass || !unproven {
                return self.show(row, index, id, snapshot, work);
            }
            // Neither that it ended nor that it went on is known.
            self.undecided += u64::from(!self.gap);
            self.forget(row.ends, id);
            first_look = true;
        }
        let id = self.begin(row, snapshot.end, first_look);
        self.show(row, index, id, snapshot, work);
    }

    fn begin(&mut self, row: &Observation, born: Stamp, first_look: bool) -> LifeId {
        self.born += 1;
        self.count += 1;
        let id = LifeId { run: self.run, number: self.born };
        self.lives.entry(row.ends).or_default().push(Life::new(id, row, born, first_look));
        id
    }

    fn show(&mut self, row: &Observation, i: usize, id: LifeId, at: &Snapshot, work: &mut Work) {
        let pass = self.pass;
        let Some(life) = self.life_mut(row.ends, id) else { return };
        work.seen += usize::from(life.pass != pass);
        life.show(row, i, pass, at);
        if life.state != Some(row.state) {
            work.touched.push((i, row.ends, id));
        }
    }

    /// Counts the misses of every life the pass did not show.
    fn reap(&mut self, whole: bool) -> Vec<Missing> {
        let pass = self.pass;
        let mut missing: Vec<Missing> = Vec::new();
        for (ends, lives) in &mut self.lives {
            for life in lives.iter_mut().filter(|life| life.pass != pass) {
                life.unreadable |= !whole;
                let absent = !(life.unreadable && self.bad_rows > 0);
                life.misses += u8::from(absent);
                let gone = life.misses >= PASSES_TO_CONFIRM;
                missing.push(Missing { ends: *ends, id: life.id, inode: life.last_inode, gone });
            }
        }
        missing.sort_unstable_by_key(|life| life.id);
        missing
    }

    fn close(&mut self, missing: &[Missing], snapshot: &Snapshot, told: &mut Vec<Conclusion>) {
        for gone in missing.iter().filter(|life| life.gone) {
            if let Some(mut life) = self.forget(gone.ends, gone.id) {
                let mut told_of_life = std::mem::take(&mut life.withheld);
                told_of_life.push(life.death(gone.ends, snapshot));
                told.extend(told_of_life.into_iter().map(Box::new).map(Conclusion::Transition));
            }
        }
    }

    /// Tells what waited for an end that is now concluded, or was none.
    fn release(&mut self, told: &mut Vec<Conclusion>) {
        for (ends, id) in std::mem::take(&mut self.waiting) {
            let Some(life) = self.life(ends, id) else { continue };
            let open = life.predecessor.is_some_and(|(ends, id)| {
                self.life(ends, id).is_some_and(|before| before.pass != self.pass)
            });
            if open {
                self.waiting.push((ends, id));
            } else if let Some(life) = self.life_mut(ends, id) {
                life.predecessor = None;
                let withheld = std::mem::take(&mut life.withheld);
                told.extend(withheld.into_iter().map(Box::new).map(Conclusion::Transition));
            }
        }
    }

    fn tell_news(
        &mut self,
        touched: Vec<(usize, Ends, LifeId)>,
        missing: &[Missing],
        snapshot: &Snapshot,
        told: &mut Vec<Conclusion>,
    ) {
        for (_, ends, id) in touched {
            let newborn = self.life(ends, id).is_some_and(|life| life.state.is_none());
            if newborn {
                self.settle(ends, id, missing);
            }
            let absent = self.previous;
            let Some(life) = self.life_mut(ends, id) else { continue };
            let Some(transition) = tell(life, ends, absent, snapshot) else { continue };
            if life.predecessor.is_some() {
                life.withheld.push(transition);
            } else {
                told.push(Conclusion::Transition(Box::new(transition)));
            }
        }
    }

    /// Finds out what a newborn follows: a life that may have ended, and its listener.
    fn settle(&mut self, ends: Ends, id: LifeId, missing: &[Missing]) {
        let listener = self.listener_of(ends);
        let Some(life) = self.life_mut(ends, id) else { return };
        if life.now.inode == 0 && unaccepted(life.now.state) {
            life.listener = listener;
        }
        let inode = life.now.inode;
        let pending = || missing.iter().filter(|life| !life.gone);
        let moved = pending().find(|before| inode != 0 && before.inode == inode);
        let replaced = || pending().rfind(|before| before.ends == ends);
        if let Some(before) = moved.or_else(replaced) {
            life.predecessor = Some((before.ends, before.id));
            self.waiting.push((ends, id));
        }
    }

    /// The inode of the one listener that can have made a socket with these ends: of the exact
    /// address, else of a wildcard; 0 where there is none or a group of them.
    fn listener_of(&self, ends: Ends) -> u64 {
        // `::ffff:0.0.0.0` listens to v4 alone, `::` perhaps to v6 alone.
        let mapped = ends.local.addr.is_ipv4().then_some(Family::Ipv4.unspecified());
        let addrs = [Some(ends.local.addr), mapped, Some(ends.family.unspecified())];
        for addr in addrs.into_iter().flatten() {
            let there = self.lives.get(&ends.listener(addr)).into_iter().flatten();
            let mut listeners = there.filter(|life| life.now.state == State::Listen);
            if let Some(first) = listeners.next() {
                return if listeners.next().is_none() { first.now.inode } else { 0 };
            }
        }
        0
    }

    fn life(&self, ends: Ends, id: LifeId) -> Option<&Life> {
        self.lives.get(&ends)?.iter().find(|life| life.id == id)
    }

    fn life_mut(&mut self, ends: Ends, id: LifeId) -> Option<&mut Life> {
        self.lives.get_mut(&ends)?.iter_mut().find(|life| life.id == id)
    }

    fn forget(&mut self, ends: Ends, id: LifeId) -> Option<Life> {
        let lives = self.lives.get_mut(&ends)?;
        let place = lives.iter().position(|life| life.id == id)?;
        let life = lives.swap_remove(place);
        if lives.is_empty() {
            self.lives.remove(&ends);
        }
        self.count -= 1;
        Some(life)
    }
}

/// Moves a life to the state its latest row shows and says what that was: the one place where a
/// life's state changes. `absent` is the start of the last pass that can have missed a newborn.
fn tell(
    life: &mut Life,
    ends: Ends,
    absent: Option<Stamp>,
    snapshot: &Snapshot,
) -> Option<Transition> {
    let (from, to) = (life.state, life.now.state);
    if from == Some(to) {
        return None;
    }
    let mut told = life.transition(ends, snapshot);
    let way = match from {
        None if life.first_look || to == State::Closed => Between::default(),
        _ => between_all(from.unwrap_or(State::Closed), &life.glimpsed, to, life.proof()),
    };
    Between { certain: told.via, possible: told.maybe } = way;
    let passed = match from {
        Some(_) => told.via.clone(),
        None => certain_since_birth(to, life.proof()),
    };
    passed.into_iter().chain([to]).for_each(|state| life.note_closer(state));
    told.roles = life.roles;
    (told.event, told.after) = match from {
        Some(_) => (Event::Changed, Some(life.state_seen)),
        None if life.first_look => (Event::Present, None),
        None => (Event::Opened, absent),
    };
    life.glimpsed.clear();
    life.first_look &= from.is_none();
    life.state = Some(to);
    life.since = snapshot.end;
    life.state_seen = snapshot.start;
    Some(told)
}
