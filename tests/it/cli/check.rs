//! `check`: offending sockets on standard output, what is wrong on standard error, and the exit
//! status.

use super::run;
use crate::support::fake_procfs::FakeProcfs;
use crate::support::program;
use crate::support::record::Listed;
use std::collections::HashSet;

const QUICK: [&str; 6] = ["check", "-j", "-i", "1ms", "--max-cpu", "100"];

/// Exit status, local ports of the printed sockets, standard error.
fn outcome(procfs: FakeProcfs) -> (Option<i32>, Vec<u16>, String) {
    let outcome = procfs.finish();
    let ports = outcome.stdout.lines().map(|line| Listed::parse(line).local_port);
    (outcome.code, ports.collect(), outcome.messages())
}

/// Runs `check` on the fixture; the worst offenders by number are its listeners.
fn groups(args: &str) -> Vec<serde_json::Value> {
    let outcome = run(&format!("check --max all:0 -i 1ms -j {args}"));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn violations_are_counted_by_group_and_state() {
    let all = groups("").len() as u64;
    for key in ["remote", "process", "state"] {
        let rows = groups(&format!("--by {key}"));
        let counts: Vec<u64> = rows.iter().map(|row| row["count"].as_u64().expect("one")).collect();
        assert_eq!(counts.iter().sum::<u64>(), all, "{rows:?}");
        assert!(counts.is_sorted_by(|a, b| a >= b), "{rows:?}");
        let keys: Vec<&String> = rows[0].as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["v", "group", "state", "count", "oldest", "oldest_at_least"]);
        assert!(rows.len() as u64 <= all);
    }
    let by_process = groups("--by process");
    assert!(by_process.iter().any(|row| row["group"] == "server"), "{by_process:?}");
    assert!(by_process.iter().any(|row| row["group"].is_null()), "{by_process:?}");
}

#[test]
fn only_the_worst_are_printed_on_request() {
    assert_eq!(groups("--top 3").len(), 3);
    assert_eq!(groups("--by state --top 2").len(), 2);
    let text = run("check --max all:0 -i 1ms --by state --top 2");
    assert_eq!((text.code, text.stdout.lines().count()), (Some(1), 3), "{text:?}");
    assert!(text.stdout.starts_with("GROUP"), "{text:?}");
    assert!(text.stderr.contains("more are not shown; --top "), "{text:?}");
    let csv = run("check --max all:0 -i 1ms --by state --top 1 --format csv");
    assert!(csv.stdout.starts_with("v,group,state,count,oldest,oldest_at_least\n"), "{csv:?}");
    for wrong in ["--top 0", "--top many", "--top -1"] {
        let outcome = run(&format!("check --max all:0 {wrong}"));
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
    }
}

#[test]
fn a_list_is_sorted_and_cut_on_request() {
    let ports = |args: &str| -> Vec<u16> {
        let outcome = run(&format!("list -j {args}"));
        outcome.listed().iter().map(|row| row.local_port).collect()
    };
    let all = ports("");
    assert_eq!(ports("--top 3"), all[..3]);
    let sorted = |key: &str| {
        let rows = run(&format!("list -j --sort {key}")).listed();
        assert_eq!(rows.len(), all.len(), "{key}");
        rows
    };
    let rows = sorted("local");
    assert!(rows.is_sorted_by_key(|row| (row.local_addr, row.local_port)), "{rows:?}");
    let rows = sorted("remote");
    assert!(rows.is_sorted_by_key(|row| (row.remote_addr, row.remote_port)), "{rows:?}");
    let states: Vec<String> = sorted("state").into_iter().map(|row| row.state).collect();
    let mut distinct = states.clone();
    distinct.dedup();
    assert_eq!(distinct.len(), states.iter().collect::<HashSet<_>>().len(), "{states:?}");
    let rows = sorted("recv-queue");
    assert!(rows.is_sorted_by(|a, b| a.recv_queue >= b.recv_queue), "{rows:?}");
    let rows = sorted("send-queue");
    assert!(rows.is_sorted_by(|a, b| a.send_queue >= b.send_queue), "{rows:?}");
    let names = run("list -j --sort process").listed();
    assert!(names[0].process.is_some() && names[names.len() - 1].process.is_none(), "{names:?}");
}

#[test]
fn sockets_that_stay_in_a_state_are_stuck() {
    let outcome = run("check -i 10ms --stuck CLOSE_WAIT:50ms --local 127.88.0.0/16");
    assert_eq!(outcome.code, Some(1));
    let lines: Vec<Vec<&str>> =
        outcome.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0].last(), Some(&"HELD"), "{}", outcome.stdout);
    let rows: Vec<_> = lines[1..].iter().map(|cells| (cells[3], cells[5])).collect();
    assert_eq!(rows, [("127.88.0.1:59039", "CLOSE_WAIT"), ("127.88.0.1:54389", "CLOSE_WAIT")]);
    let held = lines[1].last().and_then(|held| held.strip_prefix(">="));
    assert!(held.is_some_and(|held| held.ends_with('s')), "{}", outcome.stdout);
    let message = "tcplapse: 2 sockets in CLOSE_WAIT for 50ms or longer\n";
    assert_eq!(outcome.messages(), message);
}

#[test]
fn check_is_silent_where_nothing_is_wrong() {
    for line in [
        "check --stuck SYN_RECV:10ms client",
        "check --max SYN_RECV:1 server",
        "check --growing all --for 20ms",
    ] {
        let outcome = run(&format!("{line} -i 10ms"));
        let printed = (outcome.stdout.as_str(), outcome.messages());
        assert_eq!((outcome.code, printed), (Some(0), ("", String::new())), "{line}");
    }
}

#[test]
fn check_answers_in_time_whatever_the_interval() {
    for (line, code) in [
        ("check --max SYN_RECV:1 server", 0),
        ("check --growing all --for 20ms", 0),
        ("check --ports 1%", 0),
        ("check --ports 1% --for 20ms", 0),
        ("check --stuck ESTABLISHED:20ms", 1),
    ] {
        let outcome = run(&format!("{line} -i 1h --source proc"));
        assert_eq!(outcome.code, Some(code), "{line}: {outcome:?}");
        assert!(!outcome.stderr.contains("the interval"), "{line}: {outcome:?}");
    }
}

#[test]
fn max_count_limits_the_printed_sockets() {
    let outcome = run("check --max LISTEN:1 server -i 1ms -m 1 -j");
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.stdout.lines().count(), 1);
    assert_eq!(outcome.messages(), "tcplapse: 2 sockets in LISTEN, more than 1\n");
    assert_eq!(run("check --max LISTEN:1 -i 1ms -m 0").code, Some(1));
}

#[test]
fn a_peak_is_reported_after_it_is_over() {
    FakeProcfs::session(|mut procfs| {
        procfs.run(&[&QUICK[..], &["--max", "ESTABLISHED:1", "--for", "1ms"]].concat());
        procfs.poll(&["4000 80 01/7", "4001 80 01/9"]);
        procfs.poll(&["4000 80 01/7", "4001 80 06/0"]);
        procfs.poll_until_exit(&["4000 80 01/7", "4001 80 06/0"]);
        let (code, ports, message) = outcome(procfs);
        assert_eq!((code, ports), (Some(1), vec![4000, 4001]));
        assert_eq!(message, "tcplapse: 2 sockets in ESTABLISHED, more than 1\n");
    });
}

#[test]
fn more_sockets_at_the_end_than_at_the_start_is_growing() {
    let growing = [&QUICK[..], &["--growing", "CLOSE_WAIT", "--for", "1ms"]].concat();
    FakeProcfs::session(|mut procfs| {
        procfs.run(&growing);
        procfs.poll(&["4000 80 08/7", "4001 80 01/9"]);
        procfs.poll(&["4000 80 08/7", "4001 80 01/9"]);
        procfs.poll_until_exit(&["4000 80 08/7", "4001 80 08/9"]);
        let (code, ports, message) = outcome(procfs);
        assert_eq!((code, ports), (Some(1), vec![4000, 4001]), "longest in its state first");
        assert_eq!(message, "tcplapse: sockets in CLOSE_WAIT grew from 1 to 2\n");
    });
}

#[test]
fn growth_before_the_second_poll_is_not_growing() {
    FakeProcfs::session(|mut procfs| {
        procfs.run(&[&QUICK[..], &["--growing", "CLOSE_WAIT", "--for", "1ms"]].concat());
        procfs.poll(&["4000 80 08/7", "4001 80 01/9"]);
        procfs.poll(&["4000 80 08/7", "4001 80 08/9"]);
        procfs.poll_until_exit(&["4000 80 08/7", "4001 80 08/9"]);
        assert_eq!(outcome(procfs), (Some(0), vec![], String::new()));
    });
}

#[test]
fn sockets_of_unreadable_processes_make_check_inconclusive() {
    let limit = |limit: &'static str| [&QUICK[..], &["client", "--max", limit]].concat();
    FakeProcfs::session(|mut procfs| {
        procfs.unreadable_process(900, "client");
        procfs.run_unprivileged(&limit("CLOSE_WAIT:0"));
        for _ in 0..6 {
            procfs.poll(&["4000 80 08/7"]);
        }
        let (code, ports, message) = outcome(procfs);
        assert_eq!((code, ports), (Some(2), vec![]));
        // What to do depends on who runs the test.
        let parts = [
            "tcplapse: check is inconclusive: 1 socket may belong to processes that cannot be inspected; ",
            ", or filter by --local, --remote or --port instead of by process\n",
        ];
        assert!(message.starts_with(parts[0]) && message.ends_with(parts[1]), "{message}");
    });
    for harmless in ["ESTABLISHED:0", "CLOSE_WAIT:1"] {
        FakeProcfs::session(|mut procfs| {
            procfs.unreadable_process(900, "client");
            procfs.run_unprivileged(&limit(harmless));
            procfs.poll(&["4000 80 08/7"]);
            procfs.poll(&["4000 80 08/7"]);
            assert_eq!(outcome(procfs), (Some(0), vec![], String::new()), "{harmless}");
        });
    }
}

#[test]
fn unreadable_processes_do_not_hide_a_violation() {
    FakeProcfs::session(|mut procfs| {
        procfs.unreadable_process(900, "client");
        procfs.process(812, "client", 50, &[9]);
        procfs.run_unprivileged(&[&QUICK[..], &["client", "--max", "CLOSE_WAIT:0"]].concat());
        procfs.poll(&["4000 80 08/7", "4001 80 08/9"]);
        procfs.poll(&["4000 80 08/7", "4001 80 08/9"]);
        let (code, ports, _) = outcome(procfs);
        assert_eq!((code, ports), (Some(1), vec![4001]));
    });
}

#[test]
fn an_unreadable_row_makes_check_inconclusive() {
    FakeProcfs::session(|mut procfs| {
        procfs.run(&[&QUICK[..], &["--max", "CLOSE_WAIT:0"]].concat());
        for _ in 0..6 {
            procfs.poll_with_bad_row(&[]);
        }
        let (code, _, message) = outcome(procfs);
        assert_eq!(code, Some(2));
        assert!(message.contains("1 row of the kernel's tables could not be read"), "{message}");
    });
}

#[test]
fn check_from_a_recording_agrees_with_the_recorded_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("recording").display().to_string();
    let live = run(&format!("check --stuck CLOSE_WAIT:50ms -j -i 10ms --record {file}"));
    let from_recording = |line: &str| {
        let args: Vec<&str> =
            ["check", "--from", &file].into_iter().chain(line.split(' ')).collect();
        program::run(&args)
    };
    let replayed = from_recording("--stuck CLOSE_WAIT:50ms -j");
    assert_eq!(replayed.code, Some(1), "{replayed:?}");
    assert_eq!(replayed.stdout, live.stdout);
    let code_and_lines = |line: &str| {
        let outcome = from_recording(line);
        (outcome.code, outcome.stdout.lines().count())
    };
    assert_eq!(code_and_lines("--stuck CLOSE_WAIT:50ms client"), (Some(0), 0));
    assert_eq!(code_and_lines("--max LISTEN:1 -H server"), (Some(1), 2));
    assert_eq!(code_and_lines("--growing all"), (Some(0), 0), "as long as the recording is");
    let too_short = from_recording("--stuck CLOSE_WAIT:1h");
    assert_eq!(too_short.code, Some(2));
    let message = too_short.stderr;
    assert!(message.contains("at the first poll, for an unknown time"), "{message}");
    let with_interval = from_recording("--max all:0 -i 1s");
    assert_eq!(with_interval.code, Some(2));
    assert!(with_interval.stderr.contains("--interval cannot be used with --from"));
}

/// A table with so many connections to one remote end, from ports of the kernel's own range.
fn connections(count: u16) -> String {
    let row = |number: u16| {
        format!(
            "{number}: 0100000A:{:04X} 0200000A:0050 06 00000000:00000000 00:00000000 00000000 0 0 0 1 0\n",
            40_000 + number
        )
    };
    "  sl  local_address rem_address   st tx_queue rx_queue\n".to_owned()
        + &(0..count).map(row).collect::<String>()
}

#[test]
fn check_ports_finds_a_remote_end_that_uses_many_of_them() {
    let check = |count, percent: &str, more: &[&str]| {
        let mut procfs = FakeProcfs::with_table(connections(count));
        procfs.run(&[&["check", "--ports", percent, "-i", "1ms"], more].concat());
        procfs.finish()
    };
    // 28 of 28,232 are less than 0.1 %.
    assert_eq!(check(28, "0.1%", &[]).code, Some(0));
    let found = check(29, "0.1%", &[]);
    assert_eq!(found.code, Some(1), "{found:?}");
    let row = "10.0.0.1  10.0.0.2:80    29         29      28232      0.1";
    assert_eq!(found.stdout.lines().nth(1), Some(row), "{found:?}");
    assert!(found.stderr.contains("the range of local ports is not known here"), "{found:?}");
    let other = check(29, "0.1", &["--remote", "10.0.0.2:81"]);
    assert_eq!((other.code, other.stdout.as_str()), (Some(0), ""), "{other:?}");
    let json = check(40, "0.1", &["-j", "-q"]);
    let record: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!((&record["used"], &record["time_wait"]), (&40.into(), &40.into()));
}
