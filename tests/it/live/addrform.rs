//! Sockets of IPv6 that their process turns into sockets of IPv4 (IPV6_ADDRFORM).

use crate::support::netns::isolated;
use crate::support::program::{Program, list, run};
use crate::support::record::{Event, Life};
use crate::support::require::{Feature, skip};
use crate::support::sockets::{bound, listener};
use crate::support::wait::until;
use socket2::Socket;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::process::Command;

/// `setsockopt(IPPROTO_IPV6, IPV6_ADDRFORM, AF_INET)` on standard input.
const TURN: &str = "import socket; socket.socket(fileno=0).setsockopt(41, 1, 2)";

/// A connection between IPv4-mapped addresses.
struct Connection {
    _server: Socket,
    client: Socket,
    accepted: Socket,
    /// The ports of these two.
    ports: [u16; 2],
}

impl Connection {
    fn open() -> Self {
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let port = |socket: &Socket| {
            socket.local_addr().ok().and_then(|addr| addr.as_socket()).expect("bound").port()
        };
        let server = listener(any, 1).expect("a kernel with IPv6");
        let client = bound(any).expect("a port is free");
        let loopback = (Ipv4Addr::LOCALHOST.to_ipv6_mapped(), port(&server));
        client.connect(&SocketAddr::from(loopback).into()).expect("the server listens");
        let (accepted, _) = until("a connection to accept", || server.accept().ok());
        let ports = [port(&client), port(&server)];
        Self { _server: server, client, accepted, ports }
    }
}

fn turn_into_ipv4(socket: &Socket) -> Result<(), &'static str> {
    let same = OwnedFd::from(socket.try_clone().expect("a descriptor is free"));
    let turned = Command::new("python3").args(["-c", TURN]).stdin(same).status();
    match turned {
        Ok(status) => status.success().then_some(()).ok_or("the kernel refuses IPV6_ADDRFORM"),
        Err(_) => Err("no python3"),
    }
}

fn with_each_source(test: impl Fn(&str) + Send + Sync) {
    isolated(|| {
        for source in ["proc", "netlink", "trace"] {
            let tried = run(&["--source", source, "--for", "1ms"]);
            if tried.code == Some(0) {
                test(source);
            } else {
                skip(Feature::Trace, &tried.stderr);
            }
        }
    });
}

/// Which of both ends, the one that closes first and the other one, are turned while they are open.
fn one_socket_before_and_after(source: &str, turned: [bool; 2]) {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = folder.path().join("recording").display().to_string();
    let args = ["--source", source, "-i", "10ms", "--record", &recording];
    let mut watch = Program::watch(&args);
    let Connection { _server, client, accepted, ports } = Connection::open();
    let mut until_in = |states: [&[&str]; 2]| {
        let mut waits = [true; 2];
        while waits != [false; 2] {
            let event = watch.event();
            for (end, port) in ports.into_iter().enumerate() {
                let is_there = event.remote_port != 0 && event.local_port == port;
                waits[end] &= !(is_there && states[end].contains(&event.to.as_str()));
            }
        }
    };
    until_in([&["ESTABLISHED"]; 2]);
    for (socket, _) in [&client, &accepted].into_iter().zip(turned).filter(|(_, turned)| *turned) {
        if let Err(reason) = turn_into_ipv4(socket) {
            return skip(Feature::Python, reason);
        }
    }
    let listed = list(&["-s", "established"]);
    let families = ports.map(|port| {
        let mut rows = listed.iter().filter(|row| row.local_port == port);
        rows.next().expect("it is open").family.clone()
    });
    assert_eq!(families, turned.map(|turned| if turned { "ipv4" } else { "ipv6" }), "{source}");
    client.shutdown(Shutdown::Write).expect("it is connected");
    until_in([&["FIN_WAIT2"], &["CLOSE_WAIT"]]);
    drop(accepted);
    until_in([&["TIME_WAIT"], &["CLOSED"]]);
    let events = watch.stop().recorded().events;
    for (port, family) in ports.into_iter().zip(&families) {
        let is_of_it = |event: &&Event| event.remote_port != 0 && event.local_port == port;
        let of_it: Vec<&Event> = events.iter().filter(is_of_it).collect();
        assert!(of_it.iter().all(|event| event.id == of_it[0].id), "{source}: {of_it:#?}");
        for event in &of_it {
            let was_open =
                event.from.as_deref().is_some_and(|from| from != "SYN_SENT" && from != "SYN_RECV");
            let family = if was_open { family } else { "ipv6" };
            assert_eq!(event.family, family, "{source}: {event:#?}");
            assert!(
                event.from.is_none() || !event.via.contains(&"SYN_SENT".to_owned()),
                "{event:#?}"
            );
            let wanted = (event.event == "closed").then(|| "remote-close".to_owned());
            assert_eq!(event.verdict, wanted, "{source}: {event:#?}");
        }
    }
    let replayed = run(&["replay", "-j", &recording]).recorded();
    assert_eq!(replayed.events, events, "{source}");
    let lives = run(&["replay", "-j", "--view", "timeline", &recording]);
    for (port, family) in ports.into_iter().zip(&families) {
        let lives = lives.stdout.lines().map(Life::parse);
        let lives: Vec<Life> =
            lives.filter(|life| life.remote_port != 0 && life.local_port == port).collect();
        assert_eq!((lives.len(), &lives[0].family), (1, family), "{source}: {lives:#?}");
    }
}

#[test]
fn both_ends_stay_the_sockets_that_they_were() {
    with_each_source(|source| one_socket_before_and_after(source, [true, true]));
}

#[test]
fn a_socket_that_connected_stays_the_one_that_it_was() {
    with_each_source(|source| one_socket_before_and_after(source, [true, false]));
}

#[test]
fn an_accepted_socket_stays_the_one_that_it_was() {
    with_each_source(|source| one_socket_before_and_after(source, [false, true]));
}

/// Where IPv6 alone is asked for, neither polls nor events show it any more.
#[test]
fn a_socket_that_leaves_ipv6_is_not_reported_as_closed() {
    with_each_source(|source| {
        let mut watch = Program::watch(&["-6", "--source", source, "-i", "10ms"]);
        let connection = Connection::open();
        let is_open =
            |event: &Event| event.to == "ESTABLISHED" && event.local_port == connection.ports[0];
        watch.until("the connection", is_open);
        if let Err(reason) = turn_into_ipv4(&connection.client) {
            return skip(Feature::Python, reason);
        }
        // Polls show each of these, and later that it is gone.
        for _ in 0..3 {
            let another = listener((Ipv6Addr::LOCALHOST, 0), 1).expect("a port is free");
            let is_it = |event: &Event| event.to == "LISTEN" && event.local_addr.is_loopback();
            watch.until("another socket", is_it);
            drop(another);
            let closed = watch.until("its end", |event| event.event == "closed");
            assert_eq!(closed.from.as_deref(), Some("LISTEN"), "{source}: {closed:#?}");
        }
    });
}
