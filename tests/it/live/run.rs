//! `run`: the sockets of a command and of what it leaves behind, followed until they are closed.

use crate::support::actor::Actor;
use crate::support::netns::isolated;
use crate::support::output::Output;
use crate::support::record::Life;
use crate::support::stall;
use crate::support::wait::{until, until_or};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::ExitStatus;
use tempfile::TempDir;

const SERVER: &str = "127.0.0.1:7000";
/// Starts an actor in the background with the same commands, and exits with status 3 on SIGTERM.
const PARENT: &str = r#"exec 3<&0; trap 'exit 3' TERM; "$0" "$@" <&3 & wait"#;

/// An actor that is run by the program.
struct Run {
    actor: Actor,
    stderr: Output,
    folder: TempDir,
}

impl Run {
    fn start(name: &str, source: &str, parent: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("lives");
        let file = file.to_str().expect("UTF-8");
        let often = ["-i", "20ms", "--max-cpu", "100"];
        let options = ["run", "-j", "--source", source, "--output", file];
        let words = [&options[..], &often, &["--"], parent].concat();
        let mut actor = Actor::run_by(name, &words);
        let stderr = Output::of(actor.stderr(), |_| true);
        Self { actor, stderr, folder }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.actor.pid()).expect("a pid"));
        kill(pid, signal).expect("it is our child and still runs");
    }

    /// Waits until the shell between the program and the actor is gone.
    fn until_shell_has_ended(&self) {
        let program = i32::try_from(self.actor.pid()).expect("a pid");
        let is_shell = |stat: &procfs::process::Stat| stat.ppid == program && stat.comm == "sh";
        until("the shell to end", || {
            let processes = procfs::process::all_processes().expect("procfs is mounted");
            let mut stats = processes.filter_map(|process| process.ok()?.stat().ok());
            (!stats.any(|stat| is_shell(&stat))).then_some(())
        });
    }

    /// Asks for reports until one of a poll has a line with all of these words.
    fn until_reported(&self, words: &[&str]) {
        self.until_line(&format!("{words:?}"), |line| words.iter().all(|word| line.contains(word)));
    }

    /// Asks for reports until one of a poll has such a line; `wanted` describes it in a failure.
    fn until_line(&self, wanted: &str, is_wanted: impl Fn(&str) -> bool) {
        until_or(
            || {
                self.signal(Signal::SIGUSR1);
                let printed = self.stderr.so_far();
                if printed.contains(" lost\n") {
                    // Whose socket it was before the gap may not be known after it.
                    stall::note();
                    panic!("the machine stalled: {printed}");
                }
                printed.lines().any(&is_wanted).then_some(())
            },
            || format!("a report with {wanted}; there was: {}", self.stderr.so_far()),
        );
    }

    /// Lets the command exit; the status of the program, and the lives that it wrote.
    fn end(self) -> (ExitStatus, Vec<Life>) {
        let status = self.actor.exit();
        let text = std::fs::read_to_string(self.folder.path().join("lives")).expect("it was made");
        (status, text.lines().map(Life::parse).collect())
    }
}

#[test]
fn run_prints_the_whole_life_of_a_connection() {
    isolated(|| follow_client("proc"));
}

#[test]
fn run_prints_the_same_by_the_best_source() {
    isolated(|| follow_client("auto"));
}

fn follow_client(source: &str) {
    let mut server = Actor::start("server");
    server.order(&format!("listen l {SERVER} 8"));
    let mut run = Run::start("client", source, &[]);
    run.actor.connect("c", SERVER);
    run.until_reported(&["ESTABLISHED"]);
    let accepted = server.accept("l");
    run.actor.order("close c");
    run.until_reported(&["FIN_WAIT2"]);
    server.order(&format!("close {accepted}"));
    run.until_reported(&["TIME_WAIT"]);
    let (status, lives) = run.end();
    assert_eq!(status.code(), Some(0));
    let [life] = &lives[..] else { panic!("the server is not the command's: {lives:?}") };
    assert_eq!(life.process.as_deref(), Some("client"));
    assert_eq!((life.remote_port, life.closer.as_deref()), (7000, Some("local")));
    assert!(life.opened.is_some() && life.ended.is_none(), "the end of TIME_WAIT is not awaited");
    let steps = life.step_summaries();
    for observed in ["ESTABLISHED observed", "FIN_WAIT2 observed", "TIME_WAIT observed"] {
        assert!(steps.iter().any(|step| step == observed), "{steps:?}");
    }
    let passed = steps.iter().find(|step| step.starts_with("FIN_WAIT1")).expect("it was passed");
    assert!(!passed.ends_with("possible"), "{steps:?}");
}

/// A socket in FIN_WAIT2, whose peer on this machine does not close, keeps the run from ending.
#[test]
fn run_says_what_it_waits_for_and_who_leaks() {
    isolated(|| {
        let mut server = Actor::start("server");
        server.order(&format!("listen l {SERVER} 8"));
        let options = ["run", "--source", "proc", "-i", "20ms", "--max-cpu", "100", "--"];
        let mut actor = Actor::run_by("client", &options);
        let stderr = Output::of(actor.stderr(), |_| true);
        let mut run = Run { actor, stderr, folder: tempfile::tempdir().expect("a folder") };
        run.actor.connect("c", SERVER);
        server.accept("l");
        run.until_reported(&["ESTABLISHED"]);
        // The command ends, and its connection with it.
        run.signal(Signal::SIGTERM);
        let wait = "waiting for 1 socket in FIN_WAIT2 to close, 60s at most";
        until_or(
            || run.stderr.so_far().contains(wait).then_some(()),
            || format!("a sentence about the wait; there was: {}", run.stderr.so_far()),
        );
        // SIGINT would do nothing where the tests were started with it ignored.
        run.signal(Signal::SIGTERM);
        let Run { actor, stderr, .. } = run;
        assert_eq!(actor.exit().code(), Some(143), "{}", stderr.so_far());
        let leak = format!("this side has closed; {}/server has not closed for ", server.pid());
        until_or(
            || stderr.so_far().contains(&leak).then_some(()),
            || format!("the process that leaks; there was: {}", stderr.so_far()),
        );
    });
}

#[test]
fn run_follows_orphans_and_keeps_the_status() {
    isolated(|| {
        let mut run = Run::start("client", "proc", &["sh", "-c", PARENT]);
        run.actor.order(&format!("listen l {SERVER} 8"));
        run.until_reported(&["LISTEN"]);
        // The program passes it on: the shell exits, and the actor becomes an orphan.
        run.signal(Signal::SIGTERM);
        run.until_shell_has_ended();
        let port = run.actor.connect("c", SERVER);
        run.actor.accept("l");
        // Both ends as one connection, with a holder of each: without the mark of a socket that
        // waits to be accepted.
        let ends = [SERVER.to_string(), format!("127.0.0.1:{port}")];
        run.until_line(&format!("both of {ends:?} held by the client"), |line| {
            let has_both_ends = ends.iter().all(|end| line.contains(&format!("{end} ")));
            has_both_ends && line.matches("/client ").count() == 1 && line.ends_with("/client")
        });
        run.actor.order("close l");
        let (status, lives) = run.end();
        assert_eq!(status.code(), Some(3));
        assert_eq!(lives.len(), 3, "{lives:#?}");
        assert!(lives.iter().all(|life| life.process.as_deref() == Some("client")), "{lives:#?}");
        let listener = lives.iter().find(|life| life.step_summaries()[0] == "LISTEN observed");
        assert!(listener.expect("it was seen").ended.is_some());
    });
}
