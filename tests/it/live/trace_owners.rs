//! Whose connections are, by kernel events: servers of several processes that share a listener. Polls
//! are rare here, so that events alone show what is reported.

use super::trace::is_permitted;
use crate::support::actor::Actor;
use crate::support::netns::isolated;
use crate::support::program::{self, Program};
use crate::support::record::{Event, Life};
use crate::support::wait::until;
use nix::sys::signal::Signal;
use rustix::process::geteuid;
use std::process::{Command, Stdio};

const SERVER: &str = "127.0.0.1:7000";
const BY_EVENTS: [&str; 6] = ["--source", "trace", "-i", "1m", "--local", SERVER];

/// A server of several processes.
struct Prefork {
    master: Actor,
    workers: Vec<Actor>,
    client: Actor,
    folder: tempfile::TempDir,
}

impl Prefork {
    fn start() -> Self {
        let mut master = Actor::start("master");
        master.order(&format!("listen l {SERVER} 8"));
        let folder = tempfile::tempdir().expect("a folder");
        let (workers, client) = (Vec::new(), Actor::start("client"));
        let mut server = Self { master, workers, client, folder };
        server.add_worker();
        server.add_worker();
        server
    }

    /// Starts a process that gets the listener.
    fn add_worker(&mut self) {
        let mut worker = Actor::start("worker");
        let path = self.path(&self.workers.len().to_string());
        hand_over(&mut self.master, "l", &mut worker, "l", &path);
        self.workers.push(worker);
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    fn pids(&self) -> Vec<u32> {
        let mut pids: Vec<u32> = self.workers.iter().map(Actor::pid).collect();
        pids.push(self.master.pid());
        pids.sort_unstable();
        pids
    }
}

/// Gives a process a descriptor of another's.
fn hand_over(from: &mut Actor, socket: &str, to: &mut Actor, name: &str, path: &str) {
    to.order(&format!("open {path}"));
    from.order(&format!("give {socket} {path}"));
    to.order(&format!("take {name} {path}"));
}

fn owners(event: &Event) -> Vec<u32> {
    let mut pids: Vec<u32> = event.owners.iter().map(|owner| owner.pid).collect();
    pids.sort_unstable();
    pids
}

/// Runs a test with such a server and a run that follows it, where BPF is permitted.
fn beside_a_prefork_server(body: impl Fn(&mut Prefork, &mut Program) + Sync) {
    isolated(|| {
        if is_permitted() {
            let mut server = Prefork::start();
            let mut watch = Program::watch(&BY_EVENTS);
            body(&mut server, &mut watch);
            watch.stop();
        }
    });
}

/// Follows what these flags ask for while a worker serves a connection.
fn serve(flags: &[&str]) {
    let mut server = Prefork::start();
    let mut watch = Program::watch(&[&BY_EVENTS[..], flags].concat());
    server.client.connect("c", SERVER);
    let queued = watch.until("the connection", |event| event.to == "ESTABLISHED");
    assert_eq!(queued.owner_source, "listener", "{queued:?}");
    assert_eq!(owners(&queued), server.pids(), "all that may accept it");

    let accepted = server.workers[1].accept("l");
    server.client.order("shutdown c");
    let served = watch.until("the client's FIN", |event| event.to == "CLOSE_WAIT");
    let worker = server.workers[1].pid();
    assert_eq!((served.pid, served.owner_source.as_str()), (Some(worker), "proven"), "{served:?}");
    assert_eq!(owners(&served), [worker]);
    server.workers[1].order(&format!("close {accepted}"));
    let closed = watch.until("its end", |event| event.event == "closed");
    assert_eq!((closed.pid, &closed.id), (Some(worker), &queued.id));
    watch.stop();
}

#[test]
fn a_prefork_servers_connection_has_its_worker() {
    isolated(|| {
        if is_permitted() {
            serve(&[]);
            serve(&["-x", "worker"]);
        }
    });
}

#[test]
fn a_recorded_run_finds_the_worker_too() {
    isolated(|| {
        if is_permitted() {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("run.rec");
            serve(&["--record", file.to_str().expect("UTF-8")]);
        }
    });
}

#[test]
fn a_close_that_resets_has_an_owner() {
    beside_a_prefork_server(|server, watch| {
        server.client.connect("c", SERVER);
        let accepted = server.workers[0].accept("l");
        server.workers[0].order(&format!("reset {accepted}"));
        let closed = watch.until("the reset", |event| event.event == "closed");
        let by = (closed.verdict.as_deref(), closed.reset_by.as_deref());
        assert_eq!(by, (Some("reset"), Some("local")));
        let owner = (closed.pid, closed.owner_source.as_str());
        assert_eq!(owner, (Some(server.workers[0].pid()), "proven"), "{closed:?}");
    });
}

#[test]
fn a_worker_that_was_started_later_is_known_by_its_close() {
    beside_a_prefork_server(|server, watch| {
        server.add_worker();
        server.client.connect("c", SERVER);
        let accepted = server.workers[2].accept("l");
        server.workers[2].order(&format!("close {accepted}"));
        let closing = watch.until("its FIN", |event| event.to == "FIN_WAIT1");
        let owner = (closing.pid, closing.owner_source.as_str());
        assert_eq!(owner, (Some(server.workers[2].pid()), "proven"), "{closing:?}");
    });
}

#[test]
fn who_listens_is_named_until_a_holder_is_found() {
    beside_a_prefork_server(|server, watch| {
        server.client.connect("c", SERVER);
        // It leaves the server: nobody knows where to look.
        let (accepted, path) = (server.workers[0].accept("l"), server.path("stranger"));
        let mut stranger = Actor::start("stranger");
        hand_over(&mut server.workers[0], &accepted, &mut stranger, "s", &path);
        server.workers[0].order(&format!("close {accepted}"));
        server.client.order("shutdown c");
        stranger.order("close s");
        for _ in 0..5 {
            let event = watch.until("an event", |event| event.to != "LISTEN");
            assert_eq!(event.owner_source, "listener", "{event:?}");
            assert_eq!(owners(&event), server.pids(), "{event:?}");
            if event.event == "closed" {
                return;
            }
        }
        panic!("it was not closed");
    });
}

/// It is gone long before anything could look at it: the kernel's events name it and say that it
/// descends from the program.
#[test]
fn run_reports_a_command_that_is_gone_at_once() {
    const CONNECT: &str = "(: </dev/tcp/127.0.0.1/7999) 2>/dev/null; exit 4";
    isolated(|| {
        if !is_permitted() {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("lives");
        let options = ["run", "-j", "--source", "trace", "-i", "300ms", "--output"];
        let command = [file.to_str().expect("UTF-8"), "--", "bash", "-c", CONNECT];
        let outcome = program::run(&[&options[..], &command].concat());
        assert_eq!(outcome.code, Some(4), "{}", outcome.stderr);
        let lives = std::fs::read_to_string(&file).expect("it was made");
        let lives: Vec<Life> = lives.lines().map(Life::parse).collect();
        let [life] = &lives[..] else { panic!("{lives:?} {}", outcome.stderr) };
        assert_eq!(life.step_summaries(), ["SYN_SENT observed", "CLOSED observed"]);
        assert_eq!(life.process.as_deref(), Some("bash"));
        let how = (life.verdict.as_deref(), life.reset_by.as_deref());
        assert_eq!(how, (Some("refused"), Some("remote")));
    });
}

/// Watches what these filters ask for while a process opens a socket, and ends before the program can
/// look at it. Returns the messages.
fn watch_a_process_that_is_gone(filters: &[&str], is_reaped: bool) -> String {
    const CONNECT: &str = ": </dev/tcp/127.0.0.1/7999 # needle";
    let mut watch =
        Program::watch(&[&["--source", "trace", "-i", "1m", "--port", "7999"], filters].concat());
    watch.pause();
    let mut process = Command::new("bash");
    let process = process.args(["-c", CONNECT]).stderr(Stdio::null()).spawn();
    let mut process = process.expect("it is installed");
    // Until its parent asks for its status it is still listed.
    let stat = format!("/proc/{}/stat", process.id());
    until("its end", || std::fs::read_to_string(&stat).ok()?.contains(") Z ").then_some(()));
    if is_reaped {
        process.wait().expect("it is a child");
    }
    watch.signal(Signal::SIGCONT);
    if filters.contains(&"bash") || filters.contains(&"--user") {
        watch.until("its end", |event| event.event == "closed");
    } else {
        watch.message_with("could not be read");
    }
    let outcome = watch.stop();
    process.wait().expect("it is a child");
    outcome.messages()
}

#[test]
fn a_process_that_was_gone_before_it_was_read_may_match() {
    isolated(|| {
        if !is_permitted() {
            return;
        }
        let user = geteuid().as_raw().to_string();
        for (filters, counts) in [
            (&["bash"][..], "seen: 1 socket (0 still there)\n"),
            (&["--user", &user], "seen: 1 socket (0 still there)\n"),
            (&["-f", "needle"], "seen: 0 sockets (0 still there); 1 more may match\n"),
            (&["probe"], "seen: 0 sockets (0 still there); 1 more may match\n"),
            (&["-x", "dash"], "seen: 0 sockets (0 still there); 1 more may match\n"),
        ] {
            for is_reaped in [true, false] {
                let messages = watch_a_process_that_is_gone(filters, is_reaped);
                assert!(messages.ends_with(counts), "{filters:?} {is_reaped}: {messages}");
            }
        }
    });
}

#[test]
fn run_says_why_a_failed_command_may_have_no_socket() {
    const SENTENCE: &str = "connect() fails before that";
    isolated(|| {
        if !is_permitted() {
            return;
        }
        let run = |command| {
            program::run(&["run", "--source", "trace", "-i", "300ms", "--", "bash", "-c", command])
        };
        // This namespace has no route but that of its loopback interface.
        let failed = run("(: </dev/tcp/203.0.113.8/80) 2>/dev/null; exit 7");
        assert_eq!(failed.code, Some(7), "{failed:?}");
        assert!(failed.stderr.contains(SENTENCE), "{failed:?}");
        let connected = run("(: </dev/tcp/127.0.0.1/7999) 2>/dev/null; exit 7");
        assert!(!connected.stderr.contains(SENTENCE), "{connected:?}");
        let done = run("exit 0");
        assert!(!done.stderr.contains(SENTENCE), "{done:?}");
    });
}
