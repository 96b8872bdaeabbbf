use super::*;
use crate::model::event::{Ages, EventKind, Listeners, OwnerClues, Roles, SocketId, SocketRef};
use crate::model::process::Caller;
use crate::model::socket::{AddressPair, Endpoint, Family};
use crate::model::time::Stamp;

const LISTENER: u64 = 5;
const CONNECTION: u64 = 9;

/// A transition of a connection with this inode, by a system call of this process.
pub(crate) fn transition(
    to: State,
    inode: u64,
    caller: Option<i32>,
    listeners: &[u64],
) -> Transition {
    let end = Endpoint { addr: Family::Ipv4.unspecified(), port: 80 };
    let addrs = AddressPair::new(Family::Ipv4, end, end);
    let listeners: Listeners = listeners.iter().copied().collect();
    Transition {
        socket: SocketRef {
            id: SocketId { run: 1, number: 1 },
            netns: None,
            addrs,
            binding: crate::model::binding::Binding::default(),
        },
        kind: EventKind::Changed,
        time: Stamp::default(),
        after: None,
        from: None,
        via: Vec::new(),
        maybe: Vec::new(),
        to,
        ages: Ages::default(),
        clues: OwnerClues { uid: None, inode, last_inode: inode, listeners },
        roles: Roles::default(),
        verdict: None,
        reset_by: None,
        caller: caller.map(|pid| Caller { pid, comm: None, is_descendant: false }),
        netns_name: None,
    }
}

/// Processes 20 and 10 hold the listener, and this one the connection.
fn search(transition: &Transition, holder: Option<i32>) -> Option<(Vec<i32>, Vec<u64>)> {
    let holders = |inode| {
        let pids = match inode {
            LISTENER => vec![20, 10],
            CONNECTION => holder.into_iter().collect(),
            _ => Vec::new(),
        };
        let holds = |pid| Holder { pid, start: 1, fd: 3, task: None };
        pids.into_iter().map(holds).collect()
    };
    let search = EventSearch::after(transition, false, holders)?;
    let mut wanted: Vec<u64> = search.wanted().into_iter().collect();
    wanted.sort_unstable();
    Some((search.pids?, wanted))
}

#[test]
fn who_listens_is_searched_for_the_listener() {
    let listens = |inode, caller| search(&transition(State::Listen, inode, caller, &[]), None);
    assert_eq!(listens(7, Some(30)), Some((vec![30], vec![7])));
    assert_eq!(listens(7, None), None);
    assert_eq!(listens(0, Some(30)), None);
}

#[test]
fn the_holders_of_a_listener_are_searched_for_what_was_accepted() {
    let by_peer = |inode, listeners| transition(State::CloseWait, inode, None, listeners);
    let accepted = by_peer(CONNECTION, &[LISTENER]);
    assert_eq!(search(&accepted, None), Some((vec![10, 20], vec![CONNECTION])));
    assert_eq!(search(&accepted, Some(10)), None, "its holder is known");
    assert_eq!(search(&by_peer(0, &[LISTENER]), None), None, "it is not accepted");
    assert_eq!(search(&by_peer(CONNECTION, &[]), None), None, "no listener is known");
}

#[test]
fn who_closes_is_searched_for_the_listener_unless_known() {
    let closed_by = |pid| transition(State::FinWait1, CONNECTION, Some(pid), &[LISTENER]);
    assert_eq!(search(&closed_by(30), Some(10)), Some((vec![30], vec![LISTENER])));
    assert_eq!(search(&closed_by(20), Some(10)), None, "it holds the listener");
    assert_eq!(search(&closed_by(30), Some(30)), None, "it holds the connection");
    assert_eq!(search(&closed_by(30), None), Some((vec![10, 20, 30], vec![LISTENER, CONNECTION])));
}
