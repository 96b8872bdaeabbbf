//! Whose socket it is, where that is not plain.

use crate::old_support::actor::Actor;
use crate::old_support::netns::isolated;
use crate::old_support::program::{Watch, list};

const QUICK: [&str; 2] = ["-i", "20ms"];

#[test]
fn a_child_belongs_to_its_listener_until_somebody_accepts_it() {
    isolated(|| {
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        server.tell("listen l 127.0.0.1:7000 8");
        let watch = Watch::start(&["--local", "127.0.0.1:7000", QUICK[0], QUICK[1]]);
        watch.until("the listener", |told| told.to == "LISTEN");
        let name = client.tell("connect c 127.0.0.1:0 127.0.0.1:7000");
        let child = watch.until("the child", |told| told.to == "ESTABLISHED");
        assert_eq!((child.pid, child.owner_source.as_str()), (Some(server.pid()), "listener"));
        assert_eq!((child.inode, child.opener.as_deref()), (None, Some("remote")));
        assert!(child.owners.is_empty(), "{child:?}");

        assert_eq!(server.tell("accept l"), name);
        client.tell("shutdown c");
        let accepted = watch.until("the client's FIN", |told| told.to == "CLOSE_WAIT");
        assert_eq!((accepted.pid, accepted.owner_source.as_str()), (Some(server.pid()), "proven"));
        assert_eq!(accepted.id, child.id, "an accept is no new life");
        assert_eq!(accepted.owners.len(), 1, "{accepted:?}");
        assert!(accepted.inode.is_some() && accepted.closer.as_deref() == Some("remote"));
        watch.stop();
    });
}

#[test]
fn a_socket_in_a_thread_with_a_descriptor_table_of_its_own_is_found() {
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

#[test]
fn who_opens_a_socket_for_each_that_it_closes_is_looked_into_each_time() {
    isolated(|| {
        let (mut busy, mut idle) = (Actor::start("busy"), Actor::start("idle"));
        idle.tell("listen l 127.0.0.1:0 1");
        busy.tell("listen l0 127.0.0.1:0 1");
        let watch = Watch::start(&QUICK);
        for n in 0..6 {
            busy.tell(&format!("close l{n}"));
            let local = busy.addr(&format!("listen l{} 127.0.0.1:0 1", n + 1));
            let seen = watch.until("the next one", |told| told.local() == local.into());
            assert_eq!((seen.to.as_str(), seen.pid), ("LISTEN", Some(busy.pid())), "{seen:?}");
            assert_eq!(seen.owner_source, "proven", "{seen:?}");
        }
        let local = idle.addr("listen m 127.0.0.1:0 1");
        let seen = watch.until("the idle one's", |told| told.local() == local.into());
        assert_eq!(seen.pid, Some(idle.pid()), "it has run again: {seen:?}");
        watch.stop();
    });
}

#[test]
fn one_look_for_a_process_shows_what_a_watch_of_it_shows_first() {
    isolated(|| {
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        server.tell("listen l 127.0.0.1:7000 8");
        client.tell("connect held 127.0.0.1:0 127.0.0.1:7000");
        server.tell("accept l");
        client.tell("connect waiting 127.0.0.1:0 127.0.0.1:7000");
        for (name, expected) in [("server", 3), ("client", 2)] {
            let listed = list(&["-x", name]);
            assert_eq!(listed.len(), expected, "{listed:?}");
            let watch = Watch::start(&["-x", name, QUICK[0], QUICK[1]]);
            for row in listed {
                let told = watch.until("what was listed", |told| {
                    let same = (told.local(), told.remote()) == (row.local(), row.remote());
                    told.event == "present" && same
                });
                assert_eq!((told.to, told.pid), (row.state, row.pid));
                assert_eq!((told.inode, told.owner_source), (row.inode, row.owner_source));
            }
            watch.stop();
        }
        assert!(list(&["-x", "nobody-else"]).is_empty());
    });
}

#[test]
fn a_filter_by_process_hides_what_others_hold() {
    isolated(|| {
        let (mut one, mut other) = (Actor::start("one"), Actor::start("other"));
        let local = one.addr("listen l 127.0.0.1:0 1");
        other.tell("listen l 127.0.0.2:0 1");
        let pid = one.pid().to_string();
        for args in [["--pid", &pid], ["-x", "one"]] {
            let rows = list(&args);
            assert_eq!(rows.len(), 1, "{args:?}: {rows:?}");
            assert_eq!(rows[0].local(), local.into());
        }
    });
}
