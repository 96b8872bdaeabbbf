//! An event of one socket as a record: the schema that scripts build on.

use super::SCHEMA;
use super::name::escape;
use crate::owner::{Attribution, OwnerSource};
use crate::reading::{Family, Stamp};
use crate::tcp::state::State;
use crate::transition::{End, Event, LifeId, Transition, Verdict};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::net::IpAddr;
use std::time::Duration;

/// One event of one socket. Field names, order and values are the public schema, version 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // README and man page describe the schema
pub struct EventRecord {
    pub v: u8,
    #[serde(serialize_with = "event_word")]
    pub event: Event,
    #[serde(serialize_with = "stamp")]
    pub time: Stamp,
    #[serde(serialize_with = "optional_stamp")]
    pub after: Option<Stamp>,
    #[serde(flatten)]
    pub socket: Socket,
    #[serde(serialize_with = "optional_state")]
    pub from: Option<State>,
    #[serde(serialize_with = "states")]
    pub via: Vec<State>,
    #[serde(serialize_with = "states")]
    pub maybe: Vec<State>,
    #[serde(serialize_with = "state")]
    pub to: State,
    #[serde(serialize_with = "seconds")]
    pub held: Option<Duration>,
    pub held_at_least: bool,
    #[serde(flatten)]
    pub owner: Owner,
    pub uid: Option<u32>,
    pub inode: Option<u64>,
    #[serde(serialize_with = "end_word")]
    pub opener: Option<End>,
    #[serde(serialize_with = "end_word")]
    pub closer: Option<End>,
    #[serde(serialize_with = "verdict_word")]
    pub verdict: Option<Verdict>,
    pub source: &'static str,
    /// Time since its first sight; for text alone.
    #[serde(skip)]
    pub lived: Duration,
    /// Its birth was not seen; for text alone.
    #[serde(skip)]
    pub lived_at_least: bool,
}

/// Which socket a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Socket {
    #[serde(serialize_with = "as_text")]
    pub id: LifeId,
    pub netns: Option<u64>,
    #[serde(serialize_with = "family_word")]
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
    #[serde(serialize_with = "owner_word")]
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
    pub fn new(told: Transition, owner: &Attribution) -> Self {
        Self {
            v: SCHEMA,
            event: told.event,
            time: told.time,
            after: told.after,
            socket: Socket::of(&told),
            from: told.from,
            via: told.via,
            maybe: told.maybe,
            to: told.to,
            held: told.held,
            held_at_least: told.held_at_least,
            owner: Owner::of(owner),
            uid: told.uid,
            inode: Some(told.inode).filter(|inode| *inode != 0),
            opener: told.roles.opener,
            closer: told.roles.closer,
            verdict: told.verdict,
            source: "proc",
            lived: told.lived,
            lived_at_least: told.lived_at_least,
        }
    }
}

impl Socket {
    /// The socket that a transition is about.
    pub const fn of(told: &Transition) -> Self {
        Self {
            id: told.life,
            netns: told.netns,
            family: told.ends.family,
            local_addr: told.ends.local.addr,
            local_port: told.ends.local.port,
            remote_addr: told.ends.remote.addr,
            remote_port: told.ends.remote.port,
        }
    }
}

impl Owner {
    /// What is known of the owner, with names made safe.
    pub fn of(owner: &Attribution) -> Self {
        let held = owner.holders.iter().map(|(holder, comm)| Held {
            pid: holder.pid,
            fd: holder.fd,
            process: escape(comm),
        });
        Self {
            pid: owner.main.as_ref().map(|process| process.pid),
            process: owner.main.as_ref().map(|process| escape(&process.comm)),
            owners: held.collect(),
            owner_source: owner.source,
        }
    }
}

/// RFC 3339 in UTC with microseconds.
pub fn rfc3339(stamp: Stamp) -> String {
    let time = Timestamp::from_microsecond(stamp.wall).unwrap_or_default();
    format!("{time:.6}")
}

pub(super) fn as_text<S: Serializer>(
    text: &impl std::fmt::Display,
    s: S,
) -> Result<S::Ok, S::Error> {
    s.collect_str(text)
}

pub(super) fn state<S: Serializer>(state: &State, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(state)
}

pub(super) fn seconds<S: Serializer>(held: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
    held.map(|held| held.as_secs_f64()).serialize(s)
}

pub(super) fn stamp<S: Serializer>(stamp: &Stamp, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&rfc3339(*stamp))
}

fn optional_stamp<S: Serializer>(stamp: &Option<Stamp>, s: S) -> Result<S::Ok, S::Error> {
    stamp.map(rfc3339).serialize(s)
}

fn optional_state<S: Serializer>(state: &Option<State>, s: S) -> Result<S::Ok, S::Error> {
    state.map(|state| state.to_string()).serialize(s)
}

fn states<S: Serializer>(states: &[State], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(states.iter().map(State::to_string))
}

fn event_word<S: Serializer>(event: &Event, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(match event {
        Event::Present => "present",
        Event::Opened => "opened",
        Event::Changed => "changed",
        Event::Closed => "closed",
    })
}

fn family_word<S: Serializer>(family: &Family, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    })
}

fn owner_word<S: Serializer>(source: &OwnerSource, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(match source {
        OwnerSource::Proven => "proven",
        OwnerSource::Remembered => "remembered",
        OwnerSource::Listener => "listener",
        OwnerSource::Denied => "denied",
        OwnerSource::Unknown => "unknown",
    })
}

fn end_word<S: Serializer>(end: &Option<End>, s: S) -> Result<S::Ok, S::Error> {
    let word = end.map(|end| match end {
        End::Local => "local",
        End::Remote => "remote",
        End::Both => "both",
    });
    word.serialize(s)
}

fn verdict_word<S: Serializer>(verdict: &Option<Verdict>, s: S) -> Result<S::Ok, S::Error> {
    let word = verdict.map(|verdict| match verdict {
        Verdict::LocalClose => "local-close",
        Verdict::SimultaneousClose => "simultaneous-close",
        Verdict::RemoteClose => "remote-close",
        Verdict::Unknown => "unknown",
    });
    word.serialize(s)
}
