//! Both ends of a connection from open to close: the client closes first, the server later.

use crate::support::actor::Actor;
use crate::support::netns::isolated;
use crate::support::program::Program;
use crate::support::record::Event;

const SERVER: &str = "127.0.0.1:7000";

#[test]
fn both_ends_are_followed_with_their_owners() {
    isolated(|| {
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        let (server_pid, client_pid) = (server.pid(), client.pid());
        let mut of_client = Program::watch(&["client", "-i", "20ms"]);
        let mut of_server = Program::watch(&["server", "-i", "20ms"]);

        server.order(&format!("listen l {SERVER} 8"));
        of_server.until("the listener", |event| event.to == "LISTEN");
        client.connect("c", SERVER);
        of_client.until("the client's socket", |event| event.to == "ESTABLISHED");
        of_server.until("the server's socket", |event| event.to == "ESTABLISHED");
        let accepted = server.accept("l");
        client.exit();
        of_client.until("the half-closed client", |event| event.to == "FIN_WAIT2");
        of_server.until("the half-closed server", |event| event.to == "CLOSE_WAIT");
        server.order(&format!("close {accepted}"));
        of_client.until("TIME_WAIT of the client", |event| event.to == "TIME_WAIT");
        of_server.until("the end of the server's socket", |event| event.event == "closed");

        the_client_closed_first(&of_client.stop().recorded().events, client_pid);
        the_server_closed_second(&of_server.stop().recorded().events, server_pid);
    });
}

fn the_client_closed_first(events: &[Event], pid: u32) {
    assert_owner(events, pid, "client");
    assert!(events.iter().all(|event| event.id == events[0].id && event.remote_port == 7000));
    let states = states(events);
    assert_eq!(events[0].event, "opened", "{states:?}");
    let after = states.split(|state| *state == "ESTABLISHED").next_back().expect("never empty");
    assert_eq!(after, ["FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"], "{states:?}");
    let last = events.last().expect("there are some");
    assert_eq!(last.closer.as_deref(), Some("local"), "{last:?}");
    assert_eq!(last.owner_source, "remembered", "{last:?}");
}

fn the_server_closed_second(events: &[Event], pid: u32) {
    assert_owner(events, pid, "server");
    let (listener, accepted): (Vec<_>, Vec<_>) =
        events.iter().cloned().partition(|event| event.to == "LISTEN");
    assert_eq!(listener.len(), 1, "{listener:?}");
    assert!(accepted.iter().all(|event| event.id == accepted[0].id), "{accepted:?}");
    // These two may or may not have met a poll.
    let sure = |state: &&str| !["SYN_RECV", "LAST_ACK"].contains(state);
    let states: Vec<&str> = states(&accepted).into_iter().filter(sure).collect();
    assert_eq!(states, ["ESTABLISHED", "CLOSE_WAIT", "CLOSED"]);
    let last = accepted.last().expect("there are some");
    assert_eq!(last.closer.as_deref(), Some("remote"), "{last:?}");
}

/// The states that were observed or are certain, in order.
fn states(events: &[Event]) -> Vec<&str> {
    let of_each = events.iter().flat_map(|event| event.via.iter().chain([&event.to]));
    of_each.map(String::as_str).collect()
}

fn assert_owner(events: &[Event], pid: u32, name: &str) {
    for event in events {
        assert_eq!(event.pid, Some(pid), "{event:?}");
        assert_eq!(event.process.as_deref(), Some(name), "{event:?}");
    }
}
