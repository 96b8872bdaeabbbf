//! Another network namespace, seen through the procfs of a process in it.

use crate::support::actor::Actor;
use crate::support::netns::isolated;
use crate::support::program::Program;
use crate::support::require::{Feature, skip};
use nix::sched::{CloneFlags, unshare};
use std::os::unix::fs::symlink;

/// With `--procfs`, the namespace of its process 1 is watched.
#[test]
fn a_namespace_that_goes_away_is_an_error() {
    isolated(|| {
        let procfs = tempfile::tempdir().expect("a folder");
        let start = || unshare(CloneFlags::CLONE_NEWNET).map(|()| Actor::start("inmate"));
        let inmate = std::thread::scope(|scope| scope.spawn(start).join().expect("no panic"));
        let mut inmate = match inmate {
            Ok(inmate) => inmate,
            Err(errno) => return skip(Feature::Netns, &format!("no second namespace: {errno}")),
        };
        inmate.order("listen l 127.0.0.1:7000 1");
        symlink(format!("/proc/{}", inmate.pid()), procfs.path().join("1")).expect("it is ours");
        let procfs = procfs.path().to_str().expect("UTF-8");
        let mut watch = Program::watch(&["-i", "10ms", "--procfs", procfs]);
        assert_eq!(watch.event().to, "LISTEN");
        // A process that exits by itself may close its sockets long before its namespace is gone.
        inmate.kill();
        let rest = watch.rest();
        // Of its two tables one may have been read before it was gone, and not the other.
        let is_lost = |line: &String| line.contains(r#""event":"lost""#);
        assert!(rest.iter().all(is_lost), "its sockets are not known to be closed: {rest:?}");
        let outcome = watch.finish();
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        let messages = outcome.messages();
        let is_unreadable = |line: &str| line.starts_with("tcplapse: cannot read ");
        assert!((1..=2).contains(&messages.lines().count()), "{messages}");
        assert!(messages.lines().all(is_unreadable), "{messages}");
    });
}
