//! Standard output that is full, closed, or whose reader has gone; and what a shell may redirect.

use super::on_fixture;
use crate::support::fake_procfs::{FakeProcfs, fixture};
use crate::support::output::read_some;
use crate::support::program::Program;
use std::fs::{File, OpenOptions};
use std::process::{Command, Stdio};

#[test]
fn watch_ends_quietly_when_its_reader_goes_away() {
    let mut program = Program::spawn_unread(on_fixture(&["client"]));
    let mut stdout = program.take_stdout();
    let (mut read, mut piece) = (String::new(), [0; 4096]);
    // The head and all sockets. Nothing more is written on the fixture: that the pipe was closed
    // has to be noticed without a write.
    while read.lines().count() < 5 || !read.ends_with('\n') {
        let length = read_some(&mut stdout, &mut piece).expect("a pipe");
        assert!(length > 0, "it has ended: {}", program.stderr());
        read.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    drop(stdout);
    let outcome = program.finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(!outcome.stderr.contains("pipe") && !outcome.stderr.contains("panic"), "{outcome:?}");
}

fn full_disk() -> File {
    OpenOptions::new().write(true).open("/dev/full").expect("every Linux has /dev/full")
}

/// What a run with a full standard output leaves.
fn status_and_message_on_a_full_disk(args: &[&str]) -> (Option<i32>, String) {
    let mut command = on_fixture(args);
    command.stdout(full_disk()).stderr(Stdio::piped());
    let outcome = Program::spawn_with_streams(command).finish();
    (outcome.code, outcome.stderr)
}

#[test]
fn list_reports_a_full_disk() {
    let (code, message) = status_and_message_on_a_full_disk(&["list"]);
    assert_eq!(code, Some(2));
    let sentence = "tcplapse: cannot write the output: No space left";
    assert!(message.starts_with(sentence), "{message}");
}

#[test]
fn watch_ends_on_a_full_disk_before_its_next_poll() {
    // The next poll would come only after the limit of this test.
    let (code, message) = status_and_message_on_a_full_disk(&["watch", "-j", "-i", "1h"]);
    assert_eq!(code, Some(2));
    assert!(message.contains("tcplapse: cannot write the output: No space left"), "{message}");
}

#[test]
fn full_and_closed_outputs_are_reported_once_or_not_at_all() {
    let shell = |redirected: &str| {
        let script = format!("exec \"$0\" watch --for 1ms --procfs \"$1\" {redirected}");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_tcplapse")]).arg(fixture());
        let outcome = Program::spawn(command).finish();
        (outcome.code, outcome.stderr)
    };
    for view in ["", "-j", "--view timeline", "--view diagram --format svg"] {
        let (code, message) = shell(&format!("{view} >/dev/full"));
        assert_eq!(code, Some(2), "{view}: {message}");
        let reported = message.matches("cannot write the output: No space left").count();
        assert_eq!(reported, 1, "{message}");
        let (code, message) = shell(&format!("{view} >&-"));
        assert_eq!(code, Some(0), "{view}: {message}");
        assert!(!message.contains("panic"), "{message}");
        assert_eq!(shell(&format!("{view} >/dev/full 2>&-")), (Some(2), String::new()));
    }
}

#[test]
fn wait_and_its_status_need_no_reader() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = on_fixture(&["wait", "nosuch", "--timeout", "10ms"]);
    command.stdout(writer).stderr(Stdio::piped());
    let outcome = Program::spawn_with_streams(command).finish();
    assert_eq!(outcome.code, Some(124), "{outcome:?}");
}

/// A procfs with more sockets than a pipe holds records of.
fn many_sockets() -> FakeProcfs {
    let row = |port: usize| {
        let inode = port + 1;
        format!("0: 0100007F:{port:04X} 0200007F:0050 01 0:0 0:0 0 0 0 {inode} 1 0 0 0 0 0 0\n")
    };
    FakeProcfs::with_table((1..=SOCKETS).map(row).collect::<String>())
}

const SOCKETS: usize = 1999;

#[test]
fn a_signal_ends_a_run_whose_reader_has_stopped() {
    let procfs = many_sockets();
    let mut program =
        Program::spawn_unread(procfs.command(&["-j", "-i", "1ms", "--ready-fd", "2"]));
    program.until_ready();
    let _unread = program.take_stdout();
    program.signal(nix::sys::signal::Signal::SIGTERM);
    let outcome = program.finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(
        outcome.stderr.contains(" bytes of output discarded on exit: no reader\n"),
        "{outcome:?}"
    );
}

#[test]
fn a_slow_reader_gets_everything_after_the_time_is_over() {
    let procfs = many_sockets();
    let args = ["-j", "--for", "1ms", "--ready-fd", "2"];
    let mut program = Program::spawn_unread(procfs.command(&args));
    program.until_ready();
    // All it does now is to wait for its reader.
    program.until_asleep();
    let mut stdout = program.take_stdout();
    let (mut read, mut piece) = (Vec::new(), [0; 512]);
    while let Ok(length @ 1..) = read_some(&mut stdout, &mut piece) {
        read.extend_from_slice(&piece[..length]);
    }
    let lines = String::from_utf8(read).expect("UTF-8");
    for line in lines.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("whole lines");
    }
    let outcome = program.finish();
    assert_eq!((lines.lines().count(), outcome.code), (SOCKETS, Some(0)), "{outcome:?}");
    assert!(lines.len() > 256 * 1024, "more than a pipe holds");
}
