//! Every claim of the records, held against the truth.

use super::matching::{self, Record};
use super::readings::Readings;
use super::truth::{AddressPair, NEVER, SLACK, Socket, Truth};
use crate::support::record::{Event, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The clocks of the trace and of the records are one, and both round.
const CLOCKS: i64 = 5;
/// A socket that was there in so many passes has to be reported.
const PASSES_TO_REPORT: usize = 2;
/// Kernel events that `trace` reports come from another handler of the same tracepoint: the host of a
/// virtual machine may keep it waiting in between.
const HANDLERS: i64 = 10_000;
/// After so many passes an end has to be reported: two have to miss it, and the report may wait for
/// what came before.
const PASSES_TO_END: usize = 5;
/// In so many passes one of the holders of an accepted socket has to be found.
const PASSES_TO_FIND_A_HOLDER: usize = 3;

/// What the program knows of a timer of the kernel that is read at a known time: the kernel counts
/// in 1/100 s and in ticks, and both may be late.
const TIMER_SLACK: i64 = 60_000;

/// Among the states of a socket: polls cannot distinguish it from another one.
const UNCLEAR: &str = "unclear";

/// What a record can be wrong about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Claim {
    NoSuchSocket,
    OutOfOrder,
    DoesNotContinue,
    NotAnEnd,
    NoSuchState,
    OrderReversed,
    TooEarly,
    NoBound,
    NoTime,
    OverBefore,
    CertainButNotPassed,
    PassedButExcluded,
    CertainAndPossible,
    Held,
    Opener,
    Closer,
    Verdict,
    OwnerContradictsItself,
    NotAnOwner,
    /// It names the process of a watcher, which never has a socket of the plan.
    WatcherIsNoOwner,
    NotProven,
    NotTheListener,
    OwnerNotReported,
    NotReported,
    StateNotReported,
    EndNotReported,
    /// Kernel events are said to be lost, and no record lacks one.
    NothingWasLost,
}

/// A claim that the truth contradicts, or something that is missing.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) claim: Claim,
    /// Several sockets had its addresses, one after the other.
    pub(crate) reused: bool,
    pub(crate) text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.claim, self.text)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) claims: usize,
    pub(crate) violations: Vec<Violation>,
    /// Sockets that a record is about.
    pub(crate) reported: usize,
    /// Sockets that had to be reported.
    pub(crate) due: usize,
    /// Ids that are about more than one socket, or sockets with more than one id, which no
    /// poll can distinguish.
    pub(crate) undecided: usize,
}

impl Report {
    pub(crate) fn claim(&mut self, claim: Claim, holds: bool, text: impl FnOnce() -> String) {
        self.claims += 1;
        if !holds {
            self.violations.push(Violation { claim, reused: false, text: text() });
        }
    }

    fn add(&mut self, other: Self, reused: bool) {
        self.claims += other.claims;
        self.undecided += other.undecided;
        let violations = other.violations.into_iter();
        self.violations.extend(violations.map(|violation| Violation { reused, ..violation }));
    }
}

/// What one source reported, and what it is held against.
pub(crate) struct Case<'a> {
    pub(crate) truth: &'a Truth,
    pub(crate) readings: &'a Readings,
    pub(crate) source: &'a str,
}

/// Judges all records of a run, in the order of their output.
pub(crate) fn judge(events: &[Event], case: &Case<'_>) -> Report {
    let mut report = Report::default();
    let mut states: BTreeMap<(AddressPair, usize), BTreeSet<String>> = BTreeMap::new();
    let groups = matching::by_id(events, case);
    let mut by_addrs: BTreeMap<AddressPair, Vec<&[Record<'_>]>> = BTreeMap::new();
    for group in &groups {
        by_addrs.entry(matching::addrs_of(&group[0])).or_default().push(group);
    }
    for (addrs, groups) in &by_addrs {
        let explained = matching::explain(groups, case);
        for (group, found) in groups.iter().zip(explained) {
            for index in &found.sockets {
                let states = states.entry((*addrs, *index)).or_default();
                states.extend(group.iter().map(|record| record.to.clone()));
                // Nobody can say where one of these ends.
                let unclear = found.restarted || found.sockets.len() > 1;
                states.extend(unclear.then(|| UNCLEAR.to_owned()));
            }
            report.add(found.report, case.truth.with_addrs(*addrs).len() > 1);
        }
    }
    report.reported = states.len();
    nothing_is_missing(&states, case, &mut report);
    // The state that an event which is missing has led to was passed, or shown by a poll; either is judged
    // where it is claimed. Polls alone show TIME_WAIT.
    let by_poll = |event: &Event| event.event == "changed" && event.after != Some(event.time);
    let lacks_event =
        |event: &Event| !event.via.is_empty() || by_poll(event) && event.to != "TIME_WAIT";
    let incomplete = events.iter().filter(|event| lacks_event(event)).count();
    let unreported = case.readings.unreported;
    report.claim(Claim::NothingWasLost, unreported <= incomplete, || {
        format!("{unreported} are reported as lost, {incomplete} records lack an event")
    });
    report
}

impl Case<'_> {
    /// The boot time of an instant of a record.
    pub(crate) fn boot(&self, wall: i64) -> i64 {
        let boot = self.readings.boot_time(wall);
        boot.unwrap_or_else(|| panic!("{wall} is no instant of the recording"))
    }

    fn clocks(&self) -> i64 {
        if self.source == "trace" { HANDLERS } else { CLOCKS }
    }

    /// Whether a socket was there in so many passes that it has to be reported. The kernel's events
    /// report every one, if none of them was lost.
    pub(crate) fn is_due(&self, socket: &Socket) -> bool {
        if self.source == "trace" && self.readings.lost.is_empty() {
            let first = self.readings.passes.first();
            return first.is_some_and(|(_, end)| socket.birth().earliest > *end);
        }
        let from = socket.birth().latest.saturating_add(SLACK);
        let until = socket.end.map_or(NEVER, |end| end.earliest - SLACK);
        from < until && self.readings.has_passes_between(from, until, PASSES_TO_REPORT)
    }

    /// Whether no pass shows that the next mini-socket in this state is another one, and their
    /// timers are so close that the time of a pass is no measure of them.
    pub(crate) fn looks_the_same(&self, one: &Socket, next: &Socket, state: &str) -> bool {
        let (Some(one_since), Some(since)) = (one.timer_since(state), next.timer_since(state))
        else {
            return false;
        };
        let Some(entered) = next.entered(state) else { return false };
        let shown = entered.earliest.max(since.earliest);
        let seen = self.readings.has_passes_between(next.birth().latest, shown, 1);
        let measure = TIMER_SLACK + self.readings.longest_passes_at(since.earliest);
        !seen && since.latest - one_since.earliest <= 2 * measure
    }

    /// Whether the first pass that shows a socket shows its inode.
    pub(crate) fn first_shown_with_inode(&self, socket: &Socket) -> bool {
        self.shown_with_inode(socket, |from, _| (socket.birth().earliest, from))
    }

    /// Whether the last pass that shows a socket shows its inode.
    pub(crate) fn last_shown_with_inode(&self, socket: &Socket) -> bool {
        let end = socket.end.map_or(NEVER, |end| end.latest);
        self.shown_with_inode(socket, |_, until| (until, end))
    }

    /// Whether a pass shows a socket while a process has it, and none can show it at other times:
    /// it has an inode for as long as a process has it. A process may have a descriptor for longer than the
    /// socket is in the table.
    fn shown_with_inode(&self, socket: &Socket, other: impl Fn(i64, i64) -> (i64, i64)) -> bool {
        let from = socket.holders.iter().map(|holder| holder.from.latest).min();
        let until = socket.holders.iter().map(|holder| holder.until.earliest).max();
        let (Some(from), Some(until)) = (from, until) else { return false };
        let (other_from, other_until) = other(from, until);
        let may_show = |(start, end): &(i64, i64)| *start <= other_until && *end >= other_from;
        let from = from.max(socket.birth().latest);
        let until = until.min(socket.end.map_or(NEVER, |end| end.earliest));
        from < until
            && self.readings.has_passes_between(from, until, 1)
            && !self.readings.passes.iter().any(may_show)
    }

    /// A socket that has ended, so many passes ago, has to have a record of it; not after a gap,
    /// when nobody can say whether it goes on.
    pub(crate) fn check_end(&self, group: &[Record<'_>], socket: &Socket, report: &mut Report) {
        let Some(end) = socket.end.filter(|_| !self.readings.lost.contains("gap")) else { return };
        let since = end.latest.saturating_add(SLACK);
        let ended = group.last().is_some_and(|last| last.to == "CLOSED");
        if self.readings.has_passes_between(since, NEVER, PASSES_TO_END) {
            report.claim(Claim::EndNotReported, ended, || {
                format!("{:?}\nis the last of {}", group.last().map(|last| &**last), brief(socket))
            });
        }
    }

    /// Checks the records of one id against one socket; `preceding` is the record before them, and what that
    /// is about.
    pub(crate) fn check<'e>(
        &self,
        group: &'e [Record<'e>],
        socket: &'e Socket,
        mut preceding: Option<(&'e Record<'e>, &'e Socket)>,
    ) -> Report {
        let mut report = Report::default();
        for event in group {
            let first = matches!(event.event.as_str(), "opened" | "present");
            let wrong = || self.wrong(event, socket);
            report.claim(Claim::OutOfOrder, first == preceding.is_none(), wrong);
            let from = preceding.map(|(before, _)| before.to.as_str());
            report.claim(Claim::DoesNotContinue, event.from.as_deref() == from, wrong);
            let ends = (event.event == "closed") == (event.to == "CLOSED");
            report.claim(Claim::NotAnEnd, ends, wrong);
            self.steps(event, socket, &mut report);
            self.held(event, preceding, socket, &mut report);
            self.roles(event, socket, &mut report);
            self.owner(event, socket, &mut report);
            preceding = Some((event, socket));
        }
        report
    }

    /// The states before, between and after, and when.
    fn steps(&self, event: &Record<'_>, socket: &Socket, report: &mut Report) {
        let wrong = || self.wrong(event, socket);
        let place = |state: &str| match state {
            "CLOSED" => socket.end.map(|_| socket.steps.len()),
            _ => socket.steps.iter().position(|(passed, _)| passed == state),
        };
        let from = event.from.as_deref().map(place);
        let (Some(to), false) = (place(&event.to), from == Some(None)) else {
            return report.claim(Claim::NoSuchState, false, wrong);
        };
        let first = from.flatten().map_or(0, |from| from + 1);
        report.claim(Claim::OrderReversed, first <= to, wrong);
        let time = self.boot(event.time.0);
        let entered = socket.entry(to);
        report.claim(Claim::TooEarly, entered.earliest <= time + self.clocks(), wrong);
        let Some(after) = event.after.map(|after| self.boot(after.0)) else {
            // A remnant that only the first poll can have missed has none either.
            let is_remnant = event.event == "opened" && event.source != "proc";
            return report.claim(Claim::NoBound, event.event == "present" || is_remnant, wrong);
        };
        // Where the kernel gave the instant the two are one.
        let exact = event.source == "trace" && after == time;
        report.claim(Claim::NoTime, after < time || exact, wrong);
        // What it left, or its birth, has to be later than the pass that did not show it yet.
        let left = socket.entry(first);
        report.claim(
            Claim::OverBefore,
            left.latest.saturating_add(SLACK.max(self.clocks())) >= after,
            wrong,
        );
        if first <= to {
            let passed = socket.steps[first..to].iter().map(|(state, _)| state);
            self.unseen(event, &passed.collect::<Vec<_>>(), socket, report);
        }
    }

    fn unseen(&self, event: &Record<'_>, passed: &[&String], socket: &Socket, report: &mut Report) {
        let wrong = || self.wrong(event, socket);
        let mut rest = passed.iter();
        let certain = event.via.iter().all(|state| rest.any(|passed| *passed == state));
        report.claim(Claim::CertainButNotPassed, certain, wrong);
        let covered = |state: &&&String| event.via.contains(state) || event.maybe.contains(state);
        let all = passed.iter().all(|state| covered(&state));
        report.claim(Claim::PassedButExcluded, all, wrong);
        let apart = event.via.iter().all(|state| !event.maybe.contains(state));
        report.claim(Claim::CertainAndPossible, apart, wrong);
    }

    fn wrong(&self, event: &Record<'_>, socket: &Socket) -> String {
        let boot = |time: Time| self.boot(time.0);
        format!(
            "{:?}\nfrom {:?} to {}, done by {:?}, while the truth is {}",
            **event,
            event.after.map(boot),
            boot(event.time),
            event.done_by,
            brief(socket)
        )
    }

    /// For how long it was in the state before, by the records.
    fn held(
        &self,
        event: &Record<'_>,
        preceding: Option<(&Record<'_>, &Socket)>,
        socket: &Socket,
        report: &mut Report,
    ) {
        let (Some(held), Some((before, of))) = (event.held, preceding) else {
            let none = event.held.is_none() && event.from.is_none();
            let proven = event.held.is_none_or(|held| {
                event.held_from.as_deref() == Some("kernel")
                    && self.is_no_longer_than_true(held, &event.to, event, socket)
            });
            let holds = none || event.event == "present" && proven;
            return report.claim(Claim::Held, holds, || self.wrong(event, socket));
        };
        let since = self.boot(before.time.0);
        #[allow(clippy::cast_possible_truncation)] // whole microseconds
        let held = (held * 1e6).round() as i64;
        if event.held_at_least {
            // The last pass that showed it in that state proves so much.
            let proven = event.after.map_or(0, |after| self.boot(after.0) - since);
            // Where it is about another socket that looks the same, it began with that one.
            let state = event.from.as_deref().unwrap_or_default();
            let (entered, left) = (of.entered(state), socket.left_by(state));
            let longest = entered.zip(left).map(|(entered, left)| left - entered.earliest);
            let holds = held + 2 >= proven
                && longest.is_none_or(|longest| held <= longest.saturating_add(self.clocks()));
            return report.claim(Claim::Held, holds, || self.wrong(event, socket));
        }
        let off = (held - (self.boot(event.time.0) - since).max(0)).abs();
        // At the first sight an event may be ahead of the pass that showed the socket.
        let exact = event.source != "trace" || before.event != "present";
        report.claim(Claim::Held, off <= 2 || !exact, || self.wrong(event, socket));
    }

    /// Whether a socket has been in a state for so many seconds when this event happened.
    fn is_no_longer_than_true(
        &self,
        held: f64,
        state: &str,
        event: &Record<'_>,
        socket: &Socket,
    ) -> bool {
        #[allow(clippy::cast_possible_truncation)] // whole microseconds
        let since = self.boot(event.time.0) - (held * 1e6) as i64 + self.clocks();
        socket.entered(state).is_none_or(|when| when.earliest <= since)
    }

    fn roles(&self, event: &Record<'_>, socket: &Socket, report: &mut Report) {
        let wrong = || self.wrong(event, socket);
        let time = self.boot(event.time.0) + self.clocks();
        let by_now = |state| socket.entered(state).is_some_and(|when| when.earliest <= time);
        let opener = event.opener.as_deref();
        report.claim(Claim::Opener, opener.is_none() || opener == socket.opener(), wrong);
        let closer = match event.closer.as_deref() {
            Some("local") => by_now("FIN_WAIT1"),
            Some("remote") => by_now("CLOSE_WAIT"),
            Some("both") => {
                by_now("CLOSING") || by_now("FIN_WAIT1") && self.peer_closes(socket, time)
            }
            _ => true,
        };
        report.claim(Claim::Closer, closer, wrong);
        let verdict = match event.verdict.as_deref() {
            None => event.event != "closed" || socket.has("LISTEN"),
            Some("local-close") => socket.has("FIN_WAIT1") && socket.has("TIME_WAIT"),
            Some("simultaneous-close") => {
                socket.has("CLOSING") || socket.has("FIN_WAIT1") && self.peer_closes(socket, time)
            }
            Some("remote-close") => socket.has("LAST_ACK"),
            Some("refused" | "no-answer") => !socket.has("ESTABLISHED"),
            Some("no-port") => socket.addrs.local.port() == 0,
            // Only an abort leads from there to the end.
            Some("reset" | "timed-out" | "unreachable") => !socket.has("TIME_WAIT"),
            Some(word) => word == "unknown",
        };
        report.claim(Claim::Verdict, verdict, wrong);
        let is_reset = matches!(event.verdict.as_deref(), Some("reset" | "refused"));
        report.claim(Claim::Verdict, is_reset || event.reset_by.is_none(), wrong);
    }

    /// Whether the other end had sent its FIN by then, before it had this one's. Both are full sockets
    /// as long as this one is: what the next connection does with these addresses proves nothing.
    fn peer_closes(&self, socket: &Socket, time: i64) -> bool {
        let (birth, end) = (socket.birth().earliest, socket.full_until());
        let peers = socket.addrs.mirrored();
        let mut peers = peers.iter().flat_map(|addrs| self.truth.with_addrs(*addrs));
        peers.any(|peer| {
            let fin = peer.entered("FIN_WAIT1").map(|when| when.earliest);
            fin.is_some_and(|fin| (birth..=end.min(time)).contains(&fin))
        })
    }

    fn owner(&self, event: &Record<'_>, socket: &Socket, report: &mut Report) {
        let wrong = || self.wrong(event, socket);
        let source = event.owner_source.as_str();
        let known = matches!(source, "proven" | "remembered" | "listener");
        report.claim(Claim::OwnerContradictsItself, event.pid.is_some() == known, wrong);
        // Owners are looked for once a reading is over, and before the next one is.
        let time = self.boot(event.time.0);
        let until = event.done_by;
        let named: BTreeSet<u32> =
            event.pid.into_iter().chain(event.owners.iter().map(|owner| owner.pid)).collect();
        let watchers = named.iter().any(|pid| self.truth.watchers.contains(pid));
        report.claim(Claim::WatcherIsNoOwner, !watchers, wrong);
        let named: BTreeSet<u32> =
            named.into_iter().filter(|pid| !self.truth.watchers.contains(pid)).collect();
        if source == "listener" {
            report.claim(Claim::NotTheListener, self.is_listener(event, socket), wrong);
            return self.owner_is_found(event, socket, report);
        }
        let ever = socket.held_between(0, until);
        report.claim(Claim::NotAnOwner, named.is_subset(&ever), wrong);
        if source == "proven" {
            let then = socket.held_between(time - self.clocks(), until);
            report.claim(Claim::NotProven, named.is_subset(&then), wrong);
            // The kernel's event may name who acted before a poll has shown the inode.
            let shown = event.inode.is_some() || event.source == "trace";
            report.claim(Claim::NotProven, shown, wrong);
        }
        self.owner_is_found(event, socket, report);
    }

    /// A process that had a socket all the time while its owner was searched for is reported.
    fn owner_is_found(&self, event: &Record<'_>, socket: &Socket, report: &mut Report) {
        if event.inode.is_some() && self.source != "trace" {
            let (start, until) = (self.readings.start_of(self.boot(event.time.0)), event.done_by);
            let all_the_time = socket.held_throughout(start, until);
            let reported = all_the_time.is_empty() || event.owner_source == "proven";
            report.claim(Claim::OwnerNotReported, reported, || self.wrong(event, socket));
        }
    }

    /// A socket that nobody has accepted is its listener's, and so is one of which no holder was found
    /// since: not for long, whatever the record is about.
    pub(crate) fn is_listener(&self, event: &Record<'_>, socket: &Socket) -> bool {
        let time = self.boot(event.time.0);
        // A row without an inode: nobody had accepted it.
        let is_row = event.inode.is_none() && event.event != "closed" && self.source != "trace";
        let start = self.readings.start_of(time);
        let accepted = || socket.holders.iter().any(|holder| holder.from.latest < start);
        let may_wait = matches!(event.to.as_str(), "SYN_RECV" | "ESTABLISHED" | "CLOSE_WAIT");
        let was_held_long = socket.holders.iter().any(|holder| {
            let (from, until) = (holder.from.latest, holder.until.earliest.min(time));
            from < until && self.readings.has_passes_between(from, until, PASSES_TO_FIND_A_HOLDER)
        });
        !(is_row && may_wait && accepted() || was_held_long)
            && self.may_be_listener(event, socket.addrs, socket.birth().earliest)
    }

    /// Whether all processes that a record names can have held a listener for these addresses since a
    /// socket was born, and whether it names all that held one the whole time.
    pub(crate) fn may_be_listener(
        &self,
        event: &Record<'_>,
        addrs: AddressPair,
        born: i64,
    ) -> bool {
        let time = self.boot(event.time.0);
        let (start, until) = (self.readings.start_of(time), event.done_by);
        let Some(pid) = event.pid else { return false };
        let named: BTreeSet<u32> =
            event.owners.iter().map(|owner| owner.pid).chain([pid]).collect();
        // A listener may be gone while what it made is still there.
        let possible: Vec<&Socket> =
            self.truth.listeners(addrs).filter(|socket| socket.overlaps(born, until)).collect();
        let held = |holders: &dyn Fn(&Socket) -> BTreeSet<u32>| -> BTreeSet<u32> {
            possible.iter().flat_map(|listener| holders(listener)).collect()
        };
        named.is_subset(&held(&|listener| listener.held_between(born, until)))
            && held(&|listener| listener.held_throughout(start, until)).is_subset(&named)
    }
}

/// A socket, a state, and an end that whole passes must have shown have to be reported.
fn nothing_is_missing(
    states: &BTreeMap<(AddressPair, usize), BTreeSet<String>>,
    case: &Case<'_>,
    all: &mut Report,
) {
    for (index, socket) in case.truth.watched() {
        let shown_from = |place: usize| socket.entry(place).latest.saturating_add(SLACK);
        // It may be gone before it comes to a state that the other end's FIN would bring.
        let end = socket.end.map_or(NEVER, |end| end.earliest);
        let shown_until = |place: usize| match socket.entry(place).earliest.min(end) {
            NEVER => NEVER,
            earliest => earliest - SLACK,
        };
        let passes = |from, until, count| {
            from < until && case.readings.has_passes_between(from, until, count)
        };
        let missing = || brief(socket);
        let mut report = Report::default();
        let reported = states.get(&(socket.addrs, index));
        if case.is_due(socket) {
            all.due += 1;
            report.claim(Claim::NotReported, reported.is_some(), missing);
        }
        let reported = reported.filter(|reported| !reported.contains(UNCLEAR));
        for (place, (state, _)) in socket.steps.iter().enumerate() {
            let due = passes(shown_from(place), shown_until(place + 1), PASSES_TO_REPORT);
            if let Some(reported) = reported.filter(|_| due) {
                report.claim(Claim::StateNotReported, reported.contains(state), || {
                    format!("{state} of {}", missing())
                });
            }
        }
        all.add(report, case.truth.with_addrs(socket.addrs).len() > 1);
    }
}

/// A socket in a few lines.
pub(crate) fn brief(socket: &Socket) -> String {
    let AddressPair { ipv6, local, remote } = socket.addrs;
    let family = if ipv6 { "ipv6" } else { "ipv4" };
    let steps = socket.steps.iter();
    let steps = steps.map(|(s, when)| format!("{s} {}..{}", when.earliest, when.latest));
    let steps: Vec<String> = steps.collect();
    format!(
        "{family} {local} {remote}: {}; end {:?}; holders {:?}",
        steps.join(", "),
        socket.end,
        socket.holders
    )
}
