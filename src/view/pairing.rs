//! Both ends of a connection within this machine, told as one: the end that is over first waits
//! for the other.

use super::life::LifeRecord;
use crate::model::event::{Side, SocketId};
use crate::model::socket::AddressPair;
use crate::model::time::Stamp;
use std::collections::{HashMap, VecDeque};

/// How long (µs) an end waits for the other: as long as a TIME_WAIT may last (60 s and the coarse
/// steps of the kernel's timers) and be concluded.
const PATIENCE: u64 = 70_000_000;
/// No more than these wait, a few megabytes; under heavier churn ends are told one by one.
const MOST_WAITING: usize = 4096;

/// Joins ends to conversations.
#[derive(Debug, Default)]
pub struct Conversations {
    /// How many sockets with these ends are open.
    open: HashMap<AddressPair, usize>,
    waiting: HashMap<SocketId, LifeRecord>,
    /// Who waits, by ends, and in the order in which they began to.
    by_addrs: HashMap<AddressPair, Vec<SocketId>>,
    queue: VecDeque<(u64, SocketId)>,
}

impl Conversations {
    /// A socket with these ends has begun.
    pub fn begin(&mut self, addrs: AddressPair) {
        *self.open.entry(addrs).or_default() += 1;
    }

    /// A socket with these ends is over; `life` is to be told. Returns what can be told now.
    pub fn end(&mut self, addrs: AddressPair, life: Option<LifeRecord>) -> Vec<LifeRecord> {
        if let Some(count) = self.open.get_mut(&addrs) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&addrs);
            }
        }
        let Some(life) = life else { return self.release(addrs) };
        let other_open = addrs.mirrored().iter().any(|other| self.open.contains_key(other));
        if let Some(before) = self.other_end_of(&life) {
            vec![joined(before, life)]
        } else if other_open && self.waiting.len() < MOST_WAITING {
            self.wait(life);
            Vec::new()
        } else {
            vec![life]
        }
    }

    /// Those that have waited too long at this instant.
    pub fn overdue(&mut self, now: Stamp) -> Vec<LifeRecord> {
        let mut overdue = Vec::new();
        while let Some((due, life)) = self.queue.front().copied() {
            // Those that need not wait any more are still queued.
            if due > now.boot && self.waiting.contains_key(&life) {
                break;
            }
            self.queue.pop_front();
            overdue.extend(self.take(life));
        }
        overdue
    }

    /// All that wait.
    pub fn rest(&mut self) -> Vec<LifeRecord> {
        let mut rest: Vec<LifeRecord> = std::mem::take(self).waiting.into_values().collect();
        rest.sort_unstable_by_key(|life| life.socket.id);
        rest
    }

    /// Sets which sockets are open, by the address pair of each, after the track of some was lost
    /// without a `closed` event. Returns the lives that waited for one of those: their other end
    /// will never be reported.
    pub fn retain(&mut self, open: impl Iterator<Item = AddressPair>) -> Vec<LifeRecord> {
        let before = std::mem::take(&mut self.open);
        open.for_each(|addrs| self.begin(addrs));
        // Another socket may have the same address pair: it is not what was waited for.
        let lost = |other: &AddressPair| self.open.get(other) < before.get(other);
        let waits_in_vain = |life: &LifeRecord| {
            let others = life.addrs.mirrored();
            others.iter().any(lost) || !others.iter().any(|other| self.open.contains_key(other))
        };
        let alone = self.waiting.values().filter(|life| waits_in_vain(life));
        let mut alone: Vec<SocketId> = alone.map(|life| life.socket.id).collect();
        alone.sort_unstable();
        alone.into_iter().filter_map(|id| self.take(id)).collect()
    }

    fn wait(&mut self, life: LifeRecord) {
        let id = life.socket.id;
        self.by_addrs.entry(life.addrs).or_default().push(id);
        self.queue.push_back((life.seen.boot.saturating_add(PATIENCE), id));
        self.waiting.insert(id, life);
    }

    fn other_end_of(&mut self, life: &LifeRecord) -> Option<LifeRecord> {
        let ids = life.addrs.mirrored().into_iter().filter_map(|addrs| self.by_addrs.get(&addrs));
        let mut others = ids.flatten().filter_map(|id| self.waiting.get(id));
        let other = others.find(|other| other.is_other_end_of(life))?.socket.id;
        self.take(other)
    }

    /// What waits for an end that will not be told.
    fn release(&mut self, addrs: AddressPair) -> Vec<LifeRecord> {
        let others = addrs.mirrored().into_iter().filter_map(|addrs| self.by_addrs.get(&addrs));
        let others: Vec<SocketId> = others.flatten().copied().collect();
        others.into_iter().filter_map(|id| self.take(id)).collect()
    }

    fn take(&mut self, id: SocketId) -> Option<LifeRecord> {
        let life = self.waiting.remove(&id)?;
        if let Some(ids) = self.by_addrs.get_mut(&life.addrs) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_addrs.remove(&life.addrs);
            }
        }
        Some(life)
    }
}

/// Lives with the two ends of a connection joined, in the order in which they began.
pub fn paired(lives: Vec<LifeRecord>) -> Vec<LifeRecord> {
    let mut alone: Vec<Option<LifeRecord>> = Vec::with_capacity(lives.len());
    let mut by_addrs: HashMap<AddressPair, Vec<usize>> = HashMap::new();
    for life in lives {
        let places = life.addrs.mirrored().into_iter().filter_map(|addrs| by_addrs.get(&addrs));
        let other = places.flatten().copied().find(|place| {
            let before: Option<&LifeRecord> = alone[*place].as_ref();
            before.is_some_and(|before| before.other_end.is_none() && before.is_other_end_of(&life))
        });
        if let Some(place) = other
            && let Some(before) = alone[place].take()
        {
            alone[place] = Some(joined(before, life));
        } else {
            by_addrs.entry(life.addrs).or_default().push(alone.len());
            alone.push(Some(life));
        }
    }
    alone.into_iter().flatten().collect()
}

/// The end that opened comes first, or else the one that closed first.
fn joined(a: LifeRecord, b: LifeRecord) -> LifeRecord {
    let leads = |life: &LifeRecord, other: &LifeRecord| {
        let opened = life.opener == Some(Side::Local) || other.opener == Some(Side::Remote);
        let closed = life.closer == Some(Side::Local) || other.closer == Some(Side::Remote);
        (opened, closed)
    };
    let swap = leads(&b, &a) > leads(&a, &b);
    let (mut first, second) = if swap { (b, a) } else { (a, b) };
    first.other_end = Some(Box::new(second));
    first
}

#[cfg(test)]
mod tests;
