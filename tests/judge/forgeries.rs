//! A judge that finds nothing proves nothing: records that are true pass, and each forged one is
//! found.

use super::claims::{Case, Claim, Report, judge};
use super::plan::{Act, Addresses, Handle, Step, Who};
use super::readings::Readings;
use super::truth::{AddressPair, Evidence, Truth};
use super::workload::Done;
use crate::support::record::{Event, Owner, Time};
use crate::support::trace::{SocketEvent, What};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

const CLIENT: &str = "10.0.0.1:20000";
const SERVER: &str = "10.0.0.2:7000";
const PID: u32 = 77;
/// A second process.
const SECOND: u32 = 78;
const WATCHER: u32 = 99;
const INODE: u64 = 7;
const MS: i64 = 1000;

#[test]
fn true_records_pass() {
    let report = judged(&records());
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    assert!(report.claims > 30);
    assert_eq!((report.reported, report.due, report.undecided), (1, 1, 0));
}

#[test]
fn every_forged_record_is_found() {
    type Forge = fn(&mut Vec<Event>);
    let forgeries: [(Claim, Forge); 31] = [
        (Claim::NoSuchState, |records| records[1].to = word("CLOSING")),
        (Claim::NoSuchState, |records| records.push(closed("local-close"))),
        (Claim::CertainButNotPassed, |records| records[1].via = words(&["CLOSE_WAIT"])),
        (Claim::CertainButNotPassed, |records| {
            records[1].via = words(&["FIN_WAIT1", "FIN_WAIT1"]);
        }),
        (Claim::PassedButExcluded, |records| records[1].via.clear()),
        (Claim::PassedButExcluded, |records| records[0].maybe.clear()),
        (Claim::CertainAndPossible, |records| records[1].maybe = words(&["FIN_WAIT1"])),
        (Claim::DoesNotContinue, |records| records[1].from = Some(word("SYN_SENT"))),
        (Claim::OutOfOrder, |records| records[1].event = word("opened")),
        (Claim::NotAnEnd, |records| records[1].event = word("closed")),
        (Claim::OrderReversed, |records| records[2].to = word("ESTABLISHED")),
        (Claim::TooEarly, |records| records[2].time = Time(140 * MS)),
        (Claim::OverBefore, |records| records[1].after = Some(Time(219 * MS))),
        (Claim::NoTime, |records| records[1].after = Some(records[1].time)),
        (Claim::NoBound, |records| records[1].after = None),
        (Claim::Held, |records| records[1].held = Some(0.2)),
        (Claim::Held, |records| {
            records[1].held = Some(0.2);
            records[1].held_at_least = true;
        }),
        (Claim::Held, |records| {
            records[1].held = Some(0.01);
            records[1].held_at_least = true;
        }),
        (Claim::Held, |records| {
            records[0].event = word("present");
            records[0].after = None;
            records[0].held = Some(10.0);
            records[0].held_at_least = true;
            records[0].held_from = Some(word("kernel"));
        }),
        (Claim::Opener, |records| records[1].opener = Some(word("remote"))),
        (Claim::Closer, |records| records[1].closer = Some(word("remote"))),
        (Claim::Closer, |records| records[0].closer = Some(word("local"))),
        (Claim::Closer, |records| records[2].closer = Some(word("both"))),
        (Claim::Verdict, |records| records[2].event = word("closed")),
        (Claim::NotAnOwner, |records| records[1].pid = Some(78)),
        (Claim::NotAnOwner, |records| records[0].owners[0].pid = 78),
        (Claim::WatcherIsNoOwner, |records| records[1].pid = Some(WATCHER)),
        (Claim::OwnerContradictsItself, |records| records[1].pid = None),
        (Claim::NotProven, |records| {
            records[2].owner_source = word("proven");
            records[2].inode = Some(INODE);
        }),
        (Claim::NotTheListener, |records| records[1].owner_source = word("listener")),
        (Claim::OwnerNotReported, |records| records[0].owner_source = word("remembered")),
    ];
    for (claim, forge) in forgeries {
        let mut forged = records();
        forge(&mut forged);
        expect(&judged(&forged), claim);
    }
}

#[test]
fn what_is_missing_is_found() {
    let mut elsewhere = records();
    for record in &mut elsewhere {
        record.remote_port = 9;
    }
    expect(&judged(&elsewhere), Claim::NoSuchSocket);
    expect(&judged(&elsewhere), Claim::NotReported);
    let mut jumps = records();
    jumps[2].from = jumps[1].from.clone();
    jumps[2].via = words(&["FIN_WAIT1", "FIN_WAIT2"]);
    jumps[2].after = jumps[1].after;
    jumps[2].held = Some(0.16);
    jumps.remove(1);
    expect(&judged(&jumps), Claim::StateNotReported);
}

#[test]
fn two_ids_of_one_socket_are_found() {
    let mut twice = records();
    let second = Event { id: word("2"), ..twice[0].clone() };
    twice.insert(1, second);
    expect(&judged(&twice), Claim::NoSuchSocket);
}

#[test]
fn an_early_end_and_a_false_verdict_are_found() {
    let mut forged = records();
    forged.push(closed("local-close"));
    let ended = Case { truth: &truth(false), readings: &readings(), source: "proc" };
    let report = judge(&forged, &ended);
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    for verdict in ["remote-close", "simultaneous-close"] {
        forged[3].verdict = Some(word(verdict));
        expect(&judge(&forged, &ended), Claim::Verdict);
    }
    forged.pop();
    expect(&judge(&forged, &ended), Claim::EndNotReported);
}

/// Polls show the TIME_WAIT of two connections with the same addresses, one after the other, and not what was
/// between them.
#[test]
fn a_time_across_two_sockets_that_look_the_same_is_no_longer_than_both() {
    let connection = |place: u64, from: i64, fin: i64| {
        let client = [
            (from, "CLOSED", "SYN_SENT"),
            (from, "SYN_SENT", "ESTABLISHED"),
            (from + 5, "ESTABLISHED", "FIN_WAIT1"),
            (from + 5, "FIN_WAIT1", "FIN_WAIT2"),
            (from + 5, "FIN_WAIT2", "CLOSED"),
        ];
        let server = [
            (from, "LISTEN", "SYN_RECV"),
            (from, "SYN_RECV", "ESTABLISHED"),
            (from + 5, "ESTABLISHED", "CLOSE_WAIT"),
            (fin, "CLOSE_WAIT", "LAST_ACK"),
            (fin, "LAST_ACK", "CLOSED"),
        ];
        let server = traced(2 * place, SERVER, CLIENT, &server);
        [traced(2 * place + 1, CLIENT, SERVER, &client), server].concat()
    };
    let connections = [connection(1, 105, 115), connection(2, 145, 165), connection(3, 200, 210)];
    let mut events = connections.concat();
    events.sort_by_key(|event| event.at);
    let truth = Truth::of(&Evidence { events, samples: HashMap::new(), ..evidence(true) });
    let nobody = |event: Event| Event {
        owners: Vec::new(),
        owner_source: word("unknown"),
        pid: None,
        process: None,
        ..event
    };
    let before = ["SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "CLOSING"];
    let judged = |held: f64| {
        let opened = Event { maybe: words(&before), ..event("opened", 140, "TIME_WAIT") };
        let held = Event { held: Some(held), held_at_least: true, ..closed("local-close") };
        let at = |time| Some(Time(time * MS));
        let closed = Event { time: Time(220 * MS), after: at(179), ..held };
        let next = Event {
            id: word("2"),
            maybe: words(&before),
            after: at(179),
            ..event("opened", 220, "TIME_WAIT")
        };
        let records = [opened, closed, next].map(nobody);
        judge(&records, &Case { truth: &truth, readings: &readings(), source: "proc" })
    };
    let report = judged(0.039);
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    assert_eq!(report.undecided, 1);
    expect(&judged(0.1), Claim::Held);
}

/// An unaccepted connection and the next one, which is accepted, look the same to polls, also where a process
/// accepts the first in between, and is slower to close it than the other end: no pass shows its inode.
#[test]
fn an_inode_that_no_pass_shows_distinguishes_nothing() {
    let connection = |place: u64, from: i64, reset: i64| {
        let client = [(from, "CLOSED", "SYN_SENT"), (from, "SYN_SENT", "ESTABLISHED")];
        let server = [
            (from, "LISTEN", "SYN_RECV"),
            (from, "SYN_RECV", "ESTABLISHED"),
            (reset, "ESTABLISHED", "CLOSED"),
        ];
        let client = traced(2 * place + 4, CLIENT, SERVER, &client);
        [client, traced(2 * place + 5, SERVER, CLIENT, &server)].concat()
    };
    let judged = |reset: i64| {
        let mut evidence = evidence_of_the_server();
        let listener = evidence.events.swap_remove(0);
        let connections = [connection(1, 105, reset), connection(2, 200, 250)];
        evidence.events = [vec![listener], connections.concat()].concat();
        let accept = |at| done(PID, Act::Accept { listener: word("listener") }, at - 1, at);
        let close = done(PID, Act::Close(Handle::Server(word("c0"))), 184, 185);
        evidence.log.extend([accept(150), close, accept(205)]);
        let server = |event: Event| Event {
            local_addr: addr(SERVER).ip(),
            local_port: addr(SERVER).port(),
            remote_addr: addr(CLIENT).ip(),
            remote_port: addr(CLIENT).port(),
            ..event
        };
        let opened = Event {
            maybe: words(&["SYN_RECV"]),
            owner_source: word("listener"),
            ..event("opened", 140, "ESTABLISHED")
        };
        let closed = Event {
            from: Some(word("ESTABLISHED")),
            maybe: words(&["CLOSE_WAIT", "LAST_ACK", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"]),
            held: Some(0.16),
            verdict: Some(word("unknown")),
            after: Some(Time(219 * MS)),
            ..event("closed", 300, "CLOSED")
        };
        let truth = Truth::of(&evidence);
        let records = [opened, closed].map(server);
        judge(&records, &Case { truth: &truth, readings: &readings(), source: "proc" })
    };
    // No record is about the listener.
    let of_connections = |report: Report| -> Vec<_> {
        report.violations.into_iter().filter(|violation| violation.reused).collect()
    };
    let found = of_connections(judged(179));
    assert!(found.is_empty(), "{found:#?}");
    let found = of_connections(judged(182));
    assert!(!found.is_empty(), "a pass has shown the inode of the first");
}

/// The server's end is not accepted, and two processes hold the listener.
#[test]
fn a_candidate_that_is_missing_or_none_is_found() {
    let mut evidence = evidence_of_the_server();
    let give = Act::Give { socket: Handle::Listener(word("listener")), to: Who::Worker1 };
    evidence.log.insert(1, done(SECOND, give, 60, 61));
    let (truth, readings) = (Truth::of(&evidence), readings());
    let is_found = |candidates: &[u32]| {
        let owner = |pid: &u32| Owner { pid: *pid, fd: 3, process: word("server") };
        let record = Event {
            local_addr: addr(SERVER).ip(),
            local_port: addr(SERVER).port(),
            remote_addr: addr(CLIENT).ip(),
            remote_port: addr(CLIENT).port(),
            maybe: words(&["SYN_RECV"]),
            owners: candidates.iter().map(owner).collect(),
            owner_source: word("listener"),
            ..event("opened", 140, "ESTABLISHED")
        };
        let report = judge(&[record], &Case { truth: &truth, readings: &readings, source: "proc" });
        let claims: Vec<Claim> =
            report.violations.iter().map(|violation| violation.claim).collect();
        claims.contains(&Claim::NotTheListener) || claims.contains(&Claim::NoSuchSocket)
    };
    assert!(!is_found(&[PID, SECOND]));
    assert!(is_found(&[PID]));
    assert!(is_found(&[PID, SECOND, 79]));
}

/// A worker has had the server's end for several passes, and is not named at its close.
#[test]
fn a_listener_in_place_of_a_holder_is_found() {
    let is_found = |accepted: Option<i64>| {
        let mut evidence = evidence_of_the_server();
        let accept = |at| done(PID, Act::Accept { listener: word("listener") }, at - 1, at);
        evidence.log.extend(accepted.map(accept));
        let record = Event {
            local_addr: addr(SERVER).ip(),
            local_port: addr(SERVER).port(),
            remote_addr: addr(CLIENT).ip(),
            remote_port: addr(CLIENT).port(),
            owner_source: word("listener"),
            ..event("closed", 300, "CLOSED")
        };
        let truth = Truth::of(&evidence);
        let report =
            judge(&[record], &Case { truth: &truth, readings: &readings(), source: "proc" });
        report
            .violations
            .iter()
            .any(|violation| matches!(violation.claim, Claim::NotTheListener | Claim::NoSuchSocket))
    };
    assert!(!is_found(None));
    assert!(is_found(Some(105)));
    assert!(!is_found(Some(230)), "it may not have been found yet");
}

fn expect(report: &Report, claim: Claim) {
    let found = report.violations.iter().any(|violation| violation.claim == claim);
    assert!(found, "expected {claim:?} among {:#?}", report.violations);
}

fn judged(records: &[Event]) -> Report {
    let (truth, readings) = (truth(true), readings());
    judge(records, &Case { truth: &truth, readings: &readings, source: "proc" })
}

/// Every 40 ms a pass that takes one.
fn readings() -> Readings {
    let passes: Vec<_> = (0..40).map(|n| ((19 + 40 * n) * MS, (20 + 40 * n) * MS)).collect();
    Readings::from_passes(&passes)
}

/// The client opens, closes first, and is in TIME_WAIT once the server has closed, too; at the end
/// it still waits, or does not.
fn truth(still_waits: bool) -> Truth {
    Truth::of(&evidence(still_waits))
}

fn evidence(still_waits: bool) -> Evidence {
    let client = [
        (101, "CLOSED", "SYN_SENT"),
        (101, "SYN_SENT", "ESTABLISHED"),
        (190, "ESTABLISHED", "FIN_WAIT1"),
        (191, "FIN_WAIT1", "FIN_WAIT2"),
        (191, "FIN_WAIT2", "CLOSED"),
    ];
    let server = [
        (101, "LISTEN", "SYN_RECV"),
        (101, "SYN_RECV", "ESTABLISHED"),
        (191, "ESTABLISHED", "CLOSE_WAIT"),
        (290, "CLOSE_WAIT", "LAST_ACK"),
        (291, "LAST_ACK", "CLOSED"),
    ];
    let mut events =
        [traced(1, CLIENT, SERVER, &client), traced(2, SERVER, CLIENT, &server)].concat();
    events.sort_by_key(|event| event.at);
    let name = word("c0");
    let connect = Act::Connect { name: name.clone(), from: addr(CLIENT), to: addr(SERVER) };
    let close = Act::Close(Handle::Client(name));
    let log = vec![done(PID, connect, 100, 102), done(PID, close, 189, 191)];
    let addrs = AddressPair { ipv6: false, local: addr(CLIENT), remote: addr(SERVER) };
    Evidence {
        events,
        log,
        samples: HashMap::from([(addrs, vec![300 * MS])]),
        table: if still_waits { HashSet::from([addrs]) } else { HashSet::new() },
        addresses: Addresses {
            near_v4: [10, 0, 0, 1].into(),
            far_v4: [10, 0, 0, 2].into(),
            near_v6: [0xfd00, 0, 0, 0, 0, 0, 0, 1].into(),
            far_v6: [0xfd00, 0, 0, 0, 0, 0, 0, 2].into(),
        },
        watchers: vec![WATCHER],
        over: 540 * MS,
    }
}

/// The same, where the server's end is watched, and the client's process listens.
fn evidence_of_the_server() -> Evidence {
    let mut evidence = evidence(true);
    evidence.addresses = Addresses {
        near_v4: evidence.addresses.far_v4,
        far_v4: evidence.addresses.near_v4,
        ..evidence.addresses
    };
    evidence.events.splice(..0, traced(3, SERVER, "0.0.0.0:0", &[(50, "CLOSED", "LISTEN")]));
    let listen = Act::Listen { name: word("listener"), addr: addr(SERVER), group: false };
    evidence.log.insert(0, done(PID, listen, 49, 51));
    evidence
}

/// State changes of a socket in the trace.
fn traced(
    socket: u64,
    local: &str,
    remote: &str,
    changes: &[(i64, &str, &str)],
) -> Vec<SocketEvent> {
    let event = |(at, from, to): &(i64, &str, &str)| SocketEvent {
        at: at * MS,
        socket,
        ipv6: false,
        local: addr(local),
        remote: addr(remote),
        what: What::Change(word(from), word(to)),
        preemptible: false,
    };
    changes.iter().map(event).collect()
}

/// What a process did between two instants.
fn done(pid: u32, act: Act, from: i64, to: i64) -> Done {
    Done {
        pid,
        step: Step { at: 0, who: Who::Client, act },
        sent: from * MS,
        answered: to * MS,
        answer: Ok(word(CLIENT)),
    }
}

fn records() -> Vec<Event> {
    let opened = Event {
        maybe: words(&["SYN_SENT", "SYN_RECV"]),
        owner_source: word("proven"),
        inode: Some(INODE),
        ..event("opened", 140, "ESTABLISHED")
    };
    let closer = Some(word("local"));
    let half = Event {
        from: Some(word("ESTABLISHED")),
        via: words(&["FIN_WAIT1"]),
        held: Some(0.08),
        closer: closer.clone(),
        ..event("changed", 220, "FIN_WAIT2")
    };
    let over = Event {
        from: Some(word("FIN_WAIT2")),
        held: Some(0.08),
        closer,
        ..event("changed", 300, "TIME_WAIT")
    };
    vec![opened, half, over]
}

fn closed(verdict: &str) -> Event {
    Event {
        from: Some(word("TIME_WAIT")),
        held: Some(0.2),
        verdict: Some(word(verdict)),
        closer: Some(word("local")),
        ..event("closed", 500, "CLOSED")
    }
}

/// A record of the client's end; the pass before it had still shown the state before.
fn event(event: &str, time: i64, to: &str) -> Event {
    let (local, remote) = (addr(CLIENT), addr(SERVER));
    Event {
        v: 1,
        event: word(event),
        time: Time(time * MS),
        after: Some(Time((time - 41) * MS)),
        id: word("1"),
        netns: None,
        family: word("ipv4"),
        local_addr: local.ip(),
        local_port: local.port(),
        remote_addr: remote.ip(),
        remote_port: remote.port(),
        from: None,
        via: Vec::new(),
        maybe: Vec::new(),
        to: word(to),
        held: None,
        held_at_least: false,
        pid: Some(PID),
        process: Some(word("client")),
        owners: vec![Owner { pid: PID, fd: 3, process: word("client") }],
        owner_source: word("remembered"),
        uid: None,
        inode: None,
        opener: None,
        closer: None,
        verdict: None,
        reset_by: None,
        source: word("proc"),
        lived: None,
        held_from: None,
        idle: None,
        unit: None,
        container: None,
        pod: None,
        k8s_namespace: None,
        netns_name: None,
        scope: None,
        ipv6_only: None,
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().copied().map(word).collect()
}

fn word(word: &str) -> String {
    word.to_owned()
}

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}
