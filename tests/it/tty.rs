//! On a terminal: width, colours, hints; all of it in a pseudo terminal.

mod screen;

use super::cli::fixture;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

/// A pseudo terminal.
struct Pty {
    master: Option<File>,
    name: CString,
}

impl Pty {
    fn open(columns: u16, rows: u16) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let master = openpt(flags).expect("a pseudo terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("its other end");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let pty = Self { master: Some(File::from(master)), name };
        pty.resize(columns, rows);
        pty
    }

    fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(self.master(), size).expect("its size");
    }

    /// The side of the test: what it writes are keys.
    fn master(&self) -> File {
        self.master.as_ref().expect("not hung up").try_clone().expect("a descriptor")
    }

    /// The side of the program.
    fn end(&self) -> Stdio {
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        rustix::fs::open(&self.name, flags, Mode::empty()).expect("the terminal").into()
    }

    fn hang_up(&mut self) {
        self.master = None;
    }
}

/// Runs the program with standard output and error on a terminal of this width.
fn on_terminal(columns: u16, args: &[&str], env: &[(&str, &str)]) -> String {
    let pty = Pty::open(columns, 40);
    let mut child = Command::new(env!("CARGO_BIN_EXE_tcplapse"))
        .args(args)
        .arg("--procfs")
        .arg(fixture())
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .envs(env.iter().copied())
        .stdout(pty.end())
        .stderr(pty.end())
        .spawn()
        .expect("it starts");
    let mut screen = Vec::new();
    // The last close of the other end reads as an error here.
    let _ = pty.master().read_to_end(&mut screen);
    assert_eq!(child.wait().expect("its end").code(), Some(0));
    String::from_utf8(screen).expect("UTF-8").replace("\r\n", "\n")
}

fn widest(screen: &str) -> usize {
    let plain = anstream::adapter::strip_str(screen).to_string();
    plain.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or_default()
}

#[test]
fn a_table_fits_80_columns_and_has_colours() {
    let screen = on_terminal(80, &["list", "server|client"], &[]);
    assert!(widest(&screen) <= 80, "{screen}");
    assert!(screen.contains("\x1b["), "{screen}");
}

#[test]
fn no_color_is_respected_and_always_overrides_it() {
    let plain = on_terminal(80, &["list", "client"], &[("NO_COLOR", "1")]);
    assert!(!plain.contains('\x1b'), "{plain}");
    let forced = on_terminal(80, &["list", "client", "--color", "always"], &[("NO_COLOR", "1")]);
    assert!(forced.contains("\x1b["), "{forced}");
    let never = on_terminal(80, &["client", "--for", "10ms", "--color", "never"], &[]);
    assert!(!never.contains('\x1b'), "{never}");
}

#[test]
fn events_keep_within_the_terminal_and_a_summary_ends_them() {
    let screen = on_terminal(80, &["client", "--for", "10ms"], &[]);
    let plain = anstream::adapter::strip_str(&screen).to_string();
    let (notices, events): (Vec<_>, Vec<_>) =
        plain.lines().partition(|line| line.starts_with("tcplapse: "));
    assert!(events.iter().all(|line| line.chars().count() <= 80), "{plain}");
    assert_eq!(events.iter().filter(|line| line.contains("812/client")).count(), 4, "{plain}");
    let summary =
        "tcplapse: coverage: lives seen 4 (still open 4), lives missed 0, readings lost 0";
    assert_eq!(notices.last(), Some(&summary));
}

#[test]
fn an_empty_screen_says_what_it_waits_for() {
    let screen = on_terminal(80, &["nosuch", "--for", "10ms"], &[]);
    let plain = anstream::adapter::strip_str(&screen).to_string();
    assert!(plain.contains("no socket of a process matching 'nosuch' yet; watching"), "{plain}");
}
