//! A network namespace of the test's own, with nothing in it but loopback.

use super::loopback;
use super::require::{Feature, skip};
use super::stall::repeat_if_stalled;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use std::cell::Cell;
use std::panic::resume_unwind;
use std::process::Command;

/// Set in a copy of this test that already runs in a user namespace.
const NESTED: &str = "TCPLAPSE_TEST_NESTED";

/// Runs the body of a test in a thread with a network namespace of its own; what it starts
/// inherits it. A run in which the machine stalled is repeated, in a new namespace. Without the
/// right to make one, the test runs itself again through `unshare -Urn`; where that fails too it is
/// skipped.
pub(crate) fn isolated<F: Fn() + Send + Sync>(body: F) {
    let test = test_name::<F>();
    let run = || {
        let refused = Cell::new(None);
        repeat_if_stalled(|| match unshare_with_small_table() {
            Ok(()) => {
                loopback::up();
                body();
            }
            Err(errno) => refused.set(Some(errno)),
        });
        refused.get()
    };
    let result = std::thread::scope(|scope| scope.spawn(run).join());
    match result {
        Ok(None) => {}
        Ok(Some(Errno::EPERM)) if std::env::var_os(NESTED).is_none() => again_unprivileged(&test),
        Ok(Some(errno)) => skip(Feature::Netns, &format!("no network namespace: {errno}")),
        Err(panic) => resume_unwind(panic),
    }
}

/// Gives this thread a network namespace with a table of sockets of its own, with few buckets: that which
/// namespaces share has hundreds of thousands, and every poll walks through all of them.
fn unshare_with_small_table() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    // Of namespaces made in this one. Kernels before 6.1 do not have it, and share the table.
    if std::fs::write("/proc/sys/net/ipv4/tcp_child_ehash_entries", "1024").is_ok() {
        unshare(CloneFlags::CLONE_NEWNET)?;
    }
    Ok(())
}

/// Whether the namespaces of this test belong to a user namespace, in which an ordinary user is root.
pub(crate) fn is_unprivileged() -> bool {
    std::env::var_os(NESTED).is_some()
}

/// The name of the thread; where tests run on the main thread, the body is a closure of the test, so
/// that the name of its type holds that of the test.
fn test_name<F>() -> String {
    let thread = std::thread::current();
    if let Some(name) = thread.name().filter(|name| *name != "main") {
        return name.to_owned();
    }
    let closure = std::any::type_name::<F>();
    let (_, path) = closure.split_once("::").expect("a path below the crate");
    path.trim_end_matches("::{{closure}}").to_owned()
}

fn again_unprivileged(test: &str) {
    let this = std::env::current_exe().expect("a test knows its own file");
    let mut command = Command::new("unshare");
    command.arg("-Urn").arg(this).args(["--exact", test, "--nocapture"]).env(NESTED, "1");
    let Ok(output) = command.output() else {
        return skip(Feature::Netns, "not root, and no unshare(1) found");
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    if stdout.is_empty() {
        return skip(Feature::Netns, &format!("no user namespace: {}", stderr.trim()));
    }
    eprint!("{stderr}");
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}");
}
