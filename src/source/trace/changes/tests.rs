use super::*;
use crate::model::socket::Family;
use crate::model::socket_row::{Details, Timer};
use State::{
    CloseWait, Closed, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent,
};
use smallvec::SmallVec;
use std::net::IpAddr;

const MS: u64 = 1_000_000;
const EHOSTUNREACH: u32 = 113;
const ETIMEDOUT: u32 = 110;
const ECONNREFUSED: u32 = 111;
const PORT: u16 = 40_000;

fn addr(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

/// An event of a socket at 192.0.2.7:40000, connected to 192.0.2.8:80.
fn event(ms: u64, what: What) -> RawEvent {
    RawEvent {
        time: ms * MS,
        socket: 0xabc,
        cookie: 5,
        inode: 77,
        netns: 1,
        uid: 1000,
        ifindex: 0,
        error: 0,
        segments: 3,
        family: Family::Ipv4,
        local: addr(7),
        port: PORT,
        last_port: PORT,
        remote: addr(8),
        remote_port: 80,
        what,
        pid: 12,
        comm: SmallVec::from_slice(b"curl"),
        is_kernel_thread: false,
        is_descendant: false,
        is_in_call: true,
    }
}

fn step(ms: u64, from: State, to: State) -> RawEvent {
    event(ms, What::Step { from, to })
}

#[test]
fn a_caller_outside_of_the_pid_namespace_is_not_named() {
    let callers = |pid| {
        let steps = [step(1, Closed, Listen), step(2, Established, FinWait1)];
        let changes = changes(&steps.map(|event| RawEvent { pid, ..event }));
        changes.into_iter().map(|change| change.caller.map(|caller| caller.pid)).collect::<Vec<_>>()
    };
    assert_eq!(callers(12), [Some(12); 2]);
    assert_eq!(callers(0), [None; 2]);
}

/// A connect() whose port the kernel chooses.
fn connect(ms: u64) -> RawEvent {
    RawEvent { port: 0, last_port: 0, inode: 77, segments: 0, ..step(ms, Closed, SynSent) }
}

fn changes(events: &[RawEvent]) -> Vec<StateChange> {
    let mut changes = Changes::default();
    for event in events {
        changes.take(event, 0);
    }
    changes.complete_at(u64::MAX)
}

/// Each as `CLOSED -> SYN_SENT 40000 @1`: states, local port, time in ms.
fn summaries(changes: &[StateChange]) -> Vec<String> {
    let line = |change: &StateChange| {
        let StateChange { from, to, addrs, time, .. } = change;
        format!("{from} -> {to} {} @{}", addrs.local.port, time.boot / 1000)
    };
    changes.iter().map(line).collect()
}

/// How the last of these events ended the socket.
fn end(events: &[RawEvent]) -> (Option<AbortReason>, Option<Side>) {
    let end = changes(events).into_iter().find(|change| change.to == Closed).expect("it ends");
    (end.abort, end.reset_by)
}

const REMOTE: (Option<AbortReason>, Option<Side>) = (Some(AbortReason::Reset), Some(Side::Remote));
const LOCAL: (Option<AbortReason>, Option<Side>) = (Some(AbortReason::Reset), Some(Side::Local));

#[test]
fn a_connect_gets_its_port_from_the_next_event() {
    let found = changes(&[connect(1), step(21, SynSent, Established)]);
    assert_eq!(
        summaries(&found),
        ["CLOSED -> SYN_SENT 40000 @1", "SYN_SENT -> ESTABLISHED 40000 @21"]
    );
    let caller = found[0].caller.as_ref().expect("it is a system call");
    assert_eq!((caller.pid, caller.comm.as_deref()), (12, Some(&b"curl"[..])));
    assert_eq!(found[1].caller, None, "a packet may come in any process");
    assert_eq!((found[1].cookie, found[1].inode, found[1].uid), (5, Some(77), Some(1000)));
}

#[test]
fn a_connect_gets_its_port_from_a_row() {
    let mut changes = Changes::default();
    changes.take(&connect(1), 0);
    assert_eq!(changes.complete_at(u64::MAX), []);
    assert_eq!(changes.oldest_nameless(), Some(MS));
    assert!(changes.has_change_of(5));
    let local = Endpoint { addr: addr(7), port: PORT };
    let remote = Endpoint { addr: addr(8), port: 80 };
    let row = SocketRow {
        inode: 77,
        uid: 1000,
        details: Details {
            tx_queue: 1,
            timer: Timer::Retransmit,
            timer_left: 100,
            ..Details::NONE
        },
        cookie: 5,
        ..SocketRow::new(AddressPair::new(Family::Ipv4, local, remote), SynSent)
    };
    changes.take_rows(&[row], 30 * MS, false, 0);
    let found = changes.complete_at(30 * MS);
    assert_eq!(summaries(&found), ["CLOSED -> SYN_SENT 40000 @1"]);
    assert_eq!(changes.oldest_nameless(), None);
}

#[test]
fn a_connect_that_no_poll_shows_is_forgotten() {
    let mut changes = Changes::default();
    changes.take(&connect(1), 0);
    changes.take_rows(&[], 500 * MS, true, 0);
    assert!(changes.oldest_nameless().is_some());
    changes.take_rows(&[], 2000 * MS, true, 0);
    assert_eq!(changes.oldest_nameless(), None);
}

#[test]
fn a_child_gets_its_addresses_from_its_next_event() {
    let birth = RawEvent { cookie: 0, inode: 0, remote_port: 0, ..step(5, Listen, SynRecv) };
    let found = changes(&[birth, RawEvent { inode: 0, ..step(6, SynRecv, Established) }]);
    assert_eq!(
        summaries(&found),
        ["CLOSED -> SYN_RECV 40000 @5", "SYN_RECV -> ESTABLISHED 40000 @6"]
    );
    assert!(found[0].passive && !found[1].passive);
    assert_eq!((found[0].cookie, found[0].addrs.remote.port), (5, 80));
}

#[test]
fn a_listener_has_no_other_end() {
    let found = changes(&[step(1, Closed, Listen), step(2, Listen, Closed)]);
    assert!(found.iter().all(|change| change.addrs.remote.port == 0), "{found:?}");
    assert!(found.iter().all(|change| change.addrs.remote.addr.is_unspecified()), "{found:?}");
    assert!(found.iter().all(|change| change.caller.is_some()), "{found:?}");
}

#[test]
fn a_reset_that_was_received_is_the_other_sides() {
    assert_eq!(end(&[event(1, What::ResetReceived), step(1, Established, Closed)]), REMOTE);
    let refused = (Some(AbortReason::Refused), Some(Side::Remote));
    let events = [
        connect(1),
        event(2, What::ResetReceived),
        RawEvent { error: ECONNREFUSED, ..step(2, SynSent, Closed) },
    ];
    assert_eq!(end(&events), refused);
    let of_another = RawEvent { socket: 0xdef, ..event(1, What::ResetReceived) };
    assert_eq!(end(&[of_another, step(1, Established, Closed)]), (None, None));
}

#[test]
fn a_reset_that_was_sent_is_this_sides() {
    let sent = |ms, state| event(ms, What::ResetSent(state));
    assert_eq!(end(&[step(1, Established, Closed), sent(1, Closed)]), LOCAL, "unread data");
    assert_eq!(end(&[sent(1, CloseWait), step(1, CloseWait, Closed)]), LOCAL, "destroyed");
    let late_data = [event(1, What::ResetReceived), step(1, FinWait1, Closed), sent(1, Closed)];
    assert_eq!(end(&late_data), LOCAL, "data for nobody");
    assert_eq!(end(&[sent(1, Established), step(5000, Established, Closed)]), (None, None));
}

#[test]
fn a_close_that_resets_is_a_call_of_its_process() {
    let caller = |events: &[RawEvent]| {
        let end = changes(events).into_iter().find(|change| change.to == Closed);
        end.expect("it ends").caller.map(|caller| caller.pid)
    };
    for from in [Established, CloseWait] {
        let end = step(1, from, Closed);
        assert_eq!(caller(&[end.clone(), event(1, What::ResetSent(Closed))]), Some(12), "{from}");
        assert_eq!(caller(&[event(1, What::ResetReceived), end.clone()]), None, "{from}");
        assert_eq!(caller(&[RawEvent { error: ETIMEDOUT, ..end.clone() }]), None, "{from}");
        assert_eq!(caller(&[RawEvent { is_kernel_thread: true, ..end }]), None, "{from}");
    }
    assert_eq!(caller(&[step(1, FinWait1, Closed)]), None, "late data may have come");
    let unaccepted = RawEvent { inode: 0, ..step(1, Established, Closed) };
    assert_eq!(caller(&[unaccepted]), None, "its listener was closed");
}

/// The kernel gave up in an interrupt, and the process asked for the error before the event came.
#[test]
fn an_end_in_an_interrupt_is_no_call_though_its_error_was_taken() {
    let ended = |is_in_call| {
        let events = [connect(1), RawEvent { is_in_call, segments: 2, ..step(9, SynSent, Closed) }];
        let end = changes(&events).pop().expect("it ends");
        (end.abort, end.caller.map(|caller| caller.pid))
    };
    assert_eq!(ended(true), (Some(AbortReason::NoAnswer), Some(12)));
    assert_eq!(ended(false), (None, None));
}

#[test]
fn a_reset_that_comes_after_one_was_sent_ends_the_socket() {
    let sent = event(1, What::ResetSent(SynRecv));
    let received = event(2, What::ResetReceived);
    let abort = RawEvent { error: 104, ..step(2, SynRecv, Closed) };
    assert_eq!(end(&[sent.clone(), received.clone(), abort.clone()]), REMOTE);
    assert_eq!(end(&[received, sent, abort]), LOCAL);
}

#[test]
fn an_answer_to_a_stray_segment_does_not_end_a_connect() {
    let stray = event(1, What::ResetSent(SynSent));
    let given_up = (Some(AbortReason::NoAnswer), None);
    assert_eq!(end(&[connect(0), stray, step(2, SynSent, Closed)]), given_up);
}

#[test]
fn errors_tell_why_a_socket_ended() {
    let failed = |error, from| RawEvent { error, ..step(9, from, Closed) };
    let cut = |event| end(&[event]).0;
    assert_eq!(cut(failed(ETIMEDOUT, Established)), Some(AbortReason::TimedOut));
    assert_eq!(cut(failed(ETIMEDOUT, LastAck)), Some(AbortReason::TimedOut));
    assert_eq!(cut(failed(EHOSTUNREACH, SynSent)), Some(AbortReason::Unreachable));
    assert_eq!(cut(failed(ECONNREFUSED, SynSent)), Some(AbortReason::Refused));
    assert_eq!(cut(step(9, SynSent, Closed)), Some(AbortReason::NoAnswer));
    // Another process asks for its error, in a loop, while a packet ends it.
    let taken_away = RawEvent { pid: 0, ..step(9, SynSent, Closed) };
    assert_eq!(cut(taken_away), None);
    assert_eq!(cut(step(9, FinWait2, Closed)), None, "TIME_WAIT may follow");
    let before = RawEvent { error: EHOSTUNREACH, ..step(8, CloseWait, LastAck) };
    assert_eq!(end(&[before, failed(EHOSTUNREACH, LastAck)]).0, None, "it got over that before");
    assert_eq!(cut(step(9, LastAck, Closed)), None);
    let keepalive = [event(9, What::ResetSent(Established)), failed(ETIMEDOUT, Established)];
    assert_eq!(end(&keepalive), (Some(AbortReason::TimedOut), None), "nobody gets that reset");
}

#[test]
fn a_connect_without_a_free_port_never_had_one() {
    let failed = RawEvent { port: 0, last_port: 0, segments: 0, ..step(1, SynSent, Closed) };
    let found = changes(&[connect(1), failed.clone()]);
    assert_eq!(summaries(&found), ["CLOSED -> SYN_SENT 0 @1", "SYN_SENT -> CLOSED 0 @1"]);
    assert_eq!(found[1].abort, Some(AbortReason::NoPort));
    // It has been connected before, and that port is none of this connect().
    let again = RawEvent { last_port: 999, ..connect(1) };
    let found = changes(&[again, RawEvent { last_port: 999, ..failed.clone() }]);
    assert_eq!(summaries(&found), ["CLOSED -> SYN_SENT 0 @1", "SYN_SENT -> CLOSED 0 @1"]);
    // It has sent three segments before, and one by this connect(), from the same port.
    let again = RawEvent { last_port: 999, segments: 3, ..connect(1) };
    let without = RawEvent { last_port: 999, segments: 3, ..failed };
    let refused = RawEvent { segments: 4, ..without.clone() };
    assert_eq!(changes(&[again.clone(), without])[1].abort, Some(AbortReason::NoPort));
    let found = changes(&[again, refused]);
    assert_eq!(summaries(&found), ["CLOSED -> SYN_SENT 999 @1", "SYN_SENT -> CLOSED 999 @1"]);
}

#[test]
fn an_end_waits_for_the_reset_that_may_follow() {
    let mut changes = Changes::default();
    changes.take(&step(1, Established, Closed), 0);
    assert_eq!(changes.complete_at(5 * MS), []);
    changes.take(&event(1, What::ResetSent(Closed)), 0);
    assert_eq!(changes.complete_at(5 * MS).len(), 1);
    changes.take(&step(20, Established, Closed), 0);
    assert_eq!(changes.complete_at(31 * MS).len(), 1, "none came");
}

/// What two deliveries of these events report, and what the next one does.
fn unreported(changes: &mut Changes, events: &[RawEvent], is_counted: [bool; 3]) -> [usize; 3] {
    let (first, second) = events.split_at(events.len() / 2);
    let mut deliver = |events: &[RawEvent], is_counted| {
        for event in events {
            changes.take(event, 0);
        }
        changes.end_delivery(is_counted).len()
    };
    let [one, two, three] = is_counted;
    [deliver(first, one), deliver(second, two), deliver(&[], three)]
}

#[test]
fn an_event_shows_that_the_one_before_did_not_come() {
    let missing = [
        [connect(1), step(2, SynSent, Established), step(4, FinWait1, FinWait2)],
        [step(1, SynSent, Established), step(2, Established, FinWait1), step(4, FinWait2, Closed)],
        // It was closed and opened again.
        [step(1, Listen, Closed), step(2, Closed, Listen), step(4, Closed, Listen)],
    ];
    for events in missing {
        let found = |is_counted| unreported(&mut Changes::default(), &events, is_counted);
        assert_eq!(found([false; 3]), [0, 0, 1], "{events:?}");
        assert_eq!(found([true, false, false]), [0, 0, 1], "that was before: {events:?}");
        assert_eq!(found([false, true, false]), [0; 3], "it may be what was counted");
        assert_eq!(found([false, false, true]), [0; 3], "it may be what was counted");
    }
    let events = [step(1, SynSent, Established), step(4, FinWait1, FinWait2)];
    let found = |is_counted| unreported(&mut Changes::default(), &events, is_counted);
    assert_eq!(found([false; 3]), [0, 0, 1]);
    assert_eq!(found([true, false, false]), [0; 3], "it may have been lost behind the first");
}

#[test]
fn nothing_is_missing_before_an_event_that_follows_on() {
    let child = |event: RawEvent| RawEvent { cookie: 0, inode: 0, ..event };
    let of_another = |event: RawEvent| RawEvent { socket: 0xdef, ..event };
    let complete = [
        vec![connect(1), step(2, SynSent, Established), step(3, Established, Closed)],
        // Of a socket that was there before.
        vec![step(1, FinWait1, FinWait2), step(2, FinWait2, FinWait2), step(3, FinWait2, Closed)],
        vec![child(step(1, Listen, SynRecv)), step(1, SynRecv, Established)],
        // Two children of one request, of which one is given up.
        vec![
            child(step(1, Listen, SynRecv)),
            of_another(child(step(1, Listen, SynRecv))),
            step(1, SynRecv, Established),
            of_another(step(2, SynRecv, Closed)),
            step(3, Established, CloseWait),
        ],
        // A process opens its socket once more, and its connect() was forgotten meanwhile.
        vec![step(1, Established, Closed), connect(2), connect(3), step(4, SynSent, Closed)],
        vec![step(1, Established, Closed), step(9, SynSent, Established)],
    ];
    for events in complete {
        let found = unreported(&mut Changes::default(), &events, [false; 3]);
        assert_eq!(found, [0; 3], "{events:?}");
    }
}

#[test]
fn a_socket_whose_end_was_lost_is_forgotten() {
    let mut changes = Changes::default();
    for cookie in 1..=10_000 {
        changes.take(&RawEvent { cookie, ..step(1, SynSent, Established) }, 0);
    }
    for change in changes.complete_at(MS) {
        changes.hand_out(&change);
    }
    assert!(!changes.has_change_of(1));
    let local = Endpoint { addr: addr(7), port: PORT };
    let addrs = AddressPair::new(Family::Ipv4, local, Endpoint { addr: addr(8), port: 80 });
    let shown = SocketRow { cookie: 2, ..SocketRow::new(addrs, Established) };
    changes.take_rows(&[shown], 9 * MS, true, 0);
    for cookie in [1, 2] {
        changes.take(&RawEvent { cookie, ..step(10, FinWait1, FinWait2) }, 0);
    }
    assert!(changes.end_delivery(false).is_empty());
    let missing = MissingEvent { netns: Some(1), family: Family::Ipv4 };
    assert_eq!(changes.end_delivery(false), [missing]);
}
