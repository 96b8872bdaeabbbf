//! Questions by process over a real CLOSE_WAIT, where the kernel does not show who has it.

use crate::support::actor::Actor;
use crate::support::mounts::mount_privately;
use crate::support::netns::{is_unprivileged, isolated};
use crate::support::program::{Outcome, Program, command, run, run_as_nobody, run_by};
use crate::support::require::{Feature, skip};
use crate::support::wait::until;
use nix::sched::{CloneFlags, unshare};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use std::path::Path;
use std::process::Command;

/// A server that has a connection in CLOSE_WAIT, and does not close it.
fn server_with_a_leak() -> (Actor, Actor) {
    let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
    server.order("listen l 127.0.0.1:7000 8");
    client.connect("c", "127.0.0.1:7000");
    server.accept("l");
    client.order("close c");
    until("the FIN to arrive", || {
        let sockets = run(&["list", "-j", "-s", "CLOSE_WAIT"]);
        (sockets.stdout.lines().count() == 1).then_some(())
    });
    (server, client)
}

/// Lists the leak.
const LEAKED: [&str; 3] = ["list", "-s", "CLOSE_WAIT"];

/// Asserts that the only message says what to do in order to see the owner of one socket.
fn assert_advises(outcome: &Outcome, remedy: &str) {
    let advice = format!("tcplapse: cannot inspect the owners of 1 socket; {remedy}");
    let messages = outcome.messages();
    assert!(messages.starts_with(&advice) && messages.lines().count() == 1, "{outcome:?}");
}

/// Asks for a leak in every way; no answer may be that there is none.
fn assert_never_all_clear(pid: u32, ask: impl Fn(&[&str]) -> Option<Outcome>) -> bool {
    let pid = pid.to_string();
    for question in [
        &["check", "--stuck", "CLOSE_WAIT:10ms"][..],
        &["check", "--max", "CLOSE_WAIT:0"],
        &["wait", "--until", "none CLOSE_WAIT"],
        &["wait", "--until", "count CLOSE_WAIT < 1"],
    ] {
        for filter in [&["server"][..], &["-f", "server"], &["-x", "server"], &["--pid", &pid]] {
            let quick = ["-i", "10ms", "--max-cpu", "100"];
            let Some(outcome) = ask(&[question, filter, &quick].concat()) else { return false };
            let is_open = outcome.code == Some(2) && outcome.messages().lines().count() == 1;
            assert!(is_open, "{question:?} {filter:?}: {outcome:?}");
        }
    }
    true
}

/// As root in a container, whose processes lack CAP_SYS_PTRACE: descriptors are listed, but not
/// where they lead.
fn run_without_ptrace(args: &[&str]) -> Outcome {
    let start = || {
        // A process that may not give up a capability has none.
        let _ = remove_capability_from_bounding_set(CapabilitySet::SYS_PTRACE);
        Program::start(args)
    };
    std::thread::scope(|scope| scope.spawn(start).join()).expect("it starts").finish()
}

#[test]
fn root_without_ptrace_gives_no_all_clear() {
    isolated(|| {
        let (server, _client) = server_with_a_leak();
        let listed = run_without_ptrace(&["list", "-j", "-s", "CLOSE_WAIT"]).listed();
        if listed[0].pid.is_some() {
            return skip(Feature::OtherUser, "no capability to give up");
        }
        assert_eq!(listed[0].owner_source, "denied", "{listed:?}");
        assert_never_all_clear(server.pid(), |args| Some(run_without_ptrace(args)));
        let remedy = if is_unprivileged() {
            "run as root outside of this user namespace"
        } else {
            "add CAP_SYS_PTRACE to this container"
        };
        assert_advises(&run_without_ptrace(&LEAKED), remedy);
    });
}

#[test]
fn another_user_gets_no_all_clear() {
    isolated(|| {
        let (server, _client) = server_with_a_leak();
        if !assert_never_all_clear(server.pid(), run_as_nobody) {
            return skip(Feature::OtherUser, "this user may not become another");
        }
        assert_advises(&run_as_nobody(&LEAKED).expect("it could be run before"), "run as root\n");
    });
}

#[test]
fn root_in_a_user_namespace_is_not_told_to_become_root() {
    isolated(|| {
        let (_server, _client) = server_with_a_leak();
        let mut inside = Command::new("unshare");
        inside.args(["--user", "--map-root-user"]).arg(command(&[]).get_program()).args(LEAKED);
        match Program::try_spawn(inside).map(Program::finish) {
            Ok(outcome) if outcome.code == Some(0) => {
                assert_advises(&outcome, "run as root outside of this user namespace");
            }
            other => skip(Feature::Netns, &format!("no user namespace: {other:?}")),
        }
    });
}

/// The kernel shows every user without a number in a user namespace as the same one.
#[test]
fn a_user_without_a_number_may_be_anybody() {
    isolated(|| {
        let (_server, _client) = server_with_a_leak();
        let inside = |source: &str, question: &[&str]| {
            let mut inside = Command::new("unshare");
            inside.arg("--user").arg(command(&[]).get_program()).args(question);
            inside.args(["--source", source, "--user", "0", "-i", "10ms", "--max-cpu", "100"]);
            Program::try_spawn(inside).map(Program::finish)
        };
        for source in ["proc", "netlink"] {
            for question in [
                &["check", "--stuck", "CLOSE_WAIT:10ms"][..],
                &["check", "--max", "CLOSE_WAIT:0", "server"],
                &["wait", "--until", "none CLOSE_WAIT"],
                &["wait", "--until", "none CLOSE_WAIT", "server"],
            ] {
                match inside(source, question) {
                    Ok(outcome) if outcome.stderr.starts_with("unshare: ") => {
                        return skip(Feature::Netns, &format!("no user namespace: {outcome:?}"));
                    }
                    Ok(outcome) => assert_eq!(outcome.code, Some(2), "{outcome:?}"),
                    Err(cause) => return skip(Feature::Netns, &format!("no unshare: {cause}")),
                }
            }
        }
    });
}

#[test]
fn hidepid_gives_no_all_clear() {
    isolated(|| {
        for options in ["hidepid=1", "hidepid=2", "hidepid=4"] {
            if let Err(errno) = mount_privately("proc", Path::new("/proc"), Some(options)) {
                return skip(Feature::Mount, &format!("no procfs with {options}: {errno}"));
            }
            let (server, _client) = server_with_a_leak();
            if !assert_never_all_clear(server.pid(), run_as_nobody) {
                return skip(Feature::OtherUser, "this user may not become another");
            }
            let root = run(&["check", "--max", "CLOSE_WAIT:0", "-x", "client", "-i", "10ms"]);
            assert_eq!(root.code, Some(0), "it sees all: {root:?}");
        }
    });
}

/// A server in another network namespace.
fn server_elsewhere() -> Option<Actor> {
    let start = || unshare(CloneFlags::CLONE_NEWNET).map(|()| Actor::start("elsewhere"));
    match std::thread::scope(|scope| scope.spawn(start).join().expect("no panic")) {
        Ok(actor) => Some(actor),
        Err(errno) => {
            skip(Feature::Netns, &format!("no second namespace: {errno}"));
            None
        }
    }
}

#[test]
fn another_network_namespace_gives_no_all_clear() {
    isolated(|| {
        let Some(inmate) = server_elsewhere() else { return };
        let pid = inmate.pid().to_string();
        let here = Actor::start("here");
        let ask = |args: &[&str], filter: &[&str]| {
            run(&[args, filter, &["-i", "10ms", "--max-cpu", "100"]].concat())
        };
        let check = ["check", "--max", "CLOSE_WAIT:0"];
        let questions = [&check[..], &["wait", "--until", "none LISTEN"]];
        for question in questions {
            for filter in [&["--pid", &pid][..], &["elsewhere"], &["-f", "elsewhere"]] {
                let outcome = ask(question, filter);
                assert_eq!(outcome.code, Some(2), "{outcome:?}");
                let messages = outcome.messages();
                assert!(messages.contains("is in another network namespace"), "{messages}");
                assert_eq!(messages.lines().count(), 1, "{messages}");
            }
            let outcome = ask(question, &["here"]);
            assert_eq!((outcome.code, outcome.messages().as_str()), (Some(0), ""), "{outcome:?}");
        }
        assert_eq!(ask(&check, &["here|elsewhere"]).code, Some(0), "one of them is here");
        // A run that is recorded asks the processes as they are, too.
        let folder = tempfile::tempdir().expect("a folder");
        let recording = folder.path().join("run.rec");
        let record = ["--record", recording.to_str().expect("UTF-8")];
        let outcome = ask(&[&check[..], &record].concat(), &["--pid", &pid]);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        let mut other = Actor::start("other");
        other.order("listen l 127.0.0.1:0 1");
        let none_listens = ["check", "--max", "LISTEN:0", "-x"];
        let outcome = ask(&[&none_listens[..], &["here"], &record].concat(), &[]);
        assert_eq!((outcome.code, outcome.messages().as_str()), (Some(0), ""), "{outcome:?}");
        for command in [&["list"][..], &["watch"]] {
            let outcome = run(&[command, &["--pid", &pid]].concat());
            assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
            assert!(outcome.messages().contains("--netns pid:"), "{outcome:?}");
        }
        drop(here);
    });
}

#[test]
fn the_id_of_a_thread_is_refused() {
    isolated(|| {
        let mut holder = Actor::start("holder");
        holder.order("private 127.0.0.1:0");
        let tasks = std::fs::read_dir(format!("/proc/{}/task", holder.pid())).expect("it runs");
        let threads =
            tasks.map(|task| task.expect("an entry").file_name().into_string().expect("a number"));
        let thread = threads.max_by_key(|tid| tid.parse::<u32>().ok()).expect("one");
        let outcome = run(&["list", "--pid", &thread]);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        let advice = format!("write --pid {}", holder.pid());
        assert!(outcome.messages().contains(&advice), "{outcome:?}");
    });
}

/// A process that may open few files reads what it can of the one that is asked for.
#[test]
fn too_few_descriptors_give_no_all_clear() {
    isolated(|| {
        let mut holder = Actor::start("holder");
        holder.order("private 127.0.0.1:0");
        let pid = holder.pid().to_string();
        if run_by(&["prlimit"], &["--version"]).is_none() {
            return skip(Feature::Prlimit, "prlimit is missing");
        }
        for limit in 3..=20 {
            let limited = ["prlimit", &format!("--nofile={limit}")];
            let question = ["check", "--max", "LISTEN:0", "-i", "10ms", "--pid", &pid];
            // With the fewest, not even its libraries can be opened.
            let code = run_by(&limited, &question).and_then(|outcome| outcome.code);
            assert_ne!(code, Some(0), "{limit} descriptors");
        }
    });
}

#[test]
fn a_pid_namespace_gives_no_all_clear() {
    isolated(|| {
        let (_server, _client) = server_with_a_leak();
        let inside = |args: &[&str]| {
            let program = command(&[]).get_program().to_owned();
            let mut command = Command::new("unshare");
            command.args(["--pid", "--fork", "--mount-proc"]).arg(program).args(args);
            Program::try_spawn(command).ok().map(Program::finish)
        };
        match inside(&["list", "-j", "-s", "CLOSE_WAIT"]) {
            Some(outcome) if outcome.code == Some(0) => {
                assert_eq!(outcome.listed()[0].owner_source, "denied", "{outcome:?}");
                assert_advises(&outcome, "run as root outside of this container");
            }
            other => return skip(Feature::Mount, &format!("no pid namespace: {other:?}")),
        }
        for filter in [&["server"][..], &["-f", "server"], &["--user", "12345"]] {
            for question in
                [&["check", "--max", "CLOSE_WAIT:0"], &["wait", "--until", "none CLOSE_WAIT"]]
            {
                let outcome = inside(&[&question[..], filter, &["-i", "10ms"]].concat());
                let outcome = outcome.expect("it could be run before");
                assert_eq!(outcome.code, Some(2), "{question:?} {filter:?}: {outcome:?}");
            }
        }
    });
}
