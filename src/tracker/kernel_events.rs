//! What is remembered of state changes that the kernel reported.

use super::sharers::{Sharers, latest};
use super::socket::{SocketKey, TrackedSocket};
use super::sockets::TrackedSockets;
use crate::model::growth::most_kept;
use crate::model::reading::StateChange;
use crate::model::socket::AddressPair;
use crate::model::socket_row::SocketRow;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// So many closed sockets are remembered from one poll to the next, some 20 MB.
const MOST_CLOSED: usize = 1 << 18;

/// What is remembered of state changes that the kernel reported.
#[derive(Debug, Default)]
pub(super) struct KernelEvents {
    /// Sockets by their address in the kernel, where events have no cookie.
    by_address: HashMap<u64, SocketKey, RandomState>,
    /// Sockets that closed since the last two polls began, by cookie and by the address pair that lasts: rows
    /// may still show them, and of one that a lookup showed to be gone the event of its end may still come.
    closed: HashMap<(AddressPair, u64), Stamp, RandomState>,
    /// When there were more: any socket may have closed then.
    closed_more: Option<Stamp>,
    /// Events from before the end of the first poll.
    early: Vec<StateChange>,
    /// When the last poll started.
    last_poll: Stamp,
}

impl KernelEvents {
    /// A socket closed: rows and events from before this instant may still show it.
    pub(super) fn note_closed(&mut self, addrs: AddressPair, cookie: u64, time: Stamp) {
        if self.closed.len() < MOST_CLOSED {
            self.closed.insert((addrs.lasting(), cookie), time);
        } else {
            self.closed_more = Some(time);
        }
    }

    /// Whether the socket of a row, or any, closed at this instant or later.
    pub(super) fn has_closed_since(&self, row: &SocketRow, since: Stamp) -> bool {
        self.closed(row.addrs, row.cookie).is_some_and(|time| time >= since)
    }

    /// Whether a lookup was ahead of this change of a socket, which is closed.
    pub(super) fn is_known_to_be_closed(&self, change: &StateChange) -> bool {
        let closed = self.closed(change.addrs, change.cookie);
        closed.is_some_and(|time| change.cookie != 0 || time >= change.time)
    }

    /// When this socket closed, or any.
    fn closed(&self, addrs: AddressPair, cookie: u64) -> Option<Stamp> {
        self.closed.get(&(addrs.lasting(), cookie)).copied().max(self.closed_more)
    }

    /// A poll that started at `start` is done with: no row or event from before will come. Drops the
    /// addresses of sockets that closed without an event, once there are many.
    pub(super) fn end_poll(&mut self, start: Stamp, sockets: &TrackedSockets) {
        let before = std::mem::replace(&mut self.last_poll, start);
        self.closed.retain(|_, time| *time >= before);
        if self.by_address.len() > most_kept(sockets.count()) {
            self.by_address.retain(|_, key| sockets.get(*key).is_some());
        }
    }

    /// Events were lost: an address may have been given to another socket.
    pub(super) fn forget_addresses(&mut self) {
        self.by_address.clear();
    }

    /// Keeps a change from before the end of the first poll.
    pub(super) fn keep_early(&mut self, change: StateChange) {
        self.early.push(change);
    }

    /// The changes from before the end of the first poll, in their order.
    pub(super) fn early(&self) -> impl Iterator<Item = &StateChange> {
        self.early.iter()
    }

    /// The same; once.
    pub(super) fn take_early(&mut self) -> Vec<StateChange> {
        std::mem::take(&mut self.early)
    }

    /// Events without a cookie that name this address in the kernel are about this socket.
    pub(super) fn note_address(&mut self, change: &StateChange, key: SocketKey) {
        if change.cookie == 0 {
            self.by_address.insert(change.socket, key);
        }
    }

    /// A socket has ended: its address may be given to another one.
    pub(super) fn forget_address(&mut self, change: &StateChange) {
        self.by_address.remove(&change.socket);
    }

    /// The inode that a change is the first to show of its socket.
    pub(super) fn new_inode(&self, change: &StateChange, sockets: &TrackedSockets) -> Option<u64> {
        let inode = change.inode.filter(|inode| *inode != 0)?;
        let known = self.socket_of(change, sockets).and_then(|key| sockets.get(key));
        known.is_none_or(|socket| socket.identity.last_inode != inode).then_some(inode)
    }

    /// The socket that a change is about: by its cookie, or by its address in the kernel, else by its
    /// address pair. By the first two it is found in the other family, too.
    pub(super) fn socket_of(
        &self,
        change: &StateChange,
        sockets: &TrackedSockets,
    ) -> Option<SocketKey> {
        let sharers = sockets.sharers(sockets.place(change.addrs));
        let with_these_addresses = || latest(sharers.map(Sharers::as_slice).unwrap_or_default());
        if change.cookie != 0 {
            let itself = sharers.and_then(|sharers| sharers.with_cookie(change.cookie));
            // A request that was first dumped after its child had been made has a cookie of its own.
            let is_its_request = |socket: &&TrackedSocket| is_request_socket_of(change, socket);
            let socket = itself.or_else(|| with_these_addresses().find(is_its_request));
            let has_cookie = |socket: &TrackedSocket| socket.identity.cookie == change.cookie;
            return socket
                .map(|socket| socket.key(change.addrs))
                .or_else(|| sockets.in_other_family(change.addrs, has_cookie));
        }
        let named = self.by_address.get(&change.socket).copied();
        if let Some(key) = named.filter(|key| sockets.get(*key).is_some()) {
            return Some(key);
        }
        let is_full =
            |socket: &&TrackedSocket| !socket.row.mini || socket.row.state == State::SynRecv;
        let is_expected = |socket: &&TrackedSocket| socket.reported() == Some(change.from);
        let mut full = with_these_addresses().filter(is_full);
        let socket = full.clone().find(is_expected).or_else(|| full.next())?;
        Some(socket.key(change.addrs))
    }
}

/// Whether a change makes a child of this request.
pub(super) fn is_request_socket_of(change: &StateChange, socket: &TrackedSocket) -> bool {
    change.passive && socket.row.mini && socket.row.state == State::SynRecv
}
