//! Figures of a network with few sockets: how soon there is a first line, and what an event costs.

use crate::TCPLAPSE;
use crate::churn;
use crate::cost::{Cost, unstarted};
use crate::report::Report;
use crate::watched::Watched;
use std::io::{BufRead, BufReader, Read};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{park_timeout, spawn};
use std::time::{Duration, Instant};

/// Starts are short and vary: of so many the median counts.
const STARTS: usize = 41;
const CONNECTIONS: u32 = 10_000;
/// How long an idle trace is watched for what it costs.
const IDLE: Duration = Duration::from_secs(4);
/// Nothing new for so long: all was reported.
const QUIET: Duration = Duration::from_millis(500);
const LIMIT: Duration = Duration::from_secs(30);

/// Wall time from the start of a process to its first byte.
pub(crate) fn start(report: &mut Report) {
    eprintln!("measuring starts ...");
    let commands: [&[&str]; 3] =
        [&["ss", "-tanp"], &[TCPLAPSE, "list"], &[TCPLAPSE, "watch", "-H"]];
    let mut times: [Vec<Cost>; 3] = Default::default();
    for _ in 0..STARTS {
        for (words, times) in commands.iter().zip(&mut times) {
            times.push(first_byte(words));
        }
    }
    let [ss, list, watch] = times.map(median);
    report.section("Few sockets: wall time from start to first byte, median");
    report.ratio("list / ss -tanp", &list, &ss, Some(1.0));
    report.ratio("watch / ss -tanp", &watch, &ss, Some(1.0));
}

fn first_byte(words: &[&str]) -> Cost {
    let [program, args @ ..] = words else { return Err("no command".to_owned()) };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let begin = Instant::now();
    let mut child = command.spawn().map_err(|error| unstarted(program, &error))?;
    let read = child.stdout.as_mut().map(|stdout| stdout.read_exact(&mut [0]));
    let took = begin.elapsed();
    // Where it has ended already there is nothing to kill.
    let _ = child.kill();
    let _ = child.wait();
    match read {
        Some(Ok(())) => Ok(took),
        _ => Err(format!("{program} prints nothing")),
    }
}

fn median(times: Vec<Cost>) -> Cost {
    let mut times: Vec<Duration> = times.into_iter().collect::<Result<_, _>>()?;
    times.sort_unstable();
    times.get(times.len() / 2).copied().ok_or_else(|| "no runs".to_owned())
}

/// CPU time of `watch --source trace` for each transition that it reports.
pub(crate) fn trace(report: &mut Report) {
    eprintln!("measuring the trace source ...");
    let (each, from) = match trace_events() {
        Ok((cost, reported)) => {
            let from = format!("{CONNECTIONS} connections, {reported} records: {}", seconds(cost));
            (Ok(cost / reported.max(1)), from)
        }
        Err(why) => (Err(why), String::new()),
    };
    report.section("Kernel events: CPU time of watch -j --source trace, less that of an idle one");
    report.cost("a transition", &each, from);
}

fn seconds(cost: Duration) -> String {
    format!("{:.3} s", cost.as_secs_f64())
}

/// What the connections cost it beyond what it costs without any, and how many records it wrote.
fn trace_events() -> Result<(Duration, u32), String> {
    let mut watched = Watched::start("trace", &["-j"], Stdio::piped())?;
    let reported = Arc::new(AtomicU32::new(0));
    let records = watched.records().ok_or("it has no output")?;
    let counter = Arc::clone(&reported);
    spawn(move || count_lines(records, &counter));
    let reported = || reported.load(Ordering::Relaxed);
    settle(&mut watched, reported)?;
    let (begin, cpu) = (Instant::now(), watched.cpu()?);
    park_timeout(IDLE);
    let idle = watched.cpu()?.saturating_sub(cpu).div_duration_f64(begin.elapsed());
    let (begin, cpu, before) = (Instant::now(), watched.cpu()?, reported());
    let churned = churn::start(CONNECTIONS).and_then(|mut churn| churn.wait());
    if !churned.map_err(|error| error.to_string())?.success() {
        return Err("the connections could not be made".to_owned());
    }
    settle(&mut watched, reported)?;
    let cost = watched.cpu()?.saturating_sub(cpu + begin.elapsed().mul_f64(idle));
    Ok((cost, reported() - before))
}

/// Waits until records have come, and no more come.
fn settle(watched: &mut Watched, reported: impl Fn() -> u32) -> Result<(), String> {
    let deadline = Instant::now() + LIMIT;
    let mut before = 0;
    while Instant::now() < deadline {
        watched.cpu()?; // it still runs
        park_timeout(QUIET);
        if reported() == before && before > 0 {
            return Ok(());
        }
        before = reported();
    }
    Err(format!("its records did not end within {LIMIT:?}"))
}

fn count_lines(records: ChildStdout, lines: &AtomicU32) {
    for _ in BufReader::new(records).split(b'\n').map_while(Result::ok) {
        lines.fetch_add(1, Ordering::Relaxed);
    }
}
