//! Rows of sockets as they are written, and the steps from the rows of one snapshot to those of
//! the next.

use crate::model::binding::{Binding, Device, DeviceName};
use crate::model::json;
use crate::model::json::pair;
use crate::model::socket::{Family, NetnsId};
use crate::model::socket_row::{Details, KernelTimes, SocketRow, Timer};
use crate::tcp::state::State;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::SocketAddr;

/// What becomes of the rows of the last snapshot, in their order; rows that no step covers stay.
#[derive(Debug)]
pub(super) enum Step {
    /// This many rows are as they were: a positive number.
    Keep(u64),
    /// This many rows are gone: a negative number.
    Drop(u64),
    /// A new row or, without addresses, what changed of the next one.
    Row(Box<RecordedRow>),
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
        RecordedRow::deserialize(MapAccessDeserializer::new(map)).map(Box::new).map(Step::Row)
    }
}

/// A row or what changed of one: what differs from another row, or from one of zeros.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RecordedRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<Family>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<SocketAddr>,
    #[serde(skip_serializing_if = "json::is_default")]
    netns: NetnsId,
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
    /// In 1/100 s, at the end of this poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retransmits: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookie: Option<Cookie>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ifindex: Option<u32>,
    /// What that interface is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ipv6_only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backlog_limit: Option<u32>,
    /// In milliseconds, of this poll alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_state: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle: Option<u32>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Cookie(#[serde(with = "json::id")] u64);

impl RecordedRow {
    /// A row that was not there before.
    pub(super) fn new(row: &SocketRow) -> Self {
        let pair::RecordedAddresses { family, local, remote, netns } = row.addrs.into();
        let (local, remote) = (Some(local), Some(remote));
        Self {
            family,
            local,
            remote,
            netns,
            ..Self::difference(&SocketRow::new(row.addrs, State::Closed), row)
        }
    }

    /// What changed of a row; `None` if only a new row can say it.
    pub(super) fn change(before: &SocketRow, now: &SocketRow) -> Option<Self> {
        let lost_a_limit =
            before.details.backlog_limit.is_some() && now.details.backlog_limit.is_none();
        let (was_only, is_only) = (before.binding.ipv6_only, now.binding.ipv6_only);
        let lost_something = lost_a_limit || was_only.is_some() && is_only.is_none();
        (before.addrs == now.addrs && !lost_something).then(|| Self::difference(before, now))
    }

    fn difference(before: &SocketRow, now: &SocketRow) -> Self {
        fn new<T: PartialEq + Copy>(before: T, now: T) -> Option<T> {
            (before != now).then_some(now)
        }
        Self {
            family: None,
            local: None,
            remote: None,
            netns: NetnsId::default(),
            state: new(before.state, now.state),
            inode: new(before.inode, now.inode),
            uid: new(before.uid, now.uid),
            mini: new(before.mini, now.mini),
            tx: new(before.details.tx_queue, now.details.tx_queue),
            rx: new(before.details.rx_queue, now.details.rx_queue),
            timer: new(before.details.timer, now.details.timer),
            left: new(before.details.timer_left, now.details.timer_left),
            retransmits: new(before.details.retransmits, now.details.retransmits),
            cookie: new(before.cookie, now.cookie).map(Cookie),
            ifindex: new(before.ifindex, now.ifindex),
            device: now
                .binding
                .device
                .name()
                .filter(|_| before.binding.device != now.binding.device),
            ipv6_only: now
                .binding
                .ipv6_only
                .filter(|_| before.binding.ipv6_only != now.binding.ipv6_only),
            backlog_limit: now
                .details
                .backlog_limit
                .filter(|_| before.details.backlog_limit != now.details.backlog_limit),
            in_state: now.details.times.in_state,
            idle: now.details.times.idle,
        }
    }

    /// The new row that this is; `None` if it is a change.
    pub(super) fn complete(&self) -> Option<SocketRow> {
        let (local, remote) = (self.local?, self.remote?);
        let addrs =
            pair::RecordedAddresses { family: self.family, local, remote, netns: self.netns };
        Some(self.applied_to(&SocketRow::new(addrs.into(), State::Closed)))
    }

    /// A row after this change.
    pub(super) fn applied_to(&self, before: &SocketRow) -> SocketRow {
        let ifindex = self.ifindex.unwrap_or(before.ifindex);
        let cookie = self.cookie.map_or(before.cookie, |Cookie(cookie)| cookie);
        // Where cookies are reported, so is the interface.
        let device = match self.device.or(before.binding.device.name()) {
            Some(name) if ifindex != 0 || cookie == 0 => Device::Named(name),
            _ if ifindex == 0 && cookie == 0 => Device::Unknown,
            _ => Device::of_number(ifindex),
        };
        let ipv6_only = self.ipv6_only.or(before.binding.ipv6_only);
        SocketRow {
            addrs: before.addrs,
            state: self.state.unwrap_or(before.state),
            inode: self.inode.unwrap_or(before.inode),
            uid: self.uid.unwrap_or(before.uid),
            mini: self.mini.unwrap_or(before.mini),
            details: Details {
                tx_queue: self.tx.unwrap_or(before.details.tx_queue),
                rx_queue: self.rx.unwrap_or(before.details.rx_queue),
                timer: self.timer.unwrap_or(before.details.timer),
                timer_left: self.left.unwrap_or(before.details.timer_left),
                retransmits: self.retransmits.unwrap_or(before.details.retransmits),
                backlog_limit: self.backlog_limit.or(before.details.backlog_limit),
                times: KernelTimes { in_state: self.in_state, idle: self.idle },
            },
            cookie,
            ifindex,
            binding: Binding { device, ipv6_only },
        }
    }
}
