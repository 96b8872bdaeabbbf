use super::*;
use crate::model::event::{Ages, EventKind, OwnerClues, Roles, SocketId, SocketRef};
use crate::model::reading::Lookups;
use crate::model::socket::{AddressPair, Endpoint, Family};
use crate::tcp::state::State;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::symlink;

const PID: i32 = 42;

/// A source that says nothing by itself.
struct Silent;

impl Source for Silent {
    fn next(&mut self, _: &Signals) -> Result<Option<Reading>> {
        Ok(None)
    }

    fn lookup(&mut self, _: &[LookupRequest]) -> Result<Option<Reading>> {
        Ok(None)
    }

    fn interface(&self) -> Interface {
        Interface::Netlink
    }

    fn notices(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// A socket that was accepted: a lookup shows its inode for the first time.
fn accepted(inode: u64) -> TrackerEvent {
    let end = |port| Endpoint { addr: IpAddr::V4(Ipv4Addr::LOCALHOST), port };
    let port = u16::try_from(inode).unwrap();
    TrackerEvent::Transition(Box::new(Transition {
        socket: SocketRef {
            id: SocketId { run: 1, number: inode },
            netns: None,
            addrs: AddressPair { family: Family::Ipv4, local: end(80), remote: end(port) },
        },
        kind: EventKind::Changed,
        time: Stamp::default(),
        after: None,
        from: Some(State::Established),
        via: Vec::new(),
        maybe: Vec::new(),
        to: State::CloseWait,
        ages: Ages {
            since: None,
            held: None,
            held_at_least: false,
            lived: Duration::ZERO,
            lived_at_least: false,
        },
        clues: OwnerClues { inode, last_inode: inode, listener: 0, uid: None },
        roles: Roles::default(),
        verdict: None,
        caller: None,
    }))
}

#[test]
fn one_lookup_of_two_new_sockets_finds_both_owners() {
    let procfs = tempfile::tempdir().unwrap();
    let home = procfs.path().join(PID.to_string());
    fs::create_dir_all(home.join("fd")).unwrap();
    fs::write(home.join("comm"), "server\n").unwrap();
    fs::write(home.join("cmdline"), "server\0").unwrap();
    let stat = format!("{PID} (server) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 7");
    fs::write(home.join("stat"), stat + &" 0".repeat(30) + "\n").unwrap();
    for (fd, inode) in [(3, 7001), (4, 7002)] {
        symlink(format!("socket:[{inode}]"), home.join(format!("fd/{fd}"))).unwrap();
    }
    let recording = procfs.path().join("recording");
    let scan = Scan::new(procfs.path());
    let mut recorder =
        Recorder::open(&recording, Box::new(Silent), scan, Duration::from_secs(1)).unwrap();
    let at = Stamp::default();
    let lookups =
        Reading::Lookups(Lookups { start: at, end: at, netns: None, answers: Vec::new() });
    let owners = recorder.owners(&lookups, &[accepted(7001), accepted(7002)]).unwrap().unwrap();
    let found: Vec<u64> = owners.holders.iter().map(|(inode, _)| *inode).collect();
    assert_eq!(found, [7001, 7002]);
}
