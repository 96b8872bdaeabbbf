//! Lookups of sockets that a reading left open, and what they prove: that a socket has closed, or
//! that a poll only missed it.

use super::missing::MayHaveClosed;
use super::snapshot::Context;
use super::socket::{PolledRow, SocketKey, TrackedSocket};
use super::{Tracker, TrackerSink, peer};
use crate::model::event::SocketId;
use crate::model::reading::{LookupRequest, LookupResult, Lookups, PollWindow};
use crate::model::socket::AddressPair;
use crate::model::socket_row::SocketRow;
use foldhash::fast::RandomState;
use log::debug;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Which sockets are to be looked up.
#[derive(Debug, Default)]
pub(super) struct PendingLookups {
    order: Vec<LookupRequest>,
    /// `None` where one request would be for several sockets: the result could be about either.
    sockets: HashMap<LookupRequest, Option<SocketId>, RandomState>,
}

impl PendingLookups {
    pub(super) fn add(&mut self, request: LookupRequest, id: SocketId) {
        match self.sockets.entry(request) {
            Entry::Vacant(entry) => {
                entry.insert(Some(id));
                self.order.push(request);
            }
            Entry::Occupied(mut entry) if *entry.get() != Some(id) => {
                entry.insert(None);
            }
            Entry::Occupied(_) => {}
        }
    }

    /// What is to be looked up, in order.
    pub(super) fn requests(&self) -> Vec<LookupRequest> {
        self.order.iter().filter(|request| self.socket_of(request).is_some()).copied().collect()
    }

    /// How many there are, with those that several sockets share.
    pub(super) const fn count(&self) -> usize {
        self.order.len()
    }

    /// The address pairs that are looked up.
    pub(super) fn addrs(&self) -> Vec<AddressPair> {
        self.order.iter().map(|request| request.addrs).collect()
    }

    /// The sockets that are looked up, in order.
    pub(super) fn sockets(&self) -> impl Iterator<Item = SocketKey> {
        self.order.iter().filter_map(|request| {
            Some(SocketKey { addrs: request.addrs, id: self.socket_of(request)? })
        })
    }

    /// The socket that a request is about.
    pub(super) fn socket_of(&self, request: &LookupRequest) -> Option<SocketId> {
        self.sockets.get(request).copied().flatten()
    }
}

impl Tracker {
    pub(super) fn apply_lookups(&mut self, lookups: &Lookups, sink: &mut dyn TrackerSink) {
        let (window, poll) = (lookups.window(), self.polls.number);
        let (mut gone, mut changed, mut new_inodes) = (Vec::new(), Vec::new(), Vec::new());
        for (request, result) in &lookups.answers {
            let Some(id) = self.lookups.socket_of(request) else { continue };
            let mut key = SocketKey { addrs: request.addrs, id };
            if let LookupResult::There(row) = result
                && request.has_become(row)
            {
                key = self.sockets.follow_to_ipv4(row.addrs, key);
            }
            let is_alone = self.sockets.of(key.addrs).len() == 1;
            let Some(mut socket) = self.sockets.get_mut(key) else { continue };
            debug!("{}: lookup of {id}: {result}", key.addrs);
            let row = match result {
                LookupResult::Gone => {
                    gone.push(key);
                    continue;
                }
                LookupResult::There(row) => row,
            };
            // Else it is a successor, or on another interface: the next poll decides.
            if row.addrs != key.addrs || may_be_left(row, &socket, is_alone, &window) {
                debug!("{}: what was looked up need not be {id}", key.addrs);
                continue;
            }
            if socket.may_become(row) {
                new_inodes.extend(socket.identity.new_inode(row));
                let index = socket.row.index;
                if socket.reported() != Some(row.state) {
                    changed.push(key);
                }
                socket.apply_row(PolledRow { row, index, poll, window: &window });
                socket.seen.state_known_at = window.start.boot;
            } else if socket.identity.was_reconnected(&socket.row, row) {
                gone.push(key);
            } else {
                socket.seen.other_found = true;
            }
        }
        self.lookups = PendingLookups::default();
        peer::compare(&mut self.sockets, poll, changed.iter().copied());
        sink.inodes(new_inodes, &mut self.shown_inodes());
        for key in gone {
            self.close(key, &window, sink);
        }
        self.release_decided(sink);
        let context = Context::new(window, self.polls.last_without(), MayHaveClosed::default());
        for key in changed {
            self.report(key, &context, sink);
        }
    }
}

/// Whether what has the address pair of a socket and no inode may be what a successor left: a row beside
/// this one, or another timer, says so.
fn may_be_left(
    row: &SocketRow,
    socket: &TrackedSocket,
    is_alone: bool,
    window: &PollWindow,
) -> bool {
    row.inode == 0
        && socket.has_cookie_of(row).is_none()
        && (!is_alone || socket.timer_restarted(row, window))
}
