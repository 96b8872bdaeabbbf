//! The sources `proc` and `netlink` beside each other, on the same sockets.

use super::states::every_state;
use crate::support::netns::isolated;
use crate::support::program::{Program, list, run_as_nobody};
use crate::support::record::Listed;
use crate::support::require::{Feature, skip};
use crate::support::sockets::{ANY_PORT, end, listener, pair};
use crate::support::wait::until_or;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;

const NETLINK: [&str; 2] = ["--source", "netlink"];
/// `/proc` rounds what is left of a timer down to a tick of 1/100 s, netlink to 1 ms.
const TICK_MS: i64 = 10;

/// What both sources know of a socket.
fn known(row: &Listed) -> impl PartialEq + std::fmt::Debug + use<> {
    let row = row.clone();
    let socket = (row.local(), row.remote(), row.family, row.netns, row.state, row.inode);
    // sock_diag has no uid of a request.
    let uid = row.uid.filter(|_| socket.4 != "SYN_RECV");
    let owner = (row.pid, row.process, row.owners, row.owner_source, uid);
    let timer = (row.timer, row.timer_left.is_some(), row.retransmits);
    (socket, owner, row.recv_queue, row.send_queue, timer)
}

fn sorted(mut rows: Vec<Listed>) -> Vec<Listed> {
    rows.sort_by_key(|row| (row.local(), row.remote(), row.inode));
    rows
}

#[test]
fn proc_and_netlink_agree_on_every_state() {
    isolated(|| {
        let held = every_state();
        let expected = held.rows().len();
        // Retransmissions go on: what `proc` prints before and after, netlink has to print, too.
        let polls = RefCell::default();
        until_or(
            || {
                let args = [&[][..], &NETLINK, &[]];
                let three = args.map(|args| sorted(list(args)));
                let alike = |one: &[Listed], other: &[Listed]| {
                    one.iter().map(known).eq(other.iter().map(known))
                };
                let all_alike = alike(&three[0], &three[1]) && alike(&three[1], &three[2]);
                polls.replace(three);
                all_alike.then_some(())
            },
            || format!("proc, netlink and proc to agree; there was {:#?}", polls.borrow()),
        );
        let [before, netlink, after] = polls.into_inner();
        assert_eq!(netlink.len(), expected);
        for ((before, row), after) in before.iter().zip(&netlink).zip(&after) {
            let limit = (row.state == "LISTEN").then_some(8);
            assert_eq!(row.backlog_limit, limit, "as listen() got it");
            // The only timer that nothing here can restart.
            if row.timer == "time-wait" {
                let [before, left, after] = [before, row, after].map(milliseconds_left);
                assert!(left <= before + TICK_MS && left >= after - 1, "{before} {left} {after}");
            }
        }
    });
}

fn milliseconds_left(row: &Listed) -> i64 {
    #[allow(clippy::cast_possible_truncation)] // at most 60,000
    row.timer_left.map_or(0, |seconds| (seconds * 1000.0).round() as i64)
}

#[test]
fn netlink_needs_no_privilege() {
    isolated(|| {
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let _sockets = pair(&server, ANY_PORT);
        let as_root = sorted(list(&NETLINK));
        assert_eq!(as_root.len(), 3);
        let Some(outcome) = run_as_nobody(&[&["list", "-j"], &NETLINK[..]].concat()) else {
            return skip(Feature::OtherUser, "this user may not become another");
        };
        let as_nobody = sorted(outcome.listed());
        let socket = |row: &Listed| (row.local(), row.remote(), row.state.clone(), row.inode);
        assert!(as_root.iter().map(socket).eq(as_nobody.iter().map(socket)), "{as_nobody:?}");
    });
}

#[test]
fn netlink_reports_closes_between_two_polls() {
    isolated(|| {
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let (client, accepted) = pair(&server, ANY_PORT);
        let here = SocketAddr::from(end(&client.local_addr()));
        // There is no second poll: destroy events and lookups alone can report anything.
        let mut watch = Program::watch(&[&NETLINK[..], &["-i", "1h"]].concat());
        let present = std::iter::repeat_with(|| watch.event()).take(3);
        assert!(present.map(|event| event.event).eq(["present"; 3]));
        let mut changes = || {
            let both = [watch.event(), watch.event()].map(|event| {
                let from = event.from.as_deref().unwrap_or_default();
                (event.local() == here, format!("{from} -> {} by {}", event.to, event.source))
            });
            both.into_iter().collect::<BTreeMap<_, _>>()
        };
        drop(client);
        let expected = |client: &str, accepted: &str| {
            BTreeMap::from([
                (true, format!("{client} by netlink")),
                (false, format!("{accepted} by netlink")),
            ])
        };
        let half = expected("ESTABLISHED -> FIN_WAIT2", "ESTABLISHED -> CLOSE_WAIT");
        assert_eq!(changes(), half);
        drop(accepted);
        let whole = expected("FIN_WAIT2 -> TIME_WAIT", "CLOSE_WAIT -> CLOSED");
        assert_eq!(changes(), whole);
        watch.stop();
    });
}
