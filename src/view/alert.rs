//! An alert: a rule's offence begins or is over.

use super::SCHEMA;
use super::event::{Owner, Socket};
use crate::model::event::LifeId;
use crate::model::socket::Family;
use crate::model::time::Stamp;
use serde::{Serialize, Serializer};
use std::net::IpAddr;
use std::time::Duration;

/// What a rule has to tell. Field names, order and values are the public schema, version 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // README and man page describe the schema
pub struct AlertRecord {
    pub v: u8,
    pub event: &'static str,
    pub time: Stamp,
    pub rule: String,
    pub active: bool,
    pub count: usize,
    pub sockets: Vec<LifeId>,
    #[serde(flatten, serialize_with = "place")]
    pub worst: Socket,
    /// Whose the worst one is; for text alone.
    #[serde(skip)]
    pub owner: Owner,
    /// How long it is, or was, in its state.
    #[serde(skip)]
    pub held: Option<Duration>,
    /// It may have been for longer.
    #[serde(skip)]
    pub held_at_least: bool,
}

/// A socket that offends.
#[derive(Debug, Clone, PartialEq)]
pub struct Offender {
    /// Which one.
    pub socket: Socket,
    /// Whose it is.
    pub owner: Owner,
    /// How long it is, or was, in its state.
    pub held: Option<Duration>,
    /// It may have been for longer.
    pub held_at_least: bool,
}

impl AlertRecord {
    /// The record of an offence that begins, goes on or is over with these sockets, `worst` the
    /// worst of them or of those before.
    pub fn new(
        time: Stamp,
        rule: &str,
        active: bool,
        sockets: Vec<LifeId>,
        worst: &Offender,
    ) -> Self {
        let Offender { socket, owner, held, held_at_least } = worst.clone();
        Self {
            v: SCHEMA,
            event: "alert",
            time,
            rule: rule.to_owned(),
            active,
            count: sockets.len(),
            sockets,
            worst: socket,
            owner,
            held,
            held_at_least,
        }
    }

    /// What it says, for people.
    pub fn sentence(&self) -> String {
        let sockets = if self.count == 1 { "socket" } else { "sockets" };
        match (self.active, self.count) {
            (true, count) => format!("{}: {count} {sockets}", self.rule),
            (false, 0) => format!("{} is over", self.rule),
            (false, count) => format!("{} is over: {count} {sockets} left", self.rule),
        }
    }
}

/// The keys of a socket but its id, which stands first among `sockets`.
fn place<S: Serializer>(socket: &Socket, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Place {
        netns: Option<u64>,
        family: Family,
        local_addr: IpAddr,
        local_port: u16,
        remote_addr: IpAddr,
        remote_port: u16,
    }
    let Socket { netns, family, local_addr, local_port, remote_addr, remote_port, .. } = *socket;
    Place { netns, family, local_addr, local_port, remote_addr, remote_port }.serialize(serializer)
}
