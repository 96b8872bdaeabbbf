//! `wait`: what it answers by its exit status, and when.

use super::on_fixture;
use crate::support::fake_procfs::FakeProcfs;
use crate::support::program::{Outcome, Program};

const QUICK: [&str; 5] = ["wait", "-i", "1ms", "--max-cpu", "100"];
const HOLDS: (Option<i32>, String) = (Some(0), String::new());

/// The exit status and standard error; nothing is on standard output.
fn answer(outcome: &Outcome) -> (Option<i32>, String) {
    assert_eq!(outcome.stdout, "", "{outcome:?}");
    (outcome.code, outcome.messages())
}

/// Waits on the fixture.
fn wait(args: &[&str]) -> (Option<i32>, String) {
    answer(&Program::spawn(on_fixture(args)).finish())
}

#[test]
fn a_condition_that_holds_ends_the_wait_silently() {
    for args in [
        &["wait"][..],
        &["wait", "client"],
        &["wait", "-l", "server"],
        &["wait", "-s", "LISTEN", "server"],
        &["wait", "-l", "--until", "any LISTEN"],
        &["wait", "client", "--until", "count all >= 4"],
        &["wait", "server", "--until", "count LISTEN > 1"],
        &["wait", "client", "-i1ms", "--until", "none TIME_WAIT,SYN_RECV"],
        &["wait", "client", "-i1ms", "--until", "all !SYN_RECV"],
        &["--until", "any LISTEN", "wait", "server"],
    ] {
        assert_eq!(wait(args), HOLDS, "{args:?}");
    }
}

#[test]
fn a_time_out_reports_the_matching_sockets() {
    let (code, message) = wait(&["wait", "client", "--until", "any LISTEN", "--timeout", "10ms"]);
    assert_eq!(code, Some(124));
    assert_eq!(
        message,
        "tcplapse: timed out waiting for 'any LISTEN'; matching sockets: \
         SYN_SENT 1, ESTABLISHED 1, FIN_WAIT1 1, FIN_WAIT2 1\n"
    );
    let (code, message) = wait(&["wait", "nosuch", "--timeout", "10ms"]);
    assert_eq!(code, Some(124));
    assert!(message.ends_with("'any connected'; no matching socket\n"), "{message}");
}

#[test]
fn a_condition_on_states_that_are_filtered_out_is_refused() {
    let (code, message) = wait(&["wait", "-l", "--until", "none ESTABLISHED"]);
    assert_eq!(code, Some(2));
    assert!(message.contains("about states that --state or --listening excludes"), "{message}");
}

/// Runs `wait` on these polls; the condition must hold after the last of them.
fn assert_holds_after(args: &[&str], polls: &[&[&str]]) {
    FakeProcfs::session(|mut procfs| {
        procfs.run(&[&QUICK[..], args].concat());
        for rows in polls {
            procfs.poll(rows);
        }
        assert_eq!(answer(&procfs.finish()), HOLDS);
    });
}

#[test]
fn a_new_listener_is_seen_by_the_next_poll() {
    FakeProcfs::session(|mut procfs| {
        procfs.process(700, "server", 50, &[8]);
        procfs.run(&[&QUICK[..], &["-l", "server"]].concat());
        procfs.poll(&["4000 80 01/7"]);
        procfs.poll(&["4000 80 01/7", "80 0 0A/8"]);
        assert_eq!(answer(&procfs.finish()), HOLDS);
    });
}

#[test]
fn a_listener_passed_to_the_server_is_seen() {
    FakeProcfs::session(|mut procfs| {
        procfs.process(700, "starter", 50, &[8]);
        procfs.run(&[&QUICK[..], &["-l", "server"]].concat());
        procfs.poll(&["80 0 0A/8"]);
        procfs.poll(&["80 0 0A/8"]);
        procfs.process(812, "server", 60, &[8]);
        procfs.poll_until_exit(&["80 0 0A/8"]);
        assert_eq!(answer(&procfs.finish()), HOLDS);
    });
}

#[test]
fn a_socket_missing_from_one_poll_is_not_gone() {
    let polls = [&["4000 80 01/7"][..], &[], &["4000 80 01/7"], &["4000 80 06/0"]];
    assert_holds_after(&["--until", "none ESTABLISHED"], &polls);
}

#[test]
fn a_single_poll_does_not_prove_absence() {
    let polls = [&[][..], &["4000 80 01/7"], &[], &[]];
    assert_holds_after(&["--until", "none ESTABLISHED"], &polls);
}

#[test]
fn sockets_missing_from_a_poll_are_not_counted() {
    let polls = [
        &["4000 80 01/7"][..],
        &["4001 80 01/9"],
        &["4001 80 01/9"],
        &["4001 80 01/9", "4002 80 01/11"],
    ];
    assert_holds_after(&["--until", "count ESTABLISHED >= 2"], &polls);
}

#[test]
fn sockets_of_unreadable_processes_make_absence_inconclusive() {
    FakeProcfs::session(|mut procfs| {
        procfs.unreadable_process(900, "client");
        procfs.run_unprivileged(&[&QUICK[..], &["client", "--until", "none ESTABLISHED"]].concat());
        for _ in 0..6 {
            procfs.poll(&["4000 80 01/7"]);
        }
        let (code, message) = answer(&procfs.finish());
        assert_eq!(code, Some(2), "{message}");
        // What to do depends on who runs the test.
        let parts = [
            "tcplapse: 'none ESTABLISHED' is inconclusive: 1 socket may belong to processes that cannot be inspected; ",
            ", or filter by --local, --remote or --port instead of by process\n",
        ];
        assert!(message.starts_with(parts[0]) && message.ends_with(parts[1]), "{message}");
    });
}

#[test]
fn known_owners_and_orphans_do_not_make_it_inconclusive() {
    FakeProcfs::session(|mut procfs| {
        procfs.hide_processes();
        procfs.process(700, "server", 50, &[7]);
        procfs.run(&[&QUICK[..], &["client", "--until", "none ESTABLISHED"]].concat());
        procfs.poll(&["4000 80 01/7", "4001 80 06/0"]);
        procfs.poll(&["4000 80 01/7", "4001 80 06/0"]);
        assert_eq!(answer(&procfs.finish()), HOLDS);
    });
}

#[test]
fn unreadable_processes_of_another_name_do_not_match() {
    FakeProcfs::session(|mut procfs| {
        procfs.unreadable_process(900, "other");
        procfs.run_unprivileged(&[&QUICK[..], &["client", "--until", "none ESTABLISHED"]].concat());
        procfs.poll(&["4000 80 01/7"]);
        procfs.poll(&["4000 80 01/7"]);
        assert_eq!(answer(&procfs.finish()), HOLDS);
    });
}

#[test]
fn unreadable_processes_do_not_hide_a_matching_socket() {
    FakeProcfs::session(|mut procfs| {
        procfs.unreadable_process(900, "client");
        procfs.run_unprivileged(&[&QUICK[..], &["client"]].concat());
        procfs.poll(&["4000 80 01/7"]);
        procfs.process(812, "client", 50, &[9]);
        procfs.poll(&["4000 80 01/7", "4002 80 01/9"]);
        assert_eq!(answer(&procfs.finish()), HOLDS);
    });
}

#[test]
fn an_unreadable_row_makes_absence_inconclusive() {
    FakeProcfs::session(|mut procfs| {
        procfs.run(&[&QUICK[..], &["--until", "none ESTABLISHED"]].concat());
        for _ in 0..6 {
            procfs.poll_with_bad_row(&["4001 80 06/0"]);
        }
        let (code, message) = answer(&procfs.finish());
        assert_eq!(code, Some(2));
        assert!(message.contains("is inconclusive: 1 row of the kernel's tables"), "{message}");
    });
}
