//! `top` on a pseudo terminal: keys, resizes, and how it leaves the terminal.

use super::screen::Screen;
use super::{Pty, plain};
use crate::support::fake_procfs::{FakeProcfs, fixture};
use crate::support::output::Output;
use crate::support::program::{Program, command, run};
use crate::support::wait::until;
use nix::sys::signal::Signal;
use rustix::io::ioctl_fionbio;
use std::io::Read;
use std::process::Stdio;

#[test]
fn top_draws_takes_keys_and_leaves_the_terminal_clean() {
    // No poll follows within the limit of this test: keys are answered between polls.
    let (screen, program) = Screen::start(80, 24, "top server|client -i 1h --no-mouse");
    screen.until_written("tcplapse top");
    screen.until_written("812/client");
    screen.press("?");
    screen.until_written("filter as you type");
    screen.press("q");
    let written = screen.assert_restored(program);
    assert!(written.contains("seen: 10 sockets"), "{written}");
}

#[test]
fn top_is_restored_by_signals_and_follows_the_size() {
    let (screen, program) = Screen::start(80, 24, "top -i 10ms");
    screen.until_written("tcplapse top");
    for (columns, rows) in [(40, 10), (1, 1), (200, 50), (3, 2), (80, 24)] {
        screen.resize(columns, rows);
        program.signal(Signal::SIGWINCH);
    }
    program.signal(Signal::SIGTSTP);
    program.until_stopped();
    program.signal(Signal::SIGCONT);
    screen.press("g");
    screen.until_written("PROCESS");
    program.signal(Signal::SIGTERM);
    let written = screen.assert_restored(program);
    assert!(written.contains("\x1b[?1000l"), "the mouse is the terminal's again");
}

#[test]
fn a_signal_prints_the_timelines_beside_the_screen() {
    let (screen, program) = Screen::start(80, 24, "top client -i 10ms");
    screen.until_written("tcplapse top");
    program.signal(Signal::SIGUSR1);
    screen.until_written("seen: 4 sockets (4 still there)");
    screen.press("q");
    let written = plain(&screen.assert_restored(program));
    let timelines = written.matches("812/client  127.0.0.1:").count();
    assert!(timelines >= 4, "{written}");
}

#[test]
fn a_recording_is_stepped_through() {
    let recording = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/example.rec");
    let (screen, program) = Screen::start_plain(100, 30, &["replay", recording, "--view", "top"]);
    screen.until_written("event 11 of 11");
    screen.press("<");
    // Only what differs is written.
    screen.until_written("0s ●");
    screen.press("q");
    screen.assert_restored(program);
}

#[test]
fn a_terminal_that_cannot_be_drawn_on_gets_events() {
    let pty = Pty::open(80, 24);
    let mut command = command(&["top", "client", "--for", "1ms", "--procfs"]);
    command.arg(fixture()).env("TERM", "dumb");
    command.stdin(Stdio::null()).stdout(pty.terminal()).stderr(pty.terminal());
    let program = Program::spawn_with_streams(command);
    let written = Output::of_bytes(pty.master());
    assert_eq!(program.finish().code, Some(0));
    assert!(written.wait_for_end(), "the terminal stays open");
    let text = plain(&written.so_far());
    assert!(text.contains("printing events instead") && text.contains("(present)"), "{text}");
}

#[test]
fn a_terminal_that_is_not_read_delays_no_poll_of_top() {
    let mut procfs = FakeProcfs::new();
    let (mut screen, program) = Screen::start_unread(200, 60, "top -i 1ms", procfs.path());
    procfs.adopt(program);
    for first in 1..30_u16 {
        let rows: Vec<String> =
            (0..50).map(|i| format!("{} 80 01/{}", 100 * first + i, first)).collect();
        procfs.poll(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    }
    screen.read();
    screen.press("q");
    procfs.poll_until_exit(&[]);
    screen.assert_restored(procfs.into_program());
}

/// As where the connection to its machine is cut: it neither stays nor turns in a circle.
#[test]
fn top_ends_when_its_terminal_is_gone() {
    let pty = Pty::open(80, 24);
    ioctl_fionbio(&pty.master, true).expect("it is a terminal");
    let mut command = command(&["top", "-i", "1h", "--procfs"]);
    command.arg(fixture()).env("TERM", "xterm-256color");
    command.stdin(pty.terminal()).stdout(pty.terminal()).stderr(Stdio::null());
    let program = Program::spawn_with_streams(command);
    let mut written = Vec::new();
    until("the first frame", || {
        let mut bytes = [0; 4096];
        let read = (&pty.master).read(&mut bytes).unwrap_or_default();
        written.extend_from_slice(&bytes[..read]);
        String::from_utf8_lossy(&written).contains("tcplapse top").then_some(())
    });
    drop(pty);
    program.finish();
}

#[test]
fn top_refuses_what_it_does_not_print() {
    for line in
        [&["--view", "top", "-j"][..], &["--view", "top", "-m", "3"], &["--view", "top", "-r"]]
    {
        let outcome = run(line);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains("has no effect without"), "{outcome:?}");
    }
}
