//! The lives being followed, by their ends: packed, in the order in which they came, which is that
//! of the kernel's tables as long as these stand.

use super::socket::Life;
use crate::model::event::SocketId;
use crate::model::socket::AddressPair;
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use smallvec::SmallVec;
use std::cell::Cell;

/// Room for so many is kept, whoever goes.
const SLACK: usize = 1024;

/// Nearly all ends are those of one socket.
type Sharers = SmallVec<[Life; 1]>;

/// No more lives are followed, which take some 700 MB: a program that leaks sockets by the million
/// must not take its monitor with it. All else that is kept of a life ends with it.
const MOST: usize = 1 << 21;

/// Every life that goes on.
#[derive(Debug)]
pub(super) struct Lives {
    most: usize,
    by_addrs: IndexMap<AddressPair, Sharers, RandomState>,
    by_family: [usize; 2],
    recent: Cell<[usize; 2]>,
}

impl Default for Lives {
    fn default() -> Self {
        Self::at_most(MOST)
    }
}

impl Lives {
    /// None yet, and never more than this.
    pub(super) fn at_most(most: usize) -> Self {
        Self { most, by_addrs: IndexMap::default(), by_family: [0; 2], recent: Cell::default() }
    }

    /// Whether no other can be followed.
    pub(super) const fn is_full(&self) -> bool {
        self.count() >= self.most
    }

    /// How many there are.
    pub(super) const fn count(&self) -> usize {
        self.by_family[0] + self.by_family[1]
    }

    /// Those with these ends.
    pub(super) fn of(&self, addrs: AddressPair) -> &[Life] {
        self.at(self.place(addrs))
    }

    /// Those with these ends.
    pub(super) fn of_mut(&mut self, addrs: AddressPair) -> &mut [Life] {
        self.at_mut(self.place(addrs))
    }

    /// One of them.
    pub(super) fn get(&self, addrs: AddressPair, id: SocketId) -> Option<&Life> {
        self.of(addrs).iter().find(|life| life.id == id)
    }

    /// One of them.
    pub(super) fn get_mut(&mut self, addrs: AddressPair, id: SocketId) -> Option<&mut Life> {
        self.of_mut(addrs).iter_mut().find(|life| life.id == id)
    }

    /// Those at these places, each with its ends.
    pub(super) fn between(
        &self,
        begin: usize,
        end: usize,
    ) -> impl Iterator<Item = (AddressPair, &Life)> {
        let places = begin..end.min(self.by_addrs.len());
        let there = self.by_addrs.get_range(places).into_iter().flatten();
        there.flat_map(|(addrs, lives)| lives.iter().map(|life| (*addrs, life)))
    }

    /// All of them, each with its ends.
    pub(super) fn iter(&self) -> impl Iterator<Item = (AddressPair, &Life)> {
        self.by_addrs.iter().flat_map(|(addrs, lives)| lives.iter().map(|life| (*addrs, life)))
    }

    /// All of them, each with its ends.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (AddressPair, &mut Life)> {
        self.by_addrs
            .iter_mut()
            .flat_map(|(addrs, lives)| lives.iter_mut().map(|life| (*addrs, life)))
    }

    /// The place of these ends, until one is taken out. It is looked for near the last two that were
    /// asked for first: a table shows its rows in much the same order again and again, and of both
    /// ends of a connection one asks about the other.
    pub(super) fn place(&self, addrs: AddressPair) -> Option<usize> {
        if self.by_family[addrs.family as usize] == 0 {
            return None;
        }
        let is_at =
            |at: &usize| self.by_addrs.get_index(*at).is_some_and(|(there, _)| *there == addrs);
        let [last, before] = self.recent.get();
        let near = [last, last + 1, before, before + 1].into_iter().find(is_at);
        let place = near.or_else(|| self.by_addrs.get_index_of(&addrs))?;
        if place != last {
            self.recent.set([place, last]);
        }
        Some(place)
    }

    /// Makes room for this many more.
    pub(super) fn reserve(&mut self, more: usize) {
        self.by_addrs.reserve(more);
    }

    /// Those at a place.
    pub(super) fn at(&self, place: Option<usize>) -> &[Life] {
        let there = place.and_then(|place| self.by_addrs.get_index(place));
        there.map(|(_, lives)| lives.as_slice()).unwrap_or_default()
    }

    /// Those at a place.
    pub(super) fn at_mut(&mut self, place: Option<usize>) -> &mut [Life] {
        let there = place.and_then(|place| self.by_addrs.get_index_mut(place));
        there.map(|(_, lives)| lives.as_mut_slice()).unwrap_or_default()
    }

    /// Follows another.
    pub(super) fn add(&mut self, addrs: AddressPair, life: Life) {
        self.by_family[addrs.family as usize] += 1;
        let entry = self.by_addrs.entry(addrs);
        let place = entry.index();
        entry.or_default().push(life);
        let [last, _] = self.recent.get();
        self.recent.set([place, last]);
    }

    /// Follows one no more.
    pub(super) fn take(&mut self, addrs: AddressPair, id: SocketId) -> Option<Life> {
        let place = self.place(addrs)?;
        let (_, lives) = self.by_addrs.get_index_mut(place)?;
        let index = lives.iter().position(|life| life.id == id)?;
        let life = lives.swap_remove(index);
        if lives.is_empty() {
            self.by_addrs.swap_remove_index(place);
        }
        self.by_family[addrs.family as usize] -= 1;
        Some(life)
    }

    /// Gives back the room of a crowd that has gone.
    pub(super) fn shrink(&mut self) {
        let used = self.by_addrs.len();
        if self.by_addrs.capacity() > 4 * used.max(SLACK) {
            self.by_addrs.shrink_to(2 * used);
        }
    }
}
