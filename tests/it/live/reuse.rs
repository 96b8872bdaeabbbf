//! The same 4-tuple, used again and again.

use crate::support::netns::isolated;
use crate::support::program::Program;
use crate::support::record::Event;
use crate::support::sockets::{end, listener, pair, reset_pair};
use nix::sys::signal::Signal;
use socket2::Socket;
use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddrV4};

const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7000);
const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7001);
const USES: usize = 8;

#[test]
fn every_use_of_a_4_tuple_is_a_socket_of_its_own() {
    isolated(|| reuse_within_one_interval("proc"));
}

#[test]
fn every_use_of_a_4_tuple_is_a_socket_of_its_own_by_netlink() {
    isolated(|| reuse_within_one_interval("netlink"));
}

/// Both sockets of a connection.
struct Connection {
    client: Socket,
    accepted: Socket,
}

impl Connection {
    fn open(server: &Socket) -> Self {
        let (client, accepted) = pair(server, CLIENT);
        Self { client, accepted }
    }

    /// In the order of their ports.
    fn inodes(&self) -> [u64; 2] {
        [&self.accepted, &self.client].map(|socket| rustix::fs::fstat(socket).expect("open").st_ino)
    }
}

/// Between two polls, each connection is closed and followed by the next one: no poll sees the
/// 4-tuple unused, or used by a connection that is not accepted yet.
fn reuse_within_one_interval(source: &str) {
    let server = listener(SERVER, 8).expect("the port is free");
    assert_eq!(end(&server.local_addr()), SERVER);
    let mut connection = Connection::open(&server);
    let mut inodes = vec![connection.inodes()];
    let args = ["--port", "7001", "-i", "20ms", "--source", source];
    let mut watch = Program::watch(&args);
    for _ in 1..USES {
        watch.pause();
        let Connection { client, accepted } = connection;
        reset_pair(client, accepted);
        connection = Connection::open(&server);
        inodes.push(connection.inodes());
        watch.signal(Signal::SIGCONT);
        for _ in 0..2 {
            watch.until("the next use", |event| event.event == "opened");
        }
    }
    let recorded = watch.stop().recorded();
    for (place, port) in [SERVER.port(), CLIENT.port()].into_iter().enumerate() {
        let inodes: Vec<u64> = inodes.iter().map(|inodes| inodes[place]).collect();
        let of_port = recorded.events.iter().filter(|event| event.local_port == port);
        assert_one_socket_per_inode(&of_port.collect::<Vec<_>>(), &inodes);
    }
}

fn assert_one_socket_per_inode(events: &[&Event], inodes: &[u64]) {
    let sockets: Vec<&[&Event]> = events.chunk_by(|event, next| event.id == next.id).collect();
    assert_eq!(sockets.len(), inodes.len(), "{events:#?}");
    let ids: HashSet<&str> = sockets.iter().map(|socket| socket[0].id.as_str()).collect();
    assert_eq!(ids.len(), sockets.len(), "the events of two sockets are mixed: {events:#?}");
    for (number, (socket, inode)) in sockets.iter().zip(inodes).enumerate() {
        let kinds: Vec<&str> = socket.iter().map(|event| event.event.as_str()).collect();
        let first = if number == 0 { "present" } else { "opened" };
        let expected: &[&str] = if number + 1 == USES { &[first] } else { &[first, "closed"] };
        assert_eq!(kinds, expected, "{socket:#?}");
        assert_eq!(socket[0].inode, Some(*inode), "{socket:#?}");
    }
}
