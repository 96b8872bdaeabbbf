//! The program as on a kernel without sock_diag, whose module distributions load when it is asked for.

use super::program::{Outcome, Program, TCPLAPSE};
use super::require::{Feature, skip};
use std::process::Command;

const FILTER: &str = include_str!("no_sock_diag.py");
/// The exit status of the script where the kernel takes no filter.
const REFUSED: Option<i32> = Some(99);

/// Runs the program to its end; `None` where system calls cannot be filtered.
pub(crate) fn run_without_sock_diag(args: &[&str]) -> Option<Outcome> {
    let mut command = Command::new("python3");
    command.args(["-c", FILTER, TCPLAPSE]).args(args);
    let outcome = Program::try_spawn(command).ok().map(Program::finish);
    let outcome = outcome.filter(|outcome| outcome.code != REFUSED);
    if outcome.is_none() {
        skip(Feature::Seccomp, "no python3, or no filter of system calls");
    }
    outcome
}
