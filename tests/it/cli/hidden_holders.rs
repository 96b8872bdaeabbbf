//! Holders of sockets that cannot be seen: "nothing is wrong" is then never the answer, and it is
//! where everything can be seen.

use crate::support::fake_procfs::FakeProcfs;
use crate::support::program::Outcome;
use crate::support::record::{Event, Listed};
use std::os::unix::fs::symlink;

const QUICK: [&str; 4] = ["-i", "1ms", "--max-cpu", "100"];
const CHECK: [&str; 3] = ["check", "--max", "CLOSE_WAIT:0"];
const WAIT: [&str; 3] = ["wait", "--until", "none CLOSE_WAIT"];

/// What a question with this filter comes to on a procfs that shows these rows.
fn ask(
    question: &[&str],
    prepare: impl Fn(&mut FakeProcfs),
    filter: &[&str],
    rows: &[&str],
) -> Outcome {
    let mut procfs = FakeProcfs::new();
    prepare(&mut procfs);
    procfs.run_unprivileged(&[question, filter, &QUICK].concat());
    procfs.poll_until_exit(rows);
    procfs.finish()
}

/// The exit status and the messages of `check` and `wait`.
fn answers(
    prepare: impl Fn(&mut FakeProcfs),
    filter: &[&str],
    rows: &[&str],
) -> Vec<(i32, String)> {
    let answer = |question: [&str; 3]| {
        let outcome = ask(&question, &prepare, filter, rows);
        (outcome.code.expect("it exits"), outcome.messages())
    };
    [CHECK, WAIT].map(answer).to_vec()
}

#[track_caller]
fn assert_undecided(answers: &[(i32, String)]) {
    for (code, message) in answers {
        assert_eq!((*code, message.lines().count()), (2, 1), "{message}");
        assert!(message.contains("1 socket may belong to processes"), "{message}");
    }
}

#[track_caller]
fn assert_all_clear(answers: &[(i32, String)]) {
    for (code, message) in answers {
        assert_eq!((*code, message.as_str()), (0, ""), "{message}");
    }
}

#[test]
fn another_pid_namespace_may_hide_the_holder() {
    let namespace = |procfs: &mut FakeProcfs| procfs.hide_processes();
    for filter in [&["client"][..], &["-f", "client"], &["--user", "12345"]] {
        assert_undecided(&answers(namespace, filter, &["4000 80 08/7"]));
    }
}

#[test]
fn all_is_undecided_where_another_may_match() {
    let namespace = |procfs: &mut FakeProcfs| {
        procfs.hide_processes();
        procfs.process(812, "client", 50, &[9]);
    };
    let wait = |until: &str, rows: &[&str]| {
        let outcome = ask(&["wait", "--until", until], namespace, &["client"], rows);
        (outcome.code.expect("it exits"), outcome.messages())
    };
    let doubtful = ["4000 80 01/9", "4001 80 08/7"];
    assert_undecided(&[wait("all ESTABLISHED", &doubtful), wait("count all <= 1", &doubtful)]);
    assert_all_clear(&[wait("all connected", &["4000 80 01/9"])]);
    assert_all_clear(&[wait("any ESTABLISHED", &doubtful)]);
}

#[test]
fn a_process_that_is_named_and_read_is_not_hidden() {
    let namespace = |procfs: &mut FakeProcfs| {
        procfs.hide_processes();
        procfs.process(812, "client", 50, &[]);
    };
    for (code, _) in answers(namespace, &["--pid", "812"], &["4000 80 08/7"]) {
        assert_eq!(code, 0, "process 812 does not hold it, another one may");
    }
}

#[test]
fn what_others_hold_or_nobody_can_is_no_doubt() {
    let namespace = |procfs: &mut FakeProcfs| {
        procfs.hide_processes();
        procfs.process(700, "server", 50, &[7]);
    };
    assert_all_clear(&answers(namespace, &["client"], &["4000 80 08/7", "4001 80 06/0"]));
}

#[test]
fn a_matching_process_may_share_what_others_hold() {
    let shared = |procfs: &mut FakeProcfs| {
        procfs.process(700, "master", 50, &[7]);
        procfs.unreadable_process(900, "worker");
    };
    for filter in [&["worker"][..], &["--pid", "900"]] {
        assert_undecided(&answers(shared, filter, &["4000 80 08/7"]));
    }
    assert_all_clear(&answers(shared, &["--pid", "700", "-x", "nosuch"], &["4000 80 08/7"]));
}

#[test]
fn what_nobody_holds_is_said_and_decided() {
    let whole = |procfs: &mut FakeProcfs| procfs.process(812, "client", 50, &[9]);
    for (code, message) in answers(whole, &["client"], &["4000 80 08/7", "4001 80 01/9"]) {
        let sentence = "tcplapse: no process has a descriptor of 1 socket: the kernel's own, in transfer, or held \
                        without one\n";
        assert_eq!((code, message.as_str()), (0, sentence));
    }
}

#[test]
fn an_unreadable_process_of_another_name_hides_nothing() {
    let other = |procfs: &mut FakeProcfs| procfs.unreadable_process(900, "other");
    assert_all_clear(&answers(other, &["client"], &["4000 80 08/7"]));
}

#[test]
fn an_io_uring_holds_the_sockets_in_its_table() {
    let uring = |fdinfo: &'static str| {
        move |procfs: &mut FakeProcfs| {
            procfs.process(812, "client", 50, &[]);
            std::fs::create_dir_all(procfs.file("812/fdinfo")).expect("it is ours");
            symlink("anon_inode:[io_uring]", procfs.file("812/fd/5")).expect("new");
            std::fs::write(procfs.file("812/fdinfo/5"), fdinfo).expect("it is ours");
        }
    };
    let held = uring("UserFiles:\t1\n    0: socket:[7]\nUserBufs:\t0\n");
    let rows = ["4000 80 08/7"];
    let outcome = ask(&CHECK, held, &["client", "-j"], &rows);
    let owners = outcome.stdout.lines().map(Listed::parse).map(|row| (row.pid, row.owners[0].fd));
    assert_eq!((outcome.code, owners.collect::<Vec<_>>()), (Some(1), vec![(Some(812), 5)]));
    assert_undecided(&answers(uring("pos:\t0\n"), &["client"], &rows));
}

/// Processes have more descriptors in their threads than are read to tell their tables apart. That decides nothing
/// of them, and does not keep those from being read of the process that is asked for, in whatever order they are
/// listed.
#[test]
fn threads_with_too_many_descriptors_are_no_all_clear() {
    let threads = |procfs: &FakeProcfs, pid: i32, tids: std::ops::Range<i32>| {
        let stat = procfs.file(&format!("{pid}/stat"));
        let line = std::fs::read_to_string(&stat).expect("it is ours");
        let count = format!("20 0 {} 0", tids.len() + 1);
        std::fs::write(stat, line.replace("20 0 1 0", &count)).expect("it is ours");
        for tid in tids {
            let task = procfs.file(&format!("{pid}/task/{tid}"));
            std::fs::create_dir_all(&task).expect("it is ours");
            symlink("../../fd", task.join("fd")).expect("new");
        }
    };
    let busy = |procfs: &mut FakeProcfs| {
        let server = |pid: i32| {
            procfs.process(pid, "server", 50, &(1000..1100).collect::<Vec<u64>>());
            threads(procfs, pid, pid + 1..pid + 211);
        };
        server(700);
        procfs.process(1200, "client", 60, &(2000..2020).collect::<Vec<u64>>());
        threads(procfs, 1200, 1201..1202);
        let own = procfs.file("1200/task/1202/fd");
        std::fs::create_dir_all(&own).expect("it is ours");
        // As many as its process has, and the same but for the first that is listed, in whatever order.
        let mut fds = std::fs::read_dir(procfs.file("1200/fd")).expect("it is there");
        let first = fds.next().expect("one of many").expect("it is ours").file_name();
        for (fd, inode) in (3..).zip(2000..2020) {
            let inode = if first == *fd.to_string() { 7 } else { inode };
            symlink(format!("socket:[{inode}]"), own.join(fd.to_string())).expect("new");
        }
        server(1300);
    };
    let rows = ["4000 80 08/7"];
    let outcome = ask(&CHECK, busy, &["client", "-j"], &rows);
    let owners = outcome.stdout.lines().map(Listed::parse).map(|row| row.pid);
    assert_eq!((outcome.code, owners.collect::<Vec<_>>()), (Some(1), vec![Some(1200)]));
    let without = |procfs: &mut FakeProcfs| {
        busy(procfs);
        procfs.remove_process(1200);
    };
    for (code, message) in answers(without, &["server"], &rows) {
        assert_eq!((code, message.lines().count()), (2, 1), "{message}");
        let sentence = "1 socket may belong to threads, whose descriptors are too many to read; use --owners bpf";
        assert!(message.contains(sentence), "{message}");
    }
    assert_all_clear(&answers(without, &["nosuch"], &rows));
}

/// A filter may ask for any process that can accept a waiting connection.
#[test]
fn queued_connections_match_by_any_holder_of_any_listener() {
    let prefork = |procfs: &mut FakeProcfs| {
        procfs.process(700, "master", 50, &[5]);
        procfs.process(701, "worker", 60, &[5]);
        procfs.process(702, "other", 70, &[6]);
    };
    let rows = ["80 0 0A/5", "80 0 0A/6", "80 4000 08/0"];
    for filter in [&["worker"][..], &["--pid", "700"], &["other"]] {
        let outcome = ask(&CHECK, prefork, filter, &rows);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stdout.contains("+2^"), "all may accept it: {outcome:?}");
    }
    assert_all_clear(&answers(prefork, &["nosuch"], &rows));
}

#[test]
fn a_listener_that_cannot_be_attributed_leaves_its_queue_open() {
    let denied = |procfs: &mut FakeProcfs| procfs.unreadable_process(900, "client");
    assert_undecided(&answers(denied, &["client"], &["80 0 0A/5", "80 4000 08/0"]));
}

#[test]
fn a_queued_connection_belongs_to_the_process_that_accepts_it() {
    FakeProcfs::session(|mut procfs| {
        procfs.process(700, "one", 50, &[5]);
        procfs.process(701, "two", 60, &[5]);
        procfs.run(&["watch", "-j", "-i", "1ms", "--max-cpu", "100", "-m", "4", "--pid", "700"]);
        let listener = "80 0 0A/5";
        procfs.poll(&[listener, "80 4000 01/0", "80 4001 01/0"]);
        let pids =
            |event: &Event| -> Vec<u32> { event.owners.iter().map(|owner| owner.pid).collect() };
        assert_eq!(procfs.event().to, "LISTEN");
        for _ in 0..2 {
            let queued = procfs.event();
            assert_eq!(
                (queued.to.as_str(), queued.owner_source.as_str()),
                ("ESTABLISHED", "listener")
            );
            assert_eq!((queued.pid, pids(&queued)), (Some(700), vec![700, 701]));
        }
        procfs.process(700, "one", 50, &[5, 7]);
        procfs.process(701, "two", 60, &[5, 9]);
        procfs.poll(&[listener, "80 4000 01/7", "80 4001 01/9"]);
        procfs.poll(&[listener, "80 4000 08/7", "80 4001 08/9"]);
        let closed = procfs.event();
        assert_eq!(
            (closed.to.as_str(), closed.remote_port, closed.pid),
            ("CLOSE_WAIT", 4000, Some(700))
        );
        procfs.end();
    });
}

#[test]
fn a_violation_that_may_have_been_is_not_forgotten() {
    let limit = ["check", "--max", "CLOSE_WAIT:0", "client", "--for", "2ms"];
    FakeProcfs::session(|mut procfs| {
        procfs.unreadable_process(900, "client");
        procfs.run_unprivileged(&[&limit[..], &QUICK].concat());
        procfs.poll(&["4000 80 08/7"]);
        procfs.poll(&["4000 80 08/7"]);
        procfs.poll_until_exit(&[]);
        let outcome = procfs.finish();
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
    });
}
