//! One plan in several network namespaces at once: all have the same addresses, and many of their sockets
//! the same 4-tuple at the same time. What is reported of one namespace has to be what happened there.
//!
//! The trace does not say where a socket is. So one step follows the other, whichever namespace it is
//! in: a socket is born within the step that makes it, and keeps its address in the kernel until it is
//! closed.

use super::claims::{self, Case, Report};
use super::known;
use super::matching::by_claim;
use super::plan::{Addresses, Kind, PORTS, Plan, Random};
use super::readings::Readings;
use super::rows::{self, Sampler};
use super::run::{self, Verdict, in_new_namespace, in_time, seed, too_slow, usable_sources};
use super::truth::{Evidence, Truth};
use super::workload::{Workload, now};
use crate::support::loopback;
use crate::support::program::{Outcome, Program};
use crate::support::record::Event;
use crate::support::require::{Feature, skip};
use crate::support::trace::{SocketEvent, Trace, What};
use crate::support::wait::until_instant;
use nix::sched::{CloneFlags, unshare};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

const KIND: Kind = Kind::Namespaces;
const SPACES: usize = 3;
const ATTEMPTS: u64 = 2;
/// A source polls all of them each time.
const INTERVAL: &str = "40ms";

/// One of the namespaces.
struct Space {
    workload: Workload,
    sampler: Sampler,
    /// A process in it.
    pid: u32,
    inode: u64,
}

/// What happened in one of them.
struct Happened {
    inode: u64,
    truth: Truth,
}

/// Judges the plan, and another one if the machine was too slow.
///
/// # Panics
/// If a source reported what was not, or did not report what was.
pub(crate) fn judge() {
    let _alone = run::ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seed = seed();
    for attempt in 0..ATTEMPTS {
        match in_new_namespace(|| run_once(seed.wrapping_add(attempt))) {
            Verdict::Conclusive => return,
            Verdict::Impossible(feature, reason) => return skip(feature, &reason),
            Verdict::Inconclusive(reason) => eprintln!("namespaces: inconclusive: {reason}"),
        }
    }
    let reason = format!("namespaces is inconclusive in {ATTEMPTS} runs on this machine");
    skip(Feature::Speed, &reason);
}

fn run_once(seed: u64) -> Verdict {
    eprintln!("{}: TCPLAPSE_TEST_SEED={seed}", KIND.name());
    let mut random = Random(seed);
    let addresses = Addresses::random(KIND, &mut random);
    let trace = match Trace::start_by_clock(PORTS, "boot") {
        Ok(trace) => trace,
        Err(reason) => return Verdict::Impossible(Feature::Trace, reason),
    };
    let spaces: Result<Vec<Space>, String> =
        (0..SPACES).map(|_| Space::new(addresses, &mut random)).collect();
    let mut spaces = match spaces {
        Ok(spaces) => spaces,
        Err(reason) => return Verdict::Impossible(Feature::Netns, reason),
    };
    let plan = Plan::random(KIND, addresses, &mut random);
    for space in &mut spaces {
        space.workload.prepare(&plan);
    }
    let folder = tempfile::tempdir().expect("a directory");
    let sources = usable_sources();
    let watch = |source: &String| watch(source, &spaces, folder.path());
    let Some(mut programs) = in_time(|| sources.iter().map(watch).collect::<Vec<_>>()) else {
        return too_slow();
    };
    carry_out(&plan, &mut spaces, &mut random);
    let marked = in_time(|| {
        for space in &mut spaces {
            (0..3).for_each(|_| space.workload.mark(&mut programs));
        }
    });
    if marked.is_none() {
        return too_slow();
    }
    let watchers: Vec<u32> = programs.iter().map(Program::pid).collect();
    let outcomes: Vec<Outcome> = programs.into_iter().map(Program::stop).collect();
    let events = match trace.finish() {
        Ok(events) => events,
        Err(reason) => return Verdict::Inconclusive(reason),
    };
    let Some(happened) = happened(spaces, events, addresses, &watchers) else {
        return Verdict::Inconclusive("a socket was born between two steps".to_owned());
    };
    let (mut failures, mut inconclusive) = (Vec::new(), Vec::new());
    for (source, outcome) in sources.iter().zip(outcomes) {
        let readings = Readings::of(&folder.path().join(source));
        if readings.ambiguous || readings.lost.contains("gap") {
            inconclusive.push(format!("{source}: a clock was set, or the machine stalled"));
            continue;
        }
        judge_source(source, &outcome, &readings, &happened, &mut failures, &mut inconclusive);
    }
    if !failures.is_empty() {
        let kept = folder.keep();
        panic!("{}\n\nthe recordings are kept in {}", failures.join("\n\n"), kept.display());
    }
    match inconclusive.as_slice() {
        [] => Verdict::Conclusive,
        reasons => Verdict::Inconclusive(reasons.join("; ")),
    }
}

impl Space {
    /// A namespace with the processes of a plan; an error where it cannot be made.
    fn new(addresses: Addresses, random: &mut Random) -> Result<Self, String> {
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|error| format!("no namespace: {error}"))?;
            loopback::up();
            let workload = Workload::new(KIND, addresses, random)?;
            let sampler = Sampler::start(Duration::from_millis(100));
            let pid = workload.server_pid();
            let inode = fs::metadata(format!("/proc/{pid}/ns/net")).expect("it runs").ino();
            Ok(Self { workload, sampler, pid, inode })
        };
        std::thread::scope(|scope| scope.spawn(make).join()).expect("it does not panic")
    }
}

fn watch(source: &str, spaces: &[Space], folder: &Path) -> Program {
    let recording = folder.join(source);
    let recording = recording.to_str().expect("UTF-8");
    let chosen: Vec<String> = spaces.iter().map(|space| format!("pid:{}", space.pid)).collect();
    let chosen = chosen.iter().flat_map(|space| ["--netns", space]);
    let args = ["-i", INTERVAL, "--source", source, "--record", recording];
    Program::watch(&args.into_iter().chain(chosen).collect::<Vec<_>>())
}

/// Carries out each step in all namespaces, one after the other, in any order.
fn carry_out(plan: &Plan, spaces: &mut [Space], random: &mut Random) {
    let begin = Instant::now();
    for step in &plan.steps {
        until_instant(begin + Duration::from_micros(step.at));
        let first = usize::try_from(random.below(SPACES as u64)).expect("small");
        for place in 0..SPACES {
            spaces[(first + place) % SPACES].workload.carry_out(step);
        }
    }
}

/// The truth of each namespace; `None` if it is not known of a socket where it was.
fn happened(
    spaces: Vec<Space>,
    events: Vec<SocketEvent>,
    addresses: Addresses,
    watchers: &[u32],
) -> Option<Vec<Happened>> {
    let parts: Vec<_> = spaces
        .into_iter()
        .map(|Space { workload, sampler, pid, inode }| {
            let table = rows::table_of(&pid.to_string()).iter().map(|row| row.addrs).collect();
            let (samples, over) = (sampler.stop(), now());
            (inode, table, samples, over, workload.into_log())
        })
        .collect();
    let at = |time: i64| {
        let is_within = |log: &[super::workload::Done]| {
            let next = log.partition_point(|done| done.answered < time);
            log.get(next).is_some_and(|done| done.sent <= time)
        };
        parts.iter().position(|(_, _, _, _, log)| is_within(log))
    };
    let mut of_space: Vec<Vec<SocketEvent>> = (0..SPACES).map(|_| Vec::new()).collect();
    let mut homes: HashMap<u64, usize> = HashMap::new();
    for event in events {
        let is_ours = addresses.has(event.local.ip()) || addresses.has(event.remote.ip());
        let is_born = matches!(
            &event.what,
            What::Change(from, to)
                if matches!(from.as_str(), "CLOSED" | "LISTEN") && to != "CLOSED" && from != to
        );
        if is_born && is_ours {
            homes.insert(event.socket, at(event.at)?);
        }
        let Some(home) = homes.get(&event.socket).copied() else { continue };
        if matches!(&event.what, What::Change(_, to) if to == "CLOSED") {
            homes.remove(&event.socket);
        }
        of_space[home].push(event);
    }
    let parts = parts.into_iter().zip(of_space);
    let happened = parts.map(|((inode, table, samples, over, log), events)| {
        let watchers = watchers.to_vec();
        let evidence = Evidence { events, log, samples, table, addresses, watchers, over };
        Happened { inode, truth: Truth::of(&evidence) }
    });
    Some(happened.collect())
}

/// Holds what one source reported of each namespace against what happened there.
fn judge_source(
    source: &str,
    outcome: &Outcome,
    readings: &Readings,
    happened: &[Happened],
    failures: &mut Vec<String>,
    inconclusive: &mut Vec<String>,
) {
    let events = outcome.recorded().events;
    let is_known = |event: &&Event| happened.iter().any(|it| Some(it.inode) == event.netns);
    let elsewhere = events.iter().filter(|event| !is_known(event)).count();
    if elsewhere > 0 {
        failures.push(format!("{source}: {elsewhere} records of other namespaces"));
    }
    for Happened { inode, truth } in happened {
        let of_it = events.iter().filter(|event| event.netns == Some(*inode));
        let of_it: Vec<Event> = of_it.cloned().collect();
        let report = claims::judge(&of_it, &Case { truth, readings, source });
        let Report { claims, violations, reported, due, undecided } = report;
        let sockets = truth.watched().count();
        eprintln!(
            "{} {source} {inode}: {sockets} sockets, {due} had to be reported, {reported} were; {} \
             records, {} passes, {claims} claims, {} false; {undecided} ids undecided",
            KIND.name(),
            of_it.len(),
            readings.passes.len(),
            violations.len()
        );
        let is_new = |violation: &claims::Violation| known::find(source, KIND, violation).is_none();
        let new: Vec<_> = violations.into_iter().filter(is_new).collect();
        if let Some(first) = new.first() {
            failures.push(format!("{source} {inode}: {:?}\n{first}", by_claim(&new)));
        }
        if due * 8 < sockets / 2 {
            inconclusive.push(format!("{source}: too few polls"));
        }
    }
}
