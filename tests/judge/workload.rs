//! Plays a plan on real sockets in namespaces of its own, and keeps a log of what was done when.

use super::link::{End, Faults, Link};
use super::plan::{Act, Addresses, Handle, Kind, MARKER, Plan, Random, Step, Who};
use crate::support::actor::Actor;
use crate::support::loopback;
use crate::support::program::Program;
use crate::support::wait::until_instant;
use nix::sched::{CloneFlags, unshare};
use rustix::time::{ClockId, clock_gettime};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A step that was carried out, between two instants (boot clock, µs).
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) pid: u32,
    pub(crate) step: Step,
    pub(crate) sent: i64,
    pub(crate) answered: i64,
    pub(crate) answer: Result<String, String>,
}

/// The processes of a plan, and the network that they speak over.
pub(crate) struct Workload {
    addresses: Addresses,
    actors: HashMap<Who, Actor>,
    /// Where a process takes descriptors from others.
    doors: TempDir,
    /// The addresses of clients, by the names of their connections.
    clients: HashMap<String, SocketAddr>,
    /// The processes that inherited a descriptor, by the socket.
    borrowers: HashMap<Handle, Vec<u32>>,
    log: Vec<Done>,
    _link: Option<Link>,
}

impl Workload {
    /// Makes the network in the calling thread's namespace, which is new, and starts the processes.
    ///
    /// # Errors
    /// What this machine lacks.
    pub(crate) fn new(
        kind: Kind,
        addresses: Addresses,
        random: &mut Random,
    ) -> Result<Self, String> {
        loopback::add_address(loopback::LO, addresses.near_v6.into(), 128);
        let mut near = vec![Who::Server, Who::Client, Who::OtherClient];
        if matches!(kind, Kind::PassedDescriptors | Kind::Prefork) {
            near.extend([Who::Worker1, Who::Worker2]);
        }
        let mut actors = start(&near);
        let link = if kind == Kind::Link {
            let failed = |error| format!("no TUN device: {error}");
            let ours = [(addresses.near_v4.into(), 24), (addresses.near_v6.into(), 64)];
            let end = End::new(ours).map_err(failed)?;
            let (far_end, far) = elsewhere(addresses)?;
            actors.extend(far);
            let faults = Faults::random(random);
            eprintln!("{faults:?}");
            Some(Link::join([end, far_end], faults, Random(random.next())))
        } else {
            None
        };
        let doors = tempfile::tempdir().map_err(|error| error.to_string())?;
        for (who, actor) in &mut actors {
            actor.order(&format!("open {}", door(&doors, *who)));
        }
        let (clients, borrowers, log) = (HashMap::new(), HashMap::new(), Vec::new());
        Ok(Self { addresses, actors, doors, clients, borrowers, log, _link: link })
    }

    /// What is there before the plan begins.
    pub(crate) fn prepare(&mut self, plan: &Plan) {
        for step in &plan.preparation {
            self.carry_out(step);
        }
    }

    /// Carries out a plan. What fails, as a second close does, is part of it.
    pub(crate) fn run(&mut self, plan: &Plan) {
        let begin = Instant::now();
        for step in &plan.steps {
            until_instant(begin + Duration::from_micros(step.at));
            self.carry_out(step);
        }
    }

    /// Opens and closes a listener and waits until all programs have reported both: then they have
    /// reported all that came before. Several polls have passed by then.
    pub(crate) fn mark(&mut self, programs: &mut [Program]) {
        let marker = SocketAddr::from((self.addresses.near_v4, MARKER));
        let name = "marker".to_owned();
        let server = |act| Step { at: 0, who: Who::Server, act };
        let listen = Act::Listen { name: name.clone(), addr: marker, group: false };
        let steps = [(listen, "LISTEN"), (Act::Close(Handle::Listener(name)), "CLOSED")];
        for (act, state) in steps {
            self.carry_out(&server(act));
            for program in &mut *programs {
                program.until("the marker", |event| event.local() == marker && event.to == state);
            }
        }
    }

    /// The process of the server.
    pub(crate) fn server_pid(&self) -> u32 {
        self.actors[&Who::Server].pid()
    }

    /// What was done, in order.
    pub(crate) fn into_log(self) -> Vec<Done> {
        self.log
    }

    /// Carries out a step, and logs it.
    pub(crate) fn carry_out(&mut self, step: &Step) {
        let sent = now();
        let answer = match &step.act {
            Act::Give { socket, to } => {
                let (from, to) = (step.who, *to);
                let (name, path) = (self.name(socket), door(&self.doors, to));
                let given = self.ask(from, &format!("give {name} {path}"));
                given.and_then(|_| self.ask(to, &format!("take {name} {path}")))
            }
            Act::Lend(socket) => {
                let lent = self.ask(step.who, &format!("lend {}", self.name(socket)));
                if let Some(pid) = lent.as_ref().ok().and_then(|pid| pid.parse().ok()) {
                    self.borrowers.entry(socket.clone()).or_default().push(pid);
                }
                lent
            }
            Act::End(socket) => {
                let pid = self.borrowers.get_mut(socket).and_then(Vec::pop);
                let pid = pid.ok_or_else(|| "nobody".to_owned());
                pid.and_then(|pid| self.ask(step.who, &format!("end {pid}")).map(|_| pid))
                    .map(|pid| pid.to_string())
            }
            act => self.ask(step.who, &self.command(act)),
        };
        let answered = now();
        if let (Act::Connect { name, .. }, Ok(local)) = (&step.act, &answer) {
            self.clients.insert(name.clone(), local.parse().expect("an address"));
        }
        let pid = match &step.act {
            // Who has the descriptor from now on.
            Act::Give { to, .. } => self.actors[to].pid(),
            _ => self.actors[&step.who].pid(),
        };
        self.log.push(Done { pid, step: step.clone(), sent, answered, answer });
    }

    fn ask(&mut self, who: Who, command: &str) -> Result<String, String> {
        self.actors.get_mut(&who).expect("every plan has its processes").ask(command)
    }

    fn command(&self, act: &Act) -> String {
        match act {
            Act::Listen { name, addr, group } => {
                let verb = if *group { "listen-group" } else { "listen" };
                format!("{verb} {name} {addr} 512")
            }
            Act::Connect { name, from, to } if from.port() == 0 => {
                format!("connect {name} unbound {to}")
            }
            Act::Connect { name, from, to } => format!("connect {name} {from} {to}"),
            Act::Accept { listener } => format!("accept {listener}"),
            Act::Close(socket) => format!("close {}", self.name(socket)),
            Act::Reset(socket) => format!("reset {}", self.name(socket)),
            Act::Shutdown(socket) => format!("shutdown {}", self.name(socket)),
            Act::Drop { what, socket } => format!("drop {what} {}", self.name(socket)),
            Act::Give { .. } | Act::Lend(_) | Act::End(_) => unreachable!("of several commands"),
        }
    }

    /// What its process calls a socket; an accepted one is named after the client's address.
    fn name(&self, socket: &Handle) -> String {
        match socket {
            Handle::Listener(name) | Handle::Client(name) => name.clone(),
            Handle::Server(name) => {
                self.clients.get(name).map_or_else(|| "unknown".to_owned(), SocketAddr::to_string)
            }
        }
    }
}

fn start(who: &[Who]) -> HashMap<Who, Actor> {
    who.iter().map(|who| (*who, Actor::start(who.name()))).collect()
}

fn door(doors: &TempDir, who: Who) -> String {
    doors.path().join(who.name()).to_str().expect("UTF-8").to_owned()
}

/// The other end of the link, in a namespace of its own.
fn elsewhere(addresses: Addresses) -> Result<(End, HashMap<Who, Actor>), String> {
    let make = || {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|error| error.to_string())?;
        loopback::up();
        let theirs = [(addresses.far_v4.into(), 24), (addresses.far_v6.into(), 64)];
        let end = End::new(theirs).map_err(|error| format!("no TUN device: {error}"))?;
        Ok((end, start(&[Who::FarServer, Who::FarClient])))
    };
    std::thread::scope(|scope| scope.spawn(make).join()).expect("it does not panic")
}

/// The boot clock, in microseconds.
pub(crate) fn now() -> i64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}
