//! Rows as they are written, with their ends and ids: what becomes of those of the pass before.

use crate::model::socket::{AddressPair, Endpoint, Family};
use crate::model::socket_row::{SocketRow, Timer};
use crate::tcp::state::State;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::SocketAddr;

/// A number of 64 bits that readers of JSON would round.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Id(pub(super) u64);

impl Id {
    pub(super) const fn is_none(&self) -> bool {
        self.0 == 0
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

/// The ends of a socket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct EndsLine {
    /// Where the local address does not tell it: it is v4-mapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) family: Option<Family>,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

impl From<AddressPair> for EndsLine {
    fn from(addrs: AddressPair) -> Self {
        let (local, remote) = (addrs.local.into(), addrs.remote.into());
        let family = Some(addrs.family).filter(|family| *family != family_of(&local));
        Self { family, local, remote }
    }
}

impl From<EndsLine> for AddressPair {
    fn from(line: EndsLine) -> Self {
        let endpoint = |end: SocketAddr| Endpoint { addr: end.ip(), port: end.port() };
        Self {
            family: line.family.unwrap_or_else(|| family_of(&line.local)),
            local: endpoint(line.local),
            remote: endpoint(line.remote),
        }
    }
}

const fn family_of(addr: &SocketAddr) -> Family {
    if addr.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }
}

/// What becomes of the rows of the pass before, one after the other; those that no step speaks of
/// stay.
#[derive(Debug)]
pub(super) enum Step {
    /// So many are as they were: a positive number.
    Keep(u64),
    /// So many are gone: a negative number.
    Drop(u64),
    /// A new row, or, where no ends are given, what changed of the next one.
    Row(Box<Row>),
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep(rows) => rows.serialize(serializer),
            Self::Drop(rows) => (-i128::from(*rows)).serialize(serializer),
            Self::Row(row) => row.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StepVisitor)
    }
}

struct StepVisitor;

impl<'de> Visitor<'de> for StepVisitor {
    type Value = Step;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row, or how many stay or go")
    }

    fn visit_u64<E>(self, rows: u64) -> Result<Step, E> {
        Ok(Step::Keep(rows))
    }

    fn visit_i64<E>(self, rows: i64) -> Result<Step, E> {
        Ok(Step::Drop(rows.unsigned_abs()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Step, A::Error> {
        Row::deserialize(MapAccessDeserializer::new(map)).map(Box::new).map(Step::Row)
    }
}

/// A row, or what changed of one. What is left out of a new row is zero.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<Family>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inode: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mini: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tx: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rx: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timer: Option<Timer>,
    /// 1/100 s, at the end of this pass: it runs down from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retransmits: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookie: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ifindex: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backlog_limit: Option<u32>,
}

/// A row of these ends with nothing in it.
const fn blank(addrs: AddressPair) -> SocketRow {
    SocketRow {
        addrs,
        state: State::Closed,
        inode: 0,
        uid: 0,
        mini: false,
        tx_queue: 0,
        rx_queue: 0,
        timer: Timer::None,
        timer_left: 0,
        retransmits: 0,
        cookie: 0,
        ifindex: 0,
        backlog_limit: None,
    }
}

impl Row {
    /// A row that was not there before.
    pub(super) fn new(row: &SocketRow) -> Self {
        let EndsLine { family, local, remote } = row.addrs.into();
        let (local, remote) = (Some(local), Some(remote));
        Self { family, local, remote, ..Self::difference(&blank(row.addrs), row) }
    }

    /// What became of a row with the same ends; `None` if that cannot be said so.
    pub(super) fn change(before: &SocketRow, now: &SocketRow) -> Option<Self> {
        let lost_a_limit = before.backlog_limit.is_some() && now.backlog_limit.is_none();
        (before.addrs == now.addrs && !lost_a_limit).then(|| Self::difference(before, now))
    }

    fn difference(before: &SocketRow, now: &SocketRow) -> Self {
        fn news<T: PartialEq + Copy>(before: T, now: T) -> Option<T> {
            (before != now).then_some(now)
        }
        Self {
            family: None,
            local: None,
            remote: None,
            state: news(before.state, now.state),
            inode: news(before.inode, now.inode),
            uid: news(before.uid, now.uid),
            mini: news(before.mini, now.mini),
            tx: news(before.tx_queue, now.tx_queue),
            rx: news(before.rx_queue, now.rx_queue),
            timer: news(before.timer, now.timer),
            left: news(before.timer_left, now.timer_left),
            retransmits: news(before.retransmits, now.retransmits),
            cookie: news(before.cookie, now.cookie).map(Id),
            ifindex: news(before.ifindex, now.ifindex),
            backlog_limit: now.backlog_limit.filter(|_| before.backlog_limit != now.backlog_limit),
        }
    }

    /// The row that a new one tells; `None` for a change.
    pub(super) fn whole(&self) -> Option<SocketRow> {
        let (local, remote) = (self.local?, self.remote?);
        let addrs = EndsLine { family: self.family, local, remote };
        Some(self.applied(&blank(addrs.into())))
    }

    /// The row that a change makes of the one before.
    pub(super) fn applied(&self, before: &SocketRow) -> SocketRow {
        SocketRow {
            addrs: before.addrs,
            state: self.state.unwrap_or(before.state),
            inode: self.inode.unwrap_or(before.inode),
            uid: self.uid.unwrap_or(before.uid),
            mini: self.mini.unwrap_or(before.mini),
            tx_queue: self.tx.unwrap_or(before.tx_queue),
            rx_queue: self.rx.unwrap_or(before.rx_queue),
            timer: self.timer.unwrap_or(before.timer),
            timer_left: self.left.unwrap_or(before.timer_left),
            retransmits: self.retransmits.unwrap_or(before.retransmits),
            cookie: self.cookie.map_or(before.cookie, |Id(cookie)| cookie),
            ifindex: self.ifindex.unwrap_or(before.ifindex),
            backlog_limit: self.backlog_limit.or(before.backlog_limit),
        }
    }
}
