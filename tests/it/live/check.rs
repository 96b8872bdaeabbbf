//! `check` beside a server that does not close.

use crate::old_support::actor::Actor;
use crate::old_support::netns::isolated;
use crate::old_support::program::Asked;
use crate::old_support::record::Listed;
use crate::old_support::wait::until;

const QUICK: [&str; 6] = ["check", "-j", "-i", "20ms", "--max-cpu", "100"];

/// A server and a client with connections that the client has closed.
fn leak(connections: usize) -> (Actor, Actor) {
    let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
    server.tell("listen l 127.0.0.1:7000 8");
    for number in 0..connections {
        connect(&mut server, &mut client, number);
        client.tell(&format!("close {number}"));
    }
    (server, client)
}

/// Connects and accepts; returns the server's name for its end.
fn connect(server: &mut Actor, client: &mut Actor, number: usize) -> String {
    client.tell(&format!("connect {number} 127.0.0.1:0 127.0.0.1:7000"));
    until("the connection", || Some(server.tell("accept l")).filter(|name| !name.is_empty()))
}

#[test]
fn a_leak_is_found_with_its_owner() {
    isolated(|| {
        let (server, _client) = leak(2);
        let mut check =
            Asked::start(&[&QUICK[..], &["--stuck", "CLOSE_WAIT:200ms", "server"]].concat());
        let (status, printed, told) = check.answer();
        assert_eq!(status, 1, "{told}");
        let offenders: Vec<Listed> = printed.lines().map(Listed::parse).collect();
        assert_eq!(offenders.len(), 2, "{printed}");
        for offender in offenders {
            assert_eq!((offender.state.as_str(), offender.pid), ("CLOSE_WAIT", Some(server.pid())));
            assert!(offender.held.is_some_and(|held| held >= 0.2) && offender.held_at_least);
        }
        assert!(told.contains("2 sockets in CLOSE_WAIT for 200ms or longer\n"), "{told}");
    });
}

#[test]
fn a_server_that_closes_leaks_nothing() {
    isolated(|| {
        let (mut server, mut client) = leak(0);
        let mut check = Asked::start(
            &[&QUICK[..], &["--stuck", "CLOSE_WAIT:1s", "--max", "CLOSING:0"]].concat(),
        );
        // Half-closed for a moment again and again, but never for long.
        let mut number = 0;
        while check.goes_on() {
            let name = connect(&mut server, &mut client, number);
            client.tell(&format!("close {number}"));
            server.tell(&format!("close {name}"));
            number += 1;
            if number == 50 {
                break;
            }
        }
        let (status, printed, told) = check.answer();
        assert_eq!((status, printed.as_str()), (0, ""), "{told}");
    });
}

#[test]
fn a_leak_that_goes_on_is_growing() {
    isolated(|| {
        let (mut server, mut client) = leak(1);
        let growing = ["--growing", "CLOSE_WAIT", "--for", "1s"];
        let mut check = Asked::start(&[&QUICK[..], &growing].concat());
        let mut leaked = 1;
        while check.goes_on() && leaked < 100 {
            connect(&mut server, &mut client, leaked);
            client.tell(&format!("close {leaked}"));
            leaked += 1;
            std::thread::park_timeout(std::time::Duration::from_millis(50));
        }
        let (status, printed, told) = check.answer();
        assert_eq!(status, 1, "{told}");
        assert!(printed.lines().count() > 1 && told.contains("in CLOSE_WAIT grew from "), "{told}");
    });
}
