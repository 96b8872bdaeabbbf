//! The soak: the judge's lives for a long time, among thousands of others a second, recorded.
//! Memory stays flat, and what is told is true. Run it with
//! `cargo test --release --test it soak -- --ignored --nocapture`.

use super::plan::{self, PORTS, Plan};
use super::{Cast, SLEW, in_wall_time, judge, truth, wall_offset};
use crate::old_support::netns::{isolated, skip};
use crate::old_support::program::Watch;
use crate::old_support::sockets::{connecting, end, listener, reset, table};
use crate::old_support::trace::Trace;
use crate::old_support::wait::until_instant;
use std::collections::VecDeque;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long it takes unless `TCPLAPSE_SOAK_SECONDS` says otherwise, and how many lives are judged a
/// second: a plan has ports for some three thousand.
const SECONDS: u64 = 1200;
const LIVES_A_SECOND: u64 = 2;
/// Connections a second beside them. Half are reset; of those in TIME_WAIT the kernel keeps
/// so many, so that a poll stays shorter than its interval.
const CONNECTIONS: u32 = 2000;
const WAITS: &str = "2000";
/// So many are open at a time, each for 50 ms.
const OPEN: usize = 100;
const HERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
const SAMPLE: Duration = Duration::from_secs(10);
/// Resident memory (KiB) may move by this and be flat.
const FLAT: u64 = 2048;

#[test]
#[ignore = "takes 20 minutes"]
fn memory_stays_flat_and_records_stay_true_under_churn() {
    isolated(|| match Trace::start(PORTS) {
        Ok(trace) => soak(trace),
        Err(reason) => skip(&reason),
    });
}

fn soak(trace: Trace) {
    let asked = std::env::var("TCPLAPSE_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    let seconds: u64 = asked.unwrap_or(SECONDS);
    let lives = usize::try_from(seconds * LIVES_A_SECOND).expect("some thousand");
    // Without the right to set it there are more rows, and polls are later.
    let _ = fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", WAITS);
    let folder = tempfile::tempdir().expect("a directory");
    let recording = folder.path().join("soak.tcplapse");
    let home = plan::home();
    let mut cast = Cast::new(home);
    let offset = wall_offset();
    let often = ["-i", "10ms", "--max-cpu", "100", "--record"];
    let ours = home.to_string();
    let watch = Watch::keeping(
        &[&often[..], &[recording.to_str().expect("UTF-8")]].concat(),
        move |line| line.contains(&ours) || line.contains("\"lost\""),
    );
    cast.mark(std::slice::from_ref(&watch));
    let over = AtomicBool::new(false);
    let (opened, connections, resident) = std::thread::scope(|scope| {
        let churn = scope.spawn(|| churn(&over));
        let resident = scope.spawn(|| sample(&watch, &over));
        let opened = cast.play(&Plan::random(home, 1, lives, Duration::from_secs(seconds)));
        over.store(true, Ordering::Relaxed);
        let joined = "neither churning nor looking fails";
        (opened, churn.join().expect(joined), resident.join().expect(joined))
    });
    cast.mark(std::slice::from_ref(&watch));
    let there = table();
    let used = watch.cpu();
    let told = watch.stop();
    let traced = trace.stop();
    eprintln!(
        "{connections} connections in {seconds} s; CPU {used} s; recording {} MiB",
        fs::metadata(&recording).map_or(0, |file| file.len() >> 20)
    );
    eprintln!("resident, KiB: {resident:?}");
    if (wall_offset() - offset).abs() > SLEW {
        eprintln!("the wall clock was set while the test ran: times are not judged");
    } else {
        let mut lives_lived = truth::lives(&in_wall_time(traced, home, offset), &there);
        cast.name_owners(&mut lives_lived, &opened);
        // Polls that come as late as here must have seen fewer.
        judge("soak", told, &lives_lived, lives / 5);
    }
    let (begin, rest) = resident.split_at(resident.len() / 3);
    let most = |samples: &[u64]| samples.iter().copied().max().unwrap_or_default();
    assert!(most(rest) <= most(begin) + FLAT, "memory grows");
}

/// Opens connections, and ends each some polls later, until the play is over; returns how many.
fn churn(over: &AtomicBool) -> u32 {
    let server = listener(HERE, 1024).expect("a port is free");
    server.set_nonblocking(false).expect("any socket can wait");
    let begin = Instant::now();
    let (mut count, mut open) = (0, VecDeque::new());
    while !over.load(Ordering::Relaxed) {
        count += 1;
        until_instant(begin + Duration::from_secs(1) * count / CONNECTIONS);
        let client = connecting(HERE, end(&server.local_addr())).expect("loopback is up");
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

/// How much memory it has, again and again.
fn sample(watch: &Watch, over: &AtomicBool) -> Vec<u64> {
    let mut samples = Vec::new();
    let mut due = Instant::now() + SAMPLE;
    while !over.load(Ordering::Relaxed) {
        if Instant::now() >= due {
            samples.push(watch.resident());
            due += SAMPLE;
        }
        // Nothing but time is waited for: these are samples over time.
        std::thread::sleep(Duration::from_millis(100));
    }
    samples
}
