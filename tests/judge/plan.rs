//! Random plans: which process does what to which socket, and when. The same seed makes the same
//! plan on every machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The ports of all listeners: one end of every connection has one of them.
pub(crate) const PORTS: RangeInclusive<u16> = FIRST_OWN..=MARKER;
/// Listeners that accept nobody have a port each from here on.
const FIRST_OWN: u16 = 16_000;
/// Clients that choose their port have one each from here on: no two sockets share their addresses
/// but those that are meant to.
const FIRST_CLIENT: u16 = 20_000;
const PROMPT: u16 = 19_000;
const SLOW: u16 = 19_001;
/// Its listener gets no SYN.
const DEAF: u16 = 19_002;
/// Its listener gets no ACK: handshakes do not end.
const UNHEARD: u16 = 19_003;
const NOBODY: u16 = 19_004;
const SHARED: u16 = 19_005;
const GROUP: u16 = 19_006;
pub(crate) const MARKER: u16 = 19_009;
/// A new connection to an address pair in TIME_WAIT has to wait this long (`tcp_tw_reuse_delay`).
const REUSE_DELAY: u64 = 1_100_000;

/// What a plan is about. Each has sockets, processes and a network of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Connections of every kind over IPv4.
    LoopbackV4,
    /// The same over IPv6.
    LoopbackV6,
    /// IPv4 clients of a dual-stack listener, and IPv6 sockets that speak IPv4.
    V4Mapped,
    /// Over a link with delay, loss, duplicates and reordering, of which one end is watched.
    Link,
    /// The same address pairs again and again.
    Reuse,
    /// Descriptors that are passed to other processes, or inherited.
    PassedDescriptors,
    /// The same address pairs again and again, in several network namespaces at once.
    Namespaces,
    /// Listeners of several processes, and several listeners of one address.
    Prefork,
    /// It lasts until every TIME_WAIT has expired.
    Expiry,
    /// A long mixture for the soak.
    Soak { seconds: u32 },
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::LoopbackV4 => "loopback-v4",
            Self::LoopbackV6 => "loopback-v6",
            Self::V4Mapped => "v4-mapped",
            Self::Link => "link",
            Self::Reuse => "reuse",
            Self::PassedDescriptors => "passed-descriptors",
            Self::Namespaces => "namespaces",
            Self::Prefork => "prefork",
            Self::Expiry => "expiry",
            Self::Soak { .. } => "soak",
        }
    }

    /// How many connections begin, and within what time.
    #[allow(clippy::cast_lossless)] // in a const function
    const fn size(self) -> (usize, Duration) {
        match self {
            Self::LoopbackV4 => (700, Duration::from_secs(9)),
            Self::LoopbackV6 | Self::V4Mapped | Self::Reuse => (400, Duration::from_secs(7)),
            Self::PassedDescriptors | Self::Prefork => (300, Duration::from_secs(7)),
            Self::Link => (250, Duration::from_secs(9)),
            Self::Expiry => (120, Duration::from_secs(4)),
            Self::Namespaces => (110, Duration::from_secs(3)),
            Self::Soak { seconds } => (seconds as usize * 2, Duration::from_secs(seconds as u64)),
        }
    }
}

/// Which process acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    Server,
    Client,
    OtherClient,
    Worker1,
    Worker2,
    /// At the other end of the link.
    FarServer,
    FarClient,
}

impl Who {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::OtherClient => "other-client",
            Self::Worker1 => "worker-1",
            Self::Worker2 => "worker-2",
            Self::FarServer => "far-server",
            Self::FarClient => "far-client",
        }
    }

    pub(crate) const fn is_far(self) -> bool {
        matches!(self, Self::FarServer | Self::FarClient)
    }
}

/// The addresses of a plan; no other run has them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) near_v4: Ipv4Addr,
    pub(crate) far_v4: Ipv4Addr,
    pub(crate) near_v6: Ipv6Addr,
    pub(crate) far_v6: Ipv6Addr,
}

impl Addresses {
    pub(crate) fn random(kind: Kind, random: &mut Random) -> Self {
        let [net, high, low, ..] = random.next().to_be_bytes();
        let words = random.next().to_be_bytes();
        let v6 = |host| {
            let word = |place: usize| u16::from_be_bytes([words[place], words[place + 1]]);
            Ipv6Addr::new(0xfd00, word(0), word(2), word(4), 0, 0, 0, host)
        };
        let loopback = Ipv4Addr::new(127, 64 + net % 128, high, low);
        let on_link = |host| Ipv4Addr::new(10, net, high, host);
        let link = kind == Kind::Link;
        Self {
            near_v4: if link { on_link(1) } else { loopback },
            far_v4: if link { on_link(2) } else { loopback },
            near_v6: v6(1),
            far_v6: if link { v6(2) } else { v6(1) },
        }
    }

    fn of(&self, who: Who, ipv6: bool) -> IpAddr {
        match (who.is_far(), ipv6) {
            (false, false) => self.near_v4.into(),
            (true, false) => self.far_v4.into(),
            (false, true) => self.near_v6.into(),
            (true, true) => self.far_v6.into(),
        }
    }

    /// Whether a socket with this local address is in the watched namespace, if it is of this run.
    pub(crate) fn is_near(&self, local: IpAddr) -> bool {
        // A client that is not bound may have any address of loopback.
        local == self.near_v4 || local == self.near_v6 || local.is_loopback()
    }

    pub(crate) fn has(&self, addr: IpAddr) -> bool {
        [self.near_v4, self.far_v4].map(IpAddr::from).contains(&addr)
            || [self.near_v6, self.far_v6].map(IpAddr::from).contains(&addr)
    }
}

/// A socket, by the name that its plan has for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Handle {
    Listener(String),
    /// The client's end of this connection.
    Client(String),
    /// The server's end of this connection.
    Server(String),
}

/// What a process does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Listen {
        name: String,
        addr: SocketAddr,
        group: bool,
    },
    /// From port 0: connect() chooses address and port.
    Connect {
        name: String,
        from: SocketAddr,
        to: SocketAddr,
    },
    /// All connections that wait on this listener.
    Accept {
        listener: String,
    },
    Close(Handle),
    Reset(Handle),
    Shutdown(Handle),
    /// Which segments the socket does not get from now on: see the actors' `drop`.
    Drop {
        what: &'static str,
        socket: Handle,
    },
    /// Another process gets a descriptor, too.
    Give {
        socket: Handle,
        to: Who,
    },
    /// A new process inherits a descriptor.
    Lend(Handle),
    /// The last process that inherited it here ends.
    End(Handle),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// Microseconds from the start.
    pub(crate) at: u64,
    pub(crate) who: Who,
    pub(crate) act: Act,
}

/// What happens when.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Before anything is watched.
    pub(crate) preparation: Vec<Step>,
    /// In order.
    pub(crate) steps: Vec<Step>,
    pub(crate) connections: usize,
}

/// A small generator (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
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

impl Plan {
    pub(crate) fn random(kind: Kind, addresses: Addresses, random: &mut Random) -> Self {
        let mut builder = Builder { kind, addresses, random, steps: Vec::new(), connections: 0 };
        let preparation = builder.preparation();
        let (connections, span) = kind.size();
        let span = u64::try_from(span.as_micros()).expect("some minutes");
        while builder.connections < connections {
            let at = builder.random.below(span);
            builder.plan_connection(at);
        }
        let Builder { mut steps, connections, .. } = builder;
        // Stable: steps of the same instant keep their order.
        steps.sort_by_key(|step| step.at);
        Self { preparation, steps, connections }
    }
}

/// A plan while it grows.
struct Builder<'a> {
    kind: Kind,
    addresses: Addresses,
    random: &'a mut Random,
    steps: Vec<Step>,
    connections: usize,
}

/// One connection, or some that follow each other; `at` moves on.
struct ConnectionPlan<'p, 'a> {
    plan: &'p mut Builder<'a>,
    at: u64,
    client: Who,
    server: Who,
    name: String,
    ipv6: bool,
    /// The client lets the kernel choose its port.
    any_port: bool,
    number: u16,
}

impl Builder<'_> {
    fn preparation(&self) -> Vec<Step> {
        let servers: &[Who] = match self.kind {
            Kind::Link => &[Who::Server, Who::FarServer],
            _ => &[Who::Server],
        };
        let mut steps = Vec::new();
        for who in servers {
            for port in [PROMPT, SLOW, DEAF, UNHEARD] {
                for ipv6 in [false, true] {
                    if let Some(addr) = self.listener_addr(*who, port, ipv6) {
                        steps.extend(listen(*who, port, addr, ipv6));
                    }
                }
            }
        }
        if self.kind == Kind::Prefork {
            let addr = |port| SocketAddr::from((self.addresses.near_v4, port));
            let shared = Handle::Listener("shared".to_owned());
            let act = |who, act| Step { at: 0, who, act };
            let name = "shared".to_owned();
            let listen = Act::Listen { name, addr: addr(SHARED), group: false };
            steps.push(act(Who::Server, listen));
            for to in [Who::Worker1, Who::Worker2] {
                steps.push(act(Who::Server, Act::Give { socket: shared.clone(), to }));
                let name = "group".to_owned();
                let listen = Act::Listen { name, addr: addr(GROUP), group: true };
                steps.push(act(to, listen));
            }
        }
        steps
    }

    /// Where a listener listens, if it does in this plan.
    fn listener_addr(&self, who: Who, port: u16, ipv6: bool) -> Option<SocketAddr> {
        let own = SocketAddr::new(self.addresses.of(who, ipv6), port);
        match self.kind {
            Kind::V4Mapped => ipv6.then(|| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))),
            Kind::LoopbackV6 => ipv6.then_some(own),
            Kind::Link | Kind::Expiry | Kind::Soak { .. } => Some(own),
            _ => (!ipv6).then_some(own),
        }
    }

    fn plan_connection(&mut self, at: u64) {
        let number = u16::try_from(self.connections).expect("thousands at most");
        let (client, server) = match (self.kind, self.random.below(2)) {
            (Kind::Link, 0) => (Who::Client, Who::FarServer),
            (Kind::Link, _) => (Who::FarClient, Who::Server),
            (_, 0) => (Who::Client, Who::Server),
            _ => (Who::OtherClient, Who::Server),
        };
        let ipv6 = match self.kind {
            Kind::LoopbackV6 => true,
            Kind::V4Mapped | Kind::Link | Kind::Expiry | Kind::Soak { .. } => self.random.one_in(3),
            _ => false,
        };
        let any_port = match self.kind {
            Kind::Link => self.random.below(2) == 0,
            Kind::Soak { .. } => false,
            _ => self.random.one_in(6),
        };
        let name = format!("c{number}");
        let mut one =
            ConnectionPlan { plan: self, at, client, server, name, ipv6, any_port, number };
        match one.plan.kind {
            Kind::Reuse | Kind::Namespaces => one.reused(),
            Kind::PassedDescriptors => one.passed(),
            Kind::Prefork => one.preforked(),
            Kind::Link => one.over_the_link(),
            _ => one.of_any_kind(),
        }
    }
}

fn listen(who: Who, port: u16, addr: SocketAddr, ipv6: bool) -> Vec<Step> {
    let name = listener_name(port, ipv6);
    let step = |act| Step { at: 0, who, act };
    let mut steps = vec![step(Act::Listen { name: name.clone(), addr, group: false })];
    let what = match port {
        DEAF => Some("syn"),
        UNHEARD => Some("ack"),
        _ => None,
    };
    let socket = Handle::Listener(name);
    steps.extend(what.map(|what| step(Act::Drop { what, socket })));
    steps
}

fn listener_name(port: u16, ipv6: bool) -> String {
    format!("{}{port}", if ipv6 { "six-" } else { "" })
}

impl ConnectionPlan<'_, '_> {
    fn act(&mut self, who: Who, act: Act) {
        self.plan.steps.push(Step { at: self.at, who, act });
    }

    fn client_socket(&self) -> Handle {
        Handle::Client(self.name.clone())
    }

    fn server_socket(&self) -> Handle {
        Handle::Server(self.name.clone())
    }

    fn client(&mut self, act: fn(Handle) -> Act) {
        let socket = self.client_socket();
        self.act(self.client, act(socket));
    }

    fn server(&mut self, act: fn(Handle) -> Act) {
        let socket = self.server_socket();
        self.act(self.server, act(socket));
    }

    fn wait(&mut self, micros: u64) {
        self.at += micros;
    }

    fn pause(&mut self) {
        self.at += self.plan.random.pause();
    }

    fn wait_below(&mut self, micros: u64) {
        self.at += self.plan.random.below(micros);
    }

    /// A plan for IPv4 clients of a dual-stack listener calls `ipv6` those whose own sockets are
    /// of IPv6, too, and speak IPv4.
    fn connect(&mut self, port: u16) {
        let mapped = self.plan.kind == Kind::V4Mapped;
        let addr = |who, port| {
            let addr = self.plan.addresses.of(who, self.ipv6 && !mapped);
            let addr = match addr {
                IpAddr::V4(v4) if mapped && self.ipv6 => v4.to_ipv6_mapped().into(),
                addr => addr,
            };
            SocketAddr::new(addr, port)
        };
        let own = if self.any_port { 0 } else { FIRST_CLIENT + self.number };
        let (from, to) = (addr(self.client, own), addr(self.server, port));
        self.act(self.client, Act::Connect { name: self.name.clone(), from, to });
        self.plan.connections += 1;
    }

    fn listener(&self, port: u16) -> String {
        listener_name(port, self.ipv6 || self.plan.kind == Kind::V4Mapped)
    }

    fn accept(&mut self, port: u16) {
        let listener = self.listener(port);
        self.act(self.server, Act::Accept { listener });
    }

    fn open(&mut self) {
        let port = if self.plan.random.one_in(3) { SLOW } else { PROMPT };
        self.connect(port);
        if port == SLOW {
            self.pause();
        }
        self.accept(port);
    }

    fn of_any_kind(&mut self) {
        match self.plan.random.below(20) {
            0 => self.without_answer(NOBODY),
            1 => self.without_answer(DEAF),
            2 => self.without_answer(UNHEARD),
            3 | 4 => self.never_accepted(),
            5 => self.crossed(),
            6 => self.reused_after_resets(),
            7 => self.reused_after_closes(),
            8 => self.left_behind(),
            _ => {
                self.open();
                self.pause();
                self.end();
            }
        }
    }

    /// Both ends close in one of many ways.
    fn end(&mut self) {
        type Doing = fn(Handle) -> Act;
        const CLOSE: Doing = Act::Close;
        const RESET: Doing = Act::Reset;
        const SHUTDOWN: Doing = Act::Shutdown;
        const C: bool = true;
        const S: bool = false;
        let steps: &[(bool, Doing)] = match self.plan.random.below(11) {
            0 => &[(C, CLOSE), (S, CLOSE)],
            1 => &[(S, CLOSE), (C, CLOSE)],
            2 => &[(C, RESET), (S, CLOSE)],
            3 => &[(S, RESET), (C, CLOSE)],
            4 => &[(C, SHUTDOWN), (S, CLOSE), (C, CLOSE)],
            5 => &[(S, SHUTDOWN), (C, CLOSE), (S, CLOSE)],
            6 => &[(C, SHUTDOWN), (S, RESET), (C, CLOSE)],
            7 => &[(C, CLOSE), (S, RESET)],
            8 => &[(S, SHUTDOWN), (C, SHUTDOWN), (S, CLOSE), (C, CLOSE)],
            9 => &[(C, SHUTDOWN), (C, CLOSE), (S, SHUTDOWN), (S, CLOSE)],
            _ => {
                self.client(CLOSE);
                return self.server(CLOSE);
            }
        };
        for (is_client, doing) in steps {
            if *is_client {
                self.client(*doing);
            } else {
                self.server(*doing);
            }
            self.pause();
        }
    }

    fn without_answer(&mut self, port: u16) {
        self.connect(port);
        self.pause();
        let resets = self.plan.random.one_in(2);
        self.client(if resets { Act::Reset } else { Act::Close });
    }

    /// The listener closes before the client, or after.
    fn never_accepted(&mut self) {
        let port = FIRST_OWN + self.number;
        let ipv6 = self.ipv6 || self.plan.kind == Kind::V4Mapped;
        let Some(addr) = self.plan.listener_addr(self.server, port, ipv6) else { return };
        let name = self.listener(port);
        self.act(self.server, Act::Listen { name: name.clone(), addr, group: false });
        self.wait(30_000);
        self.pause();
        self.connect(port);
        self.pause();
        if self.plan.random.one_in(2) {
            let resets = self.plan.random.one_in(2);
            self.client(if resets { Act::Reset } else { Act::Shutdown });
            self.pause();
        }
        self.act(self.server, Act::Close(Handle::Listener(name)));
        self.pause();
        self.client(Act::Close);
    }

    /// Each end sends its FIN before it can know of the other's.
    fn crossed(&mut self) {
        self.open();
        self.pause();
        let (socket, what) = (self.server_socket(), "all");
        self.act(self.server, Act::Drop { what, socket: socket.clone() });
        self.client(Act::Shutdown);
        self.server(Act::Shutdown);
        self.pause();
        self.act(self.server, Act::Drop { what: "none", socket });
        self.client(Act::Close);
        self.pause();
        self.server(Act::Close);
    }

    fn open_at_once(&mut self) {
        self.connect(PROMPT);
        self.accept(PROMPT);
    }

    /// The same addresses again and again, by two processes in turn.
    fn reused_after_resets(&mut self) {
        self.any_port = false;
        for turn in 0..4 + self.plan.random.below(5) {
            self.client = if turn % 2 == 0 { Who::Client } else { Who::OtherClient };
            self.open_at_once();
            self.wait(2_000);
            self.wait_below(60_000);
            self.client(Act::Reset);
            self.server(Act::Close);
        }
    }

    /// The server's end is in TIME_WAIT when the next SYN comes; then the client's is.
    fn reused_after_closes(&mut self) {
        self.any_port = false;
        self.open_at_once();
        self.wait(2_000);
        self.wait_below(200_000);
        self.server(Act::Close);
        self.wait_below(100_000);
        self.client(Act::Close);
        self.wait(2_000);
        self.open_at_once();
        self.wait_below(200_000);
        self.client(Act::Close);
        self.wait_below(100_000);
        self.server(Act::Close);
        self.wait(REUSE_DELAY);
        self.wait_below(100_000);
        self.open_at_once();
        self.wait_below(200_000);
        self.server(Act::Close);
        self.client(Act::Close);
    }

    /// The client is gone, the server never notices.
    fn left_behind(&mut self) {
        self.open();
        self.pause();
        self.client(Act::Close);
    }

    fn reused(&mut self) {
        match self.plan.random.below(6) {
            0 | 1 => self.reused_after_resets(),
            2 | 3 => self.reused_after_closes(),
            4 => self.reused_too_early(),
            _ => self.reused_many_times(),
        }
    }

    /// A connect() from an address pair in TIME_WAIT that the kernel refuses (EADDRNOTAVAIL).
    fn reused_too_early(&mut self) {
        self.any_port = false;
        self.open_at_once();
        self.wait_below(100_000);
        self.client(Act::Close);
        self.wait_below(20_000);
        self.server(Act::Close);
        self.wait_below(100_000);
        self.connect(PROMPT);
        self.client(Act::Close);
        self.wait_below(200_000);
    }

    /// The server closes first, and its TIME_WAIT gives way to the next SYN.
    fn reused_many_times(&mut self) {
        self.any_port = false;
        for turn in 0..3 + self.plan.random.below(4) {
            self.client = if turn % 2 == 0 { Who::Client } else { Who::OtherClient };
            self.open_at_once();
            self.wait_below(60_000);
            self.server(Act::Close);
            self.wait_below(40_000);
            self.client(Act::Close);
            self.wait(2_000);
            self.wait_below(60_000);
        }
    }

    /// A descriptor goes to another process, one way or another, and each closes in its time.
    fn passed(&mut self) {
        self.open();
        self.wait_below(150_000);
        let is_client = self.plan.random.one_in(2);
        let (who, socket) = if is_client {
            (self.client, self.client_socket())
        } else {
            (self.server, self.server_socket())
        };
        let inherits = self.plan.random.one_in(3);
        let to = if self.plan.random.one_in(2) { Who::Worker1 } else { Who::Worker2 };
        let gives = if inherits {
            Act::Lend(socket.clone())
        } else {
            Act::Give { socket: socket.clone(), to }
        };
        self.act(who, gives);
        self.wait_below(200_000);
        let (first, second) = if inherits {
            ((who, Act::Close(socket.clone())), (who, Act::End(socket.clone())))
        } else {
            ((who, Act::Close(socket.clone())), (to, Act::Close(socket.clone())))
        };
        let swap = self.plan.random.one_in(2);
        let (first, second) = if swap { (second, first) } else { (first, second) };
        if self.plan.random.one_in(3) {
            self.act(who, Act::Shutdown(socket));
            self.wait_below(100_000);
        }
        self.act(first.0, first.1);
        self.wait_below(200_000);
        self.act(second.0, second.1);
        self.pause();
        if is_client { self.server(Act::Close) } else { self.client(Act::Close) }
    }

    /// A connection to a listener that several processes hold, or to a group of listeners.
    fn preforked(&mut self) {
        let grouped = self.plan.random.one_in(3);
        let (port, listener) = if grouped { (GROUP, "group") } else { (SHARED, "shared") };
        self.connect(port);
        if self.plan.random.one_in(2) {
            self.wait_below(300_000);
        }
        let workers: &[Who] = if grouped {
            // Which one got it is the kernel's choice.
            &[Who::Worker1, Who::Worker2]
        } else {
            match self.plan.random.below(3) {
                0 => &[Who::Server],
                1 => &[Who::Worker1],
                _ => &[Who::Worker2],
            }
        };
        if !self.plan.random.one_in(6) {
            for worker in workers {
                self.act(*worker, Act::Accept { listener: listener.to_owned() });
            }
        }
        self.pause();
        let client_first = self.plan.random.one_in(2);
        if client_first {
            self.client(Act::Close);
            self.pause();
        }
        for worker in workers {
            let socket = self.server_socket();
            self.act(*worker, Act::Close(socket));
        }
        if !client_first {
            self.pause();
            self.client(Act::Close);
        }
    }

    /// Segments are under way for a while, and some get lost.
    fn over_the_link(&mut self) {
        match self.plan.random.below(12) {
            0 => return self.without_answer(NOBODY),
            1 => return self.without_answer(DEAF),
            2 => return self.without_answer(UNHEARD),
            3 => return self.never_accepted(),
            _ => {}
        }
        let port = if self.plan.random.one_in(3) { SLOW } else { PROMPT };
        self.connect(port);
        let begin = self.at;
        // A SYN that was lost is sent again after one second, then after two more.
        for wait in [1_200_000, 3_300_000] {
            self.at = begin + wait;
            self.accept(port);
        }
        self.at = begin + 80_000;
        if port == SLOW {
            self.pause();
        }
        self.accept(port);
        self.pause();
        self.end();
    }
}
