//! `--view summary`: counts, rates and times by group and state, and what is noteworthy.

use super::made_recording::{replay, replayed};
use super::{on_fixture, run};
use crate::support::fake_procfs::FakeProcfs;
use crate::support::program::{self, Program};
use nix::sys::signal::Signal;
use serde_json::Value;

/// A connection that stays in CLOSE_WAIT, and one that is closed.
const POLLS: [(i64, u64, &str); 5] = [
    (
        0,
        50_001_000,
        r#"{"local":"10.0.0.1:4000","remote":"10.0.0.2:80","state":"ESTABLISHED","inode":7,"uid":0}"#,
    ),
    (
        10_000_000,
        60_000_000,
        r#"{"state":"CLOSE_WAIT"},{"local":"10.0.0.1:4001","remote":"10.0.0.3:81","state":"ESTABLISHED","inode":8,"uid":0}"#,
    ),
    (14_000_000, 64_000_000, "1,{\"state\":\"LAST_ACK\"}"),
    (16_000_000, 66_000_000, "1,-1"),
    (20_000_000, 70_000_000, "1"),
];

fn records(args: &str) -> Vec<Value> {
    let text = replayed(&POLLS, &format!("--view summary -j {args}"));
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The row of a state, or of the whole group.
fn row<'r>(records: &'r [Value], state: Option<&str>) -> &'r Value {
    let found =
        records.iter().find(|row| row["event"] == "summary" && row["state"].as_str() == state);
    found.unwrap_or_else(|| panic!("no {state:?} in {records:#?}"))
}

#[test]
fn a_summary_counts_states_with_rates_and_times() {
    let records = records("");
    let established = row(&records, Some("ESTABLISHED"));
    assert_eq!((&established["count"], &established["change"]), (&0.into(), &(-1).into()));
    assert_eq!((&established["opened"], &established["closed"]), (&1.into(), &2.into()));
    assert_eq!(established["closed_per_second"], 0.1);
    // How long the one was there that the first poll found is not known.
    assert_eq!((&established["measured"], &established["median"]), (&1.into(), &4.0.into()));
    let close_wait = row(&records, Some("CLOSE_WAIT"));
    assert_eq!((&close_wait["count"], &close_wait["oldest"]), (&1.into(), &10.0.into()));
    let all = row(&records, None);
    assert_eq!((&all["count"], &all["highest"], &all["closed"]), (&1.into(), &2.into(), &1.into()));
    assert_eq!((&all["group"], &all["by"]), (&[Value::Null][..].into(), &["process"][..].into()));
    let found = records.last().expect("a record");
    assert_eq!(
        (&found["event"], &found["finding"]),
        (&"finding".into(), &"growing-close-wait".into())
    );
    assert_eq!((&found["part"], &found["count"]), (&0.into(), &1.into()));
}

#[test]
fn a_summary_is_by_what_is_asked_for() {
    let groups = |by: &str| -> Vec<Value> {
        let mut groups: Vec<_> = records(by)
            .iter()
            .map(|record| record["group"].clone())
            .filter(Value::is_array)
            .collect();
        groups.dedup();
        groups
    };
    let pair = |group: [&str; 2]| Value::from(&group[..]);
    let two = [pair(["10.0.0.2", "4000"]), pair(["10.0.0.3", "4001"])];
    assert_eq!(groups("--by remote,local-port"), two);
    assert_eq!(groups("--by state"), [Value::from(&[] as &[&str])]);
    let only = records("-s CLOSE_WAIT --by remote");
    let mut states = only.iter().map(|row| &row["state"]).filter(|state| state.is_string());
    assert!(states.all(|state| state == "CLOSE_WAIT"), "{only:#?}");
}

#[test]
fn as_csv_findings_are_messages() {
    let outcome = replay(&POLLS, "--view summary --format csv");
    let mut rows = csv::Reader::from_reader(outcome.stdout.as_bytes());
    let states = rows.records().map(|row| row.expect("as wide as the first")[7].to_owned());
    assert_eq!(states.collect::<Vec<_>>(), ["", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK"]);
    assert!(
        outcome.stderr.contains("CLOSE_WAIT of an unknown process grew from 0 to 1"),
        "{outcome:?}"
    );
}

#[test]
fn a_part_of_a_recording_begins_with_the_sockets_there_are() {
    let records = records("--since 1790000012");
    let all = row(&records, None);
    assert_eq!((&all["change"], &all["opened"]), (&(-1).into(), &0.into()), "{all}");
    assert_eq!(row(&records, Some("CLOSE_WAIT"))["change"], 0);
}

#[test]
fn a_single_poll_has_counts_without_rates() {
    let outcome = run("--view summary --for 1ms client -H");
    let first = "client  all          4  0  4  -  -  -  -  -\n";
    assert!(outcome.stdout.starts_with(first), "{outcome:?}");
}

#[test]
fn sigusr1_prints_the_summary_after_the_timelines() {
    let args = ["client", "-s", "FIN_WAIT2", "-i", "1h", "--ready-fd", "2", "-j"];
    let mut program = Program::spawn(on_fixture(&args));
    program.until_ready();
    program.signal(Signal::SIGUSR1);
    program.message_with("  closed first by this side, open for ");
    program.message_with("PROCESS  STATE ");
    program.message_with("client   FIN_WAIT2 ");
    program.message_with("seen: ");
    program.stop();
}

#[test]
fn sockets_of_which_track_was_lost_are_not_counted() {
    FakeProcfs::session(|mut procfs| {
        procfs.run(&[
            "--view",
            "summary",
            "-j",
            "-i",
            "1ms",
            "-m",
            "9",
            "--max-cpu",
            "100",
            "--for",
            "2s",
        ]);
        procfs.poll(&["1000 80 01/7", "1001 80 01/8"]);
        procfs.poll(&["1000 80 08/7"]);
        procfs.poll_until_exit(&["1000 80 08/7"]);
        let outcome = procfs.finish();
        let rows: Vec<Value> =
            outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(row(&rows, None)["count"], 1, "{outcome:?}");
        assert_eq!(row(&rows, Some("CLOSE_WAIT"))["change"], 1, "{outcome:?}");
    });
}

#[test]
fn run_prints_a_summary_where_it_is_asked_for() {
    let outcome = program::run(&["run", "--view", "summary", "--source", "proc", "--", "true"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("seen: 0 sockets"), "{outcome:?}");
    let refused = program::run(&["run", "--by", "remote", "--", "true"]);
    assert!(refused.stderr.contains("--by has no effect without --view summary"), "{refused:?}");
}
