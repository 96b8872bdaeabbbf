//! Owners by the BPF iterator: the same as by the descriptors that procfs shows.

use super::trace::is_permitted;
use crate::support::actor::Actor;
use crate::support::mounts::mount_privately;
use crate::support::netns::isolated;
use crate::support::program::{
    Program, list, refusals_with_few_descriptors, run, run_as_nobody, run_by,
};
use crate::support::record::Listed;
use crate::support::require::{Feature, skip};
use crate::support::sockets::ANY_PORT;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::SocketAddr;
use std::path::Path;

/// What the search for owners decides of a row.
type Owned = (SocketAddr, SocketAddr, Option<u64>, Option<u32>, String, Vec<(u32, i32, String)>);

fn owned(rows: Vec<Listed>) -> Vec<Owned> {
    let of_row = |row: Listed| {
        let owners = row.owners.iter().map(|owner| (owner.pid, owner.fd, owner.process.clone()));
        let owners = owners.collect();
        (row.local(), row.remote(), row.inode, row.pid, row.owner_source.clone(), owners)
    };
    let mut owned: Vec<Owned> = rows.into_iter().map(of_row).collect();
    owned.sort();
    owned
}

/// The TCP sockets of a socket of MPTCP have its inode, and its descriptors.
#[test]
fn the_iterator_finds_the_owner_of_a_multipath_connection() {
    isolated(|| {
        if !is_permitted() {
            return;
        }
        let listener = match Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP)) {
            Ok(socket) => socket,
            Err(error) => return skip(Feature::Mptcp, &error.to_string()),
        };
        listener.bind(&ANY_PORT.into()).expect("a port is free");
        listener.listen(1).expect("it is bound");
        // A child that another test has just started has our descriptors until its exec().
        let pid = std::process::id().to_string();
        let [by_procfs, by_bpf] =
            ["proc", "bpf"].map(|method| owned(list(&["-l", "--pid", &pid, "--owners", method])));
        assert_eq!(by_procfs.len(), 1);
        assert_eq!(by_procfs[0].3, Some(std::process::id()));
        assert_eq!(by_bpf, by_procfs);
    });
}

#[test]
fn the_iterator_and_procfs_find_the_same_owners() {
    isolated(|| {
        if !is_permitted() {
            return;
        }
        let (mut server, mut worker) = (Actor::start("server"), Actor::start("worker"));
        let mut client = Actor::start("client");
        server.order("listen l 127.0.0.1:7000 8");
        let folder = tempfile::tempdir().expect("a folder");
        let door = folder.path().join("door");
        let door = door.to_str().expect("UTF-8");
        worker.order(&format!("open {door}"));
        server.order(&format!("give l {door}"));
        worker.order(&format!("take l {door}"));
        let borrower = server.order("lend l");
        for name in ["a", "b", "c"] {
            client.connect(name, "127.0.0.1:7000");
            worker.accept("l");
        }
        client.connect("waits", "127.0.0.1:7000");
        client.order("listen six [::1]:7001 1");
        // In a thread with descriptors of its own.
        client.order("private 127.0.0.1:7002");
        // In two more, whose descriptors differ in nothing else.
        client.order("listen gap 127.0.0.1:7003 1");
        client.order("descriptors 20");
        client.order("close gap");
        client.order("private 127.0.0.1:7004");
        client.order("private 127.0.0.1:7005");
        let pid = server.pid().to_string();
        let filters: [&[&str]; 6] = [
            &[],
            &["-x", "worker"],
            &["--pid", &pid],
            &["--user", "0"],
            &["cat"],
            &["nobody-else"],
        ];
        for filter in filters {
            let by = |owners| owned(list(&[filter, &["--owners", owners]].concat()));
            let by_procfs = by("proc");
            assert_eq!(by_procfs.is_empty(), filter == ["nobody-else"], "{filter:?}");
            assert_eq!(by("bpf"), by_procfs, "{filter:?}");
            assert_eq!(by("auto"), by_procfs, "{filter:?}");
        }
        server.order(&format!("end {borrower}"));
    });
}

#[test]
fn watch_by_the_iterator_reports_the_holder_of_each_socket() {
    isolated(|| {
        if !is_permitted() {
            return;
        }
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        server.order("listen l 127.0.0.1:7000 8");
        let mut watch = Program::watch(&["--owners", "bpf", "-i", "20ms"]);
        client.connect("c", "127.0.0.1:7000");
        server.accept("l");
        client.order("shutdown c");
        let closed = watch.until("the client's FIN", |event| event.to == "CLOSE_WAIT");
        let owner = (closed.pid, closed.owner_source.as_str());
        assert_eq!(owner, (Some(server.pid()), "proven"), "{closed:?}");
        watch.stop();
    });
}

#[test]
fn without_privilege_the_iterator_is_refused_by_name() {
    let Some(denied) = run_as_nobody(&["list", "--owners", "bpf"]) else {
        return skip(Feature::OtherUser, "this user may not become another");
    };
    let messages = denied.messages();
    assert_eq!((denied.code, messages.lines().count()), (Some(2), 1), "{messages}");
    assert!(messages.contains("CAP_BPF") && messages.contains("--owners proc"), "{messages}");
}

#[test]
fn a_hidden_process_is_found_by_its_pid() {
    isolated(|| {
        if !is_permitted() {
            return;
        }
        if let Err(errno) = mount_privately("proc", Path::new("/proc"), Some("hidepid=2")) {
            return skip(Feature::Mount, &format!("no procfs with hidepid: {errno}"));
        }
        let mut holder = Actor::start("holder");
        holder.order("listen l 127.0.0.1:7000 8");
        let pid = holder.pid().to_string();
        let ask = |owners: &str| {
            let capabilities = ["--inh-caps=-all,+bpf,+perfmon", "--ambient-caps=+bpf,+perfmon"];
            let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
            let question = ["check", "--max", "LISTEN:0", "-i", "10ms", "--pid", &pid];
            run_by(
                &[&user[..], &capabilities].concat(),
                &[&question[..], &["--owners", owners]].concat(),
            )
        };
        let (Some(found), Some(hidden)) = (ask("bpf"), ask("proc")) else {
            return skip(Feature::OtherUser, "setpriv is missing, or may not run the program");
        };
        assert_eq!(found.code, Some(1), "{found:?}");
        assert!(found.stdout.contains("/holder"), "{found:?}");
        assert_eq!(hidden.code, Some(2), "{hidden:?}");
        assert!(!hidden.messages().contains("there is no process"), "{hidden:?}");
    });
}

#[test]
fn a_missing_procfs_is_not_one_of_another_pid_namespace() {
    isolated(|| {
        if let Err(errno) = mount_privately("tmpfs", Path::new("/proc"), None) {
            return skip(Feature::Mount, &format!("nothing can be mounted there: {errno}"));
        }
        let refused = run(&["list", "--source", "netlink", "--owners", "bpf"]);
        let messages = refused.messages();
        assert_eq!((refused.code, messages.lines().count()), (Some(2), 1), "{messages}");
        assert!(messages.contains("/proc/self cannot be read: No such file"), "{messages}");
    });
}

#[test]
fn a_limit_of_open_files_is_named() {
    isolated(|| {
        if !is_permitted() {
            return;
        }
        let Some(refusals) = refusals_with_few_descriptors(&["list", "--owners", "bpf"]) else {
            return skip(Feature::Prlimit, "prlimit is missing");
        };
        assert!(refusals.iter().any(|messages| messages.contains("by BPF")), "{refusals:?}");
        for messages in refusals {
            assert!(messages.contains("Too many open files"), "{messages}");
        }
    });
}

#[test]
fn without_the_kernels_types_each_use_of_bpf_says_so() {
    isolated(|| {
        if let Err(errno) = mount_privately("tmpfs", Path::new("/sys/kernel/btf"), None) {
            return skip(Feature::Mount, &format!("nothing can be mounted there: {errno}"));
        }
        let lacks = "the kernel has no /sys/kernel/btf/vmlinux";
        let uses: [&[&str]; 2] =
            [&["list", "--owners", "bpf"], &["--source", "trace", "--for", "1ms"]];
        for words in uses {
            let refused = run(words);
            let messages = refused.messages();
            assert_eq!((refused.code, messages.lines().count()), (Some(2), 1), "{messages}");
            assert!(messages.contains(lacks), "{messages}");
        }
        let auto = run(&["--source", "auto", "--for", "1ms"]);
        let messages = auto.messages();
        assert_eq!(auto.code, Some(0), "{messages}");
        assert!(messages.contains(&format!("using --source netlink: {lacks}")), "{messages}");
    });
}
