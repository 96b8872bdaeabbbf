use super::*;
use crate::model::socket_row::Details;
use crate::view::life::tests::{ScriptedSocket, stamp};
use crate::view::samples;
use State::{CloseWait, Closed, Established, Listen, SynSent, TimeWait};

/// What is found after the events of some sockets, with these there a hundred seconds after the start.
fn found(
    events: &[ScriptedSocket],
    sockets: &[SocketStatus],
    overflows: u64,
) -> Vec<FindingRecord> {
    let mut events: Vec<_> = events.iter().flat_map(ScriptedSocket::events).collect();
    events.sort_by_key(|(at, _)| *at);
    let mut findings = Findings::default();
    let limits = |overflows| NetLimits { ports: None, listen_overflows: Some(overflows) };
    findings.begin_reading(stamp(0.0));
    findings.end_reading(|| limits(3));
    for (at, event) in events {
        findings.begin_reading(at);
        findings.apply(&event);
        findings.end_reading(|| limits(9));
    }
    findings.begin_reading(stamp(100.0));
    findings.records(sockets, sockets.iter().cloned(), limits(3 + overflows))
}

fn now(number: u64, state: State, since: f64) -> SocketStatus {
    let socket = samples::socket(number, "10.0.0.1:40000", "10.0.0.2:80");
    SocketStatus { since: stamp(since), ..samples::status(socket, state) }
}

fn scripted(number: u64) -> ScriptedSocket {
    ScriptedSocket::new(number, (7, "a"), "10.0.0.1:40000", "10.0.0.2:80")
}

#[test]
fn close_wait_that_only_grows_is_found() {
    let grows = [
        scripted(1).at(0.0, &[], &[], CloseWait),
        scripted(2).at(1.0, &[], &[], Established).at(2.0, &[], &[], CloseWait),
    ];
    let sockets = [now(1, CloseWait, 0.0), now(2, CloseWait, 2.0)];
    let all = found(&grows, &sockets, 0);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0].finding, FindingKind::GrowingCloseWait);
    assert_eq!((all[0].process.as_deref(), all[0].count, all[0].part), (Some("a"), 2, Some(1)));
    assert_eq!(all[0].oldest, Some(Duration::from_secs(100)));
    // Where some leave, the program closes some at least.
    let moves = [
        scripted(1).at(0.0, &[], &[], CloseWait).at(3.0, &[], &[], Closed),
        scripted(2).at(1.0, &[], &[], CloseWait),
        scripted(3).at(1.0, &[], &[], CloseWait),
    ];
    let all = found(&moves, &[now(2, CloseWait, 1.0), now(3, CloseWait, 1.0)], 0);
    assert_eq!((all.len(), all[0].finding), (1, FindingKind::LongCloseWait), "{all:?}");
}

#[test]
fn a_connection_that_is_just_being_closed_is_no_finding() {
    let closes = [scripted(1).at(99.9, &[], &[], CloseWait)];
    assert_eq!(found(&closes, &[now(1, CloseWait, 99.9)], 0), []);
    let old = found(&[scripted(1).at(0.0, &[], &[], CloseWait)], &[now(1, CloseWait, 0.0)], 0);
    assert_eq!((old[0].finding, old[0].count), (FindingKind::LongCloseWait, 1));
}

#[test]
fn ports_are_counted_with_the_default_range_where_none_is_known() {
    let waits = |number: u64| {
        let local = format!("10.0.0.1:{}", 33_000 + number);
        samples::status(samples::socket(number, &local, "10.0.0.2:80"), TimeWait)
    };
    let few: Vec<_> = (0..2823).map(waits).collect();
    assert_eq!(found(&[], &few, 0), []);
    let enough: Vec<_> = (0..2824).map(waits).collect();
    let ports = &found(&[], &enough, 0)[0];
    assert_eq!((ports.count, ports.part, ports.limit), (2824, Some(2824), Some(28_232)));
    assert_eq!((ports.percent, ports.limit_assumed), (Some(10.0), true));
}

#[test]
fn a_full_accept_queue_holds_one_more_than_its_limit() {
    let listener = |waiting| {
        let details = Details { rx_queue: waiting, backlog_limit: Some(2), ..Details::NONE };
        SocketStatus { details, ..now(1, Listen, 0.0) }
    };
    assert_eq!(found(&[], &[listener(2)], 0), []);
    let all = found(&[], &[listener(3)], 4);
    let kinds: Vec<_> = all.iter().map(|found| (found.finding, found.count, found.limit)).collect();
    let expected =
        [(FindingKind::AcceptQueue, 3, Some(2)), (FindingKind::ListenOverflows, 4, None)];
    assert_eq!(kinds, expected);
}

#[test]
fn a_syn_without_an_answer_is_found() {
    let events = [scripted(1).at(1.0, &[], &[], SynSent), scripted(2).at(99.9, &[], &[], SynSent)];
    let all = found(&events, &[now(1, SynSent, 1.0), now(2, SynSent, 99.9)], 0);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!((all[0].finding, all[0].count), (FindingKind::NoAnswer, 1));
    assert_eq!((all[0].remote_port, all[0].process.as_deref()), (Some(80), Some("a")));
}

#[test]
fn failures_are_grouped_by_reason() {
    let failed = |number, verdict| {
        scripted(number).at(1.0, &[], &[], SynSent).ends_with(verdict).at(2.0, &[], &[], Closed)
    };
    let aborted = |number, verdict| {
        scripted(number).at(1.0, &[], &[], Established).ends_with(verdict).at(2.0, &[], &[], Closed)
    };
    let all = found(
        &[
            failed(1, Verdict::Refused),
            failed(2, Verdict::Unknown),
            failed(3, Verdict::Refused),
            aborted(4, Verdict::Reset),
            aborted(5, Verdict::Unknown),
            aborted(6, Verdict::TimedOut),
        ],
        &[],
        0,
    );
    let kinds: Vec<_> =
        all.iter().map(|found| (found.finding, found.verdict, found.count)).collect();
    let expected = [
        (FindingKind::FailedConnects, Some(Verdict::Refused), 2),
        (FindingKind::FailedConnects, Some(Verdict::Unknown), 1),
        (FindingKind::Resets, None, 1),
    ];
    assert_eq!(kinds, expected);
}
