//! The source `trace` beside the kernel's own account in tracefs.
//!
//! Where it matters which process closes a socket, actors hold them: a child process of another
//! test inherits ours for a moment, and then its exec() may be what closes them.

use crate::support::actor::Actor;
use crate::support::mounts::enter_private_mounts;
use crate::support::netns::isolated;
use crate::support::program::{Program, command, command_of_nobody, run_as_nobody};
use crate::support::require::{Feature, skip};
use crate::support::sockets::{self, listener, pair};
use crate::support::stall;
use crate::support::trace::{Trace as Account, Traced, What};
use crate::support::wait::until;
use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::thread;
use std::time::Duration;
use tcplapse::testing::error::Error;
use tcplapse::testing::model::reading::{AbortReason, LostReason, Reading, StateChange};
use tcplapse::testing::model::socket::{AddressPair, Endpoint, Side};
use tcplapse::testing::settings::PollSettings;
use tcplapse::testing::signals::Signals;
use tcplapse::testing::source::Source;
use tcplapse::testing::source::trace::program::{Programs, Scope};
use tcplapse::testing::source::trace::record::What as Happened;
use tcplapse::testing::source::trace::{Trace, TraceSettings};
use tcplapse::testing::tcp::state::State;

const RING: usize = 1 << 20;
/// A page: as small as a ring can be.
const SMALL_RING: usize = 4096;
const PACE: PollSettings = PollSettings {
    interval: Duration::from_millis(20),
    max_cpu: 100.0,
    idle: false,
    tcp_info: false,
    bound: false,
};
/// Longer than any of these tests may take.
const LIMIT: Duration = Duration::from_secs(60);

const ELSEWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 9), 0);

/// So many ports are for the tests of this process alone: the kernel's trace is of all namespaces,
/// and the same tests may run in another process.
const PORTS: u16 = 4;

/// The first of them, of those that the kernel gives to nobody by itself.
fn first_port() -> u16 {
    let slot = u16::try_from(std::process::id() % 5000).expect("it is small");
    10_000 + PORTS * slot
}

const fn here(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

/// Whether kernel events may be followed here; else the test is skipped.
pub(super) fn is_permitted() -> bool {
    open(RING).is_some()
}

/// Opens the source; `None` without the right to follow events.
fn open(ring: usize) -> Option<Trace> {
    let settings = TraceSettings { family: None, poll: PACE, ring, root: None };
    match Trace::open(settings) {
        Ok(trace) => Some(trace),
        Err(Error::Trace(why)) => {
            skip(Feature::Trace, &why.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn account(ports: std::ops::RangeInclusive<u16>) -> Option<Account> {
    Account::start(ports).map_err(|reason| skip(Feature::Trace, &reason)).ok()
}

/// A source and all that was read from it.
struct Reader {
    trace: Trace,
    stop: Signals,
    readings: Vec<Reading>,
}

impl Reader {
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

    /// Reads until a listener that is opened for this is closed: all before it has been read.
    fn all(&mut self, actor: &mut Actor, marker: u16) {
        actor.order(&format!("listen marker {} 1", here(marker)));
        actor.order("close marker");
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

impl Drop for Reader {
    fn drop(&mut self) {
        let is_missing = |reading: &Reading| match reading {
            Reading::Lost(lost) => lost.reason == LostReason::Unreported,
            _ => false,
        };
        if self.readings.iter().any(is_missing) {
            stall::note();
        }
    }
}

/// Steps by the ends, in the order of time. The kernel does not report the port of a SYN_SENT.
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

/// Connections of every fate, one after the other. No close() gets ahead of a reset or of data, so
/// that it is known which sockets are reset.
fn play(player: &mut Actor, port: u16, rounds: usize) {
    let server = here(port);
    player.order(&format!("listen l {server} 128"));
    let open = |player: &mut Actor| {
        player.order(&format!("connect c 127.0.0.1:0 {server}"));
        player.accept("l")
    };
    for _ in 0..rounds {
        let accepted = open(player);
        player.order("close c");
        player.order(&format!("close {accepted}"));
        let accepted = open(player);
        player.order(&format!("shutdown {accepted}"));
        player.order("shutdown c");
        player.order("close c");
        player.order(&format!("close {accepted}"));
        let accepted = open(player);
        player.order("reset c");
        player.until_error(&accepted);
        player.order(&format!("close {accepted}"));
        // close() with unread data resets.
        let accepted = open(player);
        player.order("send c");
        player.order(&format!("peek {accepted}"));
        player.order(&format!("close {accepted}"));
        player.until_error("c");
        player.order("close c");
    }
    player.order("close l");
    for _ in 0..rounds {
        // From another address: a socket that has this very port would connect to itself.
        player.order(&format!("connect c {ELSEWHERE} {server}"));
        player.until_error("c");
        player.order("close c");
    }
}

#[test]
fn every_change_in_the_kernels_trace_is_read() {
    const ROUNDS: usize = 20;
    let (port, marker) = (first_port(), first_port() + 1);
    isolated(|| {
        let Some(account) = account(port..=marker) else { return };
        let Some(trace) = open(RING) else { return };
        let mut player = Actor::start("player");
        let mut reader = Reader::new(trace);
        reader.until("the first poll", |reading| matches!(reading, Reading::Snapshot(_)));
        play(&mut player, port, ROUNDS);
        reader.all(&mut player, marker);
        let kernel = of_kernel(&account.stop(), marker);
        let changes = reader.changes();
        assert_eq!(reader.lost(), 0);
        assert_eq!(of_source(&changes, marker), kernel);
        assert!(kernel.len() > 8 * ROUNDS, "{} 4-tuples", kernel.len());
        let of_player = changes.into_iter().filter(|change| change.addrs.local.port != marker);
        callers_and_reasons(of_player, i32::try_from(player.pid()).expect("a pid"), port);
    });
}

/// Each change that a process made names it, and each reset is known as one.
fn callers_and_reasons<'a>(changes: impl Iterator<Item = &'a StateChange>, pid: i32, port: u16) {
    use State::{CloseWait, Closed, Established, FinWait1, LastAck, Listen, SynSent};
    let mut resets: BTreeMap<u16, Vec<Option<Side>>> = BTreeMap::new();
    for change in changes {
        let own = matches!(
            (change.from, change.to),
            (Closed, Listen | SynSent) | (Established, FinWait1) | (CloseWait, LastAck)
        ) || change.from == Listen
            || (change.from, change.to) == (Established, Closed)
                && change.reset_by == Some(Side::Local);
        let caller = change.caller.as_ref();
        assert_eq!(caller.map(|caller| caller.pid), own.then_some(pid), "{change:?}");
        if let Some(comm) = caller.and_then(|caller| caller.comm.as_ref()) {
            assert_eq!(comm, b"player", "{change:?}");
        }
        let abort = match (change.from, change.to) {
            (Established, Closed) => Some(AbortReason::Reset),
            (SynSent, Closed) => Some(AbortReason::Refused),
            _ => None,
        };
        assert_eq!(change.abort, abort, "{change:?}");
        assert_eq!(change.reset_by.is_some(), abort.is_some(), "{change:?}");
        if abort == Some(AbortReason::Reset) {
            let AddressPair { local, remote, .. } = change.addrs;
            let client = if local.port == port { remote } else { local };
            resets.entry(client.port).or_default().push(change.reset_by);
        }
        let passive = change.to == State::SynRecv && change.addrs.local.port == port;
        assert_eq!(change.passive, passive, "{change:?}");
    }
    // Of both ends of a connection one sent the reset and the other one received it. The kernel may
    // give a port of a connection that was reset to a later one.
    for (client, sides) in resets {
        let of = |end| sides.iter().filter(|side| **side == Some(end)).count();
        assert_eq!(of(Side::Local), of(Side::Remote), "of client port {client}: {sides:?}");
    }
}

#[test]
fn events_without_room_in_the_ring_are_counted() {
    const CONNECTIONS: usize = 500;
    /// Five at either end of a connection, and the listener's first: far more than a ring of a page
    /// has room for, even if it is emptied now and then.
    const STEPS: usize = 10 * CONNECTIONS + 1;
    isolated(|| {
        let netns = own_namespace();
        let mut programs =
            match Programs::attach(Scope { netns, pidns: 0, root: None, ring: SMALL_RING }) {
                Ok(programs) => programs,
                Err(why) => return skip(Feature::Trace, &why.to_string()),
            };
        let server = listener(here(0), 128).expect("a port is free");
        (0..CONNECTIONS).for_each(|_| drop(pair(&server, here(0))));
        let (mut delivered, mut lost) = (0, 0);
        // close() may return before the packets have arrived.
        until("every step", || {
            let delivery = programs.take();
            let is_step =
                |what: &Happened| matches!(what, Happened::Step { from, to } if from != to);
            delivered += delivery.events.iter().filter(|event| is_step(&event.what)).count();
            lost += usize::try_from(delivery.lost).expect("it is small");
            (delivered + lost >= STEPS).then_some(())
        });
        assert!(lost > 0, "{delivered} of {STEPS} delivered");
        assert_eq!(delivered + lost, STEPS, "{delivered} delivered, {lost} lost");
    });
}

/// A reset for a SYN to a closed port is of no socket, and two processors may send one at once: were it
/// counted as written by the second program, another event could be lost unnoticed.
#[test]
fn refused_connections_on_several_processors_hide_no_loss() {
    const CONNECTIONS: usize = 40_000;
    isolated(|| {
        let scope = Scope { netns: own_namespace(), pidns: 0, root: None, ring: RING };
        let programs = match Programs::attach(scope) {
            Ok(programs) => programs,
            Err(why) => return skip(Feature::Trace, &why.to_string()),
        };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let refused = |_| TcpStream::connect(here(1)).is_err();
                    assert!((0..CONNECTIONS).all(refused), "nobody listens here");
                });
            }
        });
        // Of all namespaces: elsewhere there may be an event at this moment.
        until("no more to be written by the second programs than is left to them", || {
            let (left, by_second) = programs.left_to_second();
            (by_second <= left).then_some(())
        });
    });
}

#[test]
fn nobody_is_woken_until_there_is_an_event() {
    isolated(|| {
        let scope = Scope { netns: own_namespace(), pidns: 0, root: None, ring: RING };
        let mut programs = match Programs::attach(scope) {
            Ok(programs) => programs,
            Err(why) => return skip(Feature::Trace, &why.to_string()),
        };
        assert!(programs.pause(), "there are no sockets here");
        let is_readable = |programs: &Programs, limit: Duration| {
            let ring = programs.ring();
            let limit = Timespec::try_from(limit).expect("it is short");
            let mut ring = [PollFd::from_borrowed_fd(ring, PollFlags::IN)];
            poll(&mut ring, Some(&limit)).expect("a ring can be waited for") == 1
        };
        assert!(!is_readable(&programs, Duration::ZERO));
        let server = listener(here(0), 128).expect("a port is free");
        assert!(is_readable(&programs, LIMIT));
        assert!(!programs.pause(), "an event waits");
        assert_eq!(programs.take().events.len(), 1);
        // Who has not paused it need not wake it.
        drop(pair(&server, here(0)));
        until("the ring to be emptied", || (!is_readable(&programs, Duration::ZERO)).then_some(()));
        assert!(!programs.take().events.is_empty());
    });
}

#[test]
fn a_signal_is_answered_while_nothing_happens() {
    isolated(|| {
        if !is_permitted() {
            return;
        }
        let mut watch = Program::watch(&["--source", "trace", "-i", "1h"]);
        for _ in 0..2 {
            watch.signal(Signal::SIGUSR1);
            let seen = watch.message_with("seen: ");
            assert!(seen.ends_with("seen: 0 sockets (0 still there)\n"), "{seen}");
        }
        watch.stop();
    });
}

#[test]
fn a_listener_without_a_bind_is_reported_before_the_next_poll() {
    isolated(|| {
        if !is_permitted() {
            return;
        }
        let mut server = Actor::start("server");
        let mut watch = Program::watch(&["--source", "trace", "-i", "1h"]);
        let port = server.addr("listen l unbound 1").port();
        let opened = watch.until("the listener", |event| event.to == "LISTEN");
        let owner = (opened.pid, opened.owner_source.as_str());
        assert_eq!((opened.local_port, owner), (port, (Some(server.pid()), "proven")));
        assert_eq!(opened.after, Some(opened.time), "the kernel said when");
        watch.stop();
    });
}

fn own_namespace() -> u64 {
    std::fs::metadata("/proc/thread-self/ns/net").expect("procfs").ino()
}

#[test]
fn after_a_loss_the_tables_are_polled() {
    isolated(|| {
        let Some(trace) = open(SMALL_RING) else { return };
        let mut reader = Reader::new(trace);
        reader.until("the first poll", |reading| matches!(reading, Reading::Snapshot(_)));
        let server = listener(here(0), 128).expect("a port is free");
        let held = until("a loss", || {
            let held = pair(&server, here(0));
            (0..500).for_each(|_| drop(pair(&server, here(0))));
            reader.until("a poll", |reading| matches!(reading, Reading::Snapshot(_)));
            (reader.lost() > 0).then_some(held)
        });
        let lost = reader.readings.iter().rfind(|reading| matches!(reading, Reading::Lost(_)));
        let lost_at = lost.expect("one was lost").time();
        reader.until(
            "a poll after the loss",
            |reading| matches!(reading, Reading::Snapshot(poll) if poll.start >= lost_at),
        );
        let Some(Reading::Snapshot(poll)) = reader.readings.last() else { panic!("just found") };
        let client = end(&held.0);
        assert!(poll.rows.iter().any(|row| v4(row.addrs.local) == client), "{client}");
    });
}

fn end(socket: &socket2::Socket) -> SocketAddrV4 {
    sockets::end(&socket.local_addr())
}

#[test]
fn the_source_mounts_nothing() {
    isolated(|| {
        if let Err(error) = enter_private_mounts() {
            return skip(Feature::Trace, &error.to_string());
        }
        // Others may remove a mount point, and with it what is mounted there; none of theirs comes.
        let mounts = || std::fs::read_to_string("/proc/thread-self/mountinfo").expect("procfs");
        let before = mounts();
        let new = || -> Vec<String> {
            let is_new = |mount: &&str| !before.lines().any(|known| known == *mount);
            mounts().lines().filter(is_new).map(str::to_owned).collect()
        };
        let Some(trace) = open(RING) else { return };
        assert!(new().is_empty(), "{:?}", new());
        drop(trace);
        assert!(new().is_empty(), "{:?}", new());
    });
}

#[test]
fn without_privilege_auto_takes_netlink_and_says_why() {
    let Some(denied) = run_as_nobody(&["--source", "trace"]) else {
        return skip(Feature::OtherUser, "this user may not become another");
    };
    let messages = denied.messages();
    assert_eq!(denied.code, Some(2), "{messages}");
    assert_eq!(messages.lines().count(), 1, "{messages}");
    assert!(messages.contains("root") && messages.contains("--source netlink"), "{messages}");

    let mut by_variable = command_of_nobody(&[]);
    by_variable.env("TCPLAPSE_SOURCE", "trace");
    let refused = Program::spawn(by_variable).finish();
    assert_eq!(refused.stderr, messages.replace("cannot trace", "TCPLAPSE_SOURCE: cannot trace"));

    let auto = ["--source", "auto", "--for", "1ms", "--port", "1"];
    let auto = run_as_nobody(&auto).expect("it could be run before");
    let messages = auto.messages();
    assert_eq!(auto.code, Some(0), "{messages}");
    let first = messages.lines().next().unwrap_or_default();
    assert!(first.contains("using --source netlink: "), "{messages}");
    assert!(first.contains("root"), "{messages}");
}

/// Polls have the times within, events those outside.
#[test]
fn in_a_time_namespace_there_are_no_kernel_events() {
    isolated(|| {
        if !is_permitted() {
            return;
        }
        let inside = |source: &str| {
            let mut unshare = Command::new("unshare");
            unshare.args(["--time", "--boottime", "100000", "--fork"]);
            unshare.arg(command(&[]).get_program()).args(["--source", source, "--for", "1ms"]);
            Program::try_spawn(unshare).map(Program::finish)
        };
        let Ok(refused) = inside("trace") else {
            return skip(Feature::Netns, "unshare is missing");
        };
        let messages = refused.messages();
        if messages.starts_with("unshare: ") {
            return skip(Feature::Netns, &messages);
        }
        assert_eq!((refused.code, messages.lines().count()), (Some(2), 1), "{messages}");
        assert!(messages.contains("time namespace"), "{messages}");
        let auto = inside("auto").expect("as before");
        assert_eq!(auto.code, Some(0), "{auto:?}");
        assert!(auto.messages().contains("using --source netlink: "), "{auto:?}");
    });
}
