//! What polls tell about where a socket lives: who listens in the watched namespace, and which
//! connections were there before the first event. Pure.

use crate::model::reading::Snapshot;
use crate::model::socket::{AddressPair, Family};
use crate::model::socket_row::SocketRow;
use crate::tcp::state::State;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

/// What the tables of the watched namespace have shown.
#[derive(Debug, Default)]
pub struct Home {
    /// Listeners by family and port: addresses, each with when (ns) it was last known to be there.
    listeners: HashMap<(Family, u16), Vec<(IpAddr, u64)>>,
    /// Full sockets that no event has named yet.
    unnamed: HashSet<AddressPair>,
    /// When the last poll began (ns); 0 before the first.
    polled: u64,
    /// The end (ns) of the last poll after which every socket has been known by a row or by its
    /// birth.
    complete: Option<u64>,
}

impl Home {
    /// Somebody listens, here or perhaps here.
    pub fn listens(&mut self, ends: &AddressPair, time: u64) {
        let addrs = self.listeners.entry((ends.family, ends.local.port)).or_default();
        match addrs.iter_mut().find(|(addr, _)| *addr == ends.local.addr) {
            Some((_, seen)) => *seen = time,
            None => addrs.push((ends.local.addr, time)),
        }
    }

    /// Whether a listener of the watched namespace can have made a socket with these ends. One
    /// that is gone counts until two polls have missed it.
    pub fn can_accept(&self, ends: &AddressPair) -> bool {
        // Without a poll, or with a port that is still to come, anything is possible.
        let unsure = self.polled == 0 || self.listeners.contains_key(&(ends.family, 0));
        unsure
            || self.listeners.get(&(ends.family, ends.local.port)).is_some_and(|addrs| {
                addrs.iter().any(|(addr, _)| *addr == ends.local.addr || addr.is_unspecified())
            })
    }

    /// Takes in a poll. `afresh` if sockets may have been born without an event that was read: at
    /// the start, and after a loss; `named` tells which rows are of sockets known by their events.
    pub fn take(&mut self, poll: &Snapshot, afresh: bool, named: impl Fn(&SocketRow) -> bool) {
        let (begun, ended) = (poll.start.boot * 1000, poll.end.boot * 1000);
        for row in poll.rows.iter().filter(|row| row.state == State::Listen) {
            self.listens(&row.addrs, ended);
        }
        let before = std::mem::replace(&mut self.polled, begun);
        self.listeners.retain(|_, addrs| {
            addrs.retain(|(_, seen)| *seen >= before);
            !addrs.is_empty()
        });
        if afresh {
            let full = poll.rows.iter().filter(|row| !row.mini && !named(row));
            self.unnamed = full.map(|row| row.addrs).collect();
            self.complete = Some(ended);
        }
    }

    /// Events were lost: sockets may have come and gone unseen.
    pub const fn lost(&mut self) {
        self.complete = None;
    }

    /// Whether a socket with these ends was there without having been named by an event.
    pub fn has_unnamed(&self, ends: &AddressPair) -> bool {
        self.unnamed.contains(ends)
    }

    /// An event has named the socket with these ends.
    pub fn name(&mut self, ends: &AddressPair) {
        self.unnamed.remove(ends);
    }

    /// Whether every socket of the watched namespace is known that was there at this time (ns).
    pub fn is_complete_at(&self, time: u64) -> bool {
        self.complete.is_some_and(|since| since <= time)
    }
}
