//! Random lives: who does what to which socket, and when.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The ports of all listeners: no other test uses them.
pub(super) const PORTS: RangeInclusive<u16> = FIRST_OWN..=MARKER;
/// Listeners that accept nobody have a port each from here on, clients from there on: no two lives
/// share their ends but those that are meant to.
const FIRST_OWN: u16 = 16_000;
const FIRST_CLIENT: u16 = 20_000;
const PROMPT: u16 = 19_000;
const SLOW: u16 = 19_001;
const DEAF: u16 = 19_002;
const UNHEARD: u16 = 19_003;
const NOBODY: u16 = 19_004;
pub(super) const MARKER: u16 = 19_009;
/// Later connections to ends in `TIME_WAIT` have to wait this long (`tcp_tw_reuse_delay`).
const REUSE_DELAY: u64 = 1_100_000;

/// Which process acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Server,
    Client(usize),
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Act {
    pub(super) who: Who,
    pub(super) command: String,
    /// The ends of a connect: its process owns the socket.
    pub(super) opens: Option<(SocketAddrV4, SocketAddrV4)>,
}

/// What happens when, in microseconds from the start.
#[derive(Debug)]
pub(super) struct Plan {
    home: Ipv4Addr,
    acts: BTreeMap<(u64, usize), Act>,
    pub(super) lives: usize,
}

/// A small generator (SplitMix64): the same seed makes the same plan everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Often nothing, else up to half a second.
    fn pause(&mut self) -> u64 {
        match self.below(4) {
            0 => 0,
            1 => self.below(20_000),
            _ => self.below(500_000),
        }
    }
}

/// An address that hardly any other run has: the trace tells nothing else of whose events they are.
pub(super) fn home() -> Ipv4Addr {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    let mut random = Random(u64::from(now) << 32 | u64::from(std::process::id()));
    let [net, high, low, ..] = random.next().to_be_bytes();
    Ipv4Addr::new(127, 64 + net % 128, high, low)
}

/// The commands that set the stage.
pub(super) fn stage(home: Ipv4Addr) -> Vec<String> {
    let listen = |port| format!("listen {port} {home}:{port} 512");
    let mut commands: Vec<String> = [PROMPT, SLOW, DEAF, UNHEARD].map(listen).to_vec();
    commands.push(format!("drop syn {DEAF}"));
    commands.push(format!("drop ack {UNHEARD}"));
    commands
}

impl Plan {
    /// Lives that begin one after the other within `span`.
    pub(super) fn random(home: Ipv4Addr, seed: u64, lives: usize, span: Duration) -> Self {
        let mut plan = Self { home, acts: BTreeMap::new(), lives: 0 };
        let mut random = Random(seed);
        let span = u64::try_from(span.as_micros()).expect("some seconds");
        while plan.lives < lives {
            let at = random.below(span);
            plan.life(at, &mut random);
        }
        plan
    }

    pub(super) fn acts(&self) -> impl Iterator<Item = (Duration, &Act)> {
        self.acts.iter().map(|((at, _), act)| (Duration::from_micros(*at), act))
    }

    fn life(&mut self, at: u64, random: &mut Random) {
        let number = u16::try_from(self.lives).expect("thousands at most");
        let client = SocketAddrV4::new(self.home, FIRST_CLIENT + number);
        let mut life =
            LifePlan { plan: self, who: Who::Client(usize::from(number % 2)), client, at };
        match random.below(20) {
            0 => life.without_answer(NOBODY, random),
            1 => life.without_answer(DEAF, random),
            2 => life.without_answer(UNHEARD, random),
            3 | 4 => life.never_accepted(number, random),
            5 => life.crossed(random),
            6 => life.reused_after_resets(random),
            7 => life.reused_after_closes(random),
            8 => life.left_behind(random),
            kind => life.connected(kind - 9, random),
        }
    }
}

/// One life while it is planned; `at` moves on.
struct LifePlan<'a> {
    plan: &'a mut Plan,
    who: Who,
    client: SocketAddrV4,
    at: u64,
}

impl LifePlan<'_> {
    fn act(&mut self, who: Who, command: String) {
        let number = self.plan.acts.len();
        self.plan.acts.insert((self.at, number), Act { who, command, opens: None });
    }

    /// Both ends bear the name of the client's.
    fn client(&mut self, verb: &str) {
        self.act(self.who, format!("{verb} {}", self.client));
    }

    fn server(&mut self, verb: &str) {
        self.act(Who::Server, format!("{verb} {}", self.client));
    }

    fn server_at(&self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.plan.home, port)
    }

    fn wait(&mut self, micros: u64) {
        self.at += micros;
    }

    fn connect(&mut self, server: SocketAddrV4) {
        let (who, client, number) = (self.who, self.client, self.plan.acts.len());
        let command = format!("connect {client} {client} {server}");
        let act = Act { who, command, opens: Some((client, server)) };
        self.plan.acts.insert((self.at, number), act);
        self.plan.lives += 1;
    }

    fn open(&mut self, random: &mut Random) {
        let port = if random.below(3) == 0 { SLOW } else { PROMPT };
        self.connect(self.server_at(port));
        if port == SLOW {
            self.wait(random.pause());
        }
        self.act(Who::Server, format!("accept {port}"));
    }

    fn connected(&mut self, kind: u64, random: &mut Random) {
        self.open(random);
        self.wait(random.pause());
        let steps: &[&str] = match kind {
            0 => &["c close", "s close"],
            1 => &["s close", "c close"],
            2 => &["c reset", "s close"],
            3 => &["s reset", "c close"],
            4 => &["c shutdown", "s close", "c close"],
            5 => &["s shutdown", "c close", "s close"],
            6 => &["c shutdown", "s reset", "c close"],
            7 => &["c close", "s reset"],
            8 => &["s shutdown", "c shutdown", "s close", "c close"],
            9 => &["c shutdown", "c close", "s shutdown", "s close"],
            _ => {
                self.client("close");
                return self.server("close");
            }
        };
        for step in steps {
            match step.split_once(' ').expect("who and what") {
                ("c", verb) => self.client(verb),
                (_, verb) => self.server(verb),
            }
            self.wait(random.pause());
        }
    }

    fn without_answer(&mut self, port: u16, random: &mut Random) {
        self.connect(self.server_at(port));
        self.wait(random.pause());
        self.client(if random.below(2) == 0 { "reset" } else { "close" });
    }

    /// The listener closes before the client, or after.
    fn never_accepted(&mut self, number: u16, random: &mut Random) {
        let server = self.server_at(FIRST_OWN + number);
        self.act(Who::Server, format!("listen {server} {server} 8"));
        self.wait(30_000 + random.pause());
        self.connect(server);
        self.wait(random.pause());
        let client_first = random.below(2) == 0;
        if client_first {
            self.client(if random.below(2) == 0 { "reset" } else { "shutdown" });
            self.wait(random.pause());
        }
        self.act(Who::Server, format!("close {server}"));
        self.wait(random.pause());
        self.client("close");
    }

    /// Each end sends its FIN before it can hear of the other's.
    fn crossed(&mut self, random: &mut Random) {
        self.open(random);
        self.wait(random.pause());
        self.server("drop all");
        self.client("shutdown");
        self.server("shutdown");
        self.wait(random.pause());
        self.server("drop none");
        self.client("close");
        self.wait(random.pause());
        self.server("close");
    }

    /// The same ends again and again, by two processes in turn.
    fn reused_after_resets(&mut self, random: &mut Random) {
        for turn in 0..4 + random.below(5) {
            self.who = Who::Client(usize::try_from(turn % 2).expect("0 or 1"));
            self.open_at_once();
            self.wait(2_000 + random.below(60_000));
            self.client("reset");
            self.server("close");
        }
    }

    /// The server's end is in `TIME_WAIT` when the next SYN comes; then the client's is.
    fn reused_after_closes(&mut self, random: &mut Random) {
        self.open_at_once();
        self.wait(2_000 + random.below(200_000));
        self.server("close");
        self.wait(random.below(100_000));
        self.client("close");
        self.wait(2_000);
        self.open_at_once();
        self.wait(random.below(200_000));
        self.client("close");
        self.wait(random.below(100_000));
        self.server("close");
        self.wait(REUSE_DELAY + random.below(100_000));
        self.open_at_once();
        self.wait(random.below(200_000));
        self.server("close");
        self.client("close");
    }

    fn open_at_once(&mut self) {
        self.connect(self.server_at(PROMPT));
        self.act(Who::Server, format!("accept {PROMPT}"));
    }

    /// The client is gone, the server never notices.
    fn left_behind(&mut self, random: &mut Random) {
        self.open(random);
        self.wait(random.pause());
        self.client("close");
    }
}
