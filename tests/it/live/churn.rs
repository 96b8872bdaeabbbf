//! Sockets that do nothing, among thousands that come and go.

use crate::old_support::netns::isolated;
use crate::old_support::program::Watch;
use crate::old_support::record::Line;
use crate::old_support::sockets::{bound, end, listener, pair, reset};
use socket2::Socket;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

const PAIRS: usize = 64;
const HERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
/// Listener and clients of the quiet pairs.
const QUIET_PORTS: (u16, u16) = (20_000, 20_064);
const CHURN: Duration = Duration::from_secs(3);
/// No run makes more connections than this.
const MOST: usize = 100_000;

#[test]
fn quiet_sockets_are_told_once_whatever_happens_around_them() {
    isolated(|| quiet_among_thousands("proc"));
}

#[test]
fn quiet_sockets_are_told_once_by_netlink_too() {
    isolated(|| quiet_among_thousands("netlink"));
}

fn quiet_among_thousands(source: &str) {
    let quiet = quiet_pairs();
    let lines = std::thread::scope(|scope| {
        let churn = scope.spawn(churn);
        let range = format!("{}-{}", QUIET_PORTS.0, QUIET_PORTS.1);
        let often = ["-i", "10ms", "--max-cpu", "100", "--port", &range];
        let watch = Watch::start(&[&often[..], &["--source", source]].concat());
        let connections = churn.join().expect("churning does not fail");
        eprintln!("{connections} connections in {CHURN:?}");
        assert!(connections > 1000, "that was no churn");
        watch.stop()
    });
    let mut sockets: Vec<_> = lines.iter().map(present).collect();
    sockets.sort_unstable();
    sockets.dedup();
    let expected = 2 * PAIRS + 1; // the listener has one, too
    assert_eq!((lines.len(), sockets.len()), (expected, expected), "one record each");
    drop(quiet);
}

fn present(line: &Line) -> (std::net::SocketAddr, std::net::SocketAddr) {
    match line {
        Line::Event(event) if event.event == "present" => (event.local(), event.remote()),
        other => panic!("nothing happened to the quiet sockets: {other:?}"),
    }
}

fn quiet_pairs() -> Vec<(Socket, Socket)> {
    let (first, last) = QUIET_PORTS;
    let server = listener(SocketAddrV4::new(*HERE.ip(), first), 128).expect("the port is free");
    let client = |port| pair(&server, SocketAddrV4::new(*HERE.ip(), port));
    let mut pairs: Vec<_> = (first + 1..=last).map(client).collect();
    assert_eq!(pairs.len(), PAIRS);
    // The listener stays as long as the last pair.
    pairs.push((server, bound(HERE).expect("a port is free")));
    pairs
}

/// Opens and resets connections; returns how many.
fn churn() -> usize {
    let server = listener(SocketAddrV4::new(*HERE.ip(), 30_000), 128).expect("the port is free");
    assert_eq!(end(&server.local_addr()).port(), 30_000);
    let until = Instant::now() + CHURN;
    let mut count = 0;
    while Instant::now() < until && count < MOST {
        let (client, accepted) = pair(&server, HERE);
        reset(client);
        drop(accepted);
        count += 1;
    }
    count
}
