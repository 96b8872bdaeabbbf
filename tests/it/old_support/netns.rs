//! A network namespace of the test's own, with nothing in it but loopback.

use super::loopback;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use std::panic::resume_unwind;
use std::process::Command;

/// Set in a copy of this test that already runs in a user namespace.
const NESTED: &str = "TCPLAPSE_TEST_NESTED";

/// Runs the body of a test in a thread with a network namespace of its own; what it starts
/// inherits it. Without the right to make one, the test runs itself again through `unshare -Urn`;
/// where that fails too it says so and passes.
pub(crate) fn isolated<F: FnOnce() + Send>(body: F) {
    let test = test_name::<F>();
    let run = || match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => {
            loopback::up();
            body();
            None
        }
        Err(errno) => Some(errno),
    };
    let result = std::thread::scope(|scope| scope.spawn(run).join());
    match result {
        Ok(None) => {}
        Ok(Some(Errno::EPERM)) if std::env::var_os(NESTED).is_none() => again_unprivileged(&test),
        Ok(Some(errno)) => skip(&format!("no network namespace: {errno}")),
        Err(panic) => resume_unwind(panic),
    }
}

/// Says why a test has tested nothing.
pub(crate) fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// The body is a closure of the test, so that the name of its type holds the name of the test,
/// also where tests run on the main thread, which has another name.
fn test_name<F>() -> String {
    let closure = std::any::type_name::<F>();
    let (_, path) = closure.split_once("::").expect("a path below the crate");
    path.trim_end_matches("::{{closure}}").to_owned()
}

fn again_unprivileged(test: &str) {
    let this = std::env::current_exe().expect("a test knows its own file");
    let mut command = Command::new("unshare");
    command.arg("-Urn").arg(this).args(["--exact", test, "--nocapture"]).env(NESTED, "1");
    let Ok(output) = command.output() else { return skip("not root, and no unshare(1) found") };
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    if stdout.is_empty() {
        return skip(&format!("no user namespace: {}", stderr.trim()));
    }
    eprint!("{stderr}");
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}");
}
