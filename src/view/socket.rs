//! A socket as it is now: a row of `list`, `check` and `--view table`.

use super::{Record, Run, View};
use crate::model::binding::{Binding, BindingKeys};
use crate::model::event::{HeldFrom, OwnerClues, SocketRef, SocketStatus};
use crate::model::process::Attribution;
use crate::model::socket_row::{DetailKeys, Details};
use crate::model::tcp_info::{TcpInfo, TcpInfos};
use crate::model::time::{Stamp, seconds};
use crate::model::workload::{MainWorkload, WorkloadKeys};
use crate::tcp::state::State;
use schemars::JsonSchema;
use serde::Serialize;
use std::cmp::Reverse;
use std::time::Duration;

/// One socket at one instant. Field names, order and values are the public schema, version 1; the
/// comments of the fields are the manual.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct SocketRecord {
    /// RFC 3339, UTC: the end of the poll that showed the socket.
    pub time: Stamp,
    /// Which socket.
    #[serde(flatten)]
    pub socket: SocketRef,
    /// The current state.
    pub state: State,
    /// Seconds in `state`; of `list` a lower bound, 0 where the kernel remembers nothing.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub held: Option<Duration>,
    /// Whether `held` is a lower bound.
    pub held_at_least: bool,
    /// Who owns it.
    #[serde(flatten)]
    pub owner: Attribution,
    /// What its owner is found by.
    #[serde(flatten)]
    pub clues: OwnerClues,
    /// What else its row showed.
    #[serde(flatten)]
    #[schemars(with = "DetailKeys")]
    pub details: Details,
    /// How `held` is known: `observed` by the polls of this run, or also by what the `kernel` remembers
    /// of the time before them, which is never more than the truth.
    pub held_from: Option<HeldFrom>,
    /// What its main owner runs in.
    #[serde(flatten)]
    #[schemars(with = "WorkloadKeys<'_>")]
    pub workload: MainWorkload,
    /// What the network namespace is called, as below /run/netns; null if it has no name, and where
    /// only the own one is read.
    pub netns_name: Option<String>,
    /// What it is bound to besides its local address.
    #[serde(flatten)]
    #[schemars(with = "BindingKeys")]
    pub binding: Binding,
    /// What the kernel measured of it, where that is asked for.
    #[serde(flatten)]
    pub tcp_info: Option<Box<TcpInfo>>,
}

impl SocketRecord {
    /// The record of a socket as it was at an instant.
    pub fn new(now: &SocketStatus, time: Stamp, owner: Attribution) -> Self {
        let SocketStatus { socket, state, since, held_at_least, held_from, details, .. } = *now;
        let (held, held_from, clues) =
            (Some(time.since(since)), Some(held_from), now.clues.clone());
        Self {
            time,
            socket,
            state,
            held,
            held_at_least,
            workload: owner.workload(),
            netns_name: now.netns_name.as_deref().map(str::to_owned),
            binding: socket.binding,
            owner,
            clues,
            details,
            held_from,
            tcp_info: None,
        }
    }

    /// This record with what the kernel measured of the socket; `None` where that is not asked for.
    #[must_use]
    pub fn with_tcp_info(self, infos: Option<&TcpInfos>) -> Self {
        let (addrs, inode) = (self.socket.addrs, self.clues.inode);
        let tcp_info = infos.map(|infos| Box::new(infos.of(addrs, inode, self.state)));
        Self { tcp_info, ..self }
    }
}

/// `--view table`: the sockets there are now, longest in their state first.
pub(super) struct TableView;

impl View for TableView {
    fn current(&mut self, run: &mut dyn Run) -> Vec<Record> {
        let mut sockets = run.sockets();
        sockets.sort_by_key(|socket| Reverse(socket.held));
        sockets.into_iter().map(Box::new).map(Record::Socket).collect()
    }

    fn is_picture(&self) -> bool {
        true
    }

    fn prints_later(&self) -> Option<&'static str> {
        Some("the table is printed at the end")
    }
}
