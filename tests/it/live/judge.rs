//! The judge: random lives of every kind, all that the program says of them, and the kernel's
//! trace beside it. Every claim is held against the trace.

mod claims;
mod forgeries;
mod plan;
mod soak;
mod truth;

use crate::old_support::actor::Actor;
use crate::old_support::netns::{isolated, skip};
use crate::old_support::program::Watch;
use crate::old_support::record::{Event, Line};
use crate::old_support::sockets;
use crate::old_support::trace::{Trace, Traced};
use crate::old_support::wait::until_instant;
use plan::{MARKER, PORTS, Plan, Who};
use rustix::time::{ClockId, clock_gettime};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use truth::{Ends, Lives};

const SOURCES: [&str; 3] = ["proc", "netlink", "trace"];
const LIVES: usize = 1500;
const SPAN: Duration = Duration::from_secs(12);
/// The wall clock may be moved by these microseconds in a run, or differ so much from sample to
/// sample; if it is set, nothing can be judged.
const SLEW: i64 = 25;
/// Which process connected, and between which wall times.
struct Opened {
    ends: Ends,
    pid: u32,
    sent: i64,
    answered: i64,
}

#[test]
fn no_record_contradicts_the_kernel_and_no_long_life_is_missing() {
    isolated(|| {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
        let seed = std::env::var("TCPLAPSE_TEST_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or(u64::try_from(seed).expect("for ages"));
        eprintln!("TCPLAPSE_TEST_SEED={seed}");
        let trace = match Trace::start(PORTS) {
            Ok(trace) => trace,
            Err(reason) => return skip(&reason),
        };
        run(seed, trace);
    });
}

fn run(seed: u64, trace: Trace) {
    let home = plan::home();
    let mut cast = Cast::new(home);
    let offset = wall_offset();
    let start = |source| Watch::start(&["-i", "20ms", "--max-cpu", "100", "--source", source]);
    let sources: Vec<&str> = SOURCES.into_iter().filter(|source| can_follow(source)).collect();
    let watches: Vec<Watch> = sources.iter().copied().map(start).collect();
    cast.mark(&watches);
    let plan = Plan::random(home, seed, LIVES, SPAN);
    let opened = cast.play(&plan);
    cast.mark(&watches);
    let table = sockets::table();
    let told: Vec<Vec<Line>> = watches.into_iter().map(Watch::stop).collect();
    let traced = trace.stop();
    let drift = wall_offset() - offset;
    if drift.abs() > SLEW {
        return skip("the wall clock was set while the test ran");
    }
    let mut lives = truth::lives(&in_wall_time(traced, home, offset), &table);
    cast.name_owners(&mut lives, &opened);
    for (source, lines) in sources.into_iter().zip(told) {
        judge(source, lines, &lives, LIVES);
    }
}

/// Whether the program can follow a source here; if not, it says why.
fn can_follow(source: &str) -> bool {
    let run = Command::new(env!("CARGO_BIN_EXE_tcplapse"))
        .args(["--source", source, "--for", "1ms"])
        .output()
        .expect("the program was built for this test");
    if !run.status.success() {
        skip(&format!("{source} is not judged: {}", String::from_utf8_lossy(&run.stderr)));
    }
    run.status.success()
}

/// Holds what one source told against the truth.
fn judge(source: &str, lines: Vec<Line>, lives: &Lives, planned: usize) {
    let (told, lost, gaps) = sort(lines);
    if gaps > 0 {
        // Sockets without an inode begin anew then, and so have two ids.
        return skip(&format!("{source} is not judged: this machine was too busy for its polls"));
    }
    let report = claims::judge(&told, lives);
    let truths: usize = lives.values().map(Vec::len).sum();
    eprintln!(
        "{source}: {truths} lives of sockets, {} told, {} had to be; {} records ({lost} lost); {} claims \
         checked, {} false; {} ids join lives that polls cannot tell apart",
        report.told,
        report.due,
        told.len(),
        report.claims,
        report.errors.len(),
        report.undecided
    );
    let shown: Vec<&str> = report.errors.iter().take(5).map(String::as_str).collect();
    assert!(report.errors.is_empty(), "{source}: {}", shown.join("\n\n"));
    assert!(report.undecided * 100 < planned, "too many lives were joined");
    assert!(truths > planned && report.due > planned / 2, "the run has tested little");
}

/// The processes whose sockets are watched.
struct Cast {
    home: Ipv4Addr,
    server: Actor,
    clients: [Actor; 2],
}

impl Cast {
    fn new(home: Ipv4Addr) -> Self {
        let mut server = Actor::start("server");
        for command in plan::stage(home) {
            server.tell(&command);
        }
        Self { home, server, clients: [Actor::start("client"), Actor::start("other-client")] }
    }

    /// Opens and closes a socket and waits until the program has told both: then it runs, and has
    /// told all that came before.
    fn mark(&mut self, watches: &[Watch]) {
        let marker = SocketAddr::from((self.home, MARKER));
        // The clocks of the trace and of the records differ a little.
        let begun = now(ClockId::Realtime) - 1000;
        self.server.tell(&format!("listen marker {marker} 1"));
        let marked = |told: &Event, state: &str| {
            told.local() == marker && told.to == state && told.time.0 >= begun
        };
        for watch in watches {
            watch.until("the marker", |told| marked(told, "LISTEN"));
        }
        self.server.tell("close marker");
        for watch in watches {
            watch.until("the marker's end", |told| marked(told, "CLOSED"));
        }
    }

    /// Acts out a plan. What fails, as a second close does, is part of the play.
    fn play(&mut self, plan: &Plan) -> Vec<Opened> {
        let begin = Instant::now();
        let mut opened = Vec::new();
        for (at, act) in plan.acts() {
            until_instant(begin + at);
            let actor = match act.who {
                Who::Server => &mut self.server,
                Who::Client(number) => &mut self.clients[number],
            };
            let sent = now(ClockId::Realtime);
            let _ = actor.ask(&act.command);
            let answered = now(ClockId::Realtime);
            let pid = actor.pid();
            opened.extend(act.opens.map(|ends| Opened { ends, pid, sent, answered }));
        }
        opened
    }

    /// Only a client's socket sends a SYN; all others are the server's.
    fn name_owners(&self, lives: &mut Lives, opened: &[Opened]) {
        for life in lives.values_mut().flatten() {
            life.pid = match life.opener() {
                Some("local") => {
                    let birth = life.birth().earliest;
                    let by = |o: &&Opened| (o.sent - SLEW..=o.answered + SLEW).contains(&birth);
                    opened.iter().filter(|o| o.ends == life.ends).find(by).map(|o| o.pid)
                }
                _ => Some(self.server.pid()),
            };
        }
    }
}

fn now(clock: ClockId) -> i64 {
    let now = clock_gettime(clock);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

/// From the trace's clock to that of the records. Whoever is preempted between two clocks knows
/// neither: the quickest of some samples counts.
fn wall_offset() -> i64 {
    let sample = |_| {
        let before = now(ClockId::Monotonic);
        let wall = now(ClockId::Realtime);
        let took = now(ClockId::Monotonic) - before;
        (took, wall - before - took / 2)
    };
    (0..20).map(sample).min().map_or(0, |(_, offset)| offset)
}

/// The trace knows all namespaces; the addresses tell which events are ours.
fn in_wall_time(mut traced: Vec<Traced>, home: Ipv4Addr, offset: i64) -> Vec<Traced> {
    traced.retain(|event| *event.local.ip() == home);
    for event in &mut traced {
        event.at += offset;
    }
    traced
}

/// The events, how much was lost, and how often for a gap.
fn sort(lines: Vec<Line>) -> (Vec<Event>, usize, usize) {
    let (mut lost, mut gaps) = (0, 0);
    let event = |line| match line {
        Line::Event(event) => Some(*event),
        Line::Lost(reading) => {
            lost += 1;
            gaps += usize::from(reading.reason == "gap");
            None
        }
    };
    let events = lines.into_iter().filter_map(event).collect();
    (events, lost, gaps)
}
