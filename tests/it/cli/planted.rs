//! Files that another user has put in place, or could change.

use super::on_fixture;
use crate::support::fake_procfs::fixture;
use crate::support::program::{self, Outcome, Program};
use crate::support::require::{Feature, skip};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const OTHER: u32 = 65534;
const RULE: &str = "[[rule]]\nname = 'leak'\nstate = 'CLOSE_WAIT'\nat_least = 1000\n";

/// A folder in which anybody may make files, as /tmp; `None` where files cannot be given away.
pub(super) fn sticky() -> Option<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tmp");
    fs::create_dir(&path).expect("it is ours");
    mode(&path, 0o1777);
    fs::write(path.join("probe"), "").expect("it is ours");
    if chown(path.join("probe"), Some(OTHER), None).is_err() {
        skip(Feature::OtherUser, "files cannot be given to another user");
        return None;
    }
    Some((folder, path))
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

pub(super) fn give(path: &Path) {
    lchown(path, Some(OTHER), Some(OTHER)).expect("it was possible before");
}

fn record(path: &Path) -> Outcome {
    let mut command = on_fixture(&["list"]);
    command.arg("--record").arg(path);
    Program::spawn(command).finish()
}

fn run_to(path: &Path) -> Outcome {
    program::run(&[
        "run",
        "--source",
        "proc",
        "--output",
        path.to_str().expect("UTF-8"),
        "--",
        "true",
    ])
}

fn assert_refused(outcome: &Outcome, words: &str) {
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains(words), "{outcome:?}");
    assert!(outcome.stderr.contains("another user"), "{outcome:?}");
}

#[test]
fn nothing_that_others_planted_is_written_to() {
    let Some((folder, tmp)) = sticky() else { return };
    let victim = folder.path().join("victim");
    fs::write(&victim, "").expect("it is ours");
    for write in [record, run_to] {
        let (link, fifo, file) = (tmp.join("link"), tmp.join("fifo"), tmp.join("file"));
        symlink(&victim, &link).expect("it is ours");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
        fs::write(&file, "").expect("it is ours");
        for planted in [&link, &fifo, &file] {
            give(planted);
            assert_refused(&write(planted), "user 65534");
            fs::remove_file(planted).expect("it is ours");
        }
        // A way through a folder of theirs.
        let way = tmp.join("way");
        symlink(folder.path(), &way).expect("it is ours");
        give(&way);
        assert_refused(&write(&way.join("new")), "user 65534");
        assert!(!folder.path().join("new").exists());
        fs::remove_file(&way).expect("it is ours");
        // Another name for a file of ours.
        let second = tmp.join("second");
        fs::hard_link(&victim, &second).expect("it is ours");
        assert_refused(&write(&second), "hard link");
        fs::remove_file(&second).expect("it is ours");
        assert_eq!(fs::read(&victim).expect("it is ours"), b"");
    }
}

#[test]
fn what_the_caller_made_is_written_to() {
    let Some((folder, tmp)) = sticky() else { return };
    for write in [record, run_to] {
        let target = folder.path().join("target");
        let link = tmp.join("link");
        symlink(&target, &link).expect("it is ours");
        for path in [&tmp.join("new"), &link] {
            let outcome = write(path);
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
            let made = fs::metadata(path).expect("it was made");
            assert_eq!((made.mode() & 0o777, made.is_file()), (0o600, true), "{path:?}");
            assert_eq!(write(path).code, Some(0), "again");
            fs::remove_file(path).expect("it is ours");
        }
        let _ = fs::remove_file(&target);
        assert_eq!(write(Path::new("/dev/null")).code, Some(0));
    }
}

#[test]
fn rules_that_others_can_change_are_refused() {
    let Some((folder, tmp)) = sticky() else { return };
    let watch = |path: &Path| {
        let args = ["watch", "--for", "1ms", "--rules", path.to_str().expect("UTF-8")];
        Program::spawn(on_fixture(&args)).finish()
    };
    let new = |path: PathBuf| {
        fs::write(&path, RULE).expect("it is ours");
        path
    };
    let good = new(folder.path().join("rules"));
    assert_eq!(watch(&good).code, Some(0));
    assert_eq!(watch(&new(tmp.join("own"))).code, Some(0), "nobody else can replace it");
    for (bits, words) in [(0o666, "others may write to"), (0o622, "others may write to")] {
        let file = new(folder.path().join("open"));
        mode(&file, bits);
        assert_refused(&watch(&file), words);
    }
    let given = new(folder.path().join("given"));
    give(&given);
    assert_refused(&watch(&given), "belongs to user 65534");
    let shared = folder.path().join("shared");
    fs::create_dir(&shared).expect("it is ours");
    mode(&shared, 0o777);
    assert_refused(&watch(&new(shared.join("rules"))), "others may write to");
    let theirs = folder.path().join("theirs");
    fs::create_dir(&theirs).expect("it is ours");
    let inside = new(theirs.join("rules"));
    give(&theirs);
    assert_refused(&watch(&inside), "belongs to user 65534");
    let link = shared.join("link");
    symlink(&good, &link).expect("it is ours");
    assert_refused(&watch(&link), "others may write to");
    let own_link = folder.path().join("link");
    symlink(&good, &own_link).expect("it is ours");
    assert_eq!(watch(&own_link).code, Some(0));
}

#[test]
fn a_lock_for_reading_stops_no_recorder() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("recording");
    assert_eq!(record(&path).code, Some(0));
    let reader = File::open(&path).expect("it is ours");
    let lock = libc::flock {
        l_type: i16::try_from(libc::F_RDLCK).expect("it is small"),
        l_whence: i16::try_from(libc::SEEK_SET).expect("it is small"),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&reader, FcntlArg::F_OFD_SETLK(&lock)).expect("readers may");
    rustix::fs::flock(&reader, rustix::fs::FlockOperation::LockExclusive).expect("readers may");
    let outcome = record(&path);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let replay = program::run(&["replay", "-j", path.to_str().expect("UTF-8")]);
    assert_eq!(replay.code, Some(0), "{replay:?}");
    assert!(fixture().exists());
}
