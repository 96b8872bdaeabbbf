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

/// Which socket: the same in every record of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketRef {
    /// Its number in this run.
    pub id: SocketId,
    /// The inode of its network namespace, where it is known.
    pub netns: Option<u64>,
    /// Its addresses and ports.
    pub addrs: AddressPair,
}

/// What tells who owns a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerClues {
    /// The inode that the kernel shows now, 0 for none.
    pub inode: u64,
    /// The last inode that the kernel showed for this socket, 0 for none.
    pub last_inode: u64,
    /// The inode of the one listener that can have made it, while it is not accepted; 0 for none.
    pub listener: u64,
    /// The user id of the socket, where the kernel tells it.
    pub uid: Option<u32>,
}

/// For how long a socket was in its previous state, and has existed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    /// When the previous state was first observed; `None` if there is none.
    pub since: Option<Stamp>,
    /// The time in the previous state.
    pub held: Option<Duration>,
    /// `held` is a lower bound.
    pub held_at_least: bool,
    /// The time since the socket was first observed.
    pub lived: Duration,
    /// `lived` is a lower bound: the socket was there before the first poll.
    pub lived_at_least: bool,
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
    /// It happened after this instant; `None` for a socket that was there at the first poll.
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
    /// What tells whose socket it is.
    pub clues: OwnerClues,
    /// Who opened and who closed.
    pub roles: Roles,
    /// How it ended; only where `kind` is `Closed`.
    pub verdict: Option<Verdict>,
    /// The process whose own system call caused the change, where the kernel told it.
    pub caller: Option<Caller>,
}

/// A socket between two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketStatus {
    /// Which socket.
    pub socket: SocketRef,
    /// The state reported last.
    pub state: State,
    /// When that state was first observed.
    pub since: Stamp,
    /// It was found in this state, and may have been in it for longer.
    pub held_at_least: bool,
    /// The last poll did not show it: it may be gone.
    pub missed: bool,
    /// The place of its row in the last poll that showed it.
    pub row: usize,
    /// It is not reported before it is known that another socket has ended.
    pub withheld: bool,
    /// What tells whose socket it is.
    pub clues: OwnerClues,
    /// What else its last row showed.
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
    Socket(Box<SocketEvent>),
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
    pub socket: SocketRef,
    /// Whose it is.
    pub owner: Attribution,
    /// How long it is, or was, in its state.
    pub held: Option<Duration>,
    /// It may have been for longer.
    pub held_at_least: bool,
}
