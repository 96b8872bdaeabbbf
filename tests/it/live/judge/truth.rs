//! What really happened, out of the kernel's trace: lives with their states and times.
//!
//! The trace says nothing of request sockets and of what follows a `FIN_WAIT2` or `CLOSING` that
//! ends in `CLOSED`: a mini-socket in `FIN_WAIT2` or `TIME_WAIT`. The other end's events tell that.

use crate::old_support::trace::{Traced, What};
use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddrV4;

pub(super) type Ends = (SocketAddrV4, SocketAddrV4);

/// Something happened not before the first and not after the second of these microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When {
    pub(super) earliest: i64,
    pub(super) latest: i64,
}

impl When {
    pub(super) const fn at(instant: i64) -> Self {
        Self { earliest: instant, latest: instant }
    }
}

/// One socket from its birth to its end.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) ends: Ends,
    pub(super) steps: Vec<(String, When)>,
    pub(super) end: Option<When>,
    /// Who holds it, or the listener that it waits in.
    pub(super) pid: Option<u32>,
    /// The full socket's end in the trace: from which state, and whether by a reset.
    closed: Option<(String, i64, bool)>,
}

impl Life {
    pub(super) fn new(ends: Ends, steps: Vec<(String, When)>) -> Self {
        Self { ends, steps, end: None, pid: None, closed: None }
    }

    pub(super) fn has(&self, state: &str) -> bool {
        self.steps.iter().any(|(passed, _)| passed == state)
    }

    pub(super) fn birth(&self) -> When {
        self.steps[0].1
    }

    /// A SYN of its own made it, or a listener did.
    pub(super) fn opener(&self) -> Option<&'static str> {
        match self.steps[0].0.as_str() {
            "SYN_SENT" => Some("local"),
            "SYN_RECV" => Some("remote"),
            _ => None,
        }
    }
}

/// All lives of a trace, by their ends and in order.
pub(super) type Lives = BTreeMap<Ends, Vec<Life>>;

/// `table` has the ends of all rows after the run.
pub(super) fn lives(traced: &[Traced], table: &HashSet<Ends>) -> Lives {
    let mut lives = full_sockets(traced);
    let sent = lives.clone();
    for of_ends in lives.values_mut() {
        let births: Vec<i64> = of_ends.iter().map(|life| first_sight(life, &sent)).collect();
        for (index, life) in of_ends.iter_mut().enumerate() {
            life.steps[0].1.earliest = births[index];
            let next = births.get(index + 1).copied();
            finish(life, next, &sent);
            may_have_ended(life, table);
        }
    }
    lives
}

/// What the trace shows by itself.
fn full_sockets(traced: &[Traced]) -> Lives {
    let mut lives = Lives::new();
    let mut reset_before: Option<Ends> = None;
    for Traced { at, local, remote, what } in traced {
        let (ends, when) = ((*local, *remote), When::at(*at));
        let What::Change(from, to) = what else {
            reset_before = Some(ends);
            continue;
        };
        let of_ends = lives.entry(ends).or_default();
        let open = of_ends.last_mut().filter(|life| life.closed.is_none());
        match (from.as_str(), to.as_str(), open) {
            // A close() after a shutdown(), and a child before it has its ends.
            (from, to, _) if from == to => {}
            ("LISTEN", "SYN_RECV", _) => {}
            (_, "CLOSED", Some(life)) => {
                let by_reset = reset_before == Some(ends);
                life.closed = Some((from.clone(), *at, by_reset));
            }
            ("CLOSED", _, _) => of_ends.push(Life::new(ends, vec![(to.clone(), when)])),
            ("SYN_RECV", "ESTABLISHED", None) => {
                let steps = [from, to].map(|state| (state.clone(), when));
                of_ends.push(Life::new(ends, steps.to_vec()));
            }
            (_, _, Some(life)) => life.steps.push((to.clone(), when)),
            // It was there before the trace began.
            (_, _, None) => {}
        }
        reset_before = reset_before.filter(|reset| *reset != ends);
    }
    lives.retain(|_, of_ends| !of_ends.is_empty());
    lives
}

/// A child may have been seen as a request since the SYN that made it.
fn first_sight(life: &Life, lives: &Lives) -> i64 {
    let born = life.birth().earliest;
    match life.opener() {
        Some("remote") => peer(life, born, lives).map_or(born, |peer| peer.birth().earliest),
        _ => born,
    }
}

/// The other end of a connection: the last one born there before.
fn peer<'a>(life: &Life, before: i64, lives: &'a Lives) -> Option<&'a Life> {
    let mirrored = (life.ends.1, life.ends.0);
    lives.get(&mirrored)?.iter().rfind(|peer| peer.birth().earliest <= before)
}

/// Adds what the trace leaves out: the mini-socket after the full one.
fn finish(life: &mut Life, next: Option<i64>, lives: &Lives) {
    let Some((from, at, by_reset)) = life.closed.clone() else { return };
    let mini = !by_reset && matches!(from.as_str(), "FIN_WAIT2" | "CLOSING");
    if !mini {
        life.end = Some(When::at(at));
        return;
    }
    let peer = peer(life, at, lives);
    let fin = peer.and_then(fin_of);
    if from == "CLOSING" {
        life.steps.push(("TIME_WAIT".to_owned(), When::at(at)));
    } else if let Some(When { earliest, latest }) = fin {
        // An orphan is a mini-socket before the FIN has come: it may have been lost on the way.
        let when = When { earliest: earliest.max(at), latest: latest.max(at) };
        life.steps.push(("TIME_WAIT".to_owned(), when));
    }
    let killed = peer.and_then(|peer| peer.closed.as_ref()).filter(|_| fin.is_none());
    let killed = killed.map(|(_, at, _)| *at);
    life.end = killed.into_iter().chain(next).min().map(When::at);
}

/// A mini-socket whose row outlives the run is there all the time. Any other may have ended at any
/// moment without an event: one in some thousands does, besides those whose ends are used again. Of
/// them it is only known until when at the latest.
fn may_have_ended(life: &mut Life, table: &HashSet<Ends>) {
    let Some((_, at, _)) = life.closed else { return };
    match life.end {
        None if table.contains(&life.ends) => {}
        end => {
            let latest = end.map_or(i64::MAX, |end| end.latest);
            life.end = Some(When { earliest: at, latest });
        }
    }
}

/// When a socket's FIN arrived: sent when its state changed, and heard when the answer came.
fn fin_of(life: &Life) -> Option<When> {
    let place = life.steps.iter().position(|(s, _)| s == "FIN_WAIT1" || s == "LAST_ACK")?;
    let earliest = life.steps[place].1.earliest;
    let acknowledged = life.steps[place..].iter().find(|(state, _)| state == "FIN_WAIT2");
    let acknowledged = acknowledged.map(|(_, when)| when.latest);
    let ended = life.closed.as_ref().map(|(_, at, _)| *at);
    Some(When { earliest, latest: acknowledged.or(ended).unwrap_or(i64::MAX) })
}
