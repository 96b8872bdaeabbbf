//! Both ends of a connection within this machine, shown together: the life of the end that closes
//! first waits for that of the other.

use super::life::LifeRecord;
use crate::model::event::{Side, SocketId};
use crate::model::socket::AddressPair;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

/// How long (µs) a life waits for that of the other end: as long as a TIME_WAIT may last (60 s and
/// the coarse steps of the kernel's timers) and be observed to end.
const MAX_WAIT: u64 = 70_000_000;
/// No more than these wait, a few megabytes; under heavier churn ends are shown one by one.
const MAX_WAITING: usize = 4096;

impl LifeRecord {
    /// Whether the other end is on this machine and was still in CLOSE_WAIT when this one was last
    /// seen: it has not sent its FIN.
    pub(crate) fn peer_has_not_closed(&self) -> bool {
        let waits = |other: &Self| {
            let last = other.steps.last().map(|step| step.state);
            other.ended.is_none() && last == Some(State::CloseWait)
        };
        self.peer_owner.is_some() || self.peer.as_deref().is_some_and(waits)
    }

    /// Whether it has waited for the FIN of an other end whose life is not shown.
    pub(crate) fn lacks_peer(&self) -> bool {
        self.peer.is_none() && self.steps.iter().any(|step| step.state == State::FinWait2)
    }

    /// Whether both are the ends of one connection within this machine.
    pub fn is_other_end_of(&self, other: &Self) -> bool {
        let start = |life: &Self| life.steps.iter().find_map(|step| step.at).unwrap_or_default();
        let end = |life: &Self| life.ended.unwrap_or(life.followed_until);
        self.socket.id != other.socket.id
            && self.socket.netns == other.socket.netns
            && self.socket.addrs.mirrored().contains(&other.socket.addrs)
            && start(self) <= end(other)
            && start(other) <= end(self)
    }
}

/// The lives that wait for their other end.
#[derive(Debug, Default)]
pub struct Pairing {
    /// How many sockets with this address pair are open, by that which lasts.
    open: HashMap<AddressPair, usize>,
    waiting: HashMap<SocketId, LifeRecord>,
    /// The ids in `waiting` by the address pairs of their sockets.
    by_addrs: HashMap<AddressPair, Vec<SocketId>>,
    /// When each has waited too long (boot time, µs), in that order; some wait no more.
    queue: VecDeque<(u64, SocketId)>,
}

impl Pairing {
    /// Counts a socket that is open from now on.
    pub fn socket_opened(&mut self, addrs: AddressPair) {
        *self.open.entry(addrs.lasting()).or_default() += 1;
    }

    /// Counts a socket that has closed, and takes its life, if that is to be shown. Returns the
    /// lives that need not wait any longer, both ends of a connection as one.
    pub fn socket_closed(
        &mut self,
        addrs: AddressPair,
        life: Option<LifeRecord>,
    ) -> Vec<LifeRecord> {
        if let Entry::Occupied(mut count) = self.open.entry(addrs.lasting()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        let Some(life) = life else { return self.take_mirrored(addrs) };
        if let Some(other) = self.take_other_end(&life) {
            vec![joined(other, life)]
        } else if self.is_other_end_open(&life) && self.waiting.len() < MAX_WAITING {
            self.wait(life);
            Vec::new()
        } else {
            vec![life]
        }
    }

    /// The lives that have waited too long at this instant, each by itself.
    pub fn expired(&mut self, now: Stamp) -> Vec<LifeRecord> {
        let mut expired = Vec::new();
        while let Some((due, id)) = self.queue.front().copied() {
            if due > now.boot && self.waiting.contains_key(&id) {
                break;
            }
            self.queue.pop_front();
            expired.extend(self.take(id));
        }
        expired
    }

    /// All lives that wait, in the order in which their sockets were created.
    pub(crate) fn take_all(&mut self) -> Vec<LifeRecord> {
        let mut lives: Vec<LifeRecord> = std::mem::take(self).waiting.into_values().collect();
        lives.sort_unstable_by_key(|life| life.socket.id);
        lives
    }

    /// Sets which sockets are open, by the address pair of each, after the track of some was lost
    /// without a `closed` event. Returns the lives that waited for one of those: their other end
    /// will never be reported.
    pub(crate) fn set_open(&mut self, open: impl Iterator<Item = AddressPair>) -> Vec<LifeRecord> {
        let before = std::mem::take(&mut self.open);
        open.for_each(|addrs| self.socket_opened(addrs));
        // Another socket may have the same address pair: it is not what was waited for.
        let lost = |other: &AddressPair| self.open.get(other) < before.get(other);
        let waits_in_vain = |life: &LifeRecord| {
            let others = life.socket.addrs.mirrored();
            others.iter().any(lost) || !self.is_other_end_open(life)
        };
        let alone = self.waiting.values().filter(|life| waits_in_vain(life));
        let mut alone: Vec<SocketId> = alone.map(|life| life.socket.id).collect();
        alone.sort_unstable();
        alone.into_iter().filter_map(|id| self.take(id)).collect()
    }

    fn is_other_end_open(&self, life: &LifeRecord) -> bool {
        life.socket.addrs.mirrored().iter().any(|other| self.open.contains_key(other))
    }

    fn wait(&mut self, life: LifeRecord) {
        let id = life.socket.id;
        self.by_addrs.entry(life.socket.addrs).or_default().push(id);
        self.queue.push_back((life.followed_until.boot.saturating_add(MAX_WAIT), id));
        self.waiting.insert(id, life);
    }

    /// The waiting lives with the address pair that the other end of a connection has.
    fn mirrored(&self, addrs: AddressPair) -> impl Iterator<Item = &LifeRecord> {
        let ids = addrs.mirrored().into_iter().filter_map(|addrs| self.by_addrs.get(&addrs));
        ids.flatten().filter_map(|id| self.waiting.get(id))
    }

    fn take_other_end(&mut self, life: &LifeRecord) -> Option<LifeRecord> {
        let is_other_end = |other: &&LifeRecord| other.is_other_end_of(life);
        let id = self.mirrored(life.socket.addrs).find(is_other_end)?.socket.id;
        self.take(id)
    }

    /// Takes out the lives that wait for an end with these addresses, which will not be shown.
    fn take_mirrored(&mut self, addrs: AddressPair) -> Vec<LifeRecord> {
        let others: Vec<SocketId> = self.mirrored(addrs).map(|life| life.socket.id).collect();
        others.into_iter().filter_map(|id| self.take(id)).collect()
    }

    fn take(&mut self, id: SocketId) -> Option<LifeRecord> {
        let life = self.waiting.remove(&id)?;
        if let Some(ids) = self.by_addrs.get_mut(&life.socket.addrs) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_addrs.remove(&life.socket.addrs);
            }
        }
        Some(life)
    }
}

/// Lives with both ends of a connection joined to one, in the order of their first ends.
pub(crate) fn paired(lives: Vec<LifeRecord>) -> Vec<LifeRecord> {
    let mut alone: Vec<Option<LifeRecord>> = Vec::with_capacity(lives.len());
    let mut by_addrs: HashMap<AddressPair, Vec<usize>> = HashMap::new();
    for life in lives {
        let places =
            life.socket.addrs.mirrored().into_iter().filter_map(|addrs| by_addrs.get(&addrs));
        let other = places.flatten().copied().find(|place| {
            let before: Option<&LifeRecord> = alone[*place].as_ref();
            before.is_some_and(|before| before.peer.is_none() && before.is_other_end_of(&life))
        });
        if let Some(place) = other
            && let Some(before) = alone[place].take()
        {
            alone[place] = Some(joined(before, life));
        } else {
            by_addrs.entry(life.socket.addrs).or_default().push(alone.len());
            alone.push(Some(life));
        }
    }
    alone.into_iter().flatten().collect()
}

/// The end that opened comes first, or else the one that closed first.
fn joined(a: LifeRecord, b: LifeRecord) -> LifeRecord {
    let leads = |life: &LifeRecord, other: &LifeRecord| {
        let opened =
            life.roles.opener == Some(Side::Local) || other.roles.opener == Some(Side::Remote);
        let closed =
            life.roles.closer == Some(Side::Local) || other.roles.closer == Some(Side::Remote);
        (opened, closed)
    };
    let swap = leads(&b, &a) > leads(&a, &b);
    let (mut first, second) = if swap { (b, a) } else { (a, b) };
    first.peer = Some(Box::new(second));
    first
}

#[cfg(test)]
mod tests;
