//! Connections that are opened and reset as fast as can be, beside sockets to which nothing happens.

use crate::alone;
use crate::support::netns::isolated;
use crate::support::program::{Program, Recorded};
use crate::support::sockets::{ANY_PORT, listener, pair, reset_pair};
use socket2::Socket;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};

/// No test makes more connections than this.
const MOST: usize = 200_000;

/// Opens and resets connections, one after the other, until `body` has returned.
pub(crate) fn beside_churn<T>(body: impl FnOnce() -> T) -> T {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let server = listener(ANY_PORT, 128).expect("a port is free");
            for _ in (0..MOST).take_while(|_| !over.load(Ordering::Relaxed)) {
                let (client, accepted) = pair(&server, ANY_PORT);
                reset_pair(client, accepted);
            }
        });
        let _over = Over(&over);
        body()
    })
}

const PAIRS: u16 = 64;
/// The listener of the idle pairs; their clients have the ports behind it.
const SERVER_PORT: u16 = 20_000;
const MARKER_PORT: u16 = SERVER_PORT + PAIRS + 1;
/// So many polls at least are made beside the churn.
const POLLS: usize = 50;

#[test]
fn idle_sockets_are_reported_once() {
    let _alone = alone();
    isolated(|| idle_beside_churn("proc"));
}

#[test]
fn idle_sockets_are_reported_once_by_netlink() {
    let _alone = alone();
    isolated(|| idle_beside_churn("netlink"));
}

fn idle_beside_churn(source: &str) {
    let _idle = idle_pairs();
    let ports = format!("{SERVER_PORT}-{MARKER_PORT}");
    let mut watch = Program::watch(&["-i", "5ms", "--port", &ports, "--source", source]);
    let mut expected = BTreeSet::from([(SERVER_PORT, 0, "present".to_owned())]);
    for port in SERVER_PORT + 1..MARKER_PORT {
        expected.insert((port, SERVER_PORT, "present".to_owned()));
        expected.insert((SERVER_PORT, port, "present".to_owned()));
    }
    let open_marker = || listener(local(MARKER_PORT), 1).expect("the port is free");
    beside_churn(|| {
        for _ in 0..POLLS / 2 {
            let marker = open_marker();
            watch.until("the marker", |event| event.event == "opened");
            drop(marker);
            watch.until("its end", |event| event.event == "closed");
        }
    });
    let Recorded { events, .. } = watch.stop().recorded();
    let (markers, idle): (Vec<_>, Vec<_>) =
        events.into_iter().partition(|event| event.local_port == MARKER_PORT);
    assert_eq!(markers.len(), POLLS / 2 * 2);
    assert_eq!(idle.len(), expected.len(), "nothing happened to them: {idle:?}");
    let idle = idle.into_iter().map(|event| (event.local_port, event.remote_port, event.event));
    assert_eq!(idle.collect::<BTreeSet<_>>(), expected);
}

const fn local(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

fn idle_pairs() -> (Socket, Vec<(Socket, Socket)>) {
    let server = listener(local(SERVER_PORT), 128).expect("the port is free");
    let pairs = (SERVER_PORT + 1..MARKER_PORT).map(|port| pair(&server, local(port)));
    let pairs = pairs.collect();
    (server, pairs)
}
