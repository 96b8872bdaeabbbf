//! Sockets that a poll did not show: one that two polls in a row miss has closed, and what follows
//! it with its address pair, or with its inode elsewhere, is reported after that.

use super::polls::Polls;
use super::socket::{SocketKey, TrackedSocket};
use super::sockets::TrackedSockets;
use crate::model::reading::PollWindow;
use crate::model::socket::AddressPair;
use std::collections::HashMap;

/// A socket that a poll did not show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Missing {
    pub(super) key: SocketKey,
    inode: u64,
    /// It has closed.
    pub(super) is_gone: bool,
    /// A lookup may decide.
    pub(super) can_look_up: bool,
}

/// Counts the misses of every socket that the last poll did not show, in the order of their ids;
/// `whole`: every row of the poll could be read.
pub(super) fn count_misses(
    sockets: &mut TrackedSockets,
    polls: &Polls,
    whole: bool,
    window: &PollWindow,
) -> Vec<Missing> {
    let (poll, bad_rows) = (polls.number, polls.bad_rows > 0);
    let is_missing = |(_, socket): &(AddressPair, &mut TrackedSocket)| {
        socket.seen.last_poll != poll && socket.seen.state_known_at < window.start.boot
    };
    let note = |(addrs, socket): (AddressPair, &mut TrackedSocket)| {
        let is_gone = socket.seen.note_miss(whole, bad_rows);
        // Of sockets of IPv6 alone, one that was turned into IPv4 is shown neither by polls nor by events.
        let may_have_turned = addrs != addrs.lasting();
        let can_look_up =
            !socket.seen.missing_since_bad_rows && (!socket.is_traced() || may_have_turned);
        let key = socket.key(addrs);
        Missing { key, inode: socket.identity.last_inode, is_gone, can_look_up }
    };
    let mut missing: Vec<Missing> = sockets.iter_mut().filter(is_missing).map(note).collect();
    missing.sort_unstable_by_key(|missing| missing.key.id);
    missing
}

/// Sockets that may have closed: one more poll or a lookup decides.
#[derive(Debug, Default)]
pub(super) struct MayHaveClosed {
    by_inode: HashMap<u64, SocketKey>,
    by_addrs: HashMap<AddressPair, SocketKey>,
}

impl MayHaveClosed {
    /// Of sockets that a poll did not show, those that are not known to be gone.
    pub(super) fn of(missing: &[Missing]) -> Self {
        let mut undecided = Self::default();
        for Missing { key, inode, .. } in missing.iter().filter(|missing| !missing.is_gone) {
            if *inode != 0 {
                undecided.by_inode.entry(*inode).or_insert(*key);
            }
            undecided.by_addrs.insert(key.addrs, *key);
        }
        undecided
    }

    /// The one that a new socket may follow: with its inode, which has another address pair now, or
    /// with its address pair, which was reused.
    pub(super) fn before(&self, addrs: AddressPair, inode: u64) -> Option<SocketKey> {
        self.by_inode.get(&inode).or_else(|| self.by_addrs.get(&addrs)).copied()
    }
}
