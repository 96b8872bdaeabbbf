use super::*;
use crate::model::reading::{LookupResult, LostReason};
use crate::model::socket::{Endpoint, Family};
use crate::model::socket_row::SocketRow;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use crate::tracker::Collected;

const A: NetnsId = NetnsId(1);
const B: NetnsId = NetnsId(2);

fn at(second: u64) -> Stamp {
    Stamp {
        wall: 1_790_000_000_000_000 + i64::try_from(second).unwrap() * 1_000_000,
        boot: second * 1_000_000,
    }
}

/// A connection between the same addresses in a namespace.
fn row(netns: NetnsId, state: State, inode: u64) -> SocketRow {
    let end = |port: u16| Endpoint { addr: [127, 0, 0, 1].into(), port };
    let addrs = AddressPair::new(Family::Ipv4, end(4000), end(80)).in_netns(netns);
    SocketRow { inode, mini: inode == 0, ..SocketRow::new(addrs, state) }
}

fn poll(second: u64, polled: &[NetnsId], gone: &[NetnsId], rows: &[SocketRow]) -> Reading {
    let namespace = |id: &NetnsId| PolledNamespace {
        id: *id,
        inode: Some(id.0.into()),
        name: Some(format!("ns{}", id.0)),
    };
    Reading::Snapshot(Snapshot {
        start: at(second),
        end: at(second),
        rows: rows.to_vec(),
        namespaces: Some(polled.iter().map(namespace).collect()),
        gone: gone.to_vec(),
        ..Snapshot::default()
    })
}

/// `NAME KIND STATE VERDICT` of each event.
fn events(trackers: &mut Trackers, reading: &Reading) -> Vec<String> {
    let mut collected = Collected::default();
    trackers.update(reading, &mut collected);
    let text = |event: &TrackerEvent| match event {
        TrackerEvent::Transition(it) => {
            let verdict = it.verdict.map_or(String::new(), |verdict| format!(" {verdict:?}"));
            let name = it.netns_name.as_deref().unwrap_or("-");
            format!("{name} {:?} {}{verdict}", it.kind, it.to)
        }
        other => format!("{other:?}"),
    };
    collected.events.iter().map(text).collect()
}

#[test]
fn the_same_addresses_in_two_namespaces_are_two_sockets() {
    let mut trackers = Trackers::default();
    let both = [row(A, State::Established, 7), row(B, State::Established, 8)];
    assert_eq!(
        events(&mut trackers, &poll(1, &[A, B], &[], &both)),
        ["ns1 Present ESTABLISHED", "ns2 Present ESTABLISHED"]
    );
    let ids: Vec<u64> = trackers.ids().map(|id| id.number).collect();
    assert_eq!(ids, [1, 2]);
    let changed = [row(A, State::Established, 7), row(B, State::CloseWait, 8)];
    assert_eq!(events(&mut trackers, &poll(2, &[A, B], &[], &changed)), ["ns2 Changed CLOSE_WAIT"]);
    assert_eq!(
        trackers.statuses().map(|now| now.socket.netns).collect::<Vec<_>>(),
        [Some(1), Some(2)]
    );
}

#[test]
fn a_poll_of_one_namespace_ends_no_socket_of_another() {
    let mut trackers = Trackers::default();
    let both = [row(A, State::Established, 7), row(B, State::Established, 8)];
    events(&mut trackers, &poll(1, &[A, B], &[], &both));
    for second in 2..6 {
        let only_a = poll(second, &[A], &[], &both[..1]);
        assert!(events(&mut trackers, &only_a).is_empty(), "B could not be read");
    }
    assert!(events(&mut trackers, &poll(6, &[A, B], &[], &both)).is_empty(), "it is as it was");
    let without_b = |second| poll(second, &[A, B], &[], &both[..1]);
    assert!(events(&mut trackers, &without_b(7)).is_empty());
    let requests = trackers.lookup_requests();
    assert_eq!(requests.iter().map(|it| it.addrs.netns).collect::<Vec<_>>(), [B]);
    let answers = vec![(requests[0], LookupResult::Gone)];
    let lookups = Lookups { start: at(7), end: at(7), netns: None, answers };
    let closed = events(&mut trackers, &Reading::Lookups(lookups));
    assert_eq!(closed, ["ns2 Closed CLOSED Unknown"]);
    assert_eq!(trackers.socket_count(), 1);
}

#[test]
fn a_namespace_that_is_gone_ends_its_sockets_and_says_so() {
    let mut trackers = Trackers::default();
    let rows = [
        row(A, State::Established, 7),
        row(B, State::TimeWait, 0),
        SocketRow {
            addrs: row(B, State::FinWait1, 0).addrs.mirrored()[0],
            ..row(B, State::FinWait1, 0)
        },
    ];
    events(&mut trackers, &poll(1, &[A, B], &[], &rows));
    assert_eq!(
        events(&mut trackers, &poll(2, &[A], &[B], &rows[..1])),
        ["ns2 Closed CLOSED LocalClose", "ns2 Closed CLOSED NetnsGone"]
    );
    // One that had closed before was not ended by it.
    let mut trackers = Trackers::default();
    events(&mut trackers, &poll(1, &[B], &[], &[row(B, State::Established, 7)]));
    events(&mut trackers, &poll(2, &[B], &[], &[]));
    assert_eq!(events(&mut trackers, &poll(3, &[], &[B], &[])), ["ns2 Closed CLOSED Unknown"]);
    let mut trackers = Trackers::default();
    events(&mut trackers, &poll(1, &[A], &[], &rows[..1]));
    // Another one that appears is new.
    let again = NetnsId(3);
    let new = [row(A, State::Established, 7), row(again, State::Established, 9)];
    assert_eq!(
        events(&mut trackers, &poll(3, &[A, again], &[], &new)),
        ["ns3 Present ESTABLISHED"]
    );
}

#[test]
fn a_gap_is_reported_once() {
    let mut trackers = Trackers::default();
    events(&mut trackers, &poll(1, &[A, B], &[], &[row(B, State::TimeWait, 0)]));
    let lost = Lost { time: at(2), reason: LostReason::Gap, count: None };
    assert_eq!(events(&mut trackers, &Reading::Lost(lost)).len(), 1);
    // Across it only an inode proves that it is the same socket.
    let found = events(&mut trackers, &poll(3, &[A, B], &[], &[row(B, State::TimeWait, 0)]));
    assert_eq!(found, ["ns2 Present TIME_WAIT"]);
}

#[test]
fn a_socket_is_found_by_the_addresses_that_it_had() {
    let mut trackers = Trackers::default();
    let ipv4 = row(A, State::Established, 7);
    let ipv6 = SocketRow {
        addrs: AddressPair { family: Family::Ipv6, ..ipv4.addrs },
        ..row(A, State::Established, 7)
    };
    assert_eq!(events(&mut trackers, &poll(1, &[A], &[], &[ipv6])), ["ns1 Present ESTABLISHED"]);
    let id = trackers.ids().next().expect("it is followed");
    let family = |trackers: &Trackers| Some(trackers.status(ipv6.addrs, id)?.socket.addrs.family);
    assert_eq!(family(&trackers), Some(Family::Ipv6));
    assert!(events(&mut trackers, &poll(2, &[A], &[], &[ipv4])).is_empty());
    assert_eq!(family(&trackers), Some(Family::Ipv4));
}
