//! Every state that a socket can be held in, as `list` shows it.

use crate::old_support::netns::isolated;
use crate::old_support::program::list;
use crate::old_support::record::Listed;
use crate::old_support::sockets::{ANY_PORT, Drop, connecting, end, listener, pair};
use crate::old_support::wait::until;
use socket2::Socket;
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4};

/// What `list` has to show of one socket.
struct Expected {
    what: &'static str,
    local: SocketAddrV4,
    remote: SocketAddrV4,
    state: &'static str,
    /// Where the owner is known from; `unknown` for what nobody holds.
    owner: &'static str,
    /// The kernel's timers that it can have.
    timers: &'static [&'static str],
    /// Mini-sockets do not tell their uid.
    has_uid: bool,
}

/// Sockets that are held in a state, and what is expected of them.
#[derive(Default)]
pub(super) struct Scene {
    held: Vec<Socket>,
    expected: Vec<Expected>,
}

impl Scene {
    fn listener(&mut self, drop: Option<Drop>) -> Socket {
        let socket = listener(ANY_PORT, 8).expect("a port is free");
        if let Some(drop) = drop {
            drop.attach(&socket).expect("anybody may filter its own sockets");
        }
        self.held.push(socket.try_clone().expect("a descriptor is free"));
        socket
    }

    /// A client, its accepted peer, and the ends as the client sees them.
    fn pair(&mut self) -> (Socket, Socket, Ends) {
        let (client, accepted) = pair(&self.listener(None), ANY_PORT);
        let ends = Ends(end(&client.local_addr()), end(&accepted.local_addr()));
        (client, accepted, ends)
    }

    fn expect(
        &mut self,
        (what, state, owner): (&'static str, &'static str, &'static str),
        Ends(local, remote): Ends,
        timers: &'static [&'static str],
    ) -> &mut Expected {
        let has_uid = true;
        self.expected.push(Expected { what, local, remote, state, owner, timers, has_uid });
        self.expected.last_mut().expect("just pushed")
    }

    /// Waits until all of it is there.
    pub(super) fn rows(&self) -> Vec<Listed> {
        until("every socket to be in its state", || all_there(self))
    }

    fn hold(&mut self, sockets: impl IntoIterator<Item = Socket>) {
        self.held.extend(sockets);
    }
}

/// Local and remote.
#[derive(Clone, Copy)]
struct Ends(SocketAddrV4, SocketAddrV4);

impl Ends {
    fn mirrored(self) -> Self {
        Self(self.1, self.0)
    }
}

#[test]
fn every_state_is_reached_and_listed() {
    isolated(|| {
        let scene = every_state();
        let rows = scene.rows();
        for expected in &scene.expected {
            let row = row_of(expected, &rows).expect("it was there a moment ago");
            check(expected, row);
        }
    });
}

pub(super) fn every_state() -> Scene {
    let mut scene = Scene::default();
    opening(&mut scene);
    open(&mut scene);
    closing_first(&mut scene);
    closing_at_once(&mut scene);
    closing_second(&mut scene);
    scene
}

fn opening(scene: &mut Scene) {
    let socket = scene.listener(None);
    let ends = Ends(end(&socket.local_addr()), SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
    scene.expect(("listener", "LISTEN", "proven"), ends, &["none"]);

    let deaf = end(&scene.listener(Some(Drop::Syn)).local_addr());
    let client = connecting(ANY_PORT, deaf).expect("a port is free");
    let ends = Ends(end(&client.local_addr()), deaf);
    scene.expect(("unanswered", "SYN_SENT", "proven"), ends, &["retransmit"]);
    scene.hold([client]);

    let unheard = end(&scene.listener(Some(Drop::Ack)).local_addr());
    let client = connecting(ANY_PORT, unheard).expect("a port is free");
    let ends = Ends(unheard, end(&client.local_addr()));
    scene.expect(("request", "SYN_RECV", "listener"), ends, &["retransmit"]);
    scene.hold([client]);
}

fn open(scene: &mut Scene) {
    let (client, accepted, ends) = scene.pair();
    scene.expect(("client", "ESTABLISHED", "proven"), ends, &["none"]);
    scene.expect(("accepted", "ESTABLISHED", "proven"), ends.mirrored(), &["none"]);
    scene.hold([client, accepted]);

    let server = end(&scene.listener(None).local_addr());
    let client = connecting(ANY_PORT, server).expect("a port is free");
    let ends = Ends(server, end(&client.local_addr()));
    scene.expect(("unaccepted", "ESTABLISHED", "listener"), ends, &["none"]);
    scene.hold([client]);

    let client = connecting(ANY_PORT, server).expect("a port is free");
    let ends = Ends(server, end(&client.local_addr()));
    client.shutdown(Shutdown::Write).expect("it is connected");
    scene.expect(("unaccepted, its peer has closed", "CLOSE_WAIT", "listener"), ends, &["none"]);
    scene.hold([client]);
}

fn closing_first(scene: &mut Scene) {
    for orphaned in [false, true] {
        let owner = if orphaned { "unknown" } else { "proven" };
        let (client, accepted, ends) = scene.pair();
        Drop::All.attach(&accepted).expect("anybody may filter its own sockets");
        let timers = &["retransmit", "probe"];
        scene.expect(("closed, unheard", "FIN_WAIT1", owner), ends, timers);
        close(scene, client, orphaned);
        scene.hold([accepted]);

        let (client, accepted, ends) = scene.pair();
        let timers: &[_] = if orphaned { &["time-wait"] } else { &["none"] };
        let half = scene.expect(("half closed", "FIN_WAIT2", owner), ends, timers);
        half.has_uid = !orphaned;
        scene.expect(("left behind", "CLOSE_WAIT", "proven"), ends.mirrored(), &["none"]);
        close(scene, client, orphaned);
        scene.hold([accepted]);
    }
    let (client, accepted, ends) = scene.pair();
    drop(client);
    until("the FIN to arrive", || peer_has_closed(ends));
    drop(accepted);
    let closed = scene.expect(("closed by both", "TIME_WAIT", "unknown"), ends, &["time-wait"]);
    closed.has_uid = false;
}

fn closing_at_once(scene: &mut Scene) {
    for orphaned in [false, true] {
        let (client, accepted, ends) = scene.pair();
        Drop::All.attach(&accepted).expect("anybody may filter its own sockets");
        let owner = if orphaned { "unknown" } else { "proven" };
        scene.expect(("crossed", "CLOSING", owner), ends, &["retransmit", "probe"]);
        close(scene, client, orphaned);
        accepted.shutdown(Shutdown::Write).expect("it knows nothing of the peer's FIN");
        scene.hold([accepted]);
    }
}

fn closing_second(scene: &mut Scene) {
    for orphaned in [false, true] {
        let (client, accepted, ends) = scene.pair();
        accepted.shutdown(Shutdown::Write).expect("it is connected");
        until("the FIN to arrive", || peer_has_closed(ends.mirrored()));
        Drop::All.attach(&accepted).expect("anybody may filter its own sockets");
        let owner = if orphaned { "unknown" } else { "proven" };
        let timers = &["retransmit", "probe"];
        scene.expect(("closed second, unheard", "LAST_ACK", owner), ends, timers);
        close(scene, client, orphaned);
        scene.hold([accepted]);
    }
}

/// Sends the FIN, and keeps the socket unless it is to be an orphan.
fn close(scene: &mut Scene, socket: Socket, orphaned: bool) {
    if !orphaned {
        socket.shutdown(Shutdown::Write).expect("it is connected");
        scene.hold([socket]);
    }
}

/// Whether the other end of a socket that has closed is in `CLOSE_WAIT`.
fn peer_has_closed(ends: Ends) -> Option<()> {
    let Ends(remote, local) = ends;
    let rows = list(&["--state", "CLOSE_WAIT"]);
    let there = rows.iter().any(|r| r.local() == local.into() && r.remote() == remote.into());
    there.then_some(())
}

fn all_there(scene: &Scene) -> Option<Vec<Listed>> {
    let rows = list(&[]);
    let reached = |expected: &Expected| {
        row_of(expected, &rows).is_some_and(|row| {
            row.state == expected.state && expected.timers.contains(&row.timer.as_str())
        })
    };
    scene.expected.iter().all(reached).then_some(rows)
}

fn row_of<'a>(expected: &Expected, rows: &'a [Listed]) -> Option<&'a Listed> {
    let (local, remote) = (expected.local.into(), expected.remote.into());
    let mut found = rows.iter().filter(|row| row.local() == local && row.remote() == remote);
    let row = found.next();
    assert!(found.next().is_none(), "two rows of one socket: {}", expected.what);
    row
}

fn check(expected: &Expected, row: &Listed) {
    let Expected { what, .. } = expected;
    let held = expected.owner == "proven";
    let owned = expected.owner != "unknown";
    let this = std::process::id();
    assert_eq!(row.state, expected.state, "{what}");
    assert_eq!(row.owner_source, expected.owner, "{what}: {row:?}");
    assert_eq!(row.pid, owned.then_some(this), "{what}: {row:?}");
    assert_eq!(row.process.is_some(), owned, "{what}: {row:?}");
    assert_eq!(row.owners.iter().any(|owner| owner.pid == this), held, "{what}: {row:?}");
    assert_eq!(row.inode.is_some(), held, "{what}: {row:?}");
    assert_eq!(row.timer_left.is_some(), row.timer != "none", "{what}: {row:?}");
    let uid = nix::unistd::geteuid().as_raw();
    assert_eq!(row.uid, expected.has_uid.then_some(uid), "{what}: {row:?}");
    assert_eq!((row.v, row.family.as_str(), row.held_at_least), (1, "ipv4", true), "{what}");
}
