//! Sockets, owners and records for the unit tests of views and renderers.

use super::socket::SocketRecord;
use crate::model::binding::Binding;
use crate::model::event::{HeldFrom, Listeners, OwnerClues, SocketId, SocketRef, SocketStatus};
use crate::model::process::{Attribution, Exe, OwnerSource, Process};
use crate::model::socket::{AddressPair, Endpoint, Family};
use crate::model::socket_row::{Details, KernelTimes, Timer};
use crate::model::time::Stamp;
use crate::model::workload::MainWorkload;
use crate::tcp::state::State;
use std::net::SocketAddr;
use std::time::Duration;

/// An endpoint as it is written: `127.0.0.1:80`, `[::1]:80`.
pub(crate) fn endpoint(text: &str) -> Endpoint {
    let end: SocketAddr = text.parse().unwrap();
    Endpoint { addr: end.ip(), port: end.port() }
}

pub(crate) fn socket(number: u64, local: &str, remote: &str) -> SocketRef {
    let (local, remote) = (endpoint(local), endpoint(remote));
    let family = if local.addr.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
    let id = SocketId { run: 1, number };
    let addrs = AddressPair::new(family, local, remote);
    SocketRef { id, netns: None, addrs, binding: Binding::default() }
}

pub(crate) fn process(pid: i32, comm: &[u8]) -> Process {
    let (comm, cmdline) = (comm.to_vec(), std::sync::Arc::default());
    Process { pid, start: 1, comm, exe: Exe::None, cmdline, uid: None, workload: None }
}

pub(crate) fn owner(pid: i32, comm: &str, source: OwnerSource) -> Attribution {
    let main = Some(process(pid, comm.as_bytes()).into());
    Attribution { main, holders: Vec::new(), source }
}

/// A socket of process 812 with user, inode, and something in its queues.
pub(crate) fn listed(local: &str, state: State, comm: &str) -> SocketRecord {
    SocketRecord {
        time: Stamp { wall: 1_793_534_401_104_000, boot: 0 },
        socket: socket(1, local, "192.0.2.7:443"),
        state,
        held: Some(Duration::ZERO),
        held_at_least: true,
        owner: owner(812, comm, OwnerSource::Proven),
        clues: OwnerClues {
            uid: Some(1000),
            inode: 4711,
            last_inode: 4711,
            listeners: Listeners::default(),
        },
        details: Details {
            rx_queue: 1,
            tx_queue: 20_000,
            timer: Timer::Retransmit,
            timer_left: 20,
            retransmits: 3,
            backlog_limit: None,
            times: KernelTimes::default(),
        },
        held_from: Some(HeldFrom::Observed),
        workload: MainWorkload::default(),
        netns_name: None,
        binding: Binding::default(),
        tcp_info: None,
    }
}

/// A socket in a state since the start of the boot clock, without an inode.
pub(crate) fn status(socket: SocketRef, state: State) -> SocketStatus {
    SocketStatus {
        socket,
        state,
        since: Stamp::default(),
        held_from: HeldFrom::Observed,
        held_at_least: false,
        missed_by_last_poll: false,
        row: 0,
        withheld: false,
        clues: OwnerClues { uid: None, inode: 0, last_inode: 0, listeners: Listeners::default() },
        details: Details::NONE,
        netns_name: None,
    }
}
