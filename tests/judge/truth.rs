//! What really happened: every socket with its states, their times and its holders, out of the
//! kernel's trace, the log of the workload, and what the judge itself reads in the table.
//!
//! The trace says nothing of request sockets, nor of what follows a FIN_WAIT2 or CLOSING that ends
//! in CLOSED: a mini-socket in FIN_WAIT2 or TIME_WAIT. The other end's events and the rows show that.
//! All times are of the boot clock, in microseconds.

use super::holders;
use super::plan::Addresses;
use super::rows::Samples;
use super::workload::Done;
use crate::support::trace::{SocketEvent, What};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;

pub(crate) const NEVER: i64 = i64::MAX;
/// Between an event and what it is about, in a context that no task can interrupt: there are
/// interrupts, and the machine itself may be kept waiting by its host.
pub(crate) const SLACK: i64 = 2_000;

/// The addresses of a socket: v4-mapped ones in their IPv4 form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AddressPair {
    pub(crate) ipv6: bool,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

impl AddressPair {
    /// Those of the other end of the connection, which may be of either family.
    pub(crate) fn mirrored(self) -> [Self; 2] {
        let (local, remote) = (self.remote, self.local);
        [self.ipv6, !self.ipv6].map(|ipv6| Self { ipv6, local, remote })
    }
}

/// Something happened not before the first and not after the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When {
    pub(crate) earliest: i64,
    pub(crate) latest: i64,
}

impl When {
    pub(crate) const NEVER: Self = Self { earliest: NEVER, latest: NEVER };
}

/// A process that has a descriptor of a socket, and from when until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    pub(crate) from: When,
    pub(crate) until: When,
}

/// One socket from its birth to its end.
#[derive(Debug, Clone)]
pub(crate) struct Socket {
    pub(crate) addrs: AddressPair,
    pub(crate) steps: Vec<(String, When)>,
    /// `None`: it is still there.
    pub(crate) end: Option<When>,
    pub(crate) holders: Vec<Holder>,
    /// The full socket's end in the trace.
    closed: Option<Closed>,
}

#[derive(Debug, Clone)]
struct Closed {
    from: String,
    when: When,
    by_reset: bool,
}

impl Closed {
    fn leaves_mini_socket(&self) -> bool {
        !self.by_reset && matches!(self.from.as_str(), "FIN_WAIT2" | "CLOSING")
    }
}

impl Socket {
    pub(crate) fn has(&self, state: &str) -> bool {
        self.entered(state).is_some()
    }

    /// When it came to a state.
    pub(crate) fn entered(&self, state: &str) -> Option<When> {
        self.steps.iter().find(|(passed, _)| passed == state).map(|(_, when)| *when)
    }

    /// When it was in a state no more, at the latest.
    pub(crate) fn left_by(&self, state: &str) -> Option<i64> {
        let place = self.steps.iter().position(|(passed, _)| passed == state)?;
        let next = self.steps.get(place + 1).map(|(_, when)| *when).or(self.end);
        Some(next.map_or(NEVER, |when| when.latest))
    }

    pub(crate) fn birth(&self) -> When {
        self.steps[0].1
    }

    /// A SYN of its own made it, or a listener did.
    pub(crate) fn opener(&self) -> Option<&'static str> {
        match self.steps[0].0.as_str() {
            "SYN_SENT" => Some("local"),
            "SYN_RECV" => Some("remote"),
            _ => None,
        }
    }

    /// When the full socket ended, at the latest.
    pub(crate) fn full_until(&self) -> i64 {
        self.closed.as_ref().map_or(NEVER, |closed| closed.when.latest)
    }

    /// When the timer of its mini-socket in this state began: with the mini-socket, and again with
    /// the FIN that leads to TIME_WAIT (`tcp_timewait_state_process()`).
    pub(crate) fn timer_since(&self, state: &str) -> Option<When> {
        let closed = self.closed.as_ref().filter(|closed| closed.leaves_mini_socket())?;
        let entered = self.entered(state).filter(|_| state == "TIME_WAIT");
        Some(entered.unwrap_or(closed.when))
    }

    /// When it came to the state at this place of its steps; behind the last, when it ended.
    pub(crate) fn entry(&self, place: usize) -> When {
        self.steps.get(place).map_or_else(|| self.end.unwrap_or(When::NEVER), |(_, when)| *when)
    }

    /// Whether it was there at some time of these.
    pub(crate) fn overlaps(&self, from: i64, until: i64) -> bool {
        self.birth().earliest <= until && self.end.is_none_or(|end| end.latest >= from)
    }
}

/// All sockets, by their addresses and in order.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) by_addrs: BTreeMap<AddressPair, Vec<Socket>>,
    addresses: Option<Addresses>,
    /// The processes that watched.
    pub(crate) watchers: Vec<u32>,
}

/// What the truth is made of.
pub(crate) struct Evidence {
    pub(crate) events: Vec<SocketEvent>,
    pub(crate) log: Vec<Done>,
    pub(crate) samples: Samples,
    /// The rows when all was over.
    pub(crate) table: HashSet<AddressPair>,
    pub(crate) addresses: Addresses,
    pub(crate) watchers: Vec<u32>,
    pub(crate) over: i64,
}

impl Truth {
    pub(crate) fn of(evidence: &Evidence) -> Self {
        let mut by_addrs = full_sockets(evidence);
        let sent = by_addrs.clone();
        for with_addrs in by_addrs.values_mut() {
            for socket in &mut *with_addrs {
                socket.steps[0].1.earliest = first_sight(socket, &sent);
            }
            let births: Vec<When> = with_addrs.iter().map(Socket::birth).collect();
            for (index, socket) in with_addrs.iter_mut().enumerate() {
                add_mini_socket(socket, births.get(index + 1).copied(), &sent, evidence);
            }
        }
        let addresses = Some(evidence.addresses);
        let watchers = evidence.watchers.clone();
        let mut truth = Self { by_addrs, addresses, watchers };
        holders::add(&mut truth, &evidence.log);
        truth
    }

    /// Those with these addresses, in order.
    pub(crate) fn with_addrs(&self, addrs: AddressPair) -> &[Socket] {
        self.by_addrs.get(&addrs).map_or(&[], Vec::as_slice)
    }

    /// Sockets of the watched namespace.
    pub(crate) fn watched(&self) -> impl Iterator<Item = (usize, &Socket)> {
        let near = |addrs: &AddressPair| {
            let local = addrs.local.ip();
            self.addresses.is_none_or(|own| own.is_near(local) || local.is_unspecified())
        };
        let watched = self.by_addrs.iter().filter(move |(addrs, _)| near(addrs));
        watched.flat_map(|(_, sockets)| sockets.iter().enumerate())
    }

    /// Whether a record of these addresses can be about the watched namespace.
    pub(crate) fn is_watched(&self, addrs: AddressPair) -> bool {
        let local = addrs.local.ip();
        self.addresses.is_none_or(|own| own.is_near(local) || local.is_unspecified())
    }

    /// The listeners that can have made a socket with these addresses.
    pub(crate) fn listeners(&self, addrs: AddressPair) -> impl Iterator<Item = &Socket> {
        let listeners = self.by_addrs.iter().filter(move |(listener, _)| {
            listener.remote.port() == 0
                && listener.local.port() == addrs.local.port()
                && (listener.local.ip() == addrs.local.ip() || listener.local.ip().is_unspecified())
        });
        listeners.flat_map(|(_, sockets)| sockets)
    }

    /// Whether a SYN was sent to these addresses before that.
    pub(crate) fn syn_before(&self, addrs: AddressPair, time: i64) -> bool {
        let mirrored = addrs.mirrored();
        let mut peers = mirrored.iter().flat_map(|addrs| self.with_addrs(*addrs));
        peers.any(|peer| peer.birth().earliest <= time)
    }
}

/// What the trace shows by itself.
fn full_sockets(evidence: &Evidence) -> BTreeMap<AddressPair, Vec<Socket>> {
    let mut sockets: Vec<Socket> = Vec::new();
    let mut open: HashMap<u64, usize> = HashMap::new();
    let mut reset: HashSet<u64> = HashSet::new();
    for event in &evidence.events {
        let What::Change(from, to) = &event.what else {
            reset.insert(event.socket);
            continue;
        };
        let by_reset = reset.remove(&event.socket);
        let addrs = AddressPair { ipv6: event.ipv6, local: event.local, remote: event.remote };
        let command = evidence.log.partition_point(|done| done.answered < event.at);
        let command = evidence.log.get(command).filter(|done| done.sent <= event.at);
        let command = command.filter(|_| event.preemptible);
        let born = matches!(from.as_str(), "CLOSED" | "LISTEN") && to != "CLOSED" && from != to;
        if born {
            let when =
                When { earliest: event.at, latest: command.map_or(event.at, |done| done.answered) };
            let (steps, holders) = (vec![(to.clone(), when)], Vec::new());
            open.insert(event.socket, sockets.len());
            sockets.push(Socket { addrs, steps, end: None, holders, closed: None });
            continue;
        }
        // What was there before the trace began is not of this run.
        let Some(place) = open.get(&event.socket).copied() else { continue };
        let socket = &mut sockets[place];
        if addrs.local.port() != 0 && addrs.remote.port() != 0 {
            socket.addrs = addrs;
        }
        if to == "CLOSED" {
            // It leaves the table before the event, and is in another state only after it.
            let earliest = command.map_or(event.at, |done| done.sent);
            let earliest = earliest.max(socket.steps.last().map_or(0, |(_, when)| when.earliest));
            let when = When { earliest, latest: event.at };
            socket.closed = Some(Closed { from: from.clone(), when, by_reset });
            open.remove(&event.socket);
        } else if from != to {
            let latest = command.map_or(event.at, |done| done.answered);
            socket.steps.push((to.clone(), When { earliest: event.at, latest }));
        }
    }
    let mut by_addrs: BTreeMap<AddressPair, Vec<Socket>> = BTreeMap::new();
    for mut socket in sockets.into_iter().filter(|socket| is_ours(socket, evidence)) {
        holders::add_port(&mut socket, &evidence.log);
        by_addrs.entry(socket.addrs).or_default().push(socket);
    }
    by_addrs
}

/// The trace is of the whole machine: addresses show what is of this run, and for a
/// listener on all addresses the time does.
fn is_ours(socket: &Socket, evidence: &Evidence) -> bool {
    let AddressPair { local, remote, .. } = socket.addrs;
    let listened = || {
        evidence.log.iter().any(|done| {
            (done.sent..=done.answered).contains(&socket.birth().earliest)
                && holders::listens_on(done, local)
        })
    };
    evidence.addresses.has(local.ip())
        || evidence.addresses.has(remote.ip())
        || local.ip().is_unspecified() && listened()
}

/// A child may have been seen as a request since the SYN that made it.
fn first_sight(socket: &Socket, sockets: &BTreeMap<AddressPair, Vec<Socket>>) -> i64 {
    let born = socket.birth().earliest;
    match socket.opener() {
        Some("remote") => peer(socket, born, sockets).map_or(born, |peer| peer.birth().earliest),
        _ => born,
    }
}

/// The other end of a connection: the last one born there before.
fn peer<'a>(
    socket: &Socket,
    before: i64,
    sockets: &'a BTreeMap<AddressPair, Vec<Socket>>,
) -> Option<&'a Socket> {
    let mirrored = socket.addrs.mirrored();
    let peers = mirrored.iter().filter_map(|addrs| sockets.get(addrs)).flatten();
    let born_before = peers.filter(|peer| peer.birth().earliest <= before);
    born_before.max_by_key(|peer| peer.birth().earliest)
}

/// Adds what the trace leaves out: the mini-socket after the full one. Its end makes no event: it
/// was there as long as the table showed it, and was gone when its addresses were used again, or
/// when it was missing from the last table.
fn add_mini_socket(
    socket: &mut Socket,
    next: Option<When>,
    sockets: &BTreeMap<AddressPair, Vec<Socket>>,
    evidence: &Evidence,
) {
    let Some(closed) = socket.closed.clone() else { return };
    if !closed.leaves_mini_socket() {
        socket.end = Some(closed.when);
        return;
    }
    let Closed { from, when, .. } = closed;
    let fin = peer(socket, when.latest, sockets).and_then(fin_of);
    if from == "CLOSING" {
        socket.steps.push(("TIME_WAIT".to_owned(), when));
    } else if let Some(fin) = fin {
        // An orphan is a mini-socket before the FIN has come: it may have been lost on the way.
        let earliest = fin.earliest.max(when.earliest);
        let latest = fin.latest.max(when.latest);
        socket.steps.push(("TIME_WAIT".to_owned(), When { earliest, latest }));
    }
    if next.is_none() && evidence.table.contains(&socket.addrs) {
        return;
    }
    let until = next.map_or(NEVER, |next| next.earliest);
    let samples = evidence.samples.get(&socket.addrs).map_or(&[][..], Vec::as_slice);
    let shown = samples.iter().rfind(|sample| (when.latest..until).contains(sample)).copied();
    let earliest = shown.unwrap_or(when.earliest);
    // The next one can be born before the old one has gone, but not be in the table.
    let latest = next.map_or(evidence.over, |next| next.latest).max(earliest);
    socket.end = Some(When { earliest, latest });
}

/// When a socket's FIN arrived: sent when its state changed, and known when the answer came.
fn fin_of(socket: &Socket) -> Option<When> {
    let place = socket.steps.iter().position(|(s, _)| s == "FIN_WAIT1" || s == "LAST_ACK")?;
    let earliest = socket.steps[place].1.earliest;
    let acknowledged = socket.steps[place..].iter().find(|(state, _)| state == "FIN_WAIT2");
    let acknowledged = acknowledged.map(|(_, when)| when.latest);
    let ended = socket.closed.as_ref().map(|closed| closed.when.latest);
    Some(When { earliest, latest: acknowledged.or(ended).unwrap_or(NEVER) })
}
