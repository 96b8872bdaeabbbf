//! What a source says, in kernel words, stamped with time. Nothing here concludes anything.

use super::process::{Caller, Holder, Process};
use super::socket::AddressPair;
use super::socket_row::SocketRow;
use super::time::Stamp;
use crate::tcp::state::State;
use serde::{Deserialize, Serialize};

/// When one look at some or all sockets was made, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollWindow {
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
    pub rows: Vec<SocketRow>,
    /// Lines that could not be understood.
    pub bad_rows: u64,
}

/// A socket that a reading did not show: is it gone?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LookupRequest {
    /// Its ends.
    pub addrs: AddressPair,
    /// The inode it showed last; 0 for none.
    pub inode: u64,
    /// Its cookie; 0 where it is not known.
    pub cookie: u64,
    /// The interface it is bound to; 0 where it is not known.
    pub ifindex: u32,
}

/// What exact look-ups found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookups {
    /// When the first question was asked.
    pub start: Stamp,
    /// When the last answer had come.
    pub end: Stamp,
    /// The inode of the network namespace, where it can be told.
    pub netns: Option<u64>,
    /// Each question with its answer; one that could not be trusted is left out.
    pub answers: Vec<(LookupRequest, LookupResult)>,
}

/// What one exact look-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupResult {
    /// No such socket: it is gone.
    Gone,
    /// A socket with these ends, which may be a successor or a listener: the reader compares.
    There(SocketRow),
}

/// Full sockets that died, by sock_diag's destroy multicast. What dies may leave a mini-socket in
/// FIN_WAIT2 or TIME_WAIT: a notice proves a life, not its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestroyEvents {
    /// When the notices were received.
    pub time: Stamp,
    /// The ends (if they were still there) and the cookies of the dead.
    pub dead: Vec<(Option<AddressPair>, u64)>,
    /// The kernel had more notices than room for them.
    pub overrun: bool,
}

/// One step of one socket, as the kernel's tracepoint told it. From FIN_WAIT2 and CLOSING a step to
/// CLOSED may be the start of TIME_WAIT: only a look-up tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// The kernel's instant.
    pub time: Stamp,
    /// The inode of the network namespace.
    pub netns: Option<u64>,
    /// The kernel's address of the socket: its name until it is in CLOSED, and reused after.
    pub socket: u64,
    /// Its ends.
    pub addrs: AddressPair,
    /// The state before: CLOSED for a child that a listener made.
    pub from: State,
    /// The state after.
    pub to: State,
    /// A listener made it: the kernel's state before was that of the listener.
    pub passive: bool,
    /// The process whose own system call made the step.
    pub caller: Option<Caller>,
    /// Why a step to CLOSED cut the connection off, where the kernel told it.
    pub cut: Option<AbortReason>,
}

/// How a connection was cut off, by the kernel's own events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbortReason {
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
pub enum Interface {
    /// Polls of `/proc/net/tcp` and `/proc/net/tcp6`.
    Proc,
    /// sock_diag dumps and notices.
    Netlink,
    /// The tracepoint `sock:inet_sock_set_state`, joined with polls.
    Trace,
}

/// What was found out about owners for one reading, as far as it was not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerUpdate {
    /// When the reading was complete that they were looked for.
    pub time: Stamp,
    /// Nothing that was told before counts.
    pub anew: bool,
    /// All processes were looked at: what is known and not taken back here holds still.
    pub all: bool,
    /// There are processes of which nothing can be known.
    pub hidden: bool,
    /// Processes that hold sockets, new or changed.
    pub processes: Vec<Process>,
    /// Processes that may not be read, new or changed.
    pub denied: Vec<Process>,
    /// Processes (pid and start) that were denied and are no more.
    pub allowed: Vec<(i32, u64)>,
    /// Sockets with all their holders from now on.
    pub holders: Vec<(u64, Vec<Holder>)>,
    /// Sockets whose holders were seen to hold them still, where not all processes were looked at.
    pub proven: Vec<u64>,
    /// Processes that acted on a socket in a system call of theirs, new or changed.
    pub callers: Vec<Process>,
}

/// Whatever a source has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// One look at all sockets.
    Snapshot(Snapshot),
    /// Exact look-ups of sockets that the reading before did not show.
    Lookups(Lookups),
    /// Notices of full sockets that died.
    DestroyEvents(DestroyEvents),
    /// One step of one socket.
    StateChange(StateChange),
    /// Something was missed.
    Lost(Lost),
    /// Who holds the sockets that the next reading has news of.
    OwnerUpdate(OwnerUpdate),
    /// A run begins: what was read before is of another.
    Begin(Stamp),
}

impl Reading {
    /// When it was complete.
    pub const fn time(&self) -> Stamp {
        match self {
            Self::Snapshot(snapshot) => snapshot.end,
            Self::Lookups(answers) => answers.end,
            Self::DestroyEvents(deaths) => deaths.time,
            Self::StateChange(change) => change.time,
            Self::Lost(lost) => lost.time,
            Self::OwnerUpdate(owners) => owners.time,
            Self::Begin(time) => *time,
        }
    }
}

impl Snapshot {
    /// When it was taken.
    pub const fn look(&self) -> PollWindow {
        PollWindow { start: self.start, end: self.end, netns: self.netns }
    }
}

impl Lookups {
    /// When they were given.
    pub const fn look(&self) -> PollWindow {
        PollWindow { start: self.start, end: self.end, netns: self.netns }
    }
}
