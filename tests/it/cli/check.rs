//! `check` on a fixture and on a stage: offenders on standard output, what is wrong on standard
//! error, and the exit status.

use super::stage::Stage;
use super::{run, text};
use crate::old_support::record::Listed;

const QUICK: [&str; 6] = ["check", "-j", "-i", "1ms", "--max-cpu", "100"];

/// Exit status, local ports of the offenders, standard error.
fn outcome(stage: Stage) -> (Option<i32>, Vec<u16>, String) {
    let (status, printed, told) = stage.outcome();
    let ports = printed.lines().map(|line| Listed::parse(line).local_port);
    (status, ports.collect(), told)
}

#[test]
fn sockets_that_stay_in_a_state_are_stuck() {
    let output = run("check -i 10ms --stuck CLOSE_WAIT:50ms --local 127.88.0.0/16");
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    let lines: Vec<Vec<&str>> = shown.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(lines[0].last(), Some(&"HELD"), "{shown}");
    let rows: Vec<_> = lines[1..].iter().map(|cells| (cells[3], cells[5])).collect();
    assert_eq!(rows, [("127.88.0.1:59039", "CLOSE_WAIT"), ("127.88.0.1:54389", "CLOSE_WAIT")]);
    assert!(lines[1].last().is_some_and(|held| held.starts_with(">=0.")), "{shown}");
    assert_eq!(text(&output.stderr), "tcplapse: 2 sockets in CLOSE_WAIT for 50ms or longer\n");
}

#[test]
fn nothing_wrong_is_silent() {
    for line in [
        "check --stuck CLOSE_WAIT:10ms client",
        "check --max LISTEN:2 server",
        "check --growing all --for 20ms",
    ] {
        let output = run(&format!("{line} --max-cpu 100"));
        let printed = (text(&output.stdout), text(&output.stderr));
        assert_eq!((output.status.code(), printed), (Some(0), ("", "")), "{line}");
    }
}

#[test]
fn as_many_offenders_are_printed_as_are_asked_for() {
    let output = run("check --max LISTEN:1 server -i 1ms -m 1 -j");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout).lines().count(), 1);
    assert_eq!(text(&output.stderr), "tcplapse: 2 sockets in LISTEN, more than 1\n");
    assert_eq!(run("check --max LISTEN:1 -i 1ms -m 0").status.code(), Some(1));
}

#[test]
fn a_peak_offends_also_when_it_is_over() {
    let mut stage = Stage::new();
    stage.run(&[&QUICK[..], &["--max", "ESTABLISHED:1", "--for", "1ms"]].concat());
    stage.poll(&["4000 80 01/7", "4001 80 01/9"]);
    stage.poll(&["4000 80 01/7", "4001 80 06/0"]);
    stage.poll_on(&["4000 80 01/7", "4001 80 06/0"]);
    let (status, ports, told) = outcome(stage);
    assert_eq!((status, ports), (Some(1), vec![4000, 4001]));
    assert_eq!(told, "tcplapse: 2 sockets in ESTABLISHED, more than 1\n");
}

#[test]
fn more_at_the_end_than_at_the_start_is_growing() {
    let growing = [&QUICK[..], &["--growing", "CLOSE_WAIT", "--for", "1ms"]].concat();
    let mut stage = Stage::new();
    stage.run(&growing);
    stage.poll(&["4000 80 08/7", "4001 80 01/9"]);
    stage.poll(&["4000 80 08/7", "4001 80 01/9"]);
    stage.poll_on(&["4000 80 08/7", "4001 80 08/9"]);
    let (status, ports, told) = outcome(stage);
    assert_eq!((status, ports), (Some(1), vec![4000, 4001]), "the longest in its state first");
    assert_eq!(told, "tcplapse: sockets in CLOSE_WAIT grew from 1 to 2\n");

    let mut stage = Stage::new();
    stage.run(&growing);
    stage.poll(&["4000 80 08/7", "4001 80 01/9"]);
    stage.poll(&["4000 80 08/7", "4001 80 08/9"]);
    stage.poll_on(&["4000 80 08/7", "4001 80 08/9"]);
    assert_eq!(outcome(stage), (Some(0), vec![], String::new()));
}

#[test]
fn sockets_of_processes_that_may_not_be_read_leave_nothing_wrong_open() {
    let limit = |limit: &'static str| [&QUICK[..], &["client", "--max", limit]].concat();
    let mut stage = Stage::new();
    stage.forbidden_process(900, "client");
    stage.run_unprivileged(&limit("CLOSE_WAIT:0"));
    for _ in 0..6 {
        stage.poll(&["4000 80 08/7"]);
    }
    let (status, ports, told) = outcome(stage);
    assert_eq!((status, ports), (Some(2), vec![]));
    assert_eq!(
        told,
        "tcplapse: whether nothing is wrong cannot be told: 1 socket may belong to processes \
         that may not be read; ask as root, or by --local, --remote or --port instead of by \
         process\n"
    );

    for harmless in ["ESTABLISHED:0", "CLOSE_WAIT:1"] {
        let mut stage = Stage::new();
        stage.forbidden_process(900, "client");
        stage.run_unprivileged(&limit(harmless));
        stage.poll(&["4000 80 08/7"]);
        stage.poll(&["4000 80 08/7"]);
        assert_eq!(outcome(stage), (Some(0), vec![], String::new()), "{harmless}");
    }

    let mut stage = Stage::new();
    stage.forbidden_process(900, "client");
    stage.process(812, "client", 50, &[9]);
    stage.run_unprivileged(&limit("CLOSE_WAIT:0"));
    stage.poll(&["4000 80 08/7", "4001 80 08/9"]);
    stage.poll(&["4000 80 08/7", "4001 80 08/9"]);
    let (status, ports, _) = outcome(stage);
    assert_eq!((status, ports), (Some(1), vec![4001]), "what offends, offends");
}

#[test]
fn a_row_that_cannot_be_read_leaves_nothing_wrong_open() {
    let mut stage = Stage::new();
    stage.run(&[&QUICK[..], &["--max", "CLOSE_WAIT:0"]].concat());
    for _ in 0..6 {
        stage.poll_with_bad_row(&[]);
    }
    let (status, _, told) = outcome(stage);
    assert_eq!(status, Some(2));
    assert!(told.contains("1 row of the kernel's tables cannot be read"), "{told}");
}

#[test]
fn a_recording_is_judged_as_the_run_would_have_been() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recording").display().to_string();
    let looks = "-i 10ms --max-cpu 100";
    let live = run(&format!("check --stuck CLOSE_WAIT:50ms -j {looks} --record {file}"));
    let judged = |line: &str| {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_tcplapse"));
        let args = ["check", "--from", &file].into_iter().chain(line.split(' '));
        command.args(args).output().expect("it runs")
    };
    let replayed = judged("--stuck CLOSE_WAIT:50ms -j");
    assert_eq!(replayed.status.code(), Some(1), "{}", text(&replayed.stderr));
    assert_eq!(text(&replayed.stdout), text(&live.stdout));
    let known = |line: &str| {
        let output = judged(line);
        (output.status.code(), text(&output.stdout).lines().count())
    };
    assert_eq!(known("--stuck CLOSE_WAIT:50ms client"), (Some(0), 0));
    assert_eq!(known("--max LISTEN:1 -H server"), (Some(1), 2));
    assert_eq!(known("--growing all"), (Some(0), 0), "for as long as it is");
    let too_short = judged("--stuck CLOSE_WAIT:1h");
    assert_eq!(too_short.status.code(), Some(2));
    let told = text(&too_short.stderr);
    assert!(told.contains("from the first look on, for an unknown time"), "{told}");
    let looks_again = judged("--max all:0 -i 1s");
    assert_eq!(looks_again.status.code(), Some(2));
    assert!(text(&looks_again.stderr).contains("--interval says how to look at the kernel"));
}
