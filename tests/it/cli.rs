//! The command line: exact output, exit status, what goes to standard error. Most runs are on a
//! procfs that never changes, or on one whose polls are given by the test.

mod ages;
mod check;
mod clocks;
mod completions;
mod debug_log;
mod diagram;
mod effects;
mod ends;
mod environment;
mod explain;
#[cfg(feature = "export")]
mod export;
#[cfg(not(any(feature = "bpf", feature = "export", feature = "tui")))]
mod features;
mod hidden_holders;
mod html;
mod labels;
mod made_recording;
mod many_sockets;
mod owners;
mod planted;
mod ready;
mod recorded_parts;
mod recordings;
mod records;
mod rings;
mod rules;
mod run;
mod schema;
mod signals;
mod slow_readers;
mod streams;
mod summary;
mod tables;
mod timelines;
mod unseen;
mod usage_errors;
mod wait;
mod workloads;

use crate::support::fake_procfs::{FakeProcfs, fixture};
use crate::support::program::{Outcome, Program, command};
use crate::support::record::Listed;
use nix::sys::signal::Signal;
use std::process::Command;

/// A command that reads the fixture, not started yet.
fn on_fixture(args: &[&str]) -> Command {
    let mut command = command(args);
    command.arg("--procfs").arg(fixture());
    command
}

/// Runs the program on the fixture to its end. The line is split at white space.
fn run(line: &str) -> Outcome {
    let args: Vec<&str> = line.split_whitespace().collect();
    Program::spawn(on_fixture(&args)).finish()
}

#[track_caller]
fn assert_prints(line: &str, stdout: &str) {
    let outcome = run(line);
    assert_eq!(outcome.stdout, stdout, "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn list_prints_aligned_columns_without_colours_in_a_pipe() {
    assert_prints(
        "list server|client",
        "\
PROTO  RECV-Q  SEND-Q  LOCAL             REMOTE            STATE        OWNER
tcp6        1       0  [::]:8080         *                 LISTEN       700/server+1
tcp         0       0  127.88.0.1:56645  *                 LISTEN       700/server
tcp6        0       0  127.0.0.1:8080    127.0.0.1:45508   ESTABLISHED  701/server
tcp6        0       0  [::1]:8080        [::1]:58016       ESTABLISHED  700/server
tcp6        0       0  [::1]:8080        [::1]:58022       ESTABLISHED  700/server+1^
tcp         0       1  127.0.0.1:47720   127.88.0.1:43405  SYN_SENT     812/client
tcp         0       0  127.0.0.1:47778   127.88.0.1:56645  ESTABLISHED  812/client
tcp         0       0  127.0.0.1:53088   127.88.0.1:54389  FIN_WAIT2    812/client
tcp         0       1  127.0.0.1:55700   127.88.0.1:36829  FIN_WAIT1    812/client
tcp         0       0  127.88.0.1:56645  127.0.0.1:47778   SYN_RECV     700/server^
",
    );
}

#[test]
fn records_of_list_keep_the_order_of_the_tables() {
    let ports = |line: &str| -> Vec<u16> {
        let rows = run(line).stdout;
        rows.lines().map(|row| Listed::parse(row).local_port).collect()
    };
    let in_tables = [56645, 47778, 56645, 47720, 55700, 53088, 8080, 8080, 8080, 8080];
    assert_eq!(ports("list -j server|client"), in_tables);
    assert_eq!(ports("list -j -6 server|client --sort local"), [8080; 4]);
}

#[test]
fn list_e_and_o_add_user_inode_descriptor_and_timer() {
    assert_prints(
        "list -H -eo client -s SYN_SENT,FIN_WAIT2",
        "\
tcp  0  1  127.0.0.1:47720  127.88.0.1:43405  SYN_SENT   812/client  0  22323  6  retransmit(0.6s,2)  ?
tcp  0  0  127.0.0.1:53088  127.88.0.1:54389  FIN_WAIT2  812/client  0  22333  7  -                   ?
",
    );
}

#[test]
fn the_table_view_is_printed_once_when_the_run_ends() {
    FakeProcfs::session(|mut procfs| {
        procfs.process(700, "server", 50, &[7, 8]);
        procfs.run(&["server", "--view", "table", "-H", "-i", "1ms", "--max-cpu", "100"]);
        procfs.poll(&["80 4000 01/7"]);
        procfs.poll(&["80 4000 01/7"]);
        let both = ["80 4000 01/7", "80 4001 01/8"];
        procfs.poll(&both);
        procfs.poll_with_signal(Signal::SIGTERM, &both);
        let outcome = procfs.finish();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        let rows: Vec<Vec<&str>> =
            outcome.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows.len(), 2, "{}", outcome.stdout);
        let rest = |remote| ["ESTABLISHED", "700/server", "10.0.0.1:80", remote];
        assert_eq!(
            (&rows[0][1..], &rows[1][1..]),
            (&rest("10.0.0.2:4000")[..], &rest("10.0.0.2:4001")[..])
        );
        assert!(
            rows[0][0].starts_with(">=") && !rows[1][0].starts_with(">="),
            "{}",
            outcome.stdout
        );
    });
}

/// Local ports and states of what `list` shows.
fn listed(line: &str) -> Vec<String> {
    let short = |row: &str| {
        let cells: Vec<_> = row.split_whitespace().collect();
        format!("{} {}", cells[3].rsplit(':').next().expect("an address"), cells[5])
    };
    run(&format!("list -H {line}")).stdout.lines().map(short).collect()
}

#[test]
fn filters_narrow_and_repeated_values_widen() {
    assert_eq!(listed("client --port 43405"), ["47720 SYN_SENT"]);
    assert_eq!(
        listed("--local 127.88.0.0/16 -s CLOSE_WAIT"),
        ["54389 CLOSE_WAIT", "59039 CLOSE_WAIT"]
    );
    assert_eq!(listed("--remote [::1]:58000-58020"), ["8080 ESTABLISHED"]);
    assert_eq!(
        listed("--remote :58016 --remote 127.0.0.1:45508"),
        ["8080 ESTABLISHED", "8080 ESTABLISHED"]
    );
    assert_eq!(listed("-l --pid 700"), ["8080 LISTEN", "56645 LISTEN"]);
    assert_eq!(listed("-6 --pid 700,701 -s !LISTEN"), ["8080 ESTABLISHED"; 3]);
    assert_eq!(listed("-4 -l --port 8080"), Vec::<String>::new());
    let with_queued = ["8080 LISTEN", "8080 ESTABLISHED", "8080 ESTABLISHED"];
    assert_eq!(listed("--user 33"), with_queued);
    let by_user = listed("--user 0 --port 45508");
    assert_eq!(by_user, ["45508 ESTABLISHED"], "the owner of its other end is another user");
    assert_eq!(listed("-x long-nam"), Vec::<String>::new());
    assert_eq!(listed("-x a-very-long-nam"), ["34178 LAST_ACK"]);
    let whole = listed("name-indeed$");
    assert_eq!(whole, ["34178 LAST_ACK"], "the name of the executable is not cut");
    assert_eq!(listed("-f worker"), with_queued);
    assert_eq!(listed("(?i)CLIENT -s bucket"), Vec::<String>::new());
    assert_eq!(listed("-s time-wait"), ["59618 TIME_WAIT", "60417 TIME_WAIT"]);
}

#[test]
fn flags_of_netstat_are_accepted() {
    let plain = run("list client");
    for line in ["list -apn client", "-apnt list client", "-4apn list client"] {
        let outcome = run(line);
        assert_eq!((outcome.code, &outcome.stdout), (Some(0), &plain.stdout), "{line}");
    }
    let watched = run("-apn client -j -m 1 -s SYN_SENT");
    assert!(watched.stdout.contains(r#""to":"SYN_SENT""#), "{watched:?}");
}

#[test]
fn a_maximum_of_no_records_prints_nothing() {
    let outcome = run("list -m 0");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "as grep does");
    let outcome = run("watch -m 0 -j");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""));
}

#[test]
fn list_without_a_match_is_silent_and_exits_1() {
    let outcome = run("list nosuch");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    assert_eq!(
        outcome.stderr, "tcplapse: 3 sockets hidden: held by no process\n",
        "TIME_WAIT and orphans"
    );
}

#[test]
fn watch_prints_the_sockets_there_are_and_ends_with_its_time() {
    let outcome = run("watch client --for 10ms --time epoch");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert!(lines[0].starts_with("TIME "), "{lines:?}");
    let words: Vec<Vec<&str>> =
        lines[1..].iter().map(|line| line.split_whitespace().skip(1).collect()).collect();
    assert_eq!(words.len(), 4);
    assert_eq!(
        words[3].join(" "),
        "812/client 127.0.0.1:53088 127.88.0.1:54389 - FIN_WAIT2 (present) \
         this side has closed, the peer has not"
    );
}

#[test]
fn process_names_are_printed_escaped() {
    for format in ["text", "json", "csv"] {
        for command in ["list", "watch -m 1"] {
            let shown = run(&format!("{command} evil --format {format}")).stdout;
            assert!(!shown.contains('\x1b'), "{shown:?}");
            assert!(shown.contains(r"e\x1b[2Jvil\x0a") || shown.contains(r"e\\x1b[2Jvil\\x0a"));
            let lines = if format == "json" { 1 } else { 2 };
            assert_eq!(shown.lines().count(), lines, "{shown}");
        }
    }
    assert!(run("list evil").stdout.contains(r"813/e\x1b[2Jvil\x0a\x20me"));
}

#[cfg(all(feature = "bpf", feature = "export", feature = "tui"))]
#[test]
fn short_help_is_as_recorded() {
    // The values of a flag are in the manual, with what they mean.
    let values = regex::Regex::new(r"\s+\[possible\s+values:[^\]]*\]").unwrap();
    let help = |line| values.replace_all(&run(line).stdout, "").into_owned();
    insta::assert_snapshot!(help("-h"));
    insta::assert_snapshot!(help("wait -h"));
}
