//! The sources beside each other, on the same sockets.

use super::states::every_state;
use crate::old_support::netns::{isolated, skip};
use crate::old_support::program::{Watch, list, list_as_nobody};
use crate::old_support::record::Listed;
use crate::old_support::sockets::{ANY_PORT, end, listener, pair};
use crate::old_support::wait::until;
use std::net::SocketAddr;

const NETLINK: [&str; 2] = ["--source", "netlink"];

/// What all sources know of a socket, in an order of its own.
fn known(row: &Listed) -> impl PartialEq + std::fmt::Debug + use<> {
    let row = row.clone();
    let socket = (row.local(), row.remote(), row.family, row.netns, row.state, row.inode);
    // sock_diag alone tells no uid of a request.
    let uid = row.uid.filter(|_| socket.4 != "SYN_RECV");
    let owner = (row.pid, row.process, row.owners, row.owner_source, uid);
    (socket, owner, row.recv_queue, row.send_queue, row.timer, row.retransmits)
}

fn sorted(mut rows: Vec<Listed>) -> Vec<Listed> {
    rows.sort_by_key(|row| (row.local(), row.remote(), row.inode));
    rows
}

#[test]
fn proc_and_netlink_show_the_same_of_every_state() {
    isolated(|| {
        let scene = every_state();
        let expected = scene.rows().len();
        // Retransmissions go on meanwhile: what both looks of the one show has to be in the other.
        let (before, netlink, after) = until("two looks alike", || {
            let looks = (sorted(list(&[])), sorted(list(&NETLINK)), sorted(list(&[])));
            looks.0.iter().map(known).eq(looks.2.iter().map(known)).then_some(looks)
        });
        assert_eq!(netlink.len(), expected);
        for ((before, row), after) in before.iter().zip(&netlink).zip(&after) {
            assert_eq!(known(row), known(before));
            let (before, left, after) = (before.timer_left, row.timer_left, after.timer_left);
            assert_eq!(left.is_some(), before.is_some(), "{row:?}");
            // The clock of one may be rounded up where that of the other is rounded down.
            let tick = |left: Option<f64>, by: f64| left.map(|left| left + by);
            let runs_down = before >= after;
            let between = left <= tick(before, 0.02) && left >= tick(after, -0.02);
            assert!(!runs_down || between, "{before:?} {row:?} {after:?}");
            let limit = (row.state == "LISTEN").then_some(8);
            assert_eq!(row.backlog_limit, limit, "as listen() got it");
        }
    });
}

#[test]
fn anybody_may_ask_by_netlink() {
    isolated(|| {
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let sockets = pair(&server, ANY_PORT);
        let ours = sorted(list(&NETLINK));
        assert_eq!(ours.len(), 3);
        let Some(theirs) = list_as_nobody(&NETLINK) else {
            return skip("becoming another user is not permitted, so only this one has asked");
        };
        let ends = |row: &Listed| (row.local(), row.remote(), row.state.clone(), row.inode);
        assert!(ours.iter().map(ends).eq(sorted(theirs).iter().map(ends)));
        drop(sockets);
    });
}

#[test]
fn an_end_between_two_polls_is_told_at_once() {
    isolated(|| {
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let (client, accepted) = pair(&server, ANY_PORT);
        let here = SocketAddr::from(end(&client.local_addr()));
        let watch = Watch::start(&[&NETLINK[..], &["-i", "50s"]].concat());
        watch.until("the pair", |told| told.event == "present" && told.local() == here);
        watch.until("its other end", |told| told.event == "present" && told.remote() == here);
        drop(client);
        drop(accepted);
        // Far from the next poll: notices and look-ups alone can tell.
        let waits = watch.until("its wait", |told| told.local() == here && told.to == "TIME_WAIT");
        assert_eq!(waits.from.as_deref(), Some("ESTABLISHED"));
        let closed = watch.until("its end", |told| told.remote() == here && told.event == "closed");
        assert_eq!(closed.source, "netlink");
        watch.stop();
    });
}
