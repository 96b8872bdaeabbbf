//! Which sockets have state changes that have not been handed out, and which changes follow on from each
//! other. Pure.

use crate::model::growth::most_kept;
use crate::model::reading::StateChange;
use crate::model::socket::Family;
use crate::model::socket_row::SocketRow;
use crate::tcp::state::State;
use foldhash::fast::RandomState;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

/// The sockets that have changed their state and are not in CLOSED since, or whose changes have not been
/// handed out, by cookie: this is asked for while there may be hundreds of thousands of changes.
#[derive(Debug, Default)]
pub(super) struct PendingChanges {
    by_cookie: HashMap<u64, OfSocket, RandomState>,
    /// How often events were lost and counted.
    losses: u32,
    /// Before changes that begin in another state than the one before had led to.
    missing: Vec<MissingEvent>,
}

/// An event of a socket that did not come, as the next one shows; or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingEvent {
    /// The inode of the network namespace.
    pub netns: Option<u64>,
    /// The family of the socket.
    pub family: Family,
}

/// The changes of one socket.
#[derive(Debug)]
struct OfSocket {
    /// So many have not been handed out.
    count: u32,
    /// By the last one no process has the socket.
    ends_without_inode: bool,
    /// Where the last one led to.
    state: State,
    /// The socket's address in the kernel: two children of one request have one cookie.
    socket: u64,
    /// `losses` at the last one.
    losses: u32,
}

impl PendingChanges {
    /// Adds the next change, of the socket with this address in the kernel.
    pub(super) fn add(&mut self, change: &StateChange, socket: u64) {
        let losses = self.losses;
        let next = OfSocket {
            count: 1,
            ends_without_inode: change.inode == Some(0),
            state: change.to,
            socket,
            losses,
        };
        match self.by_cookie.entry(change.cookie) {
            Entry::Occupied(mut entry) => {
                let before = entry.get();
                let is_known = (before.socket, before.losses) == (socket, losses);
                let is_open = before.state != State::Closed;
                if is_known && is_open && before.state != change.from {
                    let (netns, family) = (change.netns, change.addrs.family);
                    self.missing.push(MissingEvent { netns, family });
                }
                let count = before.count + 1;
                entry.insert(OfSocket { count, ..next });
            }
            Entry::Vacant(entry) => {
                entry.insert(next);
            }
        }
    }

    /// Removes the first change of a socket, and returns whether the process, which had the socket at
    /// this change, has closed it by a later one.
    pub(super) fn remove(&mut self, change: &StateChange) -> bool {
        let Entry::Occupied(mut entry) = self.by_cookie.entry(change.cookie) else { return false };
        let of_socket = entry.get_mut();
        of_socket.count = of_socket.count.saturating_sub(1);
        let OfSocket { count, ends_without_inode, state, .. } = *of_socket;
        if count == 0 {
            if state == State::Closed {
                entry.remove();
            }
            return false;
        }
        ends_without_inode && change.inode != Some(0)
    }

    /// Whether there is a change of the socket with this cookie that has not been handed out.
    pub(super) fn has(&self, cookie: u64) -> bool {
        self.by_cookie.get(&cookie).is_some_and(|of_socket| of_socket.count > 0)
    }

    /// Events were lost, and counted: what comes next need not follow on from what came before.
    pub(super) fn note_loss(&mut self) {
        self.losses = self.losses.wrapping_add(1);
    }

    /// Which events did not come, by the changes since the last call. The kernel reports whatever gives a socket
    /// of TCP another state (`inet_sk_state_store()`), while that is locked: each change begins where the one
    /// before has led to.
    pub(super) fn take_missing(&mut self) -> Vec<MissingEvent> {
        std::mem::take(&mut self.missing)
    }

    /// Drops sockets whose end was lost, once there are many: those that these rows, which are all that
    /// there are, do not show.
    pub(super) fn keep_shown(&mut self, rows: &[SocketRow]) {
        if self.by_cookie.len() > most_kept(rows.len()) {
            let shown: HashSet<u64, RandomState> = rows.iter().map(|row| row.cookie).collect();
            self.by_cookie
                .retain(|cookie, of_socket| of_socket.count > 0 || shown.contains(cookie));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::socket::{AddressPair, Endpoint};
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
            inodes[..=last].iter().for_each(|inode| pending.add(&change(1, *inode), 1));
            pending.add(&change(2, 9), 2);
            for (place, inode) in inodes[..=last].iter().enumerate() {
                let is_released = pending.remove(&change(1, *inode));
                assert_eq!(is_released, last == 3 && (1..3).contains(&place), "{place} of {last}");
            }
            assert!(!pending.has(1) && pending.has(2));
        }
    }
}
