//! Readings of a machine with a handful of sockets, so that every combination is likely: both ends of
//! a connection, children of a listener, address pairs that are reused again and again.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::fmt;
use std::net::IpAddr;
use tcplapse::testing::model::process::{Caller, Holder, Process};
use tcplapse::testing::model::reading::{
    AbortReason, DestroyEvents, DestroyedSocket, LookupRequest, LookupResult, Lookups, Lost,
    LostReason, OwnerUpdate, Reading, Snapshot, StateChange,
};
use tcplapse::testing::model::socket::{AddressPair, Endpoint, Family, NetnsId};
use tcplapse::testing::model::socket_row::{Details, SocketRow, Timer};
use tcplapse::testing::model::time::Stamp;
use tcplapse::testing::tcp::edge::EDGES;
use tcplapse::testing::tcp::state::State;

/// The usual time between two readings, and how long a poll takes, in microseconds.
const INTERVAL: i64 = 100_000;
const POLL: u64 = 1000;

/// The only process that holds sockets.
pub(super) const HOLDER: i32 = 7;

/// One reading of a source; `Lookups` are those to the lookups asked for at that time.
#[derive(Clone)]
pub(super) struct Move {
    /// How much later than the one before it is by the wall and the boot clock, in microseconds.
    later: (i64, i64),
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    /// The rows of a poll, and whether all rows could be read.
    Poll(Vec<SocketRow>, bool),
    /// The results of the lookups; `None` where one failed.
    Lookups(Vec<Option<LookupResult>>),
    DestroyEvents(Vec<DestroyedSocket>, bool),
    StateChange(StateChange),
    Lost(LostReason),
    /// By inode, whether the only process holds it.
    OwnerUpdate(Vec<(u64, bool)>),
}

/// On one line, so that a failing history can be read.
impl fmt::Debug for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.later, self.what)
    }
}

/// How the clocks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    /// As on a machine that runs.
    Forwards,
    /// They may jump anywhere.
    Anyhow,
}

/// Turns moves into readings, one after the other.
#[derive(Debug, Clone)]
pub(super) struct Script {
    moves: std::vec::IntoIter<Move>,
    now: Stamp,
    bad_rows: u64,
}

impl Script {
    pub(super) fn new(moves: Vec<Move>) -> Self {
        let now = Stamp { wall: 1_790_000_000_000_000, boot: 10_000_000 };
        Self { moves: moves.into_iter(), now, bad_rows: 0 }
    }

    /// The next reading, given the lookups asked for; `None` at the end.
    pub(super) fn next(&mut self, questions: &[LookupRequest]) -> Option<Reading> {
        let Move { later: (wall, boot), what } = self.moves.next()?;
        self.now.wall = self.now.wall.saturating_add(wall);
        self.now.boot = self.now.boot.saturating_add_signed(boot);
        let (start, end) = (self.now.before(std::time::Duration::from_micros(POLL)), self.now);
        Some(match what {
            What::Poll(rows, whole) => {
                self.bad_rows += u64::from(!whole);
                let bad_rows = if whole { 0 } else { self.bad_rows };
                Reading::Snapshot(Snapshot {
                    start,
                    end,
                    netns: Some(1),
                    rows,
                    bad_rows,
                    ..Snapshot::default()
                })
            }
            What::Lookups(answers) => {
                let given = questions.iter().zip(answers);
                let answers = given.filter_map(|(question, answer)| {
                    let answer = match answer? {
                        LookupResult::Gone => LookupResult::Gone,
                        // A lookup finds a socket by its address pair.
                        LookupResult::There(row) => {
                            LookupResult::There(SocketRow { addrs: question.addrs, ..row })
                        }
                    };
                    Some((*question, answer))
                });
                let answers = answers.collect();
                Reading::Lookups(Lookups { start, end, netns: Some(1), answers })
            }
            What::DestroyEvents(dead, overrun) => Reading::DestroyEvents(DestroyEvents {
                time: end,
                overrun,
                netns: NetnsId::default(),
                sockets: dead,
            }),
            What::StateChange(change) => Reading::StateChange(StateChange { time: end, ..change }),
            What::Lost(reason) => Reading::Lost(Lost { time: end, reason, count: None }),
            What::OwnerUpdate(held) => Reading::OwnerUpdate(owners(end, &held)),
        })
    }

    /// A poll without rows, a while later.
    pub(super) fn empty_poll(&mut self) -> Reading {
        self.now.wall = self.now.wall.saturating_add(INTERVAL);
        self.now.boot = self.now.boot.saturating_add_signed(INTERVAL);
        let (start, end) = (self.now.before(std::time::Duration::from_micros(POLL)), self.now);
        Reading::Snapshot(Snapshot {
            start,
            end,
            netns: Some(1),
            rows: Vec::new(),
            bad_rows: 0,
            ..Snapshot::default()
        })
    }
}

pub(super) fn moves(time: Time) -> impl Strategy<Value = Vec<Move>> {
    let first = (Just((0, 0)), poll()).prop_map(|(later, what)| Move { later, what });
    let rest = vec((later(time), what()).prop_map(|(later, what)| Move { later, what }), 0..30);
    (first, rest).prop_map(|(first, mut moves)| {
        moves.insert(0, first);
        moves
    })
}

fn later(time: Time) -> BoxedStrategy<(i64, i64)> {
    let both = |micros: i64| (micros, micros);
    let even = select(vec![INTERVAL, INTERVAL, 2000, 61_000_000]).prop_map(both);
    if time == Time::Forwards {
        return even.boxed();
    }
    let steps = vec![0, 1, -1, INTERVAL, -INTERVAL, 3_600_000_000, i64::MAX, i64::MIN];
    prop_oneof![4 => even, 1 => (select(steps.clone()), select(steps))].boxed()
}

fn what() -> impl Strategy<Value = What> {
    let dead = (option::of(addrs()), 1..4_u64)
        .prop_map(|(addrs, cookie)| DestroyedSocket { addrs, cookie });
    let dead = vec(dead, 0..3);
    let reasons = select(vec![
        LostReason::Gap,
        LostReason::Table,
        LostReason::Ring,
        LostReason::Recursion,
        LostReason::Unreported,
    ]);
    let answer = prop_oneof![Just(None), Just(Some(LookupResult::Gone)), found().prop_map(Some)];
    prop_oneof![
        8 => poll(),
        4 => vec(answer, 8).prop_map(What::Lookups),
        1 => (dead, prop::bool::weighted(0.1)).prop_map(|(dead, lost)| What::DestroyEvents(dead, lost)),
        4 => change(),
        1 => reasons.prop_map(What::Lost),
        2 => vec((1..4_u64, any::<bool>()), 0..4).prop_map(What::OwnerUpdate),
    ]
}

fn owners(time: Stamp, held: &[(u64, bool)]) -> OwnerUpdate {
    let holder = Holder { pid: HOLDER, start: 1, fd: 3, task: None };
    let holders = |held: bool| if held { vec![holder] } else { Vec::new() };
    let comm = b"holder".to_vec();
    let process = Process { start: 1, comm, uid: Some(0), ..Process::unknown(HOLDER) };
    OwnerUpdate {
        time,
        processes: vec![process],
        holders: held.iter().map(|(inode, held)| (*inode, holders(*held))).collect(),
        ..OwnerUpdate::default()
    }
}

fn found() -> impl Strategy<Value = LookupResult> {
    row().prop_map(LookupResult::There)
}

fn poll() -> impl Strategy<Value = What> {
    (vec(row(), 0..6), prop::bool::weighted(0.9)).prop_map(|(rows, whole)| What::Poll(rows, whole))
}

/// Both ends of a connection, in two families; another connection; their listener.
fn addrs() -> impl Strategy<Value = AddressPair> {
    let end = |addr: [u8; 4], port| Endpoint { addr: IpAddr::from(addr), port };
    let (server, client) = (end([127, 0, 0, 1], 80), end([127, 0, 0, 1], 4000));
    let unspecified = end([0; 4], 0);
    let of = |family, local, remote| AddressPair::new(family, local, remote);
    select(vec![
        of(Family::Ipv4, server, client),
        of(Family::Ipv4, client, server),
        of(Family::Ipv6, client, server),
        of(Family::Ipv4, server, end([192, 0, 2, 1], 4001)),
        of(Family::Ipv4, server, unspecified),
        of(Family::Ipv4, Endpoint { port: 80, ..unspecified }, unspecified),
        of(Family::Ipv4, server, server),
    ])
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![20 => select(&State::NAMED[..]), 1 => Just(State::Unknown(31))]
}

/// A row, mostly one that a kernel can show.
fn row() -> impl Strategy<Value = SocketRow> {
    let who = (0..4_u64, prop_oneof![3 => Just(0), 1 => 1..4_u64], any::<bool>());
    let timer = select(vec![Timer::None, Timer::Retransmit, Timer::Keepalive, Timer::TimeWait]);
    let left = prop_oneof![select(vec![0, 100, 5000, 6000, 6100]), any::<u64>()];
    (addrs(), state(), who, (timer, left), prop::bool::weighted(0.1)).prop_map(
        |(addrs, state, (inode, cookie, mini), (timer, timer_left), odd)| {
            let may_be_mini = matches!(state, State::SynRecv | State::FinWait2);
            let mini = if odd { mini } else { state == State::TimeWait || may_be_mini && mini };
            let closed = mini && state != State::SynRecv;
            let timer = if closed && !odd { Timer::TimeWait } else { timer };
            SocketRow {
                inode: if mini && !odd { 0 } else { inode },
                mini,
                details: Details { timer, timer_left, ..Details::NONE },
                cookie,
                ..SocketRow::new(addrs, state)
            }
        },
    )
}

/// A transition that the kernel reports.
fn change() -> impl Strategy<Value = What> {
    let caller =
        option::of((1..4_i32).prop_map(|pid| Caller { pid, comm: None, is_descendant: false }));
    let abort =
        option::of(select(vec![AbortReason::Reset, AbortReason::Refused, AbortReason::TimedOut]));
    let edge = select(EDGES.to_vec()).prop_map(|edge| (edge.from, edge.to));
    let step = (edge, any::<bool>(), caller, abort);
    let names = (0..4_u64, any::<bool>(), option::of(0..4_u64));
    (names, addrs(), step)
        .prop_map(|((socket, by_cookie, inode), addrs, ((from, to), passive, caller, abort))| {
            let (time, netns) = (Stamp::default(), Some(1));
            // Only the child of a listener begins like that.
            let passive = passive && to == State::SynRecv;
            // A cookie is a socket's own for good; the kernel uses an address again.
            let cookie = if by_cookie { socket + 1 } else { 0 };
            let socket = if by_cookie { 0 } else { socket };
            StateChange {
                time,
                netns,
                socket,
                cookie,
                addrs,
                ifindex: 0,
                device: None,
                ipv6_only: None,
                inode,
                uid: None,
                from,
                to,
                passive,
                caller,
                abort,
                reset_by: None,
            }
        })
        .prop_map(What::StateChange)
}
