//! Clocks that jump: the time of day is set, the machine sleeps. Recorded, since nobody may set the
//! clock of the machine that tests run on.

use super::text;
use crate::old_support::record::{Event, Life, Line};
use std::process::Command;

const HEADER: &str = r#"{"tcplapse":{"recording":1,"start":[1790000000000000,50000000],"boot_id":"0b1c","part":0,"source":"proc","interval":100000,"host":"host","kernel":"6.18"}}"#;
const HOUR: i64 = 3_600_000_000;

/// One socket, pass by pass: the time of day and since boot (µs), its state, in kernel words.
fn replayed(passes: &[(i64, u64, &str)], args: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("recording");
    let mut lines = vec![HEADER.to_owned()];
    for (wall, boot, line) in passes {
        let at = |micros: i64| {
            let later = 1_790_000_000_000_000 + wall + micros;
            format!("[{later},{}]", boot.strict_add_signed(micros))
        };
        lines.push(match line.strip_prefix("lost ") {
            Some(reason) => {
                format!(r#"{{"lost":{{"time":{},"reason":"{reason}","count":null}}}}"#, at(0))
            }
            None => format!(
                r#"{{"pass":{{"start":{},"end":{},"netns":1,"rows":[{line}]}}}}"#,
                at(-1000),
                at(0)
            ),
        });
    }
    std::fs::write(&path, lines.join("\n") + "\n").expect("it is ours");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcplapse"));
    let output = command.arg("replay").args(args.split(' ')).arg(&path).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

const BORN: &str =
    r#"{"local":"127.0.0.1:4000","remote":"127.0.0.1:80","state":"ESTABLISHED","inode":7}"#;
const CLOSING: &str = r#"{"state":"FIN_WAIT2"}"#;
const GONE: &str = "-1";
/// An hour and more is gone from the time of day, and comes back.
const SET_BACK: [(i64, u64, &str); 6] = [
    (0, 50_000_000, ""),
    (100_000, 50_100_000, BORN),
    (-HOUR, 50_200_000, ""),
    (-HOUR + 400_000, 50_600_000, CLOSING),
    (9 * HOUR, 51_600_000, GONE),
    (9 * HOUR + 100_000, 51_700_000, ""),
];

#[test]
fn durations_are_right_whatever_becomes_of_the_time_of_day() {
    let printed = replayed(&SET_BACK, "-j");
    let told: Vec<Event> = printed
        .lines()
        .map(|line| match Line::parse(line) {
            Line::Event(event) => *event,
            Line::Lost(lost) => panic!("nothing was lost: {lost:?}"),
        })
        .collect();
    let steps: Vec<_> = told.iter().map(|told| (told.to.as_str(), told.held)).collect();
    let expected = [("ESTABLISHED", None), ("FIN_WAIT2", Some(0.5)), ("CLOSED", Some(1.1))];
    assert_eq!(steps, expected);
    assert!(told.iter().all(|event| event.id == told[0].id), "{told:?}");
    // What is printed is what the clocks said.
    assert_eq!(told[0].time.0 - told[1].time.0, HOUR - 300_000);
    assert!(!replayed(&SET_BACK, "--time elapsed").contains("-3"), "no time before the start");
}

#[test]
fn a_life_across_a_clock_that_was_set_is_told_with_its_true_length() {
    let printed = replayed(&SET_BACK, "-j --view timeline");
    let life = Life::parse(printed.trim_end());
    let held: Vec<_> = life.steps.iter().filter_map(|step| step.held).collect();
    assert_eq!(held, [0.5, 1.1], "{life:?}");
    let block = replayed(&SET_BACK, "--view timeline");
    assert!(block.contains("1.6s") && !block.contains("h "), "{block}");
}

#[test]
fn after_a_sleep_the_socket_that_proves_itself_goes_on() {
    let night = u64::try_from(8 * HOUR).expect("positive");
    let slept = [
        (0, 50_000_000, ""),
        (100_000, 50_100_000, BORN),
        (8 * HOUR, 50_100_000 + night, "lost gap"),
        (8 * HOUR, 50_100_000 + night, ""),
        (8 * HOUR + 100_000, 50_200_000 + night, CLOSING),
    ];
    let printed = replayed(&slept, "-j");
    let lines: Vec<Line> = printed.lines().map(Line::parse).collect();
    let [Line::Event(born), Line::Lost(lost), Line::Event(closing)] = &lines[..] else {
        panic!("{printed}")
    };
    assert_eq!(lost.reason, "gap");
    assert_eq!((&closing.id, closing.from.as_deref()), (&born.id, Some("ESTABLISHED")));
    assert_eq!(closing.held, Some(28_800.1), "the sleep counts");
}
