//! Pictures that are drawn in place: on a pseudo terminal of the test's own, whose keys are
//! pressed, whose size changes, and which has to be clean in the end.

use super::Pty;
use crate::cli::fixture;
use crate::cli::stage::Stage;
use crate::old_support::wait::until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::termios::{LocalModes, Termios, tcgetattr};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
/// Between these a terminal shows a frame.
const BEGIN: &str = "\x1b[?2026h\x1b[H";
const END: &str = "\x1b[?2026l";

/// The program on a terminal; killed when dropped.
struct Live {
    pty: Pty,
    child: Child,
    written: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Live {
    fn start(columns: u16, rows: u16, line: &str) -> Self {
        let mut live = Self::unread(columns, rows, line, &fixture());
        live.read_on();
        live
    }

    /// On a terminal that takes no more than it has room for.
    fn unread(columns: u16, rows: u16, line: &str, procfs: &Path) -> Self {
        let pty = Pty::open(columns, rows);
        let child = Command::new(env!("CARGO_BIN_EXE_tcplapse"))
            .args(line.split_whitespace())
            .arg("--procfs")
            .arg(procfs)
            .env("TERM", "xterm")
            .stdin(pty.end())
            .stdout(pty.end())
            .stderr(pty.end())
            .spawn()
            .expect("it starts");
        Self { pty, child, written: Arc::default(), reader: None }
    }

    fn read_on(&mut self) {
        let sink = Arc::clone(&self.written);
        let mut master = self.pty.master();
        self.reader = Some(std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // The last close of the other end reads as an error here.
            while let Ok(read @ 1..) = master.read(&mut piece) {
                sink.lock().unwrap().extend_from_slice(&piece[..read]);
            }
        }));
    }

    fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// The lines of the latest whole frame, without colours.
    fn frame(&self) -> Option<Vec<String>> {
        let written = self.written();
        let (before, _) = written.rsplit_once(END)?;
        let (_, frame) = before.rsplit_once(BEGIN)?;
        let plain = anstream::adapter::strip_str(frame).to_string();
        // The terminal puts a carriage return before every newline, also behind one.
        Some(plain.lines().map(|line| line.trim_end_matches('\r').to_owned()).collect())
    }

    fn until_frame(&self, what: &str, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        until(what, || self.frame().filter(|frame| wanted(frame)))
    }

    fn press(&self, keys: &str) {
        self.pty.master().write_all(keys.as_bytes()).expect("a terminal takes keys");
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        kill(pid, signal).expect("it is our child and still runs");
    }

    fn modes(&self) -> Termios {
        tcgetattr(self.pty.master()).expect("it is a terminal")
    }

    /// Its end: the status and all that it wrote.
    fn end(mut self) -> (ExitStatus, String, LocalModes) {
        let status = self.child.wait().expect("it is our child");
        let modes = self.modes().local_modes;
        self.pty.hang_up();
        self.reader.take().expect("not joined yet").join().expect("it reads until the end");
        (status, self.written(), modes)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // After its end there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fits(frame: &[String], columns: usize, rows: usize) -> bool {
    frame.len() <= rows && frame.iter().all(|line| line.chars().count() <= columns)
}

/// The run is over, and the terminal as it was found: the other screen left, the cursor shown,
/// keys echoed again.
fn assert_clean(live: Live) -> String {
    let (status, written, modes) = live.end();
    assert_eq!(status.code(), Some(0), "{written}");
    assert_eq!(written.matches(ENTER).count(), written.matches(LEAVE).count());
    let last = written.rsplit(LEAVE).next().unwrap().to_owned();
    assert!(written.contains("\x1b[?7h\x1b[?25h\x1b[?1049l"), "{written}");
    assert!(!last.contains(BEGIN), "{last}");
    assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO), "{modes:?}");
    last
}

#[test]
fn a_table_is_drawn_again_with_every_poll_until_q_is_pressed() {
    let live = Live::start(80, 24, "server|client --view table -i 10ms");
    let first = live.until_frame("a frame", |frame| frame.len() > 9);
    assert!(first[0].contains("9 sockets"), "{first:?}");
    assert!(first[1].contains("HELD") && first[1].contains("OWNER"), "{first:?}");
    assert!(fits(&first, 80, 24), "{first:#?}");
    live.until_frame("another one", |frame| frame[0] != first[0]);
    assert!(!live.modes().local_modes.contains(LocalModes::ECHO), "keys are not echoed");
    live.press("xyzq");
    let last = assert_clean(live);
    assert!(last.contains("coverage: "), "{last}");
    assert!(!last.contains("HELD"), "nothing is left behind: {last}");
}

#[test]
fn a_frame_follows_the_size_of_its_terminal_between_two_polls() {
    let live = Live::start(100, 24, "--view table -i 30s");
    let all = live.until_frame("a frame", |frame| frame.len() > 15);
    assert!(fits(&all, 100, 24), "{all:#?}");
    live.pty.resize(50, 8);
    live.signal(Signal::SIGWINCH);
    let few = live.until_frame("a smaller frame", |frame| frame.len() <= 8);
    assert!(fits(&few, 50, 8), "{few:#?}");
    assert!(few[7].starts_with("and "), "{few:#?}");
    live.signal(Signal::SIGINT);
    assert_clean(live);
}

#[test]
fn every_signal_that_ends_it_leaves_the_terminal_clean() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT] {
        let live = Live::start(80, 24, "--view table");
        live.until_frame("a frame", |_| true);
        live.signal(signal);
        assert_clean(live);
    }
}

#[test]
fn when_its_time_is_over_the_picture_stays() {
    let live = Live::start(80, 24, "client --view table --for 300ms");
    let last = assert_clean(live);
    assert!(last.contains("HELD") && last.contains("812/client"), "{last}");
}

#[test]
fn a_stopped_run_gives_the_terminal_back_and_takes_it_again() {
    let live = Live::start(80, 24, "client --view table -i 10ms");
    live.until_frame("a frame", |_| true);
    live.signal(Signal::SIGTSTP);
    until("the terminal is given back", || live.written().ends_with(LEAVE).then_some(()));
    assert!(live.modes().local_modes.contains(LocalModes::ECHO));
    live.signal(Signal::SIGCONT);
    until("it is taken again", || {
        let written = live.written();
        let (_, again) = written.rsplit_once(LEAVE)?;
        again.contains(BEGIN).then_some(())
    });
    live.press("q");
    assert_clean(live);
}

#[test]
fn a_report_stands_on_the_terminal_once_the_picture_is_gone() {
    let live = Live::start(80, 24, "client -s FIN_WAIT2 --view table");
    live.until_frame("a frame", |_| true);
    live.signal(Signal::SIGUSR1);
    let report = "812/client  127.0.0.1:53088 -- 127.88.0.1:54389";
    until("the report", || live.written().contains(report).then_some(()));
    live.press("q");
    let written = live.written();
    let off_screen = |part: &str| part.split(ENTER).next().is_some_and(|t| t.contains(report));
    assert!(written.split(LEAVE).skip(1).any(off_screen), "{written}");
    assert_clean(live);
}

#[test]
fn a_terminal_that_cannot_be_drawn_on_gets_the_table_at_the_end() {
    let pty = Pty::open(80, 24);
    let status = Command::new(env!("CARGO_BIN_EXE_tcplapse"))
        .args(["client", "--view", "table", "--for", "10ms", "--procfs"])
        .arg(fixture())
        .env("TERM", "dumb")
        .stdin(Stdio::null())
        .stdout(pty.end())
        .stderr(Stdio::null())
        .status();
    assert!(status.expect("it runs").success());
    let mut piece = [0; 4096];
    let read = pty.master().read(&mut piece).expect("it wrote");
    let text = String::from_utf8_lossy(&piece[..read]);
    assert!(text.contains("812/client") && !text.contains("\x1b[?"), "{text}");
}

#[test]
fn a_diagram_is_drawn_in_place_and_leaves_the_terminal_clean() {
    let live = Live::start(120, 50, "--view diagram -i 10ms");
    let drawn = |frame: &[String]| frame.iter().any(|line| line.contains("ESTABLISHED"));
    let frame = live.until_frame("the states", drawn);
    assert!(fits(&frame, 120, 50), "{frame:#?}");
    live.press("q");
    assert!(!assert_clean(live).contains("ESTABLISHED"));
}

#[test]
fn a_terminal_that_takes_nothing_makes_no_poll_late_and_then_shows_what_is_now() {
    let stage = Stage::new();
    let often = "--view table -i 1ms --max-cpu 100";
    let mut live = Live::unread(200, 60, often, stage.procfs());
    let poll = |first: usize| {
        let rows: Vec<String> = (0..50).map(|i| format!("{} 80 01/{}", first + i, first)).collect();
        stage.poll(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    };
    // Many more frames than a terminal holds for somebody who does not look.
    (1..100).for_each(|look| poll(100 * look));
    live.read_on();
    let shown = |frame: &[String]| frame.iter().any(|line| line.contains("10.0.0.1:20049 "));
    until("the sockets of now", || {
        poll(20_000);
        live.frame().filter(|frame| shown(frame))
    });
    live.press("q");
    until("its end", || {
        stage.offer(&[]);
        live.child.try_wait().expect("our child")
    });
    assert_clean(live);
}
