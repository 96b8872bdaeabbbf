//! One row of the kernel's table.

use super::binding::{Binding, Device};
use super::socket::AddressPair;
use crate::tcp::state::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use std::time::Duration;

/// The kernel's timer on a socket (column `tr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[schemars(rename = "timer")]
#[serde(rename_all = "kebab-case")]
pub enum Timer {
    /// Code 0: none is running.
    None,
    /// Code 1: the retransmission timer (of data, SYN or FIN).
    Retransmit,
    /// Code 2: keepalive, or a long FIN_WAIT2.
    Keepalive,
    /// Code 3: TIME_WAIT, or FIN_WAIT2 of a mini-socket.
    TimeWait,
    /// Code 4: the zero-window probe.
    Probe,
}

impl Timer {
    /// The timer of a code of `/proc/net/tcp` (`get_tcp4_sock()`) or sock_diag
    /// (`inet_sk_diag_fill()`); a code of a later kernel is no timer that we know.
    pub const fn from_code(code: u64) -> Self {
        match code {
            1 => Self::Retransmit,
            2 => Self::Keepalive,
            3 => Self::TimeWait,
            4 => Self::Probe,
            _ => Self::None,
        }
    }
}

/// One row: what the kernel showed of one socket in one poll or lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketRow {
    /// Its address pair.
    pub addrs: AddressPair,
    /// Its state.
    pub state: State,
    /// Its inode; 0 while it is not accepted, when it is an orphan, and in mini-sockets.
    pub inode: u64,
    /// The socket's uid as shown; 0 by construction in the mini-sockets of closed connections, and
    /// [`NO_UID`](Self::NO_UID) where none is shown.
    pub uid: u32,
    /// A mini-socket: a request, or one that waits in FIN_WAIT2 or TIME_WAIT after its close.
    pub mini: bool,
    /// sock_diag's name for the socket from its creation to the end of TIME_WAIT; 0 where the source
    /// does not report it. It survives `connect(AF_UNSPEC)`, so the address pair belongs to the
    /// identity.
    pub cookie: u64,
    /// The interface it is bound to, by which link-local sockets with one address pair differ; 0 for
    /// none, or where the source does not report it.
    pub ifindex: u32,
    /// What it is bound to besides its local address, where the source reports it.
    pub binding: Binding,
    /// What may change at any time.
    pub details: Details,
}

/// Times in milliseconds that the kernel proved of a socket, as of the end of the poll that shows its
/// row. They are asked for once, and so are in few rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KernelTimes {
    /// It has been in its state for so long, or longer.
    pub in_state: Option<u32>,
    /// It has neither sent nor received data for so long.
    pub idle: Option<u32>,
}

/// What a row shows besides identity and state; it may change at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Details {
    /// Bytes sent and not acknowledged; a FIN counts as one.
    pub tx_queue: u32,
    /// Bytes received and not read; of a listener, the connections not accepted.
    pub rx_queue: u32,
    /// The running timer.
    pub timer: Timer,
    /// Its remaining time in 1/100 s (`USER_HZ`).
    pub timer_left: u64,
    /// Retransmissions without an answer.
    pub retransmits: u32,
    /// Of a listener, how many connections may wait for accept(), where the source reports it.
    pub backlog_limit: Option<u32>,
    /// What the kernel remembers of the time before this poll.
    pub times: KernelTimes,
}

impl Details {
    /// What is shown of a socket without a row.
    pub const NONE: Self = Self {
        tx_queue: 0,
        rx_queue: 0,
        timer: Timer::None,
        timer_left: 0,
        retransmits: 0,
        backlog_limit: None,
        times: KernelTimes { in_state: None, idle: None },
    };

    /// The remaining time of the running timer; `None` where none is running.
    pub fn timer_left(&self) -> Option<Duration> {
        let left = Duration::from_millis(self.timer_left.saturating_mul(10));
        (self.timer != Timer::None).then_some(left)
    }

    /// How long no data has been sent or received; `None` where the kernel was not asked.
    pub fn idle(&self) -> Option<Duration> {
        self.times.idle.map(|idle| Duration::from_millis(idle.into()))
    }
}

/// As the keys of a record.
impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { tx_queue, rx_queue, timer, retransmits, backlog_limit, .. } = *self;
        let keys = DetailKeys {
            recv_queue: rx_queue,
            send_queue: tx_queue,
            backlog_limit,
            timer,
            timer_left: self.timer_left().map(|left| left.as_secs_f64()),
            retransmits,
            idle: self.idle().map(|idle| idle.as_secs_f64()),
        };
        keys.serialize(serializer)
    }
}

/// The keys of [`Details`] in a record.
#[derive(JsonSchema, Serialize)]
pub(crate) struct DetailKeys {
    /// Bytes not yet read; of a listener, connections that wait for accept().
    recv_queue: u32,
    /// Bytes not yet acknowledged.
    send_queue: u32,
    /// Of a listener, how many connections may wait for accept(); null where the kernel was not
    /// asked, since procfs does not show it.
    backlog_limit: Option<u32>,
    /// The timer that is running: `none`, `retransmit`, `keepalive`, `time-wait`, `probe`.
    timer: Timer,
    /// Seconds until it expires; null without a timer.
    timer_left: Option<f64>,
    /// Retransmissions so far.
    retransmits: u32,
    /// Seconds since data was last sent or received or, where none was, since the connection was
    /// established; of ESTABLISHED in the records of `list`, else null.
    idle: Option<f64>,
}

impl SocketRow {
    /// A row that shows no more than this: the rest is 0 or unknown.
    pub const fn new(addrs: AddressPair, state: State) -> Self {
        Self {
            addrs,
            state,
            inode: 0,
            uid: 0,
            mini: false,
            cookie: 0,
            ifindex: 0,
            binding: Binding { device: Device::Unknown, ipv6_only: None },
            details: Details::NONE,
        }
    }

    /// No user has this uid.
    pub const NO_UID: u32 = u32::MAX;

    /// Whether it is a request: a mini-socket that becomes another socket, its child, once the
    /// connection is established.
    pub fn is_request_socket(&self) -> bool {
        self.mini && self.state == State::SynRecv
    }

    /// The uid if the kernel reports it: a mini-socket after a close shows 0 for every user, and so
    /// does a request in sock_diag, which alone reports cookies. So does any socket without an
    /// inode on kernels before 6.16 (`sock_i_uid()`).
    pub fn known_uid(&self) -> Option<u32> {
        let is_request_socket = self.mini && self.state == State::SynRecv && self.cookie == 0;
        let is_by_construction = self.uid == 0 && self.inode == 0;
        let is_known = is_request_socket || !self.mini && !is_by_construction;
        (is_known && self.uid != Self::NO_UID).then_some(self.uid)
    }
}
