use super::*;
use crate::model::socket::{AddressPair, Endpoint, Family};
use crate::model::time::Stamp;
use crate::tcp::state::State;

const MANY: u64 = 5000;

fn row(inode: u64, cookie: u64) -> SocketRow {
    let end = |port| Endpoint { addr: Family::Ipv4.unspecified(), port };
    SocketRow {
        inode,
        cookie,
        ..SocketRow::new(AddressPair::new(Family::Ipv4, end(80), end(0)), State::Listen)
    }
}

/// Sockets whose rows have shown what `names` says of each number.
fn sharers(names: impl Fn(u64) -> (u64, u64)) -> Sharers {
    let mut sharers = Sharers::default();
    let born = Stamp { wall: 0, boot: 0 };
    for number in 1..=MANY {
        let id = SocketId { run: 1, number };
        sharers.push(TrackedSocket::new(id, State::Listen, born, true, 1));
        let (inode, cookie) = names(number);
        let position = sharers.position(id).unwrap();
        let mut socket = sharers.get_mut(position).unwrap();
        socket.row.inode = inode;
        socket.identity.cookie = cookie;
    }
    sharers
}

/// The numbers of the sockets that a row may be of.
fn numbers(sharers: &Sharers, row: &SocketRow) -> Vec<u64> {
    let sockets = sharers.as_slice();
    sharers.candidates(row).into_iter().map(|at| sockets[at].id.number).collect()
}

#[test]
fn a_row_finds_its_socket_among_many_by_inode_or_cookie() {
    let by_inode = sharers(|number| (7 * number, 0));
    assert_eq!(numbers(&by_inode, &row(7 * 4321, 0)), [4321]);
    assert_eq!(numbers(&by_inode, &row(1, 0)), Vec::<u64>::new());
    let by_cookie = sharers(|number| (7 * number, 9 * number));
    assert_eq!(numbers(&by_cookie, &row(7, 9 * 77)), [1, 77]);
    assert_eq!(by_cookie.with_cookie(9 * 77).unwrap().id.number, 77);
}

#[test]
fn what_nothing_tells_apart_is_not_all_considered() {
    for alike in [sharers(|_| (0, 0)), sharers(|_| (5, 0)), sharers(|number| (number, 0))] {
        for inode in [0, 5] {
            assert!(numbers(&alike, &row(inode, 0)).len() <= 2 * CONSIDERED);
        }
    }
    let none = sharers(|_| (0, 0));
    let latest: Vec<u64> = (MANY - CONSIDERED as u64 + 1..=MANY).collect();
    assert_eq!(numbers(&none, &row(8, 0)), latest, "the latest");
}

#[test]
fn the_index_follows_removals() {
    let mut sharers = sharers(|number| (number, number));
    for number in (1..=MANY).filter(|number| number % 500 != 0) {
        let removed = sharers.remove(SocketId { run: 1, number }).unwrap();
        assert_eq!(removed.id.number, number);
        assert!(sharers.with_cookie(number).is_none());
        assert!(sharers.remove(removed.id).is_none());
    }
    for number in (1..=MANY / 500).map(|number| 500 * number) {
        let id = sharers.with_cookie(number).unwrap().id;
        assert_eq!(id.number, number);
        assert_eq!(sharers.as_slice()[sharers.position(id).unwrap()].id, id);
    }
}
