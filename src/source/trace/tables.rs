//! The tables that are polled beside the kernel's events: of the caller's network namespace, or of
//! several.

use crate::error::Result;
use crate::model::reading::{LookupRequest, LookupResult, Reading, Snapshot, StateChange};
use crate::model::socket::Family;
use crate::model::socket_row::SocketRow;
use crate::model::tcp_info::TcpInfos;
use crate::source::netlink::Dumps;
use crate::source::netns::Namespaces;
use crate::tcp::state::State;
use std::time::Instant;

/// Where polls read.
#[derive(Debug)]
pub(super) enum Tables {
    One(Box<Dumps>),
    Several(Box<Namespaces>),
}

impl Tables {
    /// Reads all once.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub(super) fn snapshot(&mut self) -> Result<Snapshot> {
        match self {
            Self::One(dumps) => dumps.snapshot(),
            Self::Several(namespaces) => Ok(namespaces.poll()),
        }
    }

    /// Whether they are to be read before the next poll is due: a network namespace that is gone is not
    /// kept for long.
    pub(super) fn need_poll(&mut self) -> bool {
        match self {
            Self::One(_) => false,
            Self::Several(namespaces) => namespaces.needs_poll(),
        }
    }

    /// When that may change next; `None` for never.
    pub(super) fn next_check(&self) -> Option<Instant> {
        match self {
            Self::One(_) => None,
            Self::Several(namespaces) => Some(namespaces.next_check()),
        }
    }

    /// The sockets in SYN_SENT; of several namespaces those that polls show will do.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub(super) fn opening(&mut self) -> Result<Vec<SocketRow>> {
        match self {
            Self::One(dumps) => dumps.opening(),
            Self::Several(_) => Ok(Vec::new()),
        }
    }

    /// Looks up sockets; `None` where nothing is found out.
    pub(super) fn lookup(&mut self, requests: &[LookupRequest]) -> Option<Reading> {
        match self {
            Self::One(dumps) => dumps.lookup(requests),
            // The numbers of those that are gone are still needed, for events from before.
            Self::Several(namespaces) => namespaces.look_up(requests, |_| ()),
        }
    }

    /// Adds to a change the number of its namespace, the name of the interface, and of a listener on `::`
    /// whether it refuses IPv4, which the event does not say; false if the namespace is not read, or
    /// not yet.
    pub(super) fn complete(&mut self, change: &mut StateChange) -> bool {
        if let Self::Several(namespaces) = self {
            let number = change.netns.and_then(|netns| namespaces.number_of(netns));
            let Some(number) = number else { return false };
            change.addrs.netns = number;
        }
        if change.ifindex != 0 {
            change.device = match self {
                Self::One(dumps) => dumps.device_name(change.ifindex),
                Self::Several(of) => of.device_name(change.addrs.netns, change.ifindex),
            };
        }
        if change.to == State::Listen
            && change.addrs.family == Family::Ipv6
            && change.addrs.local.addr.is_unspecified()
        {
            let StateChange { addrs, inode, cookie, ifindex, .. } = *change;
            let inode = inode.unwrap_or_default();
            let request = LookupRequest { addrs, inode, cookie, ifindex };
            if let Some(Reading::Lookups(found)) = self.lookup(&[request])
                && let Some((_, LookupResult::There(row))) = found.answers.first()
            {
                change.ipv6_only = row.binding.ipv6_only;
            }
        }
        true
    }

    /// Whether the network namespace with this inode is read.
    pub(super) fn reads(&mut self, netns: Option<u64>) -> bool {
        match self {
            Self::One(_) => true,
            Self::Several(namespaces) => {
                netns.is_some_and(|netns| namespaces.number_of(netns).is_some())
            }
        }
    }

    pub(super) fn take_tcp_infos(&mut self) -> Option<TcpInfos> {
        match self {
            Self::One(dumps) => dumps.take_tcp_infos(),
            Self::Several(namespaces) => namespaces.take_tcp_infos(),
        }
    }

    pub(super) fn recycle(&mut self, rows: Vec<SocketRow>) {
        match self {
            Self::One(dumps) => dumps.recycle(rows),
            Self::Several(namespaces) => namespaces.recycle(rows),
        }
    }

    /// What could not be read.
    pub(super) fn warnings(&mut self) -> Vec<String> {
        match self {
            Self::One(_) => Vec::new(),
            Self::Several(namespaces) => namespaces.warnings(),
        }
    }
}
