//! Which sockets have state changes that have not been handed out. Pure.

use crate::model::reading::StateChange;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The state changes that have not been handed out, by cookie: this is asked for while there may be hundreds of
/// thousands.
#[derive(Debug, Default)]
pub(super) struct PendingChanges(HashMap<u64, OfSocket, RandomState>);

/// Those of one socket.
#[derive(Debug, Default)]
struct OfSocket {
    count: usize,
    /// By the last one no process has the socket.
    ends_without_inode: bool,
}

impl PendingChanges {
    /// Adds the next change.
    pub(super) fn add(&mut self, change: &StateChange) {
        let of_socket = self.0.entry(change.cookie).or_default();
        of_socket.count += 1;
        of_socket.ends_without_inode = change.inode == Some(0);
    }

    /// Removes the first change of a socket, and returns whether the process, which had the socket at
    /// this change, has closed it by a later one.
    pub(super) fn remove(&mut self, change: &StateChange) -> bool {
        let Entry::Occupied(mut entry) = self.0.entry(change.cookie) else { return false };
        entry.get_mut().count -= 1;
        let OfSocket { count, ends_without_inode } = *entry.get();
        if count == 0 {
            entry.remove();
            return false;
        }
        ends_without_inode && change.inode != Some(0)
    }

    /// Whether there is a change of the socket with this cookie.
    pub(super) fn has(&self, cookie: u64) -> bool {
        self.0.contains_key(&cookie)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::socket::{AddressPair, Endpoint, Family};
    use crate::model::time::Stamp;
    use crate::tcp::state::State;

    fn change(cookie: u64, inode: u64) -> StateChange {
        let end = Endpoint { addr: Family::Ipv4.unspecified(), port: 80 };
        StateChange {
            time: Stamp::default(),
            netns: None,
            socket: 0,
            cookie,
            addrs: AddressPair::new(Family::Ipv4, end, end),
            ifindex: 0,
            device: None,
            ipv6_only: None,
            inode: Some(inode),
            uid: None,
            from: State::Established,
            to: State::CloseWait,
            passive: false,
            caller: None,
            abort: None,
            reset_by: None,
        }
    }

    #[test]
    fn a_socket_that_is_closed_by_a_later_change_is_released() {
        // Not accepted yet, accepted, closed.
        let inodes = [0, 7, 7, 0];
        for last in 0..inodes.len() {
            let mut pending = PendingChanges::default();
            inodes[..=last].iter().for_each(|inode| pending.add(&change(1, *inode)));
            pending.add(&change(2, 9));
            for (place, inode) in inodes[..=last].iter().enumerate() {
                let is_released = pending.remove(&change(1, *inode));
                assert_eq!(is_released, last == 3 && (1..3).contains(&place), "{place} of {last}");
            }
            assert!(!pending.has(1) && pending.has(2));
        }
    }
}
