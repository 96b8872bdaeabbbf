//! The soak: a plan of the judge for a long time, among thousands of other connections a second,
//! recorded. Memory stays flat, and what is reported is true. Run it with
//! `cargo test --release --test judge soak -- --ignored --nocapture`.

use super::plan::{Addresses, Kind, PORTS, Plan, Random};
use super::rows::{self, Sampler};
use super::run::{Run, Verdict, in_new_namespace, judge, seed};
use super::truth::{Evidence, Truth};
use super::workload::{Workload, now};
use crate::support::program::Program;
use crate::support::require::{Feature, skip};
use crate::support::sockets::{ANY_PORT, connecting, end, listener, reset};
use crate::support::trace::Trace;
use crate::support::wait::until_instant;
use std::collections::VecDeque;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long it takes unless `TCPLAPSE_SOAK_SECONDS` says otherwise.
const SECONDS: u32 = 1200;
/// Connections a second beside the plan. Half are reset; of those in TIME_WAIT the kernel keeps so
/// many, so that a poll stays shorter than its interval.
const CONNECTIONS: u32 = 2000;
const WAITS: &str = "2000";
/// So many are open at a time, each for 50 ms.
const OPEN: usize = 100;
const SAMPLE: Duration = Duration::from_secs(10);
/// Resident memory (KiB) may move by this and be flat.
const FLAT: u64 = 2048;

#[test]
#[ignore = "takes 20 minutes"]
fn soak() {
    match in_new_namespace(run) {
        Verdict::Conclusive => {}
        Verdict::Inconclusive(reason) => eprintln!("soak: inconclusive: {reason}"),
        Verdict::Impossible(feature, reason) => skip(feature, &reason),
    }
}

fn run() -> Verdict {
    let given = std::env::var("TCPLAPSE_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    let kind = Kind::Soak { seconds: given.unwrap_or(SECONDS) };
    let seed = seed();
    eprintln!("soak: TCPLAPSE_TEST_SEED={seed}");
    let mut random = Random(seed);
    let addresses = Addresses::random(kind, &mut random);
    let trace = match Trace::start_by_clock(PORTS, "boot") {
        Ok(trace) => trace,
        Err(reason) => return Verdict::Impossible(Feature::Trace, reason),
    };
    // In the namespace of this test. Without the right to set it there are more rows, and polls
    // are later.
    let _ = fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", WAITS);
    let mut workload = match Workload::new(kind, addresses, &mut random) {
        Ok(workload) => workload,
        Err(reason) => return Verdict::Impossible(Feature::Netns, reason),
    };
    let plan = Plan::random(kind, addresses, &mut random);
    workload.prepare(&plan);
    let folder = tempfile::tempdir().expect("a directory");
    let recording = folder.path().join("proc");
    let ours = [addresses.near_v4.to_string(), addresses.near_v6.to_string()];
    let often = ["-i", "10ms", "--record", recording.to_str().expect("UTF-8")];
    let program = Program::watch_keeping(&often, move |line| {
        line.contains("\"lost\"") || ours.iter().any(|addr| line.contains(addr))
    });
    let mut programs = [program];
    let sampler = Sampler::start(Duration::from_millis(500));
    let over = AtomicBool::new(false);
    let process = programs[0].process();
    let (connections, resident) = std::thread::scope(|scope| {
        let churn = scope.spawn(|| churn(&over));
        let resident = scope.spawn(|| sample(&process, &over));
        workload.run(&plan);
        over.store(true, Ordering::Relaxed);
        let joined = "neither churning nor sampling fails";
        (churn.join().expect(joined), resident.join().expect(joined))
    });
    for _ in 0..3 {
        workload.mark(&mut programs);
    }
    let table = rows::table().iter().map(|row| row.addrs).collect();
    let (samples, over) = (sampler.stop(), now());
    let [program] = programs;
    let (used, watchers) = (program.cpu(), vec![program.pid()]);
    let outcome = program.stop();
    let log = workload.into_log();
    let recorded = fs::metadata(&recording).map_or(0, |file| file.len() >> 20);
    eprintln!("{connections} connections; CPU {used} s; recording {recorded} MiB");
    eprintln!("resident, KiB: {resident:?}");
    let events = match trace.finish() {
        Ok(events) => events,
        Err(reason) => return Verdict::Inconclusive(reason),
    };
    let truth = Truth::of(&Evidence { events, log, samples, table, addresses, watchers, over });
    let run = Run { kind, truth: &truth, connections: plan.connections };
    let judged = judge(&run, "proc", &outcome, &recording);
    assert!(judged.failure.is_none(), "{}", judged.failure.unwrap_or_default());
    let (begin, rest) = resident.split_at(resident.len() / 3);
    let most = |samples: &[u64]| samples.iter().copied().max().unwrap_or_default();
    assert!(most(rest) <= most(begin) + FLAT, "memory grows: {resident:?}");
    judged.inconclusive.map_or(Verdict::Conclusive, Verdict::Inconclusive)
}

/// Opens connections, and ends each some polls later, until the plan is over; returns how many.
fn churn(over: &AtomicBool) -> u32 {
    let server = listener(ANY_PORT, 1024).expect("a port is free");
    server.set_nonblocking(false).expect("any socket can wait");
    let begin = Instant::now();
    let (mut count, mut open) = (0, VecDeque::new());
    while !over.load(Ordering::Relaxed) {
        count += 1;
        until_instant(begin + Duration::from_secs(1) * count / CONNECTIONS);
        let client = connecting(ANY_PORT, end(&server.local_addr())).expect("loopback is up");
        open.push_back((client, server.accept().expect("it connects").0));
        if open.len() < OPEN {
            continue;
        }
        let Some((client, accepted)) = open.pop_front() else { continue };
        if count % 2 == 0 {
            reset(client);
        } else {
            drop(client);
        }
        drop(accepted);
    }
    count
}

/// How much memory it has (KiB), again and again.
fn sample(process: &procfs::process::Process, over: &AtomicBool) -> Vec<u64> {
    let mut samples = Vec::new();
    let begin = Instant::now();
    for number in 1.. {
        while !over.load(Ordering::Relaxed) && Instant::now() < begin + SAMPLE * number {
            std::thread::park_timeout(Duration::from_millis(100));
        }
        if over.load(Ordering::Relaxed) {
            break;
        }
        samples.push(process.status().expect("it runs").vmrss.expect("it has memory"));
    }
    samples
}
