//! How a life ends: by passes that miss it. What follows it on the same ends, or with its inode
//! elsewhere, is told after that end.

use super::{Missing, PASSES_TO_CONFIRM, Tracker};
use crate::life::{Life, unaccepted};
use crate::reading::{Ends, Family, Look};
use crate::tcp::state::State;
use crate::transition::{Conclusion, LifeId};

impl Tracker {
    /// Counts the misses of every life the pass did not show.
    pub(super) fn reap(&mut self, whole: bool, at: &Look) -> Vec<Missing> {
        let pass = self.pass;
        let mut missing: Vec<Missing> = Vec::new();
        for (ends, lives) in &mut self.lives {
            let ahead = |life: &Life| life.known_at >= at.start.boot;
            for life in lives.iter_mut().filter(|life| life.pass != pass && !ahead(life)) {
                life.unreadable |= !whole;
                let absent = !(life.unreadable && self.bad_rows > 0);
                life.misses += u8::from(absent);
                let gone = life.misses >= PASSES_TO_CONFIRM;
                let (id, inode) = (life.id, life.last_inode);
                missing.push(Missing {
                    ends: *ends,
                    id,
                    inode,
                    gone,
                    asks: !life.unreadable && !life.is_followed(),
                });
            }
        }
        missing.sort_unstable_by_key(|life| life.id);
        for life in missing.iter().filter(|life| life.asks && !life.gone) {
            self.ask(life.ends, life.id);
        }
        self.ask_other_ends();
        missing
    }

    pub(super) fn close(&mut self, missing: &[Missing], look: &Look, told: &mut Vec<Conclusion>) {
        for gone in missing.iter().filter(|life| life.gone) {
            if let Some(mut life) = self.forget(gone.ends, gone.id) {
                self.events.note_closed(gone.ends, look.end);
                told.extend(life.stop_waiting());
                let death = life.death(gone.ends, look);
                told.push(Conclusion::Transition(Box::new(death)));
            }
        }
    }

    /// Tells what waited for ends that are now concluded, or were none.
    pub(super) fn release(&mut self, told: &mut Vec<Conclusion>) {
        let mut over: Vec<LifeId> = self.waiting.keys().copied().collect();
        over.retain(|id| {
            let (ends, _) = self.waiting[id];
            self.life(ends, *id).is_none_or(|before| before.pass == self.pass)
        });
        over.sort_unstable();
        for id in over {
            self.release_after(id, told);
        }
    }

    /// Tells what waited for one end.
    pub(super) fn release_after(&mut self, id: LifeId, told: &mut Vec<Conclusion>) {
        let Some((_, successors)) = self.waiting.remove(&id) else { return };
        for (ends, id) in successors {
            if let Some(life) = self.life_mut(ends, id) {
                told.extend(life.stop_waiting());
            }
        }
    }

    /// Lets a life wait until the end of another is concluded.
    pub(super) fn wait_for(&mut self, before: (Ends, LifeId), life: (Ends, LifeId)) {
        let (ends, id) = before;
        self.waiting.entry(id).or_insert_with(|| (ends, Vec::new())).1.push(life);
    }

    /// Finds out what a newborn follows: a life that may have ended, and its listener.
    pub(super) fn settle(&mut self, ends: Ends, id: LifeId, missing: &[Missing]) {
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
            life.waits = Some(Box::default());
            self.wait_for((before.ends, before.id), (ends, id));
        }
    }

    /// The inode of the one listener that can have made a socket with these ends: of the exact
    /// address, else of a wildcard; 0 where there is none or a group of them.
    pub(super) fn listener_of(&self, ends: Ends) -> u64 {
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
}
