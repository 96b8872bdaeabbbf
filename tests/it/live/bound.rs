//! Sockets that are bound and neither listen nor connect.

use crate::support::netns::isolated;
use crate::support::program::{Program, command, run};
use crate::support::require::{Feature, skip};
use crate::support::sockets::{ANY_PORT, bound, end};

#[test]
fn a_bound_socket_is_listed_where_it_is_asked_for() {
    isolated(|| {
        let socket = bound(ANY_PORT).expect("a port is free");
        let port = end(&socket.local_addr()).port().to_string();
        let list = |args: &[&str]| run(&[&["list", "-j", "--source", "netlink"], args].concat());
        let found = list(&["-s", "bound"]);
        if found.stderr.contains("Linux 6.8") {
            return skip(Feature::Bound, &found.stderr);
        }
        for outcome in [found, list(&["--port", &port])] {
            let expected = format!(r#""local_port":{port}"#);
            assert!(outcome.stdout.contains(&expected), "{outcome:?}");
            assert!(outcome.stdout.contains(r#""state":"BOUND""#), "{outcome:?}");
            let owner = format!(r#""pid":{}"#, std::process::id());
            assert!(outcome.stdout.contains(&owner), "{outcome:?}");
        }
        for other in [&[][..], &["-s", "all"], &["-l", "--port", &port]] {
            assert_eq!(list(other).code, Some(1), "{other:?}");
        }
        socket.listen(8).expect("it is bound");
        assert_eq!(list(&["-s", "bound"]).code, Some(1));
    });
}

#[test]
fn the_table_shows_a_bound_socket_and_events_do_not() {
    isolated(|| {
        let socket = bound(ANY_PORT).expect("a port is free");
        let port = end(&socket.local_addr()).port().to_string();
        let watch = |view: &str| {
            run(&["--source", "netlink", "--port", &port, "--view", view, "--for", "300ms"])
        };
        let table = watch("table").stdout;
        if !table.contains("BOUND") {
            return skip(Feature::Bound, &table);
        }
        assert!(table.contains(&format!("127.0.0.1:{port}")), "{table}");
        let events = watch("events").stdout;
        assert!(!events.contains(&port), "{events}");
    });
}

#[test]
fn bound_is_refused_where_it_is_not_shown() {
    for line in [
        "list -s bound",
        "watch -s bound --source netlink",
        "--view table -s bound",
        "--view table -s bound --source netlink --record /tmp/x",
        "check --max bound:1",
        "wait -s bound",
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let outcome = Program::spawn(command(&args)).finish();
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains("BOUND has no transitions"), "{outcome:?}");
    }
}
