//! Several network namespaces at once: `--netns`.

use crate::support::actor::Actor;
use crate::support::loopback;
use crate::support::netns::{is_unprivileged, isolated};
use crate::support::program::{Program, list, run, run_as_nobody};
use crate::support::record::{Event, Listed};
use crate::support::require::{Feature, skip};
use crate::support::wait::until;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A process in a network namespace of its own; `None` where that is not permitted.
fn inmate(name: &str) -> Option<Actor> {
    let start = || {
        unshare(CloneFlags::CLONE_NEWNET).map(|()| {
            loopback::up();
            Actor::start(name)
        })
    };
    let started = std::thread::scope(|scope| scope.spawn(start).join().expect("no panic"));
    started.inspect_err(|errno| skip(Feature::Netns, &format!("no other namespace: {errno}"))).ok()
}

/// Opens a listener and both ends of a connection, between the same addresses for every process.
fn connect(actor: &mut Actor) {
    actor.order("listen l 127.0.0.1:7000 8");
    actor.order("connect c 127.0.0.1:5000 127.0.0.1:7000");
    actor.accept("l");
}

fn of_process(actor: &Actor) -> String {
    format!("pid:{}", actor.pid())
}

/// Process, local port and state of each socket.
fn shown(listed: &[Listed]) -> BTreeSet<(Option<u32>, u16, String)> {
    listed.iter().map(|row| (row.pid, row.local_port, row.state.clone())).collect()
}

/// Those that need no BPF.
const SOURCES: [&str; 2] = ["proc", "netlink"];

#[test]
fn the_same_addresses_in_three_namespaces_are_never_mixed_up() {
    isolated(|| {
        let names = ["red", "green", "blue"];
        let inmates: Option<Vec<Actor>> = names.into_iter().map(inmate).collect();
        let Some(mut inmates) = inmates else { return };
        inmates.iter_mut().for_each(connect);
        let chosen: Vec<String> = inmates.iter().map(of_process).collect();
        let args: Vec<&str> = chosen.iter().flat_map(|it| ["--netns", it]).collect();
        for source in SOURCES {
            let listed = list(&[&["--source", source], args.as_slice()].concat());
            let rows = [(7000, "LISTEN"), (7000, "ESTABLISHED"), (5000, "ESTABLISHED")];
            let of_each = inmates.iter().flat_map(|inmate| {
                rows.map(|(port, state)| (Some(inmate.pid()), port, state.to_owned()))
            });
            let expected: BTreeSet<_> = of_each.collect();
            assert_eq!(shown(&listed), expected, "{source}");
            let inodes: HashSet<_> = listed.iter().map(|row| row.netns).collect();
            assert_eq!(inodes.len(), 3, "{source}");
        }
        let args = [&["-i", "10ms", "--source", "netlink"], args.as_slice()].concat();
        let mut watch = Program::watch(&args);
        let there: Vec<Event> = (0..9).map(|_| watch.event()).collect();
        assert!(there.iter().all(|event| event.event == "present"), "{there:?}");
        // What happens in one of them happens in no other.
        inmates[1].order("shutdown c");
        let mut is_over = [false; 2];
        while is_over != [true; 2] {
            let event = watch.event();
            assert_eq!(event.pid, Some(inmates[1].pid()), "{event:?}");
            is_over[0] |= event.to == "FIN_WAIT2";
            is_over[1] |= event.to == "CLOSE_WAIT";
        }
        assert_eq!(watch.stop().code, Some(0));
    });
}

#[test]
fn all_namespaces_are_read_without_rights() {
    isolated(|| {
        let Some(mut inmate) = inmate("inmate") else { return };
        connect(&mut inmate);
        let args = ["list", "-j", "--netns", "all", "--port", "7000"];
        let Some(outcome) = run_as_nobody(&args) else {
            return skip(Feature::OtherUser, "this user may not become another");
        };
        // Other tests have namespaces, too; which is whose nobody may know.
        let listed = outcome.listed();
        assert!(listed.len() >= 3, "{outcome:?}");
        let refused = run_as_nobody(&["list", "--netns", "all", "--source", "netlink"]);
        let refused = refused.expect("it could be run before");
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.messages().contains("CAP_SYS_ADMIN"), "{refused:?}");
    });
}

#[test]
fn a_socket_lives_on_in_a_process_of_another_namespace() {
    isolated(|| {
        let Some(mut inmate) = inmate("inmate") else { return };
        let mut heir = Actor::start("heir");
        inmate.order("listen l 127.0.0.1:7000 8");
        let home = tempfile::tempdir().expect("a folder");
        let door = home.path().join("door");
        let door = door.to_str().expect("UTF-8");
        heir.order(&format!("open {door}"));
        inmate.order(&format!("give l {door}"));
        heir.order(&format!("take l {door}"));
        let netns = of_process(&inmate);
        let args = ["-i", "10ms", "--source", "netlink", "--netns", &netns];
        let mut watch = Program::watch(&args);
        let first = watch.event();
        let owners: Vec<u32> = first.owners.iter().map(|owner| owner.pid).collect();
        assert!(owners.contains(&heir.pid()) && owners.contains(&inmate.pid()), "{first:?}");
        inmate.kill();
        // A namespace that is gone would be dropped by then.
        let killed = Instant::now();
        until("a while to pass", || (killed.elapsed() > Duration::from_secs(3)).then_some(()));
        heir.order("close l");
        let last = watch.event();
        assert_eq!((last.event.as_str(), last.to.as_str()), ("closed", "CLOSED"), "{last:?}");
        assert!(last.held.is_some_and(|held| held > 2.5), "{last:?}");
        assert_eq!(watch.stop().code, Some(0));
    });
}

#[test]
fn a_namespace_that_vanishes_ends_its_sockets() {
    isolated(|| {
        for source in SOURCES {
            let Some(mut inmate) = inmate("inmate") else { return };
            connect(&mut inmate);
            let netns = of_process(&inmate);
            let mut watch = Program::watch(&["-i", "10ms", "--source", source, "--netns", &netns]);
            let mut open: HashSet<String> = (0..3).map(|_| watch.event().id).collect();
            inmate.kill();
            while !open.is_empty() {
                let event = watch.event();
                if event.event == "closed" {
                    assert!(open.remove(&event.id), "{event:?}");
                }
            }
            let outcome = watch.stop();
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
            assert!(outcome.messages().contains("(0 still there)"), "{outcome:?}");
        }
    });
}

/// A link into a namespace goes away with it: its other end shows when that is. No other poll comes
/// meanwhile.
#[test]
fn a_namespace_is_not_kept_when_its_last_process_is_gone() {
    isolated(|| {
        for source in SOURCES {
            let Some(mut inmate) = inmate("inmate") else { return };
            let peer = inmate.pid().to_string();
            let add =
                ["link", "add", "near", "type", "veth", "peer", "name", "far", "netns", &peer];
            let added = Command::new("ip").args(add).stderr(Stdio::null()).status();
            if !added.is_ok_and(|status| status.success()) {
                return skip(Feature::Ip, "a link cannot be made here");
            }
            connect(&mut inmate);
            let netns = of_process(&inmate);
            let mut watch = Program::watch(&["-i", "1h", "--source", source, "--netns", &netns]);
            watch.event();
            inmate.kill();
            let links = || fs::read_to_string("/proc/thread-self/net/dev").expect("our own");
            until("the namespace to go", || (!links().contains("near:")).then_some(()));
            assert!(watch.is_running(), "{source}: {}", watch.stderr());
            watch.stop();
        }
    });
}

#[cfg(feature = "bpf")]
#[test]
fn kernel_events_are_of_the_namespace_that_they_happen_in() {
    isolated(|| {
        let (Some(mut red), Some(mut blue)) = (inmate("red"), inmate("blue")) else { return };
        connect(&mut red);
        connect(&mut blue);
        let netns = [of_process(&red), of_process(&blue)];
        let args = ["--source", "trace", "--netns", &netns[0], "--netns", &netns[1]];
        let mut watch = Program::start(&[&["watch", "-j"], args.as_slice()].concat());
        let begun = until("a record, or the end", || {
            let has_record = watch.stdout().contains("present");
            (has_record || watch.has_ended()).then_some(has_record)
        });
        if !begun {
            return skip(Feature::Trace, &watch.stderr());
        }
        blue.order("shutdown c");
        let change = watch.until("the shutdown", |event| event.to == "FIN_WAIT1");
        assert_eq!((change.pid, change.source.as_str()), (Some(blue.pid()), "trace"), "{change:?}");
        let after = change.after.expect("by the kernel's clock");
        assert_eq!(after, change.time, "{change:?}");
        red.order("shutdown c");
        let change = watch.until("the other one", |event| event.to == "FIN_WAIT1");
        assert_eq!(change.pid, Some(red.pid()), "{change:?}");
        watch.stop();
    });
}

/// A namespace that is mounted at a path, as `ip netns add` does it.
struct Mounted {
    point: PathBuf,
    _home: tempfile::TempDir,
}

impl Mounted {
    fn new() -> Option<Self> {
        let home = tempfile::tempdir().expect("a folder");
        let point = home.path().join("blue");
        File::create(&point).expect("it is ours");
        let bind = || {
            unshare(CloneFlags::CLONE_NEWNET)?;
            let none = None::<&str>;
            mount(Some("/proc/thread-self/ns/net"), &point, none, MsFlags::MS_BIND, none)
        };
        let bound = std::thread::scope(|scope| scope.spawn(bind).join().expect("no panic"));
        if let Err(errno) = bound {
            skip(Feature::Mount, &format!("a namespace cannot be mounted: {errno}"));
            return None;
        }
        Some(Self { point, _home: home })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // It keeps the folder from being removed.
        let _ = umount2(&self.point, MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_mounted_namespace_without_a_process_is_read() {
    isolated(|| {
        let Some(mounted) = Mounted::new() else { return };
        let path = mounted.point.to_str().expect("UTF-8");
        for source in SOURCES {
            let outcome = run(&["list", "--netns", path, "--source", source]);
            assert_eq!((outcome.code, outcome.messages().as_str()), (Some(1), ""), "{source}");
        }
        // A socket opens in it later.
        let mut watch = Program::watch(&["-i", "10ms", "--netns", path]);
        let enter = || {
            let namespace = File::open(&mounted.point).expect("it is mounted");
            nix::sched::setns(namespace, CloneFlags::CLONE_NEWNET).expect("it may be entered");
            loopback::up();
            Actor::start("late")
        };
        let started = std::thread::scope(|scope| scope.spawn(enter).join());
        let mut late = started.expect("no panic");
        late.order("listen l 127.0.0.1:7000 8");
        let event = watch.event();
        assert_eq!((event.event.as_str(), event.to.as_str()), ("opened", "LISTEN"), "{event:?}");
        assert_eq!(event.netns_name.as_deref(), Some(path), "{event:?}");
        watch.stop();
    });
}

#[test]
fn a_namespace_that_may_not_be_entered_gives_no_all_clear() {
    isolated(|| {
        let Some(_mounted) = Mounted::new() else { return };
        let limit = ["check", "--netns", "all", "--max", "LISTEN:100000", "-i", "10ms"];
        for time in [&[][..], &["--for", "50ms"]] {
            let Some(outcome) = run_as_nobody(&[&limit, time].concat()) else {
                return skip(Feature::OtherUser, "this user may not become another");
            };
            let messages = outcome.messages();
            assert_eq!(outcome.code, Some(2), "{outcome:?}");
            // Another test may have mounted one, too.
            let is_named = |line: &str| {
                line.contains(" inconclusive: ") && line.contains(" network namespace")
            };
            assert!(messages.lines().any(is_named), "{messages}");
        }
    });
}

/// A control group as docker makes it.
struct Container(PathBuf);

impl Container {
    fn new(id: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("our own");
        let root = mounts.lines().find(|line| line.contains(" - cgroup2 "))?.split(' ').nth(4)?;
        let group = Path::new(root).join(format!("docker-{id}.scope"));
        fs::create_dir(&group).ok()?;
        Some(Self(group))
    }

    fn take(&self, pid: u32) -> bool {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).is_ok()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        until("the group to be empty", || fs::remove_dir(&self.0).ok());
    }
}

#[test]
fn a_container_is_chosen_by_its_id() {
    isolated(|| {
        let id = format!("{:0>64}", format!("{:x}", std::process::id()));
        let id: String = id.chars().rev().collect();
        let Some(container) = Container::new(&id) else {
            return skip(Feature::Mount, "no control group can be made");
        };
        let Some(mut inmate) = inmate("inmate") else { return };
        if !container.take(inmate.pid()) {
            return skip(Feature::Mount, "no process can be moved to another control group");
        }
        connect(&mut inmate);
        let netns = format!("container:{id}");
        let listed = list(&["--netns", &netns]);
        assert_eq!(listed.len(), 3, "{listed:?}");
        assert!(listed.iter().all(|row| row.container.as_deref() == Some(&id[..12])), "{listed:?}");
        let by_filter = list(&["--netns", "all", "--container", &id]);
        assert_eq!(by_filter.len(), 3, "{by_filter:?}");
        let refused = run(&["list", "--netns", "container:no-such"]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        inmate.kill();
    });
}

#[test]
fn a_process_of_another_namespace_is_pointed_out() {
    isolated(|| {
        let Some(mut inmate) = inmate("inmate") else { return };
        connect(&mut inmate);
        let pid = inmate.pid().to_string();
        let outcome = run(&["list", "--pid", &pid]);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.messages().contains(&format!("--netns pid:{pid}")), "{outcome:?}");
        let netns = of_process(&inmate);
        assert_eq!(list(&["--pid", &pid, "--netns", &netns]).len(), 3);
        assert_eq!(list(&["--pid", &pid, "--netns", "all"]).len(), 3);
    });
}

#[test]
fn a_recording_of_several_namespaces_shows_the_same_again() {
    isolated(|| {
        let (Some(mut red), Some(mut blue)) = (inmate("red"), inmate("blue")) else { return };
        connect(&mut red);
        connect(&mut blue);
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join("rec");
        let file = file.to_str().expect("UTF-8");
        let netns = [of_process(&red), of_process(&blue)];
        let args = ["-i", "10ms", "--record", file, "--netns", &netns[0], "--netns", &netns[1]];
        let mut watch = Program::watch(&args);
        for _ in 0..6 {
            watch.event();
        }
        blue.order("shutdown c");
        red.kill();
        for _ in 0..3 {
            watch.until("the sockets of red to close", |event| event.event == "closed");
        }
        let printed = watch.stop().stdout;
        let replayed = run(&["replay", "-j", file]);
        assert_eq!(replayed.stdout, printed);
    });
}

#[test]
fn connections_in_other_namespaces_are_measured_and_have_an_age() {
    isolated(|| {
        let (Some(mut red), Some(mut blue)) = (inmate("red"), inmate("blue")) else { return };
        for inmate in [&mut red, &mut blue] {
            connect(inmate);
            inmate.order("shutdown c");
        }
        let netns = [of_process(&red), of_process(&blue)];
        let chosen = ["--netns", &netns[0], "--netns", &netns[1]];
        for source in SOURCES {
            let args = ["list", "-j", "--tcp-info", "--source", source, "-s", "CLOSE_WAIT"];
            // The kernel proves an age once no segment can be on its way any more.
            let found = until("the age of two sockets", || {
                let outcome = run(&[&args[..], &chosen[..]].concat());
                let lines = outcome.stdout.lines();
                let records: Vec<Value> =
                    lines.map(|line| serde_json::from_str(line).expect(line)).collect();
                let is_old = |record: &Value| record["held"].as_f64().is_some_and(|it| it > 0.0);
                (records.len() == 2 && records.iter().all(is_old)).then_some(records)
            });
            for record in found {
                assert_eq!(record["held_from"], "kernel", "{source}: {record}");
                assert!(record["rtt"].as_f64().is_some(), "{source}: {record}");
            }
        }
        let table = run(&[&["list"], &chosen[..]].concat()).stdout;
        assert!(table.lines().next().is_some_and(|line| line.contains(" NETNS ")), "{table}");
        assert!(!run(&["list", "-s", "LISTEN"]).stdout.contains("NETNS"));
    });
}

#[cfg(feature = "bpf")]
#[test]
fn events_of_a_namespace_that_is_not_found_are_said_to_be_left_out() {
    isolated(|| {
        if !super::trace::is_permitted() || is_unprivileged() {
            return;
        }
        let args = ["--source", "trace", "--netns", "all", "-i", "50ms", "--local", ":7000"];
        let mut watch = Program::watch(&args);
        // No process is in it but this thread of one, which searches do not look at.
        let listen = || {
            unshare(CloneFlags::CLONE_NEWNET).map(|()| {
                loopback::up();
                let listener =
                    std::net::TcpListener::bind("127.0.0.1:7000").expect("nobody else is here");
                watch.message_with("network namespaces that were not found, or cannot be read");
                drop(listener);
            })
        };
        let found = std::thread::scope(|scope| scope.spawn(listen).join().expect("no panic"));
        found.unwrap_or_else(|errno| skip(Feature::Netns, &format!("no other namespace: {errno}")));
        watch.stop();
    });
}

#[test]
fn a_namespace_of_a_recording_is_chosen() {
    isolated(|| {
        let (Some(mut red), Some(mut blue)) = (inmate("red"), inmate("blue")) else { return };
        connect(&mut red);
        connect(&mut blue);
        let home = tempfile::tempdir().expect("a folder");
        let path = |name: &str| home.path().join(name).to_str().expect("UTF-8").to_owned();
        let (file, rules) = (path("rec"), path("rules.toml"));
        let netns = [of_process(&red), of_process(&blue)];
        let args = ["-i", "5ms", "--record", &file, "--netns", &netns[0], "--netns", &netns[1]];
        let mut watch = Program::watch(&args);
        let recorded: Vec<Event> = (0..6).map(|_| watch.event()).collect();
        blue.order("shutdown c");
        watch.until("a second poll", |event| event.event == "changed");
        assert_eq!(watch.stop().code, Some(0));
        let inode = recorded.iter().find(|event| event.pid == Some(blue.pid()));
        let inode = inode.and_then(|event| event.netns).expect("root knows it").to_string();
        let listed = run(&["list", "-j", "--from", &file, "--netns", &inode]).listed();
        assert_eq!(listed.len(), 3, "{listed:?}");
        assert!(listed.iter().all(|row| row.pid == Some(blue.pid())), "{listed:?}");
        let replayed = run(&["replay", "-j", &file, "--netns", &inode]).recorded().events;
        assert!(replayed.iter().all(|event| event.pid == Some(blue.pid())), "{replayed:?}");
        assert!(replayed.len() > 3, "{replayed:?}");
        let table = run(&["replay", &file, "--view", "table"]).stdout;
        assert!(table.contains(" NETNS "), "{table}");
        let limit = ["--max", "LISTEN:1", "--from", &file];
        assert_eq!(run(&[&["check"], &limit[..]].concat()).code, Some(1), "one in each");
        let one = run(&[&["check", "--netns", &inode], &limit[..]].concat());
        assert_eq!((one.code, one.stderr.as_str()), (Some(0), ""), "{one:?}");
        // What is not in it has no answer.
        let check = [&["check"], &limit[..]].concat();
        for command in [&check[..], &["list", "--from", &file], &["replay", &file]] {
            let none = run(&[command, &["--netns", "nosuch"]].concat());
            assert_eq!(none.code, Some(2), "{command:?}: {none:?}");
            assert!(none.stderr.contains("shows no network namespace 'nosuch'"), "{none:?}");
        }
        if is_unprivileged() {
            return skip(Feature::Netns, "no rules are trusted where the owner of / has no number");
        }
        let text = format!(
            "[[rule]]\nname = 'one'\nnetns = {inode}\nat_least = 3\n\
             [[rule]]\nname = 'other'\nnetns = 'nosuch'\nat_least = 1\n"
        );
        fs::write(&rules, text).expect("it is ours");
        let alerts = run(&["replay", &file, "--view", "diagram", "--rules", &rules]).stderr;
        assert!(alerts.contains("alert one: 3 sockets"), "{alerts}");
        assert!(!alerts.contains("alert other"), "{alerts}");
    });
}
