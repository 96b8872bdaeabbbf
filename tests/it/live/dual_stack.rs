//! Listeners on `::` that accept IPv4, too, and others that do not.

use crate::support::netns::isolated;
use crate::support::program::{Program, list, run};
use crate::support::record::Listed;
use crate::support::require::{Feature, skip};
use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// A listener on `::`, and its port.
fn listener(only_ipv6: bool) -> (Socket, u16) {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None).expect("a kernel with IPv6");
    socket.set_only_v6(only_ipv6).expect("it is not bound");
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into()).expect("a port is free");
    socket.listen(3).expect("it is bound");
    let port = socket.local_addr().ok().and_then(|addr| addr.as_socket()).expect("bound").port();
    (socket, port)
}

#[test]
fn a_filter_for_ipv4_finds_a_listener_that_accepts_it() {
    isolated(|| {
        let ((_dual, dual), (_only, only)) = (listener(false), listener(true));
        for source in ["proc", "netlink"] {
            let ports = |args: &[&str]| -> Vec<u16> {
                let args = [&["-l", "--source", source], args].concat();
                list(&args).iter().map(|row: &Listed| row.local_port).collect()
            };
            assert_eq!(ports(&["-4"]), [dual], "{source}");
            assert_eq!(ports(&["--local", "0.0.0.0/0"]), [dual], "{source}");
            assert_eq!(ports(&["-6"]).len(), 2, "{source}");
            let args = ["-6", "--source", source, "--local", &format!(":{only}")];
            assert_eq!(list(&args)[0].ipv6_only, Some(true), "{source}");
            let table = run(&["list", "-H", "-l", "--source", source]).stdout;
            assert!(table.contains(&format!(" *:{dual} ")), "{source}: {table}");
            assert!(table.contains(&format!(" [::]:{only} ")), "{source}: {table}");
            assert!(table.contains(" 0/3 "), "{source}: {table}");
            let (dual, only) = (dual.to_string(), only.to_string());
            let wait = |port: &str, until: &str| {
                let args = ["-4", "--port", port, "--until", until, "--timeout", "10s"];
                run(&[&["wait", "--source", source, "-i", "5ms"], &args[..]].concat()).code
            };
            assert_eq!(wait(&dual, "any LISTEN"), Some(0), "{source}");
            assert_eq!(wait(&only, "none LISTEN"), Some(0), "{source}");
            let args = ["-4", "--port", &dual, "--max", "LISTEN:0", "--for", "0", "-i", "5ms"];
            let check = run(&[&["check", "--source", source], &args[..]].concat());
            assert_eq!(check.code, Some(1), "{source}: {check:?}");
        }
    });
}

/// The kernel still has the remote address of an earlier connect().
#[test]
fn a_listener_that_tried_to_connect_before_has_no_other_end() {
    isolated(|| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        // A port that the kernel has chosen would be taken away with the failure.
        let port = 7000;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).expect("it is free");
        let nobody = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), port));
        socket.connect(&nobody.into()).expect_err("nobody listens there");
        let traces = run(&["--source", "trace", "--for", "1ms"]).code == Some(0);
        let mut watch =
            traces.then(|| Program::watch(&["-l", "--source", "trace", "-i", "1m", "--for", "1m"]));
        socket.listen(1).expect("it is bound");
        for source in ["proc", "netlink"] {
            let rows = list(&["-l", "--source", source]);
            assert_eq!((rows.len(), rows[0].remote().to_string()), (1, "0.0.0.0:0".to_owned()));
        }
        if let Some(watch) = &mut watch {
            watch.until("the listener", |event| event.to == "LISTEN");
            // The next poll shows the same socket.
            watch.signal(Signal::SIGUSR1);
            watch.message_with("seen: 1 socket ");
        }
    });
}

#[test]
fn a_new_listener_that_accepts_ipv4_is_reported_by_trace() {
    isolated(|| {
        let tried = run(&["--source", "trace", "--for", "1ms"]);
        if tried.code != Some(0) {
            return skip(Feature::Trace, &tried.stderr);
        }
        let mut watch = Program::watch(&["-4", "-l", "--source", "trace", "-i", "10s"]);
        let (_only, _) = listener(true);
        let (_dual, port) = listener(false);
        let event = watch.event();
        assert_eq!((event.local_port, event.to.as_str()), (port, "LISTEN"), "{event:?}");
        assert_eq!(event.ipv6_only, Some(false), "{event:?}");
        watch.stop();
    });
}
