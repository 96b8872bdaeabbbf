//! State changes of sockets, as the tracker concludes them from readings, and alerts about them.

use super::process::{Attribution, Caller};
use super::reading::Lost;
use super::socket::AddressPair;
use super::socket_row::Details;
use super::time::Stamp;
use crate::tcp::state::State;
use serde::{Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// One socket's life, from birth to end; a reused 4-tuple is a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId {
    /// Wall clock second of the first reading of the run.
    pub run: u32,
    /// Counts the lives of the run.
    pub number: u64,
}

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// It was there at the first look.
    Present,
    /// It was seen for the first time later.
    Opened,
    /// Its state changed.
    Changed,
    /// It is gone.
    Closed,
}

/// Which end of the connection did a thing first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// This side.
    Local,
    /// The other side.
    Remote,
    /// Both, crossing on the way.
    Both,
}

impl Side {
    /// What the other side calls it.
    #[must_use]
    pub const fn seen_from_the_other_side(self) -> Self {
        match self {
            Self::Local => Self::Remote,
            Self::Remote => Self::Local,
            Self::Both => Self::Both,
        }
    }
}

/// How a life ended, as far as it is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Both sides sent their FIN, this one first.
    LocalClose,
    /// Both sides sent their FIN before they had the other's.
    SimultaneousClose,
    /// Both sides sent their FIN, the other one first.
    RemoteClose,
    /// An RST cut it off.
    Reset,
    /// Its SYN was answered by an RST.
    Refused,
    /// Nobody answered.
    TimedOut,
    /// Not proven.
    Unknown,
}

/// What is known of who opened and who closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Roles {
    /// Who sent its SYN first.
    pub opener: Option<Side>,
    /// Who sent its FIN first.
    pub closer: Option<Side>,
    /// The FINs of both sides are proven.
    pub both_fins: bool,
}

/// A thing that happened to one socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// What happened.
    pub event: EventKind,
    /// To which life.
    pub life: SocketId,
    /// The network namespace.
    pub netns: Option<u64>,
    /// Its ends.
    pub addrs: AddressPair,
    /// End of the pass that showed or confirmed it.
    pub time: Stamp,
    /// It happened after this instant; `None` for what was there at the first look.
    pub after: Option<Stamp>,
    /// The state before; `None` at first sight.
    pub from: Option<State>,
    /// States certainly passed unseen, in order.
    pub via: Vec<State>,
    /// States possibly passed unseen.
    pub maybe: Vec<State>,
    /// The state after.
    pub to: State,
    /// When `from` was first seen.
    pub since: Option<Stamp>,
    /// Time in `from`.
    pub held: Option<Duration>,
    /// `held` is a lower bound.
    pub held_at_least: bool,
    /// Time since the first sight of this life.
    pub lived: Duration,
    /// `lived` is a lower bound: its birth was not seen.
    pub lived_at_least: bool,
    /// The inode that the kernel shows now, 0 for none.
    pub inode: u64,
    /// The last inode that it showed in this life, 0 for none.
    pub last_inode: u64,
    /// The inode of the one listener that can have made it, while it was not accepted; 0 for none.
    pub listener: u64,
    /// The socket's uid, where the kernel tells it.
    pub uid: Option<u32>,
    /// Who opened and who closed.
    pub roles: Roles,
    /// How it ended; only on `Closed`.
    pub verdict: Option<Verdict>,
    /// The process whose own system call did it, where the kernel told.
    pub caller: Option<Caller>,
}

/// A life as it stands between two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketStatus {
    /// Which life.
    pub life: SocketId,
    /// The network namespace.
    pub netns: Option<u64>,
    /// Its ends.
    pub addrs: AddressPair,
    /// The state last told.
    pub state: State,
    /// Since when it is known to be in it.
    pub since: Stamp,
    /// It was found in this state, and may have been in it for longer.
    pub held_at_least: bool,
    /// The last pass did not show it: it may be gone.
    pub missed: bool,
    /// The place of its row in the last pass that showed it.
    pub row: usize,
    /// The inode that the kernel shows now, 0 for none.
    pub inode: u64,
    /// The last inode that it showed in this life, 0 for none.
    pub last_inode: u64,
    /// The inode of the one listener that can have made it, while it was not accepted.
    pub listener: u64,
    /// The socket's uid, where the kernel tells it.
    pub uid: Option<u32>,
    /// Its birth waits to be told until the end of another is known.
    pub withheld: bool,
    /// What the last row showed beside.
    pub details: Details,
}

/// What the tracker has to tell, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackerEvent {
    /// Something happened to a socket.
    Transition(Box<Transition>),
    /// A life that no look saw while it was open, by its ends where these are known.
    Missed(Option<AddressPair>),
    /// Readings were lost.
    Lost(Lost),
}

/// A transition of a socket that the filters ask for, and whose socket it is.
#[derive(Debug, Clone, PartialEq)]
pub struct SocketEvent {
    /// What happened.
    pub transition: Transition,
    /// Whose socket it is.
    pub owner: Attribution,
    /// The filter by state asks for it: views of whole lives need the others too.
    pub passes: bool,
}

/// What a reading told of the sockets that the filters ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum MonitorEvent {
    /// Something happened to a socket.
    SocketEvent(Box<SocketEvent>),
    /// Readings were lost.
    Lost(Lost),
}

/// What a rule has to tell: its offence begins or is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The end of the reading that showed it.
    pub time: Stamp,
    /// The name of the rule.
    pub rule: String,
    /// The offence begins.
    pub active: bool,
    /// The lives that offend now, the worst first.
    pub sockets: Vec<SocketId>,
    /// The worst of them, or of those before.
    pub worst: AlertSocket,
}

/// A socket that offends.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertSocket {
    /// Which one.
    pub life: SocketId,
    /// The network namespace.
    pub netns: Option<u64>,
    /// Its ends.
    pub addrs: AddressPair,
    /// Whose it is.
    pub owner: Attribution,
    /// How long it is, or was, in its state.
    pub held: Option<Duration>,
    /// It may have been for longer.
    pub held_at_least: bool,
}
