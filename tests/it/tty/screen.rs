//! Views that are drawn in place: on a pseudo terminal of the test, whose keys are pressed, whose size
//! changes, and which has to be restored in the end.

use super::{Pty, plain};
use crate::support::fake_procfs::{FakeProcfs, fixture};
use crate::support::output::Output;
use crate::support::program::{Program, command};
use crate::support::wait::{until, until_or};
use nix::sys::signal::Signal;
use rustix::termios::{LocalModes, tcgetattr};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
/// The views that are drawn as long as the run goes on.
#[cfg(feature = "tui")]
const IN_PLACE: [&str; 2] = ["summary", "table"];
#[cfg(not(feature = "tui"))]
const IN_PLACE: [&str; 1] = ["summary"];
/// A terminal shows what stands between these as one frame.
const BEGIN: &str = "\x1b[?2026h\x1b[H";
const END: &str = "\x1b[?2026l";

/// A terminal that the program draws on.
pub(crate) struct Screen {
    pty: Pty,
    /// `None` until somebody reads what is written to the terminal.
    written: Option<Output>,
}

impl Screen {
    /// Starts the program on the fixture and on a terminal.
    pub(crate) fn start(columns: u16, rows: u16, line: &str) -> (Self, Program) {
        let (mut screen, program) = Self::start_unread(columns, rows, line, &fixture());
        screen.read();
        (screen, program)
    }

    /// Starts it on a terminal that takes no more than it has room for.
    pub(crate) fn start_unread(
        columns: u16,
        rows: u16,
        line: &str,
        procfs: &Path,
    ) -> (Self, Program) {
        let pty = Pty::open(columns, rows);
        let args: Vec<&str> = line.split_whitespace().collect();
        let mut command = command(&args);
        command
            .args(["--max-cpu", "100", "--procfs"])
            .arg(procfs)
            .env("TERM", "xterm")
            .stdin(pty.terminal())
            .stdout(pty.terminal())
            .stderr(pty.terminal());
        (Self { pty, written: None }, Program::spawn_with_streams(command))
    }

    /// Starts the program with these arguments alone.
    #[cfg(feature = "tui")]
    pub(crate) fn start_plain(columns: u16, rows: u16, args: &[&str]) -> (Self, Program) {
        let pty = Pty::open(columns, rows);
        let mut command = command(args);
        command
            .env("TERM", "xterm")
            .stdin(pty.terminal())
            .stdout(pty.terminal())
            .stderr(pty.terminal());
        let mut screen = Self { pty, written: None };
        let program = Program::spawn_with_streams(command);
        screen.read();
        (screen, program)
    }

    /// Changes the size of the terminal.
    #[cfg(feature = "tui")]
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.pty.resize(columns, rows);
    }

    /// Begins to read what is written to the terminal.
    pub(crate) fn read(&mut self) {
        self.written = Some(Output::of_bytes(self.pty.master()));
    }

    pub(crate) fn written(&self) -> String {
        self.written.as_ref().map(Output::so_far).unwrap_or_default()
    }

    /// The lines of the latest whole frame, without colours.
    fn frame(&self) -> Option<Vec<String>> {
        let written = self.written();
        let (before, _) = written.rsplit_once(END)?;
        let (_, frame) = before.rsplit_once(BEGIN)?;
        // The terminal puts a carriage return before every newline, also behind one.
        let line = |line: &str| line.trim_end_matches('\r').to_owned();
        Some(plain(frame).lines().map(line).collect())
    }

    fn until_frame(&self, what: &str, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        until_or(
            || self.frame().filter(|frame| wanted(frame)),
            || format!("{what}; written: {:?}", self.written()),
        )
    }

    pub(crate) fn until_written(&self, text: &str) {
        until_or(
            || self.written().contains(text).then_some(()),
            || format!("{text:?}; written: {:?}", self.written()),
        );
    }

    pub(crate) fn press(&self, keys: &str) {
        self.pty.master().write_all(keys.as_bytes()).expect("a terminal takes keys");
    }

    /// How keys are treated.
    fn modes(&self) -> LocalModes {
        tcgetattr(&self.pty.master).expect("it is a terminal").local_modes
    }

    /// Waits for the end of the run, and checks that the terminal is as it was found: the main
    /// screen, with a cursor, keys echoed. Returns all that was written.
    pub(crate) fn assert_restored(self, program: Program) -> String {
        let outcome = program.finish();
        let written = self.written.as_ref().expect("the terminal is read");
        assert!(written.wait_for_end(), "the terminal stays open");
        let written = written.so_far();
        assert_eq!(outcome.code, Some(0), "{written}");
        assert_eq!(written.matches(ENTER).count(), written.matches(LEAVE).count());
        assert!(written.contains("\x1b[?7h\x1b[?25h\x1b[?1049l"), "{written}");
        assert!(!after_the_last_frame(&written).contains(BEGIN), "{written}");
        let modes = self.modes();
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO), "{modes:?}");
        written
    }
}

/// What is written to the main screen when the run is over.
pub(super) fn after_the_last_frame(written: &str) -> &str {
    written.rsplit(LEAVE).next().unwrap_or_default()
}

fn fits(frame: &[String], columns: usize, rows: usize) -> bool {
    frame.len() <= rows && frame.iter().all(|line| line.chars().count() <= columns)
}

#[test]
fn a_summary_is_redrawn_with_every_poll_until_q() {
    let (screen, program) = Screen::start(120, 24, "server|client --view summary -i 10ms");
    let first = screen.until_frame("a frame", |frame| frame.len() > 4);
    assert_eq!(first[0], "tcplapse: summary of TCP sockets of 'server|client' (q quits)");
    assert!(first.iter().any(|line| line.contains("OLDEST")), "{first:?}");
    assert!(fits(&first, 120, 24), "{first:#?}");
    screen.until_frame("another one", |frame| frame != first);
    assert!(!screen.modes().contains(LocalModes::ECHO), "keys are not echoed");
    screen.press("xyzq");
    let written = screen.assert_restored(program);
    let last = after_the_last_frame(&written);
    assert!(last.contains("seen: "), "{last}");
    assert!(last.contains("OLDEST") && last.contains("client"), "the last picture stays: {last}");
}

#[test]
fn a_frame_follows_the_size_of_its_terminal() {
    // No poll follows within the limit of this test.
    let (screen, program) = Screen::start(100, 24, "--view summary -i 1h");
    let all = screen.until_frame("a frame", |frame| frame.len() > 8);
    assert!(fits(&all, 100, 24), "{all:#?}");
    screen.pty.resize(50, 8);
    program.signal(Signal::SIGWINCH);
    let few = screen.until_frame("a smaller frame", |frame| frame.len() <= 8);
    assert!(fits(&few, 50, 8), "{few:#?}");
    program.signal(Signal::SIGINT);
    screen.assert_restored(program);
}

#[test]
fn signals_that_end_the_run_restore_the_terminal() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT] {
        for view in IN_PLACE {
            let (screen, program) = Screen::start(80, 24, &format!("--view {view}"));
            screen.until_written(END);
            program.signal(signal);
            screen.assert_restored(program);
        }
    }
}

#[test]
fn a_stopped_run_gives_the_terminal_back() {
    let (screen, program) = Screen::start(80, 24, "client --view summary -i 10ms");
    screen.until_frame("a frame", |_| true);
    program.signal(Signal::SIGTSTP);
    program.until_stopped();
    until("the terminal to be given back", || screen.written().ends_with(LEAVE).then_some(()));
    assert!(screen.modes().contains(LocalModes::ECHO));
    program.signal(Signal::SIGCONT);
    until("it to be taken again", || {
        let written = screen.written();
        let (_, after) = written.rsplit_once(LEAVE)?;
        after.contains(BEGIN).then_some(())
    });
    screen.press("q");
    screen.assert_restored(program);
}

#[test]
fn a_report_is_printed_on_the_main_screen() {
    for view in IN_PLACE {
        let line = format!("client -s FIN_WAIT2 --view {view}");
        let (screen, program) = Screen::start(80, 24, &line);
        screen.until_written(END);
        program.signal(Signal::SIGUSR1);
        let report = "812/client  127.0.0.1:53088 -- 127.88.0.1:54389";
        let is_on_main_screen =
            |part: &str| part.split(ENTER).next().is_some_and(|text| text.contains(report));
        until("the report", || {
            screen.written().split(LEAVE).skip(1).any(is_on_main_screen).then_some(())
        });
        screen.press("q");
        screen.assert_restored(program);
    }
}

#[test]
fn a_key_ends_a_run_in_the_middle_of_a_poll() {
    for view in IN_PLACE {
        let mut procfs = FakeProcfs::new();
        let line = format!("--view {view} -i 1ms");
        let (mut screen, program) = Screen::start_unread(80, 24, &line, procfs.path());
        procfs.adopt(program);
        screen.read();
        procfs.poll(&["4000 80 01/7"]);
        screen.until_written(END);
        let mut table = procfs.open("net/tcp");
        table.write_all(b"  sl  local_address\n   0: torn\n").expect("a pipe holds it");
        drop(table);
        // The second table never comes.
        let _waits_for = procfs.open("net/tcp6");
        screen.press("q");
        until("the end of the run", || (!procfs.program().is_running()).then_some(()));
        screen.assert_restored(procfs.into_program());
    }
}

#[test]
fn a_dumb_terminal_gets_the_table_at_the_end() {
    let pty = Pty::open(80, 24);
    let mut command = command(&["client", "--view", "table", "--for", "1ms", "--procfs"]);
    command.arg(fixture()).env("TERM", "dumb");
    command.stdin(Stdio::null()).stdout(pty.terminal()).stderr(Stdio::null());
    let program = Program::spawn_with_streams(command);
    let written = Output::of_bytes(pty.master());
    assert_eq!(program.finish().code, Some(0));
    assert!(written.wait_for_end(), "the terminal stays open");
    let text = written.so_far();
    assert!(text.contains("812/client") && !text.contains("\x1b[?"), "{text}");
}

#[test]
fn a_diagram_is_drawn_in_place_and_stays() {
    let (screen, program) = Screen::start(120, 50, "--view diagram -i 10ms");
    let drawn = |frame: &[String]| frame.iter().any(|line| line.contains("ESTABLISHED"));
    let frame = screen.until_frame("the states", drawn);
    assert!(fits(&frame, 120, 50), "{frame:#?}");
    screen.press("q");
    let written = screen.assert_restored(program);
    assert!(after_the_last_frame(&written).contains("ESTABLISHED"));
}

#[test]
fn a_terminal_that_is_not_read_delays_no_poll() {
    let mut procfs = FakeProcfs::new();
    let line = "--view summary --by local-port -i 1ms";
    let (mut screen, program) = Screen::start_unread(200, 60, line, procfs.path());
    procfs.adopt(program);
    let poll = |procfs: &FakeProcfs, first: usize| {
        let rows: Vec<String> = (0..50).map(|i| format!("{} 80 01/{}", first + i, first)).collect();
        procfs.poll(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    };
    // Many more frames than a terminal has room for.
    (1..30).for_each(|number| poll(&procfs, 100 * number));
    screen.read();
    let has_port = |frame: &[String], port: usize| {
        frame.iter().any(|line| line.split_whitespace().next() == Some(port.to_string().as_str()))
    };
    let is_latest = |frame: &[String]| has_port(frame, 20_000);
    until("a frame of the latest poll", || {
        poll(&procfs, 20_000);
        screen.frame().filter(|frame| is_latest(frame))
    });
    screen.press("q");
    procfs.poll_until_exit(&[]);
    let written = screen.assert_restored(procfs.into_program());
    let frames =
        written.split(BEGIN).map(|frame| plain(frame).lines().map(str::to_owned).collect());
    let frames: Vec<Vec<String>> = frames.collect();
    let shown = (1..30).filter(|number| frames.iter().any(|frame| has_port(frame, 100 * number)));
    assert!(shown.count() < 15, "frames that cannot be shown in time are left out");
}
