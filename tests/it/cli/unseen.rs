//! `check` where part of the time that it is about was not seen: without a violation the answer is
//! unknown. What else reads such a recording says what is missing.

use super::made_recording::{HEADER, recorded};
use crate::support::fake_procfs::FakeProcfs;
use crate::support::program::{self, Outcome, Program, unprivileged};
use crate::support::wait::{until, until_instant};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Two seconds without a poll are a gap.
const GAP: Duration = Duration::from_millis(2500);
const START: u64 = 1_790_000_000_000_000;

/// The socket in a state, as a recording has it.
fn row(state: &str) -> String {
    format!(
        r#"{{"local":"10.0.0.1:4000","remote":"10.0.0.2:80","state":"{state}","inode":7,"uid":0}}"#
    )
}

/// Exit status and standard error of `check --from`.
fn check_from(file: &str, args: &str) -> (Option<i32>, String) {
    let args: Vec<&str> = ["check", "--from", file].into_iter().chain(args.split(' ')).collect();
    let outcome = program::run(&args);
    (outcome.code, outcome.stderr)
}

#[test]
fn a_gap_in_a_recording_leaves_check_undecided() {
    let (established, close_wait) = (row("ESTABLISHED"), row("CLOSE_WAIT"));
    let s = |second: i64| (second * 1_000_000, 50_000_000 + second.unsigned_abs() * 1_000_000);
    let at = |second: i64, line| (s(second).0, s(second).1, line);
    let polls = [
        at(0, &*established),
        at(1, "1"),
        at(2, r#"{"state":"CLOSE_WAIT"}"#),
        // No sample: what was asked for before may be read after a pause.
        at(8, "answers "),
        at(9, "lost gap"),
        at(10, r#"{"state":"ESTABLISHED"}"#),
    ];
    let (_folder, file) = recorded(&polls);
    let unknown = "tcplapse: check is inconclusive: there are no samples between \
                   2026-09-21T14:13:22.000000Z and 2026-09-21T14:13:29.000000Z\n";
    for limit in
        ["--stuck CLOSE_WAIT:2s", "--max all:1", "--growing all --max all:1", "--ports 50%"]
    {
        let (code, message) = check_from(&file, &format!("{limit} -q"));
        assert_eq!((code, &*message), (Some(2), unknown), "{limit}");
    }
    for proven in ["--max CLOSE_WAIT:0", "--stuck CLOSE_WAIT:9s --stuck ESTABLISHED:1s"] {
        assert_eq!(check_from(&file, proven).0, Some(1), "{proven}");
    }
    assert_eq!(check_from(&file, "--growing all").0, Some(0), "as many at the end as at the start");
    // Nothing shows that it stayed in its state until the end of the gap.
    let (_folder, file) = recorded(&[at(0, &*close_wait), at(1, "1"), at(9, "lost gap")]);
    assert_eq!(check_from(&file, "--stuck CLOSE_WAIT:5s").0, Some(2));
}

#[test]
fn lost_kernel_events_in_a_recording_leave_check_undecided() {
    let established = row("ESTABLISHED");
    for (lost, what) in [
        ("ring 2", "2 kernel events lost by TIME; use a larger --ring"),
        ("recursion 1", "up to 1 kernel event lost by TIME"),
        ("unreported 2", "at least 2 kernel events lost by TIME"),
        ("unreported", "kernel events lost by TIME"),
    ] {
        let line = format!("lost {lost}");
        let polls = [(0, 50_000_000, &*established), (1, 50_000_001, &*line), (2, 50_000_002, "1")];
        let (_folder, file) = recorded(&polls);
        let what = what.replace("TIME", "2026-09-21T14:13:20.000001Z");
        let unknown = format!("tcplapse: check is inconclusive: {what}\n");
        assert_eq!(check_from(&file, "--max CLOSE_WAIT:0 -q"), (Some(2), unknown), "{lost}");
    }
}

/// Runs `check` with a gap before its last poll.
fn outcome_of_a_gap(polls_before: usize, args: &[&str]) -> Outcome {
    let mut procfs = FakeProcfs::new();
    procfs.run(&[&["check", "-i", "1ms", "--max-cpu", "100"], args].concat());
    for _ in 0..polls_before {
        procfs.poll(&["4000 80 01/7"]);
    }
    until_instant(Instant::now() + GAP);
    procfs.poll(&["4000 80 01/7"]);
    procfs.poll_until_exit(&["4000 80 01/7"]);
    procfs.finish()
}

#[test]
fn a_gap_while_check_watches_leaves_it_undecided() {
    let watching = outcome_of_a_gap(2, &["--max", "CLOSE_WAIT:0", "--for", "1s"]);
    let message = watching.messages();
    assert_eq!((watching.code, &*watching.stdout), (Some(2), ""), "{message}");
    assert!(message.contains("check is inconclusive: there are no samples between "), "{message}");
    assert_eq!(outcome_of_a_gap(2, &["--max", "ESTABLISHED:0", "--for", "1s"]).code, Some(1));
}

#[test]
fn a_single_look_does_not_depend_on_what_was_before() {
    let look = outcome_of_a_gap(1, &["--max", "CLOSE_WAIT:0"]);
    assert_eq!((look.code, look.messages()), (Some(0), String::new()));
}

#[test]
fn a_bad_row_while_check_watches_leaves_it_undecided() {
    let mut procfs = FakeProcfs::new();
    procfs.run(&["check", "-i", "1ms", "--max-cpu", "100", "--max", "all:1", "--for", "1ms"]);
    procfs.poll(&["4000 80 01/7"]);
    procfs.poll_with_bad_row(&["4000 80 01/7"]);
    procfs.poll_until_exit(&["4000 80 01/7"]);
    let outcome = procfs.finish();
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    let message = "1 row of the kernel's tables could not be read at ";
    assert!(outcome.stderr.contains(message), "{outcome:?}");
}

/// A ring of three files: the connection is in CLOSE_WAIT in the second one alone.
struct Ring {
    folder: TempDir,
}

impl Ring {
    fn new() -> Self {
        let ring = Self { folder: tempfile::tempdir().expect("a folder") };
        ring.write("recording.000001", 0, "ESTABLISHED");
        ring.write("recording.000002", 1, "CLOSE_WAIT");
        ring.write("recording", 2, "LAST_ACK");
        ring
    }

    /// A file with four polls, a second apart.
    fn write(&self, name: &str, part: u64, state: &str) {
        let time = |second: u64| {
            let micros = (part * 4 + second) * 1_000_000;
            format!("[{},{}]", START + micros, 50_000_000 + micros)
        };
        let head = format!(r#""part":{part},"since":{}"#, time(0));
        let mut lines = vec![HEADER.replace(r#""part":0"#, &head)];
        for second in 0..4 {
            let (at, rows) = (time(second), if second == 0 { row(state) } else { "1".to_owned() });
            let pass =
                format!(r#"{{"pass":{{"start":{at},"end":{at},"netns":1,"rows":[{rows}]}}}}"#);
            lines.push(pass);
        }
        fs::write(self.file(name), lines.join("\n") + "\n").expect("it is ours");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.file(name)).expect("it is ours");
    }

    fn run(&self, args: &str) -> Outcome {
        let file = self.file("recording").display().to_string();
        let args = args.replace("FILE", &file);
        unprivileged(|| program::run(&args.split(' ').collect::<Vec<_>>()))
    }

    /// Exit status and standard error of the question whether CLOSE_WAIT lasted too long.
    fn check(&self) -> (Option<i32>, String) {
        let outcome = self.run("check --from FILE --stuck CLOSE_WAIT:2s");
        (outcome.code, outcome.stderr)
    }

    /// [`Self::check`] is undecided because of `reason`, which is said with `--quiet`, too.
    fn assert_undecided(&self, reason: &str) {
        let sentence = format!("tcplapse: check is inconclusive: {reason}\n");
        let (code, messages) = self.check();
        assert!(code == Some(2) && messages.ends_with(&sentence), "{code:?} {messages}");
        let quiet = self.run("check --from FILE --stuck CLOSE_WAIT:2s -q");
        assert_eq!((quiet.code, quiet.stderr), (Some(2), sentence));
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

/// The sentence that a file cannot be read.
fn denied(path: &Path) -> String {
    format!("cannot read {}: Permission denied; part of the recording is missing", path.display())
}

#[test]
fn a_part_that_cannot_be_read_leaves_check_undecided() {
    let ring = Ring::new();
    assert_eq!(ring.check().0, Some(1));
    let second = ring.file("recording.000002");
    set_mode(&second, 0);
    ring.assert_undecided(&denied(&second));
    let listed = ring.run("list --from FILE --at 1790000006");
    assert_eq!((listed.code, listed.stderr), (Some(2), format!("tcplapse: {}\n", denied(&second))));
    let other_time = ring.run("list --from FILE --at 1790000010");
    assert_eq!(other_time.code, Some(0), "{other_time:?}");
    assert!(other_time.stderr.contains(&denied(&second)), "{other_time:?}");
    ring.remove("recording.000001");
    let replayed = ring.run("replay FILE");
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    for words in [&*denied(&second), "before is not in it, or cannot be read"] {
        assert!(replayed.stderr.contains(words), "{words}: {replayed:?}");
    }
}

#[test]
fn a_newest_part_that_cannot_be_read_leaves_check_undecided() {
    let ring = Ring::new();
    // As between two files.
    ring.remove("recording");
    let second = ring.file("recording.000002");
    set_mode(&second, 0);
    ring.assert_undecided(&denied(&second));
    set_mode(&ring.file("recording.000001"), 0);
    let (code, messages) = ring.check();
    let cause = format!("{}: Permission denied", second.display());
    assert!(code == Some(2) && messages.contains(&cause), "{messages}");
}

#[test]
fn a_follower_names_a_part_that_it_cannot_read() {
    let ring = Ring::new();
    let (file, next) = (ring.file("recording"), ring.file("recording.000004"));
    let args = ["replay", "--follow", file.to_str().expect("UTF-8")];
    let mut follower = unprivileged(|| Program::start(&args));
    until("the last state", || follower.stdout().contains("LAST_ACK").then_some(()));
    fs::rename(&file, ring.file("recording.000003")).expect("it is ours");
    ring.write("recording.000004", 3, "LAST_ACK");
    set_mode(&next, 0);
    ring.write("recording", 4, "LAST_ACK");
    follower.message_with(&denied(&next));
    follower.message_with("samples are missing before");
}

#[test]
fn a_folder_that_cannot_be_listed_leaves_check_undecided() {
    let ring = Ring::new();
    set_mode(ring.folder.path(), 0o300);
    ring.assert_undecided(&denied(ring.folder.path()));
    // A recording that is whole needs no other file.
    ring.write("recording", 0, "LAST_ACK");
    assert_eq!(ring.check(), (Some(0), String::new()));
    set_mode(ring.folder.path(), 0o700);
}

#[test]
fn parts_missing_in_the_middle_leave_check_undecided() {
    let ring = Ring::new();
    ring.remove("recording.000002");
    let file = ring.file("recording");
    let missing = "samples are missing before 2026-09-21T14:13:28.000000Z";
    ring.assert_undecided(&format!("{}: {missing}", file.display()));
    // The oldest ones are removed by the ring itself.
    ring.remove("recording.000001");
    let (code, messages) = ring.check();
    assert_eq!(code, Some(0), "{messages}");
    assert!(messages.ends_with("what its run recorded before is not in it\n"), "{messages}");
}
