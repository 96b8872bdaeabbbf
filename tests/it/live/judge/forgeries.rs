//! A judge that cannot condemn proves nothing: true records pass, forged ones do not.

use super::claims::{Report, judge};
use super::truth::{Life, Lives, When, lives};
use crate::old_support::record::{Event, Owner, Time};
use crate::old_support::trace::{Traced, What};
use std::collections::HashSet;
use std::net::SocketAddrV4;

const CLIENT: &str = "127.100.0.1:20000";
const SERVER: &str = "127.200.0.1:7000";
const PID: u32 = 77;
const MS: i64 = 1000;

#[test]
fn true_records_are_acquitted() {
    let report = judge(&story(), &truth());
    assert!(report.errors.is_empty(), "{:#?}", report.errors);
    assert!(report.claims > 30);
    assert_eq!((report.told, report.due), (1, 1), "the server's end was gone too soon to be due");
}

#[test]
fn every_forgery_is_condemned() {
    type Forge = fn(&mut Vec<Event>);
    let forgeries: [(&str, Forge); 16] = [
        ("never was", |told| told[1].to = "CLOSING".to_owned()),
        ("certain of what was not", |told| told[1].via = words(&["CLOSE_WAIT"])),
        ("certain of what was not", |told| told[1].via = words(&["FIN_WAIT1", "FIN_WAIT1"])),
        ("rules out", |told| told[1].via.clear()),
        ("rules out", |told| told[0].maybe.clear()),
        ("does not go on", |told| told[1].from = words(&["SYN_SENT"]).pop()),
        ("before it happened", |told| told[2].time = Time(150 * MS)),
        ("was over", |told| told[1].after = Some(Time(190 * MS))),
        ("no time", |told| told[1].after = Some(told[1].time)),
        ("who opened", |told| told[1].opener = words(&["remote"]).pop()),
        ("who closed", |told| told[1].closer = words(&["remote"]).pop()),
        ("never held", |told| told[1].pid = Some(78)),
        ("lists a process", |told| told[1].owners[0].pid = 78),
        ("never was", |told| told.push(closed("local-close"))),
        ("never told", |told| told[0].remote_port = 9),
        ("no such socket", |told| told[0].remote_port = 9),
    ];
    for (reason, forge) in forgeries {
        let mut told = story();
        forge(&mut told);
        condemned(&judge(&told, &truth()), reason);
    }
}

#[test]
fn an_end_too_early_and_a_false_verdict_are_condemned() {
    let mut lives = truth();
    life(&mut lives).end = Some(When::at(500 * MS));
    let mut told = story();
    told.push(closed("local-close"));
    let acquitted = judge(&told, &lives);
    assert!(acquitted.errors.is_empty(), "{:#?}", acquitted.errors);
    told[3].verdict = Some("remote-close".to_owned());
    condemned(&judge(&told, &lives), "misjudges the end");
    told[3].verdict = Some("local-close".to_owned());
    life(&mut lives).end = Some(When::at(900 * MS));
    condemned(&judge(&told, &lives), "before it happened");
}

fn condemned(report: &Report, reason: &str) {
    let found = report.errors.iter().any(|error| error.contains(reason));
    assert!(found, "expected '{reason}' among {:#?}", report.errors);
}

fn life(lives: &mut Lives) -> &mut Life {
    &mut lives.get_mut(&(end(CLIENT), end(SERVER))).expect("it is in the truth")[0]
}

/// The client opens, closes first, and is in `TIME_WAIT` once the server has closed, too.
fn truth() -> Lives {
    let client = [
        (100, "CLOSED", "SYN_SENT"),
        (100, "SYN_SENT", "ESTABLISHED"),
        (170, "ESTABLISHED", "FIN_WAIT1"),
        (171, "FIN_WAIT1", "FIN_WAIT2"),
        (171, "FIN_WAIT2", "CLOSED"),
    ];
    let server = [
        (100, "LISTEN", "SYN_RECV"),
        (100, "SYN_RECV", "ESTABLISHED"),
        (171, "ESTABLISHED", "CLOSE_WAIT"),
        (210, "CLOSE_WAIT", "LAST_ACK"),
        (211, "LAST_ACK", "CLOSED"),
    ];
    let traced = |local, remote, changes: &[(i64, &str, &str)]| {
        let one = |(at, from, to): &(i64, &str, &str)| Traced {
            at: at * MS,
            local: end(local),
            remote: end(remote),
            what: What::Change((*from).to_owned(), (*to).to_owned()),
        };
        changes.iter().map(one).collect::<Vec<_>>()
    };
    let mut all = [traced(CLIENT, SERVER, &client), traced(SERVER, CLIENT, &server)].concat();
    all.sort_by_key(|event| event.at);
    let table = HashSet::from([(end(CLIENT), end(SERVER))]);
    let mut lives = lives(&all, &table);
    lives.values_mut().flatten().for_each(|life| life.pid = Some(PID));
    lives
}

fn story() -> Vec<Event> {
    let opened =
        Event { maybe: words(&["SYN_SENT", "SYN_RECV"]), ..event("opened", 140, "ESTABLISHED") };
    let closer = Some("local".to_owned());
    let half = Event {
        from: words(&["ESTABLISHED"]).pop(),
        via: words(&["FIN_WAIT1"]),
        closer: closer.clone(),
        ..event("changed", 180, "FIN_WAIT2")
    };
    let over =
        Event { from: words(&["FIN_WAIT2"]).pop(), closer, ..event("changed", 220, "TIME_WAIT") };
    vec![opened, half, over]
}

fn closed(verdict: &str) -> Event {
    Event {
        from: words(&["TIME_WAIT"]).pop(),
        verdict: Some(verdict.to_owned()),
        ..event("closed", 520, "CLOSED")
    }
}

/// A record of the client's end, in a pass that began 40 ms after the one before.
fn event(event: &str, time: i64, to: &str) -> Event {
    let (local, remote) = (end(CLIENT), end(SERVER));
    Event {
        v: 1,
        event: event.to_owned(),
        time: Time(time * MS),
        after: Some(Time((time - 41) * MS)),
        id: "1".to_owned(),
        netns: None,
        family: "ipv4".to_owned(),
        local_addr: (*local.ip()).into(),
        local_port: local.port(),
        remote_addr: (*remote.ip()).into(),
        remote_port: remote.port(),
        from: None,
        via: Vec::new(),
        maybe: Vec::new(),
        to: to.to_owned(),
        held: None,
        held_at_least: false,
        pid: Some(PID),
        process: Some("client".to_owned()),
        owners: vec![Owner { pid: PID, fd: 3, process: "client".to_owned() }],
        owner_source: "remembered".to_owned(),
        uid: None,
        inode: None,
        opener: None,
        closer: None,
        verdict: None,
        source: "proc".to_owned(),
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn end(text: &str) -> SocketAddrV4 {
    text.parse().expect("an address and a port")
}
