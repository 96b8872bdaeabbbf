//! On a terminal: widths, colours, hints. Each test opens a pseudo terminal of its own.

pub(crate) mod screen;
#[cfg(feature = "tui")]
mod top;

use crate::support::fake_procfs::{FakeProcfs, fixture};
use crate::support::output::Output;
use crate::support::program::{Program, command};
use crate::support::wait::until_or;
use nix::sys::signal::Signal;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::ffi::CString;
use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;

/// A pseudo terminal.
struct Pty {
    master: File,
    name: CString,
}

impl Pty {
    fn open(columns: u16, rows: u16) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a pseudo terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("its other end");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let pty = Self { master: File::from(master), name };
        pty.resize(columns, rows);
        pty
    }

    fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).expect("its size");
    }

    /// The side of the test: what it writes are keys.
    fn master(&self) -> File {
        self.master.try_clone().expect("a descriptor")
    }

    /// The side of the program.
    fn terminal(&self) -> File {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::open(&self.name, flags, Mode::empty()).expect("the terminal").into()
    }
}

/// What the program prints on a terminal of this width, as standard output and error.
fn on_terminal(columns: u16, args: &[&str], env: &[(&str, &str)]) -> String {
    let (screen, code) = screen_of(columns, &fixture(), args, env);
    assert_eq!(code, Some(0), "{screen}");
    screen
}

/// The same of another procfs, and the exit status.
fn screen_of(
    columns: u16,
    procfs: &Path,
    args: &[&str],
    env: &[(&str, &str)],
) -> (String, Option<i32>) {
    let pty = Pty::open(columns, 40);
    let mut command = command(args);
    command
        .arg("--procfs")
        .arg(procfs)
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .envs(env.iter().copied())
        .stdout(pty.terminal())
        .stderr(pty.terminal());
    let program = Program::spawn_with_streams(command);
    let screen = Output::of_bytes(pty.master());
    let outcome = program.finish();
    assert!(screen.wait_for_end(), "the terminal stays open");
    (screen.so_far().replace("\r\n", "\n"), outcome.code)
}

/// Text without colours.
fn plain(screen: &str) -> String {
    anstream::adapter::strip_str(screen).to_string()
}

fn widest(screen: &str) -> usize {
    let lines = plain(screen);
    lines.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or_default()
}

#[test]
fn a_table_fits_80_columns_and_has_colours() {
    let screen = on_terminal(80, &["list", "server|client"], &[]);
    assert!(widest(&screen) <= 80, "{screen}");
    assert!(screen.contains("\x1b["), "{screen}");
}

#[test]
fn no_color_is_respected_unless_color_is_always() {
    let plain = on_terminal(80, &["list", "client"], &[("NO_COLOR", "1")]);
    assert!(!plain.contains('\x1b'), "{plain}");
    let forced = on_terminal(80, &["list", "client", "--color", "always"], &[("NO_COLOR", "1")]);
    assert!(forced.contains("\x1b["), "{forced}");
    let never = on_terminal(80, &["client", "--for", "1ms", "--color", "never"], &[]);
    assert!(!never.contains('\x1b'), "{never}");
}

#[test]
fn events_fit_the_terminal_and_a_summary_ends_them() {
    let screen = plain(&on_terminal(80, &["client", "--for", "1ms"], &[]));
    let (messages, events): (Vec<_>, Vec<_>) =
        screen.lines().partition(|line| line.starts_with("tcplapse: "));
    assert!(events.iter().all(|line| line.chars().count() <= 80), "{screen}");
    assert_eq!(events.iter().filter(|line| line.contains("812/client")).count(), 4, "{screen}");
    let summary = "tcplapse: seen: 4 sockets (4 still there)";
    assert_eq!(messages.last(), Some(&summary));
}

#[test]
fn what_follows_ctrl_c_stands_in_the_line_of_its_echo() {
    for view in ["events", "timeline"] {
        let pty = Pty::open(80, 40);
        let mut command = command(&["client", "--view", view, "-i", "1h", "--ready-fd", "2"]);
        command.arg("--procfs").arg(fixture()).env("TERM", "xterm");
        command.stdout(pty.terminal()).stderr(pty.terminal());
        let program = Program::spawn_with_streams(command);
        let written = Output::of_bytes(pty.master());
        until_or(|| written.so_far().contains("ready").then_some(()), || written.so_far());
        program.signal(Signal::SIGINT);
        assert_eq!(program.finish().code, Some(0));
        assert!(written.wait_for_end(), "the terminal stays open");
        let text = written.so_far().replace("\r\n", "\n");
        let (before, after) = text.split_once('\r').expect(&text);
        let is_end = if view == "events" { "tcplapse: seen" } else { "\x1b[1m812/client" };
        assert!(after.starts_with(is_end) && !before.contains("seen: "), "{text}");
    }
}

#[test]
fn an_empty_screen_says_what_it_waits_for() {
    let screen = plain(&on_terminal(80, &["nosuch", "--for", "1ms"], &[]));
    let hint = "no matching socket yet; watching processes matching 'nosuch' (Ctrl-C to stop)";
    assert!(screen.contains(hint), "{screen}");
}

#[test]
fn check_says_on_a_terminal_what_it_watches_and_until_when() {
    let limits = ["check", "--max", "TIME_WAIT:1000", "--for", "20ms", "-i", "1ms"];
    let screen = plain(&on_terminal(80, &limits, &[]));
    let words = "tcplapse: watching for more than 1000 sockets in TIME_WAIT until 20";
    let says = |line: &&str| line.starts_with(words) && line.ends_with("; Ctrl-C to stop");
    assert_eq!(screen.lines().filter(says).count(), 1, "{screen}");
}

#[test]
fn check_by_group_shows_the_worst_20_on_a_terminal() {
    let mut table = "  sl  local_address rem_address   st tx_queue rx_queue\n".to_owned();
    // 23 peers, of which the last has most connections that are not closed.
    for (number, peer) in (1..=23).chain([23, 23]).enumerate() {
        let _ = writeln!(
            table,
            "{number}: 0100000A:{:04X} {peer:02X}00000A:0050 08 00000000:00000000 00:00000000 \
             00000000 0 0 {} 1 0",
            40_000 + number,
            100 + number
        );
    }
    let procfs = FakeProcfs::with_table(table);
    let args = ["check", "--max", "CLOSE_WAIT:0", "--by", "remote"];
    let (screen, code) = screen_of(80, procfs.path(), &args, &[]);
    let screen = plain(&screen);
    assert_eq!(code, Some(1), "{screen}");
    let groups: Vec<&str> = screen.lines().filter(|line| line.contains("10.0.0.")).collect();
    assert_eq!(groups.len(), 20, "{screen}");
    assert!(groups[0].contains("10.0.0.23"), "{screen}");
    assert!(screen.contains("3 more are not shown; --top 23 shows all"), "{screen}");
}
