//! The ages of real sockets from one poll: never larger than the truth.

use crate::support::netns::isolated;
use crate::support::program::{list, run, run_as_nobody};
use crate::support::record::{Event, Listed};
use crate::support::require::{Feature, skip};
use crate::support::sockets::{ANY_PORT, end, listener, pair};
use crate::support::wait::until;
use socket2::Socket;
use std::fs;
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

/// So long a test waits for sockets to grow old.
const OLD: f64 = 0.4;

fn local(socket: &Socket) -> SocketAddr {
    end(&socket.local_addr()).into()
}

fn is_from_kernel(row: &Listed) -> bool {
    row.held_at_least && row.held_from.as_deref() == Some("kernel")
}

#[test]
fn one_look_tells_how_long_sockets_have_been_closing() {
    isolated(|| {
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let (client, accepted) = pair(&server, ANY_PORT);
        let (first, second) = pair(&server, ANY_PORT);
        let half = (local(&client), local(&accepted));
        let both = (local(&first), local(&second));
        let start = Instant::now();
        client.shutdown(Shutdown::Write).expect("it is connected");
        drop(first);
        until("the FIN to arrive", || second.recv(&mut [MaybeUninit::uninit()]).ok());
        drop(second);
        let expected = [(half, "FIN_WAIT2"), ((half.1, half.0), "CLOSE_WAIT"), (both, "TIME_WAIT")];
        for source in ["netlink", "proc"] {
            until("old sockets", || {
                let rows = list(&["--source", source]);
                let elapsed = start.elapsed().as_secs_f64();
                let is_old = |((local, remote), state): &((SocketAddr, SocketAddr), &str)| {
                    let row = rows.iter().find(|row| {
                        (row.local(), row.remote(), &*row.state) == (*local, *remote, *state)
                    });
                    let Some((row, held)) = row.and_then(|row| Some((row, row.held?))) else {
                        return false;
                    };
                    assert!(row.held_at_least && held <= elapsed, "{elapsed}: {row:?}");
                    held >= OLD && is_from_kernel(row)
                };
                expected.iter().all(is_old).then_some(())
            });
        }
        let Some(outcome) = run_as_nobody(&["list", "-j", "-s", "CLOSE_WAIT"]) else {
            return skip(Feature::OtherUser, "this user may not become another");
        };
        let rows = outcome.listed();
        assert!(rows.len() == 1 && is_from_kernel(&rows[0]), "{outcome:?}");
        // There is no second poll.
        let stuck = format!("CLOSE_WAIT:{}ms", Duration::from_secs_f64(OLD).as_millis());
        let outcome = run(&["check", "-i", "1h", "--stuck", &stuck]);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
    });
}

#[test]
fn an_idle_connection_is_no_older_than_its_last_data() {
    isolated(|| {
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let (client, accepted) = pair(&server, ANY_PORT);
        until("old age", || {
            list(&["-s", "ESTABLISHED"]).iter().all(|row| row.idle >= Some(OLD)).then_some(())
        });
        let start = Instant::now();
        client.send(b"x").expect("it is connected");
        until("data", || accepted.recv(&mut [MaybeUninit::uninit()]).ok());
        let rows = list(&["-s", "ESTABLISHED"]);
        // The kernel counts in ticks.
        let most = start.elapsed().as_secs_f64() + 0.02;
        assert!(rows.iter().all(|row| row.idle.is_some_and(|idle| idle <= most)), "{rows:?}");
        let present = run(&["watch", "-j", "-m", "2", "-s", "ESTABLISHED"]).recorded().events;
        let is_known = |event: &Event| event.idle.is_some_and(|idle| idle < 60.0);
        assert!(present.len() == 2 && present.iter().all(is_known), "{present:?}");
        let text = run(&["list", "-s", "ESTABLISHED"]).stdout;
        assert!(!text.contains("IDLE"), "{text}");
        let text = run(&["list", "-o", "-s", "ESTABLISHED"]).stdout;
        assert!(text.lines().next().is_some_and(|line| line.ends_with("HELD  IDLE")), "{text}");
    });
}

#[test]
fn the_timer_of_an_orphan_does_not_tell_its_age() {
    isolated(|| {
        // As a process chooses it for one socket by TCP_LINGER2.
        if fs::write("/proc/sys/net/ipv4/tcp_fin_timeout", "20").is_err() {
            return skip(Feature::Sysctl, "tcp_fin_timeout cannot be set");
        }
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let (client, _accepted) = pair(&server, ANY_PORT);
        let here = local(&client);
        drop(client);
        let orphan = until("the FIN to be acknowledged", || {
            let rows = list(&["-s", "FIN_WAIT2"]);
            rows.into_iter().find(|row| row.local() == here)
        });
        assert_eq!(orphan.timer, "time-wait", "{orphan:?}");
        assert!(orphan.timer_left.is_some_and(|left| left <= 20.1), "{orphan:?}");
        assert_eq!((orphan.held, orphan.held_from.as_deref()), (Some(0.0), Some("observed")));
    });
}
