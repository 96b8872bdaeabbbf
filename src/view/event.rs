//! An event of one socket as a record: the schema that scripts build on.

use super::SCHEMA;
use crate::model::escape::escape;
use crate::model::event::{EventKind, Side, SocketEvent, SocketId, SocketRef, Verdict};
use crate::model::process::{Attribution, OwnerSource};
use crate::model::reading::Interface;
use crate::model::socket::{AddressPair, Family};
use crate::model::time::Stamp;
use crate::tcp::state::State;
use serde::{Serialize, Serializer};
use std::net::IpAddr;
use std::time::Duration;

/// One event of one socket. Field names, order and values are the public schema, version 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // README and man page describe the schema
pub struct EventRecord {
    pub v: u8,
    pub event: EventKind,
    pub time: Stamp,
    pub after: Option<Stamp>,
    #[serde(flatten)]
    pub socket: Socket,
    pub from: Option<State>,
    pub via: Vec<State>,
    pub maybe: Vec<State>,
    pub to: State,
    #[serde(serialize_with = "seconds")]
    pub held: Option<Duration>,
    pub held_at_least: bool,
    #[serde(flatten)]
    pub owner: Owner,
    pub uid: Option<u32>,
    pub inode: Option<u64>,
    pub opener: Option<Side>,
    pub closer: Option<Side>,
    pub verdict: Option<Verdict>,
    pub source: Interface,
    /// Time since its first sight; for text alone.
    #[serde(skip)]
    pub lived: Duration,
    /// The FINs of both sides are proven; for text alone.
    #[serde(skip)]
    pub both_fins: bool,
    /// Its birth was not seen; for text alone.
    #[serde(skip)]
    pub lived_at_least: bool,
}

/// Which socket a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Socket {
    pub id: SocketId,
    pub netns: Option<u64>,
    pub family: Family,
    pub local_addr: IpAddr,
    pub local_port: u16,
    pub remote_addr: IpAddr,
    pub remote_port: u16,
}

/// Whose socket it is, with names made safe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Owner {
    pub pid: Option<i32>,
    pub process: Option<String>,
    pub owners: Vec<Held>,
    pub owner_source: OwnerSource,
}

/// One holder of a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Held {
    pub pid: i32,
    pub fd: i32,
    pub process: String,
}

impl EventRecord {
    /// The record of a transition.
    pub fn new(told: SocketEvent, source: Interface) -> Self {
        let SocketEvent { transition: told, owner, .. } = told;
        Self {
            v: SCHEMA,
            event: told.kind,
            time: told.time,
            after: told.after,
            socket: Socket::of(told.socket),
            from: told.from,
            via: told.via,
            maybe: told.maybe,
            to: told.to,
            held: told.ages.held,
            held_at_least: told.ages.held_at_least,
            owner: Owner::of(&owner),
            uid: told.clues.uid,
            inode: Some(told.clues.inode).filter(|inode| *inode != 0),
            opener: told.roles.opener,
            closer: told.roles.closer,
            verdict: told.verdict,
            source,
            lived: told.ages.lived,
            both_fins: told.roles.both_fins,
            lived_at_least: told.ages.lived_at_least,
        }
    }
}

impl Socket {
    /// The keys of this socket.
    pub const fn of(socket: SocketRef) -> Self {
        let SocketRef { id, netns, addrs: AddressPair { family, local, remote } } = socket;
        Self {
            id,
            netns,
            family,
            local_addr: local.addr,
            local_port: local.port,
            remote_addr: remote.addr,
            remote_port: remote.port,
        }
    }
}

impl Owner {
    /// What is known of the owner, with names made safe.
    pub fn of(owner: &Attribution) -> Self {
        let held = owner.holders.iter().map(|(holder, process)| Held {
            pid: holder.pid,
            fd: holder.fd,
            process: escape(&process.comm),
        });
        Self {
            pid: owner.main.as_ref().map(|process| process.pid),
            process: owner
                .main
                .as_ref()
                .filter(|process| !process.is_unknown())
                .map(|process| escape(&process.comm)),
            owners: held.collect(),
            owner_source: owner.source,
        }
    }
}

/// A time span in seconds, to the microsecond that the clocks tell.
#[allow(clippy::ref_option)] // serde passes the field by reference
pub(super) fn seconds<S: Serializer>(held: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
    // Exact for 285 years.
    #[allow(clippy::cast_precision_loss)]
    held.map(|held| held.as_micros() as f64 / 1e6).serialize(s)
}
