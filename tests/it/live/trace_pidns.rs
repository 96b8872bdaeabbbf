//! BPF in a pid namespace, as a container has: processes have the numbers of that namespace, and those
//! outside have none there.

use super::trace::is_permitted;
use crate::support::actor::Actor;
use crate::support::netns::isolated;
use crate::support::pidns::PidNamespace;
use crate::support::program::{Program, command};
use crate::support::record::{Event, Life};
use std::process::Command;

const OUTSIDE: &str = "127.0.0.1:7000";
const INSIDE: &str = "127.0.0.1:7001";
/// Polls are rare here: events alone show what is reported.
const BY_EVENTS: [&str; 4] = ["--source", "trace", "-i", "1m"];

/// Runs a test with a pid namespace, where BPF is permitted.
fn in_a_pid_namespace(body: impl Fn(&PidNamespace) + Sync) {
    isolated(|| {
        if is_permitted()
            && let Some(namespace) = PidNamespace::start()
        {
            body(&namespace);
        }
    });
}

/// The number of a process in the namespace that is just below the test's.
fn number_in(pid: u32) -> u32 {
    PidNamespace::numbers(pid)[1]
}

/// Starts a process there that has this number, unless that is taken or the kernel cannot do it.
fn decoy(namespace: &PidNamespace, number: u32) -> Option<Actor> {
    let last = format!("echo {} >/proc/sys/kernel/ns_last_pid", number - 1);
    let mut command = Command::new("sh");
    // A command of the shell's own, so that nothing else starts there.
    command.args(["-c", &last]);
    let written = namespace.spawn(&mut command).and_then(|mut shell| shell.wait());
    written.ok().filter(std::process::ExitStatus::success)?;
    Some(Actor::start_in(namespace, "decoy")).filter(|actor| number_in(actor.pid()) == number)
}

fn owner(event: &Event) -> (Option<u32>, Option<&str>, &str) {
    (event.pid, event.process.as_deref(), &event.owner_source)
}

#[test]
fn callers_have_the_numbers_of_the_readers_pid_namespace() {
    in_a_pid_namespace(|namespace| {
        let mut server = Actor::start("outside");
        server.order(&format!("listen l {OUTSIDE} 8"));
        let mut client = Actor::start_in(namespace, "inside");
        let inside = number_in(client.pid());
        let by_client = (Some(inside), Some("inside"), "proven");

        let mut watch = Program::watch_in(namespace, &BY_EVENTS);
        client.connect("c", OUTSIDE);
        let accepted = server.accept("l");
        let opening = watch.until("the SYN", |event| event.to == "SYN_SENT");
        assert_eq!(owner(&opening), by_client, "{opening:?}");
        client.order("close c");
        let closing = watch.until("the FIN", |event| event.to == "FIN_WAIT1");
        assert_eq!(owner(&closing), by_client, "{closing:?}");
        server.order(&format!("close {accepted}"));

        // One that no poll has seen, of a process in a namespace below.
        let Some(below) = namespace.nested() else { return };
        let mut lower = Actor::start_in(&below, "below");
        let numbers = PidNamespace::numbers(lower.pid());
        assert!(numbers.len() == 3 && numbers[1] != numbers[2], "{numbers:?}");
        lower.connect("c", OUTSIDE);
        let opening = watch.until("its SYN", |event| event.to == "SYN_SENT");
        assert_eq!(owner(&opening), (Some(numbers[1]), Some("below"), "proven"), "{opening:?}");
        watch.stop();
    });
}

#[test]
fn a_process_outside_the_pid_namespace_has_no_wrong_name() {
    in_a_pid_namespace(|namespace| {
        let mut stranger = Actor::start("outside");
        let mut server = Actor::start_in(namespace, "inside");
        server.order(&format!("listen l {INSIDE} 8"));
        let decoy = decoy(namespace, stranger.pid());
        if decoy.is_none() {
            eprintln!("no process has the number of the one outside");
        }
        let mut watch = Program::watch_in(namespace, &BY_EVENTS);
        stranger.order(&format!("listen l {OUTSIDE} 8"));
        stranger.connect("c", INSIDE);
        let accepted = server.accept("l");
        stranger.order("close c");
        server.order(&format!("close {accepted}"));
        stranger.order("close l");
        let marker = |event: &Event| event.local_port == 7000 && event.event == "closed";
        let mut strangers = 0;
        loop {
            let event = watch.until("an event", |_| true);
            let known = owner(&event);
            if event.local_port == 7001 {
                assert_eq!(event.process.as_deref(), Some("inside"), "{event:?}");
            } else {
                strangers += 1;
                assert!(matches!(known, (None, None, "denied" | "unknown")), "{event:?}");
                assert!(event.owners.is_empty(), "{event:?}");
            }
            if marker(&event) {
                break;
            }
        }
        assert!(strangers >= 4, "{strangers} events");
        watch.stop();
    });
}

/// Its events have the number of the command in this namespace, and the command is gone at once.
#[test]
fn run_follows_its_command_in_a_pid_namespace() {
    const CONNECT: &str = "(: </dev/tcp/127.0.0.1/7999) 2>/dev/null; exit 4";
    in_a_pid_namespace(|namespace| {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("lives");
        let options = ["run", "-j", "--source", "trace", "-i", "300ms", "--output"];
        let words = [file.to_str().expect("UTF-8"), "--", "bash", "-c", CONNECT];
        let run = command(&[&options[..], &words].concat());
        let outcome = Program::spawn_in(namespace, run).finish();
        assert_eq!(outcome.code, Some(4), "{}", outcome.stderr);
        let lives = std::fs::read_to_string(&file).expect("it was made");
        let lives: Vec<Life> = lives.lines().map(Life::parse).collect();
        let [life] = &lives[..] else { panic!("{lives:?} {}", outcome.stderr) };
        assert_eq!(life.step_summaries(), ["SYN_SENT observed", "CLOSED observed"]);
        assert_eq!(life.process.as_deref(), Some("bash"));
        assert_eq!(life.verdict.as_deref(), Some("refused"));
    });
}

#[test]
fn the_iterator_finds_the_holders_in_its_pid_namespace() {
    in_a_pid_namespace(|namespace| {
        let mut stranger = Actor::start("outside");
        stranger.order(&format!("listen l {OUTSIDE} 8"));
        let mut server = Actor::start_in(namespace, "inside");
        server.order(&format!("listen l {INSIDE} 8"));
        server.connect("c", OUTSIDE);
        let list = |owners| {
            let list = command(&["list", "-j", "--owners", owners]);
            let listed = Program::spawn_in(namespace, list).finish().listed();
            let owner = |port: u16| {
                let row = listed.iter().find(|row| row.local().port() == port).expect("listed");
                (row.pid, row.process.clone(), row.owner_source.clone())
            };
            (owner(7000), owner(7001))
        };
        let inside =
            (Some(number_in(server.pid())), Some("inside".to_owned()), "proven".to_owned());
        let expected = ((None, None, "denied".to_owned()), inside);
        assert_eq!(list("bpf"), expected);
        assert_eq!(list("proc"), expected);
    });
}

#[test]
fn a_procfs_of_another_pid_namespace_is_refused() {
    isolated(|| {
        if !is_permitted() {
            return;
        }
        let inside = |args: &[&str]| {
            let mut unshare = Command::new("unshare");
            unshare.args(["--pid", "--fork"]).arg(command(&[]).get_program()).args(args);
            Program::spawn(unshare).finish()
        };
        for words in [&["--source", "trace"][..], &["list", "--owners", "bpf"]] {
            let refused = inside(words);
            let messages = refused.messages();
            assert_eq!((refused.code, messages.lines().count()), (Some(2), 1), "{messages}");
            assert!(messages.contains("/proc shows another pid namespace"), "{messages}");
        }
    });
}
