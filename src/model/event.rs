//! What is concluded from readings: state changes of sockets, their status in between, and alerts.

use super::binding::{Binding, DeviceName};
use super::process::{Attribution, Caller};
use super::reading::Lost;
pub(crate) use super::socket::Side;
use super::socket::{AddressKeys, AddressPair};
use super::socket_row::Details;
use super::tcp_info::TcpInfo;
use super::time::{Stamp, seconds};
use crate::tcp::state::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// Identifies a kernel socket from creation to destruction; a reused 4-tuple is a new one. Ids are in
/// the order in which sockets were first observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId {
    /// Wall clock second of the first reading of the run.
    pub run: u32,
    /// Counts the sockets of the run from 1.
    pub number: u64,
}

/// A set of sockets, which events are looked up in: hashed fast, since no one else chooses these numbers.
pub(crate) type SocketIds = HashSet<SocketId, foldhash::fast::RandomState>;

/// A map from sockets.
pub(crate) type BySocket<T> = HashMap<SocketId, T, foldhash::fast::RandomState>;

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}", self.run, self.number)
    }
}

impl Serialize for SocketId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What happened to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[schemars(rename = "event-kind")]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// It was there at the first poll.
    Present,
    /// It was first observed later.
    Opened,
    /// Its state changed.
    Changed,
    /// It is gone.
    Closed,
}

/// How a connection ended, as far as it is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, JsonSchema, Serialize, Deserialize)]
#[schemars(rename = "verdict")]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Both sides sent their FIN, this one first.
    LocalClose,
    /// Both sides closed before they had the other's FIN.
    SimultaneousClose,
    /// Both sides sent their FIN, the other one first.
    RemoteClose,
    /// An RST aborted it.
    Reset,
    /// Its SYN was answered by an RST.
    Refused,
    /// The peer did not answer, and the kernel gave up.
    TimedOut,
    /// Its own process closed it in SYN_SENT, before the peer answered.
    NoAnswer,
    /// The kernel or a router reported that there is no way to the peer.
    Unreachable,
    /// There was no local port for it.
    NoPort,
    /// It was there when its network namespace was last read, before that was removed.
    NetnsGone,
    /// Not proven.
    Unknown,
}

/// Who opened and who closed a connection, as far as it is proven.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Roles {
    /// Which side opened: `local`, `remote`, `both`; null if not proven.
    pub opener: Option<Side>,
    /// Which side closed first: `local`, `remote`, `both`; null if not proven.
    pub closer: Option<Side>,
    /// The FINs of both sides are proven.
    #[serde(skip)]
    pub both_fins: bool,
}

/// Which socket: the same in every record of it, but for the family, which its process may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
pub struct SocketRef {
    /// One kernel socket from creation to destruction: the same in all its records, in a run and
    /// in its recording. A reused 4-tuple is a new socket.
    #[schemars(with = "String")]
    pub id: SocketId,
    /// Inode of the network namespace; null if unknown.
    pub netns: Option<u64>,
    /// Its addresses and ports.
    #[serde(flatten)]
    #[schemars(with = "AddressKeys")]
    pub addrs: AddressPair,
    /// What it is bound to besides its local address, as far as that is known.
    #[serde(skip)]
    pub binding: Binding,
}

/// What the owner of a socket is found by.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct OwnerClues {
    /// User id of the socket, as the kernel shows it; null where it does not.
    pub uid: Option<u32>,
    /// Inode of the socket, as the kernel shows it; null where it does not.
    #[serde(serialize_with = "not_zero")]
    #[schemars(with = "Option<u64>")]
    pub inode: u64,
    /// The last inode that the kernel showed for this socket, 0 for none.
    #[serde(skip)]
    pub last_inode: u64,
    /// The listeners one of which has made it, as far as they were seen.
    #[serde(skip)]
    pub listeners: Listeners,
}

/// Inodes of listeners, without order. Connections that one poll shows, of which there may be
/// thousands, share those of their listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listeners(Option<Rc<Vec<u64>>>);

impl Listeners {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|inodes| inodes.iter().copied())
    }

    /// Whether none is known.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl FromIterator<u64> for Listeners {
    fn from_iter<I: IntoIterator<Item = u64>>(inodes: I) -> Self {
        let inodes: Vec<u64> = inodes.into_iter().collect();
        Self((!inodes.is_empty()).then(|| Rc::new(inodes)))
    }
}

impl OwnerClues {
    /// The sockets whose holders own this one: itself, or the listeners it can have come from.
    pub fn inodes(&self) -> impl Iterator<Item = u64> {
        let own = Some(self.last_inode).filter(|inode| *inode != 0);
        own.into_iter().chain(self.waits_at())
    }

    /// The listeners one of which it waits at; none once it is accepted.
    pub fn waits_at(&self) -> impl Iterator<Item = u64> {
        self.listeners.iter().filter(|_| self.last_inode == 0)
    }
}

/// A number, or null for 0.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes the field by reference
fn not_zero<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    Some(*number).filter(|number| *number != 0).serialize(serializer)
}

/// How the time in a state is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[schemars(rename = "held-from")]
#[serde(rename_all = "lowercase")]
pub enum HeldFrom {
    /// It is the time since the state was first observed.
    Observed,
    /// The kernel proved that the socket had been in the state before it was first observed.
    Kernel,
}

/// For how long a socket was in its previous state, and has existed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, JsonSchema, Serialize)]
pub struct Ages {
    /// When the previous state was first observed; `None` if there is none.
    #[serde(skip)]
    pub since: Option<Stamp>,
    /// Seconds in `from`; of `present` events seconds in `to`, as far as the kernel remembers
    /// them.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub held: Option<Duration>,
    /// Whether `held` is a lower bound, because the socket was in `from` at the first poll.
    pub held_at_least: bool,
    /// How `held` is known; `None` where it is not.
    #[serde(skip)]
    pub held_from: Option<HeldFrom>,
    /// The time since the socket was first observed.
    #[serde(skip)]
    pub lived: Duration,
    /// `lived` is a lower bound: the socket was there before the first poll.
    #[serde(skip)]
    pub lived_at_least: bool,
    /// Of a socket that was there at the first poll, how long it had neither sent nor received data;
    /// `None` where the kernel was not asked.
    #[serde(skip)]
    pub idle: Option<Duration>,
}

/// A state change of one socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// Which socket.
    pub socket: SocketRef,
    /// What happened to it.
    pub kind: EventKind,
    /// The end of the poll, or the instant of the kernel event, that showed it.
    pub time: Stamp,
    /// It happened after this instant; `None` for a socket that was there at the first poll, or that
    /// this can have missed.
    pub after: Option<Stamp>,
    /// The state before; `None` for a socket that was not known.
    pub from: Option<State>,
    /// States that were certainly passed without being observed, in order.
    pub via: Vec<State>,
    /// States that were possibly passed.
    pub maybe: Vec<State>,
    /// The state after.
    pub to: State,
    /// How long it was in `from`, and has existed.
    pub ages: Ages,
    /// What its owner is found by.
    pub clues: OwnerClues,
    /// Who opened and who closed.
    pub roles: Roles,
    /// How it ended; only where `kind` is `Closed`.
    pub verdict: Option<Verdict>,
    /// Which side sent the reset that ended it, where the kernel reported that.
    pub reset_by: Option<Side>,
    /// The process whose own system call caused the change, where the kernel reported it.
    pub caller: Option<Caller>,
    /// What the network namespace is called.
    pub netns_name: Option<Rc<str>>,
}

impl Transition {
    /// Whether the kernel said when it happened, by an event.
    pub(crate) fn is_exact(&self) -> bool {
        self.after == Some(self.time)
    }

    /// If this is the end of a connection that nothing else explains, its network namespace was the
    /// cause.
    pub(crate) fn end_with_namespace(&mut self) {
        if self.kind == EventKind::Closed && self.verdict == Some(Verdict::Unknown) {
            self.verdict = Some(Verdict::NetnsGone);
        }
    }
}

/// A socket between two readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketStatus {
    /// Which socket.
    pub socket: SocketRef,
    /// The state reported last.
    pub state: State,
    /// When that state was first observed, or since when the kernel proves it.
    pub since: Stamp,
    /// Which of these.
    pub held_from: HeldFrom,
    /// It was found in this state, and may have been in it for longer.
    pub held_at_least: bool,
    /// The last poll did not show it: it may be gone.
    pub missed_by_last_poll: bool,
    /// The place of its row in the last poll that showed it.
    pub row: usize,
    /// Its events are withheld until it is known whether the socket has closed that it may follow.
    pub withheld: bool,
    /// What its owner is found by.
    pub clues: OwnerClues,
    /// What else its last row showed.
    pub details: Details,
    /// What the network namespace is called.
    pub netns_name: Option<Rc<str>>,
}

/// What the tracker concludes from a reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackerEvent {
    /// Something happened to a socket.
    Transition(Box<Transition>),
    /// No poll saw a socket while it was open; its address pair, where that is known.
    NeverSeen(Option<AddressPair>),
    /// Readings were lost.
    Lost(Lost),
}

/// A transition of a socket that the filters by process and address ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct SocketEvent {
    /// What happened.
    pub transition: Transition,
    /// The owner of the socket.
    pub owner: Attribution,
    /// The filter by state asks for it, too: timelines need all transitions.
    pub passes: bool,
    /// What the kernel measured of it with the last poll, where that is asked for.
    pub tcp_info: Option<Box<TcpInfo>>,
}

/// What a reading showed of the sockets that the filters ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum MonitorEvent {
    /// Something happened to a socket.
    Socket(Box<SocketEvent>),
    /// Readings were lost.
    Lost(Lost),
}

/// A rule is violated, or is not violated any more.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Alert {
    /// RFC 3339, UTC: the end of the poll that showed it.
    pub time: Stamp,
    /// The name of the rule.
    pub rule: String,
    /// Whether the violation begins (true) or ends (false).
    pub active: bool,
    /// The sockets that violate the rule now, the worst first.
    #[serde(flatten, serialize_with = "count_and_list")]
    #[schemars(with = "ViolationKeys")]
    pub sockets: Vec<SocketId>,
    /// The worst of them; where it is no longer violated, the worst when the alert was raised.
    #[serde(flatten)]
    pub worst: AlertSocket,
}

fn count_and_list<S: Serializer>(sockets: &[SocketId], serializer: S) -> Result<S::Ok, S::Error> {
    ViolationKeys { count: sockets.len(), sockets }.serialize(serializer)
}

#[derive(JsonSchema, Serialize)]
struct ViolationKeys<'a> {
    /// How many sockets violate the rule.
    count: usize,
    /// Their `id`s, the worst first. The keys that follow are those of the worst socket; when the
    /// violation ends, of the worst when it began.
    #[schemars(with = "Vec<String>")]
    sockets: &'a [SocketId],
}

/// A socket that violates a rule.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct AlertSocket {
    /// Which one.
    #[serde(flatten, serialize_with = "without_id")]
    #[schemars(with = "AlertSocketKeys")]
    pub socket: SocketRef,
    /// Its owner.
    #[serde(skip)]
    pub owner: Attribution,
    /// How long it is, or was, in its state.
    #[serde(skip)]
    pub held: Option<Duration>,
    /// `held` is a lower bound.
    #[serde(skip)]
    pub held_at_least: bool,
}

/// The keys of a socket but its id, which an alert lists first among `sockets`.
fn without_id<S: Serializer>(socket: &SocketRef, serializer: S) -> Result<S::Ok, S::Error> {
    let SocketRef { netns, addrs, binding, .. } = *socket;
    AlertSocketKeys { netns, addrs, scope: binding.device.name() }.serialize(serializer)
}

#[derive(JsonSchema, Serialize)]
struct AlertSocketKeys {
    /// Inode of the network namespace; null if unknown.
    netns: Option<u64>,
    #[serde(flatten)]
    #[schemars(with = "AddressKeys")]
    addrs: AddressPair,
    /// The network interface that the socket is bound to; null if there is none or it is not known.
    #[schemars(with = "Option<String>")]
    scope: Option<DeviceName>,
}
