//! How a life ends: by passes that miss it. What follows it on the same ends, or with its inode
//! elsewhere, is told after that end.

use super::socket::{Life, unaccepted};
use super::{Missing, PASSES_TO_CONFIRM, Tracker};
use crate::model::event::{SocketId, TrackerEvent};
use crate::model::reading::PollWindow;
use crate::model::socket::{AddressPair, Family};
use crate::tcp::state::State;
use std::collections::HashMap;

/// Lives that may have ended: one more pass or a look-up decides.
#[derive(Debug, Default)]
pub(super) struct Pending {
    by_inode: HashMap<u64, (AddressPair, SocketId)>,
    by_addrs: HashMap<AddressPair, SocketId>,
}

impl Pending {
    /// Of those that a pass missed.
    pub(super) fn of(missing: &[Missing]) -> Self {
        let mut pending = Self::default();
        for Missing { addrs, id, inode, .. } in missing.iter().filter(|life| !life.gone) {
            if *inode != 0 {
                pending.by_inode.entry(*inode).or_insert((*addrs, *id));
            }
            pending.by_addrs.insert(*addrs, *id);
        }
        pending
    }

    /// Which of them a newborn comes after: the socket moved to other ends, or they were used again.
    fn before(&self, addrs: AddressPair, inode: u64) -> Option<(AddressPair, SocketId)> {
        let replaced = || self.by_addrs.get(&addrs).map(|id| (addrs, *id));
        self.by_inode.get(&inode).copied().or_else(replaced)
    }
}

impl Tracker {
    /// Counts the misses of every life the pass did not show.
    pub(super) fn reap(&mut self, whole: bool, at: &PollWindow) -> Vec<Missing> {
        let pass = self.pass;
        let mut missing: Vec<Missing> = Vec::new();
        let ahead = |life: &Life| life.known_at >= at.start.boot;
        let unseen = |(_, life): &(AddressPair, &mut Life)| life.pass != pass && !ahead(life);
        for (addrs, life) in self.lives.iter_mut().filter(unseen) {
            life.unreadable |= !whole;
            let absent = !(life.unreadable && self.bad_rows > 0);
            life.misses += u8::from(absent);
            let gone = life.misses >= PASSES_TO_CONFIRM;
            let asks = !life.unreadable && !life.is_followed();
            missing.push(Missing { addrs, id: life.id, inode: life.last_inode, gone, asks });
        }
        missing.sort_unstable_by_key(|life| life.id);
        for life in missing.iter().filter(|life| life.asks && !life.gone) {
            self.ask(life.addrs, life.id);
        }
        self.ask_other_ends();
        missing
    }

    pub(super) fn close(
        &mut self,
        missing: &[Missing],
        look: &PollWindow,
        told: &mut Vec<TrackerEvent>,
    ) {
        for gone in missing.iter().filter(|life| life.gone) {
            if let Some(mut life) = self.lives.take(gone.addrs, gone.id) {
                self.events.note_closed(gone.addrs, look.end);
                told.extend(life.stop_waiting());
                let death = life.death(gone.addrs, look);
                told.push(TrackerEvent::Transition(Box::new(death)));
            }
        }
    }

    /// Tells what waited for ends that are now concluded, or were none.
    pub(super) fn release(&mut self, told: &mut Vec<TrackerEvent>) {
        let mut over: Vec<SocketId> = self.waiting.keys().copied().collect();
        over.retain(|id| {
            let (addrs, _) = self.waiting[id];
            self.lives.get(addrs, *id).is_none_or(|before| before.pass == self.pass)
        });
        over.sort_unstable();
        for id in over {
            self.release_after(id, told);
        }
    }

    /// Tells what waited for one end.
    pub(super) fn release_after(&mut self, id: SocketId, told: &mut Vec<TrackerEvent>) {
        let Some((_, successors)) = self.waiting.remove(&id) else { return };
        for (addrs, id) in successors {
            if let Some(life) = self.lives.get_mut(addrs, id) {
                told.extend(life.stop_waiting());
            }
        }
    }

    /// Lets a life wait until the end of another is concluded.
    pub(super) fn wait_for(
        &mut self,
        before: (AddressPair, SocketId),
        life: (AddressPair, SocketId),
    ) {
        let (addrs, id) = before;
        self.waiting.entry(id).or_insert_with(|| (addrs, Vec::new())).1.push(life);
    }

    /// Finds out what a newborn follows: a life that may have ended, and its listener.
    pub(super) fn settle(&mut self, addrs: AddressPair, id: SocketId, pending: &Pending) {
        let Some(life) = self.lives.get(addrs, id) else { return };
        let inode = life.now.inode;
        let unaccepted = inode == 0 && unaccepted(life.now.state);
        let listener = if unaccepted { self.listener_of(addrs) } else { life.listener };
        let before = pending.before(addrs, inode);
        let Some(life) = self.lives.get_mut(addrs, id) else { return };
        life.listener = listener;
        if let Some(before) = before {
            life.waits = Some(Box::default());
            self.wait_for(before, (addrs, id));
        }
    }

    /// The inode of the one listener that can have made a socket with these ends: of the exact
    /// address, else of a wildcard; 0 where there is none or a group of them.
    pub(super) fn listener_of(&self, addrs: AddressPair) -> u64 {
        // Another may be among those that are not followed.
        if self.crowded {
            return 0;
        }
        // `::ffff:0.0.0.0` listens to v4 alone, `::` perhaps to v6 alone.
        let mapped = addrs.local.addr.is_ipv4().then_some(Family::Ipv4.unspecified());
        let bound = [Some(addrs.local.addr), mapped, Some(addrs.family.unspecified())];
        for addr in bound.into_iter().flatten() {
            let there = self.lives.of(addrs.listener(addr)).iter();
            let mut listeners = there.filter(|life| life.now.state == State::Listen);
            if let Some(first) = listeners.next() {
                return if listeners.next().is_none() { first.now.inode } else { 0 };
            }
        }
        0
    }
}
