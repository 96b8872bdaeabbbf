//! Which process had a descriptor of which socket, and when: out of the log of the workload.

use super::plan::{Act, Handle};
use super::truth::{AddressPair, Holder, Socket, Truth, When};
use super::workload::Done;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

/// A socket of the truth.
type Place = (AddressPair, usize);

/// Adds the holders of all sockets.
pub(super) fn add(truth: &mut Truth, log: &[Done]) {
    let mut holders = HolderLog { truth, held: HashMap::new(), connections: HashMap::new() };
    for done in log {
        holders.take(done);
    }
}

/// Whether a step made a listener on this address.
pub(super) fn listens_on(done: &Done, local: SocketAddr) -> bool {
    matches!(&done.step.act, Act::Listen { addr, .. } if canonical(*addr) == local)
        && done.answer.is_ok()
}

/// Adds the port of a connection that ended before an event showed it: the kernel chose it in
/// connect(), and its process knows it.
pub(super) fn add_port(socket: &mut Socket, log: &[Done]) {
    if socket.addrs.local.port() != 0 {
        return;
    }
    let birth = socket.birth().earliest;
    let made = log.iter().find(|done| (done.sent..=done.answered).contains(&birth));
    if let Some(local) = made.and_then(|done| done.answer.as_ref().ok()?.parse().ok()) {
        socket.addrs.local = local;
    }
}

const fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

struct HolderLog<'a> {
    truth: &'a mut Truth,
    /// The sockets of a process, by the names that its plan has for them.
    held: HashMap<(u32, Handle), Place>,
    /// The connections from an address: their names and where they went.
    connections: HashMap<SocketAddr, (String, SocketAddr)>,
}

impl HolderLog<'_> {
    fn take(&mut self, done: &Done) {
        let when = When { earliest: done.sent, latest: done.answered };
        match &done.step.act {
            Act::Listen { name, addr, .. } if done.answer.is_ok() => {
                let addr = canonical(*addr);
                let any = if addr.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let remote = any.parse().expect("an address");
                let addrs = AddressPair { ipv6: addr.is_ipv6(), local: addr, remote };
                let place = self.born_in(addrs, when);
                self.gain(done.pid, Handle::Listener(name.clone()), place, when);
            }
            Act::Connect { name, from, to } => self.connect(done, name, (*from, *to), when),
            Act::Accept { .. } => self.accept(done, when),
            Act::Close(socket) | Act::Reset(socket) if done.answer.is_ok() => {
                self.lose(done.pid, socket, when);
            }
            Act::Give { socket, .. } if done.answer.is_ok() => {
                let place = self.held.iter().find(|((_, held), _)| held == socket);
                let place = place.map(|(_, place)| *place);
                self.gain(done.pid, socket.clone(), place, when);
            }
            Act::Lend(socket) => self.lend(done, socket, when),
            Act::End(socket) => {
                if let Some(pid) = done.answer.as_ref().ok().and_then(|pid| pid.parse().ok()) {
                    self.lose(pid, socket, when);
                }
            }
            _ => {}
        }
    }

    fn connect(
        &mut self,
        done: &Done,
        name: &str,
        (from, to): (SocketAddr, SocketAddr),
        when: When,
    ) {
        let local = done.answer.as_ref().ok().and_then(|local| local.parse().ok());
        let local = local.unwrap_or(canonical(from));
        let remote = canonical(to);
        let addrs = AddressPair { ipv6: from.is_ipv6(), local, remote };
        let place = self.born_in(addrs, when);
        if done.answer.is_ok() {
            self.connections.insert(local, (name.to_owned(), remote));
            self.gain(done.pid, Handle::Client(name.to_owned()), place, when);
        } else if let Some((addrs, index)) = place {
            // It had it for as long as the call took.
            let holder = Holder { pid: done.pid, from: when, until: when };
            self.truth.by_addrs.entry(addrs).or_default()[index].holders.push(holder);
        }
    }

    /// Its answer has the addresses of the clients, in order.
    fn accept(&mut self, done: &Done, when: When) {
        let Ok(answer) = &done.answer else { return };
        let clients: Vec<SocketAddr> =
            answer.split_whitespace().filter_map(|client| client.parse().ok()).collect();
        for (index, client) in clients.iter().enumerate() {
            let Some((name, server)) = self.connections.get(client).cloned() else { continue };
            let later = clients[index + 1..].iter().filter(|other| *other == client).count();
            let addrs = |ipv6| AddressPair { ipv6, local: server, remote: *client };
            let with_addrs = [false, true].map(addrs);
            let born = |addrs: &AddressPair| {
                let sockets = self.truth.with_addrs(*addrs);
                sockets.partition_point(|socket| socket.birth().earliest <= when.latest)
            };
            let place = with_addrs
                .into_iter()
                .find_map(|addrs| Some((addrs, born(&addrs).checked_sub(later + 1)?)));
            let handle = Handle::Server(name);
            // Another one of that name is closed by this.
            self.lose(done.pid, &handle, when);
            self.gain(done.pid, handle, place, when);
        }
    }

    /// A new process has what it inherits; until it runs another program, it has all that its
    /// parent has.
    fn lend(&mut self, done: &Done, socket: &Handle, when: When) {
        let child = done.answer.as_ref().ok().and_then(|pid| pid.parse().ok());
        let Some(child) = child else { return };
        let of_parent = self.held.iter().filter(|((pid, _), _)| *pid == done.pid);
        let places: Vec<Place> = of_parent.map(|(_, place)| *place).collect();
        for (addrs, index) in places {
            let holder = Holder { pid: child, from: when, until: when };
            self.truth.by_addrs.entry(addrs).or_default()[index].holders.push(holder);
        }
        let place = self.held.get(&(done.pid, socket.clone())).copied();
        self.gain(child, socket.clone(), place, when);
    }

    /// The socket with these addresses that was born then.
    fn born_in(&self, addrs: AddressPair, when: When) -> Option<Place> {
        let born = |socket: &Socket| {
            (when.earliest - 5..=when.latest + 5).contains(&socket.birth().earliest)
        };
        Some((addrs, self.truth.with_addrs(addrs).iter().position(born)?))
    }

    fn gain(&mut self, pid: u32, handle: Handle, place: Option<Place>, from: When) {
        let Some((addrs, index)) = place else { return };
        let holder = Holder { pid, from, until: When::NEVER };
        self.truth.by_addrs.entry(addrs).or_default()[index].holders.push(holder);
        self.held.insert((pid, handle), (addrs, index));
    }

    fn lose(&mut self, pid: u32, handle: &Handle, until: When) {
        let Some((addrs, index)) = self.held.remove(&(pid, handle.clone())) else { return };
        let holders = &mut self.truth.by_addrs.entry(addrs).or_default()[index].holders;
        let open = holders.iter_mut().rfind(|h| h.pid == pid && h.until == When::NEVER);
        if let Some(holder) = open {
            holder.until = until;
        }
    }
}

impl Socket {
    /// The processes that may have had it at some time of these.
    pub(crate) fn held_between(&self, from: i64, until: i64) -> BTreeSet<u32> {
        let holds = |h: &&Holder| h.from.earliest <= until && h.until.latest >= from;
        self.holders.iter().filter(holds).map(|holder| holder.pid).collect()
    }

    /// The processes that had it all the time.
    pub(crate) fn held_throughout(&self, from: i64, until: i64) -> BTreeSet<u32> {
        let holds = |h: &&Holder| h.from.latest <= from && h.until.earliest >= until;
        self.holders.iter().filter(holds).map(|holder| holder.pid).collect()
    }
}
