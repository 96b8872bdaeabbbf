//! `replay --since` and `--until`: a part of a recording. It starts at 14:13:20 UTC.

use super::made_recording::{recorded, replay, replayed};
use crate::support::program::{self, Outcome, Program};
use crate::support::record::Listed;

const ESTABLISHED: &str =
    r#"{"local":"10.0.0.1:4000","remote":"10.0.0.2:80","state":"ESTABLISHED","inode":7,"uid":0}"#;

/// ESTABLISHED at the start, CLOSE_WAIT from second 10, LAST_ACK from second 20 on.
const POLLS: [(i64, u64, &str); 4] = [
    (0, 50_001_000, ESTABLISHED),
    (10_000_000, 60_000_000, r#"{"state":"CLOSE_WAIT"}"#),
    (20_000_000, 70_000_000, r#"{"state":"LAST_ACK"}"#),
    (30_000_000, 80_000_000, r"1"),
];

/// Runs the program in a time zone of its own.
fn two_hours_east(args: &[&str]) -> Outcome {
    let mut command = program::command(args);
    command.env("TZ", "<+02>-2");
    Program::spawn(command).finish()
}

/// The states that events lead to.
fn states(args: &str) -> Vec<String> {
    let text = replayed(&POLLS, &format!("-j {args}"));
    let to = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
        event["to"].as_str().expect("a state").to_owned()
    };
    text.lines().map(to).collect()
}

#[test]
fn a_part_of_a_recording_is_shown() {
    assert_eq!(states(""), ["ESTABLISHED", "CLOSE_WAIT", "LAST_ACK"]);
    assert_eq!(states("--since 2026-09-21T14:13:25Z"), ["CLOSE_WAIT", "LAST_ACK"]);
    assert_eq!(states("--until 1790000010"), ["ESTABLISHED", "CLOSE_WAIT"]);
    let both = "--since 1790000010 --until 1790000019";
    assert_eq!(states(both), ["CLOSE_WAIT"]);
    assert!(states("--since 1790000031").is_empty() && states("--until 5").is_empty());
}

#[test]
fn a_part_without_readings_shows_nothing_and_says_so() {
    let (_folder, file) = recorded(&POLLS);
    for view in ["events", "timeline", "diagram"] {
        let args = ["replay", &file, "-j", "--view", view, "--since", "1790000031"];
        let outcome = program::run(&args);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{view}: {outcome:?}");
        assert!(
            outcome.stderr.contains("no reading of the recording is in the part"),
            "{outcome:?}"
        );
    }
}

#[test]
fn the_table_is_that_of_the_moment() {
    let table = replayed(&POLLS, "--view table -H --utc --until 14:13:35");
    let words: Vec<&str> = table.split_whitespace().collect();
    assert_eq!(words[1], "CLOSE_WAIT", "{table}");
}

#[test]
fn list_shows_the_sockets_of_a_moment() {
    let (_folder, file) = recorded(&POLLS);
    for (args, state) in [
        (&["--at", "2026-09-21T14:13:25Z"][..], "ESTABLISHED"),
        (&["--at", "1790000010"], "CLOSE_WAIT"),
        (&["--at", "1790000030"], "LAST_ACK"),
        (&[], "LAST_ACK"),
    ] {
        let outcome = program::run(&[&["list", "-j", "--from", &file], args].concat());
        let rows: Vec<Listed> = outcome.stdout.lines().map(Listed::parse).collect();
        let states: Vec<&str> = rows.iter().map(|row| row.state.as_str()).collect();
        assert_eq!((outcome.code, states), (Some(0), vec![state]), "{outcome:?}");
    }
    for (args, message) in [
        (&["--at", "14:00"][..], "--at has no effect without --from FILE; leave it out"),
        (&["--from", &file, "--source", "netlink"], "--source"),
    ] {
        let outcome = program::run(&[&["list"], args].concat());
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains(message), "{outcome:?}");
    }
}

#[test]
fn what_was_not_recorded_is_not_shown() {
    let refused = |polls: &[(i64, u64, &str)], at: &str, words: &str| {
        let (_folder, file) = recorded(polls);
        let outcome = two_hours_east(&["list", "--from", &file, "--at", at]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
        let sentence = format!("tcplapse: {file} has no samples {words}; write another time");
        assert!(outcome.stderr.starts_with(&sentence), "{outcome:?}");
    };
    refused(&POLLS, "5", "before 2026-09-21 16:13:20");
    refused(&POLLS, "1790000031", "after 2026-09-21 16:13:50");
    let mut suspended = POLLS.to_vec();
    suspended.insert(2, (19_000_000, 69_000_000, "lost gap"));
    let words = "between 2026-09-21 16:13:30 and 2026-09-21 16:13:39";
    refused(&suspended, "1790000015", words);
    let mut soon = POLLS;
    soon[0].0 = 123_456;
    refused(&soon, "16:13:20", "before 2026-09-21 16:13:20.123456");
}

#[test]
fn a_sample_from_long_before_the_moment_is_named() {
    let (_folder, file) = recorded(&POLLS);
    let sentence = "tcplapse: the last sample before 2026-09-21 16:13:29 is from 2026-09-21 16:13:20: \
                    what happened in between is not shown\n";
    for (at, more, expected) in [
        ("16:13:29", &[][..], sentence),
        ("16:13:29", &["-q"], ""),
        ("16:13:21", &[], ""),
        ("16:13:30", &[], ""),
    ] {
        let list = [&["list", "-j", "--from", &file, "--at", at], more].concat();
        let outcome = two_hours_east(&list);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), expected), "{at}");
        assert_eq!(outcome.listed().len(), 1, "{at}");
    }
}

#[test]
fn a_timeline_goes_back_before_the_part() {
    let text = replayed(&POLLS, "--view timeline --utc --since 14:13:45");
    assert!(text.contains("ESTABLISHED") && text.contains("LAST_ACK"), "{text}");
}

#[test]
fn wrong_parts_are_refused() {
    for (args, message) in [
        ("--since soon", "--since: 'soon' is not a time; write 14:03, "),
        ("--since 20 --until 10", "--until is earlier than --since; "),
    ] {
        let outcome = replay(&POLLS, args);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
        assert!(outcome.stderr.starts_with(&format!("tcplapse: {message}")), "{outcome:?}");
    }
}
