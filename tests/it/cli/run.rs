//! `run`: statuses as a shell gives them, streams that are the command's own, wrong usage.

use crate::support::program;
use crate::support::program::{Outcome, run_with_input};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const RUN: [&str; 3] = ["run", "--source", "proc"];

fn run(words: &[&str]) -> Outcome {
    program::run(&[&RUN, words].concat())
}

#[test]
fn the_status_is_that_of_the_command_as_in_a_shell() {
    for (words, status) in [
        (&["--", "true"][..], 0),
        (&["--", "sh", "-c", "exit 7"], 7),
        (&["--", "sh", "-c", "kill -KILL $$"], 137),
        (&["--", "no-such-command-here"], 127),
        (&["--", "/etc/passwd"], 126),
    ] {
        let outcome = run(words);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(status), ""), "{outcome:?}");
    }
    let message = run(&["--", "no-such-command-here"]).stderr;
    let reason = "tcplapse: cannot run no-such-command-here: No such file";
    assert!(message.contains(reason), "{message}");
}

/// What is left to be known is read when the command has ended, not after the interval.
#[test]
fn run_ends_with_its_command_whatever_the_interval() {
    for source in ["proc", "netlink", "auto"] {
        let outcome = program::run(&["run", "--source", source, "-i", "1h", "--", "true"]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(outcome.stderr.contains("tcplapse: seen: "), "{outcome:?}");
    }
}

#[test]
fn a_process_that_is_left_without_sockets_is_not_waited_for() {
    let script = "sleep 3600 </dev/null >/dev/null 2>&1 & echo $!";
    let outcome = run(&["-i", "1h", "--", "sh", "-c", script]);
    let pid = outcome.stdout.trim().parse().expect("the shell prints its pid");
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it still runs");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[test]
fn the_command_has_the_streams_of_the_program() {
    let script = "read word; echo \"out $word\"; echo \"err $word\" >&2";
    let args = [&RUN[..], &["--", "sh", "-c", script]].concat();
    let outcome = run_with_input(&args, b"hello\n".to_vec());
    assert_eq!(outcome.stdout, "out hello\n");
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert_eq!(lines[0], "err hello");
    assert!(lines.last().is_some_and(|line| line.starts_with("tcplapse: seen: ")), "{lines:?}");
}

#[test]
fn timelines_go_to_a_file_instead_of_stderr() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("timelines");
    let outcome = run(&["--output", file.to_str().expect("UTF-8"), "--", "true"]);
    assert_eq!(outcome.code, Some(0));
    assert_eq!(std::fs::read_to_string(file).expect("it was made"), "");
    let nowhere = folder.path().join("no/timelines");
    let refused = run(&["--output", nowhere.to_str().expect("UTF-8"), "--", "true"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.starts_with("tcplapse: cannot write "), "{refused:?}");
}

#[test]
fn wrong_usage_is_refused_before_the_command_starts() {
    for (words, expected) in [
        (&["curl", "http://localhost"][..], "tcplapse run -- curl http://localhost"),
        (&[], "tcplapse run -- COMMAND"),
        (&["--for", "1s", "--", "true"], "--for cannot be used with run"),
        (
            &["--view", "table", "--", "true"],
            "--view: 'table' is not a valid value; write timeline or",
        ),
        (&["--procfs", "/", "--", "true"], "--procfs cannot be used with run"),
        (&["--linger", "soon", "--", "true"], "--linger: 'soon' is not a valid duration"),
    ] {
        let outcome = run(words);
        let message = &outcome.stderr;
        assert_eq!(outcome.code, Some(2), "{message}");
        assert!(message.starts_with("tcplapse: ") && message.contains(expected), "{message}");
    }
}
