//! Runs a plan under all sources at once, and judges what each of them reported.

use super::claims::{self, Case, Report, Violation};
use super::known;
use super::matching::by_claim;
use super::plan::{Addresses, Kind, PORTS, Plan, Random};
use super::readings::Readings;
use super::rows::{self, Sampler};
use super::truth::{Evidence, Truth};
use super::workload::{Workload, now};
use crate::support::loopback;
use crate::support::program::{Outcome, Program, run as run_program};
use crate::support::require::{Feature, skip};
use crate::support::trace::Trace;
use nix::sched::{CloneFlags, unshare};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tcplapse::testing::model::reading::Interface;
use tempfile::TempDir;

/// So many plans are tried where the machine is too slow for them.
const ATTEMPTS: u64 = 3;
/// A run with fewer sockets that had to be reported, of all its connections, has tested little.
const LEAST_SHARE_DUE: usize = 8;
/// Nor has one with more ids of which nobody can say what they are about, of all sockets.
const MOST_UNDECIDED: usize = 4;
/// So long TIME_WAIT lasts at most, with all delays of the kernel's timers.
const LONGEST_WAIT: Duration = Duration::from_secs(80);

/// Plans follow each other, but for the one that mostly waits.
pub(crate) static ALONE: Mutex<()> = Mutex::new(());

/// How a run ended that contradicts nothing.
pub(crate) enum Verdict {
    Conclusive,
    /// The machine was too slow for it.
    Inconclusive(String),
    /// The machine lacks something.
    Impossible(Feature, String),
}

/// Judges a plan, and another one if the machine was too slow.
///
/// # Panics
/// If the program reported what was not, or did not report what was.
pub(crate) fn judge_plan(kind: Kind) {
    let alone =
        (kind != Kind::Expiry).then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner));
    let seed = seed();
    for attempt in 0..ATTEMPTS {
        let seed = seed.wrapping_add(attempt);
        match in_new_namespace(|| run_once(kind, seed)) {
            Verdict::Conclusive => return,
            Verdict::Impossible(feature, reason) => return skip(feature, &reason),
            Verdict::Inconclusive(reason) => {
                eprintln!("{}: inconclusive: {reason}", kind.name());
            }
        }
    }
    drop(alone);
    let reason = format!("{} is inconclusive in {ATTEMPTS} runs on this machine", kind.name());
    skip(Feature::Speed, &reason);
}

pub(crate) fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
    let given = std::env::var("TCPLAPSE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or(u64::try_from(now).expect("for a long time"))
}

/// Runs something in a thread with a network namespace of its own.
pub(crate) fn in_new_namespace(body: impl FnOnce() -> Verdict + Send) -> Verdict {
    let run = || match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => {
            loopback::up();
            body()
        }
        Err(errno) => Verdict::Impossible(Feature::Netns, format!("no namespace: {errno}")),
    };
    match std::thread::scope(|scope| scope.spawn(run).join()) {
        Ok(verdict) => verdict,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn run_once(kind: Kind, seed: u64) -> Verdict {
    eprintln!("{}: TCPLAPSE_TEST_SEED={seed}", kind.name());
    let mut random = Random(seed);
    let addresses = Addresses::random(kind, &mut random);
    let trace = match Trace::start_by_clock(PORTS, "boot") {
        Ok(trace) => trace,
        Err(reason) => return Verdict::Impossible(Feature::Trace, reason),
    };
    let mut workload = match Workload::new(kind, addresses, &mut random) {
        Ok(workload) => workload,
        Err(reason) => return Verdict::Impossible(Feature::Tun, reason),
    };
    let plan = Plan::random(kind, addresses, &mut random);
    workload.prepare(&plan);
    let folder = tempfile::tempdir().expect("a directory");
    let sources = usable_sources();
    let interval = if kind == Kind::Expiry { 200 } else { 20 };
    let watch = |source: &String| watch(source, interval, &folder);
    let Some(mut programs) = in_time(|| sources.iter().map(watch).collect::<Vec<_>>()) else {
        return too_slow();
    };
    let sampler = Sampler::start(Duration::from_millis(5 * interval));
    workload.run(&plan);
    if kind == Kind::Expiry {
        until_expired();
    }
    let marked = in_time(|| (0..3).for_each(|_| workload.mark(&mut programs)));
    let table: HashSet<_> = rows::table().iter().map(|row| row.addrs).collect();
    let (samples, over) = (sampler.stop(), now());
    if marked.is_none() {
        return too_slow();
    }
    let watchers = programs.iter().map(Program::pid).collect();
    let outcomes: Vec<Outcome> = programs.into_iter().map(Program::stop).collect();
    let log = workload.into_log();
    let events = match trace.finish() {
        Ok(events) => events,
        Err(reason) => return Verdict::Inconclusive(reason),
    };
    let truth = Truth::of(&Evidence { events, log, samples, table, addresses, watchers, over });
    let run = Run { kind, truth: &truth, connections: plan.connections };
    let judged = sources
        .iter()
        .zip(outcomes)
        .map(|(source, outcome)| judge(&run, source, &outcome, &folder.path().join(source)));
    // All sources are judged, also behind one that fails.
    let judged: Vec<Judged> = judged.collect();
    let of = |wanted: fn(&Judged) -> Option<&String>| -> Vec<&str> {
        judged.iter().filter_map(wanted).map(String::as_str).collect()
    };
    let failures = of(|judged| judged.failure.as_ref());
    if !failures.is_empty() {
        let kept = folder.keep();
        panic!("{}\n\nthe recordings are kept in {}", failures.join("\n\n"), kept.display());
    }
    let inconclusive = of(|judged| judged.inconclusive.as_ref());
    if inconclusive.is_empty() {
        Verdict::Conclusive
    } else {
        Verdict::Inconclusive(inconclusive.join("; "))
    }
}

/// Waits for the programs; `None` if they did not do in time what is waited for. The machine may be
/// that slow, and what they reported cannot be judged.
pub(crate) fn in_time<T>(wait: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(wait)).ok()
}

pub(crate) fn too_slow() -> Verdict {
    Verdict::Inconclusive("a program did not poll in time".to_owned())
}

fn watch(source: &str, interval: u64, folder: &TempDir) -> Program {
    let recording = folder.path().join(source);
    let recording = recording.to_str().expect("UTF-8");
    let interval = format!("{interval}ms");
    Program::watch(&["-i", &interval, "--source", source, "--record", recording])
}

/// Waits until no mini-socket is left.
fn until_expired() {
    let deadline = Instant::now() + LONGEST_WAIT;
    while rows::table().iter().any(|row| row.is_mini()) && Instant::now() < deadline {
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

/// All sources that the program can use here. A new one is judged from its first day.
pub(crate) fn usable_sources() -> Vec<String> {
    let names = Interface::BEST_FIRST.into_iter().map(Interface::name);
    names.filter(|source| can_use(source)).collect()
}

/// Whether the program can use a source here; if not, it says why.
fn can_use(source: &str) -> bool {
    let outcome = run_program(&["--source", source, "--for", "1ms"]);
    if outcome.code != Some(0) {
        skip(Feature::Trace, &format!("{source} is not judged: {}", outcome.stderr));
    }
    outcome.code == Some(0)
}

/// What came of one source.
#[derive(Default)]
pub(crate) struct Judged {
    pub(crate) failure: Option<String>,
    pub(crate) inconclusive: Option<String>,
}

/// A plan that was run, and what really happened.
pub(crate) struct Run<'a> {
    pub(crate) kind: Kind,
    pub(crate) truth: &'a Truth,
    pub(crate) connections: usize,
}

/// Holds what one source reported against the truth.
pub(crate) fn judge(run: &Run<'_>, source: &str, outcome: &Outcome, recording: &Path) -> Judged {
    let Run { kind, truth, connections } = *run;
    let readings = &Readings::of(recording);
    if readings.ambiguous {
        let inconclusive = Some(format!("{source}: the wall clock was set back"));
        return Judged { inconclusive, ..Judged::default() };
    }
    let events = outcome.recorded().events;
    let report = claims::judge(&events, &Case { truth, readings, source });
    let Report { claims, violations, reported, due, undecided } = report;
    let sockets = truth.watched().count();
    eprintln!(
        "{} {source}: {sockets} sockets, {due} had to be reported, {reported} were; {} records, {} \
         passes, {claims} claims, {} false; {undecided} ids undecided; lost {:?}",
        kind.name(),
        events.len(),
        readings.passes.len(),
        violations.len(),
        readings.lost
    );
    let fault = |violation: &Violation| known::find(source, kind, violation);
    let (known, new): (Vec<_>, Vec<_>) =
        violations.into_iter().partition(|violation| fault(violation).is_some());
    for (claim, count) in by_claim(&known) {
        let one = known.iter().find(|violation| violation.claim == claim);
        let fault = one.and_then(fault).map_or("", |known| known.fault);
        eprintln!("{} {source}: known fault {fault}: {claim:?}, {count} times", kind.name());
    }
    // Two of each kind.
    let kinds = by_claim(&new).into_iter();
    let shown = kinds.flat_map(|(claim, _)| new.iter().filter(move |v| v.claim == claim).take(2));
    let shown: Vec<String> = shown.map(ToString::to_string).collect();
    let failure = format!("{} {source}: {:?}\n{}", kind.name(), by_claim(&new), shown.join("\n\n"));
    let failure = Some(failure).filter(|_| !new.is_empty());
    let gap = readings.lost.contains("gap");
    let little = due * LEAST_SHARE_DUE < connections;
    let reason = match () {
        () if gap => Some("the machine stalled"),
        () if little => Some("too few polls"),
        () if undecided * MOST_UNDECIDED > reported => Some("too many ids are undecided"),
        () => None,
    };
    Judged { failure, inconclusive: reason.map(|reason| format!("{source}: {reason}")) }
}
