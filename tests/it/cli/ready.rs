//! `--ready-fd`: a line on a file descriptor once the first poll is over.

use super::run;
use crate::support::fake_procfs::FakeProcfs;
use crate::support::program::{self, Program};
use crate::support::wait::until;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

/// Commands that go on after their first poll.
const COMMANDS: [&[&str]; 3] =
    [&["watch", "-j"], &["wait", "nosuch"], &["check", "--growing", "CLOSE_WAIT", "--for", "1h"]];

/// A command on a procfs, whose descriptors a shell redirects; `$READY` in it is this path.
fn redirected(procfs: &FakeProcfs, args: &[&str], redirection: &str, path: &Path) -> Command {
    let script = format!("exec \"$0\" \"$@\" {redirection}");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_tcplapse")]).args(args).env("READY", path);
    command
        .args(["-i", "1ms", "--max-cpu", "100", "--ready-fd", "3", "--procfs"])
        .arg(procfs.path());
    command
}

#[test]
fn ready_comes_once_and_after_the_first_poll() {
    for command in COMMANDS {
        let mut procfs = FakeProcfs::new();
        let file = procfs.file("ready");
        let announced = || fs::read_to_string(&file).unwrap_or_default();
        let command = redirected(&procfs, command, "3>\"$READY\"", &file);
        procfs.adopt(Program::spawn(command));
        // It has begun its first poll, and reads.
        let first_table = procfs.open("net/tcp");
        assert_eq!(announced(), "");
        drop(first_table);
        let second_table = procfs.open("net/tcp6");
        assert_eq!(announced(), "");
        drop(second_table);
        until("the announcement", || (announced() == "ready\n").then_some(()));
        procfs.poll(&["4000 80 01/7"]);
        procfs.poll(&["4000 80 01/7"]);
        assert_eq!(announced(), "ready\n");
        assert!(procfs.program().is_running());
    }
}

#[test]
fn ready_goes_to_stderr() {
    for command in COMMANDS {
        let mut procfs = FakeProcfs::new();
        procfs.run(&[command, &["-i", "1ms", "--ready-fd", "2"]].concat());
        procfs.poll(&[]);
        procfs.program().until_ready();
    }
}

#[test]
fn ready_goes_to_a_pipe() {
    let mut procfs = FakeProcfs::new();
    let command = redirected(&procfs, &["watch"], "3>&1 >/dev/null", Path::new(""));
    procfs.adopt(Program::spawn(command));
    procfs.poll(&[]);
    assert_eq!(procfs.program().line(), "ready\n");
}

/// Makes a FIFO, and opens it for reading.
fn fifo(path: &Path) -> File {
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).expect("it is ours").into()
}

#[test]
fn ready_goes_to_a_fifo() {
    let mut procfs = FakeProcfs::new();
    let path = procfs.file("ready");
    let mut reader = fifo(&path);
    let command = redirected(&procfs, &["watch"], "3>\"$READY\"", &path);
    procfs.adopt(Program::spawn(command));
    procfs.poll(&[]);
    let mut line = [0; 16];
    let length = until("the announcement", || {
        std::io::Read::read(&mut reader, &mut line).ok().filter(|length| *length > 0)
    });
    assert_eq!(&line[..length], b"ready\n");
}

#[test]
fn a_run_goes_on_if_nobody_reads_its_announcement() {
    let mut procfs = FakeProcfs::new();
    let path = procfs.file("ready");
    let reader = fifo(&path);
    let command = redirected(&procfs, &["watch", "-j", "-m", "1"], "3>\"$READY\"", &path);
    procfs.adopt(Program::spawn(command));
    let first_table = procfs.open("net/tcp");
    drop(reader);
    drop(first_table);
    drop(procfs.open("net/tcp6"));
    procfs.poll(&["4000 80 01/7"]);
    assert_eq!(procfs.event().to, "ESTABLISHED");
    procfs.end();
}

#[test]
fn unsuitable_descriptors_are_refused() {
    for (fd, expected) in [
        ("0", "--ready-fd: '0' is not a usable file descriptor; write 2 (standard error)"),
        ("1", "--ready-fd: '1' is not a usable file descriptor; write 2 (standard error)"),
        ("4321", "file descriptor 4321 is not open for writing to a pipe or file"),
    ] {
        for command in ["watch", "wait", "check --max all:0"] {
            assert_refused(&format!("{command} --ready-fd {fd}"), expected);
        }
    }
    // Open, but only for reading.
    let procfs = FakeProcfs::new();
    let folder = redirected(&procfs, &["watch"], "3<\"$READY\"", procfs.path());
    let outcome = Program::spawn(folder).finish();
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
}

#[test]
fn commands_that_end_after_one_poll_refuse_it() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("UTF-8");
    assert_eq!(run(&format!("list --record {path}")).code, Some(0));
    for (args, expected) in [
        (&["list"][..], "--ready-fd cannot be used with list"),
        (&["run"], "--ready-fd cannot be used with run"),
        (&["replay", path], "--ready-fd"),
        (&["check", "--max", "all:0", "--from", path], "--ready-fd"),
    ] {
        let command: &[&str] = if args == ["run"] { &["--", "true"] } else { &[] };
        let outcome = program::run(&[args, &["--ready-fd", "2"], command].concat());
        assert_one_sentence(&outcome, expected);
    }
}

fn assert_refused(line: &str, expected: &str) {
    assert_one_sentence(&run(line), expected);
}

/// One sentence on standard error, nothing else, and status 2.
fn assert_one_sentence(outcome: &program::Outcome, expected: &str) {
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
    let message = &outcome.stderr;
    assert!(message.starts_with("tcplapse: ") && message.contains(expected), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}
