//! Named cases: what polls, lookups and events show of sockets, and what must be reported of it. Each
//! is a small file in `tests/scenarios`; the README.md there describes their grammar.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tcplapse::testing::model::event::{EventKind, TrackerEvent, Transition};
use tcplapse::testing::model::reading::{
    AbortReason, DestroyEvents, DestroyedSocket, LookupRequest, LookupResult, Lookups, Lost,
    LostReason, Reading, Snapshot, StateChange,
};
use tcplapse::testing::model::socket::{AddressPair, Endpoint, Family, NetnsId};
use tcplapse::testing::model::socket_row::{Details, SocketRow, Timer};
use tcplapse::testing::model::time::Stamp;
use tcplapse::testing::tcp::state::State;
use tcplapse::testing::tracker::{Collected, Tracker};

/// Time between two polls, and how long a poll takes, in microseconds.
const INTERVAL: u64 = 100_000;
const POLL: u64 = 1000;
/// How long after the beginning of a poll the first kernel event comes.
const EVENTS: u64 = 10_000;
/// And when sockets are looked up.
const LOOKUPS: u64 = 50_000;

#[test]
fn every_scenario_is_reported_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut failures = String::new();
    let mut cases = 0;
    let mut files: Vec<_> = folder.read_dir().expect("the folder").flatten().collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    for file in files {
        let path = file.path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a text");
        let case = Case::read(&text);
        let reported = case.play();
        cases += 1;
        if reported != case.expected {
            let (name, expected) = (file.file_name(), &case.expected);
            let _ = writeln!(
                failures,
                "{}\n  expected:\n{expected}\n  reported:\n{reported}\n",
                name.display(),
            );
        }
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(cases >= 30, "only {cases} scenarios were found");
}

/// One case: sockets by letter, what happens, what must be reported.
struct Case {
    addrs: HashMap<char, AddressPair>,
    /// How many sockets are followed at most.
    room: usize,
    steps: Vec<Step>,
    expected: String,
}

enum Step {
    /// A poll with these rows, in this order, and this many lines that are not rows.
    Poll(Vec<SocketRow>, u64),
    /// A poll that was taken before the step before it, but is read after it.
    Late(Vec<SocketRow>),
    /// This many seconds without a poll.
    Gap(u64),
    /// The results of the lookups that were asked for: a row, or none.
    Lookups(Vec<(AddressPair, Option<SocketRow>)>),
    /// Destroy events, with the cookie of each socket.
    Destroyed(Vec<DestroyedSocket>),
    /// A kernel event, and how many came since the last poll.
    EventKind(StateChange, u64),
}

impl Case {
    fn read(text: &str) -> Self {
        let (steps, expected) = (Vec::new(), String::new());
        let mut case = Self { addrs: default_addrs(), room: usize::MAX, steps, expected };
        let mut expected = Vec::new();
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("socket", rest) => case.define(rest),
                ("room", rest) => case.room = rest.trim().parse().unwrap(),
                ("poll", rest) => case.poll(rest),
                ("lookup", rest) => case.lookups(rest),
                ("late", rest) => {
                    case.poll(rest);
                    let Some(Step::Poll(rows, _)) = case.steps.pop() else { unreachable!() };
                    case.steps.push(Step::Late(rows));
                }
                ("destroyed", rest) => case.destroyed(rest),
                ("event", rest) => case.event(rest),
                ("gap", seconds) => case.steps.push(Step::Gap(seconds.trim().parse().unwrap())),
                ("expect", rest) => {
                    expected.push(rest.split_whitespace().collect::<Vec<_>>().join(" "));
                }
                other => panic!("cannot read {other:?}"),
            }
        }
        case.expected = expected.join("\n");
        case
    }

    /// `A 10.0.0.1:1000 10.0.0.2:80`
    fn define(&mut self, rest: &str) {
        let words: Vec<_> = rest.split_whitespace().collect();
        self.addrs.insert(words[0].chars().next().unwrap(), addrs(words[1], words[2]));
    }

    /// `A 01/7  B 06/0@59.9  bad 1`; `-` for no row at all.
    fn poll(&mut self, rest: &str) {
        let words: Vec<_> = rest.split_whitespace().filter(|word| *word != "-").collect();
        let (mut rows, mut bad) = (Vec::new(), 0);
        for pair in words.chunks(2) {
            match pair[0] {
                "bad" => bad = pair[1].parse().unwrap(),
                letter => rows.push(row(self.addrs[&letter.chars().next().unwrap()], pair[1])),
            }
        }
        self.steps.push(Step::Poll(rows, bad));
    }

    /// `A gone  B 06/0  C A:01/7`: the result of every lookup that was asked for, and of no other; of the
    /// last one it is a row with the addresses of A.
    fn lookups(&mut self, rest: &str) {
        let words: Vec<_> = rest.split_whitespace().collect();
        let result = |pair: &[&str]| {
            let asked = self.addrs[&pair[0].chars().next().unwrap()];
            let (found, text) = match pair[1].split_once(':') {
                Some((letter, text)) => (self.addrs[&letter.chars().next().unwrap()], text),
                None => (asked, pair[1]),
            };
            (asked, (text != "gone").then(|| row(found, text)))
        };
        self.steps.push(Step::Lookups(words.chunks(2).map(result).collect()));
    }

    /// `A#5  -#6`: address pair and cookie of each.
    fn destroyed(&mut self, rest: &str) {
        let destroyed = |word: &str| {
            let (letter, cookie) = word.split_once('#').unwrap();
            let addrs = letter.chars().next().filter(|letter| *letter != '-');
            let addrs = addrs.map(|letter| self.addrs[&letter]);
            DestroyedSocket { addrs, cookie: cookie.parse().unwrap() }
        };
        self.steps.push(Step::Destroyed(rest.split_whitespace().map(destroyed).collect()));
    }

    /// `1 A ESTABLISHED FIN_WAIT1 passive reset`: a number for the socket (its address in the kernel),
    /// or `#1` for its cookie and `#1/7` with its inode, too; its address pair; the transition.
    fn event(&mut self, rest: &str) {
        let words: Vec<_> = rest.split_whitespace().collect();
        let state = |word: &str| State::from_name(word).unwrap();
        let aborts = [
            ("reset", AbortReason::Reset),
            ("refused", AbortReason::Refused),
            ("timed-out", AbortReason::TimedOut),
            ("no-answer", AbortReason::NoAnswer),
            ("unreachable", AbortReason::Unreachable),
            ("no-port", AbortReason::NoPort),
        ];
        let (name, inode) = words[0]
            .split_once('/')
            .map_or((words[0], None), |(name, inode)| (name, Some(inode.parse().unwrap())));
        let cookie = name.strip_prefix('#').map_or(0, |cookie| cookie.parse().unwrap());
        let change = StateChange {
            time: stamp(0),
            netns: None,
            socket: if cookie == 0 { name.parse().unwrap() } else { 0 },
            cookie,
            ifindex: 0,
            device: None,
            ipv6_only: None,
            inode,
            uid: None,
            addrs: self.addrs[&words[1].chars().next().unwrap()],
            from: state(words[2]),
            to: state(words[3]),
            passive: words.contains(&"passive"),
            caller: None,
            abort: aborts.iter().find(|(word, _)| words.contains(word)).map(|(_, abort)| *abort),
            reset_by: None,
        };
        let since_poll = |step: &&Step| !matches!(step, Step::Poll(..));
        let events = self.steps.iter().rev().take_while(since_poll);
        let number = events.filter(|step| matches!(step, Step::EventKind(..))).count() as u64;
        self.steps.push(Step::EventKind(change, number));
    }

    fn play(&self) -> String {
        let mut tracker = Tracker::of_at_most(self.room);
        let mut now = 0;
        let mut lines = Vec::new();
        for step in &self.steps {
            let reading = match step {
                Step::Gap(seconds) => {
                    now += seconds * 1_000_000;
                    let time = stamp(now);
                    Reading::Lost(Lost { time, reason: LostReason::Gap, count: None })
                }
                Step::Destroyed(dead) => Reading::DestroyEvents(DestroyEvents {
                    time: stamp(now + EVENTS),
                    netns: NetnsId::default(),
                    sockets: dead.clone(),
                    overrun: false,
                }),
                Step::EventKind(change, number) => {
                    let time = stamp(now + EVENTS + number);
                    Reading::StateChange(StateChange { time, ..change.clone() })
                }
                Step::Lookups(found) => {
                    let answers = answers(&tracker.lookup_requests(), found);
                    let (start, end) = (stamp(now + LOOKUPS), stamp(now + LOOKUPS + POLL));
                    Reading::Lookups(Lookups { start, end, netns: None, answers })
                }
                Step::Late(rows) => Reading::Snapshot(Snapshot {
                    start: stamp(now + EVENTS),
                    end: stamp(now + EVENTS + POLL),
                    netns: None,
                    rows: rows.clone(),
                    bad_rows: 0,
                    ..Snapshot::default()
                }),
                Step::Poll(rows, bad_rows) => {
                    now += INTERVAL;
                    let (start, end) = (stamp(now), stamp(now + POLL));
                    let (rows, bad_rows) = (rows.clone(), *bad_rows);
                    Reading::Snapshot(Snapshot {
                        start,
                        end,
                        netns: None,
                        rows,
                        bad_rows,
                        ..Snapshot::default()
                    })
                }
            };
            let mut conclusions = Collected::default();
            tracker.update(&reading, &mut conclusions);
            lines.extend(conclusions.events.iter().map(|conclusion| self.line(conclusion)));
        }
        lines.join("\n")
    }

    fn letter(&self, addrs: AddressPair) -> char {
        *self.addrs.iter().find(|(_, known)| **known == addrs).expect("known ends").0
    }

    /// A conclusion on one line, as the files write it; times are numbers of polls.
    fn line(&self, conclusion: &TrackerEvent) -> String {
        let transition = match conclusion {
            TrackerEvent::Lost(lost) => return format!("lost {:?}", lost.reason).to_lowercase(),
            TrackerEvent::NeverSeen(Some(addrs)) => {
                return format!("missed {}", self.letter(*addrs));
            }
            TrackerEvent::NeverSeen(None) => return "missed".to_owned(),
            TrackerEvent::Transition(transition) => transition,
        };
        let letter = self.letter(transition.socket.addrs);
        let mut line = format!("{}{letter} {}", transition.socket.id.number, change(transition));
        let after = transition.after.map_or("-".to_owned(), when);
        let _ = write!(line, " ({after},{}]", when(transition.time));
        if transition.ages.held_at_least {
            line.push_str(" held>=");
            line.push_str(
                &(transition.ages.held.unwrap().as_micros() / u128::from(INTERVAL)).to_string(),
            );
        }
        for (name, end) in
            [("opener", transition.roles.opener), ("closer", transition.roles.closer)]
        {
            if let Some(end) = end {
                let _ = write!(line, " {name}={end:?}");
            }
        }
        if let Some(verdict) = transition.verdict {
            let _ = write!(line, " {verdict:?}");
        }
        let listeners: Vec<String> =
            transition.clues.waits_at().map(|inode| inode.to_string()).collect();
        if !listeners.is_empty() && transition.kind != EventKind::Closed {
            let _ = write!(line, " listener={}", listeners.join(","));
        }
        line
    }
}

/// The results of lookups, for those that were asked for.
fn answers(
    asked: &[LookupRequest],
    found: &[(AddressPair, Option<SocketRow>)],
) -> Vec<(LookupRequest, LookupResult)> {
    let of = |question: &LookupRequest| {
        let (_, row) = found.iter().find(|(addrs, _)| *addrs == question.addrs).expect("an answer");
        // The kernel finds no socket with another cookie than the one that is asked for.
        let cookie = question.cookie;
        let row = row.filter(|row| cookie == 0 || row.cookie == 0 || row.cookie == cookie);
        (*question, row.map_or(LookupResult::Gone, LookupResult::There))
    };
    assert_eq!(asked.len(), found.len(), "asked: {asked:?}");
    asked.iter().map(of).collect()
}

fn change(transition: &Transition) -> String {
    let names =
        |states: &[State]| states.iter().map(State::to_string).collect::<Vec<_>>().join(" ");
    let passed = format!("[{}] {{{}}}", names(&transition.via), names(&transition.maybe));
    match (transition.kind, transition.from) {
        (EventKind::Present, _) => format!("present {}", transition.to),
        (EventKind::Opened, _) => format!("opened {} {passed}", transition.to),
        (EventKind::Changed, Some(from)) => format!("changed {from} -> {} {passed}", transition.to),
        (EventKind::Closed, Some(from)) => format!("closed {from} {passed}"),
        (event, None) => panic!("{event:?} without a previous state"),
    }
}

/// The number of the poll; `3+` is a lookup after poll 3, `3e1` the second event after it.
fn when(time: Stamp) -> String {
    let (poll, later) = (time.boot / INTERVAL, time.boot % INTERVAL);
    match later {
        0 | POLL => poll.to_string(),
        EVENTS..LOOKUPS => format!("{poll}e{}", later - EVENTS),
        _ => format!("{poll}+"),
    }
}

fn stamp(micros: u64) -> Stamp {
    Stamp { wall: i64::try_from(micros).unwrap(), boot: micros }
}

/// `A` and `B` are the two ends of one connection, `C` is another connection of A's port, `L` the
/// listener on its address and port, `W` the one on any address.
fn default_addrs() -> HashMap<char, AddressPair> {
    HashMap::from([
        ('A', addrs("10.0.0.1:4000", "10.0.0.2:80")),
        ('B', addrs("10.0.0.2:80", "10.0.0.1:4000")),
        ('C', addrs("10.0.0.1:4000", "10.0.0.3:80")),
        ('L', addrs("10.0.0.1:4000", "0.0.0.0:0")),
        ('W', addrs("0.0.0.0:4000", "0.0.0.0:0")),
    ])
}

fn addrs(local: &str, remote: &str) -> AddressPair {
    let end = |text: &str| {
        let addr: SocketAddr = text.parse().unwrap();
        Endpoint { addr: addr.ip().to_canonical(), port: addr.port() }
    };
    let family = if local.starts_with('[') { Family::Ipv6 } else { Family::Ipv4 };
    AddressPair::new(family, end(local), end(remote))
}

/// `06/0`, `01/7#5` with a cookie, `05/0@59.9` with the timer of a mini-socket, `05/0full`: not a
/// mini-socket, although it has no inode.
fn row(addrs: AddressPair, text: &str) -> SocketRow {
    let (state, rest) = text.split_once('/').unwrap();
    let (rest, cookie) = rest.split_once('#').unwrap_or((rest, "0"));
    let (rest, left) = rest.split_once('@').map_or((rest, None), |(r, left)| (r, Some(left)));
    let (inode, full) = rest.strip_suffix("full").map_or((rest, false), |inode| (inode, true));
    let inode = inode.parse().unwrap();
    let state = State::from_code(u8::from_str_radix(state, 16).unwrap());
    let may_be_mini = matches!(state, State::SynRecv | State::FinWait2 | State::TimeWait);
    let left = left.map(|left| Duration::from_secs_f64(left.parse().unwrap()).as_millis() / 10);
    SocketRow {
        inode,
        uid: 1000,
        mini: may_be_mini && inode == 0 && !full,
        details: Details {
            timer: if left.is_some() { Timer::TimeWait } else { Timer::None },
            timer_left: left.map_or(0, |left| u64::try_from(left).unwrap()),
            ..Details::NONE
        },
        cookie: cookie.parse().unwrap(),
        ..SocketRow::new(addrs, state)
    }
}
