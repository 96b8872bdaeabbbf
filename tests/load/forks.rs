//! Owners, while processes come and go by the thousand.

use crate::alone;
use crate::support::actor::Actor;
use crate::support::netns::isolated;
use crate::support::program::{Program, run};
use std::process::{Child, Command, Stdio};

/// A shell forks some thousand times a second; it ends by itself, should nobody end it.
const FORKS: &str = "i=0; while [ $i -lt 1000000 ]; do (:); i=$((i+1)); done";
/// So many polls or connections, and so many forks meanwhile.
const ROUNDS: usize = 8;
const ENOUGH: u64 = 500;

/// A shell that forks all the time, until this is dropped.
struct Forks {
    shell: Child,
    before: u64,
}

impl Forks {
    fn start() -> Self {
        let before = Self::of_the_machine();
        let shell = Command::new("sh").args(["-c", FORKS]).stdin(Stdio::null()).spawn();
        Self { shell: shell.expect("there is a shell"), before }
    }

    /// How many there have been.
    fn count(&self) -> u64 {
        Self::of_the_machine() - self.before
    }

    fn of_the_machine() -> u64 {
        let stat = std::fs::read_to_string("/proc/stat").expect("procfs is mounted");
        let forks = stat.lines().find_map(|line| line.strip_prefix("processes "));
        forks.expect("a line of it").trim().parse().expect("a number")
    }

    /// Calls `round` so often, and for so long, that enough has happened.
    fn beside(self, mut round: impl FnMut()) {
        let mut rounds = 0;
        while rounds < ROUNDS || self.count() < ENOUGH {
            round();
            rounds += 1;
        }
    }
}

impl Drop for Forks {
    fn drop(&mut self) {
        // Where it has ended already there is nothing to kill.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

#[test]
fn list_finds_the_owner() {
    let _alone = alone();
    isolated(|| {
        let mut server = Actor::start("server");
        server.order("listen l 127.0.0.1:7000 8");
        Forks::start().beside(|| {
            let outcome = run(&["list", "-j"]);
            assert_eq!(outcome.stderr, "");
            let rows = outcome.listed();
            assert_eq!(rows.len(), 1, "{rows:?}");
            let owner = (rows[0].pid, rows[0].owner_source.as_str());
            assert_eq!(owner, (Some(server.pid()), "proven"));
        });
    });
}

#[test]
fn watch_finds_the_owners() {
    let _alone = alone();
    isolated(|| {
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        server.order("listen l 127.0.0.1:7000 8");
        let mut watch = Program::watch(&["-i", "10ms", "server|client"]);
        Forks::start().beside(|| {
            let port = client.connect("c", "127.0.0.1:7000");
            let accepted = server.accept("l");
            for _ in ["the client's socket", "the server's socket"] {
                watch.until("either end of the connection", |event| {
                    event.to == "ESTABLISHED"
                        && [event.local_port, event.remote_port].contains(&port)
                });
            }
            client.order("reset c");
            server.order(&format!("close {accepted}"));
            watch.until("the close", |event| event.event == "closed" && event.local_port == port);
        });
        for event in watch.stop().recorded().events {
            let of_client = event.local_port != 7000;
            let owner = if of_client { client.pid() } else { server.pid() };
            // The program may not have polled between accept() and the end: then it cannot know
            // which process had accepted.
            let unseen = event.event == "closed" && !of_client && event.pid.is_none();
            assert!(unseen || event.pid == Some(owner), "{event:?}");
        }
    });
}
