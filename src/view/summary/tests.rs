use super::record::SummaryRecord;
use super::*;
use crate::view::life::tests::{ScriptedSocket, stamp};
use State::{CloseWait, Closed, Established, FinWait1, FinWait2, LastAck, SynRecv, TimeWait};
use std::time::Duration;

fn socket(number: u64, owner: (i32, &str)) -> ScriptedSocket {
    ScriptedSocket::new(number, owner, "127.0.0.1:40122", "127.0.0.1:9527")
}

/// Applies the events of sockets in the order of their times, each as a reading of its own, between
/// readings at second 0 and at second 10.
pub(super) fn summary(by: &[GroupKey], sockets: &[ScriptedSocket]) -> Summary {
    let mut events: Vec<_> = sockets.iter().flat_map(ScriptedSocket::events).collect();
    events.sort_by_key(|(at, _)| *at);
    let mut summary = Summary::new(by);
    summary.begin_reading(stamp(0.0));
    for (at, event) in events {
        summary.begin_reading(at);
        summary.apply(&event);
        summary.end_reading();
    }
    summary.begin_reading(stamp(10.0));
    summary.end_reading();
    summary
}

/// `GROUP STATE now/change/highest +opened -closed`
fn shown(summary: &Summary) -> Vec<String> {
    let row = |row: SummaryRecord| {
        let names = row.group.iter().map(|name| name.clone().unwrap_or("?".to_owned()));
        let state = row.state.map_or("all".to_owned(), |state| state.to_string());
        let SummaryRecord { count, change, highest, opened, closed, .. } = row;
        let group = names.collect::<Vec<_>>().join("+");
        format!("{group} {state} {count}/{change}/{highest} +{opened} -{closed}")
    };
    summary.records([].into_iter(), |_| true).into_iter().map(row).collect()
}

#[test]
fn sockets_are_counted_by_group_and_state() {
    let sockets = [
        socket(1, (7, "a")).at(0.0, &[], &[], Established).at(2.0, &[], &[], CloseWait),
        socket(2, (7, "a")).at(0.0, &[], &[], Established),
        socket(3, (8, "b"))
            .at(1.0, &[], &[], Established)
            .ends_with(Verdict::LocalClose)
            .roles(None, Some(Side::Local))
            .at(3.0, &[FinWait1], &[FinWait2], TimeWait)
            .at(5.0, &[], &[], Closed),
    ];
    let summary = summary(&[GroupKey::Process], &sockets);
    assert_eq!(
        shown(&summary),
        [
            "a all 2/0/2 +0 -0",
            "a ESTABLISHED 1/-1/2 +0 -1",
            "a CLOSE_WAIT 1/1/1 +1 -0",
            "b all 0/0/1 +1 -1",
            "b ESTABLISHED 0/0/1 +1 -1",
            "b FIN_WAIT1 0/0/0 +1 -1",
            "b TIME_WAIT 0/0/1 +1 -1",
        ]
    );
    let records = summary.records([].into_iter(), |state| state == TimeWait);
    assert_eq!(records.len(), 3);
    let (all, time_wait) = (&records[1], &records[2]);
    assert_eq!(all.verdicts, [(Verdict::LocalClose, 1)]);
    assert_eq!(all.closers, [(Side::Local, 1)]);
    assert_eq!(time_wait.median, Some(Duration::from_secs(2)));
    assert_eq!((time_wait.measured, time_wait.closed_per_second), (1, Some(0.1)));
}

#[test]
fn a_socket_moves_when_its_owner_becomes_known() {
    let queued = ScriptedSocket::new(1, (7, "parent"), "127.0.0.1:80", "127.0.0.1:40122")
        .at(1.0, &[], &[], SynRecv)
        .owned_by(8, "child")
        .at(2.0, &[], &[], Established)
        .at(3.0, &[], &[], CloseWait);
    let both = [GroupKey::Process, GroupKey::LocalPort];
    assert_eq!(
        shown(&summary(&both, &[queued])),
        [
            "child+80 all 1/1/1 +1 -0",
            "child+80 SYN_RECV 0/0/0 +1 -1",
            "child+80 ESTABLISHED 0/0/1 +1 -1",
            "child+80 CLOSE_WAIT 1/1/1 +1 -0",
        ]
    );
}

#[test]
fn by_state_there_is_one_group() {
    let sockets = [
        socket(1, (7, "a")).at(0.0, &[], &[], Established),
        socket(2, (8, "b")).at(0.0, &[], &[], LastAck).at(1.0, &[], &[], Closed),
    ];
    let rows = shown(&summary(&[GroupKey::State], &sockets));
    assert_eq!(rows, [" all 1/-1/2 +0 -1", " ESTABLISHED 1/0/1 +0 -0", " LAST_ACK 0/-1/1 +0 -1"]);
}

#[test]
fn a_socket_that_matches_late_was_there_or_not() {
    let mut summary = Summary::new(&[GroupKey::Process]);
    summary.begin_reading(stamp(1.0));
    summary.begin_reading(stamp(2.0));
    let owner = crate::view::samples::owner(7, "a", crate::model::process::OwnerSource::Proven);
    let socket = |number| crate::view::samples::socket(number, "10.0.0.1:80", "10.0.0.2:81");
    let old = crate::view::samples::status(socket(1), Established);
    let new =
        SocketStatus { since: stamp(1.5), ..crate::view::samples::status(socket(2), Established) };
    for now in [&old, &new, &new] {
        summary.update(now, &owner);
    }
    summary.end_reading();
    assert_eq!(shown(&summary), ["a all 2/1/2 +0 -0", "a ESTABLISHED 2/1/2 +0 -0"]);
    let records = summary.records([old, new].iter(), |_| true);
    assert_eq!(records[1].oldest, Some(Duration::from_secs(2)));
    summary.retain(|id| id.number == 1);
    assert_eq!(shown(&summary)[0], "a all 1/0/2 +0 -0");
}

#[test]
fn groups_beyond_the_limit_are_one() {
    let mut summary = Summary::new(&[GroupKey::LocalPort]);
    summary.begin_reading(stamp(0.0));
    for number in 0..MAX_GROUPS as u64 + 5 {
        let local = format!("127.0.0.1:{}", 1000 + number);
        let socket = ScriptedSocket::new(number, (7, "a"), &local, "127.0.0.1:9527");
        socket.at(0.0, &[], &[], Established).events().for_each(|(_, event)| summary.apply(&event));
    }
    summary.end_reading();
    let records = summary.records([].into_iter(), |_| false);
    assert_eq!(records.len(), MAX_GROUPS + 1);
    assert_eq!((records[0].is_rest, records[0].count), (true, 5));
}
