//! The source `trace` beside the kernel's own account in tracefs.

use crate::old_support::netns::{isolated, skip};
use crate::old_support::program::run_as_nobody;
use crate::old_support::sockets::{self, listener, pair};
use crate::old_support::trace::{Trace as Account, Traced, What};
use crate::old_support::wait::until;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4};
use std::sync::Barrier;
use std::time::Duration;
use tcplapse::error::Error;
use tcplapse::model::reading::{AbortReason, LostReason, Reading, StateChange};
use tcplapse::model::socket::Endpoint;
use tcplapse::settings::PollSettings;
use tcplapse::signals::Signals;
use tcplapse::source::Source;
use tcplapse::source::trace::record::What as Happened;
use tcplapse::source::trace::ring::{Follower, Rings};
use tcplapse::source::trace::{Trace, tracefs};
use tcplapse::tcp::state::State;

const RING: usize = 1 << 20;
const SMALL_RING: usize = 16 << 10;
const PACE: PollSettings = PollSettings { interval: Duration::from_millis(20), max_cpu: 100.0 };
/// Longer than any of these tests may take.
const LIMIT: Duration = Duration::from_mins(1);

const ELSEWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 9), 0);

const fn here(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

/// Opens the source; without the right to follow events, the test says so and passes.
fn open(ring: usize) -> Option<Trace> {
    match Trace::open(None, PACE, ring) {
        Ok(trace) => Some(trace),
        Err(Error::Trace(why)) => {
            skip(&why);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn account(ports: std::ops::RangeInclusive<u16>) -> Option<Account> {
    Account::start(ports).map_err(|reason| skip(&reason)).ok()
}

/// A source and all that it has told.
struct Told {
    trace: Trace,
    stop: Signals,
    readings: Vec<Reading>,
}

impl Told {
    fn new(trace: Trace) -> Self {
        let stop = Signals::new(Some(LIMIT)).expect("signals can be caught");
        Self { trace, stop, readings: Vec::new() }
    }

    /// Reads until there is such a reading.
    fn until(&mut self, what: &str, wanted: impl Fn(&Reading) -> bool) {
        loop {
            let reading = self.trace.next(&self.stop).expect("nothing breaks");
            let reading = reading.unwrap_or_else(|| panic!("{what} never came"));
            let found = wanted(&reading);
            self.readings.push(reading);
            if found {
                return;
            }
        }
    }

    /// Reads until a listener that is opened for this has been told of: all before it has been.
    fn all(&mut self, marker: u16) {
        drop(listener(here(marker), 1).expect("the port is free"));
        self.until("the marker", |reading| {
            matches!(reading, Reading::StateChange(change)
                if change.addrs.local.port == marker && change.to == State::Closed)
        });
    }

    fn changes(&self) -> Vec<&StateChange> {
        fn change(reading: &Reading) -> Option<&StateChange> {
            match reading {
                Reading::StateChange(change) => Some(change),
                _ => None,
            }
        }
        self.readings.iter().filter_map(change).collect()
    }

    fn lost(&self) -> u64 {
        let lost = |reading: &Reading| match reading {
            Reading::Lost(lost) if lost.reason == LostReason::Ring => lost.count.expect("counted"),
            _ => 0,
        };
        self.readings.iter().map(lost).sum()
    }
}

/// Steps by the ends, in the order of time. The kernel does not tell the port of a SYN_SENT.
type Steps = BTreeMap<(SocketAddrV4, SocketAddrV4), Vec<(String, String)>>;

fn of_kernel(traced: &[Traced], marker: u16) -> Steps {
    let mut steps = Steps::new();
    let mut sent = Vec::new();
    for event in traced.iter().filter(|event| event.local.port() != marker) {
        let What::Change(from, to) = &event.what else { continue };
        if from == to {
            continue;
        }
        let born = from == "LISTEN" && to != "CLOSED";
        let step = (if born { "CLOSED" } else { from }.to_owned(), to.clone());
        if event.local.port() == 0 {
            // The next step of one with the same other ends is its own: one after the other.
            sent.push((*event.local.ip(), event.remote, step));
            continue;
        }
        let known = steps.entry((event.local, event.remote)).or_default();
        let mine = |(ip, remote, _): &(Ipv4Addr, SocketAddrV4, _)| {
            (ip, remote) == (event.local.ip(), &event.remote) && from == "SYN_SENT"
        };
        if let Some(place) = sent.iter().position(mine) {
            known.push(sent.remove(place).2);
        }
        known.push(step);
    }
    assert!(sent.is_empty(), "{sent:?}");
    steps
}

fn of_source(changes: &[&StateChange], marker: u16) -> Steps {
    let mut steps = Steps::new();
    for change in changes.iter().filter(|change| change.addrs.local.port != marker) {
        let addrs = (v4(change.addrs.local), v4(change.addrs.remote));
        let step = (change.from.to_string(), change.to.to_string());
        steps.entry(addrs).or_default().push(step);
    }
    steps
}

fn v4(end: Endpoint) -> SocketAddrV4 {
    match end.addr {
        std::net::IpAddr::V4(addr) => SocketAddrV4::new(addr, end.port),
        std::net::IpAddr::V6(addr) => panic!("these tests speak IPv4, not {addr}"),
    }
}

/// Connections of every fate, one after the other.
fn play(port: u16, rounds: usize) {
    let server = listener(here(port), 128).expect("the port is free");
    for _ in 0..rounds {
        let (client, accepted) = pair(&server, here(0));
        drop(client);
        drop(accepted);
        let (client, accepted) = pair(&server, here(0));
        accepted.shutdown(Shutdown::Write).expect("it is connected");
        client.shutdown(Shutdown::Write).expect("it is connected");
        drop((client, accepted));
        let (client, accepted) = pair(&server, here(0));
        sockets::reset(client);
        drop(accepted);
        let (mut client, accepted) = pair(&server, here(0));
        client.write_all(b"unread").expect("it is connected");
        drop((accepted, client));
    }
    drop(server);
    for _ in 0..rounds {
        // From another address: a socket that has this very port would connect to itself.
        let client = sockets::bound(ELSEWHERE).expect("a port is free");
        assert!(client.connect(&here(port).into()).is_err(), "nobody listens");
    }
}

#[test]
fn every_step_that_the_kernel_accounts_for_is_told() {
    const PORT: u16 = 61_010;
    const MARKER: u16 = 61_011;
    const ROUNDS: usize = 100;
    isolated(|| {
        let Some(account) = account(PORT..=MARKER) else { return };
        let Some(trace) = open(RING) else { return };
        let mut told = Told::new(trace);
        told.until("the first look", |reading| matches!(reading, Reading::Snapshot(_)));
        play(PORT, ROUNDS);
        told.all(MARKER);
        let kernel = of_kernel(&account.stop(), MARKER);
        let source = of_source(&told.changes(), MARKER);
        assert_eq!(told.lost(), 0);
        assert_eq!(source, kernel);
        assert!(kernel.len() > 8 * ROUNDS, "{} ends", kernel.len());
        whose_and_why(&told.changes(), PORT);
    });
}

/// Each step that is a process's own names it, each reset is known as one.
fn whose_and_why(changes: &[&StateChange], port: u16) {
    use State::{CloseWait, Closed, Established, FinWait1, LastAck, Listen, SynSent};
    let pid = i32::try_from(std::process::id()).expect("a pid");
    let comm = std::fs::read("/proc/self/comm").expect("procfs is mounted");
    for change in changes {
        let own = matches!(
            (change.from, change.to),
            (Closed, Listen | SynSent) | (Established, FinWait1) | (CloseWait, LastAck)
        );
        let caller = change.caller.as_ref();
        assert_eq!(
            caller.map(|caller| caller.pid),
            own.then_some(pid).or(of_listener(change, pid))
        );
        if let Some(named) = caller.and_then(|caller| caller.comm.as_ref()) {
            assert_eq!(Some(&named[..]), comm.strip_suffix(b"\n"), "{change:?}");
        }
        let cut = match (change.from, change.to) {
            (Established, Closed) => Some(AbortReason::Reset),
            (SynSent, Closed) => Some(AbortReason::Refused),
            _ => None,
        };
        assert_eq!(change.cut, cut, "{change:?}");
        assert!(change.passive == (change.to == State::SynRecv && change.addrs.local.port == port));
    }
}

fn of_listener(change: &StateChange, pid: i32) -> Option<i32> {
    (change.from == State::Listen).then_some(pid)
}

#[test]
fn twins_in_another_namespace_are_not_taken_for_ours() {
    const PORT: u16 = 61_020;
    const MARKER: u16 = 61_021;
    const PAIRS: u16 = 60;
    /// Both namespaces have these sockets at the same time, with the same ends.
    fn act(turn: &Barrier) {
        let server = listener(here(PORT), 8).expect("the port is free");
        for number in 1..=PAIRS {
            let (client, accepted) = pair(&server, here(PORT + 1 + number));
            turn.wait();
            drop(client);
            turn.wait();
            drop(accepted);
            turn.wait();
        }
    }
    isolated(|| {
        let Some(account) = account(PORT..=PORT + 1 + PAIRS) else { return };
        let Some(trace) = open(RING) else { return };
        let turn = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| isolated(|| act(&turn)));
            act(&turn);
        });
        let mut told = Told::new(trace);
        told.all(MARKER);
        let kernel = of_kernel(&account.stop(), MARKER);
        let source = of_source(&told.changes(), MARKER);
        let steps = |steps: &Steps| steps.values().map(Vec::len).sum::<usize>();
        assert_eq!(2 * steps(&source), steps(&kernel), "half of them are ours");
        assert!(source.keys().eq(kernel.keys()), "every socket has its twin");
        assert!(told.trace.notices().is_empty(), "nothing was left undecided");
    });
}

#[test]
fn what_a_small_ring_has_no_room_for_is_counted() {
    const PORT: u16 = 61_090;
    const CONNECTIONS: usize = 2000;
    /// Five at either end of a connection, and the listener's first.
    const STEPS: usize = 10 * CONNECTIONS + 1;
    isolated(|| {
        // The rings are those of the machine, so bystanders are counted as well.
        let Some(account) = account(0..=u16::MAX) else { return };
        let rings = tracefs::formats().and_then(|formats| Rings::open(&formats, SMALL_RING));
        let mut follower = match rings {
            Ok(rings) => Follower::start(rings).expect("a thread can be had"),
            Err(why) => return skip(&why),
        };
        let server = listener(here(PORT), 128).expect("the port is free");
        (0..CONNECTIONS).for_each(|_| drop(pair(&server, here(0))));
        let ours = |event: &Traced| [event.local.port(), event.remote.port()].contains(&PORT);
        let step = |event: &&Traced| {
            matches!(&event.what, What::Change(from, to) if from != to) && ours(event)
        };
        // On a busy machine a close() returns before its packets have arrived.
        until("the end of the last connection", || {
            (account.so_far().iter().filter(step).count() == STEPS).then_some(())
        });
        let delivery = follower.finish().expect("the rings can be read");
        let most = account.count();
        let steps = delivery.events.iter().filter_map(|event| match &event.what {
            Happened::Step { addrs, .. } => Some([addrs.local.port, addrs.remote.port]),
            _ => None,
        });
        let told = steps.clone().count();
        let told_of_ours = steps.filter(|ports| ports.contains(&PORT)).count();
        let lost = usize::try_from(delivery.lost).expect("it is small");
        eprintln!("{told_of_ours} of {STEPS} told, {lost} lost; {told} of {most} events told");
        assert!(lost > 0, "the ring was too large for this test");
        assert!(STEPS - told_of_ours <= lost, "too few are said to be lost");
        assert!(told + lost <= most, "too many are said to be lost");
    });
}

#[test]
fn after_a_loss_the_tables_are_read_again() {
    const PORT: u16 = 61_095;
    isolated(|| {
        let Some(trace) = open(SMALL_RING) else { return };
        let mut told = Told::new(trace);
        told.until("the first look", |reading| matches!(reading, Reading::Snapshot(_)));
        let server = listener(here(PORT), 128).expect("the port is free");
        let held = until("a loss", || {
            let held = pair(&server, here(0));
            (0..500).for_each(|_| drop(pair(&server, here(0))));
            told.until("a look", |reading| matches!(reading, Reading::Snapshot(_)));
            (told.lost() > 0).then_some(held)
        });
        let lost = told.readings.iter().rfind(|reading| matches!(reading, Reading::Lost(_)));
        let lost_at = lost.expect("one was lost").time();
        told.until(
            "a look after the loss",
            |reading| matches!(reading, Reading::Snapshot(poll) if poll.start >= lost_at),
        );
        let Some(Reading::Snapshot(poll)) = told.readings.last() else { panic!("just found") };
        let client = end(&held.0);
        assert!(poll.rows.iter().any(|row| v4(row.addrs.local) == client), "{client}");
    });
}

fn end(socket: &socket2::Socket) -> SocketAddrV4 {
    sockets::end(&socket.local_addr())
}

#[test]
fn no_mount_is_made() {
    isolated(|| {
        let mounts = || std::fs::read_to_string("/proc/thread-self/mountinfo").expect("procfs");
        let before = mounts();
        let Some(trace) = open(RING) else { return };
        assert_eq!(mounts(), before);
        drop(trace);
        assert_eq!(mounts(), before);
    });
}

#[test]
fn without_rights_it_is_said_what_is_missing_and_the_next_best_is_taken() {
    let Some(denied) = run_as_nobody(&["--source", "trace"]) else {
        return skip("this user may not become another");
    };
    let said = String::from_utf8_lossy(&denied.stderr);
    assert_eq!(denied.status.code(), Some(2), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("root") && said.contains("--source netlink"), "{said}");

    let auto = ["--source", "auto", "--for", "1ms", "--port", "1"];
    let auto = run_as_nobody(&auto).expect("it could be run before");
    let said = String::from_utf8_lossy(&auto.stderr);
    assert_eq!(auto.status.code(), Some(0), "{said}");
    let first = said.lines().next().unwrap_or_default();
    assert!(first.contains("auto takes netlink, not trace: ") && first.contains("root"), "{said}");
}
