//! What a source says, in kernel words, stamped with time. Nothing here concludes anything.

mod row;

use crate::owner::register::Owners;
use crate::tcp::state::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

pub use row::{Details, Observation, Timer};

/// An instant on both clocks: time is data, only a source asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Stamp {
    /// Microseconds since 1970 (`CLOCK_REALTIME`): what is printed.
    pub wall: i64,
    /// Microseconds since boot, suspended time included (`CLOCK_BOOTTIME`): what is measured with.
    pub boot: u64,
}

impl Stamp {
    /// The instant this much earlier, by the boot clock; the wall clock is taken to have run evenly.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self {
            wall: self.wall.saturating_sub_unsigned(micros),
            boot: self.boot.saturating_sub(micros),
        }
    }

    /// The time from `earlier` to this instant on the boot clock; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.boot.saturating_sub(earlier.boot))
    }
}

/// RFC 3339 in UTC with microseconds.
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Timestamp::from_microsecond(self.wall).unwrap_or_default();
        write!(f, "{time:.6}")
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The address family of the socket, which a v4-mapped address does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// `AF_INET`: a row of `/proc/net/tcp`.
    Ipv4,
    /// `AF_INET6`: a row of `/proc/net/tcp6`.
    Ipv6,
}

impl Family {
    /// The address that stands for "any" in this family.
    pub const fn unspecified(self) -> IpAddr {
        match self {
            Self::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Ipv4 => Self::Ipv6,
            Self::Ipv6 => Self::Ipv4,
        }
    }
}

/// One end of a socket; compact, because a busy machine has many. v4-mapped addresses are kept
/// in their v4 form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The address, never v4-mapped.
    pub addr: IpAddr,
    /// The port in host order, 0 for none.
    pub port: u16,
}

impl From<Endpoint> for SocketAddr {
    fn from(end: Endpoint) -> Self {
        Self::new(end.addr, end.port)
    }
}

/// Family and both ends: what a row of the kernel's table is found by. Not unique: link-local
/// twins and the members of an `SO_REUSEPORT` group share them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ends {
    /// The family of the socket.
    pub family: Family,
    /// This side.
    pub local: Endpoint,
    /// The other side.
    pub remote: Endpoint,
}

impl Ends {
    /// The ends as the other side of a connection within this machine shows them: it may be of
    /// either family, as a dual-stack socket shows v4 peers.
    pub fn mirrored(self) -> [Self; 2] {
        let swapped = Self { family: self.family, local: self.remote, remote: self.local };
        [swapped, Self { family: self.family.other(), ..swapped }]
    }

    /// The ends of a listener of the same family on this local port, bound to `addr`.
    #[must_use]
    pub const fn listener(self, addr: IpAddr) -> Self {
        Self {
            family: self.family,
            local: Endpoint { addr, port: self.local.port },
            remote: Endpoint { addr: self.family.unspecified(), port: 0 },
        }
    }
}

/// When one look at some or all sockets was made, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Before the first socket was looked at.
    pub start: Stamp,
    /// After the last one.
    pub end: Stamp,
    /// The inode of the network namespace, where it can be told.
    pub netns: Option<u64>,
}

/// All rows of one poll, with the time it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// When the first table was opened.
    pub start: Stamp,
    /// When the last row had been read.
    pub end: Stamp,
    /// The inode of the network namespace, where it can be told.
    pub netns: Option<u64>,
    /// The rows in the order of the tables.
    pub rows: Vec<Observation>,
    /// Lines that could not be understood.
    pub bad_rows: u64,
}

/// A socket that a reading did not show: is it gone?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Question {
    /// Its ends.
    pub ends: Ends,
    /// The inode it showed last; 0 for none.
    pub inode: u64,
    /// Its cookie; 0 where it is not known.
    pub cookie: u64,
    /// The interface it is bound to; 0 where it is not known.
    pub ifindex: u32,
}

/// What exact look-ups found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// When the first question was asked.
    pub start: Stamp,
    /// When the last answer had come.
    pub end: Stamp,
    /// The inode of the network namespace, where it can be told.
    pub netns: Option<u64>,
    /// Each question with its answer; one that could not be trusted is left out.
    pub answers: Vec<(Question, Answer)>,
}

/// What one exact look-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// No such socket: it is gone.
    Gone,
    /// A socket with these ends, which may be a successor or a listener: the reader compares.
    There(Observation),
}

/// Full sockets that died, by sock_diag's destroy multicast. What dies may leave a mini-socket in
/// FIN_WAIT2 or TIME_WAIT: a notice proves a life, not its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deaths {
    /// When the notices were received.
    pub time: Stamp,
    /// The ends (if they were still there) and the cookies of the dead.
    pub dead: Vec<(Option<Ends>, u64)>,
    /// The kernel had more notices than room for them.
    pub overrun: bool,
}

/// One step of one socket, as the kernel's tracepoint told it. From FIN_WAIT2 and CLOSING a step to
/// CLOSED may be the start of TIME_WAIT: only a look-up tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The kernel's instant.
    pub time: Stamp,
    /// The inode of the network namespace.
    pub netns: Option<u64>,
    /// The kernel's address of the socket: its name until it is in CLOSED, and reused after.
    pub socket: u64,
    /// Its ends.
    pub ends: Ends,
    /// The state before: CLOSED for a child that a listener made.
    pub from: State,
    /// The state after.
    pub to: State,
    /// A listener made it: the kernel's state before was that of the listener.
    pub passive: bool,
    /// The process whose own system call made the step.
    pub caller: Option<Caller>,
    /// Why a step to CLOSED cut the connection off, where the kernel told it.
    pub cut: Option<Cut>,
}

/// A process in its own system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its id (that of the thread group).
    pub pid: i32,
    /// What the kernel called it then, where that is known.
    pub comm: Option<Vec<u8>>,
}

/// How a connection was cut off, by the kernel's own events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// An RST was received or sent.
    Reset,
    /// The SYN was answered by an RST.
    Refused,
    /// Nobody answered.
    TimedOut,
}

/// Why readings are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LostReason {
    /// Too long a time without a look: a suspended or stopped machine, a long interval.
    Gap,
    /// Rows of a table could not be understood.
    Table,
    /// The kernel had more events than its ring has room for.
    Ring,
    /// The reader of the output did not keep up. Records are missing, no readings: a recording
    /// does not know it.
    #[serde(skip_deserializing)]
    Output,
}

/// Readings that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// When it was noticed.
    pub time: Stamp,
    /// Why.
    pub reason: LostReason,
    /// How many, where they can be counted.
    pub count: Option<u64>,
}

/// Which of the kernel's interfaces readings come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Polls of `/proc/net/tcp` and `/proc/net/tcp6`.
    Proc,
    /// sock_diag dumps and notices.
    Netlink,
    /// The tracepoint `sock:inet_sock_set_state`, joined with polls.
    Trace,
}

/// Whatever a source has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// One look at all sockets.
    Snapshot(Snapshot),
    /// Exact look-ups of sockets that the reading before did not show.
    Answers(Answers),
    /// Notices of full sockets that died.
    Deaths(Deaths),
    /// One step of one socket.
    Change(Change),
    /// Something was missed.
    Lost(Lost),
    /// Who holds the sockets that the next reading has news of.
    Owners(Owners),
    /// A run begins: what was read before is of another.
    Begin(Stamp),
}

impl Reading {
    /// When it was complete.
    pub const fn time(&self) -> Stamp {
        match self {
            Self::Snapshot(snapshot) => snapshot.end,
            Self::Answers(answers) => answers.end,
            Self::Deaths(deaths) => deaths.time,
            Self::Change(change) => change.time,
            Self::Lost(lost) => lost.time,
            Self::Owners(owners) => owners.time,
            Self::Begin(time) => *time,
        }
    }
}

impl Snapshot {
    /// When it was taken.
    pub const fn look(&self) -> Look {
        Look { start: self.start, end: self.end, netns: self.netns }
    }
}

impl Answers {
    /// When they were given.
    pub const fn look(&self) -> Look {
        Look { start: self.start, end: self.end, netns: self.netns }
    }
}
