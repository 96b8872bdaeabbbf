//! Every flag about the output changes it, or is refused: each view and format with each flag.

use super::made_recording::recorded;
use crate::support::program::{Outcome, Program, command};

/// One socket of each of these kinds: there all the time, closing, and open for a moment.
const POLLS: [(i64, u64, &str); 5] = [
    (
        0,
        50_001_000,
        r#"{"local":"10.0.0.1:3000","remote":"10.0.0.4:80","state":"ESTABLISHED","inode":6,"uid":0},{"local":"10.0.0.1:4000","remote":"10.0.0.3:80","state":"ESTABLISHED","inode":7,"uid":0}"#,
    ),
    (
        10_000_000,
        60_000_000,
        r#"1,{"state":"CLOSE_WAIT"},{"local":"10.0.0.1:5000","remote":"10.0.0.5:81","state":"ESTABLISHED","inode":8,"uid":0}"#,
    ),
    (14_000_000, 64_000_000, r#"1,{"state":"LAST_ACK"},-1"#),
    (16_000_000, 66_000_000, "2"),
    (20_000_000, 70_000_000, "2"),
];

const VIEWS: [&str; 5] = ["events", "timeline", "table", "diagram", "summary"];
const FORMATS: [&str; 2] = ["text", "json"];

/// Flags with a value that is not the default: of all commands, and of some.
const FLAGS: [&str; 7] = [
    "--color always",
    "--extend",
    "--timers",
    "--no-header",
    "--label label_a=b",
    "--max-count 1",
    "--state TIME_WAIT",
];
const OF_REPLAY: [&str; 7] = [
    "--quiet",
    "--time epoch",
    "--utc",
    "--by remote",
    "--rules RULES",
    "--since 1790000017",
    "--until 1790000005",
];
const OF_LIST: [&str; 3] = ["--sort remote", "--top 1", "--at 1790000005"];
const OF_CHECK: [&str; 2] = ["--by state", "--top 1"];

/// Runs the program where local time is not UTC.
fn outcome(line: &str) -> Outcome {
    let mut command = command(&line.split(' ').collect::<Vec<_>>());
    command.env("TZ", "Asia/Tokyo");
    Program::spawn(command).finish()
}

/// The flags that are accepted, and change nothing.
fn useless<'f>(line: &str, flags: impl IntoIterator<Item = &'f str>, rules: &str) -> Vec<String> {
    let printed = |Outcome { code, stdout, stderr }: Outcome| (code, stdout, stderr);
    let without = printed(outcome(line));
    assert!(matches!(without.0, Some(0 | 1)), "{line}: {without:?}");
    let is_useless = |flag: &&str| {
        let with = printed(outcome(&format!("{line} {}", flag.replace("RULES", rules))));
        let is_refused = with.0 == Some(2) && with.2.starts_with("tcplapse: --");
        !is_refused && with == without
    };
    flags.into_iter().filter(is_useless).map(|flag| format!("{line} {flag}")).collect()
}

#[test]
fn a_flag_changes_the_output_or_is_refused() {
    let (folder, file) = recorded(&POLLS);
    let rules = folder.path().join("rules.toml");
    let rule = "[[rule]]\nname = \"one\"\nstate = \"CLOSE_WAIT\"\nat_least = 1\n";
    std::fs::write(&rules, rule).expect("it is ours");
    let rules = rules.to_str().expect("UTF-8");
    let mut all = Vec::new();
    for format in FORMATS {
        for view in VIEWS {
            let line = format!("replay {file} --view {view} --format {format}");
            all.extend(useless(&line, FLAGS.into_iter().chain(OF_REPLAY), rules));
        }
        let line = format!("list --from {file} --format {format}");
        all.extend(useless(&line, FLAGS.into_iter().chain(OF_LIST), rules));
        let line = format!("check --from {file} --max all:0 --format {format}");
        all.extend(useless(&line, FLAGS.into_iter().chain(OF_CHECK), rules));
    }
    for view in ["events --format html", "diagram --format svg", "events --format csv"] {
        let line = format!("replay {file} --view {view}");
        all.extend(useless(&line, FLAGS.into_iter().chain(OF_REPLAY), rules));
    }
    assert!(all.is_empty(), "{all:#?}");
}
