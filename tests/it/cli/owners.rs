//! Owners over the life of a socket: found, confirmed, remembered, never guessed.

use crate::support::fake_procfs::FakeProcfs;
use crate::support::record::Event;
use crate::support::wait::until;
use nix::sys::signal::Signal;
use std::io::Write as _;

fn owner(event: &Event) -> String {
    let pid = event.pid.map_or("-".to_owned(), |pid| pid.to_string());
    let name = event.process.as_deref().unwrap_or("-");
    format!("{} {pid}/{name} {}", event.to, event.owner_source)
}

#[test]
fn a_match_by_process_outlives_the_process() {
    FakeProcfs::session(|mut procfs| {
        procfs.process(812, "client", 100, &[7]);
        procfs.process(700, "server", 50, &[8]);
        procfs.watch(3, &["client"]);
        procfs.poll(&["4000 80 01/7", "80 4000 01/8"]);
        assert_eq!(owner(&procfs.event()), "ESTABLISHED 812/client proven");
        procfs.remove_process(812);
        procfs.poll(&["4000 80 05/0", "80 4000 08/8"]);
        assert_eq!(owner(&procfs.event()), "FIN_WAIT2 812/client remembered");
        procfs.poll(&["4000 80 06/0"]);
        let last = procfs.event();
        assert_eq!(owner(&last), "TIME_WAIT 812/client remembered");
        assert_eq!(last.owners.len(), 1);
        procfs.end();
    });
}

#[test]
fn a_moved_descriptor_gives_the_socket_a_new_owner() {
    FakeProcfs::session(|mut procfs| {
        procfs.process(812, "client", 100, &[7]);
        procfs.watch(2, &[]);
        procfs.poll(&["4000 80 01/7"]);
        assert_eq!(owner(&procfs.event()), "ESTABLISHED 812/client proven");
        procfs.process(812, "client", 100, &[]);
        procfs.process(813, "child", 200, &[7]);
        procfs.poll(&["4000 80 08/7"]);
        assert_eq!(owner(&procfs.event()), "CLOSE_WAIT 813/child proven");
        procfs.end();
    });
}

#[test]
fn a_reused_pid_is_not_the_owner() {
    FakeProcfs::session(|mut procfs| {
        procfs.process(812, "client", 100, &[7]);
        procfs.watch(2, &["client"]);
        procfs.poll(&["4000 80 01/7"]);
        assert_eq!(owner(&procfs.event()), "ESTABLISHED 812/client proven");
        procfs.process(812, "other", 999, &[7]);
        procfs.poll(&["4000 80 08/7"]);
        assert_eq!(owner(&procfs.event()), "CLOSE_WAIT 812/client remembered");
        procfs.end();
    });
}

#[test]
fn a_reused_inode_does_not_keep_its_owner() {
    FakeProcfs::session(|mut procfs| {
        procfs.process(812, "client", 100, &[7]);
        procfs.watch(3, &[]);
        procfs.poll(&["4000 80 01/7"]);
        assert_eq!(owner(&procfs.event()), "ESTABLISHED 812/client proven");
        procfs.remove_process(812);
        procfs.poll(&[]);
        procfs.poll(&[]);
        assert_eq!(owner(&procfs.event()), "CLOSED 812/client remembered");
        procfs.poll(&["5000 80 01/7"]);
        assert_eq!(owner(&procfs.event()), "ESTABLISHED -/- unknown");
        procfs.end();
    });
}

#[test]
fn a_reused_4_tuple_keeps_the_owner_found_meanwhile() {
    FakeProcfs::session(|mut procfs| {
        procfs.process(812, "client", 100, &[7, 9]);
        procfs.process(814, "client", 100, &[11]);
        procfs.watch(4, &["client"]);
        procfs.poll(&["4000 80 01/7"]);
        assert_eq!(owner(&procfs.event()), "ESTABLISHED 812/client proven");
        procfs.poll(&["4000 80 01/9", "4001 80 01/11"]);
        assert_eq!(owner(&procfs.event()), "ESTABLISHED 814/client proven");
        procfs.remove_process(812);
        procfs.poll(&["4000 80 01/9", "4001 80 01/11"]);
        assert_eq!(owner(&procfs.event()), "CLOSED 812/client remembered");
        let successor = procfs.event();
        assert_eq!(owner(&successor), "ESTABLISHED 812/client remembered");
        assert_eq!(successor.inode, Some(9));
        procfs.end();
    });
}

#[test]
fn the_main_owner_matches_and_is_the_oldest() {
    FakeProcfs::session(|mut procfs| {
        procfs.process(30, "worker", 200, &[7]);
        procfs.process(20, "worker", 300, &[7]);
        procfs.process(10, "master", 100, &[7]);
        procfs.watch(1, &["-l", "worker"]);
        procfs.poll(&["80 0 0A/7"]);
        let listener = procfs.event();
        assert_eq!(owner(&listener), "LISTEN 30/worker proven");
        let pids: Vec<_> = listener.owners.iter().map(|owner| owner.pid).collect();
        assert_eq!(pids, [30, 20], "only matching ones, the oldest first");
        procfs.end();
    });
}

#[test]
fn a_socket_passed_to_a_matching_process_is_found() {
    FakeProcfs::session(|mut procfs| {
        procfs.process(812, "parent", 100, &[7]);
        procfs.process(814, "handler", 100, &[9]);
        procfs.watch(2, &["handler"]);
        let both = ["4000 80 01/7", "4001 80 01/9"];
        procfs.poll(&both);
        assert_eq!(owner(&procfs.event()), "ESTABLISHED 814/handler proven");
        procfs.process(813, "handler", 200, &[7]);
        // Nothing happens to the socket, but a report shows that it matches now.
        until("its new owner to be found", || {
            procfs.poll_with_signal(Signal::SIGUSR1, &both);
            procfs.program().message_with("seen: ");
            procfs.program().stderr().contains("813/handler").then_some(())
        });
        procfs.poll(&["4000 80 06/0", "4001 80 01/9"]);
        assert_eq!(owner(&procfs.event()), "TIME_WAIT 813/handler remembered");
        assert_eq!(procfs.finish().code, Some(0));
    });
}

#[test]
fn sockets_without_an_owner_are_counted_once() {
    FakeProcfs::session(|mut procfs| {
        procfs.process(812, "client", 100, &[7]);
        procfs.watch(1, &["client"]);
        procfs.poll(&["4000 80 01/7", "4001 80 06/0", "4002 80 01/9"]);
        assert_eq!(owner(&procfs.event()), "ESTABLISHED 812/client proven");
        assert_eq!(
            procfs.end(),
            "tcplapse: 1 socket hidden: held by no process\n\
             tcplapse: seen: 1 socket (1 still there)\n"
        );
    });
}

#[test]
fn the_closing_line_counts_all_sockets_that_are_shown_without_an_owner() {
    FakeProcfs::session(|mut procfs| {
        procfs.unreadable_process(900, "server");
        procfs.process(812, "client", 100, &[9]);
        procfs.run_unprivileged(&["-j", "-i", "1ms", "--max-cpu", "100", "-m", "5"]);
        procfs.poll(&["4000 80 01/7"]);
        assert_eq!(owner(&procfs.event()), "ESTABLISHED -/- denied");
        procfs.program().message_with("cannot inspect the owners of 1 socket;");
        procfs.poll(&["4000 80 08/7", "4001 80 01/8", "4002 80 01/9", "4003 80 01/10"]);
        for _ in 0..4 {
            procfs.event();
        }
        let messages = procfs.end();
        let closing = "seen: 4 sockets (4 still there); 3 shown without an owner, which cannot be inspected\n";
        assert!(messages.ends_with(closing), "{messages}");
    });
}

#[test]
fn a_socket_accepted_during_a_poll_is_not_its_listeners() {
    let listed = |rows: &str| {
        let mut procfs = FakeProcfs::new();
        procfs.process(700, "server", 50, &[5]);
        procfs.process(800, "other", 60, &[9]);
        procfs.run(&["list", "--no-header", "server"]);
        let listener = "0: 0100000A:0050 00000000:0000 0A 0:0 00:0 0 0 0 5 1 0 20 4 30 10 -1";
        write!(procfs.open("net/tcp"), "sl\n{listener}\n{rows}").expect("a pipe holds it");
        drop(procfs.open("net/tcp6"));
        let outcome = procfs.finish();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        let columns = |line: &str| line.split_whitespace().skip(4).collect::<Vec<_>>().join(" ");
        outcome.stdout.lines().map(columns).collect::<Vec<_>>()
    };
    let child = |inode: u32| {
        format!("1: 0100000A:0050 0200000A:1000 01 0:0 00:0 0 0 0 {inode} 1 0 20 4 30 10 -1\n")
    };
    let waiting = listed(&child(0));
    assert_eq!(waiting, ["* LISTEN 700/server", "10.0.0.2:4096 ESTABLISHED 700/server^"]);
    assert_eq!(
        listed(&(child(0) + &child(9))),
        ["* LISTEN 700/server"],
        "the other process accepted it"
    );
}
