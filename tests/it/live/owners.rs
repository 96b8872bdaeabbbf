//! Owners that one search of the descriptors of a process does not find.

use crate::support::actor::Actor;
use crate::support::netns::isolated;
use crate::support::program::{Program, list, run};
use crate::support::require::{Feature, skip};
use crate::support::wait::until;

const OFTEN: [&str; 2] = ["-i", "20ms"];
/// As many as a limit of 20,000 leaves room for.
const DESCRIPTORS: u64 = 19_900;

#[test]
fn the_listener_owns_a_connection_until_it_is_accepted() {
    isolated(|| {
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        server.order("listen l 127.0.0.1:7000 8");
        let mut watch = Program::watch(&["--local", "127.0.0.1:7000", OFTEN[0], OFTEN[1]]);
        client.connect("c", "127.0.0.1:7000");
        let before = watch.until("the connection", |event| event.to == "ESTABLISHED");
        assert_eq!((before.pid, before.owner_source.as_str()), (Some(server.pid()), "listener"));
        assert_eq!((before.inode, before.opener.as_deref()), (None, Some("remote")));
        assert!(before.owners.is_empty(), "{before:?}");

        server.accept("l");
        client.order("shutdown c");
        let after = watch.until("the client's FIN", |event| event.to == "CLOSE_WAIT");
        assert_eq!((after.pid, after.owner_source.as_str()), (Some(server.pid()), "proven"));
        assert_eq!(after.id, before.id, "accept() makes no new socket");
        assert_eq!(after.owners.len(), 1, "{after:?}");
        assert!(after.inode.is_some() && after.closer.as_deref() == Some("remote"), "{after:?}");
        watch.stop();
    });
}

#[test]
fn a_socket_of_a_thread_with_its_own_descriptors_is_found() {
    isolated(|| {
        let mut holder = Actor::start("holder");
        let local = holder.addr("private 127.0.0.1:0");
        let pid = holder.pid().to_string();
        for args in [&["--pid", &pid][..], &["-x", "holder"], &[]] {
            let rows = list(args);
            let row = rows.iter().find(|row| row.local() == local.into());
            let row = row.unwrap_or_else(|| panic!("not found with {args:?}: {rows:?}"));
            assert_eq!((row.state.as_str(), row.pid), ("LISTEN", Some(holder.pid())), "{args:?}");
            assert_eq!(row.owner_source, "proven", "{row:?}");
        }
    });
}

/// Its table has as many descriptors as that of its process, and the newest ones lead to the same files.
#[test]
fn a_thread_that_has_closed_a_descriptor_is_no_all_clear() {
    isolated(|| {
        let mut holder = Actor::start("holder");
        holder.order("descriptors 20");
        holder.order("private-instead 127.0.0.1:0");
        let pid = holder.pid().to_string();
        let outcome = run(&["check", "--max", "LISTEN:0", "--pid", &pid, OFTEN[0], OFTEN[1]]);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stdout.contains("/holder"), "{outcome:?}");
    });
}

#[test]
fn a_descriptor_that_is_used_again_leads_to_its_new_socket() {
    isolated(|| {
        let (mut busy, mut idle) = (Actor::start("busy"), Actor::start("idle"));
        idle.order("listen l 127.0.0.1:0 1");
        busy.order("listen l0 127.0.0.1:0 1");
        let mut watch = Program::watch(&OFTEN);
        let mut opened = |local: std::net::SocketAddrV4| {
            let new = watch.until("the next listener", |event| {
                event.event == "opened" && event.local() == local.into()
            });
            assert_eq!((new.to.as_str(), new.owner_source.as_str()), ("LISTEN", "proven"));
            new.pid
        };
        for n in 0..6 {
            busy.order(&format!("close l{n}"));
            let local = busy.addr(&format!("listen l{} 127.0.0.1:0 1", n + 1));
            assert_eq!(opened(local), Some(busy.pid()));
        }
        let local = idle.addr("listen m 127.0.0.1:0 1");
        assert_eq!(opened(local), Some(idle.pid()), "it has run since the last poll");
    });
}

#[test]
fn list_prints_what_watch_reports_as_present() {
    isolated(|| {
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        server.order("listen l 127.0.0.1:7000 8");
        client.connect("accepted", "127.0.0.1:7000");
        server.accept("l");
        client.connect("waiting", "127.0.0.1:7000");
        until("both connections", || (list(&["-s", "ESTABLISHED"]).len() == 4).then_some(()));
        for (name, expected) in [("server", 3), ("client", 2)] {
            let mut listed: Vec<_> = list(&["-x", name])
                .into_iter()
                .map(|row| {
                    (row.local(), row.remote(), row.state, row.pid, row.inode, row.owner_source)
                })
                .collect();
            let mut watch = Program::watch(&["-x", name, OFTEN[0], OFTEN[1]]);
            let mut present: Vec<_> = (0..expected)
                .map(|_| watch.until("a socket", |event| event.event == "present"))
                .map(|event| {
                    let (local, remote) = (event.local(), event.remote());
                    (local, remote, event.to, event.pid, event.inode, event.owner_source)
                })
                .collect();
            listed.sort();
            present.sort();
            assert_eq!(listed, present, "{name}");
        }
        assert!(list(&["-x", "nobody-else"]).is_empty());
    });
}

#[test]
fn a_filter_by_process_leaves_others_out() {
    isolated(|| {
        let (mut one, mut other) = (Actor::start("one"), Actor::start("other"));
        let local = one.addr("listen l 127.0.0.1:0 1");
        other.order("listen l 127.0.0.2:0 1");
        let pid = one.pid().to_string();
        for args in [["--pid", &pid], ["-x", "one"]] {
            let rows = list(&args);
            assert_eq!(rows.len(), 1, "{args:?}: {rows:?}");
            assert_eq!(rows[0].local(), local.into());
        }
    });
}

#[test]
fn a_socket_is_found_behind_thousands_of_descriptors() {
    isolated(|| {
        let mut holder = Actor::start("holder");
        if let Err(error) = holder.ask(&format!("descriptors {DESCRIPTORS}")) {
            return skip(Feature::Descriptors, &error);
        }
        holder.order("listen l 127.0.0.1:0 1");
        let fd: i32 = holder.order("fd l").parse().expect("a number");
        assert!(u64::try_from(fd).expect("a descriptor") >= DESCRIPTORS, "{fd}");
        for args in [&[][..], &["-x", "holder"]] {
            let rows = list(args);
            assert_eq!(rows.len(), 1, "{rows:?}");
            let owners: Vec<_> = rows[0].owners.iter().map(|owner| (owner.pid, owner.fd)).collect();
            assert_eq!(owners, [(holder.pid(), fd)]);
        }
    });
}
