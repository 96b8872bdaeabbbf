//! The lives being followed, by their ends: packed, in the order in which they came, which is that
//! of the kernel's tables as long as these stand.

use crate::life::Life;
use crate::reading::Ends;
use crate::transition::LifeId;
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use smallvec::SmallVec;

/// Nearly all ends are those of one socket.
type Sharers = SmallVec<[Life; 1]>;

/// Every life that goes on.
#[derive(Debug, Default)]
pub(super) struct Lives {
    by_ends: IndexMap<Ends, Sharers, RandomState>,
    count: usize,
}

impl Lives {
    /// How many there are.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Those with these ends.
    pub(super) fn of(&self, ends: Ends) -> &[Life] {
        self.by_ends.get(&ends).map(SmallVec::as_slice).unwrap_or_default()
    }

    /// Those with these ends.
    pub(super) fn of_mut(&mut self, ends: Ends) -> &mut [Life] {
        self.by_ends.get_mut(&ends).map(SmallVec::as_mut_slice).unwrap_or_default()
    }

    /// One of them.
    pub(super) fn get(&self, ends: Ends, id: LifeId) -> Option<&Life> {
        self.of(ends).iter().find(|life| life.id == id)
    }

    /// One of them.
    pub(super) fn get_mut(&mut self, ends: Ends, id: LifeId) -> Option<&mut Life> {
        self.of_mut(ends).iter_mut().find(|life| life.id == id)
    }

    /// All of them, each with its ends.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Ends, &Life)> {
        self.by_ends.iter().flat_map(|(ends, lives)| lives.iter().map(|life| (*ends, life)))
    }

    /// All of them, each with its ends.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Ends, &mut Life)> {
        self.by_ends.iter_mut().flat_map(|(ends, lives)| lives.iter_mut().map(|life| (*ends, life)))
    }

    /// The place of these ends, until one is taken out. It is looked for at `next` first, which
    /// then is the place after it: a table shows its rows in much the same order again and again,
    /// and a neighbour is found without a search.
    pub(super) fn place_of(&self, ends: Ends, next: &mut usize) -> Option<usize> {
        let expected = self.by_ends.get_index(*next).is_some_and(|(there, _)| *there == ends);
        let place = if expected { *next } else { self.by_ends.get_index_of(&ends)? };
        *next = place + 1;
        Some(place)
    }

    /// Those at a place.
    pub(super) fn at(&self, place: Option<usize>) -> &[Life] {
        let there = place.and_then(|place| self.by_ends.get_index(place));
        there.map(|(_, lives)| lives.as_slice()).unwrap_or_default()
    }

    /// Those at a place.
    pub(super) fn at_mut(&mut self, place: Option<usize>) -> &mut [Life] {
        let there = place.and_then(|place| self.by_ends.get_index_mut(place));
        there.map(|(_, lives)| lives.as_mut_slice()).unwrap_or_default()
    }

    /// Follows another.
    pub(super) fn add(&mut self, ends: Ends, life: Life) {
        self.by_ends.entry(ends).or_default().push(life);
        self.count += 1;
    }

    /// Follows one no more.
    pub(super) fn take(&mut self, ends: Ends, id: LifeId) -> Option<Life> {
        let lives = self.by_ends.get_mut(&ends)?;
        let place = lives.iter().position(|life| life.id == id)?;
        let life = lives.swap_remove(place);
        if lives.is_empty() {
            self.by_ends.swap_remove(&ends);
        }
        self.count -= 1;
        Some(life)
    }
}
