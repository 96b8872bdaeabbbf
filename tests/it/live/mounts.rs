//! procfs as careful administrators mount it.

use crate::old_support::actor::Actor;
use crate::old_support::mounts::mount_privately;
use crate::old_support::netns::{isolated, skip};
use crate::old_support::program::{Watch, list, list_as_nobody, run_as_nobody};
use std::net::SocketAddrV4;
use std::path::Path;

/// A listener, and procfs mounted with these options; `None` where that may not be.
fn stage(options: &str) -> Option<(Actor, SocketAddrV4)> {
    if let Err(errno) = mount_privately("proc", Path::new("/proc"), Some(options)) {
        skip(&format!("no procfs with {options}: {errno}"));
        return None;
    }
    let mut server = Actor::start("server");
    let local = server.addr("listen l 127.0.0.1:0 8");
    Some((server, local))
}

#[test]
fn with_hidepid_the_sockets_of_others_are_shown_and_their_owners_are_said_to_be_hidden() {
    isolated(|| {
        let Some((server, local)) = stage("hidepid=2") else { return };
        let ours = list(&["-x", "server"]);
        assert_eq!((ours.len(), ours[0].pid), (1, Some(server.pid())), "nothing is hidden from us");
        let Some(theirs) = list_as_nobody(&[]) else { return skip("nobody may not run it") };
        assert_eq!((theirs.len(), theirs[0].local()), (1, local.into()), "{theirs:?}");
        let owner = (theirs[0].pid, theirs[0].owner_source.as_str());
        assert_eq!((theirs[0].state.as_str(), owner), ("LISTEN", (None, "denied")));
        assert!(theirs[0].owners.is_empty(), "{theirs:?}");
        let told = |args: &[&str]| {
            let output = run_as_nobody(args).expect("it could be run before");
            assert!(output.stdout.is_empty(), "{output:?}");
            let said = String::from_utf8(output.stderr).expect("UTF-8");
            assert_eq!(said.lines().count(), 1, "{said}");
            (output.status.code(), said)
        };
        let (status, said) = told(&["list", "-x", "server"]);
        assert_eq!(status, Some(1));
        assert!(
            said.contains("1 of them could belong to processes that may not be read"),
            "{said}"
        );
        let (status, said) = told(&["wait", "-x", "server", "--until", "none LISTEN"]);
        assert_eq!(status, Some(2), "what cannot be seen is not gone: {said}");
    });
}

#[test]
fn with_hidepid_a_look_for_a_process_counts_all_that_could_be_its_own() {
    isolated(|| {
        let Some((mut server, local)) = stage("hidepid=2") else { return };
        let mut client = Actor::start("client");
        client.tell(&format!("connect c 127.0.0.1:0 {local}"));
        server.tell("accept l");
        let count = |args: &[&str]| {
            let output = run_as_nobody(&[&["list", "-x", "server"], args].concat())?;
            assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
            let said = String::from_utf8(output.stderr).expect("UTF-8");
            let hidden = said.strip_prefix("tcplapse: ").and_then(|said| said.split(' ').next());
            Some(hidden.and_then(|count| count.parse().ok()).unwrap_or(0))
        };
        let Some(all) = count(&[]) else { return skip("nobody may not run it") };
        assert_eq!(all, 3, "the listener and both ends");
        assert_eq!(count(&["-s", "ESTABLISHED"]), Some(2));
        assert_eq!(count(&["-l"]), Some(1));
        assert_eq!(count(&["--local", &local.to_string()]), Some(2));
        assert_eq!(count(&["--port", "1"]), Some(0));
    });
}

#[test]
fn a_procfs_of_processes_alone_has_the_tables_and_the_owners() {
    isolated(|| {
        let Some((mut server, local)) = stage("subset=pid") else { return };
        assert!(!Path::new("/proc/net").exists(), "it has no more than processes");
        for source in ["proc", "netlink"] {
            let rows = list(&["-x", "server", "--source", source]);
            assert_eq!((rows.len(), rows[0].pid), (1, Some(server.pid())), "{rows:?}");
        }
        let watch = Watch::start(&["-x", "client", "-i", "20ms"]);
        let mut client = Actor::start("client");
        client.tell(&format!("connect c 127.0.0.1:0 {local}"));
        let told = watch.until("the connection", |told| told.to == "ESTABLISHED");
        assert_eq!((told.pid, told.owner_source.as_str()), (Some(client.pid()), "proven"));
        server.tell("accept l");
        client.tell("close c");
        watch.until("its end", |told| told.event == "closed" || told.to == "FIN_WAIT2");
        watch.stop();
    });
}
