//! One record of a perf ring to a kernel event. Pure.
//!
//! A record is a `struct perf_event_header` and what `perf_event_open(2)` lays down for its type;
//! the raw part of a sample is what the tracepoint's `format` file describes. Samples carry the
//! thread, the time and the raw part; all other records end with the thread and the time
//! (`sample_id_all`).

use super::format::{Field, Format};
use crate::model::socket::{AddressPair, Endpoint, Family};
use crate::tcp::state::State;
use std::net::{IpAddr, Ipv6Addr};

/// The tracepoints that are followed, as tracefs names them; the first is the one that has to be.
pub const TRACEPOINTS: [(Tracepoint, &str); 5] = [
    (Tracepoint::SetState, "sock/inet_sock_set_state"),
    (Tracepoint::ReceiveReset, "tcp/tcp_receive_reset"),
    (Tracepoint::SendReset, "tcp/tcp_send_reset"),
    (Tracepoint::ErrorReport, "sock/inet_sk_error_report"),
    (Tracepoint::DestroySock, "tcp/tcp_destroy_sock"),
];

/// What a sample is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracepoint {
    /// A socket's state changed.
    SetState,
    /// An RST is about to end a socket.
    ReceiveReset,
    /// An RST was sent.
    SendReset,
    /// A socket's error was reported to whoever waits on it.
    ErrorReport,
    /// A full socket ended; a mini-socket may remain.
    DestroySock,
}

/// Where the fields of one tracepoint lie.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    what: Fields,
    /// `common_flags`: which kind of context the event ran in.
    flags: Field,
}

#[derive(Debug, Clone, Copy)]
enum Fields {
    SetState { socket: Field, from: Field, to: Field, protocol: Field, addrs: EndFields },
    ReceiveReset { socket: Field },
    SendReset { socket: Field, state: Field },
    ErrorReport { error: Field, protocol: Field, addrs: EndFields },
    DestroySock { socket: Field },
}

#[derive(Debug, Clone, Copy)]
struct EndFields {
    family: Field,
    ports: [Field; 2],
    v4: [Field; 2],
    v6: [Field; 2],
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Something happened.
    Event(Event),
    /// So many records found no room in the ring.
    Lost(u64),
}

/// One thing that happened in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Nanoseconds of the clock that the ring was opened with.
    pub time: u64,
    /// The process that ran; its own doing only in [`Context::Task`].
    pub pid: i32,
    /// The thread that ran.
    pub tid: i32,
    /// On whose behalf it ran.
    pub context: Context,
    /// What happened.
    pub what: What,
}

/// On whose behalf the kernel ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// That of the thread itself: a system call, its exit, or work of a kernel thread.
    Task,
    /// That of the thread, with soft interrupts held off: the last steps of a close(), or a packet
    /// that a process hands to the network itself (a TAP device), whosesoever it is.
    Masked,
    /// An interrupt's, or the network's in somebody's: the thread has nothing to do with it.
    Interrupt,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A TCP socket went from one state to another.
    Step {
        /// The kernel's address of the socket.
        socket: u64,
        /// Its ends then: ports may be 0 before they are chosen.
        addrs: AddressPair,
        /// The state before; `Closed` for the child of a listener.
        from: State,
        /// The state after.
        to: State,
        /// A listener made it.
        passive: bool,
    },
    /// An RST is about to end this socket.
    ResetReceived {
        /// The kernel's address of the socket.
        socket: u64,
    },
    /// An RST was sent from this socket, then in this state.
    ResetSent {
        /// The kernel's address of the socket.
        socket: u64,
        /// The state it was in.
        state: State,
    },
    /// An error was reported on the socket with these ends: the event has no address.
    Failed {
        /// Its ends.
        addrs: AddressPair,
        /// The error's number.
        errno: i32,
    },
    /// This full socket ended.
    Destroyed {
        /// The kernel's address of the socket.
        socket: u64,
    },
    /// The thread was made by this one.
    Forked {
        /// The thread that made it.
        parent: i32,
    },
    /// The thread was named.
    Named {
        /// Its name.
        comm: Vec<u8>,
    },
    /// The thread's network namespace, at its birth or when it changed.
    Entered {
        /// The inode of the namespace.
        netns: u64,
    },
    /// The thread ended.
    Exited,
}

/// `PERF_RECORD_*` (`include/uapi/linux/perf_event.h`).
mod kind {
    pub(super) const LOST: u32 = 2;
    pub(super) const COMM: u32 = 3;
    pub(super) const EXIT: u32 = 4;
    pub(super) const FORK: u32 = 7;
    pub(super) const SAMPLE: u32 = 9;
    pub(super) const NAMESPACES: u32 = 16;
}

const AF_INET: u64 = 2;
const AF_INET6: u64 = 10;
const IPPROTO_TCP: u64 = 6;
/// `enum trace_flag_type`: in a hard interrupt, in a soft one, in an NMI.
const INTERRUPTED: u64 = 0x08 | 0x10 | 0x40;
/// Soft interrupts are held off (since Linux 6.2).
const BH_OFF: u64 = 0x80;
/// `NET_NS_INDEX`: its place among a task's namespaces.
const NETNS: usize = 0;
/// Thread and time at the end of a record that is no sample.
const TRAILER: usize = 16;

impl Layout {
    /// Finds the fields of a tracepoint.
    ///
    /// # Errors
    /// The name of a field that this kernel does not have.
    pub fn new(tracepoint: Tracepoint, format: &Format) -> Result<Self, &'static str> {
        let field = |name| format.field(name).ok_or(name);
        let socket = || field("skaddr");
        let addrs = || {
            Ok::<_, &'static str>(EndFields {
                family: field("family")?,
                ports: [field("sport")?, field("dport")?],
                v4: [field("saddr")?, field("daddr")?],
                v6: [field("saddr_v6")?, field("daddr_v6")?],
            })
        };
        let what = match tracepoint {
            Tracepoint::SetState => Fields::SetState {
                socket: socket()?,
                from: field("oldstate")?,
                to: field("newstate")?,
                protocol: field("protocol")?,
                addrs: addrs()?,
            },
            Tracepoint::ReceiveReset => Fields::ReceiveReset { socket: socket()? },
            Tracepoint::SendReset => {
                Fields::SendReset { socket: socket()?, state: field("state")? }
            }
            Tracepoint::ErrorReport => Fields::ErrorReport {
                error: field("error")?,
                protocol: field("protocol")?,
                addrs: addrs()?,
            },
            Tracepoint::DestroySock => Fields::DestroySock { socket: socket()? },
        };
        Ok(Self { what, flags: field("common_flags")? })
    }

    /// Reads the raw part of a sample; `None` if it is none of a TCP socket that did something.
    fn read(&self, raw: &[u8]) -> Option<What> {
        match &self.what {
            Fields::SetState { socket, from, to, protocol, addrs } => {
                let state =
                    |field: &Field| Some(State::from_code(u8::try_from(field.number(raw)?).ok()?));
                let (from, to) = (state(from)?, state(to)?);
                // MPTCP tells each step of a subflow once more; a close() after a shutdown() tells
                // a step to where the socket already is.
                if protocol.number(raw)? != IPPROTO_TCP || from == to {
                    return None;
                }
                // A child is cloned from its listener, with its state.
                let passive = from == State::Listen && to != State::Closed;
                let from = if passive { State::Closed } else { from };
                let (socket, addrs) = (socket.number(raw)?, addrs.read(raw)?);
                Some(What::Step { socket, addrs, from, to, passive })
            }
            Fields::ReceiveReset { socket } => {
                Some(What::ResetReceived { socket: socket.number(raw)? })
            }
            Fields::SendReset { socket, state } => {
                let state = State::from_code(u8::try_from(state.number(raw)?).ok()?);
                Some(What::ResetSent { socket: socket.number(raw)?, state })
            }
            Fields::ErrorReport { error, protocol, addrs } => {
                let errno = i32::try_from(error.number(raw)?).ok()?;
                let counts = protocol.number(raw)? == IPPROTO_TCP && errno != 0;
                counts.then_some(())?;
                Some(What::Failed { addrs: addrs.read(raw)?, errno })
            }
            Fields::DestroySock { socket } => Some(What::Destroyed { socket: socket.number(raw)? }),
        }
    }

    /// Whether it is that of the tracepoint that tells the changes of state.
    pub const fn is_of_states(&self) -> bool {
        matches!(self.what, Fields::SetState { .. })
    }

    fn context(&self, raw: &[u8]) -> Option<Context> {
        let flags = self.flags.number(raw)?;
        Some(if flags & INTERRUPTED != 0 {
            Context::Interrupt
        } else if flags & BH_OFF != 0 {
            Context::Masked
        } else {
            Context::Task
        })
    }
}

impl EndFields {
    fn read(&self, raw: &[u8]) -> Option<AddressPair> {
        let family = match self.family.number(raw)? {
            AF_INET => Family::Ipv4,
            AF_INET6 => Family::Ipv6,
            _ => return None,
        };
        let end = |side: usize| {
            let port = u16::try_from(self.ports[side].number(raw)?).ok()?;
            let addr = match family {
                Family::Ipv4 => IpAddr::from(self.v4[side].array::<4>(raw)?),
                Family::Ipv6 => Ipv6Addr::from(self.v6[side].array::<16>(raw)?).to_canonical(),
            };
            Some(Endpoint { addr, port })
        };
        Some(AddressPair { family, local: end(0)?, remote: end(1)? })
    }
}

/// Reads a record of this type; `layout` is that of the tracepoint the ring belongs to. `None` if
/// it tells nothing of use.
pub fn parse(record_type: u32, body: &[u8], layout: Option<&Layout>) -> Option<Record> {
    let event = match record_type {
        kind::SAMPLE => sample(body, layout?)?,
        kind::LOST => return Some(Record::Lost(u64_at(body, 8)?)),
        kind::FORK => of_task(body, What::Forked { parent: i32_at(body, 12)? }, i32_at(body, 8)?)?,
        kind::EXIT => of_task(body, What::Exited, i32_at(body, 8)?)?,
        kind::COMM => {
            let comm = body.get(8..body.len().checked_sub(TRAILER)?)?;
            let end = comm.iter().position(|byte| *byte == 0).unwrap_or(comm.len());
            of_task(body, What::Named { comm: comm[..end].to_vec() }, i32_at(body, 4)?)?
        }
        kind::NAMESPACES => {
            let count = usize::try_from(u64_at(body, 8)?).ok()?;
            let netns = (count > NETNS).then(|| u64_at(body, 16 + NETNS * 16 + 8))??;
            of_task(body, What::Entered { netns }, i32_at(body, 4)?)?
        }
        _ => return None,
    };
    Some(Record::Event(event))
}

/// `u32 pid, tid; u64 time; u32 size; char raw[size];`
fn sample(body: &[u8], layout: &Layout) -> Option<Event> {
    let size = usize::try_from(u32_at(body, 16)?).ok()?;
    let raw = body.get(20..)?;
    let raw = &raw[..size.min(raw.len())];
    Some(Event {
        time: u64_at(body, 8)?,
        pid: i32_at(body, 0)?,
        tid: i32_at(body, 4)?,
        context: layout.context(raw)?,
        what: layout.read(raw)?,
    })
}

/// What happened to a thread: all such records begin with its process and end with the time.
fn of_task(body: &[u8], what: What, tid: i32) -> Option<Event> {
    let time = u64_at(body, body.len().checked_sub(8)?)?;
    Some(Event { time, pid: i32_at(body, 0)?, tid, context: Context::Task, what })
}

fn u32_at(body: &[u8], at: usize) -> Option<u32> {
    body.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn i32_at(body: &[u8], at: usize) -> Option<i32> {
    u32_at(body, at).map(u32::cast_signed)
}

fn u64_at(body: &[u8], at: usize) -> Option<u64> {
    body.get(at..at + 8)?.try_into().ok().map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests;
