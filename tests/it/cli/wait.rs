//! `wait` on a fixture and on a stage: what it answers by its exit status, and when.

use super::stage::Stage;
use super::{fixture, text};
use nix::sys::signal::{Signal, kill};
use std::process::{Command, Stdio};

const QUICK: [&str; 5] = ["wait", "-i", "1ms", "--max-cpu", "100"];

/// On the fixture: the exit status, and what standard error says; standard output says nothing.
fn wait(args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcplapse"));
    let output = command.args(args).arg("--procfs").arg(fixture()).output().expect("it runs");
    assert_eq!(text(&output.stdout), "", "{args:?} prints nothing");
    (output.status.code(), text(&output.stderr).to_owned())
}

#[test]
fn a_condition_that_holds_ends_it_at_once_and_silently() {
    for args in [
        &["wait"][..],
        &["wait", "client"],
        &["wait", "-l", "server"],
        &["wait", "-s", "LISTEN", "server"],
        &["wait", "-l", "--until", "any LISTEN"],
        &["wait", "client", "--until", "count all >= 4"],
        &["wait", "server", "--until", "count LISTEN > 1"],
        &["wait", "client", "-i1ms", "--until", "none TIME_WAIT,LISTEN"],
        &["wait", "client", "-i1ms", "--until", "all !LISTEN"],
        &["--until", "any LISTEN", "wait", "server"],
    ] {
        assert_eq!(wait(args), (Some(0), String::new()), "{args:?}");
    }
}

#[test]
fn a_time_out_says_what_there_is_instead() {
    let (status, told) = wait(&["wait", "client", "--until", "any LISTEN", "--timeout", "10ms"]);
    assert_eq!(status, Some(124));
    assert_eq!(
        told,
        "tcplapse: 'any LISTEN' did not come to hold in time; matching sockets: \
         SYN_SENT 1, ESTABLISHED 1, FIN_WAIT1 1, FIN_WAIT2 1\n"
    );
    let (status, told) = wait(&["wait", "nosuch", "--timeout", "10ms"]);
    assert_eq!(status, Some(124));
    assert!(told.ends_with("in time; no matching socket\n"), "{told}");
}

#[test]
fn a_condition_about_states_that_are_left_out_is_refused() {
    let (status, told) = wait(&["wait", "-l", "--until", "none ESTABLISHED"]);
    assert_eq!(status, Some(2));
    assert!(told.contains("about states that --state or --listening leaves out"), "{told}");
}

#[test]
fn what_appears_is_seen_by_the_next_look() {
    let mut stage = Stage::new();
    stage.process(700, "server", 50, &[8]);
    stage.run(&[&QUICK[..], &["-l", "server"]].concat());
    stage.poll(&["4000 80 01/7"]);
    stage.poll(&["4000 80 01/7", "80 0 0A/8"]);
    assert_eq!(stage.outcome(), (Some(0), String::new(), String::new()));
}

#[test]
fn a_listener_that_is_handed_to_the_server_is_seen() {
    let mut stage = Stage::new();
    stage.process(700, "starter", 50, &[8]);
    stage.run(&[&QUICK[..], &["-l", "server"]].concat());
    stage.poll(&["80 0 0A/8"]);
    stage.poll(&["80 0 0A/8"]);
    stage.process(812, "server", 60, &[8]);
    stage.poll_on(&["80 0 0A/8"]);
    assert_eq!(stage.outcome().0, Some(0), "nothing happened to the socket itself");
}

#[test]
fn a_look_that_misses_a_socket_makes_it_not_gone() {
    let mut stage = Stage::new();
    stage.run(&[&QUICK[..], &["--until", "none ESTABLISHED"]].concat());
    stage.poll(&["4000 80 01/7"]);
    stage.poll(&[]);
    stage.poll(&["4000 80 01/7"]);
    stage.poll(&["4000 80 06/0"]);
    assert_eq!(stage.outcome().0, Some(0));
}

#[test]
fn a_first_look_that_misses_a_socket_proves_no_absence() {
    let mut stage = Stage::new();
    stage.run(&[&QUICK[..], &["--until", "none ESTABLISHED"]].concat());
    stage.poll(&[]);
    stage.poll(&["4000 80 01/7"]);
    stage.poll(&[]);
    stage.poll(&[]);
    assert_eq!(stage.outcome().0, Some(0));
}

#[test]
fn sockets_that_a_look_missed_are_not_counted_as_there() {
    let mut stage = Stage::new();
    stage.run(&[&QUICK[..], &["--until", "count ESTABLISHED >= 2"]].concat());
    stage.poll(&["4000 80 01/7"]);
    stage.poll(&["4001 80 01/9"]);
    stage.poll(&["4001 80 01/9"]);
    stage.poll(&["4001 80 01/9", "4002 80 01/11"]);
    assert_eq!(stage.outcome().0, Some(0));
}

#[test]
fn sockets_of_processes_that_may_not_be_read_leave_an_absence_open() {
    let until_none = [&QUICK[..], &["client", "--until", "none ESTABLISHED"]].concat();
    let mut stage = Stage::new();
    stage.forbidden_process(900, "client");
    stage.run_unprivileged(&until_none);
    for _ in 0..6 {
        stage.poll(&["4000 80 01/7"]);
    }
    let (status, _, told) = stage.outcome();
    assert_eq!(status, Some(2), "{told}");
    assert_eq!(
        told,
        "tcplapse: whether 'none ESTABLISHED' holds cannot be told: 1 socket may belong to \
         processes that may not be read; ask as root, or by --local, --remote or --port instead \
         of by process\n"
    );

    let mut stage = Stage::new();
    stage.forbidden_process(900, "client");
    stage.process(700, "server", 50, &[7]);
    stage.run_unprivileged(&until_none);
    stage.poll(&["4000 80 01/7", "4001 80 06/0"]);
    stage.poll(&["4000 80 01/7", "4001 80 06/0"]);
    assert_eq!(stage.outcome().0, Some(0), "its owner is known, and an orphan has none");

    let mut stage = Stage::new();
    stage.forbidden_process(900, "other");
    stage.run_unprivileged(&until_none);
    stage.poll(&["4000 80 01/7"]);
    stage.poll(&["4000 80 01/7"]);
    assert_eq!(stage.outcome().0, Some(0), "who may not be read does not match");

    let mut stage = Stage::new();
    stage.forbidden_process(900, "client");
    stage.run_unprivileged(&[&QUICK[..], &["client"]].concat());
    stage.poll(&["4000 80 01/7"]);
    stage.process(812, "client", 50, &[9]);
    stage.poll(&["4000 80 01/7", "4002 80 01/9"]);
    assert_eq!(stage.outcome().0, Some(0), "what is there decides by itself");
}

#[test]
fn rows_that_cannot_be_read_leave_an_absence_open() {
    let mut stage = Stage::new();
    stage.run(&[&QUICK[..], &["--until", "none ESTABLISHED"]].concat());
    for _ in 0..6 {
        stage.poll_with_bad_row(&["4001 80 06/0"]);
    }
    let (status, _, told) = stage.outcome();
    assert_eq!(status, Some(2));
    assert!(told.contains("cannot be told: 1 row of the kernel's tables"), "{told}");
}

#[test]
fn interrupted_it_has_no_answer() {
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tcplapse"))
            .args(["wait", "nosuch", "-i", "10s", "--procfs"])
            .arg(fixture())
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        crate::old_support::wait::until("its signal handlers", || {
            catches(pid, signal).then_some(())
        });
        kill(pid, signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(status));
    }
}

/// Whether a process has a handler for a signal.
fn catches(pid: nix::unistd::Pid, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t"));
    let mask = caught.and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or_default();
    mask & (1 << (signal as i32 - 1)) != 0
}

#[test]
fn nobody_has_to_read_its_silence() {
    // A standard output whose reader has gone is no met condition.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = Command::new(env!("CARGO_BIN_EXE_tcplapse"))
        .args(["wait", "nosuch", "--timeout", "50ms", "--procfs"])
        .arg(fixture())
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    assert_eq!(child.wait().unwrap().code(), Some(124));
}
