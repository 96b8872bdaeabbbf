use super::*;
use crate::model::event::{Ages, EventKind, Listeners, OwnerClues, Roles, SocketId, SocketRef};
use crate::model::reading::Lookups;
use crate::model::socket::{AddressPair, Endpoint, Family};
use crate::model::time::Stamp;
use crate::tcp::state::State;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::symlink;

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

#[test]
fn all_new_sockets_of_one_lookup_get_their_owners() {
    let procfs = tempfile::tempdir().unwrap();
    let process = procfs.path().join(PID.to_string());
    fs::create_dir_all(process.join("fd")).unwrap();
    fs::write(process.join("cmdline"), "server\0").unwrap();
    let stat = format!("{PID} (server) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 7");
    fs::write(process.join("stat"), stat + &" 0".repeat(30) + "\n").unwrap();
    for (fd, inode) in [(3, 7001), (4, 7002)] {
        symlink(format!("socket:[{inode}]"), process.join(format!("fd/{fd}"))).unwrap();
    }
    let mut owners = SurveyedOwners::new(Scan::new(procfs.path()));
    let (start, end) = (Stamp::default(), Stamp::default());
    let lookups = Reading::Lookups(Lookups { start, end, netns: None, answers: Vec::new() });
    let update = owners.update(&lookups, &[accepted(7001), accepted(7002)]).unwrap();
    let found: Vec<u64> = update.holders.iter().map(|(inode, _)| *inode).collect();
    assert_eq!(found, [7001, 7002]);
}
