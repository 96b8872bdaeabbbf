//! The sockets as they stand between two readings, and what of them cannot be known.

use super::Monitor;
use crate::filter::{Filter, Match, ProcessFilter};
use crate::model::event::{SocketEvent, SocketId, SocketStatus, Transition};
use crate::model::process::{Attribution, ByInode, Inodes};
use crate::model::reading::Snapshot;
use crate::model::time::Stamp;
use crate::owner::Among;
use crate::owner::table::Found;
use crate::rules::alerts::Sockets;
use crate::tcp::state::State;
use std::collections::{HashMap, HashSet};

/// The looks at all sockets so far: an absence needs two, since a single one may skip a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PollCount {
    /// How many.
    pub taken: u64,
    /// Rows of the last that could not be understood, or are of more sockets than are followed.
    pub bad_rows: u64,
}

impl PollCount {
    /// Counts a look.
    pub(super) const fn take(&mut self, snapshot: &Snapshot, left_out: u64) {
        self.taken += 1;
        self.bad_rows = snapshot.bad_rows + left_out;
    }
}

impl Monitor<'_> {
    /// The sockets that the filters ask for as they are now, with their owners, by family, in the
    /// order of the kernel's tables.
    /// There may be many: each is looked at when its turn comes.
    pub fn sockets(&mut self) -> impl Iterator<Item = (SocketStatus, Attribution)> {
        let place =
            |now: SocketStatus| (now.socket.addrs.family, now.row, now.socket.addrs, now.socket.id);
        let mut places: Vec<_> = self.standings().map(place).collect();
        places.sort_unstable_by_key(|(family, row, ..)| (*family, *row));
        places.into_iter().filter_map(|(_, _, addrs, life)| {
            let now = self.tracker.standing(addrs, life)?;
            Some((now, self.owner_now(&now)))
        })
    }

    /// The lives that go on, in the order in which they began, whatever state they are in.
    pub fn lives(&mut self) -> Vec<(SocketStatus, Attribution)> {
        let mut now: Vec<SocketStatus> = self.matching().collect();
        now.sort_unstable_by_key(|now| now.socket.id);
        now.into_iter().map(|now| (now, self.owner_now(&now))).collect()
    }

    /// The lives that are being followed, whether they match or not.
    pub fn followed(&self) -> HashSet<SocketId> {
        self.tracker.ids().collect()
    }

    /// The states of the sockets that the filters ask for.
    pub fn states(&self) -> impl Iterator<Item = State> {
        self.standings().map(|now| now.state)
    }

    /// The lives that the filters ask for as they stand, in no order: what there is to know
    /// without another look at owners.
    pub fn standings(&self) -> impl Iterator<Item = SocketStatus> {
        self.matching().filter(|now| self.filter.wants_state(now.state))
    }

    /// All that match, whatever state they are in.
    pub(super) fn matching(&self) -> impl Iterator<Item = SocketStatus> {
        self.in_place().filter(|now| self.is_matched(now))
    }

    /// All that pass the filters by ends, whoever owns them.
    fn in_place(&self) -> impl Iterator<Item = SocketStatus> {
        self.tracker.standings().filter(|now| self.filter.wants_addrs(&now.socket.addrs))
    }

    /// Whose socket it is now.
    pub fn owner_now(&mut self, now: &SocketStatus) -> Attribution {
        if now.clues.inode != 0 {
            self.still_proven(now.clues.inode);
        }
        self.owner(now.socket.id, now.clues)
    }

    fn is_owned(&self, filter: &ProcessFilter, now: &SocketStatus) -> bool {
        filter.is_empty() || {
            let owner = self.owner(now.socket.id, now.clues);
            owner.satisfies(filter, now.clues.uid)
        }
    }

    /// How many looks at all sockets there have been, and how many rows the last could not read.
    pub const fn looks(&self) -> PollCount {
        self.looks
    }

    /// The sockets with an inode that pass the other filters and may belong to a matching process
    /// whose descriptors may not be read, or are known only since this look to match. One with an
    /// owner that does not match is none of them; nor is one without an inode, which nobody holds.
    ///
    /// This looks into all processes, so it is for the moment when an absence decides.
    pub fn candidates(&mut self) -> Vec<SocketStatus> {
        let filter = &self.filter.process;
        let mut unknown: Vec<SocketStatus> = Vec::new();
        if !filter.is_empty() {
            let unmatched =
                |now: &SocketStatus| self.filter.wants_state(now.state) && self.is_unmatched(now);
            unknown.extend(self.in_place().filter(unmatched));
        }
        let there = inodes(&unknown);
        self.others.retain(|inode| there.contains(inode));
        unknown.retain(|now| !self.others.contains(&now.clues.inode));
        if unknown.is_empty() {
            return unknown;
        }
        let wanted = inodes(&unknown);
        let of_others = owned_by_others(&self.finder.find(Among::All(filter), &wanted), filter);
        self.others.extend(wanted.intersection(&of_others));
        unknown.retain(|now| !of_others.contains(&now.clues.inode));
        if unknown.is_empty() {
            return unknown;
        }
        let wanted = inodes(&unknown);
        let found = self.finder.find(Among::Matching(filter), &wanted);
        let hidden = found.denied > 0;
        self.book.learn(&wanted, found);
        let matched = self.match_again();
        // Who may not be read and cannot match hides nothing.
        unknown.retain(|now| hidden || matched.contains(&now.socket.id));
        unknown
    }

    /// Matches the lives that have come to a matching process since they were last told of: nothing
    /// happens to a socket that is handed on.
    pub(super) fn match_again(&mut self) -> HashSet<SocketId> {
        let filter = &self.filter.process;
        let comes_to_match = |now: &SocketStatus| {
            self.is_unmatched(now) && {
                let owner = self.book.attribute(now.clues, filter);
                owner.matches(filter)
            }
        };
        let new = self.tracker.standings().filter(comes_to_match).map(|now| now.socket.id);
        let new: HashSet<SocketId> = new.collect();
        self.coverage.lives += new.len() as u64;
        self.matched.extend(&new);
        new
    }

    fn is_unmatched(&self, now: &SocketStatus) -> bool {
        now.clues.inode != 0 && !self.is_matched(now)
    }

    /// Whether a life has been told of, and has then once matched the filter by process.
    fn is_matched(&self, now: &SocketStatus) -> bool {
        if self.filter.process.is_empty() {
            !now.withheld
        } else {
            self.matched.contains(&now.socket.id)
        }
    }
}

impl Sockets for Monitor<'_> {
    fn read_at(&self) -> Stamp {
        self.read_at
    }

    fn looks_taken(&self) -> u64 {
        self.looks.taken
    }

    /// The sockets that the filters by process and ends ask for, in whatever state, as far as
    /// another filter asks for them, too.
    fn asked_for(&self, filter: &Filter) -> Vec<SocketStatus> {
        let asked = self.tracker.standings().filter(|now| {
            filter.wants_state(now.state)
                && filter.wants_addrs(&now.socket.addrs)
                && self.filter.wants_addrs(&now.socket.addrs)
                && self.is_matched(now)
                && self.is_owned(&filter.process, now)
        });
        asked.collect()
    }

    fn asks(&self, filter: &Filter, told: &SocketEvent) -> bool {
        let Transition { socket, from, to, clues, .. } = told.transition;
        filter.wants_addrs(&socket.addrs)
            && filter.wants_change(from, to)
            && told.owner.satisfies(&filter.process, clues.uid)
    }

    fn owner_of(&mut self, socket: &SocketStatus) -> Attribution {
        self.owner_now(socket)
    }
}

fn inodes(sockets: &[SocketStatus]) -> Inodes {
    sockets.iter().map(|now| now.clues.inode).collect()
}

/// The inodes whose holders were all read, and do not match.
fn owned_by_others(found: &Found, filter: &ProcessFilter) -> Inodes {
    let of_others: HashMap<_, _> = found
        .processes
        .iter()
        .map(|process| (process.identity(), filter.matches(process) == Match::No))
        .collect();
    let mut owned: ByInode<bool> = ByInode::default();
    for (inode, holder) in &found.holders {
        let other = of_others.get(&holder.process()).is_some_and(|other| *other);
        *owned.entry(*inode).or_insert(true) &= other;
    }
    owned.into_iter().filter_map(|(inode, others)| others.then_some(inode)).collect()
}
