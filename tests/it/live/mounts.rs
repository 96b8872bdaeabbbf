//! procfs with mount options that hide things.

use crate::support::actor::Actor;
use crate::support::mounts::mount_privately;
use crate::support::netns::isolated;
use crate::support::program::{Program, list, run_as_nobody};
use crate::support::require::{Feature, skip};
use std::net::SocketAddrV4;
use std::os::unix::fs::symlink;
use std::path::Path;

const NO_OTHER_USER: &str = "this user may not become another";

/// Mounts procfs with these options and starts a process with a listener; `None` where that is not
/// permitted.
fn listener_below(options: &str) -> Option<(Actor, SocketAddrV4)> {
    if let Err(errno) = mount_privately("proc", Path::new("/proc"), Some(options)) {
        skip(Feature::Mount, &format!("no procfs with {options}: {errno}"));
        return None;
    }
    let mut server = Actor::start("server");
    let local = server.addr("listen l 127.0.0.1:0 8");
    Some((server, local))
}

#[test]
fn hidepid_hides_owners_but_not_sockets() {
    isolated(|| {
        let Some((server, local)) = listener_below("hidepid=2") else { return };
        let as_root = list(&["-x", "server"]);
        assert_eq!((as_root.len(), as_root[0].pid), (1, Some(server.pid())));
        let Some(outcome) = run_as_nobody(&["list", "-j"]) else {
            return skip(Feature::OtherUser, NO_OTHER_USER);
        };
        let rows = outcome.listed();
        assert_eq!((rows.len(), rows[0].local()), (1, local.into()), "{rows:?}");
        let owner = (rows[0].pid, rows[0].owner_source.as_str());
        assert_eq!((rows[0].state.as_str(), owner), ("LISTEN", (None, "denied")));
        assert!(rows[0].owners.is_empty(), "{rows:?}");

        let refused = |args: &[&str], code| {
            let outcome = run_as_nobody(args).expect("it could be run before");
            assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(code), ""), "{outcome:?}");
            let messages = outcome.messages();
            assert_eq!(messages.lines().count(), 1, "{messages}");
            messages
        };
        let message = refused(&["list", "-x", "server"], 1);
        let hidden = "(1 may match, but cannot be inspected; run as root)";
        assert!(message.contains(hidden), "{message}");
        // A listener that cannot be attributed is not known to be gone.
        refused(&["wait", "-x", "server", "--until", "none LISTEN"], 2);
    });
}

#[test]
fn hidepid_counts_the_sockets_that_could_match() {
    isolated(|| {
        let Some((mut server, local)) = listener_below("hidepid=2") else { return };
        let mut client = Actor::start("client");
        client.connect("c", &local.to_string());
        server.accept("l");
        let hidden = |args: &[&str]| {
            let outcome = run_as_nobody(&[&["list", "-x", "server"], args].concat())?;
            assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
            let messages = outcome.messages();
            let count = messages.strip_prefix("tcplapse: ").and_then(|text| text.split(' ').next());
            Some(count.and_then(|count| count.parse().ok()).unwrap_or(0))
        };
        let Some(all) = hidden(&[]) else { return skip(Feature::OtherUser, NO_OTHER_USER) };
        assert_eq!(all, 3, "the listener and both ends");
        assert_eq!(hidden(&["-s", "ESTABLISHED"]), Some(2));
        assert_eq!(hidden(&["-l"]), Some(1));
        assert_eq!(hidden(&["--local", &local.to_string()]), Some(2));
        assert_eq!(hidden(&["--port", "1"]), Some(0));
    });
}

#[test]
fn a_procfs_of_processes_alone_suffices() {
    isolated(|| {
        let Some((mut server, local)) = listener_below("subset=pid") else { return };
        assert!(!Path::new("/proc/net").exists(), "it has processes and nothing else");
        for source in ["proc", "netlink"] {
            let rows = list(&["-x", "server", "--source", source]);
            assert_eq!((rows.len(), rows[0].pid), (1, Some(server.pid())), "{rows:?}");
        }
        let mut watch = Program::watch(&["-x", "client", "-i", "20ms"]);
        let mut client = Actor::start("client");
        client.connect("c", &local.to_string());
        let open = watch.until("the connection", |event| event.to == "ESTABLISHED");
        assert_eq!((open.pid, open.owner_source.as_str()), (Some(client.pid()), "proven"));
        server.accept("l");
        client.order("close c");
        watch.until("the client's FIN", |event| event.to == "FIN_WAIT2");
        watch.stop();
    });
}

/// As on kernels before 3.17.
#[test]
fn sockets_are_read_where_there_is_no_thread_self() {
    isolated(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let real = folder.path().join("proc");
        std::fs::create_dir(&real).expect("it is ours");
        let mut server = Actor::start("server");
        let local = server.addr("listen l 127.0.0.1:0 8");
        let mounted = mount_privately("proc", &real, None)
            .and_then(|()| mount_privately("tmpfs", Path::new("/proc"), None));
        if let Err(errno) = mounted {
            return skip(Feature::Mount, &format!("no procfs of the test's own: {errno}"));
        }
        for entry in real.read_dir().expect("procfs") {
            let name = entry.expect("procfs").file_name();
            if name != "thread-self" {
                let link = Path::new("/proc").join(&name);
                symlink(real.join(&name), link).expect("it is ours");
            }
        }
        for source in ["proc", "netlink"] {
            let rows = list(&["--source", source]);
            assert_eq!((rows.len(), rows[0].local()), (1, local.into()), "{source}: {rows:?}");
        }
        let mut watch = Program::watch(&["-s", "LISTEN"]);
        assert_eq!(watch.event().local(), local.into());
        watch.stop();
    });
}
