//! Recordings on a fixture: what may be written to, what can be read, and that a replay answers as a
//! live run would have.

use super::{program, run, text};
use assert_cmd::Command;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

/// A folder with a recording of the fixture.
struct Recorded {
    folder: TempDir,
}

impl Recorded {
    fn new() -> Self {
        Self::of("list")
    }

    fn of(line: &str) -> Self {
        let recorded = Self { folder: tempfile::tempdir().unwrap() };
        let output = recorded.record(line, "recording");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        recorded
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn record(&self, line: &str, name: &str) -> Output {
        program(line).arg("--record").arg(self.path(name)).output().expect("it runs")
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path("recording")).unwrap()
    }

    fn replay(&self, line: &str) -> Output {
        replay(&self.path("recording"), line)
    }

    /// Replays a file of these bytes.
    fn replay_of(&self, bytes: &[u8]) -> Output {
        fs::write(self.path("other"), bytes).unwrap();
        replay(&self.path("other"), "-j")
    }
}

fn replay(path: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcplapse"));
    command.arg("replay").arg(path).args(line.split_whitespace());
    command.timeout(std::time::Duration::from_secs(20)).output().expect("it runs")
}

/// What does not depend on the hour of a run.
fn timeless(output: &Output) -> Vec<serde_json::Value> {
    let timeless = |line: &str| {
        let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
        let record_object = record.as_object_mut().unwrap();
        for key in ["time", "id", "opened", "held"] {
            record_object.remove(key);
        }
        for step in record["steps"].as_array_mut().into_iter().flatten() {
            (step["at"], step["held"]) = (().into(), ().into());
        }
        record
    };
    text(&output.stdout).lines().map(timeless).collect()
}

#[test]
fn a_replay_answers_any_filter_as_a_live_run_would_have() {
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
            let live = run(&format!("{line} --for 50ms"));
            let replayed = recorded.replay(&line);
            let (replayed, live) = (timeless(&replayed), timeless(&live));
            let differ = replayed.iter().zip(&live).find(|(replayed, live)| replayed != live);
            assert_eq!(differ, None, "{line}");
            assert_eq!(replayed.len(), live.len(), "{line}");
            assert!(!live.is_empty(), "{line}");
        }
    }
    assert_eq!(recorded.replay("nosuch").status.code(), Some(0), "an empty run is no fault");
}

#[test]
fn a_replay_prints_the_bytes_that_the_recorded_run_printed() {
    for format in ["text", "json", "csv"] {
        for view in ["events", "timeline"] {
            let recorded = Recorded { folder: tempfile::tempdir().unwrap() };
            let line = format!("client|server --view {view} --format {format}");
            let live = recorded.record(&format!("{line} --for 100ms"), "recording");
            let replayed = recorded.replay(&line);
            assert_eq!(text(&replayed.stdout), text(&live.stdout), "{line}");
        }
    }
}

#[test]
fn packed_recordings_and_standard_input_are_read_as_they_are() {
    let recorded = Recorded::new();
    let plain = recorded.replay("-j client").stdout;
    let bytes = recorded.bytes();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&bytes).unwrap();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let (half, rest) = bytes.split_at(bytes.len() / 2);
    // logrotate and cat join packed files: two frames, two members.
    let mut zst = ruzstd::encoding::compress_to_vec(half, level);
    zst.extend(b"\x50\x2a\x4d\x18\x03\0\0\0abc"); // a frame to be skipped
    zst.extend(ruzstd::encoding::compress_to_vec(rest, level));
    for (name, packed) in [("gz", gz.finish().unwrap()), ("zst", zst), ("", bytes)] {
        // The name says nothing, the first bytes do.
        fs::write(recorded.path("packed"), &packed).unwrap();
        assert_eq!(replay(&recorded.path("packed"), "-j client").stdout, plain, "{name}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tcplapse"));
        let output = command.args(["replay", "-", "-j", "client"]).write_stdin(packed.clone());
        assert_eq!(output.output().unwrap().stdout, plain, "{name} on standard input");
        if !name.is_empty() {
            fs::write(recorded.path("packed"), &packed[..packed.len() - 40]).unwrap();
            let output = replay(&recorded.path("packed"), "-j client");
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
            assert!(text(&output.stderr).contains("cut off"), "{name}: {}", text(&output.stderr));
        }
    }
}

#[test]
fn a_recording_cut_off_anywhere_is_shown_as_far_as_it_goes() {
    let recorded = Recorded::of("watch --for 250ms -i 10ms");
    let bytes = recorded.bytes();
    let whole = recorded.replay_of(&bytes);
    let header = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for cut in (header..bytes.len()).step_by(bytes.len() / 40) {
        let output = recorded.replay_of(&bytes[..cut]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(whole.stdout.starts_with(&output.stdout));
        let at_a_line_s_end = bytes[cut - 1] == b'\n' || bytes[cut] == b'\n';
        let told = text(&output.stderr).contains("cut off in the middle");
        assert_eq!(told, !at_a_line_s_end, "{}", text(&output.stderr));
    }
}

#[test]
fn a_run_that_follows_a_killed_one_is_shown_too() {
    let recorded = Recorded::of("watch --for 250ms -i 10ms");
    let mut bytes = recorded.bytes();
    bytes.truncate(bytes.len() - 20);
    fs::write(recorded.path("recording"), &bytes).unwrap();
    let output = recorded.record("list client", "recording");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let output = recorded.replay("-j client");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("cut off in the middle"), "{}", text(&output.stderr));
    let lines: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut ids: Vec<&str> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((lines.len(), ids.len()), (8, 8), "the same sockets in two runs are two lives");
}

#[test]
fn what_cannot_be_replayed_is_said_in_a_sentence() {
    let recorded = Recorded::new();
    let bytes = recorded.bytes();
    let header = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let newer = String::from_utf8_lossy(&bytes).replacen(r#""recording":1"#, r#""recording":2"#, 1);
    let broken = [&bytes[..header], b"{\"pass\":1}\n", &bytes[header..]].concat();
    let cases: [(&[u8], &str); 4] = [
        (b"", "this is no recording"),
        (b"hello\n", "this is no recording"),
        (newer.as_bytes(), "version 2 of the format is newer"),
        (&broken, "line 2 is damaged: "),
    ];
    for (bytes, sentence) in cases {
        let output = recorded.replay_of(bytes);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""), "{sentence}");
        let told = text(&output.stderr);
        assert!(told.contains(sentence) && told.lines().count() == 1, "{told}");
    }
}

#[test]
fn what_says_how_to_look_is_refused_where_nothing_is_looked_at() {
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
        let output = recorded.replay(flag);
        let name = flag.split([' ', '=']).next().unwrap().replace("-i", "--interval");
        assert_eq!(output.status.code(), Some(2), "{flag}");
        assert!(text(&output.stderr).contains(&name), "{}", text(&output.stderr));
    }
    let output = replay(Path::new("-"), "--follow");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("leave out --follow"));
}

#[test]
fn nothing_but_a_recording_is_written_to() {
    use std::os::unix::fs::PermissionsExt;
    let recorded = Recorded::new();
    let mode = |name: &str| fs::metadata(recorded.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("recording"), 0o600, "for nobody else's eyes");
    fs::write(recorded.path("notes"), "hello\n").unwrap();
    let output = recorded.record("list", "notes");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("something else than a recording"));
    assert_eq!(fs::read(recorded.path("notes")).unwrap(), b"hello\n");
    fs::write(recorded.path("given"), "").unwrap();
    fs::set_permissions(recorded.path("given"), fs::Permissions::from_mode(0o640)).unwrap();
    recorded.record("list", "given");
    assert_eq!(mode("given"), 0o640, "what logrotate has created stays as it is");
    assert!(fs::metadata(recorded.path("given")).unwrap().len() > 0);
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_run() {
    let output = program("watch client --for 50ms -j --record /dev/full").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout).lines().count(), 4);
    let told = text(&output.stderr);
    assert_eq!(
        told.matches("the recording to /dev/full ends here: No space left").count(),
        1,
        "{told}"
    );
}
