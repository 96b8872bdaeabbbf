//! The story that the program was made for: a client closes first, its server later.

use crate::old_support::actor::Actor;
use crate::old_support::netns::isolated;
use crate::old_support::program::Watch;
use crate::old_support::record::{Event, Line};

const SERVER: &str = "127.0.0.1:7000";
const QUICK: [&str; 2] = ["-i", "20ms"];

#[test]
fn both_ends_of_a_connection_are_followed_with_their_owners() {
    isolated(|| {
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        let (server_pid, client_pid) = (server.pid(), client.pid());
        let of_client = Watch::start(&["client", QUICK[0], QUICK[1]]);
        let of_server = Watch::start(&["server", QUICK[0], QUICK[1]]);

        server.tell(&format!("listen l {SERVER} 8"));
        of_server.until("the listener", |told| told.to == "LISTEN");
        client.tell(&format!("connect c 127.0.0.1:0 {SERVER}"));
        of_client.until("the client's end", |told| told.to == "ESTABLISHED");
        of_server.until("the server's end", |told| told.to == "ESTABLISHED");
        let name = server.tell("accept l");
        client.exit();
        of_client.until("the half-closed client", |told| told.to == "FIN_WAIT2");
        of_server.until("the half-closed server", |told| told.to == "CLOSE_WAIT");
        server.tell(&format!("close {name}"));
        of_client.until("the client's end in TIME_WAIT", |told| told.to == "TIME_WAIT");
        of_server.until("the end of the server's", |told| told.event == "closed");

        the_client_closed_first(&events(of_client.stop()), client_pid);
        the_server_closed_second(&events(of_server.stop()), server_pid);
    });
}

fn events(lines: Vec<Line>) -> Vec<Event> {
    let event = |line| match line {
        Line::Event(event) => *event,
        Line::Lost(lost) => panic!("nothing can have been lost: {lost:?}"),
    };
    lines.into_iter().map(event).collect()
}

fn the_client_closed_first(told: &[Event], pid: u32) {
    owned_by(told, pid, "client");
    assert!(told.iter().all(|event| event.id == told[0].id && event.remote_port == 7000));
    let passed = passed(told);
    assert_eq!(told[0].event, "opened", "{passed:?}");
    let kept = |state: &&str| !["SYN_SENT", "ESTABLISHED"].contains(state);
    let closing: Vec<&str> = passed.iter().copied().filter(kept).collect();
    assert!(passed.contains(&"ESTABLISHED"), "{passed:?}");
    assert_eq!(closing, ["FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"], "{passed:?}");
    let last = told.last().expect("there are some");
    assert_eq!(last.closer.as_deref(), Some("local"), "{last:?}");
    assert_eq!(last.owner_source, "remembered", "{last:?}");
}

fn the_server_closed_second(told: &[Event], pid: u32) {
    owned_by(told, pid, "server");
    let (listener, accepted): (Vec<_>, Vec<_>) =
        told.iter().cloned().partition(|event| event.to == "LISTEN");
    assert_eq!(listener.len(), 1, "{listener:?}");
    assert!(accepted.iter().all(|event| event.id == accepted[0].id));
    let kept = |state: &&str| !["SYN_RECV", "LAST_ACK"].contains(state);
    let passed: Vec<&str> = passed(&accepted).into_iter().filter(kept).collect();
    assert_eq!(passed, ["ESTABLISHED", "CLOSE_WAIT", "CLOSED"]);
    let last = accepted.last().expect("there are some");
    assert_eq!(last.closer.as_deref(), Some("remote"), "{last:?}");
}

/// What was seen and what is certain, in order.
fn passed(told: &[Event]) -> Vec<&str> {
    told.iter().flat_map(|event| event.via.iter().chain([&event.to])).map(String::as_str).collect()
}

fn owned_by(told: &[Event], pid: u32, name: &str) {
    for event in told {
        assert_eq!(event.pid, Some(pid), "{event:?}");
        assert_eq!(event.process.as_deref(), Some(name), "{event:?}");
    }
}
