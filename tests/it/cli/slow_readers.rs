//! Readers of a live run that are slow, or stop for a while: no poll waits for them, and what they
//! miss is counted. The polls are given by the test, one by one: a run that waited for its reader
//! would not take the next.

use crate::support::fake_procfs::{FakeProcfs, fixture};
use crate::support::output::{Output, read_some};
use crate::support::program::{self, Program, run_without_threads};
use crate::support::record::OutputLine;
use crate::support::require::{Feature, skip};
use crate::support::wait::until;
use nix::sys::signal::Signal;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Stdio;

const QUICK: [&str; 4] = ["-i", "1ms", "--max-cpu", "100"];
/// How many bytes may wait for a reader.
const ROOM: usize = 16 << 20;
/// How many bytes a pipe holds at most, whatever the size of a page.
const PIPE: usize = 1 << 20;

/// So many rows have room in a FIFO.
const SOCKETS: u64 = 300;

/// Rows of the sockets with these numbers.
fn rows(numbers: RangeInclusive<u64>) -> Vec<String> {
    numbers.map(|number| format!("{} 80 01/{number}", 1000 + number)).collect()
}

fn poll(procfs: &FakeProcfs, rows: &[String]) {
    procfs.poll(&rows.iter().map(String::as_str).collect::<Vec<_>>());
}

/// A procfs whose sockets all belong to a process of this name.
fn procfs_of(comm: &str) -> FakeProcfs {
    let procfs = FakeProcfs::new();
    procfs.process(700, comm, 50, &(1..=SOCKETS).collect::<Vec<_>>());
    procfs
}

/// Replays a recording: what a reader that is never late would have got.
fn replayed(recording: &Path) -> Vec<String> {
    let outcome = program::run(&["replay", "-j", recording.to_str().expect("UTF-8")]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout.lines().map(str::to_owned).collect()
}

/// Ends a run as `kill` does, while its output is read.
fn end(procfs: &mut FakeProcfs) {
    procfs.poll_with_signal(Signal::SIGTERM, &[]);
    let program = procfs.program();
    until("the end of the run", || (!program.is_running()).then_some(()));
}

#[test]
fn polls_go_on_while_nobody_reads() {
    let mut procfs = procfs_of("client");
    let recording = procfs.file("recording");
    let record = ["-j", "--record", recording.to_str().expect("UTF-8")];
    procfs.run_unread(&[&record[..], &QUICK].concat());
    // Every poll shows other sockets, and prints more than a pipe holds. Each is taken.
    for remote in 81..86 {
        let rows: Vec<String> = rows(1..=SOCKETS)
            .iter()
            .map(|row| row.replace(" 80 ", &format!(" {remote} ")))
            .collect();
        poll(&procfs, &rows);
    }
    let mut stdout = Output::of(procfs.program().take_stdout(), |_| true);
    end(&mut procfs);
    let received = stdout.rest();
    assert!(received.concat().len() > PIPE);
    let all = replayed(&recording);
    assert!(received == all, "{} of {}", received.len(), all.len());
}

/// How many records are lost at this line.
fn lost_output(line: &str) -> Option<u64> {
    if !line.contains(r#""reason":"output""#) {
        return None;
    }
    let OutputLine::Lost(lost) = OutputLine::parse(line) else { return None };
    lost.count
}

/// A name that makes a record so long that 168 of them leave no room for another.
const LONG_NAME: usize = 50_000;

/// A record with its long names, of the process and of the owner, cut out.
fn shortened(line: &str) -> String {
    const BEFORE: &str = r#""process":"x"#;
    let (mut short, mut rest) = (String::new(), line);
    while let Some(at) = rest.find(BEFORE) {
        let name = at + BEFORE.len() - 1;
        short.push_str(&rest[..name]);
        rest = &rest[name + LONG_NAME..];
    }
    short + rest
}

#[test]
fn records_without_room_are_counted_in_their_place() {
    let name = "x".repeat(LONG_NAME);
    let mut procfs = procfs_of(&name);
    let recording = procfs.file("recording");
    let record = ["-j", "--record", recording.to_str().expect("UTF-8")];
    procfs.run_unread(&[&record[..], &QUICK].concat());
    // Some sockets more with every poll.
    let steps: Vec<u64> = (5..=190).step_by(5).collect();
    for number in &steps {
        poll(&procfs, &rows(1..=*number));
    }
    let mut stdout = Output::of(procfs.program().take_stdout(), |_| true);
    let (mut received, mut bytes) = (Vec::new(), Vec::new());
    let mut take = |lines: Vec<String>, received: &mut Vec<String>| {
        bytes.extend(lines.iter().map(|line| line.len() + 1));
        received.extend(lines.iter().map(|line| shortened(line)));
    };
    until("the loss to be reported", || {
        poll(&procfs, &rows(1..=190));
        take(stdout.take_lines(), &mut received);
        received.iter().any(|line| lost_output(line).is_some()).then_some(())
    });
    poll(&procfs, &rows(1..=195));
    end(&mut procfs);
    take(stdout.rest(), &mut received);

    let losses: Vec<usize> =
        (0..received.len()).filter(|i| lost_output(&received[*i]).is_some()).collect();
    let [place] = losses[..] else { panic!("one gap, not {}", losses.len()) };
    let missed = usize::try_from(lost_output(&received[place]).expect("a count")).expect("few");
    // The recording holds the long name once.
    let text = fs::read_to_string(&recording).expect("it was made");
    fs::write(&recording, text.replacen(&name, "", 1)).expect("it is ours");
    let all = replayed(&recording);
    assert_eq!(received.len() - 1 + missed, all.len(), "each is received or counted");
    assert!(received[..place] == all[..place], "all before the loss, in order");
    assert!(received[place + 1..] == all[place + missed..], "all behind it, in order");
    assert!(missed > 0 && received.len() >= place + 1 + 5, "{place} and {missed} of {}", all.len());

    let before: usize = bytes[..place].iter().sum();
    let last_poll: usize = bytes[place - 5..place].iter().sum();
    assert!(before >= ROOM, "nothing is lost while there is room: {before}");
    assert!(before - last_poll < ROOM + PIPE, "no more than there is room for: {before}");
}

/// A run that has seen as many records as asked for, more than a pipe holds, none of them read: it
/// waits for its reader.
fn complete_and_unread() -> FakeProcfs {
    let mut procfs = procfs_of(&"x".repeat(2000));
    procfs.run_unread(&[&["-j", "-m", "300"], &QUICK[..]].concat());
    poll(&procfs, &rows(1..=SOCKETS));
    procfs.program().until_asleep();
    procfs
}

#[test]
fn a_complete_run_waits_for_a_late_reader() {
    let mut procfs = complete_and_unread();
    let mut stdout = Output::of(procfs.program().take_stdout(), |_| true);
    let received = stdout.rest();
    assert_eq!(procfs.finish().code, Some(0));
    assert!(received.concat().len() > PIPE);
    assert_eq!(received.len(), 300);
}

#[test]
fn a_signal_ends_a_complete_run_that_nobody_reads() {
    let mut procfs = complete_and_unread();
    let _unread = procfs.program().take_stdout();
    procfs.program().signal(Signal::SIGTERM);
    let outcome = procfs.finish();
    assert_eq!(outcome.code, Some(0));
    let sentence = " bytes of output discarded on exit: no reader\n";
    assert!(outcome.stderr.contains(sentence), "{outcome:?}");
}

#[test]
fn another_signal_ends_the_wait_for_a_slow_reader() {
    let mut procfs = procfs_of(&"x".repeat(4000));
    procfs.run_unread(&[&["-j"], &QUICK[..]].concat());
    poll(&procfs, &rows(1..=SOCKETS));
    poll(&procfs, &[]);
    let mut stdout = procfs.program().take_stdout();
    let (mut received, mut piece) = (0, [0; 4096]);
    // The reader takes something all the time, and would take all of it.
    until("the end of the run", || {
        procfs.program().signal(Signal::SIGTERM);
        procfs.offer(&[]);
        received += read_some(&mut stdout, &mut piece).expect("a pipe");
        (!procfs.program().is_running()).then_some(())
    });
    let outcome = procfs.finish();
    assert_eq!(outcome.code, Some(0));
    let sentence = " bytes of output discarded on exit: no reader\n";
    assert!(outcome.stderr.contains(sentence), "{received}: {outcome:?}");
}

#[test]
fn unread_reports_delay_no_poll_and_are_counted() {
    // A report with so many of these names is longer than what may wait for its reader.
    let mut procfs = procfs_of(&"x".repeat(4500));
    let (unread, stderr) = std::io::pipe().expect("a pipe");
    let mut command = procfs.command(&[&["-j", "--view", "diagram"], &QUICK[..]].concat());
    command.stdout(Stdio::piped()).stderr(stderr);
    procfs.adopt(Program::spawn_with_streams(command));
    let rows = rows(1..=SOCKETS);
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    procfs.poll(&rows);
    // The first report has room, the second has not: it was made before the poll after it.
    procfs.poll_with_signal(Signal::SIGUSR1, &rows);
    procfs.poll_with_signal(Signal::SIGUSR1, &rows);
    procfs.poll(&rows);
    let mut stderr = Output::of(unread, |_| true);
    let mut lines_of_report = || {
        let mut lines = vec![stderr.next_line().expect("a report")];
        while !lines.last().is_some_and(|line| line.contains("seen: ")) {
            lines.push(stderr.next_line().expect("more of a report"));
        }
        lines
    };
    assert_eq!(reported(&lines_of_report()), 300);
    procfs.poll_with_signal(Signal::SIGUSR1, &rows);
    let second = lines_of_report();
    // On a busy machine there is a message about the interval, too.
    let counts = [1, 2].map(|count| {
        format!("tcplapse: {count} messages dropped before this one: reader of stderr too slow\n")
    });
    assert!(counts.contains(&second[0]), "{}", second[0]);
    assert_eq!(reported(&second), 300);
    procfs.poll_with_signal(Signal::SIGTERM, &rows);
    assert_eq!(reported(&lines_of_report()), 0, "the summary at the end");
    assert_eq!(procfs.finish().code, Some(0));
}

/// How many sockets a report has a timeline of.
fn reported(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.starts_with("700/xxx")).count()
}

#[test]
fn a_run_that_cannot_start_a_thread_says_so() {
    let fixture = fixture();
    let procfs = fixture.to_str().expect("UTF-8");
    let Some(outcome) = run_without_threads(&["watch", "-j", "-m", "1", "--procfs", procfs]) else {
        return skip(Feature::Prlimit, "nobody cannot be limited to one thread here");
    };
    let message = &outcome.stderr;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{message}");
    let sentence = "tcplapse: cannot start a thread: Resource temporarily unavailable";
    assert!(message.starts_with(sentence) && message.lines().count() == 1, "{message}");
}
