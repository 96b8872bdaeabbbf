//! Which processes to look into when a kernel event shows something new of a socket. To look into all
//! of them is for polls, since events come by the thousand.

use crate::model::event::Transition;
use crate::model::process::{Holder, Inodes};
use crate::tcp::state::State;

/// A search between polls.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EventSearch {
    /// Among these processes; `None`: all.
    pub pids: Option<Vec<i32>>,
    /// For descriptors of a socket that was accepted, or has begun to listen.
    pub socket: Option<u64>,
    /// For descriptors of listeners.
    pub listeners: Inodes,
}

impl EventSearch {
    /// All holders of these listeners.
    pub(crate) fn of_listeners(listeners: Inodes) -> Self {
        Self { listeners, ..Self::default() }
    }

    /// The sockets searched for.
    pub(crate) fn wanted(&self) -> Inodes {
        self.socket.into_iter().chain(self.listeners.iter().copied()).collect()
    }

    /// What a transition that the kernel reported makes worth searching, with the holders of sockets
    /// that are known; `None` for nothing. `is_released`: nobody holds its socket any more.
    ///
    /// A process that listens has the descriptor, also before a first connection comes. A connection
    /// accepted since the last event is in one of the processes that hold its listener. And who closes
    /// a connection without being one of them may be a new one of them.
    pub(crate) fn after(
        transition: &Transition,
        is_released: bool,
        holders: impl Fn(u64) -> Vec<Holder>,
    ) -> Option<Self> {
        let clues = &transition.clues;
        let caller = transition.caller.as_ref().map(|caller| caller.pid);
        let inode = Some(clues.inode).filter(|inode| *inode != 0 && !is_released);
        if transition.to == State::Listen {
            let pids = Some(vec![caller?]);
            return Some(Self { pids, socket: Some(inode?), ..Self::default() });
        }
        if clues.listeners.is_empty() {
            return None;
        }
        let own = holders(clues.last_inode);
        let listening: Vec<i32> =
            clues.listeners.iter().flat_map(holders).map(|holder| holder.pid).collect();
        let mut search = Self { socket: inode.filter(|_| own.is_empty()), ..Self::default() };
        let mut pids = if search.socket.is_some() { listening.clone() } else { Vec::new() };
        let is_known =
            |pid: &i32| own.iter().any(|holder| holder.pid == *pid) || listening.contains(pid);
        if let Some(caller) = caller.filter(|caller| !is_known(caller)) {
            pids.push(caller);
            search.listeners.extend(clues.listeners.iter());
        }
        pids.sort_unstable();
        pids.dedup();
        (!pids.is_empty()).then(|| Self { pids: Some(pids), ..search })
    }
}

#[cfg(test)]
pub(crate) mod tests;
