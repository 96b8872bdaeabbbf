//! `run`: the sockets of a command and of what it leaves behind, followed to their end.

use crate::old_support::actor::Actor;
use crate::old_support::netns::isolated;
use crate::old_support::record::Life;
use crate::old_support::wait::until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{ChildStderr, ExitStatus};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

const SERVER: &str = "127.0.0.1:7000";
/// Starts an actor in the background with the same commands, and leaves it when told to.
const PARENT: &str = r#"exec 3<&0; trap 'exit 3' TERM; "$0" "$@" <&3 & wait"#;

/// An actor that the program runs.
struct Run {
    actor: Actor,
    said: Arc<Mutex<Vec<String>>>,
    home: TempDir,
}

impl Run {
    fn start(name: &str, source: &str, parent: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join("lives");
        let file = file.to_str().expect("UTF-8");
        let mut words = vec!["run", "-j", "--source", source, "-i", "20ms", "--output", file, "--"];
        words.extend(parent);
        let mut actor = Actor::run_by(name, &words);
        let said = Arc::default();
        collect(actor.stderr(), Arc::clone(&said));
        Self { actor, said, home }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.actor.pid()).expect("a pid"));
        kill(pid, signal).expect("it is our child and still runs");
    }

    /// Waits until a report of the timelines so far has a line with these words.
    fn until_told(&self, words: &str) {
        until(words, || {
            self.signal(Signal::SIGUSR1);
            let said = self.said.lock().expect("no reader panics with it");
            said.iter().any(|line| line.contains(words)).then_some(())
        });
    }

    /// Its end: the status, and the lives that it told.
    fn end(self) -> (ExitStatus, Vec<Life>) {
        let status = self.actor.leave();
        (status, lives(&self.home.path().join("lives")))
    }
}

fn collect(stderr: ChildStderr, said: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            said.lock().expect("no reader panics with it").push(line);
        }
    });
}

fn lives(file: &Path) -> Vec<Life> {
    let text = std::fs::read_to_string(file).expect("it was written");
    text.lines().map(Life::parse).collect()
}

/// The client's end: it opened and closed first, and no more was to come but the end of TIME_WAIT.
fn assert_whole_story(life: &Life) {
    assert_eq!(life.process.as_deref(), Some("client"));
    assert_eq!((life.remote_port, life.closer.as_deref()), (7000, Some("local")));
    assert!(life.opened.is_some() && life.ended.is_none(), "{life:?}");
    let told = life.told();
    let seen = ["ESTABLISHED observed", "FIN_WAIT2 observed", "TIME_WAIT observed"];
    assert!(seen.iter().all(|step| told.iter().any(|told| told == step)), "{told:?}");
    let passed = told.iter().find(|step| step.starts_with("FIN_WAIT1")).expect("it was passed");
    assert!(!passed.ends_with("possible"), "{told:?}");
}

fn tell_client(source: &str) {
    let mut server = Actor::start("server");
    server.tell(&format!("listen l {SERVER} 8"));
    let mut run = Run::start("client", source, &[]);
    run.actor.tell(&format!("connect c 127.0.0.1:0 {SERVER}"));
    run.until_told("  ESTABLISHED ");
    let name = server.tell("accept l");
    run.actor.tell("close c");
    run.until_told("  FIN_WAIT2 ");
    server.tell(&format!("close {name}"));
    run.until_told("  TIME_WAIT ");
    let (status, lives) = run.end();
    assert_eq!(status.code(), Some(0));
    assert_eq!(lives.len(), 1, "the server is none of its own: {lives:?}");
    assert_whole_story(&lives[0]);
}

#[test]
fn a_client_that_outlives_two_polls_is_told_wholly() {
    isolated(|| tell_client("proc"));
}

#[test]
fn the_best_source_tells_the_same() {
    isolated(|| tell_client("auto"));
}

#[test]
fn what_the_command_leaves_behind_is_followed_and_its_status_is_kept() {
    isolated(|| {
        let mut run = Run::start("client", "proc", &["sh", "-c", PARENT]);
        run.actor.tell(&format!("listen l {SERVER} 8"));
        run.until_told("  LISTEN ");
        // It is passed on: the parent leaves, and the actor becomes an orphan.
        run.signal(Signal::SIGTERM);
        run.actor.tell(&format!("connect c 127.0.0.1:0 {SERVER}"));
        // Both ends, as one conversation: behind them stands the owner of the other.
        run.until_told("-> 127.0.0.1:7000  ");
        run.actor.tell("accept l");
        run.actor.tell("close l");
        let (status, lives) = run.end();
        assert_eq!(status.code(), Some(3));
        assert_eq!(lives.len(), 3, "{lives:#?}");
        assert!(lives.iter().all(|life| life.process.as_deref() == Some("client")), "{lives:#?}");
        let listener = lives.iter().find(|life| life.told()[0] == "LISTEN observed");
        assert!(listener.expect("it was seen").ended.is_some());
    });
}
