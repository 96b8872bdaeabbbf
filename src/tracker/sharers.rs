//! Sockets with one address pair. Nearly always it is one; the listeners of an `SO_REUSEPORT` group
//! may be many thousands, of any user, and must not cost more than others.

use super::socket::TrackedSocket;
use crate::model::event::SocketId;
use crate::model::socket_row::SocketRow;
use smallvec::SmallVec;
use std::collections::{BTreeSet, HashMap};
use std::ops::{Deref, DerefMut};

/// More sockets than this are found by an index.
const INDEXED: usize = 16;

/// Of sockets that differ only in their order, so many of the latest are considered. The kernel
/// has a few at most: one address pair on several interfaces.
const CONSIDERED: usize = 64;

/// The latest of sockets with one address pair, as many as are [`CONSIDERED`], the latest first.
pub(super) fn latest(sockets: &[TrackedSocket]) -> impl Iterator<Item = &TrackedSocket> + Clone {
    sockets.iter().rev().take(CONSIDERED)
}

/// The sockets with one address pair.
#[derive(Debug, Default)]
pub(super) struct Sharers {
    sockets: SmallVec<[TrackedSocket; 1]>,
    /// Only of many sockets.
    index: Option<Box<Index>>,
}

/// Positions of sockets among those that share an address pair.
#[derive(Debug, Default)]
struct Index {
    positions: HashMap<SocketId, usize>,
    /// By the inode of the last row, 0 for none.
    inodes: BTreeSet<(u64, SocketId)>,
    cookies: HashMap<u64, SocketId>,
}

/// By what a row finds a socket.
#[derive(PartialEq, Eq, Clone, Copy)]
struct RowKeys {
    inode: u64,
    cookie: u64,
}

impl RowKeys {
    const fn of(socket: &TrackedSocket) -> Self {
        Self { inode: socket.row.inode, cookie: socket.identity.cookie }
    }
}

impl Sharers {
    pub(super) fn as_slice(&self) -> &[TrackedSocket] {
        &self.sockets
    }

    /// To change anything but what a row finds a socket by; that is for [`get_mut`](Self::get_mut).
    pub(super) fn as_mut_slice(&mut self) -> &mut [TrackedSocket] {
        &mut self.sockets
    }

    /// The socket at this position, to be changed.
    pub(super) fn get_mut(&mut self, position: usize) -> Option<SocketMut<'_>> {
        let before = RowKeys::of(self.sockets.get(position)?);
        Some(SocketMut { sharers: self, position, before })
    }

    pub(super) fn position(&self, id: SocketId) -> Option<usize> {
        match &self.index {
            Some(index) => index.positions.get(&id).copied(),
            None => self.sockets.iter().position(|socket| socket.id == id),
        }
    }

    /// Positions of the sockets that a row may be of; of many that do not differ, the latest.
    pub(super) fn candidates(&self, row: &SocketRow) -> SmallVec<[usize; INDEXED]> {
        let Some(index) = &self.index else { return (0..self.sockets.len()).collect() };
        let mut found: SmallVec<[usize; INDEXED]> = SmallVec::new();
        let by_cookie = index.cookies.get(&row.cookie).filter(|_| row.cookie != 0);
        found.extend(by_cookie.and_then(|id| index.positions.get(id)).copied());
        found.extend(index.of_inode(row.inode));
        if row.inode == 0 {
            // One that has lost its inode.
            found.extend((0..self.sockets.len()).rev().take(CONSIDERED));
        } else {
            found.extend(index.of_inode(0));
        }
        // Each once, in their order.
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The socket with this cookie.
    pub(super) fn with_cookie(&self, cookie: u64) -> Option<&TrackedSocket> {
        match &self.index {
            Some(index) => self.sockets.get(self.position(*index.cookies.get(&cookie)?)?),
            None => self.sockets.iter().find(|socket| socket.identity.cookie == cookie),
        }
    }

    pub(super) fn push(&mut self, socket: TrackedSocket) {
        let (position, id, names) = (self.sockets.len(), socket.id, RowKeys::of(&socket));
        self.sockets.push(socket);
        match &mut self.index {
            Some(index) => index.add(position, id, names),
            None if position == INDEXED => {
                let mut index = Box::<Index>::default();
                for (position, socket) in self.sockets.iter().enumerate() {
                    index.add(position, socket.id, RowKeys::of(socket));
                }
                self.index = Some(index);
            }
            None => {}
        }
    }

    pub(super) fn remove(&mut self, id: SocketId) -> Option<TrackedSocket> {
        let position = self.position(id)?;
        let socket = self.sockets.swap_remove(position);
        if let Some(index) = &mut self.index {
            index.positions.remove(&id);
            index.remove_names(id, RowKeys::of(&socket));
            if let Some(moved) = self.sockets.get(position) {
                index.positions.insert(moved.id, position);
            }
        }
        if self.sockets.len() <= INDEXED / 2 {
            self.index = None;
        }
        Some(socket)
    }
}

/// A socket that is being changed; the index follows when this is dropped.
pub(super) struct SocketMut<'s> {
    sharers: &'s mut Sharers,
    position: usize,
    before: RowKeys,
}

impl Deref for SocketMut<'_> {
    type Target = TrackedSocket;

    fn deref(&self) -> &TrackedSocket {
        &self.sharers.sockets[self.position]
    }
}

impl DerefMut for SocketMut<'_> {
    fn deref_mut(&mut self) -> &mut TrackedSocket {
        &mut self.sharers.sockets[self.position]
    }
}

impl Drop for SocketMut<'_> {
    fn drop(&mut self) {
        let (id, after) = (self.id, RowKeys::of(self));
        if let Some(index) = self.sharers.index.as_mut().filter(|_| self.before != after) {
            index.remove_names(id, self.before);
            index.add(self.position, id, after);
        }
    }
}

impl Index {
    /// Positions of the latest sockets whose last row had this inode.
    fn of_inode(&self, inode: u64) -> impl Iterator<Item = usize> {
        let (first, last) =
            (SocketId { run: 0, number: 0 }, SocketId { run: u32::MAX, number: u64::MAX });
        let latest = self.inodes.range((inode, first)..=(inode, last)).rev().take(CONSIDERED);
        latest.filter_map(|(_, id)| self.positions.get(id).copied())
    }

    fn add(&mut self, position: usize, id: SocketId, names: RowKeys) {
        self.positions.insert(id, position);
        self.inodes.insert((names.inode, id));
        if names.cookie != 0 {
            self.cookies.insert(names.cookie, id);
        }
    }

    fn remove_names(&mut self, id: SocketId, names: RowKeys) {
        self.inodes.remove(&(names.inode, id));
        if self.cookies.get(&names.cookie) == Some(&id) {
            self.cookies.remove(&names.cookie);
        }
    }
}

#[cfg(test)]
mod tests;
