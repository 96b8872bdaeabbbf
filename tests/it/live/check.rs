//! `check` beside a server that does not close its connections.

use crate::support::actor::Actor;
use crate::support::netns::isolated;
use crate::support::program::{list, run};
use crate::support::record::Listed;
use crate::support::require::{Feature, skip};
use crate::support::wait::until;

#[test]
fn a_leak_is_found_with_its_owner() {
    isolated(|| {
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        server.order("listen l 127.0.0.1:7000 8");
        for name in ["one", "two"] {
            client.connect(name, "127.0.0.1:7000");
            server.accept("l");
            client.order(&format!("close {name}"));
        }
        // `check` answers as soon as one of them has been in its state for long enough.
        until("both to be in CLOSE_WAIT for long enough", || {
            let sockets = list(&["-s", "CLOSE_WAIT"]);
            let is_stuck = |socket: &Listed| socket.held.is_some_and(|held| held >= 0.2);
            (sockets.len() == 2 && sockets.iter().all(is_stuck)).then_some(())
        });
        let stuck = ["--stuck", "CLOSE_WAIT:200ms", "server"];
        let outcome =
            run(&[&["check", "-j", "-i", "20ms", "--max-cpu", "100"][..], &stuck].concat());
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        let sockets: Vec<Listed> = outcome.stdout.lines().map(Listed::parse).collect();
        assert_eq!(sockets.len(), 2, "{outcome:?}");
        for socket in sockets {
            assert_eq!((socket.state.as_str(), socket.pid), ("CLOSE_WAIT", Some(server.pid())));
            assert!(socket.held.is_some_and(|held| held >= 0.2) && socket.held_at_least);
        }
        let message = "2 sockets in CLOSE_WAIT for 200ms or longer\n";
        assert!(outcome.stderr.contains(message), "{outcome:?}");
    });
}

/// Whichever source polls, and several namespaces too: what it takes to decide comes in time.
#[test]
fn check_answers_by_every_source_whatever_the_interval() {
    isolated(|| {
        let mut server = Actor::start("server");
        server.order("listen l 127.0.0.1:7000 8");
        let check = ["check", "-i", "1h", "--max", "LISTEN:1", "--stuck", "LISTEN:50ms"];
        for source in ["proc", "netlink", "auto"] {
            for netns in [&[][..], &["--netns", "/proc/self/ns/net"]] {
                let outcome = run(&[&check, &["--source", source][..], netns].concat());
                assert_eq!(outcome.code, Some(1), "{source} {netns:?}: {outcome:?}");
            }
        }
    });
}

/// One look has no use for kernel events.
#[test]
fn a_single_look_by_the_best_source_takes_no_kernel_events() {
    isolated(|| {
        let check = |more: &[&str]| {
            let outcome =
                run(&[&["check", "--source", "auto", "--max", "all:0"][..], more].concat());
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
            outcome.stderr
        };
        if !check(&["--for", "10ms"]).contains("using --source trace\n") {
            return skip(Feature::Trace, "kernel events are not permitted");
        }
        assert_eq!(check(&[]), "");
    });
}

#[test]
fn ports_run_out_by_the_range_of_the_namespace() {
    isolated(|| {
        let range = "/proc/sys/net/ipv4/ip_local_port_range";
        if std::fs::write(range, "40000 40009").is_err() {
            return skip(Feature::Netns, "the range of local ports cannot be set");
        }
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        server.order("listen l 127.0.0.1:7000 8");
        for name in ["one", "two", "three", "four"] {
            client.connect(name, "127.0.0.1:7000");
            server.accept("l");
        }
        for source in ["proc", "netlink"] {
            let check = |percent: &str| {
                run(&["check", "-H", "--ports", percent, "-i", "10ms", "--source", source])
            };
            let (found, clear) = (check("40%"), check("50%"));
            assert_eq!((found.code, clear.code), (Some(1), Some(0)), "{found:?} {clear:?}");
            let words: Vec<&str> = found.stdout.split_whitespace().collect();
            assert_eq!(words, ["127.0.0.1", "127.0.0.1:7000", "4", "0", "10", "40.0"]);
        }
    });
}
