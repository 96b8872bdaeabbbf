//! `top` on a pseudo terminal: keys, resizes, and how it leaves the terminal.

use super::screen::{Screen, after_the_last_frame};
use super::{Pty, plain};
use crate::support::fake_procfs::{FakeProcfs, fixture};
use crate::support::output::Output;
use crate::support::program::{Program, command, run};
use crate::support::wait::until;
use nix::sys::signal::Signal;
use rustix::io::ioctl_fionbio;
use std::io::{Read, Write};
use std::process::Stdio;
use tempfile::NamedTempFile;

#[test]
fn top_draws_takes_keys_and_leaves_the_terminal_clean() {
    // No poll follows within the limit of this test: keys are answered between polls.
    let (screen, program) = Screen::start(80, 24, "top server|client -i 1h --no-mouse");
    screen.until_written("tcplapse  ");
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
    screen.until_written("tcplapse  ");
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
    screen.until_written("tcplapse  ");
    program.signal(Signal::SIGUSR1);
    screen.until_written("seen: 4 sockets (4 still there)");
    screen.press("q");
    let written = plain(&screen.assert_restored(program));
    let timelines = written.matches("812/client  127.0.0.1:").count();
    assert!(timelines >= 4, "{written}");
}

#[test]
fn a_table_is_drawn_as_top_and_printed_at_the_end() {
    let (screen, program) = Screen::start(80, 24, "server|client --view table -i 10ms");
    screen.until_written("tcplapse  server|client");
    screen.press("?");
    screen.until_written("filter as you type");
    screen.press("q");
    let written = screen.assert_restored(program);
    assert!(!written.contains("\x1b[?1000h"), "the mouse selects text, as before");
    let last = plain(after_the_last_frame(&written));
    assert!(last.contains("HELD") && last.contains("812/client"), "{last}");
    assert_eq!(last.matches("812/client").count(), 4, "{last}");
    assert!(last.contains("seen: 10 sockets"), "{last}");
}

#[test]
fn a_table_stays_when_its_time_is_over() {
    let (screen, program) = Screen::start(80, 24, "client --view table --for 1ms -eo");
    let written = screen.assert_restored(program);
    let last = plain(after_the_last_frame(&written));
    assert!(last.contains("HELD") && last.contains("812/client"), "{last}");
    assert!(last.contains("INODE") && last.contains("TIMER"), "{last}");
}

/// A screenful is left where the user ends the run, who has not asked for thousands of lines.
#[test]
fn what_has_no_room_is_counted_where_the_user_ends_a_table() {
    let (screen, program) = Screen::start(80, 8, "--view table");
    screen.until_written("tcplapse  ");
    program.signal(Signal::SIGINT);
    let written = screen.assert_restored(program);
    let last = plain(after_the_last_frame(&written));
    assert!(last.contains("more not printed; tcplapse list shows all"), "{last}");
    assert!(last.lines().count() < 16, "{last}");
}

/// Rows that are continued in the next line do not push the headings off the screen.
#[test]
fn what_is_left_of_a_wide_table_fits_with_its_headings() {
    let (screen, program) = Screen::start(80, 10, "--view table -eo");
    screen.until_written("tcplapse  ");
    program.signal(Signal::SIGINT);
    let last = plain(after_the_last_frame(&screen.assert_restored(program)));
    let lines: Vec<&str> = last.lines().collect();
    let headings = lines.iter().position(|line| line.contains("HELD")).expect("headings");
    assert!(lines.len() - headings < 10, "with the prompt they fit into 10 lines: {last}");
}

#[test]
fn rules_give_alerts_beside_the_table() {
    let mut rules = NamedTempFile::new().expect("a file");
    let rule = "[[rule]]\nname = \"any\"\nstate = \"LISTEN\"\nat_least = 1\n";
    rules.write_all(rule.as_bytes()).expect("it is ours");
    let line = format!("--view table -i 10ms --rules {}", rules.path().display());
    let (screen, program) = Screen::start(80, 24, &line);
    screen.until_written(" alert any: ");
    screen.press("q");
    screen.assert_restored(program);
}

#[test]
fn columns_come_with_their_flags() {
    let (screen, program) = Screen::start(200, 24, "top client -eor -i 1h");
    for heading in ["USER", "INODE", "FD", "TIMER", "UNIT"] {
        screen.until_written(heading);
    }
    // The name is found by another thread, and drawn without a key or a poll.
    screen.until_written("localhost");
    screen.press("q");
    screen.assert_restored(program);
}

#[test]
fn a_hostile_name_is_copied_as_text() {
    let mut procfs = FakeProcfs::new();
    procfs.process(7, "a\x1b]52;c;eA==\x07b", 50, &[7]);
    let (mut screen, program) = Screen::start_unread(120, 24, "top -i 1ms", procfs.path());
    procfs.adopt(program);
    screen.read();
    procfs.poll(&["4000 80 01/7"]);
    screen.until_written("7/a\\x1b]52;c;eA==\\x07b");
    screen.press("y");
    screen.until_written("\x1b]52;c;");
    screen.press("q");
    procfs.poll_until_exit(&[]);
    let written = screen.assert_restored(procfs.into_program());
    let (_, copied) = written.split_once("\x1b]52;c;").expect("a sequence");
    let (payload, after) = copied.split_once("\x1b\\").expect("its end");
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    assert!(payload.len() > 40 && payload.bytes().all(is_base64), "{payload}");
    assert!(!after.contains("\x1b]") && !written.contains('\x07'), "{written:?}");
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
        String::from_utf8_lossy(&written).contains("tcplapse  ").then_some(())
    });
    drop(pty);
    program.finish();
}

#[test]
fn top_refuses_what_it_does_not_print() {
    for line in [&["--view", "top", "-j"][..], &["--view", "top", "-m", "3"]] {
        let outcome = run(line);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains("has no effect without"), "{outcome:?}");
    }
}
