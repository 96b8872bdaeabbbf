//! Every state that a socket can be held in, as `list` prints it.

use crate::support::netns::isolated;
use crate::support::program::list;
use crate::support::record::Listed;
use crate::support::sockets::{ANY_PORT, Drop, connecting, end, listener, pair, until_established};
use crate::support::wait::{until, until_or};
use socket2::Socket;
use std::cell::Cell;
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4};

/// What `list` has to print of one socket.
#[derive(Debug)]
struct Expected {
    /// How the socket came to be there: shown if a test fails.
    #[expect(dead_code)]
    what: &'static str,
    local: SocketAddrV4,
    remote: SocketAddrV4,
    state: &'static str,
    /// `owner_source`; `unknown` for what nobody holds.
    owner: &'static str,
    /// The timers that it can have.
    timers: &'static [&'static str],
    /// Mini-sockets have none.
    has_uid: bool,
}

impl Expected {
    /// Whether there is exactly one row of this socket, and it is as expected.
    fn is_in(&self, rows: &[Listed]) -> bool {
        let (local, remote) = (self.local.into(), self.remote.into());
        let mut found = rows.iter().filter(|row| (row.local(), row.remote()) == (local, remote));
        let (row, another) = (found.next(), found.next());
        another.is_none() && row.is_some_and(|row| self.is(row))
    }

    fn is(&self, row: &Listed) -> bool {
        let held = self.owner == "proven";
        let this = std::process::id();
        let owner = (self.owner != "unknown").then_some(this);
        // Without an inode, a 0 may be no uid but what the kernel prints for none.
        let shows_root = held || self.state == "SYN_RECV";
        let uid = self.has_uid.then(|| nix::unistd::geteuid().as_raw());
        let uid = uid.filter(|uid| *uid != 0 || shows_root);
        row.state == self.state
            && row.owner_source == self.owner
            && (row.pid, row.process.is_some()) == (owner, owner.is_some())
            && row.owners.iter().all(|owner| owner.pid == this)
            && (row.owners.is_empty(), row.inode.is_some()) == (!held, held)
            && self.timers.contains(&row.timer.as_str())
            && row.timer_left.is_some() == (row.timer != "none")
            && row.uid == uid
            && (row.v, row.family.as_str(), row.held_at_least) == (1, "ipv4", true)
    }
}

/// Sockets that are held in a state, and what is expected of them.
#[derive(Default)]
pub(super) struct HeldSockets {
    sockets: Vec<Socket>,
    expected: Vec<Expected>,
}

impl HeldSockets {
    fn listener(&mut self, drop: Option<Drop>) -> Socket {
        let socket = listener(ANY_PORT, 8).expect("a port is free");
        if let Some(drop) = drop {
            drop.attach(&socket).expect("a filter on our own socket");
        }
        self.sockets.push(socket.try_clone().expect("a descriptor is free"));
        socket
    }

    /// A client, its accepted peer, and the 4-tuple of the client.
    fn pair(&mut self) -> (Socket, Socket, Tuple) {
        let (client, accepted) = pair(&self.listener(None), ANY_PORT);
        let tuple = Tuple(end(&client.local_addr()), end(&accepted.local_addr()));
        (client, accepted, tuple)
    }

    fn expect(
        &mut self,
        (what, state, owner): (&'static str, &'static str, &'static str),
        Tuple(local, remote): Tuple,
        timers: &'static [&'static str],
    ) -> &mut Expected {
        let has_uid = true;
        self.expected.push(Expected { what, local, remote, state, owner, timers, has_uid });
        self.expected.last_mut().expect("just pushed")
    }

    /// Waits until `list` prints what is expected. A child process of another test may inherit the
    /// sockets for a moment, and is their owner as well.
    pub(super) fn rows(&self) -> Vec<Listed> {
        let listed = Cell::default();
        until_or(
            || {
                let rows = list(&[]);
                let there = self.expected.iter().all(|expected| expected.is_in(&rows));
                listed.set(rows.clone());
                there.then_some(rows)
            },
            || {
                let rows = listed.take();
                let missing: Vec<&Expected> =
                    self.expected.iter().filter(|expected| !expected.is_in(&rows)).collect();
                format!("{missing:#?} among {rows:#?}")
            },
        )
    }

    fn hold(&mut self, sockets: impl IntoIterator<Item = Socket>) {
        self.sockets.extend(sockets);
    }
}

/// Local and remote.
#[derive(Clone, Copy)]
struct Tuple(SocketAddrV4, SocketAddrV4);

impl Tuple {
    fn mirrored(self) -> Self {
        Self(self.1, self.0)
    }
}

#[test]
fn every_state_is_listed_with_its_owner_and_timer() {
    isolated(|| {
        every_state().rows();
    });
}

pub(super) fn every_state() -> HeldSockets {
    let mut held = HeldSockets::default();
    opening(&mut held);
    open(&mut held);
    closing_first(&mut held);
    closing_at_once(&mut held);
    closing_second(&mut held);
    held
}

fn opening(held: &mut HeldSockets) {
    let socket = held.listener(None);
    let tuple = Tuple(end(&socket.local_addr()), SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
    held.expect(("listener", "LISTEN", "proven"), tuple, &["none"]);

    let deaf = end(&held.listener(Some(Drop::Syn)).local_addr());
    let client = connecting(ANY_PORT, deaf).expect("a port is free");
    let tuple = Tuple(end(&client.local_addr()), deaf);
    held.expect(("unanswered", "SYN_SENT", "proven"), tuple, &["retransmit"]);
    held.hold([client]);

    let unheard = end(&held.listener(Some(Drop::Ack)).local_addr());
    let client = connecting(ANY_PORT, unheard).expect("a port is free");
    let tuple = Tuple(unheard, end(&client.local_addr()));
    held.expect(("request", "SYN_RECV", "listener"), tuple, &["retransmit"]);
    held.hold([client]);
}

fn open(held: &mut HeldSockets) {
    let (client, accepted, tuple) = held.pair();
    held.expect(("client", "ESTABLISHED", "proven"), tuple, &["none"]);
    held.expect(("accepted", "ESTABLISHED", "proven"), tuple.mirrored(), &["none"]);
    held.hold([client, accepted]);

    let server = end(&held.listener(None).local_addr());
    let client = connecting(ANY_PORT, server).expect("a port is free");
    let tuple = Tuple(server, end(&client.local_addr()));
    held.expect(("unaccepted", "ESTABLISHED", "listener"), tuple, &["none"]);
    held.hold([client]);

    let client = connecting(ANY_PORT, server).expect("a port is free");
    until_established(&client);
    let tuple = Tuple(server, end(&client.local_addr()));
    client.shutdown(Shutdown::Write).expect("it is connected");
    held.expect(("unaccepted, its peer has closed", "CLOSE_WAIT", "listener"), tuple, &["none"]);
    held.hold([client]);
}

fn closing_first(held: &mut HeldSockets) {
    for orphaned in [false, true] {
        let owner = if orphaned { "unknown" } else { "proven" };
        let (client, accepted, tuple) = held.pair();
        Drop::All.attach(&accepted).expect("a filter on our own socket");
        let timers = &["retransmit", "probe"];
        held.expect(("closed, unheard", "FIN_WAIT1", owner), tuple, timers);
        close(held, client, orphaned);
        held.hold([accepted]);

        let (client, accepted, tuple) = held.pair();
        let timers: &[_] = if orphaned { &["time-wait"] } else { &["none"] };
        let half = held.expect(("half closed", "FIN_WAIT2", owner), tuple, timers);
        half.has_uid = !orphaned;
        held.expect(("left behind", "CLOSE_WAIT", "proven"), tuple.mirrored(), &["none"]);
        close(held, client, orphaned);
        held.hold([accepted]);
    }
    let (client, accepted, tuple) = held.pair();
    drop(client);
    until("the FIN to arrive", || peer_has_closed(tuple));
    drop(accepted);
    let closed = held.expect(("closed by both", "TIME_WAIT", "unknown"), tuple, &["time-wait"]);
    closed.has_uid = false;
}

fn closing_at_once(held: &mut HeldSockets) {
    for orphaned in [false, true] {
        let (client, accepted, tuple) = held.pair();
        Drop::All.attach(&accepted).expect("a filter on our own socket");
        let owner = if orphaned { "unknown" } else { "proven" };
        held.expect(("crossed", "CLOSING", owner), tuple, &["retransmit", "probe"]);
        close(held, client, orphaned);
        accepted.shutdown(Shutdown::Write).expect("it has not got the peer's FIN");
        held.hold([accepted]);
    }
}

fn closing_second(held: &mut HeldSockets) {
    for orphaned in [false, true] {
        let (client, accepted, tuple) = held.pair();
        accepted.shutdown(Shutdown::Write).expect("it is connected");
        until("the FIN to arrive", || peer_has_closed(tuple.mirrored()));
        Drop::All.attach(&accepted).expect("a filter on our own socket");
        let owner = if orphaned { "unknown" } else { "proven" };
        let timers = &["retransmit", "probe"];
        held.expect(("closed second, unheard", "LAST_ACK", owner), tuple, timers);
        close(held, client, orphaned);
        held.hold([accepted]);
    }
}

/// Sends the FIN, and keeps the socket unless it is to be an orphan. A close() alone might send it
/// later: see [`HeldSockets::rows`].
fn close(held: &mut HeldSockets, socket: Socket, orphaned: bool) {
    socket.shutdown(Shutdown::Write).expect("it is connected");
    if !orphaned {
        held.hold([socket]);
    }
}

/// Whether the other end of a socket that has closed is in `CLOSE_WAIT`.
fn peer_has_closed(tuple: Tuple) -> Option<()> {
    let Tuple(remote, local) = tuple;
    let rows = list(&["--state", "CLOSE_WAIT"]);
    let there = rows.iter().any(|r| r.local() == local.into() && r.remote() == remote.into());
    there.then_some(())
}
