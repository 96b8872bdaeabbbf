//! Readers of a live run who are slow, or stop for a while: no poll waits for them, and what they
//! miss is counted. The polls are given by the test, one by one: a run that waited for its reader
//! would not take the next.

use super::stage::Stage;
use super::{fixture, text};
use crate::old_support::netns::skip;
use crate::old_support::program::run_without_threads;
use crate::old_support::record::Line;
use crate::old_support::wait::until;
use nix::sys::signal::Signal;
use std::io::{BufRead, BufReader, Read};
use std::ops::Range;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// As many as a FIFO has room for the rows of.
const SOCKETS: u64 = 300;
/// What may wait for a reader.
const ROOM_KIB: u64 = 16 * 1024;
/// What the program takes beside, generously.
const BASE_KIB: u64 = 32 * 1024;

/// A run of sockets that live for one poll each; what it sees is recorded beside.
struct Flood {
    stage: Stage,
    recording: tempfile::NamedTempFile,
}

impl Flood {
    /// `comm` is the name of their process. No kernel gives a long one; here it makes long records.
    fn start(comm: &str, format: &str) -> Self {
        let mut stage = Stage::new();
        let recording = tempfile::NamedTempFile::new().expect("a file");
        stage.process(700, comm, 50, &(1..=SOCKETS).collect::<Vec<_>>());
        let path = recording.path().to_str().expect("UTF-8");
        let often = ["-i", "1ms", "--max-cpu", "100"];
        stage.run(&[&often[..], &["--format", format, "--record", path]].concat());
        Self { stage, recording }
    }

    /// Has it poll: every poll shows other sockets than the one before.
    fn poll(&self, polls: Range<u64>) {
        for poll in polls {
            poll_sockets(&self.stage, poll);
        }
    }

    /// Begins to read, line by line and to the end.
    fn read(&mut self) -> Receiver<String> {
        let (line, lines) = channel();
        let stdout = BufReader::new(self.stage.stdout());
        std::thread::spawn(move || {
            for read in stdout.lines() {
                let _ = line.send(read.expect("UTF-8"));
            }
        });
        lines
    }

    /// Ends it as `kill` does; what it said on standard error.
    fn stop(&mut self) -> String {
        self.stage.signal(Signal::SIGTERM);
        self.stage.poll_on(&[]);
        let child = self.stage.program();
        assert_eq!(child.wait().expect("our child").code(), Some(0));
        let mut told = String::new();
        let stderr = child.stderr.as_mut().expect("piped");
        stderr.read_to_string(&mut told).expect("UTF-8");
        told
    }

    /// What a reader would have got who is never late.
    fn replayed(&self, format: &str) -> Vec<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tcplapse"));
        command.args(["replay", "--format", format]).arg(self.recording.path());
        let output = command.output().expect("it runs");
        text(&output.stdout).lines().map(str::to_owned).collect()
    }
}

/// One poll, which shows sockets of its own.
fn poll_sockets(stage: &Stage, poll: u64) {
    let row = |inode| format!("{} {} 01/{inode}", 1000 + inode, 80 + poll);
    let rows: Vec<String> = (1..=SOCKETS).map(row).collect();
    stage.poll(&rows.iter().map(String::as_str).collect::<Vec<_>>());
}

/// A run that has seen as many records as asked for, more than a pipe holds, and still waits after
/// many looks at a reader who has taken nothing: for longer than one who has stopped is waited for.
fn full() -> Stage {
    let mut stage = Stage::new();
    stage.process(700, &"x".repeat(4000), 50, &(1..=SOCKETS).collect::<Vec<_>>());
    stage.start(usize::try_from(SOCKETS).unwrap(), &[]);
    poll_sockets(&stage, 0);
    let before = sleeps(stage.program().id());
    until("many looks at its reader", || {
        let ended = stage.program().try_wait().expect("our child");
        assert!(ended.is_none(), "it has left its reader: {ended:?}");
        (sleeps(stage.program().id()) > before + 40).then_some(())
    });
    stage
}

/// How often the first thread of a process has gone to sleep.
fn sleeps(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/status"));
    let status = status.expect("it runs");
    let count = |line: &str| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse().ok();
    status.lines().find_map(count).expect("every kernel")
}

/// The most memory a process has used.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("every kernel");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn no_poll_waits_for_a_reader_and_what_he_misses_is_counted_in_its_place() {
    let mut flood = Flood::start(&"x".repeat(4000), "json");
    flood.poll(0..8);
    let peak = peak_kib(flood.stage.program().id());
    assert!(peak < ROOM_KIB + BASE_KIB, "{peak} KiB");

    let lines = flood.read();
    let mut received: Vec<String> = Vec::new();
    // A machine that stands still for seconds may make a gap: that is recorded, too.
    let is_loss = |line: &String| line.contains(r#""reason":"output""#);
    until("the loss is told", || {
        flood.stage.poll(&[]);
        received.extend(lines.try_iter());
        received.iter().any(is_loss).then_some(())
    });
    flood.poll(8..12);
    flood.stop();
    received.extend(lines);

    let losses: Vec<usize> = (0..received.len()).filter(|i| is_loss(&received[*i])).collect();
    let [place] = losses[..] else { panic!("one long gap, no many short ones: {losses:?}") };
    let Line::Lost(lost) = Line::parse(&received[place]) else { panic!("{}", received[place]) };
    assert_eq!((lost.v, lost.event.as_str()), (1, "lost"));
    let missed = usize::try_from(lost.count.expect("it is known")).unwrap();
    let whole = flood.replayed("json");
    assert!(received[..place] == whole[..place], "all before the loss, in order");
    assert!(received[place + 1..] == whole[place + missed..], "all behind it");
    assert!(received.len() > place + 300 && missed > 0, "{missed} in {}", whole.len());
}

#[test]
fn a_reader_who_comes_late_gets_everything_that_had_room() {
    let mut flood = Flood::start("client", "json");
    flood.poll(0..10);
    let lines = flood.read();
    flood.stop();
    let received: Vec<String> = lines.iter().collect();
    let whole = flood.replayed("json");
    assert!(received == whole, "{} of {}", received.len(), whole.len());
    assert!(received.len() > 5000, "more than a pipe holds");
}

#[test]
fn a_run_that_is_full_waits_for_a_reader_who_begins_late() {
    let stage = full();
    let lines = BufReader::new(stage.stdout()).lines();
    let received: Vec<String> = lines.map(|line| line.expect("UTF-8")).collect();
    assert_eq!(received.len() as u64, SOCKETS);
    assert!(received.concat().len() > 256 * 1024, "more than a pipe holds");
    stage.end();
}

#[test]
fn a_signal_ends_the_wait_of_a_run_that_is_full() {
    let mut stage = full();
    stage.signal(Signal::SIGTERM);
    let status = until("its end", || stage.program().try_wait().expect("our child"));
    let mut told = String::new();
    let stderr = stage.program().stderr.as_mut().expect("piped");
    stderr.read_to_string(&mut told).expect("UTF-8");
    assert_eq!(status.code(), Some(0));
    assert!(told.contains(" bytes of the output found no reader\n"), "{told}");
}

#[test]
fn what_a_reader_of_csv_misses_is_told_on_standard_error() {
    let mut flood = Flood::start(&"x".repeat(8000), "csv");
    flood.poll(0..6);
    let lines = flood.read();
    let told = flood.stop();
    let (rows, whole) = (lines.iter().count(), flood.replayed("csv").len());
    let missed = whole - rows;
    assert!(missed > 0);
    let sentence = format!("tcplapse: {missed} records had no room: their reader was too slow\n");
    assert!(told.contains(&sentence), "{missed} of {whole}: {told}");
}

#[test]
fn whoever_calls_for_reports_without_reading_them_makes_no_poll_late() {
    let mut flood = Flood::start("client", "json");
    let lines = flood.read();
    for poll in 0..30 {
        flood.poll(poll..poll + 1);
        flood.stage.signal(Signal::SIGUSR1);
    }
    let mut stderr = flood.stage.program().stderr.take().expect("piped");
    let reader = std::thread::spawn(move || {
        let mut told = String::new();
        stderr.read_to_string(&mut told).expect("UTF-8");
        told
    });
    flood.stage.signal(Signal::SIGTERM);
    flood.stage.poll_on(&[]);
    let told = reader.join().expect("it reads to the end");
    assert!(told.contains(" messages had no room before this one\n"), "{} bytes", told.len());
    assert!(told.lines().last().is_some_and(|line| line.contains("coverage: ")));
    assert!(lines.iter().count() > 10_000, "and every record came");
}

#[test]
fn a_second_signal_ends_the_wait_for_a_slow_reader() {
    let mut flood = Flood::start("client", "json");
    flood.poll(0..20);
    let mut stdout = flood.stage.stdout();
    let reader = std::thread::spawn(move || {
        let (mut piece, mut received) = ([0; 4096], 0);
        while let Ok(read @ 1..) = stdout.read(&mut piece) {
            received += read;
            // A reader's own work: all of it would take him minutes.
            std::thread::park_timeout(std::time::Duration::from_millis(50));
        }
        received
    });
    let status = until("its end", || {
        flood.stage.offer(&[]);
        flood.stage.signal(Signal::SIGTERM);
        flood.stage.program().try_wait().expect("our child")
    });
    let mut told = String::new();
    let stderr = flood.stage.program().stderr.as_mut().expect("piped");
    stderr.read_to_string(&mut told).expect("UTF-8");
    assert_eq!(status.code(), Some(0));
    assert!(told.contains(" bytes of the output found no reader\n"), "{told}");
    assert!(reader.join().expect("it reads to the end") < 5_000_000);
}

#[test]
fn a_full_disk_ends_a_live_run_whenever_the_next_poll_is_due() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tcplapse"))
        .args(["watch", "-j", "-i", "30s", "--procfs"])
        .arg(fixture())
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let status = until("its end", || child.try_wait().expect("our child"));
    let mut told = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut told).expect("UTF-8");
    assert_eq!(status.code(), Some(2));
    assert!(told.contains("tcplapse: cannot write the output: No space left"), "{told}");
}

#[test]
fn where_no_thread_can_be_made_a_sentence_says_so() {
    let procfs = fixture();
    let args = ["watch", "-j", "-m", "1", "--procfs", procfs.to_str().expect("UTF-8")];
    let Some(output) = run_without_threads(&args) else {
        return skip("nobody cannot be limited to one thread here");
    };
    let told = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""), "{told}");
    let sentence = "tcplapse: cannot start a thread: Resource temporarily unavailable";
    assert!(told.starts_with(sentence) && told.lines().count() == 1, "{told}");
}
