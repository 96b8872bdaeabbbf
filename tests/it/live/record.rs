//! Recordings of real sockets: what a replay shows is what the run showed, whatever ended it, and a
//! follower sees it while it is written.

use crate::old_support::netns::isolated;
use crate::old_support::sockets::{ANY_PORT, listener, pair, reset};
use crate::old_support::wait::until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// No test makes more connections than this.
const MOST: usize = 20_000;
/// So many are open at a time, and one begins after so long: long enough to be seen by polls.
const OPEN: usize = 64;
const PAUSE: Duration = Duration::from_millis(2);

/// A folder with a recording and what was printed meanwhile.
struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn recording(&self) -> PathBuf {
        self.path("recording")
    }

    fn printed(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("it was started")
    }

    fn lines(&self, name: &str) -> usize {
        self.printed(name).split(|byte| *byte == b'\n').count() - 1
    }

    /// Starts the program, which prints to the file `name`.
    fn start(&self, name: &str, line: &str) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tcplapse"));
        command.args(line.split_whitespace());
        self.run(name, command)
    }

    fn watch(&self, name: &str, line: &str) -> Running {
        let recording = self.recording();
        let looks = "-i 5ms --max-cpu 100";
        self.start(name, &format!("watch --record {} {looks} {line}", recording.display()))
    }

    fn follow(&self, name: &str, line: &str) -> Running {
        self.start(name, &format!("replay --follow {} {line}", self.recording().display()))
    }

    fn run(&self, name: &str, mut command: Command) -> Running {
        let output = |name: &str| File::create(self.path(name)).expect("the folder is ours");
        command.stdout(output(name)).stderr(output(&format!("{name}.told")));
        Running { child: command.spawn().expect("the program was built for this test") }
    }

    /// What a replay of the recording prints.
    fn replay(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tcplapse"));
        let recording = self.recording();
        command
            .arg("replay")
            .arg(recording)
            .args(line.split_whitespace())
            .output()
            .expect("it runs")
    }

    /// Waits until so many lines have been printed there.
    fn until_lines(&self, name: &str, lines: usize) {
        until(&format!("{lines} lines of {name}"), || (self.lines(name) >= lines).then_some(()));
    }
}

/// A running program; killed when dropped.
struct Running {
    child: Child,
}

impl Running {
    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("it is our child and still runs");
    }

    fn stop(mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        self.child.wait().expect("it is our child").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Opens and closes connections until told that it is enough.
fn churn(enough: &AtomicBool) {
    let server = listener(ANY_PORT, 64).expect("a port is free");
    let mut open = VecDeque::new();
    for count in 0..MOST {
        open.push_back(pair(&server, ANY_PORT));
        if open.len() > OPEN
            && let Some((client, accepted)) = open.pop_front()
        {
            match count % 3 {
                0 => reset(client),
                1 => drop(accepted),
                _ => drop(client),
            }
        }
        std::thread::park_timeout(PAUSE);
        if enough.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// Does something while connections come and go.
fn under_churn(body: impl FnOnce()) {
    struct Enough<'a>(&'a AtomicBool);
    impl Drop for Enough<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| churn(&enough));
        let _enough = Enough(&enough);
        body();
    });
}

#[track_caller]
fn assert_same(scene: &Scene, name: &str, line: &str) {
    let (printed, replayed) = (scene.printed(name), scene.replay(line));
    let told = String::from_utf8_lossy(&replayed.stderr).into_owned();
    assert_eq!(replayed.status.code(), Some(0), "{told}");
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
    let (live, replayed): (Vec<String>, Vec<String>) = (lines(&printed), lines(&replayed.stdout));
    for (number, (live, replayed)) in (1..).zip(live.iter().zip(&replayed)) {
        assert_eq!(live, replayed, "{line}: line {number}");
    }
    assert_eq!(live.len(), replayed.len(), "{line}");
}

#[test]
fn a_replay_prints_byte_for_byte_what_the_run_printed() {
    let this = std::env::current_exe().expect("a test knows its own file");
    let ours = this.file_name().and_then(|name| name.to_str()).expect("its name").to_owned();
    for (line, least) in [
        ("--format json".to_owned(), 300),
        (format!("--source netlink --format csv {ours}"), 100),
        (format!("--view timeline --format text {ours}"), 100),
        ("--source netlink --view timeline -j -4 -s CLOSE_WAIT,TIME_WAIT".to_owned(), 50),
    ] {
        isolated(|| {
            let scene = Scene::new();
            under_churn(|| {
                let watch = scene.watch("live", &line);
                scene.until_lines("live", least);
                assert_eq!(watch.stop(Signal::SIGINT), Some(0));
            });
            let line = line.replace("--source netlink", "");
            assert_same(&scene, "live", &line);
        });
    }
}

#[test]
fn what_was_printed_before_a_kill_is_in_the_recording() {
    isolated(|| {
        let scene = Scene::new();
        under_churn(|| {
            let watch = scene.watch("live", "-j");
            scene.until_lines("live", 200);
            watch.stop(Signal::SIGKILL);
        });
        let replayed = scene.replay("-j");
        assert_eq!(replayed.status.code(), Some(0));
        assert!(replayed.stdout.starts_with(&scene.printed("live")));
    });
}

#[test]
fn a_follower_goes_on_across_rotations() {
    isolated(|| {
        let scene = Scene::new();
        let recording = scene.recording();
        let told = |name: &str| String::from_utf8(scene.printed(&format!("{name}.told"))).unwrap();
        under_churn(|| {
            let watch = scene.watch("live", "-j");
            scene.until_lines("live", 20);
            let follower = scene.follow("followed", "-j");
            for rotation in 1..=3 {
                scene.until_lines("followed", scene.lines("live"));
                fs::rename(&recording, scene.path(&format!("recording.{rotation}"))).unwrap();
                // logrotate may create the next file, before the signal.
                if rotation == 2 {
                    File::create(&recording).unwrap();
                }
                watch.signal(Signal::SIGHUP);
                let begun = || fs::metadata(&recording).is_ok_and(|file| file.len() > 0);
                until("the next file", || begun().then_some(()));
                scene.until_lines("live", scene.lines("live") + 20);
            }
            assert_eq!(watch.stop(Signal::SIGTERM), Some(0));
            scene.until_lines("followed", scene.lines("live"));
            assert_eq!(follower.stop(Signal::SIGTERM), Some(0));
        });
        let said = told("live");
        let more: Vec<String> = told("followed")
            .lines()
            .filter(|line| !line.contains("coverage: ") && !said.contains(line))
            .map(str::to_owned)
            .collect();
        assert_eq!(more, [""; 0], "it says no more than the run did");
        let (live, followed) = (scene.printed("live"), scene.printed("followed"));
        assert!(followed.starts_with(&live), "{} and {} bytes", followed.len(), live.len());
        // The parts, one behind the other, are the whole run.
        let mut whole = Vec::new();
        for part in ["recording.1", "recording.2", "recording.3", "recording"] {
            whole.extend(fs::read(scene.path(part)).unwrap());
        }
        fs::write(&recording, whole).unwrap();
        assert!(scene.replay("-j").stdout.starts_with(&live));
    });
}

#[test]
fn a_follower_of_another_user_may_read_what_it_is_allowed_to() {
    if !nix::unistd::geteuid().is_root() {
        return crate::old_support::netns::skip("not root: there is no other user to be");
    }
    isolated(|| {
        let scene = Scene::new();
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let watch = scene.watch("live", "-j");
        scene.until_lines("live", 1);
        share(scene.folder.path(), 0o755);
        share(&scene.recording(), 0o644);
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        // Another user need not see where the program was built.
        let program = scene.path("tcplapse");
        fs::copy(env!("CARGO_BIN_EXE_tcplapse"), &program).unwrap();
        share(&program, 0o755);
        command.arg(&program).args(["replay", "--follow", "-j"]).arg(scene.recording());
        let follower = scene.run("followed", command);
        scene.until_lines("followed", 1);
        let (client, accepted) = pair(&server, ANY_PORT);
        scene.until_lines("live", 3);
        scene.until_lines("followed", scene.lines("live"));
        drop((client, accepted));
        assert_eq!(watch.stop(Signal::SIGTERM), Some(0));
        assert_eq!(follower.stop(Signal::SIGTERM), Some(0));
        assert!(scene.printed("live").starts_with(&scene.printed("followed")[..20]));
    });
}

fn share(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

#[test]
fn a_file_is_recorded_to_by_one_run_alone() {
    isolated(|| {
        let scene = Scene::new();
        let _server = listener(ANY_PORT, 8).expect("a port is free");
        let watch = scene.watch("live", "-j");
        scene.until_lines("live", 1);
        let mut second = scene.watch("second", "-j");
        assert_eq!(second.child.wait().unwrap().code(), Some(2));
        let told = String::from_utf8(scene.printed("second.told")).unwrap();
        assert!(told.contains("is being recorded to by another run"), "{told}");
        assert_eq!(watch.stop(Signal::SIGTERM), Some(0));
    });
}
