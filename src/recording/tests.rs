use super::*;
use crate::model::binding::{Binding, Device, DeviceName};
use crate::model::process::{Caller, Exe, Holder, Process};
use crate::model::reading::{
    AbortReason, DestroyEvents, DestroyedSocket, LookupRequest, LookupResult, Lookups, Lost,
    LostReason, OwnerUpdate, Reading, Snapshot, StateChange,
};
use crate::model::socket::{AddressPair, Endpoint, Family, NetnsId, Side};
use crate::model::socket_row::{Details, KernelTimes, SocketRow, Timer};
use crate::model::workload::Workload;
use crate::tcp::state::State;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::net::IpAddr;
use std::sync::Arc;

fn header() -> Header {
    Header {
        start: Stamp { wall: 1_790_000_000_000_000, boot: 77 },
        boot_id: "0b1c".to_owned(),
        part: 0,
        since: None,
        source: Interface::Proc,
        interval: Duration::from_millis(100),
        host: "host".to_owned(),
        kernel: "6.18".to_owned(),
    }
}

/// Encodes readings as a run does. Returns the file, and the readings with their timers as encoded.
fn encoded(mut readings: Vec<Reading>) -> (Vec<u8>, Vec<Reading>) {
    let mut encoder = Encoder::default();
    let mut file = encoder.header(&header());
    for reading in &mut readings {
        file.extend(encoder.encode(reading).lines(None));
    }
    (file, readings)
}

fn decoded(file: &[u8]) -> Vec<Reading> {
    let mut decoder = Decoder::default();
    let lines = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.filter_map(|line| decoder.decode(line).expect("a line of ours")).collect()
}

/// A snapshot that was taken in a millisecond from this boot time (µs) on.
fn snapshot(boot: u64, rows: &[SocketRow]) -> Reading {
    let at = |boot| Stamp { wall: 1_790_000_000_000_000, boot };
    let (start, end) = (at(boot), at(boot + 1000));
    Reading::Snapshot(Snapshot {
        start,
        end,
        netns: Some(1),
        rows: rows.to_vec(),
        bad_rows: 0,
        ..Snapshot::default()
    })
}

fn row(port: u16, state: State, inode: u64) -> SocketRow {
    let end = |port| Endpoint { addr: IpAddr::from([127, 0, 0, 1]), port };
    SocketRow {
        inode,
        uid: 1000,
        mini: inode == 0,
        ..SocketRow::new(AddressPair::new(Family::Ipv4, end(port), end(80)), state)
    }
}

/// A TIME_WAIT that ends after this time, in 1/100 s.
fn time_wait(timer_left: u64) -> SocketRow {
    let details = Details { timer: Timer::TimeWait, timer_left, ..Details::NONE };
    SocketRow { details, ..row(2, State::TimeWait, 0) }
}

#[test]
fn the_format_is_as_recorded() {
    let waiting = time_wait(6000);
    let server = Process {
        start: 5,
        comm: b"ser\xffver\n".to_vec(),
        exe: Exe::Name(b"server".to_vec()),
        cmdline: b"./server\0-v\0"[..].into(),
        uid: Some(0),
        ..Process::unknown(10)
    };
    let owners = OwnerUpdate {
        time: Stamp { wall: 1_790_000_000_000_000, boot: 2000 },
        replaces_earlier: true,
        all_inspected: true,
        processes: vec![server],
        holders: vec![(7, vec![Holder { pid: 10, start: 5, fd: 3, task: None }])],
        ..OwnerUpdate::default()
    };
    let later = time_wait(5990);
    let (file, _) = encoded(vec![
        Reading::OwnerUpdate(owners),
        snapshot(1000, &[row(1, State::Established, 7), waiting]),
        snapshot(101_000, &[row(1, State::Established, 7), later]),
        snapshot(201_000, &[row(1, State::CloseWait, 7)]),
    ]);
    insta::assert_snapshot!(String::from_utf8(file).unwrap(), @r#"
    {"tcplapse":{"recording":2,"start":[1790000000000000,77],"boot_id":"0b1c","part":0,"source":"proc","interval":100000,"host":"host","kernel":"6.18"}}
    {"owners":{"time":[1790000000000000,2000],"anew":true,"all":true,"processes":[{"pid":10,"start":5,"comm":"ser\\xffver\\x0a","exe":"server","cmdline":"./server\\x00-v\\x00","uid":0}],"holders":[[7,[{"pid":10,"start":5,"fd":3}]]]}}
    {"pass":{"start":[1790000000000000,1000],"end":[1790000000000000,2000],"netns":1,"rows":[{"local":"127.0.0.1:1","remote":"127.0.0.1:80","state":"ESTABLISHED","inode":7,"uid":1000},{"local":"127.0.0.1:2","remote":"127.0.0.1:80","state":"TIME_WAIT","uid":1000,"mini":true,"timer":"time-wait","left":6000}]}}
    {"quiet":[[1790000000000000,101000],[1790000000000000,102000]]}
    {"pass":{"start":[1790000000000000,201000],"end":[1790000000000000,202000],"netns":1,"rows":[{"state":"CLOSE_WAIT"},-1]}}
    "#);
}

#[test]
fn an_hour_without_changes_takes_little_space() {
    const HOUR: u64 = 36_000;
    let rows = |poll: u64| {
        // The kernel rounds to jiffies of 4 ms, and a row is read at some instant of the poll.
        let timer_left = (7_200_000 - poll * 100 - poll % 7) / 10;
        let details = Details { timer: Timer::Keepalive, timer_left, ..Details::NONE };
        [row(1, State::Listen, 7), SocketRow { details, ..row(2, State::Established, 9) }]
    };
    let mut encoder = Encoder::default();
    let mut thinner = Thinner::default();
    let mut size = encoder.header(&header()).len();
    for poll in 0..HOUR {
        let mut reading = snapshot(poll * 100_000, &rows(poll));
        let encoded = encoder.encode(&mut reading);
        if thinner.keeps(encoded.is_unchanged(), reading.time()) {
            size += encoded.lines(None).len();
        }
    }
    assert!(size < 300_000, "{size} bytes in an hour");
}

#[test]
fn a_restarted_timer_is_written() {
    for left in [5991, 6000] {
        let (file, readings) =
            encoded(vec![snapshot(0, &[time_wait(6000)]), snapshot(100_000, &[time_wait(left)])]);
        assert_eq!(decoded(&file)[1..], readings);
        let Reading::Snapshot(last) = &readings[1] else { panic!() };
        assert_eq!(last.rows[0].details.timer_left, left, "a tick more than predicted");
    }
    let (_, readings) =
        encoded(vec![snapshot(0, &[time_wait(6000)]), snapshot(100_000, &[time_wait(5988)])]);
    let Reading::Snapshot(last) = &readings[1] else { panic!() };
    assert_eq!(last.rows[0].details.timer_left, 5990, "rounding");
}

#[test]
fn the_next_file_of_a_run_continues_it() {
    let mut decoder = Decoder::default();
    let mut begin = |part, start| {
        let start = Stamp { wall: start, boot: 1 };
        let line = Encoder::default().header(&Header { start, part, ..header() });
        decoder.decode(line.trim_ascii_end()).unwrap().is_some()
    };
    assert!(begin(0, 5), "first file");
    assert!(!begin(1, 5), "next file");
    assert!(begin(3, 5), "one is missing");
    assert!(begin(4, 6), "another run");
}

#[test]
fn other_files_newer_versions_and_damage_are_errors() {
    let refused = |line: &str| Decoder::default().decode(line.as_bytes()).unwrap_err();
    assert_eq!(refused("hello"), DecodeError::NotARecording);
    assert_eq!(refused(r#"{"pass":{}}"#), DecodeError::NotARecording);
    assert_eq!(
        refused(r#"{"tcplapse":{"recording":3,"whatever":[]}}"#),
        DecodeError::NewerVersion(3)
    );
    assert!(matches!(refused(r#"{"tcplapse":{}}"#), DecodeError::Damaged(_)));
    let mut decoder = Decoder::default();
    decoder.decode(Encoder::default().header(&header()).trim_ascii_end()).unwrap();
    for line in [
        "{}",
        r#"{"pass":{"start":[0,0],"end":[0,0],"netns":null,"rows":[1]}}"#,
        r#"{"pass":{"start":[0,0],"end":[0,0],"netns":null,"rows":[-1]}}"#,
        r#"{"pass":{"start":[0,0],"end":[0,0],"netns":null,"rows":[{"state":"LISTEN"}]}}"#,
        r#"{"new\u001b[2J":1}"#,
        r#"{"owners":{"time":[0,0],"callers":[{"pid":1,"start":1,"comm":"\\q"}]}}"#,
    ] {
        let Err(DecodeError::Damaged(reason)) = decoder.decode(line.as_bytes()) else {
            panic!("{line}")
        };
        assert!(!reason.contains('\x1b'), "{reason}");
    }
}

#[test]
fn state_changes_of_older_versions_are_read() {
    let mut file = Encoder::default().header(&header());
    file.extend(
        br#"{"change":{"time":[1790000000000000,78],"netns":1,"socket":"18446612682512402880","#,
    );
    file.extend(br#""ends":{"local":"127.0.0.1:4000","remote":"127.0.0.1:80"},"from":"SYN_SENT","#);
    file.extend(
        br#""to":"CLOSED","passive":false,"caller":{"pid":7,"comm":"curl"},"cut":"refused"}}"#,
    );
    let readings = decoded(&file);
    let [Reading::Begin(_), Reading::StateChange(change)] = &readings[..] else {
        panic!("{readings:?}")
    };
    assert_eq!((change.socket, change.cookie), (18_446_612_682_512_402_880, 0));
    assert_eq!((change.inode, change.uid, change.reset_by), (None, None, None));
    assert_eq!(change.abort, Some(AbortReason::Refused));
}

fn state() -> impl Strategy<Value = State> {
    any::<u8>().prop_map(State::from_code)
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (any::<i64>(), any::<u64>()).prop_map(|(wall, boot)| Stamp { wall, boot })
}

/// One of few, so that the same come again.
fn addrs() -> impl Strategy<Value = AddressPair> {
    let addr = select(vec!["10.0.0.1", "::1", "fe80::1", "0.0.0.0"]);
    let addr = addr.prop_map(|text| text.parse::<IpAddr>().unwrap());
    let end = (addr, 0..3_u16).prop_map(|(addr, port)| Endpoint { addr, port });
    let family = select(vec![Family::Ipv4, Family::Ipv6]);
    let end = end.boxed();
    (family, end.clone(), end)
        .prop_map(|(family, local, remote)| AddressPair::new(family, local, remote))
}

fn row_of_any_values() -> impl Strategy<Value = SocketRow> {
    let timers = [Timer::None, Timer::Retransmit, Timer::Keepalive, Timer::TimeWait, Timer::Probe];
    let left = prop_oneof![0..10_u64, any::<u64>()];
    let timer = (select(timers.to_vec()), left, any::<u32>());
    let limit = option::of(any::<u32>());
    let times = (option::of(any::<u32>()), option::of(any::<u32>()));
    let times = times.prop_map(|(in_state, idle)| KernelTimes { in_state, idle });
    let rest = (any::<u32>(), any::<u32>(), any::<bool>(), limit, any::<u32>(), times);
    let rest = (rest, option::of(any::<bool>()));
    (addrs(), state(), 0..3_u64, 0..3_u32, timer, rest, any::<u64>()).prop_map(
        |(
            addrs,
            state,
            inode,
            uid,
            (timer, timer_left, retransmits),
            (rest, ipv6_only),
            cookie,
        )| SocketRow {
            addrs,
            state,
            inode,
            uid,
            mini: rest.2,
            details: Details {
                tx_queue: rest.0,
                rx_queue: rest.1,
                timer,
                timer_left,
                retransmits,
                backlog_limit: rest.3,
                times: rest.5,
            },
            cookie,
            ifindex: rest.4,
            binding: Binding {
                device: if cookie == 0 && rest.4 == 0 {
                    Device::Unknown
                } else {
                    Device::of_number(rest.4)
                },
                ipv6_only,
            },
        },
    )
}

#[test]
fn processes_share_their_command_line() {
    let process = |pid| Process {
        pid,
        start: 1,
        comm: b"worker".to_vec(),
        exe: Exe::None,
        cmdline: vec![b'x'; 1000].into(),
        uid: None,
        workload: None,
    };
    let update = |pids: [i32; 2]| {
        Reading::OwnerUpdate(OwnerUpdate {
            processes: pids.map(process).to_vec(),
            ..OwnerUpdate::default()
        })
    };
    let (file, _) = encoded(vec![update([1, 2]), update([3, 4])]);
    let read = decoded(&file);
    let commands = read.iter().flat_map(|reading| match reading {
        Reading::OwnerUpdate(owners) => owners.processes.iter().map(|it| &it.cmdline).collect(),
        _ => Vec::new(),
    });
    let commands: Vec<&Arc<[u8]>> = commands.collect();
    assert_eq!(commands.len(), 4);
    assert!(commands.iter().all(|command| Arc::ptr_eq(command, commands[0])));
}

fn process() -> impl Strategy<Value = Process> {
    let exe =
        prop_oneof![any::<Vec<u8>>().prop_map(Exe::Name), Just(Exe::None), Just(Exe::Denied),];
    let names = (any::<Vec<u8>>(), exe, any::<Vec<u8>>());
    (any::<i32>(), any::<u64>(), names, option::of(any::<u32>()), option::of(any::<String>()))
        .prop_map(|(pid, start, (comm, exe, cmdline), uid, unit)| {
            let cmdline = cmdline.into();
            let workload =
                unit.map(|unit| Arc::new(Workload { unit: Some(unit), ..Workload::default() }));
            Process { pid, start, comm, exe, cmdline, uid, workload }
        })
}

fn owners() -> impl Strategy<Value = OwnerUpdate> {
    let holder = (any::<i32>(), any::<u64>(), any::<i32>(), option::of(any::<i32>()))
        .prop_map(|(pid, start, fd, task)| Holder { pid, start, fd, task });
    let holders = vec((any::<u64>(), vec(holder, 0..3)), 0..3);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let processes = || vec(process(), 0..2);
    let rest = (vec((any::<i32>(), any::<u64>()), 0..2), vec(any::<u64>(), 0..2));
    (stamp(), flags, processes(), processes(), processes(), holders, rest).prop_map(
        |(
            time,
            (replaces_earlier, all_inspected, hidden),
            processes,
            denied,
            callers,
            holders,
            (allowed, proven),
        )| {
            OwnerUpdate {
                time,
                replaces_earlier,
                all_inspected,
                hidden,
                processes,
                denied,
                allowed,
                holders,
                proven,
                callers,
            }
        },
    )
}

fn change() -> impl Strategy<Value = StateChange> {
    let caller = (any::<i32>(), option::of(any::<Vec<u8>>()));
    let caller =
        option::of(caller.prop_map(|(pid, comm)| Caller { pid, comm, is_descendant: pid > 0 }));
    let what = (state(), state(), any::<bool>(), caller, abort());
    let names = (any::<u64>(), any::<u64>(), any::<u32>());
    let clues = (option::of(any::<u64>()), option::of(any::<u32>()));
    (stamp(), option::of(any::<u64>()), names, clues, addrs(), what).prop_map(
        |(time, netns, names, (inode, uid), addrs, (from, to, passive, caller, abort))| {
            let ((socket, cookie, ifindex), (abort, reset_by)) = (names, abort);
            StateChange {
                time,
                netns,
                socket,
                cookie,
                addrs,
                ifindex,
                device: DeviceName::new(ifindex.to_string().as_bytes()),
                ipv6_only: passive.then_some(true),
                inode,
                uid,
                from,
                to,
                passive,
                caller,
                abort,
                reset_by,
            }
        },
    )
}

fn abort() -> impl Strategy<Value = (Option<AbortReason>, Option<Side>)> {
    use AbortReason::{NoAnswer, NoPort, Refused, Reset, TimedOut, Unreachable};
    let reasons = vec![Reset, Refused, TimedOut, NoAnswer, Unreachable, NoPort];
    (option::of(select(reasons)), option::of(select(vec![Side::Local, Side::Remote])))
}

fn lookups() -> impl Strategy<Value = Lookups> {
    let request = (addrs(), any::<u64>(), any::<u64>(), any::<u32>()).prop_map(
        |(addrs, inode, cookie, ifindex)| LookupRequest { addrs, inode, cookie, ifindex },
    );
    let result =
        prop_oneof![Just(LookupResult::Gone), row_of_any_values().prop_map(LookupResult::There)];
    (stamp(), stamp(), option::of(any::<u64>()), vec((request, result), 0..3))
        .prop_map(|(start, end, netns, answers)| Lookups { start, end, netns, answers })
}

fn reading() -> impl Strategy<Value = Reading> {
    let reasons = select(vec![
        LostReason::Gap,
        LostReason::Table,
        LostReason::Ring,
        LostReason::Recursion,
        LostReason::Unreported,
    ]);
    let near = (any::<i64>(), 0..100_000_u64).prop_map(|(wall, boot)| Stamp { wall, boot });
    let start = prop_oneof![near, stamp()].boxed();
    let poll =
        (start.clone(), start, option::of(0..3_u64), vec(row_of_any_values(), 0..8), 0..2_u64);
    let lost = (stamp(), reasons, option::of(any::<u64>()));
    let socket = (option::of(addrs()), any::<u64>())
        .prop_map(|(addrs, cookie)| DestroyedSocket { addrs, cookie });
    prop_oneof![
        8 => poll.prop_map(|(start, end, netns, rows, bad_rows)| {
            Reading::Snapshot(Snapshot { start, end, netns, rows, bad_rows, ..Snapshot::default() })
        }),
        1 => lookups().prop_map(Reading::Lookups),
        1 => (stamp(), any::<bool>(), vec(socket, 0..3)).prop_map(|(time, overrun, sockets)| {
            Reading::DestroyEvents(DestroyEvents { time, overrun, netns: NetnsId::default(), sockets })
        }),
        1 => change().prop_map(Reading::StateChange),
        1 => lost.prop_map(|(time, reason, count)| Reading::Lost(Lost { time, reason, count })),
        1 => owners().prop_map(Reading::OwnerUpdate),
    ]
}

proptest! {
    #[test]
    fn decoding_yields_what_was_encoded(readings in vec(reading(), 0..12)) {
        let (file, readings) = encoded(readings);
        let begin = Reading::Begin(header().start);
        let all: Vec<Reading> = std::iter::once(begin).chain(readings).collect();
        prop_assert_eq!(decoded(&file), all);
    }

    #[test]
    fn small_changes_between_polls_survive_a_round_trip(
        rows in vec(row_of_any_values(), 0..40),
        edits in vec((0..40_usize, 0..3_u8, row_of_any_values()), 0..40),
    ) {
        let mut rows = rows;
        let mut readings = vec![snapshot(0, &rows)];
        for (poll, (at, what, row)) in (1..).zip(edits) {
            let at = at.min(rows.len());
            match what {
                0 => rows.insert(at, row),
                1 if at < rows.len() => drop(rows.remove(at)),
                _ if at < rows.len() => rows[at].state = row.state,
                _ => {}
            }
            readings.push(snapshot(poll * 100_000, &rows));
        }
        let (file, readings) = encoded(readings);
        prop_assert_eq!(&decoded(&file)[1..], &readings);
    }

    #[test]
    fn no_line_makes_the_decoder_panic(lines in vec(any::<Vec<u8>>(), 0..4), cut in 0..4000_usize) {
        let mut decoder = Decoder::default();
        for line in &lines {
            let _ = decoder.decode(line);
        }
        let (mut file, _) = encoded(vec![snapshot(0, &[row(1, State::Listen, 3)]), snapshot(5, &[])]);
        file.truncate(cut);
        if let Some(byte) = lines.first().and_then(|line| line.first()) {
            let place = cut % file.len().max(1);
            file.iter_mut().skip(place).take(1).for_each(|b| *b = *byte);
        }
        for line in file.split(|byte| *byte == b'\n') {
            let _ = decoder.decode(line);
        }
    }
}
