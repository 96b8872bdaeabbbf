//! Recordings of real sockets: a replay prints what the run printed, however the run ended, and a
//! follower prints it while it is recorded.

use crate::support::netns::isolated;
use crate::support::program::{Outcome, Program, run};
use crate::support::require::{Feature, skip};
use crate::support::sockets::{ANY_PORT, end, listener, pair, reset_pair};
use crate::support::wait::until_or;
use nix::sys::signal::Signal;
use socket2::Socket;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const OFTEN: [&str; 2] = ["-i", "5ms"];
const NOBODY: u32 = 65534;

/// A folder for a recording.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn recording(&self) -> String {
        self.file("recording").display().to_string()
    }

    /// Starts to watch and record.
    fn watch(&self, line: &str) -> Program {
        let recording = self.recording();
        let args: Vec<&str> = line.split_whitespace().collect();
        Program::polling(&[&["watch", "--record", &recording][..], &OFTEN, &args].concat())
    }

    fn replay(&self, line: &str) -> Outcome {
        let recording = self.recording();
        let args: Vec<&str> = line.split_whitespace().collect();
        let outcome = run(&[&["replay", &recording][..], &args].concat());
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome
    }

    fn follow(&self) -> Program {
        Program::start(&["replay", "--follow", &self.recording(), "-j"])
    }
}

/// Connections that are opened and closed in every order.
struct Traffic {
    server: Socket,
}

impl Traffic {
    fn new() -> Self {
        Self { server: listener(ANY_PORT, 64).expect("a port is free") }
    }

    fn open(&self) -> (Socket, Socket) {
        pair(&self.server, ANY_PORT)
    }

    /// One connection of every kind, of which one is half-closed until `watch` has seen it. Returns the
    /// port of that one.
    fn round(&self, watch: &Program) -> u16 {
        let (half, waiting) = self.open();
        let port = end(&half.local_addr()).port();
        let ((one, its_peer), (two, peer_of_two), (three, peer_of_three)) =
            (self.open(), self.open(), self.open());
        drop(half);
        until_reported(watch, port);
        reset_pair(one, its_peer);
        drop((two, peer_of_two));
        drop((peer_of_three, three));
        drop(waiting);
        port
    }
}

/// Asks for reports of the sockets so far until one has this port: the program has polled since it
/// was opened.
fn until_reported(watch: &Program, port: u16) {
    let port = format!(":{port}");
    until_or(
        || {
            watch.signal(Signal::SIGUSR1);
            let has_port = |word: &str| word.ends_with(&port);
            watch.stderr().split_whitespace().any(has_port).then_some(())
        },
        || format!("a report with {port}; there was: {}", watch.stderr()),
    );
}

/// Waits until a follower has printed what the run had printed.
fn until_printed(follower: &Program, live: &str) {
    until_or(
        || follower.stdout().starts_with(live).then_some(()),
        || format!("the follower:\n{}\nto print:\n{live}", follower.stdout()),
    );
}

#[track_caller]
fn assert_same_lines(live: &str, replayed: &str) {
    for (number, (live, replayed)) in (1..).zip(live.lines().zip(replayed.lines())) {
        assert_eq!(live, replayed, "line {number}");
    }
    assert_eq!(live.lines().count(), replayed.lines().count());
}

fn replay_prints_what_was_printed(line: &str) {
    let folder = Folder::new();
    let traffic = Traffic::new();
    let watch = folder.watch(line);
    for _ in 0..8 {
        traffic.round(&watch);
    }
    watch.signal(Signal::SIGINT);
    let live = watch.finish();
    assert_eq!(live.code, Some(0), "{live:?}");
    assert!(live.stdout.lines().count() >= 8, "{live:?}");
    let replay = folder.replay(&line.replace("--source netlink", ""));
    assert_same_lines(&live.stdout, &replay.stdout);
}

#[test]
fn a_replay_prints_the_same_json() {
    isolated(|| replay_prints_what_was_printed("--format json"));
}

#[test]
fn a_replay_prints_the_same_csv_of_a_process() {
    let this = std::fs::read_to_string("/proc/self/comm").expect("procfs is mounted");
    isolated(|| {
        let line = format!("--source netlink --format csv {this}");
        replay_prints_what_was_printed(&line);
    });
}

#[test]
fn a_replay_prints_the_same_timelines_of_a_process() {
    let this = std::fs::read_to_string("/proc/self/comm").expect("procfs is mounted");
    isolated(|| {
        let line = format!("--view timeline --format text {this}");
        replay_prints_what_was_printed(&line);
    });
}

#[test]
fn a_replay_prints_the_same_timelines_of_some_states() {
    isolated(|| {
        let line = "--source netlink --view timeline -j -4 -s CLOSE_WAIT,TIME_WAIT";
        replay_prints_what_was_printed(line);
    });
}

#[test]
fn what_was_printed_before_a_kill_is_recorded() {
    isolated(|| {
        let folder = Folder::new();
        let traffic = Traffic::new();
        let watch = folder.watch("-j");
        for _ in 0..4 {
            traffic.round(&watch);
        }
        watch.signal(Signal::SIGKILL);
        let live = watch.finish();
        assert!(live.stdout.lines().count() >= 4, "{live:?}");
        let replay = folder.replay("-j");
        assert!(replay.stdout.starts_with(&live.stdout), "{live:?} {replay:?}");
    });
}

#[test]
fn a_follower_goes_on_across_rotations() {
    isolated(|| {
        let folder = Folder::new();
        let recording = folder.file("recording");
        let traffic = Traffic::new();
        let watch = folder.watch("-j");
        traffic.round(&watch);
        let follower = folder.follow();
        // Otherwise it may open the second file as its first.
        until_or(
            || (!follower.stdout().is_empty()).then_some(()),
            || format!("the follower; {}", follower.stderr()),
        );
        for rotation in 1..=3 {
            until_printed(&follower, &watch.stdout());
            fs::rename(&recording, folder.file(&format!("recording.{rotation}"))).unwrap();
            // logrotate may create the next file before the signal.
            if rotation == 2 {
                File::create(&recording).unwrap();
            }
            let (client, accepted) = traffic.open();
            watch.signal(Signal::SIGHUP);
            reset_pair(client, accepted);
            until_or(
                || fs::metadata(&recording).is_ok_and(|file| file.len() > 0).then_some(()),
                || format!("the next file; {}", watch.stderr()),
            );
            // It has to have opened this file before that gets another name.
            let port = traffic.round(&watch);
            until_or(
                || follower.stdout().contains(&format!("_port\":{port},")).then_some(()),
                || format!("port {port} of file {rotation}:\n{}", follower.stdout()),
            );
        }
        watch.signal(Signal::SIGTERM);
        let live = watch.finish();
        until_printed(&follower, &live.stdout);
        let followed = follower.stop();
        // What to do about a problem may differ: the follower has a recording before it.
        let is_of_run = |line: &str| {
            live.stderr.contains(line.split_once("; ").map_or(line, |(problem, _)| problem))
        };
        let more: Vec<String> = followed
            .messages()
            .lines()
            .filter(|line| !line.contains("seen: ") && !is_of_run(line))
            .map(str::to_owned)
            .collect();
        assert_eq!(more, [""; 0], "it has no messages but those of the run");
        // The parts, one behind the other, are the whole run.
        let mut whole = Vec::new();
        for part in ["recording.1", "recording.2", "recording.3", "recording"] {
            whole.extend(fs::read(folder.file(part)).unwrap());
        }
        fs::write(&recording, whole).unwrap();
        assert!(folder.replay("-j").stdout.starts_with(&live.stdout));
    });
}

#[test]
fn another_user_can_follow_a_recording_it_may_read() {
    isolated(|| {
        if as_nobody("true").status().is_err() {
            return skip(Feature::OtherUser, "this user may not become another");
        }
        let folder = Folder::new();
        let traffic = Traffic::new();
        let watch = folder.watch("-j");
        share(folder.0.path(), 0o755);
        share(&folder.file("recording"), 0o644);
        // Another user need not see where the program was built. Not copied by this process: what
        // another test starts meanwhile would have the copy open for writing until it runs, and
        // a file that is open for writing cannot be run (ETXTBSY).
        let program = folder.file("tcplapse");
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_tcplapse")).arg(&program).status();
        assert!(copied.is_ok_and(|status| status.success()));
        share(&program, 0o755);
        let mut follow = as_nobody(&program);
        follow.args(["replay", "--follow", "-j", &folder.recording()]);
        let follower = Program::spawn(follow);
        until_printed(&follower, &watch.stdout());
        traffic.round(&watch);
        let live = watch.stop();
        until_printed(&follower, &live.stdout);
        assert!(!live.stdout.is_empty(), "{live:?}");
        follower.stop();
    });
}

fn as_nobody(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.uid(NOBODY).gid(NOBODY);
    command
}

fn share(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

#[test]
fn only_one_run_records_to_a_file() {
    isolated(|| {
        let folder = Folder::new();
        let watch = folder.watch("-j");
        let recording = folder.recording();
        let second = run(&["watch", "-j", "--record", &recording]);
        assert_eq!(second.code, Some(2), "{second:?}");
        let message = "is in use by another recording";
        assert!(second.stderr.contains(message), "{second:?}");
        watch.stop();
    });
}
