//! How connections end that never were, by kernel events; and that none is missed from `ready` on.

use super::trace::is_permitted;
use crate::support::actor::Actor;
use crate::support::netns::isolated;
use crate::support::program::{Program, run};
use crate::support::record::Event;
use crate::support::require::{Feature, skip};
use std::process::Command;

const BY_EVENTS: [&str; 4] = ["--source", "trace", "-i", "1m"];
/// Nobody has it.
const NOBODY: &str = "10.7.0.9";

fn until_closed(watch: &mut Program, remote: &str) -> Event {
    watch.until("an end", |event| event.event == "closed" && event.remote().to_string() == remote)
}

fn verdict(event: &Event) -> Option<&str> {
    event.verdict.as_deref()
}

#[test]
fn each_reason_of_a_failed_connect_is_reported() {
    const DEAF: &str = "127.0.0.1:7000";
    const REFUSING: &str = "127.0.0.1:7001";
    const SERVER: &str = "127.0.0.1:7002";
    isolated(|| {
        if !is_permitted() {
            return;
        }
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        let mut watch = Program::watch(&BY_EVENTS);
        server.order(&format!("listen deaf {DEAF} 1"));
        server.order("drop syn deaf");

        client.connect("given-up", DEAF);
        client.order("close given-up");
        let closed = until_closed(&mut watch, DEAF);
        let owner = (closed.pid, closed.owner_source.as_str());
        assert_eq!((verdict(&closed), owner), (Some("no-answer"), (Some(client.pid()), "proven")));

        client.connect("refused", REFUSING);
        let closed = until_closed(&mut watch, REFUSING);
        assert_eq!(
            (verdict(&closed), closed.reset_by.as_deref()),
            (Some("refused"), Some("remote"))
        );
        assert_eq!((closed.pid, closed.owner_source.as_str()), (Some(client.pid()), "remembered"));

        if std::fs::write("/proc/sys/net/ipv4/tcp_syn_retries", "1").is_err() {
            return skip(Feature::Sysctl, "tcp_syn_retries cannot be set");
        }
        let port_range = "/proc/sys/net/ipv4/ip_local_port_range";
        server.order(&format!("listen l {SERVER} 8"));
        std::fs::write(port_range, "41000 41000").expect("the other one could be set");
        client.order(&format!("connect last unbound {SERVER}"));
        assert_eq!(
            client.ask(&format!("connect none unbound {SERVER}")),
            Err("AddrNotAvailable".into())
        );
        let closed = until_closed(&mut watch, SERVER);
        assert_eq!((verdict(&closed), closed.local_port), (Some("no-port"), 0));
        assert_eq!((closed.pid, closed.owner_source.as_str()), (Some(client.pid()), "proven"));
        client.order("close last");
        std::fs::write(port_range, "32768 60999").expect("it could be set before");

        client.connect("unanswered", DEAF);
        let closed = until_closed(&mut watch, DEAF);
        assert_eq!((verdict(&closed), &closed.reset_by), (Some("timed-out"), &None));
        watch.stop();
    });
}

/// The kernel looks for a route before a socket leaves CLOSED.
#[test]
fn run_says_why_a_connect_without_a_route_is_not_seen() {
    isolated(|| {
        if !is_permitted() {
            return;
        }
        let connect = ["run", "--", "bash", "-c", "exec 3<>/dev/tcp/203.0.113.8/80"];
        let outcome = run(&connect);
        assert!(outcome.stderr.contains("where there is no route"), "{outcome:?}");
    });
}

#[test]
fn a_host_that_is_not_there_is_reported_as_unreachable() {
    isolated(|| {
        if !is_permitted() {
            return;
        }
        let commands = [
            "link add near type veth peer name far",
            "addr add 10.7.0.1/24 dev near",
            "link set near up",
            "link set far up",
        ];
        let made = commands.iter().all(|command| {
            let ip = Command::new("ip").args(command.split(' ')).status();
            ip.is_ok_and(|status| status.success())
        });
        if !made {
            return skip(Feature::Ip, "a link cannot be made here");
        }
        let mut client = Actor::start("client");
        let mut watch = Program::watch(&BY_EVENTS);
        client.order(&format!("connect c unbound {NOBODY}:80"));
        let closed = until_closed(&mut watch, &format!("{NOBODY}:80"));
        assert_eq!(verdict(&closed), Some("unreachable"), "{closed:?}");
        watch.stop();
    });
}

#[test]
fn from_ready_on_every_connect_is_seen() {
    const TIMES: u16 = 3;
    isolated(|| {
        if !is_permitted() {
            return;
        }
        let mut client = Actor::start("client");
        for port in 1..=TIMES {
            // It returns when `ready` has been written.
            let mut watch = Program::watch(&["--source", "trace"]);
            let refusing = format!("127.0.0.1:{port}");
            client.connect("c", &refusing);
            let opened = watch.until("the SYN", |event| event.to == "SYN_SENT");
            assert_eq!((opened.event.as_str(), opened.remote_port), ("opened", port), "{opened:?}");
            let closed = until_closed(&mut watch, &refusing);
            assert_eq!((verdict(&closed), &closed.id), (Some("refused"), &opened.id));
            watch.stop();
        }
    });
}
