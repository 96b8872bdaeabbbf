//! `--record FILE --keep`: a recording that keeps what happened last, in several files.

use super::planted::{give, sticky};
use crate::support::fake_procfs::FakeProcfs;
use crate::support::mounts::mount_privately;
use crate::support::program::{self, Outcome, Program};
use crate::support::require::{Feature, skip};
use crate::support::wait::until_or;
use nix::sys::signal::Signal;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// The least that can be kept.
const SMALLEST: &str = "64KiB";
/// Between two polls of a ring that waits for time to pass: more polls would take CPU time from the
/// tests beside it.
const PAUSE: Duration = Duration::from_millis(20);

/// A run that records to a ring: each poll shows other sockets.
struct Ring {
    procfs: FakeProcfs,
    path: PathBuf,
    /// How many polls were given.
    polls: usize,
}

impl Ring {
    fn start(path: PathBuf, keep: &str) -> Self {
        let mut procfs = FakeProcfs::new();
        procfs.process(812, "client", 50, &[7]);
        let args = ["--record", path.to_str().expect("UTF-8"), "--keep", keep];
        procfs.watch(1_000_000, &args);
        Self { procfs, path, polls: 0 }
    }

    /// Polls with many sockets that were not there before.
    fn poll(&mut self, times: usize) {
        for _ in 0..times {
            let first = 1000 + self.polls % 1000 * 60;
            let rows: Vec<String> =
                (first..first + 60).map(|port| format!("{port} 80 01/7")).collect();
            self.procfs.poll(&rows.iter().map(String::as_str).collect::<Vec<_>>());
            self.polls += 1;
        }
    }

    /// Polls until something holds.
    fn poll_until(&mut self, what: &str, holds: impl Fn(&mut Self) -> bool) {
        until_or(
            || {
                self.poll(1);
                std::thread::park_timeout(PAUSE);
                holds(self).then_some(())
            },
            || what.to_owned(),
        );
    }

    fn end(mut self) -> Outcome {
        self.procfs.program().signal(Signal::SIGTERM);
        self.procfs.poll_until_exit(&[]);
        let outcome = self.procfs.finish();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome
    }
}

/// The files of a recording, the oldest first.
fn files(path: &Path) -> Vec<PathBuf> {
    let folder = fs::read_dir(path.parent().expect("a folder")).expect("it is there");
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.expect("a name").path()).collect();
    files.retain(|file| file != path);
    files.sort();
    files.push(path.to_owned());
    files
}

fn sizes(path: &Path) -> u64 {
    files(path).iter().map(|file| fs::metadata(file).map_or(0, |found| found.len())).sum()
}

fn replay(path: &Path) -> Outcome {
    let outcome = program::run(&["replay", "-j", path.to_str().expect("UTF-8")]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome
}

/// When what happened to which port.
fn events(outcome: &Outcome) -> Vec<(String, String, u16)> {
    let events = outcome.recorded().events.into_iter();
    let keys = events.map(|event| (format!("{:?}", event.time), event.event, event.local_port));
    keys.collect()
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("recording");
    (folder, path)
}

#[test]
fn a_ring_keeps_what_happened_last_within_its_size() {
    let (_folder, path) = folder();
    let mut ring = Ring::start(path.clone(), SMALLEST);
    for _ in 0..40 {
        ring.poll(1);
        assert!(sizes(&path) <= 64 << 10, "{:?}", files(&path));
    }
    assert!(files(&path).len() > 2, "{:?}", files(&path));
    let live = ring.end();
    let kept = replay(&path);
    let begins = "what its run recorded before is not in it";
    assert!(kept.stderr.contains(begins), "{kept:?}");
    let (kept, live) = (events(&kept), events(&live));
    let (present, after): (Vec<_>, Vec<_>) =
        kept.into_iter().partition(|(_, event, _)| event == "present");
    assert_eq!(present.len(), 60, "what was there when it begins");
    assert!(after.len() > 300, "{} events", after.len());
    assert!(live.ends_with(&after), "{after:?}");
}

#[test]
fn what_ended_too_long_ago_is_removed() {
    let (_folder, path) = folder();
    let mut ring = Ring::start(path.clone(), "1s");
    ring.poll_until("a file to be renamed by its age", |ring| files(&ring.path).len() > 2);
    let first = path.with_extension("000001");
    ring.poll_until("the first one to be removed by its age", |_| !first.exists());
    ring.end();
}

/// A file that is opened again is as old as before.
#[test]
fn reopening_the_file_does_not_make_it_younger() {
    let (_folder, path) = folder();
    let mut ring = Ring::start(path, "1s");
    ring.poll_until("a file to be renamed by its age", |ring| {
        ring.procfs.program().signal(Signal::SIGHUP);
        files(&ring.path).len() > 1
    });
    ring.end();
}

/// Lets all files of a recording but the one that is written to have ended at this time.
fn set_ended(path: &Path, ended: SystemTime) {
    for file in files(path).iter().filter(|file| *file != path) {
        let file = fs::File::options().append(true).open(file).expect("it is ours");
        file.set_modified(ended).expect("it is ours");
    }
}

#[test]
fn a_later_run_removes_what_is_too_old_by_then() {
    let (_folder, path) = folder();
    let mut first = Ring::start(path.clone(), SMALLEST);
    first.poll(20);
    first.end();
    let before = files(&path);
    assert!(before.len() > 2, "{before:?}");
    set_ended(&path, SystemTime::now() - Duration::from_secs(3600));
    let mut second = Ring::start(path.clone(), "10m");
    second.poll(2);
    second.end();
    let after = files(&path);
    assert!(before.iter().all(|file| *file == path || !after.contains(file)), "{after:?}");
}

#[test]
fn files_of_the_future_are_removed_in_time() {
    let (_folder, path) = folder();
    let mut first = Ring::start(path.clone(), SMALLEST);
    first.poll(20);
    first.end();
    let before = files(&path);
    set_ended(&path, SystemTime::now() + Duration::from_secs(3600));
    let mut second = Ring::start(path.clone(), "1s");
    second.poll_until("the files of the first run to be removed", |_| {
        before.iter().all(|file| *file == path || !file.exists())
    });
    second.end();
}

#[test]
fn a_ring_goes_on_after_a_kill() {
    let (_folder, path) = folder();
    let mut first = Ring::start(path.clone(), "1MiB");
    first.poll(20);
    let program = first.procfs.into_program();
    program.signal(Signal::SIGKILL);
    let killed = program.finish();
    let before = files(&path);
    // As if it had been killed between two files, in the middle of a line.
    let newest = path.with_extension("000099");
    fs::rename(&path, &newest).expect("it is ours");
    let bytes = fs::read(&newest).expect("it is ours");
    fs::write(&newest, &bytes[..bytes.len() - 20]).expect("it is ours");
    assert!(events(&replay(&path)).len() > 60 * 18, "without its newest file");
    let mut second = Ring::start(path.clone(), "1MiB");
    second.poll(20);
    let live = second.end();
    assert!(files(&path).len() > before.len(), "{:?}", files(&path));
    let both = replay(&path);
    assert!(both.stderr.contains("truncated line"), "{both:?}");
    let records = events(&both);
    assert!(records.ends_with(&events(&live)), "the second run comes last");
    let printed = killed.stdout.lines().count() + live.stdout.lines().count();
    assert!(records.len() > printed - 200, "{} of {printed}", records.len());
}

#[test]
fn a_follower_that_falls_behind_misses_no_file() {
    let (_folder, path) = folder();
    let mut ring = Ring::start(path.clone(), "1MiB");
    ring.poll(2);
    let file = path.to_str().expect("UTF-8");
    let follower = Program::start(&["replay", "--follow", "-j", file]);
    until_or(
        || (follower.stdout().lines().count() >= 60).then_some(()),
        || format!("the first sockets: {}", follower.stderr()),
    );
    follower.pause();
    let files_then = files(&path).len();
    ring.poll_until("three files more", |ring| files(&ring.path).len() >= files_then + 3);
    follower.signal(Signal::SIGCONT);
    let live = ring.end();
    until_or(
        || follower.has_printed(&live.stdout).then_some(()),
        || format!("the same lines; there was {}", follower.stderr()),
    );
    let followed = follower.stop();
    assert!(!followed.stderr.contains("missing"), "{followed:?}");
}

#[test]
fn each_file_may_be_read_by_whoever_could_read_the_first() {
    let (_folder, path) = folder();
    fs::write(&path, "").expect("it is ours");
    fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("it is ours");
    let mut ring = Ring::start(path.clone(), SMALLEST);
    ring.poll_until("a second file", |ring| files(&ring.path).len() > 1);
    ring.poll(1);
    for file in files(&path) {
        let mode = fs::metadata(&file).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o640, "{file:?}");
    }
    ring.end();
}

#[test]
fn files_that_others_put_beside_a_ring_are_left_alone() {
    let Some((folder, tmp)) = sticky() else { return };
    let path = tmp.join("recording");
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").expect("it is ours");
    fs::remove_file(tmp.join("probe")).expect("it is ours");
    let (link, file, notes) =
        (tmp.join("recording.000001"), tmp.join("recording.000002"), tmp.join("recording.000003"));
    symlink(&victim, &link).expect("it is ours");
    fs::write(&file, super::made_recording::HEADER).expect("it is ours");
    give(&link);
    give(&file);
    // One of ours that is no recording.
    fs::write(&notes, "notes").expect("it is ours");
    let mut ring = Ring::start(path.clone(), SMALLEST);
    ring.poll(30);
    assert!(files(&path).len() > 5, "{:?}", files(&path));
    ring.end();
    assert_eq!(fs::read_link(&link).expect("it is a link"), victim);
    assert_eq!(fs::read(&victim).expect("it is ours"), b"precious");
    assert_eq!(fs::read(&file).expect("it is there"), super::made_recording::HEADER.as_bytes());
    assert_eq!(fs::read(&notes).expect("it is ours"), b"notes");
    let kept = replay(&path);
    assert!(!kept.stdout.is_empty(), "{kept:?}");
    assert!(kept.stderr.contains("is not in it"), "no file of others comes first: {kept:?}");
}

#[test]
fn a_ring_waits_for_room_on_a_full_disk() {
    let disk = tempfile::tempdir().expect("a folder");
    // The mount is this thread's alone.
    let body = || {
        if mount_privately("tmpfs", disk.path(), Some("size=256k")).is_err() {
            return skip(Feature::Mount, "nothing can be mounted");
        }
        let path = disk.path().join("recording");
        let filler = disk.path().join("filler");
        let mut ring = Ring::start(path.clone(), "1h");
        ring.poll(3);
        fs::write(&filler, vec![0; 1 << 20]).expect_err("the disk is full");
        ring.poll_until("the pause to be reported", |ring| {
            ring.procfs.program().stderr().contains("recording pauses until there is room")
        });
        let length = fs::metadata(&path).expect("it is there").len();
        fs::remove_file(&filler).expect("it is ours");
        ring.poll_until("the recording to go on", |ring| {
            fs::metadata(&ring.path).expect("it is there").len() > length
        });
        // The first shows what is present, and a row is gone when two polls have missed it.
        ring.poll(3);
        let live = ring.end();
        let warning = "recording pauses until there is room";
        assert_eq!(live.stderr.matches(warning).count(), 1, "{live:?}");
        let kept = replay(&path);
        assert!(kept.stderr.contains("samples are missing before"), "{kept:?}");
        let (kept, live) = (events(&kept), events(&live));
        assert!(live.ends_with(&kept[kept.len() - 100..]), "the end is recorded");
    };
    std::thread::scope(|scope| scope.spawn(body).join()).expect("it holds");
}

#[test]
fn a_ring_that_cannot_be_kept_is_refused() {
    let (_folder, path) = folder();
    let path = path.to_str().expect("UTF-8");
    for (args, words) in [
        (&["--keep", "1h"][..], "--keep has no effect without --record FILE"),
        (&["--record", path, "--keep", "long"], "--keep: 'long' is not how much to keep; write 1h"),
        (&["--record", path, "--keep", "1KiB"], "--keep: '1KiB' is too little; write 1s or 64KiB"),
        (&["--record", "/proc/nowhere", "--keep", "1h"], "cannot record to /proc/nowhere: "),
    ] {
        let outcome = program::run(&[&["watch"], args].concat());
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
        assert!(outcome.stderr.starts_with(&format!("tcplapse: {words}")), "{outcome:?}");
    }
}
