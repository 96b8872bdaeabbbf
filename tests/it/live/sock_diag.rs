//! The client of sock_diag, asked about real sockets.

use crate::old_support::netns::isolated;
use crate::old_support::sockets::{ANY_PORT, bound, connecting, end, listener, pair, reset};
use crate::old_support::wait::until;
use socket2::{Domain, Socket, Type};
use std::collections::HashSet;
use std::net::{SocketAddr, SocketAddrV4};
use tcplapse::model::reading::{LookupRequest, LookupResult};
use tcplapse::model::socket::{AddressPair, Endpoint, Family};
use tcplapse::model::socket_row::SocketRow;
use tcplapse::source::netlink::client::{DeathWatch, SockDiag};
use tcplapse::source::netlink::wire::{States, Which};
use tcplapse::tcp::state::State;

fn client() -> SockDiag {
    SockDiag::open().expect("sock_diag answers anybody")
}

fn dump(client: &mut SockDiag, family: Family) -> Vec<SocketRow> {
    let mut rows = Vec::new();
    let dump = client.dump(family, Which::In(States::ALL), &mut rows).expect("a dump");
    assert_eq!(dump.bad_rows, 0);
    rows
}

fn endpoint(addr: SocketAddr) -> Endpoint {
    Endpoint { addr: addr.ip(), port: addr.port() }
}

/// The ends of a connected socket, as it says itself.
fn addrs(socket: &Socket) -> AddressPair {
    let local = endpoint(end(&socket.local_addr()).into());
    let remote = endpoint(end(&socket.peer_addr()).into());
    AddressPair { family: Family::Ipv4, local, remote }
}

/// What a reader of `/proc` would ask: neither cookie nor interface.
fn as_proc_asks(row: &SocketRow) -> LookupRequest {
    LookupRequest { addrs: row.addrs, inode: row.inode, cookie: 0, ifindex: 0 }
}

fn as_netlink_asks(row: &SocketRow) -> LookupRequest {
    LookupRequest { addrs: row.addrs, inode: row.inode, cookie: row.cookie, ifindex: row.ifindex }
}

#[test]
fn a_look_up_tells_the_living_from_the_gone_and_from_a_successor() {
    isolated(|| {
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let (first, accepted) = pair(&server, ANY_PORT);
        let here = addrs(&first);
        let mut client = client();
        let rows = dump(&mut client, Family::Ipv4);
        let old = *rows.iter().find(|row| row.addrs == here).expect("it is there");
        for question in [as_proc_asks(&old), as_netlink_asks(&old)] {
            let Some(LookupResult::There(row)) = client.look_up(&question) else {
                panic!("it lives")
            };
            assert_eq!(row, old);
        }
        reset(first);
        drop(accepted);
        for question in [as_proc_asks(&old), as_netlink_asks(&old)] {
            assert_eq!(client.look_up(&question), Some(LookupResult::Gone), "not the listener");
        }
        let (_second, _accepted) = pair(&server, end_of(here.local));
        let asked = client.look_up(&as_proc_asks(&old));
        let Some(LookupResult::There(new)) = asked else { panic!("these ends are used again") };
        assert_eq!(new.addrs, here);
        assert_ne!((new.inode, new.cookie), (old.inode, old.cookie));
        assert_eq!(client.look_up(&as_netlink_asks(&old)), Some(LookupResult::Gone));
    });
}

fn end_of(end: Endpoint) -> SocketAddrV4 {
    match SocketAddr::from(end) {
        SocketAddr::V4(v4) => v4,
        SocketAddr::V6(v6) => panic!("{v6} is no IPv4 end"),
    }
}

#[test]
fn each_listener_of_a_group_is_found_and_its_end_is_proven() {
    isolated(|| {
        let port = end(&listener(ANY_PORT, 1).expect("a port is free").local_addr());
        let mut group: Vec<Socket> = (1..=4).map(|backlog| member(port, backlog)).collect();
        let mut client = client();
        let rows = dump(&mut client, Family::Ipv4);
        let mut limits: Vec<_> = rows.iter().filter_map(|row| row.backlog_limit).collect();
        limits.sort_unstable();
        assert_eq!(limits, [1, 2, 3, 4], "as listen() got them");
        for row in &rows {
            for question in [as_proc_asks(row), as_netlink_asks(row)] {
                assert_eq!(client.look_up(&question), Some(LookupResult::There(*row)));
            }
        }
        let gone = *rows.iter().find(|row| row.backlog_limit == Some(3)).expect("listed above");
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
fn a_socket_bound_to_a_device_is_not_taken_for_gone() {
    isolated(|| {
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let client_end = bound(ANY_PORT).expect("a port is free");
        if let Err(error) = client_end.bind_device(Some(b"lo")) {
            return crate::old_support::netns::skip(&format!("cannot bind to a device: {error}"));
        }
        client_end.connect(&server.local_addr().expect("it is bound")).expect("loopback is up");
        let here = addrs(&client_end);
        let mut client = client();
        let rows = dump(&mut client, Family::Ipv4);
        let row = *rows.iter().find(|row| row.addrs == here).expect("it is there");
        assert_eq!(row.ifindex, 1, "lo is the first device");
        assert_eq!(client.look_up(&as_netlink_asks(&row)), Some(LookupResult::There(row)));
        let unknown = as_proc_asks(&row);
        let other = addrs(&server.accept().expect("it is connected").0);
        let gone = LookupRequest {
            addrs: AddressPair { local: Endpoint { port: 1, ..other.local }, ..other },
            ..unknown
        };
        assert_eq!(client.lookup(&[unknown, gone]), [(gone, LookupResult::Gone)]);
        drop(client_end);
    });
}

#[test]
fn deaths_are_told_with_the_cookies_and_ends_that_are_left() {
    isolated(|| {
        let mut watch = DeathWatch::open(None).expect("anybody may subscribe");
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let (first, accepted) = pair(&server, ANY_PORT);
        let (reset_ends, other) = (addrs(&first), addrs(&accepted));
        let rows = dump(&mut client(), Family::Ipv4);
        let cookie =
            |addrs| rows.iter().find(|row| row.addrs == addrs).expect("it is there").cookie;
        reset(first);
        until("the reset to arrive", || (accepted.take_error().ok()??.raw_os_error()).map(drop));
        drop(accepted);
        // Nobody answers there.
        let port_1 = SocketAddrV4::new(*ANY_PORT.ip(), 1);
        let refused = connecting(ANY_PORT, port_1).expect("a port is free");
        until("the refusal", || refused.take_error().ok()?.map(drop));
        drop(refused);
        drop(Socket::new(Domain::IPV4, Type::STREAM, None));
        let mut dead = Vec::new();
        until("three deaths", || {
            let deaths = watch.drain()?;
            assert!(!deaths.overrun);
            dead.extend(deaths.dead);
            (dead.len() >= 3).then_some(())
        });
        drop(server);
        let of = |cookie| dead.iter().find(|(_, dead)| *dead == cookie).map(|(addrs, _)| *addrs);
        assert_eq!(of(cookie(reset_ends)), Some(None), "a reset wipes its ends out");
        assert_eq!(of(cookie(other)), Some(Some(other)));
        assert_eq!(dead.len(), 3, "who met nobody has had no life: {dead:?}");
    });
}

#[test]
fn each_death_among_hundreds_of_short_connections_is_told_once() {
    const CONNECTIONS: usize = 300;
    isolated(|| {
        let mut watch = DeathWatch::open(Some(Family::Ipv4)).expect("anybody may subscribe");
        churn(CONNECTIONS);
        let mut cookies = HashSet::new();
        let mut told = 0;
        until("all deaths", || {
            let deaths = watch.drain()?;
            assert!(!deaths.overrun, "there is room for them");
            told += deaths.dead.len();
            cookies.extend(deaths.dead.into_iter().map(|(_, cookie)| cookie));
            (cookies.len() >= 2 * CONNECTIONS).then_some(())
        });
        assert_eq!((told, cookies.len()), (2 * CONNECTIONS, 2 * CONNECTIONS));
        assert_eq!(watch.drain(), None, "the listener met nobody");
    });
}

#[test]
fn notices_that_find_no_room_are_told_as_lost() {
    /// More than there is room for, whoever asks for it.
    const CONNECTIONS: usize = 15_000;
    isolated(|| {
        let open = || DeathWatch::open(None).expect("anybody may subscribe");
        let (mut idle, mut busy) = (open(), open());
        std::thread::scope(|scope| {
            scope.spawn(|| churn(CONNECTIONS));
            let mut told = 0;
            // The kernel sends them some time after the deaths, to all who listen.
            until("all notices", || {
                let deaths = busy.drain()?;
                told += deaths.dead.len();
                (deaths.overrun || told >= 2 * CONNECTIONS).then_some(())
            });
        });
        let deaths = idle.drain().expect("it has told nothing yet");
        assert!(deaths.overrun);
        assert!((1..2 * CONNECTIONS).contains(&deaths.dead.len()), "{} told", deaths.dead.len());
    });
}

/// Opens and resets connections, one after the other.
fn churn(connections: usize) {
    let server = listener(ANY_PORT, 128).expect("a port is free");
    for _ in 0..connections {
        let (first, accepted) = pair(&server, ANY_PORT);
        reset(first);
        drop(accepted);
    }
}

#[test]
fn no_living_socket_is_denied_while_thousands_come_and_go() {
    const PAIRS: usize = 20;
    isolated(|| {
        let server = listener(ANY_PORT, 128).expect("a port is free");
        let quiet: Vec<_> = (0..PAIRS).map(|_| pair(&server, ANY_PORT)).collect();
        let mut client = client();
        let rows = dump(&mut client, Family::Ipv4);
        assert_eq!(rows.len(), 2 * PAIRS + 1);
        let churned = std::thread::scope(|scope| {
            let churn = scope.spawn(|| churn(2000));
            let mut asked = 0;
            while !churn.is_finished() {
                for row in &rows {
                    let questions = [as_proc_asks(row), as_netlink_asks(row)];
                    for (_, answer) in client.lookup(&questions) {
                        let LookupResult::There(found) = answer else { panic!("denied: {row:?}") };
                        assert_eq!(found.cookie, row.cookie);
                        assert_eq!(found.state, row.state);
                        asked += 1;
                    }
                }
            }
            asked
        });
        assert!(churned > rows.len(), "{churned} look-ups are few");
        assert!(rows.iter().any(|row| row.state == State::Listen));
        drop(quiet);
    });
}
