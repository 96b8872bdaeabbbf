//! The client of sock_diag, while connections come and go by the thousand.

use crate::alone;
use crate::churn::beside_churn;
use crate::support::netns::isolated;
use crate::support::sockets::{ANY_PORT, listener, pair, reset_pair};
use crate::support::wait::until;
use tcplapse::testing::model::reading::{LookupRequest, LookupResult};
use tcplapse::testing::model::socket::Family;
use tcplapse::testing::source::netlink::client::SockDiag;
use tcplapse::testing::source::netlink::destroy::DestroyListener;
use tcplapse::testing::source::netlink::wire::{Selection, StateMask};

#[test]
fn open_sockets_are_always_found() {
    const PAIRS: usize = 20;
    /// So often each is looked up.
    const TIMES: usize = 100;
    let _alone = alone();
    isolated(|| {
        let server = listener(ANY_PORT, 128).expect("a port is free");
        let _idle: Vec<_> = (0..PAIRS).map(|_| pair(&server, ANY_PORT)).collect();
        let mut client = SockDiag::open().expect("sock_diag answers anybody");
        let mut rows = Vec::new();
        client.dump(Family::Ipv4, Selection::In(StateMask::ALL), &mut rows).expect("a dump");
        assert_eq!(rows.len(), 2 * PAIRS + 1);
        beside_churn(|| {
            for row in rows.iter().cycle().take(TIMES * rows.len()) {
                let as_proc =
                    LookupRequest { addrs: row.addrs, inode: row.inode, cookie: 0, ifindex: 0 };
                let as_netlink =
                    LookupRequest { cookie: row.cookie, ifindex: row.ifindex, ..as_proc };
                for (_, answer) in client.look_up_all(&[as_proc, as_netlink]) {
                    let LookupResult::There(found) = answer else { panic!("not found: {row:?}") };
                    assert_eq!((found.cookie, found.state), (row.cookie, row.state));
                }
            }
        });
    });
}

#[test]
fn destroy_events_without_room_are_reported_as_lost() {
    /// No buffer has room for so many.
    const MOST: usize = 100_000;
    let _alone = alone();
    isolated(|| {
        let mut unread = DestroyListener::open(None).expect("anybody may subscribe");
        let mut read = DestroyListener::open(None).expect("anybody may subscribe");
        let server = listener(ANY_PORT, 128).expect("a port is free");
        let mut connections = 0;
        while !has_drops() {
            for _ in 0..100 {
                let (client, accepted) = pair(&server, ANY_PORT);
                reset_pair(client, accepted);
            }
            connections += 100;
            assert!(connections < MOST, "the buffer has room for {MOST} connections");
            // The kernel sends them to all that listen, some time after the sockets are gone.
            let mut reported = 0;
            until("the destroy events of these connections", || {
                reported += read.receive().map_or(0, |more| more.sockets.len());
                (reported >= 200).then_some(())
            });
        }
        let events = unread.receive().expect("some had room");
        assert!(events.overrun);
        assert!((1..2 * connections).contains(&events.sockets.len()), "{}", events.sockets.len());
    });
}

/// Whether messages to a netlink socket of this namespace found no room.
fn has_drops() -> bool {
    let text = std::fs::read_to_string("/proc/thread-self/net/netlink").expect("procfs is mounted");
    let column = |line: &str, number: usize| line.split_whitespace().nth(number).map(str::to_owned);
    let mut lines = text.lines();
    let header = lines.next().expect("a header");
    let drops = header.split_whitespace().position(|name| name == "Drops").expect("Linux 2.6.30");
    lines.any(|line| column(line, drops).is_some_and(|count| count != "0"))
}
