//! What a command costs: the CPU time, user and system, of it and of all that it waited for.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

/// Longer than the slowest peer takes by far.
const LIMIT: Duration = Duration::from_secs(120);

/// A measured cost, or why there is none.
pub(crate) type Cost = Result<Duration, String>;

/// Runs every command once a round, one after the other, and takes the least of each.
pub(crate) fn least(rounds: usize, commands: &[&[&str]]) -> Vec<Cost> {
    let mut costs: Vec<Cost> = Vec::new();
    for round in 0..rounds {
        for (place, words) in commands.iter().enumerate() {
            if round == 0 {
                costs.push(once(words));
            } else if let Ok(before) = costs[place] {
                costs[place] = once(words).map(|now| now.min(before));
            }
        }
    }
    costs
}

/// Runs a command, its output thrown away.
pub(crate) fn once(words: &[&str]) -> Cost {
    let [program, args @ ..] = words else { return Err("no command".to_owned()) };
    let before = of_children();
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| unstarted(program, &error))?;
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        if Instant::now() > deadline {
            // It is waited for in either case.
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("{program} took more than {LIMIT:?}"));
        }
        park_timeout(Duration::from_millis(2));
    };
    if !status.success() {
        return Err(format!("{program} failed: {status}"));
    }
    Ok(of_children().saturating_sub(before))
}

/// All children that were waited for; those that still run do not count.
fn of_children() -> Duration {
    let span = |time: TimeVal| {
        let micros = time.tv_sec().saturating_mul(1_000_000).saturating_add(time.tv_usec());
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    };
    getrusage(UsageWho::RUSAGE_CHILDREN)
        .map(|usage| span(usage.user_time()) + span(usage.system_time()))
        .unwrap_or_default()
}

/// Why a command did not start; of what is not there, where it is to be had.
pub(crate) fn unstarted(program: &str, error: &std::io::Error) -> String {
    // A directory of PATH that may not be read counts before those without such a program.
    if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) {
        return format!("{program}: {error}");
    }
    let from = match program {
        "ss" => "package iproute2",
        "netstat" => "package net-tools",
        "lsof" => "package lsof",
        "somo" => "cargo install somo",
        _ => "it is in no directory of PATH",
    };
    format!("{program} is not installed, or may not be run ({from})")
}
