//! The sockets that are followed, by their address pairs: packed, in the order in which they were
//! added, which is that of the kernel's tables as long as these stand.

use super::sharers::{Sharers, SocketMut};
use super::socket::{SocketKey, TrackedSocket};
use crate::model::event::{Listeners, SocketId};
use crate::model::socket::{AddressPair, Family};
use crate::model::time::Stamp;
use crate::tcp::state::State;
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use smallvec::SmallVec;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::rc::Rc;

/// Room for this many is kept however few there are.
const LEAST_ROOM: usize = 1024;

/// No more sockets are followed, which take some 700 MB: a program that leaks sockets by the million
/// must not take its monitor with it. All else that is kept of a socket ends with it.
const MOST: usize = 1 << 21;

/// What all network namespaces of a run count together.
#[derive(Debug, Default)]
pub(super) struct SocketCount {
    /// The first part of ids: the wall clock second of the first poll; 0 before.
    run: Cell<u32>,
    /// The second part of the latest id.
    number: Cell<u64>,
    /// How many sockets are followed.
    followed: Cell<usize>,
}

/// Every socket that is followed.
#[derive(Debug)]
pub(super) struct TrackedSockets {
    all: Rc<SocketCount>,
    most: usize,
    by_addrs: IndexMap<AddressPair, Sharers, RandomState>,
    by_family: [usize; 2],
    /// The two places that were asked for last.
    recent: Cell<[usize; 2]>,
    /// Some sockets are not followed, for want of room: one that is seen for the first time may have
    /// been there, and one that is not found may be there.
    pub(super) is_incomplete: bool,
}

impl Default for TrackedSockets {
    fn default() -> Self {
        Self::at_most(MOST)
    }
}

impl TrackedSockets {
    /// None yet, and never more than this.
    pub(super) fn at_most(most: usize) -> Self {
        Self {
            most,
            by_addrs: IndexMap::default(),
            by_family: [0; 2],
            recent: Cell::default(),
            all: Rc::default(),
            is_incomplete: false,
        }
    }

    /// None yet, with ids from this count.
    pub(super) fn counted_by(all: Rc<SocketCount>) -> Self {
        Self { all, ..Self::default() }
    }

    /// The first poll was in this second of the wall clock, unless there was one before.
    pub(super) fn begin(&self, second: u32) {
        if self.all.run.get() == 0 {
            self.all.run.set(second);
        }
    }

    pub(super) const fn count(&self) -> usize {
        self.by_family[0] + self.by_family[1]
    }

    /// Follows a new socket, parameters as for [`TrackedSocket::new`]; `None` if there is no room.
    pub(super) fn open(
        &mut self,
        addrs: AddressPair,
        state: State,
        born: Stamp,
        found: bool,
        poll: u64,
    ) -> Option<SocketKey> {
        let followed = self.all.followed.get();
        if followed >= self.most {
            self.is_incomplete = true;
            return None;
        }
        self.all.followed.set(followed + 1);
        let number = self.all.number.get() + 1;
        self.all.number.set(number);
        let id = SocketId { run: self.all.run.get(), number };
        Some(self.add(addrs, TrackedSocket::new(id, state, born, found, poll)))
    }

    fn add(&mut self, addrs: AddressPair, socket: TrackedSocket) -> SocketKey {
        let key = socket.key(addrs);
        self.by_family[addrs.family as usize] += 1;
        let entry = self.by_addrs.entry(addrs);
        let place = entry.index();
        entry.or_default().push(socket);
        let [last, _] = self.recent.get();
        self.recent.set([place, last]);
        key
    }

    /// Stops following a socket and returns it.
    pub(super) fn remove(&mut self, key: SocketKey) -> Option<TrackedSocket> {
        let socket = self.take(key)?;
        self.all.followed.set(self.all.followed.get().saturating_sub(1));
        Some(socket)
    }

    /// A reading shows a socket with this address pair: it is followed there from now on if its process
    /// has turned it into one of IPv4. Returns where it is found.
    pub(super) fn follow_to_ipv4(&mut self, addrs: AddressPair, key: SocketKey) -> SocketKey {
        let has_turned = addrs != key.addrs && addrs == key.addrs.lasting();
        match has_turned.then(|| self.take(key)).flatten() {
            Some(socket) => self.add(addrs, socket),
            None => key,
        }
    }

    fn take(&mut self, key: SocketKey) -> Option<TrackedSocket> {
        let place = self.place(key.addrs)?;
        let (_, sockets) = self.by_addrs.get_index_mut(place)?;
        let socket = sockets.remove(key.id)?;
        if sockets.as_slice().is_empty() {
            self.by_addrs.swap_remove_index(place);
        }
        self.by_family[key.addrs.family as usize] -= 1;
        Some(socket)
    }

    /// A socket that was not found with this address pair, if it is there in the other family: its process
    /// has turned it into one of IPv4, which is known by what `is_it` compares.
    pub(super) fn in_other_family(
        &self,
        addrs: AddressPair,
        is_it: impl Fn(&TrackedSocket) -> bool,
    ) -> Option<SocketKey> {
        let other = addrs.in_other_family()?;
        let socket = self.of(other).iter().find(|socket| is_it(socket))?;
        Some(socket.key(other))
    }

    /// The sockets with this address pair.
    pub(super) fn of(&self, addrs: AddressPair) -> &[TrackedSocket] {
        self.sharers(self.place(addrs)).map(Sharers::as_slice).unwrap_or_default()
    }

    pub(super) fn get(&self, key: SocketKey) -> Option<&TrackedSocket> {
        let sharers = self.sharers(self.place(key.addrs))?;
        sharers.as_slice().get(sharers.position(key.id)?)
    }

    /// A socket, to be changed.
    pub(super) fn get_mut(&mut self, key: SocketKey) -> Option<SocketMut<'_>> {
        let sharers = self.sharers_mut(self.place(key.addrs))?;
        let position = sharers.position(key.id)?;
        sharers.get_mut(position)
    }

    /// The one socket with this address pair; `None` also where there are several, or may be one
    /// that is not followed.
    pub(super) fn only(&self, addrs: AddressPair) -> Option<SocketKey> {
        match self.of(addrs) {
            [socket] if !self.is_incomplete => Some(socket.key(addrs)),
            _ => None,
        }
    }

    /// The one socket with a mirrored address pair that can be the other end of this one; not one that is
    /// bound to another interface.
    pub(super) fn peer_at(&self, mirrored: AddressPair, key: SocketKey) -> Option<SocketKey> {
        let bound_to = |key| self.get(key)?.identity.interface().filter(|index| *index != 0);
        let peer = self.only(mirrored)?;
        let interfaces = bound_to(key).zip(bound_to(peer));
        interfaces.is_none_or(|(own, others)| own == others).then_some(peer)
    }

    /// The listeners that can have made a socket that is not accepted: those on its address and port
    /// and those on a wildcard address. Which one it was cannot be seen: the one on the address may
    /// have begun to listen later, or listen on another interface than this one alone.
    pub(super) fn listeners_of(&self, addrs: AddressPair, interface: Option<u32>) -> Listeners {
        if self.is_incomplete {
            return Listeners::default();
        }
        // `::ffff:0.0.0.0` listens to v4 alone, `::` perhaps to v6 alone.
        let mapped = addrs.local.addr.is_ipv4().then_some(Family::Ipv4.unspecified());
        let bound = [Some(addrs.local.addr), mapped, Some(addrs.family.unspecified())];
        let mut found: SmallVec<[u64; 4]> = SmallVec::new();
        let mut seen: SmallVec<[IpAddr; 3]> = SmallVec::new();
        for addr in bound.into_iter().flatten() {
            if !seen.contains(&addr) {
                seen.push(addr);
                let sockets = self.of(addrs.listener(addr)).iter();
                let listeners = sockets.filter(|listener| {
                    listener.row.state == State::Listen
                        && listener.row.inode != 0
                        && listener.identity.may_listen_on(interface)
                });
                found.extend(listeners.map(|listener| listener.row.inode));
            }
        }
        found.into_iter().collect()
    }

    /// The address pairs of the sockets with these cookies. Goes through all sockets, so many are
    /// asked for at once.
    pub(super) fn addrs_of(&self, cookies: &HashSet<u64>) -> HashMap<u64, AddressPair> {
        if cookies.is_empty() {
            return HashMap::new();
        }
        let sockets = self.iter().map(|(addrs, socket)| (socket.identity.cookie, addrs));
        sockets.filter(|(cookie, _)| cookies.contains(cookie)).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (AddressPair, &TrackedSocket)> {
        self.iter_with_places().map(|(_, addrs, socket)| (addrs, socket))
    }

    /// Every socket, and where it is; see [`place`](Self::place).
    pub(super) fn iter_with_places(
        &self,
    ) -> impl Iterator<Item = (usize, AddressPair, &TrackedSocket)> {
        self.by_addrs.iter().enumerate().flat_map(|(place, (addrs, sockets))| {
            sockets.as_slice().iter().map(move |socket| (place, *addrs, socket))
        })
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (AddressPair, &mut TrackedSocket)> {
        self.by_addrs.iter_mut().flat_map(|(addrs, sockets)| {
            sockets.as_mut_slice().iter_mut().map(|socket| (*addrs, socket))
        })
    }

    /// How many places there are; see [`place`](Self::place).
    pub(super) fn places(&self) -> usize {
        self.by_addrs.len()
    }

    /// The place of an address pair, until one is removed. It is searched near the last two that were
    /// asked for first: a table shows its rows in much the same order with every poll, and of both
    /// ends of a connection one leads to the other.
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

    /// The address pair at a place, and its sockets with their index.
    pub(super) fn at(&self, place: usize) -> Option<(AddressPair, &Sharers)> {
        self.by_addrs.get_index(place).map(|(addrs, sockets)| (*addrs, sockets))
    }

    /// The sockets at a place, with their index; `None` at no place.
    pub(super) fn sharers(&self, place: Option<usize>) -> Option<&Sharers> {
        self.at(place?).map(|(_, sockets)| sockets)
    }

    /// The sockets at a place, with their index; `None` at no place.
    pub(super) fn sharers_mut(&mut self, place: Option<usize>) -> Option<&mut Sharers> {
        self.by_addrs.get_index_mut(place?).map(|(_, sockets)| sockets)
    }

    /// The keys of the sockets at a place.
    pub(super) fn keys_at(&self, place: usize) -> SmallVec<[SocketKey; 1]> {
        let there = self.by_addrs.get_index(place).into_iter();
        let keys = there.flat_map(|(addrs, sockets)| {
            sockets.as_slice().iter().map(|socket| socket.key(*addrs))
        });
        keys.collect()
    }

    /// Makes room for this many more.
    pub(super) fn reserve(&mut self, more: usize) {
        self.by_addrs.reserve(more);
    }

    /// Gives back the room of many sockets that have closed.
    pub(super) fn shrink(&mut self) {
        let used = self.by_addrs.len();
        if self.by_addrs.capacity() > 4 * used.max(LEAST_ROOM) {
            self.by_addrs.shrink_to(2 * used);
        }
    }
}
