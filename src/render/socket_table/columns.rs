//! The columns that a table of sockets can have, and what stands in them.

use crate::model::socket::Family;
use crate::model::tcp_info;
use crate::render::cell::{
    Names, UNKNOWN, descriptors, duration, held, local_end, netns, owner, remote_end, timer, unit,
};
use crate::view::socket::SocketRecord;
use std::fmt::Write as _;

/// A column of a table of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Proto,
    RecvQueue,
    SendQueue,
    /// Both queues, where there is something in one of them.
    #[cfg(feature = "tui")]
    Queues,
    Local,
    Remote,
    State,
    Owner,
    Netns,
    User,
    Inode,
    Descriptors,
    Unit,
    Timer,
    Held,
    Idle,
    TcpInfo,
}

use Column::{
    Descriptors, Held, Idle, Inode, Local, Netns, Owner, Proto, RecvQueue, Remote, SendQueue,
    State, TcpInfo, Timer, Unit, User,
};

impl Column {
    /// netstat's columns.
    pub(super) const OF_NETSTAT: [Self; 7] =
        [Proto, RecvQueue, SendQueue, Local, Remote, State, Owner];
    /// Those of a table that is sorted by the time in the state.
    pub(crate) const BY_HELD: [Self; 5] = [Held, State, Owner, Local, Remote];

    /// Those that flags add, in their order.
    pub(crate) fn added(is_extended: bool, timers: bool) -> impl Iterator<Item = Self> {
        let extended = [User, Inode, Descriptors].into_iter().filter(move |_| is_extended);
        extended.chain(timers.then_some(Timer)).chain(is_extended.then_some(Unit))
    }

    pub(crate) const fn heading(self) -> &'static str {
        match self {
            Proto => "PROTO",
            RecvQueue => "RECV-Q",
            SendQueue => "SEND-Q",
            #[cfg(feature = "tui")]
            Self::Queues => "QUEUES",
            Local => "LOCAL",
            Remote => "REMOTE",
            State => "STATE",
            Owner => "OWNER",
            Netns => "NETNS",
            User => "USER",
            Inode => "INODE",
            Descriptors => "FD",
            Unit => "UNIT",
            Timer => "TIMER",
            Held => "HELD",
            Idle => "IDLE",
            TcpInfo => "TCP-INFO",
        }
    }

    /// Appends the cell of a socket to a text.
    pub(crate) fn write(self, text: &mut String, socket: &SocketRecord, names: &Names) {
        let SocketRecord { state, clues, details, .. } = socket;
        let addrs = &socket.socket.addrs;
        // Writing to a string never fails.
        let _ = match self {
            Proto if addrs.family == Family::Ipv6 => text.write_str("tcp6"),
            Proto => text.write_str("tcp"),
            RecvQueue => match details.backlog_limit {
                Some(limit) => write!(text, "{}/{limit}", details.rx_queue),
                None => write!(text, "{}", details.rx_queue),
            },
            SendQueue => write!(text, "{}", details.tx_queue),
            #[cfg(feature = "tui")]
            Self::Queues if (details.rx_queue, details.tx_queue) == (0, 0) => Ok(()),
            #[cfg(feature = "tui")]
            Self::Queues => write!(text, "{}/{}", details.rx_queue, details.tx_queue),
            Local => text.write_str(&local_end(&socket.socket, names)),
            Remote => text.write_str(&remote_end(&socket.socket, names)),
            State => write!(text, "{state}"),
            Owner => text.write_str(&owner(&socket.owner)),
            Netns => text.write_str(&netns(&socket.socket, socket.netns_name.as_deref())),
            User => match clues.uid {
                Some(uid) => match names.users.get(&uid) {
                    Some(name) => text.write_str(name),
                    None => write!(text, "{uid}"),
                },
                None => text.write_str("-"),
            },
            Inode => match clues.inode {
                0 => text.write_str("-"),
                inode => write!(text, "{inode}"),
            },
            Descriptors => text.write_str(&descriptors(&socket.owner)),
            Unit => text.write_str(&unit(&socket.workload)),
            Timer => text.write_str(&timer(details)),
            Held => text.write_str(&held(socket.held, socket.held_at_least)),
            Idle => match details.idle() {
                Some(idle) => text.write_str(&duration(idle)),
                None => text.write_str(UNKNOWN),
            },
            TcpInfo => match &socket.tcp_info {
                Some(info) if **info != tcp_info::TcpInfo::default() => write!(text, "{info}"),
                _ => text.write_str(UNKNOWN),
            },
        };
    }

    /// Numbers stand below each other digit by digit.
    pub(crate) const fn is_right_aligned(self) -> bool {
        matches!(self, RecvQueue | SendQueue | Held | Idle)
    }
}
