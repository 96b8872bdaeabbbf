//! Other crates parse the same bytes in their own way: their rows and ours must agree.

use crate::support::fake_procfs::fixture;
use crate::support::netns::isolated;
use crate::support::sockets::{ANY_PORT, listener, pair};
use crate::support::wait::LIMIT;
use netlink_packet_core::{NetlinkMessage, NetlinkPayload, Parseable};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::inet::{
    InetRequest, InetResponseHeader, StateFlags, Timer as TheirTimer,
};
use procfs::FromBufReadSI;
use procfs::net::{TcpNetEntries, TcpNetEntry};
use rustix::net::netlink::SOCK_DIAG;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, send, socket};
use std::io::BufReader;
use tcplapse::testing::model::socket::{Endpoint, Family};
use tcplapse::testing::model::socket_row::{SocketRow, Timer};
use tcplapse::testing::source::netlink::wire::{
    Message, NetlinkMessages, Selection, StateMask, write_dump,
};
use tcplapse::testing::source::proc::row;

#[test]
fn rows_agree_with_the_procfs_crate() {
    for (name, family, rows) in [("tcp", Family::Ipv4, 27), ("tcp6", Family::Ipv6, 6)] {
        let table = std::fs::read_to_string(fixture().join("net").join(name)).unwrap();
        let ours: Vec<_> = table
            .lines()
            .skip(1)
            .map(|line| row::parse(line.as_bytes(), family).expect(line))
            .collect();
        let reader = BufReader::new(table.as_bytes());
        let theirs = TcpNetEntries::from_buf_read(reader, procfs::current_system_info()).unwrap();
        assert_eq!((ours.len(), theirs.0.len()), (rows, rows));
        for (ours, theirs) in ours.iter().zip(&theirs.0) {
            assert_same(ours, theirs);
        }
    }
}

fn assert_same(ours: &SocketRow, theirs: &TcpNetEntry) {
    for (end, address) in
        [(ours.addrs.local, theirs.local_address), (ours.addrs.remote, theirs.remote_address)]
    {
        assert_eq!((end.addr, end.port), (address.ip().to_canonical(), address.port()));
    }
    assert_eq!(ours.state.code(), theirs.state.clone() as u8);
    assert_eq!((ours.inode, ours.uid), (theirs.inode, theirs.uid));
    assert_eq!((ours.details.rx_queue, ours.details.tx_queue), (theirs.rx_queue, theirs.tx_queue));
}

#[test]
fn messages_agree_with_the_netlink_packet_crates() {
    isolated(|| {
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let (first, accepted) = pair(&server, ANY_PORT);
        first.send(b"unread").expect("it is connected");
        let (closed, other) = pair(&server, ANY_PORT);
        drop(closed);
        let mut request = Vec::new();
        write_dump(&mut request, 1, Family::Ipv4, Selection::In(StateMask::ALL));
        let parsed = InetRequest::parse(&request[16..]).expect("a request that they can parse");
        assert_eq!((parsed.family, parsed.protocol), (2, 6), "AF_INET, TCP");
        assert_eq!(parsed.states, StateFlags::all() - StateFlags::CLOSE);
        let diag = socket(AddressFamily::NETLINK, SocketType::DGRAM, Some(SOCK_DIAG));
        let diag = diag.expect("sock_diag needs no privilege");
        set_socket_timeout(&diag, Timeout::Recv, Some(LIMIT)).expect("a short time");
        send(&diag, &request, SendFlags::empty()).expect("the kernel takes it");
        let mut datagram = vec![0; 32 * 1024];
        let (_, length) =
            recv(&diag, &mut *datagram, RecvFlags::empty()).expect("the kernel answers");
        let ours = ours(&datagram[..length]);
        let theirs = theirs(&datagram[..length]);
        assert_eq!((ours.len(), theirs.len()), (5, 5), "a listener and two pairs");
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_same_socket(ours, theirs);
        }
        drop((accepted, other));
    });
}

fn ours(datagram: &[u8]) -> Vec<SocketRow> {
    let row = |(_, message)| match message {
        Message::Socket(body) => body.row().expect("a socket"),
        other => panic!("{other:?} is no socket"),
    };
    NetlinkMessages::new(datagram).map(row).collect()
}

fn theirs(mut datagram: &[u8]) -> Vec<InetResponseHeader> {
    let mut headers = Vec::new();
    while !datagram.is_empty() {
        let message = NetlinkMessage::deserialize(datagram).expect("a message");
        let length = usize::try_from(message.header.length).expect("a length");
        datagram = &datagram[length.next_multiple_of(4)..];
        let NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) = message.payload
        else {
            panic!("{message:?} is no socket")
        };
        headers.push(response.header);
    }
    headers
}

fn assert_same_socket(ours: &SocketRow, theirs: &InetResponseHeader) {
    let id = &theirs.socket_id;
    let end = |addr, port| Endpoint { addr, port };
    assert_eq!(ours.addrs.local, end(id.source_address, id.source_port));
    assert_eq!(ours.addrs.remote, end(id.destination_address, id.destination_port));
    let [low, high] =
        [0, 4].map(|at| u32::from_ne_bytes(id.cookie[at..at + 4].try_into().unwrap()));
    assert_eq!(ours.cookie, u64::from(high) << 32 | u64::from(low));
    assert_eq!(ours.ifindex, id.interface_id);
    assert_eq!(ours.state.code(), theirs.state);
    assert_eq!((ours.inode, ours.uid), (theirs.inode.into(), theirs.uid));
    let queues =
        (ours.details.rx_queue, ours.details.backlog_limit.unwrap_or(ours.details.tx_queue));
    assert_eq!(queues, (theirs.recv_queue, theirs.send_queue));
    let (timer, left) = match &theirs.timer {
        None => (Timer::None, None),
        Some(TheirTimer::TimeWait) => (Timer::TimeWait, None), // they do not parse the time
        Some(TheirTimer::Retransmit(left, _)) => (Timer::Retransmit, Some(left)),
        Some(TheirTimer::KeepAlive(left)) => (Timer::Keepalive, Some(left)),
        Some(TheirTimer::Probe(left)) => (Timer::Probe, Some(left)),
    };
    assert_eq!(ours.details.timer, timer);
    assert!(left.is_none_or(|left| left.as_millis() / 10 == u128::from(ours.details.timer_left)));
}
