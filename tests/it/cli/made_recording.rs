//! Recordings made by a test, of whatever it needs to have happened.

use crate::support::program::{self, Outcome};
use tempfile::TempDir;

pub(super) const HEADER: &str = r#"{"tcplapse":{"recording":1,"start":[1790000000000000,50000000],"boot_id":"0b1c","part":0,"source":"proc","interval":100000,"host":"host","kernel":"6.18"}}"#;

/// Replays polls: the microseconds of the time of day that have passed and those since boot, and
/// what a poll shows, as a recording has it, or `lost`, the reason and how many, or `answers` and those of lookups, or
/// `owners` and what was found of them. Returns what is printed.
pub(super) fn replayed(polls: &[(i64, u64, &str)], args: &str) -> String {
    let outcome = replay(polls, args);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout
}

/// As [`replayed`]; returns all that the run has left.
pub(super) fn replay(polls: &[(i64, u64, &str)], args: &str) -> Outcome {
    let (_folder, path) = recorded(polls);
    let args = ["replay"].into_iter().chain(args.split(' ').filter(|arg| !arg.is_empty()));
    program::run(&args.chain([&*path]).collect::<Vec<_>>())
}

/// A recording of polls, as for [`replayed`]: its folder and its path.
pub(super) fn recorded(polls: &[(i64, u64, &str)]) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("recording");
    let mut lines = vec![HEADER.to_owned()];
    for (wall, boot, line) in polls {
        let at = |micros: i64| {
            let later = 1_790_000_000_000_000 + wall + micros;
            format!("[{later},{}]", boot.checked_add_signed(micros).expect("a later time"))
        };
        lines.push(match line.split_once(' ') {
            Some(("lost", lost)) => {
                let (reason, count) = lost.split_once(' ').unwrap_or((lost, "null"));
                format!(r#"{{"lost":{{"time":{},"reason":"{reason}","count":{count}}}}}"#, at(0))
            }
            Some(("answers", answers)) => {
                let (start, end) = (at(0), at(0));
                format!(
                    r#"{{"answers":{{"start":{start},"end":{end},"netns":1,"answers":[{answers}]}}}}"#
                )
            }
            Some(("owners", owners)) => {
                format!(r#"{{"owners":{{"time":{},"all":true,{owners}}}}}"#, at(0))
            }
            _ => format!(
                r#"{{"pass":{{"start":{},"end":{},"netns":1,"rows":[{line}]}}}}"#,
                at(-1000),
                at(0)
            ),
        });
    }
    std::fs::write(&path, lines.join("\n") + "\n").expect("it is ours");
    (folder, path.to_str().expect("UTF-8").to_owned())
}
