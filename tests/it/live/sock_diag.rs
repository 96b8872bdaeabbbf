//! The client of sock_diag on real sockets. What takes thousands of them is in the target `load`.

use crate::support::netns::isolated;
use crate::support::require::{Feature, skip};
use crate::support::sockets::{ANY_PORT, bound, connecting, end, listener, pair, reset_pair};
use crate::support::wait::until;
use socket2::{Domain, Socket, Type};
use std::collections::HashSet;
use std::net::{SocketAddr, SocketAddrV4};
use tcplapse::testing::model::reading::{LookupRequest, LookupResult};
use tcplapse::testing::model::socket::{AddressPair, Endpoint, Family};
use tcplapse::testing::model::socket_row::SocketRow;
use tcplapse::testing::source::netlink::client::SockDiag;
use tcplapse::testing::source::netlink::destroy::DestroyListener;
use tcplapse::testing::source::netlink::wire::{Selection, StateMask};

fn client() -> SockDiag {
    SockDiag::open().expect("sock_diag answers anybody")
}

fn dump(client: &mut SockDiag, family: Family) -> Vec<SocketRow> {
    let mut rows = Vec::new();
    let dump = client.dump(family, Selection::In(StateMask::ALL), &mut rows).expect("a dump");
    assert_eq!(dump.bad_rows, 0);
    rows
}

fn endpoint(addr: SocketAddr) -> Endpoint {
    Endpoint { addr: addr.ip(), port: addr.port() }
}

/// The 4-tuple of a connected socket.
fn addrs(socket: &Socket) -> AddressPair {
    let local = endpoint(end(&socket.local_addr()).into());
    let remote = endpoint(end(&socket.peer_addr()).into());
    AddressPair::new(Family::Ipv4, local, remote)
}

/// As the source `proc` asks: without cookie and interface.
fn as_proc_asks(row: &SocketRow) -> LookupRequest {
    LookupRequest { addrs: row.addrs, inode: row.inode, cookie: 0, ifindex: 0 }
}

fn as_netlink_asks(row: &SocketRow) -> LookupRequest {
    LookupRequest { addrs: row.addrs, inode: row.inode, cookie: row.cookie, ifindex: row.ifindex }
}

#[test]
fn a_lookup_tells_open_from_closed_and_reused() {
    isolated(|| {
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let (first, accepted) = pair(&server, ANY_PORT);
        let here = addrs(&first);
        let mut client = client();
        let rows = dump(&mut client, Family::Ipv4);
        let old = *rows.iter().find(|row| row.addrs == here).expect("it is there");
        for question in [as_proc_asks(&old), as_netlink_asks(&old)] {
            let Some(LookupResult::There(row)) = client.look_up(&question) else {
                panic!("it is open")
            };
            assert_eq!(row, old);
        }
        reset_pair(first, accepted);
        for question in [as_proc_asks(&old), as_netlink_asks(&old)] {
            assert_eq!(client.look_up(&question), Some(LookupResult::Gone), "not the listener");
        }
        let (_second, _accepted) = pair(&server, socket_addr(here.local));
        let answer = client.look_up(&as_proc_asks(&old));
        let Some(LookupResult::There(new)) = answer else { panic!("the 4-tuple is in use again") };
        assert_eq!(new.addrs, here);
        assert_ne!((new.inode, new.cookie), (old.inode, old.cookie));
        assert_eq!(client.look_up(&as_netlink_asks(&old)), Some(LookupResult::Gone));
    });
}

fn socket_addr(end: Endpoint) -> SocketAddrV4 {
    match SocketAddr::from(end) {
        SocketAddr::V4(v4) => v4,
        SocketAddr::V6(v6) => panic!("{v6} is not an IPv4 address"),
    }
}

#[test]
fn each_listener_of_a_group_is_looked_up_by_itself() {
    isolated(|| {
        let port = end(&listener(ANY_PORT, 1).expect("a port is free").local_addr());
        let mut group: Vec<Socket> = (1..=4).map(|backlog| member(port, backlog)).collect();
        let mut client = client();
        let rows = dump(&mut client, Family::Ipv4);
        let mut limits: Vec<_> = rows.iter().filter_map(|row| row.details.backlog_limit).collect();
        limits.sort_unstable();
        assert_eq!(limits, [1, 2, 3, 4], "as listen() got them");
        for row in &rows {
            for question in [as_proc_asks(row), as_netlink_asks(row)] {
                assert_eq!(client.look_up(&question), Some(LookupResult::There(*row)));
            }
        }
        let gone =
            *rows.iter().find(|row| row.details.backlog_limit == Some(3)).expect("listed above");
        drop(group.remove(2));
        for row in &rows {
            let answer = if *row == gone { LookupResult::Gone } else { LookupResult::There(*row) };
            for question in [as_proc_asks(row), as_netlink_asks(row)] {
                assert_eq!(client.look_up(&question), Some(answer));
            }
        }
    });
}

/// A listener that shares its port.
fn member(port: SocketAddrV4, backlog: i32) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_port(true).expect("anybody may share a port");
    socket.bind(&port.into()).expect("the group shares the port");
    socket.listen(backlog).expect("it is bound");
    socket
}

#[test]
fn a_socket_bound_to_a_device_is_not_taken_for_closed() {
    isolated(|| {
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let client_end = bound(ANY_PORT).expect("a port is free");
        if let Err(error) = client_end.bind_device(Some(b"lo")) {
            return skip(Feature::Netns, &format!("cannot bind to a device: {error}"));
        }
        client_end.connect(&server.local_addr().expect("it is bound")).expect("loopback is up");
        let here = addrs(&client_end);
        let mut client = client();
        let rows = dump(&mut client, Family::Ipv4);
        let row = *rows.iter().find(|row| row.addrs == here).expect("it is there");
        assert_eq!(row.ifindex, 1, "lo is the first device");
        assert_eq!(client.look_up(&as_netlink_asks(&row)), Some(LookupResult::There(row)));
        let unknown = as_proc_asks(&row);
        let accepted = until("a connection to accept", || server.accept().ok()).0;
        let other = addrs(&accepted);
        let gone = LookupRequest {
            addrs: AddressPair { local: Endpoint { port: 1, ..other.local }, ..other },
            ..unknown
        };
        assert_eq!(client.look_up_all(&[unknown, gone]), [(gone, LookupResult::Gone)]);
        drop(client_end);
    });
}

#[test]
fn destroy_events_have_cookies_and_may_have_4_tuples() {
    isolated(|| {
        let mut events = DestroyListener::open(None).expect("anybody may subscribe");
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let (first, accepted) = pair(&server, ANY_PORT);
        let (reset_ends, other) = (addrs(&first), addrs(&accepted));
        let rows = dump(&mut client(), Family::Ipv4);
        let cookie =
            |addrs| rows.iter().find(|row| row.addrs == addrs).expect("it is there").cookie;
        let (reset_cookie, other_cookie) = (cookie(reset_ends), cookie(other));
        reset_pair(first, accepted);
        // Nobody answers there.
        let port_1 = SocketAddrV4::new(*ANY_PORT.ip(), 1);
        let refused = connecting(ANY_PORT, port_1).expect("a port is free");
        until("the refusal", || refused.take_error().ok().flatten());
        drop(refused);
        drop(Socket::new(Domain::IPV4, Type::STREAM, None));
        let mut destroyed = Vec::new();
        until("three events", || {
            let more = events.receive()?;
            assert!(!more.overrun);
            destroyed.extend(more.sockets);
            (destroyed.len() >= 3).then_some(())
        });
        drop(server);
        let of = |cookie| destroyed.iter().find(|of| of.cookie == cookie).map(|of| of.addrs);
        assert_eq!(of(reset_cookie), Some(None), "close() by a reset wipes the 4-tuple out");
        assert_eq!(of(other_cookie), Some(Some(other)));
        assert_eq!(destroyed.len(), 3, "an unused socket is not reported: {destroyed:?}");
    });
}

#[test]
fn each_of_hundreds_of_short_connections_is_destroyed_once() {
    const CONNECTIONS: usize = 300;
    isolated(|| {
        let mut events = DestroyListener::open(Some(Family::Ipv4)).expect("anybody may subscribe");
        let server = listener(ANY_PORT, 8).expect("a port is free");
        for _ in 0..CONNECTIONS {
            let (first, accepted) = pair(&server, ANY_PORT);
            reset_pair(first, accepted);
        }
        drop(server);
        let mut cookies = HashSet::new();
        let mut reported = 0;
        until("all destroy events", || {
            let more = events.receive()?;
            assert!(!more.overrun, "there is room for them");
            reported += more.sockets.len();
            cookies.extend(more.sockets.into_iter().map(|socket| socket.cookie));
            (cookies.len() >= 2 * CONNECTIONS).then_some(())
        });
        assert_eq!((reported, cookies.len()), (2 * CONNECTIONS, 2 * CONNECTIONS));
        assert_eq!(events.receive(), None, "a listener is not reported");
    });
}
