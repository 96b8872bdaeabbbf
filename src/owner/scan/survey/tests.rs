use super::*;
use crate::model::event::{Ages, EventKind, Listeners, OwnerClues, Roles, SocketId, SocketRef};
use crate::model::reading::{LookupRequest, Lookups, Snapshot, StateChange};
use crate::model::socket::{AddressPair, Endpoint, Family};
use crate::model::socket_row::SocketRow;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::symlink;
use std::path::Path;

const PID: i32 = 42;

/// A transition of a socket that was accepted meanwhile: it shows its inode for the first time.
fn accepted(inode: u64) -> TrackerEvent {
    let end = |port| Endpoint { addr: IpAddr::V4(Ipv4Addr::LOCALHOST), port };
    let remote = end(u16::try_from(inode).unwrap());
    let addrs = AddressPair::new(Family::Ipv4, end(80), remote);
    TrackerEvent::Transition(Box::new(Transition {
        socket: SocketRef {
            id: SocketId { run: 1, number: inode },
            netns: None,
            addrs,
            binding: crate::model::binding::Binding::default(),
        },
        kind: EventKind::Changed,
        time: Stamp::default(),
        after: None,
        from: Some(State::Established),
        via: Vec::new(),
        maybe: Vec::new(),
        to: State::CloseWait,
        ages: Ages::default(),
        clues: OwnerClues { inode, last_inode: inode, listeners: Listeners::default(), uid: None },
        roles: Roles::default(),
        verdict: None,
        reset_by: None,
        caller: None,
        netns_name: None,
    }))
}

/// A process with these sockets.
fn add_process(procfs: &Path, pid: i32, inodes: &[u64]) {
    let process = procfs.join(pid.to_string());
    fs::create_dir_all(process.join("fd")).unwrap();
    fs::write(process.join("cmdline"), "server\0").unwrap();
    let stat = format!("{pid} (server) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 7");
    fs::write(process.join("stat"), stat + &" 0".repeat(30) + "\n").unwrap();
    for (fd, inode) in (3..).zip(inodes) {
        symlink(format!("socket:[{inode}]"), process.join(format!("fd/{fd}"))).unwrap();
    }
}

#[test]
fn all_new_sockets_of_one_lookup_get_their_owners() {
    let procfs = tempfile::tempdir().unwrap();
    add_process(procfs.path(), PID, &[7001, 7002]);
    let mut owners = SurveyedOwners::new(Scan::new(procfs.path()));
    let (start, end) = (Stamp::default(), Stamp::default());
    let lookups = Reading::Lookups(Lookups { start, end, netns: None, answers: Vec::new() });
    let update = owners.update(&lookups, &[accepted(7001), accepted(7002)], false).unwrap();
    let found: Vec<u64> = update.holders.iter().map(|(inode, _)| *inode).collect();
    assert_eq!(found, [7001, 7002]);
}

/// A lookup shows the inode of a socket, and the poll that comes next had passed its row before it was accepted.
#[test]
fn the_next_poll_searches_for_what_a_lookup_has_shown() {
    let procfs = tempfile::tempdir().unwrap();
    add_process(procfs.path(), PID, &[7001]);
    let mut owners = SurveyedOwners::new(Scan::new(procfs.path()));
    let TrackerEvent::Transition(event) = accepted(7001) else { unreachable!() };
    let addrs = event.socket.addrs;
    let request = LookupRequest { addrs, inode: 0, cookie: 0, ifindex: 0 };
    let row = SocketRow { inode: 7001, ..SocketRow::new(addrs, State::Established) };
    let unaccepted = Snapshot { rows: vec![SocketRow { inode: 0, ..row }], ..Snapshot::default() };
    owners.update(&Reading::Snapshot(unaccepted.clone()), &[], false);
    let answers = vec![(request, LookupResult::There(row))];
    let (start, end) = (Stamp::default(), Stamp::default());
    let lookups = Lookups { start, end, netns: None, answers };
    owners.update(&Reading::Lookups(lookups), &[], false);
    let update = owners.update(&Reading::Snapshot(unaccepted), &[], false).unwrap();
    assert_eq!(pids(&update), [(7001, vec![PID])]);
}

/// A kernel event of the socket with this inode that may come from these listeners.
fn event_of(inode: u64, listeners: &[u64]) -> (Reading, TrackerEvent) {
    let TrackerEvent::Transition(mut event) = accepted(inode) else { unreachable!() };
    event.clues.listeners = listeners.iter().copied().collect();
    let change = StateChange {
        time: Stamp::default(),
        netns: None,
        socket: 0,
        cookie: 1,
        addrs: event.socket.addrs,
        ifindex: 0,
        device: None,
        ipv6_only: None,
        inode: Some(inode),
        uid: None,
        from: State::SynRecv,
        to: State::Established,
        passive: false,
        caller: None,
        abort: None,
        reset_by: None,
    };
    (Reading::StateChange(change), TrackerEvent::Transition(event))
}

/// The owners as a lookup of this listener showed them.
fn owners_of(listener: u64, procfs: &Path) -> SurveyedOwners {
    let mut owners = SurveyedOwners::new(Scan::new(procfs));
    let (start, end) = (Stamp::default(), Stamp::default());
    let lookups = Reading::Lookups(Lookups { start, end, netns: None, answers: Vec::new() });
    owners.update(&lookups, &[accepted(listener)], false).unwrap();
    owners
}

fn pids(update: &OwnerUpdate) -> Vec<(u64, Vec<i32>)> {
    let pids = |holders: &[Holder]| holders.iter().map(|holder| holder.pid).collect();
    update.holders.iter().map(|(inode, holders)| (*inode, pids(holders))).collect()
}

#[test]
fn whoever_may_accept_a_connection_is_searched_for() {
    const LISTENERS: [u64; 2] = [7001, 7002];
    let procfs = tempfile::tempdir().unwrap();
    add_process(procfs.path(), PID, &LISTENERS[..1]);
    let mut owners = owners_of(LISTENERS[0], procfs.path());
    // One process listens at the same port, another one has inherited the first listener.
    add_process(procfs.path(), PID + 1, &LISTENERS[1..]);
    add_process(procfs.path(), PID + 2, &LISTENERS[..1]);
    let (change, event) = event_of(0, &LISTENERS);
    let update = owners.update(&change, &[event], false).unwrap();
    assert_eq!(pids(&update), [(LISTENERS[0], vec![PID, PID + 2]), (LISTENERS[1], vec![PID + 1])]);
}

#[test]
fn what_was_closed_since_is_not_searched_for() {
    const LISTENER: u64 = 7001;
    const CONNECTION: u64 = 7002;
    let procfs = tempfile::tempdir().unwrap();
    add_process(procfs.path(), PID, &[LISTENER, CONNECTION]);
    let found = |is_released| {
        let (change, event) = event_of(CONNECTION, &[LISTENER]);
        owners_of(LISTENER, procfs.path()).update(&change, &[event], is_released)
    };
    assert_eq!(pids(&found(false).unwrap()), [(CONNECTION, vec![PID])]);
    assert!(found(true).is_none());
}

#[test]
fn a_process_that_calls_often_is_read_once_in_a_while() {
    const LISTENER: u64 = 7001;
    let procfs = tempfile::tempdir().unwrap();
    add_process(procfs.path(), PID, &[LISTENER]);
    let mut owners = owners_of(LISTENER, procfs.path());
    let mut callers_at = |micros: u64| {
        let (change, event) = event_of(0, &[]);
        let TrackerEvent::Transition(mut event) = event else { unreachable!() };
        event.time.boot = micros;
        event.caller = Some(Caller { pid: PID, comm: None, is_descendant: false });
        let update = owners.update(&change, &[TrackerEvent::Transition(event)], false);
        update.map_or(0, |update| update.callers.len())
    };
    assert_eq!(callers_at(0), 1);
    fs::write(procfs.path().join(format!("{PID}/cmdline")), "another\0").unwrap();
    assert_eq!((callers_at(1000), callers_at(1_000_000)), (0, 1));
}
