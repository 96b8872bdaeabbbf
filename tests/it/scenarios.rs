//! The named cases: what consecutive polls show of a socket, and what must be told of it. One
//! small file per case in `tests/scenarios`; its head says how to read it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tcplapse::model::event::{EventKind, TrackerEvent, Transition};
use tcplapse::model::reading::{
    AbortReason, DestroyEvents, LookupRequest, LookupResult, Lookups, Lost, LostReason, Reading,
    Snapshot, StateChange,
};
use tcplapse::model::socket::{AddressPair, Endpoint, Family};
use tcplapse::model::socket_row::{SocketRow, Timer};
use tcplapse::model::time::Stamp;
use tcplapse::tcp::state::State;
use tcplapse::tracker::Tracker;

/// Time between two polls, and what a poll takes, in microseconds.
const INTERVAL: u64 = 100_000;
const PASS: u64 = 1000;
/// How long after a poll the first kernel event comes.
const EVENTS: u64 = 10_000;
/// And when sockets are looked up.
const LOOKS: u64 = 50_000;

#[test]
fn every_scenario_is_told_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut failures = String::new();
    let mut cases = 0;
    let mut files: Vec<_> = folder.read_dir().expect("the folder").flatten().collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    for file in files {
        let text = std::fs::read_to_string(file.path()).expect("a text");
        let case = Case::read(&text);
        let told = case.play();
        cases += 1;
        if told != case.expected {
            let name = file.file_name();
            let _ = writeln!(
                failures,
                "{}\n  expected:\n{}\n  told:\n{}\n",
                name.display(),
                case.expected,
                told
            );
        }
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(cases >= 30, "only {cases} scenarios were found");
}

/// One case: sockets by letter, what happens, what must be told.
struct Case {
    addrs: HashMap<char, AddressPair>,
    /// How many sockets are followed at most.
    room: usize,
    steps: Vec<Step>,
    expected: String,
}

enum Step {
    /// A poll with these rows, in this order, and this many unreadable lines.
    Poll(Vec<SocketRow>, u64),
    /// A poll that was taken before what came last, and is told after it.
    Late(Vec<SocketRow>),
    /// This many seconds without a look.
    Gap(u64),
    /// What exact look-ups of sockets that the poll before did not show find: `gone`, or a row.
    PollWindow(Vec<(AddressPair, Option<SocketRow>)>),
    /// Notices of deaths.
    Died(Vec<(Option<AddressPair>, u64)>),
    /// A kernel event, and how many came since the last poll.
    EventKind(StateChange, u64),
}

impl Case {
    fn read(text: &str) -> Self {
        let (steps, expected) = (Vec::new(), String::new());
        let mut case = Self { addrs: default_ends(), room: usize::MAX, steps, expected };
        let mut expected = Vec::new();
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("socket", rest) => case.define(rest),
                ("room", rest) => case.room = rest.trim().parse().unwrap(),
                ("poll", rest) => case.poll(rest),
                ("look", rest) => case.look(rest),
                ("late", rest) => {
                    case.poll(rest);
                    let Some(Step::Poll(rows, _)) = case.steps.pop() else { unreachable!() };
                    case.steps.push(Step::Late(rows));
                }
                ("died", rest) => case.died(rest),
                ("event", rest) => case.event(rest),
                ("gap", seconds) => case.steps.push(Step::Gap(seconds.trim().parse().unwrap())),
                ("tell", rest) => {
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

    /// `A gone  B 06/0`: every question asked must be answered here, and no other.
    fn look(&mut self, rest: &str) {
        let words: Vec<_> = rest.split_whitespace().collect();
        let answer = |pair: &[&str]| {
            let addrs = self.addrs[&pair[0].chars().next().unwrap()];
            (addrs, (pair[1] != "gone").then(|| row(addrs, pair[1])))
        };
        self.steps.push(Step::PollWindow(words.chunks(2).map(answer).collect()));
    }

    /// `A#5  -#6`: ends and cookie of each.
    fn died(&mut self, rest: &str) {
        let death = |word: &str| {
            let (letter, cookie) = word.split_once('#').unwrap();
            let addrs = letter.chars().next().filter(|letter| *letter != '-');
            (addrs.map(|letter| self.addrs[&letter]), cookie.parse().unwrap())
        };
        self.steps.push(Step::Died(rest.split_whitespace().map(death).collect()));
    }

    /// `1 A ESTABLISHED FIN_WAIT1 passive reset`: the kernel's address of the socket, its ends,
    /// the step.
    fn event(&mut self, rest: &str) {
        let words: Vec<_> = rest.split_whitespace().collect();
        let state = |word: &str| State::from_name(word).unwrap();
        let cut = [
            ("reset", AbortReason::Reset),
            ("refused", AbortReason::Refused),
            ("timed-out", AbortReason::TimedOut),
        ];
        let change = StateChange {
            time: stamp(0),
            netns: None,
            socket: words[0].parse().unwrap(),
            addrs: self.addrs[&words[1].chars().next().unwrap()],
            from: state(words[2]),
            to: state(words[3]),
            passive: words.contains(&"passive"),
            caller: None,
            cut: cut.iter().find(|(word, _)| words.contains(word)).map(|(_, cut)| *cut),
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
            let conclusions = match step {
                Step::Gap(seconds) => {
                    now += seconds * 1_000_000;
                    let time = stamp(now);
                    tracker.update(&Reading::Lost(Lost {
                        time,
                        reason: LostReason::Gap,
                        count: None,
                    }))
                }
                Step::Died(dead) => tracker.update(&Reading::DestroyEvents(DestroyEvents {
                    time: stamp(now + EVENTS),
                    dead: dead.clone(),
                    overrun: false,
                })),
                Step::EventKind(change, number) => {
                    let time = stamp(now + EVENTS + number);
                    tracker.update(&Reading::StateChange(StateChange { time, ..change.clone() }))
                }
                Step::PollWindow(found) => {
                    let answers = answers(&tracker.questions(), found);
                    let (start, end) = (stamp(now + LOOKS), stamp(now + LOOKS + PASS));
                    tracker.update(&Reading::Lookups(Lookups { start, end, netns: None, answers }))
                }
                Step::Late(rows) => tracker.update(&Reading::Snapshot(Snapshot {
                    start: stamp(now + EVENTS),
                    end: stamp(now + EVENTS + PASS),
                    netns: None,
                    rows: rows.clone(),
                    bad_rows: 0,
                })),
                Step::Poll(rows, bad_rows) => {
                    now += INTERVAL;
                    let (start, end) = (stamp(now), stamp(now + PASS));
                    let (rows, bad_rows) = (rows.clone(), *bad_rows);
                    tracker.update(&Reading::Snapshot(Snapshot {
                        start,
                        end,
                        netns: None,
                        rows,
                        bad_rows,
                    }))
                }
            };
            lines.extend(conclusions.iter().map(|conclusion| self.line(conclusion)));
        }
        lines.join("\n")
    }

    fn letter(&self, addrs: AddressPair) -> char {
        *self.addrs.iter().find(|(_, known)| **known == addrs).expect("known ends").0
    }

    /// A conclusion in one line, times as numbers of polls.
    fn line(&self, conclusion: &TrackerEvent) -> String {
        let told = match conclusion {
            TrackerEvent::Lost(lost) => return format!("lost {:?}", lost.reason).to_lowercase(),
            TrackerEvent::Missed(Some(addrs)) => return format!("missed {}", self.letter(*addrs)),
            TrackerEvent::Missed(None) => return "missed".to_owned(),
            TrackerEvent::Transition(told) => told,
        };
        let letter = self.letter(told.socket.addrs);
        let mut line = format!("{}{letter} {}", told.socket.id.number, change(told));
        let after = told.after.map_or("-".to_owned(), when);
        let _ = write!(line, " ({after},{}]", when(told.time));
        if told.ages.held_at_least {
            line.push_str(" held>=");
            line.push_str(
                &(told.ages.held.unwrap().as_micros() / u128::from(INTERVAL)).to_string(),
            );
        }
        for (name, end) in [("opener", told.roles.opener), ("closer", told.roles.closer)] {
            if let Some(end) = end {
                let _ = write!(line, " {name}={end:?}");
            }
        }
        if let Some(verdict) = told.verdict {
            let _ = write!(line, " {verdict:?}");
        }
        if told.clues.listener != 0 && told.clues.inode == 0 && told.kind != EventKind::Closed {
            let _ = write!(line, " listener={}", told.clues.listener);
        }
        line
    }
}

/// What was found, as answers to what was asked.
fn answers(
    asked: &[LookupRequest],
    found: &[(AddressPair, Option<SocketRow>)],
) -> Vec<(LookupRequest, LookupResult)> {
    let of = |question: &LookupRequest| {
        let (_, row) = found.iter().find(|(addrs, _)| *addrs == question.addrs).expect("an answer");
        (*question, row.map_or(LookupResult::Gone, LookupResult::There))
    };
    assert_eq!(asked.len(), found.len(), "asked: {asked:?}");
    asked.iter().map(of).collect()
}

fn change(told: &Transition) -> String {
    let names =
        |states: &[State]| states.iter().map(State::to_string).collect::<Vec<_>>().join(" ");
    let unseen = format!("[{}] {{{}}}", names(&told.via), names(&told.maybe));
    match (told.kind, told.from) {
        (EventKind::Present, _) => format!("present {}", told.to),
        (EventKind::Opened, _) => format!("opened {} {unseen}", told.to),
        (EventKind::Changed, Some(from)) => format!("changed {from} -> {} {unseen}", told.to),
        (EventKind::Closed, Some(from)) => format!("closed {from} {unseen}"),
        (event, None) => panic!("{event:?} without a state before"),
    }
}

/// The number of the poll; `3+` is a look-up after poll 3, `3e1` the second event after it.
fn when(time: Stamp) -> String {
    let (poll, later) = (time.boot / INTERVAL, time.boot % INTERVAL);
    match later {
        0 | PASS => poll.to_string(),
        EVENTS..LOOKS => format!("{poll}e{}", later - EVENTS),
        _ => format!("{poll}+"),
    }
}

fn stamp(micros: u64) -> Stamp {
    Stamp { wall: i64::try_from(micros).unwrap(), boot: micros }
}

/// `A` and `B` are the two ends of one connection, `C` another connection of A's port, `L` a
/// listener on that port, `W` one on its wildcard.
fn default_ends() -> HashMap<char, AddressPair> {
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
    AddressPair { family, local: end(local), remote: end(remote) }
}

/// `06/0`, `01/7#5` (its cookie, last), `05/0@59.9` (a mini-socket's timer), `05/0full` (12 fields are the rule for a request,
/// TIME_WAIT and FIN_WAIT2 without an inode).
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
        addrs,
        state,
        inode,
        uid: 1000,
        mini: may_be_mini && inode == 0 && !full,
        tx_queue: 0,
        rx_queue: 0,
        timer: if left.is_some() { Timer::TimeWait } else { Timer::None },
        timer_left: left.map_or(0, |left| u64::try_from(left).unwrap()),
        retransmits: 0,
        cookie: cookie.parse().unwrap(),
        ifindex: 0,
        backlog_limit: None,
    }
}
