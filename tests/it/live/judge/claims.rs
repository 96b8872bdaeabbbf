//! Every claim of the records, held against the truth.

use super::truth::{Ends, Life, Lives, When};
use crate::old_support::record::Event;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::{SocketAddr, SocketAddrV4};

/// The tracepoint fires a moment before the state is stored and the row moves, and the clocks of
/// the trace and of the records are mapped by one sample.
const TOLERANCE: i64 = 2_000;

/// So long (µs) after a pass its look-ups are over.
const LOOK_UPS: i64 = 10_000;

/// What the judge found.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) claims: usize,
    pub(super) errors: Vec<String>,
    /// Lives that a record tells of.
    pub(super) told: usize,
    /// Lives that had to be told of.
    pub(super) due: usize,
    /// Ids that join two lives which no poll can tell apart.
    pub(super) undecided: usize,
}

impl Report {
    fn claim(&mut self, holds: bool, what: impl FnOnce() -> String) {
        self.claims += 1;
        if !holds {
            self.errors.push(what());
        }
    }
}

/// Judges all records of a run, in the order they were told.
pub(super) fn judge(told: &[Event], lives: &Lives) -> Report {
    let mut report = Report::default();
    let mut explained: HashSet<(Ends, usize)> = HashSet::new();
    for group in by_id(told) {
        let ends = ends_of(group[0]);
        let of_ends = lives.get(&ends).map_or(&[][..], Vec::as_slice);
        let free = |index: &usize| !explained.contains(&(ends, *index));
        let indices: Vec<usize> = (0..of_ends.len()).filter(free).collect();
        let (which, found) = explain(&group, of_ends, &indices, lives);
        explained.extend(which.into_iter().map(|index| (ends, index)));
        report.claims += found.claims;
        report.undecided += found.undecided;
        report.errors.extend(found.errors);
    }
    report.told = explained.len();
    nothing_is_missing(told, lives, &explained, &mut report);
    report
}

/// Finds the life, or the lives, that the records of one id tell of.
fn explain(
    group: &[&Event],
    of_ends: &[Life],
    free: &[usize],
    all: &Lives,
) -> (Vec<usize>, Report) {
    let tried = free.iter().map(|index| (*index, check(group, &of_ends[*index], None)));
    let best = tried.min_by_key(|(index, found)| (found.errors.len(), *index));
    match best {
        Some((index, found)) if found.errors.is_empty() => (vec![index], found),
        _ if request_only(group, all) => (Vec::new(), Report { claims: 1, ..Report::default() }),
        Some((index, found)) => {
            joined(group, of_ends, free).unwrap_or_else(|| (vec![index], found))
        }
        None => {
            let errors = vec![format!("there was no such socket: {group:#?}")];
            (Vec::new(), Report { claims: 1, errors, ..Report::default() })
        }
    }
}

/// Polls cannot tell two sockets with the same ends apart if one of them was seen without an
/// inode alone: an inode that comes is taken for an accept, one that goes for a close.
fn joined(group: &[&Event], of_ends: &[Life], free: &[usize]) -> Option<(Vec<usize>, Report)> {
    let unproven = |split: usize| group[split - 1].inode.is_none() || group[split].inode.is_none();
    for split in (1..group.len()).filter(|split| unproven(*split)) {
        let (head, tail) = group.split_at(split);
        let before = Some(head[split - 1].to.as_str());
        let fits = |records: &[&Event], index: &usize, before| {
            let found = check(records, &of_ends[*index], before);
            found.errors.is_empty().then_some(found)
        };
        let Some(first) = free.iter().find(|i| fits(head, i, None).is_some()) else { continue };
        let mut later = free.iter().filter(|index| *index > first);
        if let Some((last, found)) = later.find_map(|i| Some((i, fits(tail, i, before)?))) {
            return Some((vec![*first, *last], Report { undecided: 1, ..found }));
        }
    }
    None
}

fn by_id(told: &[Event]) -> Vec<Vec<&Event>> {
    let mut places = HashMap::new();
    let mut groups: Vec<Vec<&Event>> = Vec::new();
    for event in told {
        let place = *places.entry(&event.id).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push(event);
    }
    groups
}

fn ends_of(event: &Event) -> Ends {
    let v4 = |addr| match addr {
        SocketAddr::V4(addr) => addr,
        SocketAddr::V6(addr) => panic!("nobody speaks IPv6 here: {addr}"),
    };
    (v4(event.local()), v4(event.remote()))
}

/// Whether this tells of a request alone, which the trace does not know, after a SYN.
fn request_only(group: &[&Event], lives: &Lives) -> bool {
    let (local, remote) = ends_of(group[0]);
    let syn = |time: i64| {
        let mut peers = lives.get(&(remote, local)).into_iter().flatten();
        peers.any(|peer| peer.birth().earliest <= time + TOLERANCE)
    };
    group.iter().all(|event| match event.event.as_str() {
        "opened" | "present" => event.to == "SYN_RECV" && event.via.is_empty() && syn(event.time.0),
        "closed" => event.from.as_deref() == Some("SYN_RECV") && event.via.is_empty(),
        _ => false,
    })
}

/// Checks the records of one id against one life; `before` is the state told last.
fn check<'a>(group: &[&'a Event], life: &Life, mut before: Option<&'a str>) -> Report {
    let mut report = Report::default();
    for event in group {
        let first = matches!(event.event.as_str(), "opened" | "present");
        report.claim(first == before.is_none(), || wrong("is out of order", event, life));
        report.claim(event.from.as_deref() == before, || wrong("does not go on", event, life));
        report.claim((event.event == "closed") == (event.to == "CLOSED"), || {
            wrong("mistakes a change for an end", event, life)
        });
        steps(event, life, &mut report);
        roles(event, life, &mut report);
        owner(event, life, &mut report);
        before = Some(&event.to);
    }
    report
}

/// The states before, between and after, and when.
fn steps(event: &Event, life: &Life, report: &mut Report) {
    let place = |state: &str| match state {
        "CLOSED" => life.end.map(|_| life.steps.len()),
        _ => life.steps.iter().position(|(passed, _)| passed == state),
    };
    let from = event.from.as_deref().map(place);
    let (Some(to), false) = (place(&event.to), from == Some(None)) else {
        return report.claim(false, || wrong("tells a state that never was", event, life));
    };
    let first = from.flatten().map_or(0, |from| from + 1);
    report.claim(first <= to, || wrong("turns the order around", event, life));
    let entered = entry(life, to);
    report.claim(entered.earliest <= event.time.0 + TOLERANCE, || {
        wrong("tells it before it happened", event, life)
    });
    let Some(after) = event.after else {
        return report.claim(event.event == "present", || wrong("has no bound", event, life));
    };
    // Where the kernel gave the instant the two are one.
    let exact = event.source == "trace" && after == event.time;
    report.claim(after < event.time || exact, || wrong("has no time to happen in", event, life));
    // What it left, or its birth, has to be later than the pass that did not show it yet.
    let left = entry(life, first);
    report.claim(left.latest.saturating_add(TOLERANCE) >= after.0, || {
        wrong("was over before it is said to begin", event, life)
    });
    if first <= to {
        let passed: Vec<&String> = life.steps[first..to].iter().map(|(state, _)| state).collect();
        unseen(event, &passed, life, report);
    }
}

/// When a state was entered, by its place; behind the last, when all was over.
fn entry(life: &Life, place: usize) -> When {
    let never = When { earliest: i64::MAX, latest: i64::MAX };
    life.steps.get(place).map_or_else(|| life.end.unwrap_or(never), |(_, when)| *when)
}

fn unseen(event: &Event, passed: &[&String], life: &Life, report: &mut Report) {
    let mut rest = passed.iter();
    let certain = event.via.iter().all(|state| rest.any(|passed| *passed == state));
    report.claim(certain, || wrong("is certain of what was not", event, life));
    let covered = |state: &&&String| event.via.contains(state) || event.maybe.contains(state);
    report.claim(passed.iter().all(|state| covered(&state)), || {
        wrong("rules out what was", event, life)
    });
    let apart = event.via.iter().all(|state| !event.maybe.contains(state));
    report.claim(apart, || wrong("is certain and is not", event, life));
}

fn roles(event: &Event, life: &Life, report: &mut Report) {
    let opener = event.opener.as_deref();
    report.claim(opener.is_none() || opener == life.opener(), || {
        wrong("mistakes who opened", event, life)
    });
    let closer = match event.closer.as_deref() {
        Some("local") => life.has("FIN_WAIT1"),
        Some("remote") => life.has("CLOSE_WAIT"),
        Some("both") => life.has("CLOSING"),
        _ => true,
    };
    report.claim(closer, || wrong("mistakes who closed", event, life));
    let verdict = match event.verdict.as_deref() {
        None => event.event != "closed" || life.has("LISTEN"),
        Some("local-close") => life.has("FIN_WAIT1") && life.has("TIME_WAIT"),
        Some("simultaneous-close") => life.has("CLOSING"),
        Some("remote-close") => life.has("LAST_ACK"),
        Some("refused") => !life.has("ESTABLISHED"),
        // Nothing but a cut leads from there to the end.
        Some("reset" | "timed-out") => !life.has("TIME_WAIT"),
        Some(word) => word == "unknown",
    };
    report.claim(verdict, || wrong("misjudges the end", event, life));
}

fn owner(event: &Event, life: &Life, report: &mut Report) {
    let known = matches!(event.owner_source.as_str(), "proven" | "remembered" | "listener");
    report.claim(event.pid.is_some() == known, || wrong("contradicts itself", event, life));
    report.claim(event.pid.is_none() || event.pid == life.pid, || {
        wrong("names a process that never held it", event, life)
    });
    let all = event.owners.iter().all(|owner| Some(owner.pid) == life.pid);
    report.claim(all, || wrong("lists a process that never held it", event, life));
    // The kernel's event may name who acted before a poll has shown the inode.
    let acted = event.source == "trace";
    report.claim(event.owner_source != "proven" || event.inode.is_some() || acted, || {
        wrong("proves an owner without a socket", event, life)
    });
}

/// A life that was there in two whole passes has to be told. Where polls show births, their times
/// are ends of passes, and passes do not overlap: between three ends lie two whole passes.
fn nothing_is_missing(
    told: &[Event],
    lives: &Lives,
    explained: &HashSet<(Ends, usize)>,
    report: &mut Report,
) {
    let of_a_pass = |event: &&Event| event.source == "proc" || event.from.is_none();
    let times: BTreeSet<i64> = told.iter().filter(of_a_pass).map(|event| event.time.0).collect();
    let mut ends_of_passes = BTreeSet::new();
    for time in times {
        // What is confirmed by a look-up is told right behind its pass.
        if ends_of_passes.last().is_none_or(|last| time - last > LOOK_UPS) {
            ends_of_passes.insert(time);
        }
    }
    for (ends, of_ends) in lives {
        for (index, life) in of_ends.iter().enumerate() {
            let seen_from = life.birth().latest + TOLERANCE;
            let seen_until = life.end.map_or(i64::MAX, |end| end.earliest - TOLERANCE);
            let due = seen_from < seen_until
                && ends_of_passes.range(seen_from..seen_until).nth(2).is_some();
            if due {
                report.due += 1;
                let there = explained.contains(&(*ends, index));
                report.claim(there, || format!("was never told: {}", brief(life)));
            }
        }
    }
}

fn wrong(what: &str, event: &Event, life: &Life) -> String {
    format!("{what}: {event:#?}\nwhile the truth is {}", brief(life))
}

fn brief(life: &Life) -> String {
    let (local, remote): (SocketAddrV4, SocketAddrV4) = life.ends;
    let steps: Vec<String> = life
        .steps
        .iter()
        .map(|(s, when)| format!("{s} {}..{}", when.earliest, when.latest))
        .collect();
    format!("{local} {remote} of {:?}: {}; end {:?}", life.pid, steps.join(", "), life.end)
}
