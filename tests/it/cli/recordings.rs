//! Recordings: what may be written to, what can be read, and that a replay answers as a live run
//! would have.

use super::{on_fixture, run};
use crate::support::fake_procfs::FakeProcfs;
use crate::support::program::{self, Outcome, Program, run_with_input};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder with a recording.
struct Recorded {
    folder: TempDir,
}

impl Recorded {
    /// One poll of the fixture.
    fn new() -> Self {
        let recorded = Self::empty();
        let outcome = recorded.record("list", "recording");
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        recorded
    }

    /// Sockets that change from poll to poll.
    fn of_changes() -> Self {
        let recorded = Self::empty();
        let mut procfs = FakeProcfs::new();
        procfs.process(812, "client", 50, &[7, 9, 11]);
        let path = recorded.path("recording");
        procfs.watch(8, &["--record", path.to_str().expect("UTF-8")]);
        for rows in [
            &["4000 80 01/7"][..],
            &["4000 80 01/7", "4001 80 02/9"],
            &["4000 80 08/7", "4001 80 01/9"],
            &["4000 80 09/7", "4001 80 01/9"],
            &["4001 80 06/0", "4002 80 01/11"],
            &["4001 80 06/0", "4002 80 01/11"],
        ] {
            procfs.poll(rows);
        }
        let outcome = procfs.finish();
        assert_eq!((outcome.code, outcome.stdout.lines().count()), (Some(0), 8), "{outcome:?}");
        recorded
    }

    fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Records a run on the fixture.
    fn record(&self, line: &str, name: &str) -> Outcome {
        let args: Vec<&str> = line.split_whitespace().collect();
        let mut command = on_fixture(&args);
        command.arg("--record").arg(self.path(name));
        Program::spawn(command).finish()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path("recording")).expect("it was made")
    }

    fn replay(&self, line: &str) -> Outcome {
        replay(&self.path("recording"), line)
    }

    /// Replays a file of these bytes.
    fn replay_of(&self, bytes: &[u8]) -> Outcome {
        fs::write(self.path("other"), bytes).expect("the folder is ours");
        replay(&self.path("other"), "-j")
    }
}

fn replay(path: &Path, line: &str) -> Outcome {
    let path = path.to_str().expect("UTF-8");
    let args: Vec<&str> = ["replay", path].into_iter().chain(line.split_whitespace()).collect();
    program::run(&args)
}

/// The records of a run without what depends on when it was.
fn timeless(outcome: &Outcome) -> Vec<serde_json::Value> {
    let timeless = |line: &str| {
        let mut record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let record_object = record.as_object_mut().expect("an object");
        for key in ["time", "id", "opened", "held"] {
            record_object.remove(key);
        }
        for step in record["steps"].as_array_mut().into_iter().flatten() {
            (step["at"], step["held"]) = (().into(), ().into());
        }
        record
    };
    outcome.stdout.lines().map(timeless).collect()
}

#[test]
fn a_replay_filters_as_a_live_run_would_have() {
    let recorded = Recorded::new();
    for filter in [
        "",
        "client",
        "server -s LISTEN",
        "-x a-very-long-nam",
        "name-indeed$",
        "-f worker",
        "--pid 700,701",
        "--user 33",
        "--user 0 --port 45508",
        "-6 -l",
        "evil",
    ] {
        for view in ["events", "timeline"] {
            let line = format!("-j --view {view} {filter}");
            let live = run(&format!("{line} --for 1ms"));
            let replayed = recorded.replay(&line);
            let (replayed, live) = (timeless(&replayed), timeless(&live));
            let differ = replayed.iter().zip(&live).find(|(replayed, live)| replayed != live);
            assert_eq!(differ, None, "{line}");
            assert_eq!(replayed.len(), live.len(), "{line}");
            assert!(!live.is_empty(), "{line}");
        }
    }
    let nothing = recorded.replay("nosuch");
    assert_eq!(nothing.code, Some(0), "nothing to show is not an error: {nothing:?}");
    assert!(nothing.stderr.contains("tcplapse: replayed 1 reading from 20"), "{nothing:?}");
    let later = recorded.replay("--since 2200-01-01T00:00 nosuch");
    assert!(later.stderr.contains("no reading of the recording is in the part"), "{later:?}");
}

#[test]
fn a_replay_prints_the_bytes_that_the_recorded_run_printed() {
    for format in ["text", "json", "csv"] {
        for view in ["events", "timeline"] {
            let recorded = Recorded::empty();
            let line = format!("client|server --view {view} --format {format}");
            let live = recorded.record(&format!("{line} --for 30ms -i 10ms"), "recording");
            assert_eq!(recorded.replay(&line).stdout, live.stdout, "{line}");
        }
    }
}

#[test]
fn compressed_recordings_and_standard_input_can_be_replayed() {
    let recorded = Recorded::new();
    let plain = recorded.replay("-j client").stdout;
    let bytes = recorded.bytes();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&bytes).expect("memory");
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let (half, rest) = bytes.split_at(bytes.len() / 2);
    // logrotate and cat join compressed files: two frames, two members.
    let mut zst = ruzstd::encoding::compress_to_vec(half, level);
    zst.extend(b"\x50\x2a\x4d\x18\x03\0\0\0abc"); // a frame to be skipped
    zst.extend(ruzstd::encoding::compress_to_vec(rest, level));
    for (name, packed) in [("gz", gz.finish().expect("memory")), ("zst", zst), ("", bytes)] {
        // The format is known by the first bytes, not by the name.
        fs::write(recorded.path("packed"), &packed).expect("the folder is ours");
        assert_eq!(replay(&recorded.path("packed"), "-j client").stdout, plain, "{name}");
        let from_pipe = run_with_input(&["replay", "-", "-j", "client"], packed.clone());
        assert_eq!(from_pipe.stdout, plain, "{name} on standard input");
        if !name.is_empty() {
            let cut = &packed[..packed.len() - 40];
            fs::write(recorded.path("packed"), cut).expect("the folder is ours");
            let outcome = replay(&recorded.path("packed"), "-j client");
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
            assert!(outcome.stderr.contains("truncated"), "{name}: {outcome:?}");
        }
    }
}

#[test]
fn a_recording_cut_off_anywhere_is_replayed_up_to_there() {
    let recorded = Recorded::of_changes();
    let bytes = recorded.bytes();
    let whole = recorded.replay_of(&bytes).stdout;
    assert_eq!(whole.lines().count(), 8);
    let header = bytes.iter().position(|byte| *byte == b'\n').expect("a header") + 1;
    for cut in (header..bytes.len()).step_by(bytes.len() / 40) {
        let outcome = recorded.replay_of(&bytes[..cut]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(whole.starts_with(&outcome.stdout), "{outcome:?}");
        let between_lines = bytes[cut - 1] == b'\n' || bytes[cut] == b'\n';
        let reported = outcome.stderr.contains("truncated line");
        assert_eq!(reported, !between_lines, "{outcome:?}");
    }
}

#[test]
fn a_run_recorded_after_a_killed_one_is_replayed() {
    let recorded = Recorded::new();
    recorded.record("list", "recording");
    let mut bytes = recorded.bytes();
    bytes.truncate(bytes.len() - 20);
    fs::write(recorded.path("recording"), &bytes).expect("the folder is ours");
    let outcome = recorded.record("list client", "recording");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let outcome = recorded.replay("-j client");
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("truncated line"), "{outcome:?}");
    let events = outcome.recorded().events;
    let ids: std::collections::HashSet<&str> = events.iter().map(|e| e.id.as_str()).collect();
    assert_eq!((events.len(), ids.len()), (8, 8), "the sockets of two runs, whose ids differ");
}

#[test]
fn damaged_recordings_are_refused_with_one_sentence() {
    let recorded = Recorded::new();
    let bytes = recorded.bytes();
    let header = bytes.iter().position(|byte| *byte == b'\n').expect("a header") + 1;
    let newer = String::from_utf8_lossy(&bytes).replacen(r#""recording":2"#, r#""recording":3"#, 1);
    let broken = [&bytes[..header], b"{\"pass\":1}\n", &bytes[header..]].concat();
    let cases: [(&[u8], &str); 4] = [
        (b"", "not a tcplapse recording"),
        (b"hello\n", "not a tcplapse recording"),
        (newer.as_bytes(), "format version 3 is newer"),
        (&broken, "line 2 is damaged ("),
    ];
    for (bytes, sentence) in cases {
        let outcome = recorded.replay_of(bytes);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{sentence}");
        let message = outcome.stderr;
        assert!(message.contains(sentence) && message.lines().count() == 1, "{message}");
    }
}

#[test]
fn sampling_flags_are_refused_by_replay() {
    let recorded = Recorded::new();
    for flag in [
        "-i 1s",
        "--source proc",
        "--procfs /proc",
        "--max-cpu 5",
        "--ring 1MiB",
        "--record other",
        "--follow=x",
    ] {
        let outcome = recorded.replay(flag);
        let name = flag.split([' ', '=']).next().expect("a name");
        assert_eq!(outcome.code, Some(2), "{flag}");
        assert!(outcome.stderr.contains(name), "{outcome:?}");
    }
    let outcome = replay(Path::new("-"), "--follow");
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("leave out --follow"), "{outcome:?}");
}

#[test]
fn only_a_recording_is_appended_to() {
    use std::os::unix::fs::PermissionsExt;
    let recorded = Recorded::new();
    let metadata = |name: &str| fs::metadata(recorded.path(name)).expect("it is there");
    let mode = |name: &str| metadata(name).permissions().mode() & 0o777;
    assert_eq!(mode("recording"), 0o600, "others may not read it");
    fs::write(recorded.path("notes"), "hello\n").expect("the folder is ours");
    let outcome = recorded.record("list", "notes");
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("is not a tcplapse recording"), "{outcome:?}");
    assert_eq!(fs::read(recorded.path("notes")).expect("it is there"), b"hello\n");
    fs::write(recorded.path("given"), "").expect("the folder is ours");
    let group_may_read = fs::Permissions::from_mode(0o640);
    fs::set_permissions(recorded.path("given"), group_may_read).expect("it is ours");
    recorded.record("list", "given");
    assert_eq!(mode("given"), 0o640, "a file made by logrotate keeps its mode");
    assert!(metadata("given").len() > 0);
}

#[test]
fn a_full_disk_ends_the_recording_but_not_the_run() {
    let outcome = run("watch client --for 30ms -i 10ms -j --record /dev/full");
    assert_eq!((outcome.code, outcome.stdout.lines().count()), (Some(0), 4), "{outcome:?}");
    let sentence = "cannot write /dev/full: No space left";
    assert_eq!(outcome.stderr.matches(sentence).count(), 1, "{outcome:?}");
}
