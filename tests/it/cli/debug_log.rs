//! `TCPLAPSE_LOG`: the debug log on standard error.

use super::on_fixture;
use crate::support::program::{Outcome, Program};

/// What `list` does with this value of the variable.
fn list_with(log: &str) -> Outcome {
    let mut command = on_fixture(&["list", "server"]);
    command.env("TCPLAPSE_LOG", log);
    Program::spawn(command).finish()
}

#[test]
fn the_log_shows_decisions_and_changes_nothing_else() {
    let (without, with) = (list_with(""), list_with("debug"));
    assert!(!without.stderr.contains("DEBUG"), "{}", without.stderr);
    assert!(with.stderr.contains("DEBUG tcplapse::tracker"), "{}", with.stderr);
    assert!(with.stderr.contains(": new socket "), "{}", with.stderr);
    assert_eq!((with.code, with.stdout), (without.code, without.stdout));
}

#[test]
fn a_module_can_be_shown_alone() {
    let outcome = list_with("tcplapse::tracker=debug");
    let logged: Vec<&str> = outcome.stderr.lines().filter(|line| line.contains("DEBUG")).collect();
    assert!(!logged.is_empty() && logged.iter().all(|line| line.contains("tcplapse::tracker")));
}

#[test]
fn what_is_no_filter_is_refused() {
    let outcome = list_with("tcplapse=loud");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
    let sentence =
        "tcplapse: TCPLAPSE_LOG: 'tcplapse=loud' is not a log filter; write off, debug, trace";
    assert!(outcome.stderr.starts_with(sentence), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
}
