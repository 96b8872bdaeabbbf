//! SIGINT and SIGTERM end a run; SIGUSR1 asks for the timelines so far.

use super::on_fixture;
use crate::support::fake_procfs::{FakeProcfs, fixture};
use crate::support::program::Program;
use crate::support::wait::until;
use nix::sys::signal::Signal;
use procfs::process::FDTarget;
use std::path::Path;

const SIGNALS: [(Signal, i32); 2] = [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)];

#[test]
fn sigint_and_sigterm_end_a_watch_with_0() {
    let fixture = fixture();
    let procfs = fixture.to_str().expect("UTF-8");
    for (signal, _) in SIGNALS {
        let program = Program::watch(&["client", "--procfs", procfs]);
        program.signal(signal);
        let outcome = program.finish();
        assert_eq!(outcome.code, Some(0), "{signal}: {outcome:?}");
        assert_eq!(outcome.recorded().events.len(), 4, "whole lines");
    }
}

#[test]
fn an_interrupted_list_exits_with_128_and_the_signal() {
    for (signal, status) in SIGNALS {
        let mut procfs = FakeProcfs::new();
        procfs.run(&["list"]);
        // It reads the first table and waits for its end.
        let table = procfs.open("net/tcp");
        procfs.program().signal(signal);
        assert_eq!(procfs.finish().code, Some(status));
        drop(table);
    }
}

#[test]
fn an_interrupted_wait_exits_with_128_and_the_signal() {
    for (signal, status) in SIGNALS {
        let mut program =
            Program::spawn(on_fixture(&["wait", "nosuch", "-i", "30s", "--ready-fd", "2"]));
        program.until_ready();
        program.signal(signal);
        assert_eq!(program.finish().code, Some(status));
    }
}

#[test]
fn sigusr1_prints_the_timelines_so_far_to_stderr() {
    for view in ["--format=json", "--format=text"] {
        // No poll follows within the limit of this test.
        let args = ["client", "-s", "FIN_WAIT2", "-i", "1h", "--ready-fd", "2", view];
        let mut program = Program::spawn(on_fixture(&args));
        program.until_ready();
        for _ in 0..2 {
            program.signal(Signal::SIGUSR1);
            let head = program.message_with("812/client");
            assert_eq!(head, "812/client  127.0.0.1:53088 -- 127.88.0.1:54389\n");
            program.message_with("  closed first by this side, open for ");
            let state = program.message_with("  FIN_WAIT2  >=");
            assert!(state.contains("first poll"), "{state}");
            program.message_with("the peer has not closed for at least");
            program.message_with("seen: ");
        }
        let stdout = program.stop().stdout;
        assert_eq!(stdout.matches("53088").count(), 1, "a report is not a record: {stdout}");
    }
}

/// The program waits for a table that nobody has opened for writing: to read it would be to find it
/// empty.
#[test]
fn a_signal_before_a_table_comes_does_not_make_it_empty() {
    let rows = ["1000 80 01/7"];
    let mut procfs = FakeProcfs::new();
    procfs.process(812, "client", 50, &[7]);
    procfs.watch(1_000_000, &[]);
    for _ in 0..5 {
        procfs.poll(&rows);
        let table = procfs.file("net/tcp");
        let program = procfs.program();
        until("the next table to be opened", || has_open(program, &table).then_some(()));
        program.signal(Signal::SIGUSR1);
        // What the signal makes it do it does before it waits again. Where it has not even begun the
        // table comes first, which shows nothing of the fault and fails nothing.
        program.until_asleep();
    }
    procfs.program().signal(Signal::SIGTERM);
    procfs.poll_until_exit(&rows);
    let events = procfs.finish().recorded().events;
    let kinds: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(kinds, ["present"]);
}

/// Whether a descriptor of a program leads to a file.
fn has_open(program: &Program, file: &Path) -> bool {
    let descriptors = program.process().fd().into_iter().flatten().flatten();
    descriptors.map(|it| it.target).any(|it| matches!(it, FDTarget::Path(path) if path == file))
}
