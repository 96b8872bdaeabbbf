//! `run`: statuses as a shell gives them, streams that are the command's own, wrong usage.

use super::text;
use std::io::Write;
use std::process::{Command, Output, Stdio};

fn tcplapse(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcplapse"));
    command.args(["run", "--source", "proc"]).args(words);
    command
}

fn run(words: &[&str]) -> Output {
    tcplapse(words).output().expect("it runs")
}

#[test]
fn the_status_is_that_of_the_command_as_a_shell_gives_it() {
    for (words, status) in [
        (&["--", "true"][..], 0),
        (&["--", "sh", "-c", "exit 7"], 7),
        (&["--", "sh", "-c", "kill -KILL $$"], 137),
        (&["--", "no-such-command-here"], 127),
        (&["--", "/etc/passwd"], 126),
    ] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(status), "{words:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "", "{words:?}");
    }
    let missing = run(&["--", "no-such-command-here"]);
    let said = text(&missing.stderr);
    assert!(said.contains("tcplapse: cannot run no-such-command-here: No such file"), "{said}");
}

#[test]
fn the_streams_are_the_command_s_own() {
    let script = "read word; echo \"out $word\"; echo \"err $word\" >&2";
    let mut child = tcplapse(&["--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("piped").write_all(b"hello\n").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(text(&output.stdout), "out hello\n");
    let said: Vec<_> = text(&output.stderr).lines().collect();
    assert_eq!(said[0], "err hello");
    assert!(said.last().is_some_and(|line| line.starts_with("tcplapse: coverage: ")), "{said:?}");
}

#[test]
fn a_file_takes_the_timelines_instead_of_standard_error() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("lives");
    let output = run(&["--output", file.to_str().unwrap(), "--", "true"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "");
    let nowhere = home.path().join("no/lives");
    let refused = run(&["--output", nowhere.to_str().unwrap(), "--", "true"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).starts_with("tcplapse: cannot write "));
}

#[test]
fn wrong_usage_is_said_before_anything_runs() {
    for (words, told) in [
        (&["curl", "http://localhost"][..], "tcplapse run -- curl http://localhost"),
        (&[], "tcplapse run -- COMMAND"),
        (&["--for", "1s", "--", "true"], "leave out --for"),
        (&["--view", "table", "--", "true"], "leave out --view"),
        (&["--procfs", "/", "--", "true"], "leave out --procfs"),
        (&["--linger", "soon", "--", "true"], "'soon' is no duration"),
    ] {
        let output = run(words);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("tcplapse: ") && said.contains(told), "{said}");
    }
}
