//! What a source reads: the kernel's own words, stamped with time. Nothing is concluded here.

pub use super::interface::Interface;

use super::binding::DeviceName;
use super::json::{self, is_default};
use super::process::{Caller, Holder, Process};
use super::socket::{AddressPair, NetnsId, Side};
use super::socket_row::SocketRow;
use super::time::Stamp;
use crate::tcp::state::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::rc::Rc;

/// When and where some or all sockets were polled or looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollWindow {
    /// Before the first socket was read.
    pub start: Stamp,
    /// After the last one.
    pub end: Stamp,
    /// The inode of the network namespace, where it is known.
    pub netns: Option<u64>,
}

/// All rows of one poll.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// When the first table was opened.
    pub start: Stamp,
    /// When the last row had been read.
    pub end: Stamp,
    /// The inode of the network namespace, where it is known.
    pub netns: Option<u64>,
    /// The rows in the order of the tables.
    pub rows: Vec<SocketRow>,
    /// Rows that could not be read.
    pub bad_rows: u64,
    /// The network namespaces that were read, where there may be several: then the rows are in their
    /// order. Of sockets of others nothing is known by this poll.
    pub namespaces: Option<Rc<[PolledNamespace]>>,
    /// Network namespaces of earlier polls that are gone.
    pub gone: Vec<NetnsId>,
}

/// One of several network namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolledNamespace {
    /// Its number in the run.
    pub id: NetnsId,
    /// Its inode, where that may be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// What it is called, escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// An exact question to the kernel about one socket: is it gone?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LookupRequest {
    /// Its address pair.
    #[serde(flatten, with = "json::pair")]
    pub addrs: AddressPair,
    /// The inode it showed last; 0 for none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub inode: u64,
    /// Its cookie; 0 where it is not known.
    #[serde(default, with = "json::id", skip_serializing_if = "is_default")]
    pub cookie: u64,
    /// The interface it is bound to; 0 where it is not known.
    #[serde(default)]
    pub ifindex: u32,
}

impl LookupRequest {
    /// Whether this is a row of the very socket that was looked up, which its process has turned into one
    /// of IPv4.
    pub(crate) fn has_become(&self, row: &SocketRow) -> bool {
        let is_same = match (self.cookie, row.cookie) {
            (0, _) | (_, 0) => self.inode != 0 && self.inode == row.inode,
            (asked, found) => asked == found,
        };
        is_same && row.addrs != self.addrs && row.addrs == self.addrs.lasting()
    }
}

/// What lookups found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookups {
    /// When the first request was sent.
    pub start: Stamp,
    /// When the last result had come.
    pub end: Stamp,
    /// The inode of the network namespace, where it is known.
    pub netns: Option<u64>,
    /// Each request with its result; one whose result is not certain is left out.
    pub answers: Vec<(LookupRequest, LookupResult)>,
}

/// What one lookup found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupResult {
    /// No such socket: it is gone.
    Gone,
    /// A socket with this address pair, which may be a successor or a listener.
    There(SocketRow),
}

/// For the debug log.
impl fmt::Display for LookupResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => write!(f, "gone"),
            Self::There(row) => {
                write!(f, "{} inode {} cookie {}", row.state, row.inode, row.cookie)
            }
        }
    }
}

/// Destroy events of full sockets, by sock_diag's multicast. A mini-socket in FIN_WAIT2 or TIME_WAIT
/// may be left: an event proves that there was a socket, not that its connection has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestroyEvents {
    /// When the events were received.
    #[serde(with = "json::stamp")]
    pub time: Stamp,
    /// The kernel had more events than room for them.
    pub overrun: bool,
    /// The network namespace that they are of.
    #[serde(default, skip_serializing_if = "is_default")]
    pub netns: NetnsId,
    /// The sockets that were destroyed.
    #[serde(rename = "dead")]
    pub sockets: Vec<DestroyedSocket>,
}

/// A socket that the kernel has destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestroyedSocket {
    /// Its address pair; `None` where the kernel had cleared part of it before.
    #[serde(rename = "ends", with = "json::optional_pair")]
    pub addrs: Option<AddressPair>,
    /// Its cookie.
    #[serde(with = "json::id")]
    pub cookie: u64,
}

/// One state change of one socket, as the kernel reported it. From FIN_WAIT2 and CLOSING a change to
/// CLOSED may be the start of TIME_WAIT: only a lookup decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChange {
    /// When it happened, by the kernel's clock.
    #[serde(with = "json::stamp")]
    pub time: Stamp,
    /// The inode of the network namespace.
    pub netns: Option<u64>,
    /// The address of the socket in the kernel, in recordings of older versions: identifies it until
    /// it is in CLOSED, and is reused after. 0 where the cookie is known.
    #[serde(default, with = "json::id", skip_serializing_if = "is_default")]
    pub socket: u64,
    /// Its cookie; 0 in recordings of older versions.
    #[serde(default, with = "json::id", skip_serializing_if = "is_default")]
    pub cookie: u64,
    /// Its address pair.
    #[serde(rename = "ends", with = "json::pair")]
    pub addrs: AddressPair,
    /// The interface it is bound to; 0 for none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ifindex: u32,
    /// What that interface is called, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceName>,
    /// Of a new listener on `::`, whether it refuses IPv4, where that was found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_only: Option<bool>,
    /// Its inode: 0 while no process has it; `None` where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// Its user, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The state before: CLOSED for a child that a listener made.
    pub from: State,
    /// The state after.
    pub to: State,
    /// A listener made it: the kernel's state before was that of the listener.
    pub passive: bool,
    /// The process whose own system call caused it.
    pub caller: Option<Caller>,
    /// Why a change to CLOSED aborted the connection, where the kernel reported that.
    #[serde(rename = "cut")]
    pub abort: Option<AbortReason>,
    /// Which side sent the reset that aborted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_by: Option<Side>,
}

/// Why a connection was aborted, by the kernel's own events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbortReason {
    /// An RST was received or sent.
    Reset,
    /// The SYN was answered by an RST.
    Refused,
    /// The peer did not answer, and the kernel gave up.
    TimedOut,
    /// Its own process closed it before the SYN was answered.
    NoAnswer,
    /// The kernel or a router reported that there is no way to the peer.
    Unreachable,
    /// There was no port for it, so that no SYN was sent.
    NoPort,
}

/// Why readings are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[schemars(rename = "lost-reason")]
#[serde(rename_all = "lowercase")]
pub enum LostReason {
    /// Too long a time without a poll: a suspended or stopped machine, a long interval.
    Gap,
    /// Rows of a table could not be read, or are of more sockets than can be followed.
    Table,
    /// The kernel had more events than its ring has room for.
    Ring,
    /// The kernel left out its program for events that came while a processor was within it for
    /// others. The count is the most that it can be: it is of all network namespaces.
    Recursion,
    /// The kernel reported the next change of a socket, but not the one before, and counted nothing. The
    /// count is the least that it can be.
    Unreported,
    /// The reader of the output did not keep up. Records are missing, no readings: a recording
    /// does not know it.
    #[serde(skip_deserializing)]
    Output,
}

/// Readings that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// When it was noticed.
    #[serde(with = "json::stamp")]
    pub time: Stamp,
    /// Why.
    pub reason: LostReason,
    /// How many, where they can be counted.
    pub count: Option<u64>,
}

/// What was found out about owners for one reading, as far as it is new.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerUpdate {
    /// When the reading was complete for which they were searched for.
    #[serde(with = "json::stamp")]
    pub time: Stamp,
    /// Forget all earlier updates: this one is complete.
    #[serde(default, rename = "anew", skip_serializing_if = "is_default")]
    pub replaces_earlier: bool,
    /// All processes were inspected: what is known and not taken back here still holds.
    #[serde(default, rename = "all", skip_serializing_if = "is_default")]
    pub all_inspected: bool,
    /// There are processes of which nothing is visible.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hidden: bool,
    /// Processes that hold sockets, new or changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<Process>,
    /// Processes that permission is denied to inspect, new or changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<Process>,
    /// Processes (pid and start time) that were denied before and are not any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<(i32, u64)>,
    /// Sockets, by inode, with all their holders from now on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<(u64, Vec<Holder>)>,
    /// Sockets, by inode, whose holders were seen to hold them still, where not all processes were
    /// inspected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proven: Vec<u64>,
    /// Processes that caused a state change by a system call of their own, new or changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<Process>,
}

/// What a source yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// All sockets, by one poll.
    Snapshot(Snapshot),
    /// Lookups of sockets that the reading before left open.
    Lookups(Lookups),
    /// Destroy events of full sockets.
    DestroyEvents(DestroyEvents),
    /// One state change of one socket.
    StateChange(StateChange),
    /// Readings are missing.
    Lost(Lost),
    /// Owners of sockets, for the reading that it follows or the next one.
    OwnerUpdate(OwnerUpdate),
    /// A run starts: what was read before is of another.
    Begin(Stamp),
}

impl Reading {
    /// When it was complete.
    pub const fn time(&self) -> Stamp {
        match self {
            Self::Snapshot(snapshot) => snapshot.end,
            Self::Lookups(lookups) => lookups.end,
            Self::DestroyEvents(destroyed) => destroyed.time,
            Self::StateChange(change) => change.time,
            Self::Lost(lost) => lost.time,
            Self::OwnerUpdate(owners) => owners.time,
            Self::Begin(time) => *time,
        }
    }
}

impl Snapshot {
    /// When and where the poll was made.
    pub const fn window(&self) -> PollWindow {
        PollWindow { start: self.start, end: self.end, netns: self.netns }
    }
}

impl Lookups {
    /// When and where the lookups were made.
    pub const fn window(&self) -> PollWindow {
        PollWindow { start: self.start, end: self.end, netns: self.netns }
    }
}
