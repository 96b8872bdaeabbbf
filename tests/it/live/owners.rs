//! Whose socket it is, where that is not plain.

use crate::support::actor::Actor;
use crate::support::netns::isolated;
use crate::support::program::{Watch, list};

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
