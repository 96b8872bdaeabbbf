//! Memory grows with the sockets there are, not with those there have been.

use crate::alone;
use crate::support::fake_procfs::FakeProcfs;
use crate::support::program::{Program, command};
use crate::support::wait::until_or;
use rustix::io::ioctl_fionbio;
use std::fmt::Write as _;
use std::io::{ErrorKind, PipeWriter, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tcplapse::testing::model::process::{Holder, Process};
use tcplapse::testing::model::reading::OwnerUpdate;
use tcplapse::testing::model::reading::{Interface, Reading, Snapshot};
use tcplapse::testing::model::socket::{AddressPair, Endpoint, Family};
use tcplapse::testing::model::socket_row::SocketRow;
use tcplapse::testing::model::time::Stamp;
use tcplapse::testing::recording::{Encoder, Header};
use tcplapse::testing::tcp::state::State;

/// So many sockets are there at a time, each in one poll alone.
const AT_A_TIME: u64 = 100;
/// All that has a bound has reached it by then.
const BEGINNING: u64 = 50;
const POLLS: u64 = 90;
/// Less than a hundred bytes for each of the sockets in between.
const SPARE_KB: u64 = 400;

const REMOTE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// The remote port of a socket.
fn port(number: u64) -> u16 {
    u16::try_from(10_000 + number % 50_000).expect("it is small")
}

/// A poll of sockets of its own, and their owner.
fn readings(poll: u64) -> [Reading; 2] {
    let at = |micros: u64| {
        let boot = 50_000_000 + poll * 100_000 + micros;
        let since = i64::try_from(boot).expect("it is small");
        Stamp { wall: 1_790_000_000_000_000 + since, boot }
    };
    let numbers = poll * AT_A_TIME + 1..=(poll + 1) * AT_A_TIME;
    let rows = numbers.clone().map(|number| SocketRow {
        inode: number,
        cookie: number,
        ..SocketRow::new(
            AddressPair::new(
                Family::Ipv4,
                Endpoint { addr: Ipv4Addr::LOCALHOST.into(), port: 80 },
                Endpoint { addr: REMOTE, port: port(number) },
            ),
            State::Established,
        )
    });
    // Every owner is a new process, too.
    let pid = i32::try_from(1000 + poll).expect("it is small");
    let process = Process { start: poll + 1, comm: b"short".to_vec(), ..Process::unknown(pid) };
    let held = |inode| (inode, vec![Holder { pid, start: poll + 1, task: None, fd: 3 }]);
    let old = numbers.clone().filter_map(|inode| Some((inode.checked_sub(AT_A_TIME)?, Vec::new())));
    let owners = OwnerUpdate {
        time: at(1000),
        all_inspected: true,
        processes: vec![process],
        holders: numbers.clone().map(held).chain(old).collect(),
        ..OwnerUpdate::default()
    };
    let (start, end, rows) = (at(0), at(1000), rows.collect());
    let snapshot =
        Snapshot { start, end, netns: Some(1), rows, bad_rows: 0, ..Snapshot::default() };
    [Reading::OwnerUpdate(owners), Reading::Snapshot(snapshot)]
}

/// A replay of a recording that is written as far as it is read.
struct Replay {
    program: Program,
    recording: PipeWriter,
    encoder: Encoder,
}

impl Replay {
    fn start(args: &[&str]) -> Self {
        let (reader, recording) = std::io::pipe().expect("a pipe");
        // A program that does not read must not hang the test.
        ioctl_fionbio(&recording, true).expect("it is a pipe");
        let mut command = command(&[&["replay", "-"], args].concat());
        command.stdin(reader);
        let program = Program::spawn(command);
        let mut replay = Self { program, recording, encoder: Encoder::default() };
        let header = replay.encoder.header(&Header {
            start: Stamp { wall: 1_790_000_000_000_000, boot: 50_000_000 },
            boot_id: "0b1c".to_owned(),
            part: 0,
            since: None,
            source: Interface::Netlink,
            interval: Duration::from_millis(100),
            host: "host".to_owned(),
            kernel: "6.18".to_owned(),
        });
        replay.write(&header);
        replay
    }

    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (recording, program) = (&mut self.recording, &self.program);
            let written = until_or(
                || match recording.write(bytes) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => None,
                    written => Some(written.expect("the program reads")),
                },
                || format!("the program to read; {}", program.stderr()),
            );
            bytes = &bytes[written..];
        }
    }

    /// Writes the polls one by one: the next when the program has printed a socket of the one
    /// `until_printed` before. So it never has much to write that nobody has read, which it
    /// would keep in memory: how much depends on who of the two is the faster.
    fn write_polls(&mut self, polls: std::ops::Range<u64>, until_printed: u64) {
        for poll in polls {
            for mut reading in readings(poll) {
                let lines = self.encoder.encode(&mut reading).lines(None);
                self.write(&lines);
            }
            if let Some(printed) = poll.checked_sub(until_printed) {
                self.until_printed(printed);
            }
        }
    }

    /// Reads until the program has printed a socket of this poll.
    fn until_printed(&mut self, poll: u64) {
        let port = port(poll * AT_A_TIME + 1);
        let (in_json, in_text) = (format!("\"remote_port\":{port},"), format!("{REMOTE}:{port}"));
        loop {
            let line = self.program.line();
            if line.contains(&in_json) || line.split_whitespace().any(|word| word == in_text) {
                return;
            }
        }
    }

    /// The most memory (kB) that the program has used until now.
    fn peak(&self) -> u64 {
        let status = self.program.process().status().expect("it runs");
        status.vmhwm.expect("it has memory")
    }
}

/// After the same poll in the life of every socket, so that the same has been done for each of
/// those before: printed it may be when it appears or when it is closed.
fn assert_bounded(args: &[&str], until_printed: u64) {
    let mut replay = Replay::start(args);
    replay.write_polls(0..BEGINNING, until_printed);
    let early = replay.peak();
    replay.write_polls(BEGINNING..POLLS, until_printed);
    let late = replay.peak();
    assert!(late < early + SPARE_KB, "{args:?}: {early} kB, then {late} kB");
}

#[test]
fn events_and_rules_take_bounded_memory() {
    let _alone = alone();
    let rules = tempfile::NamedTempFile::new().expect("a file");
    let text = "[[rule]]\nname = 'many'\nstate = 'ESTABLISHED'\nlonger_than = '60s'\n";
    std::fs::write(rules.path(), text).expect("it is ours");
    assert_bounded(&["-j", "--rules", rules.path().to_str().expect("UTF-8")], 0);
}

#[test]
fn a_filter_by_process_takes_bounded_memory() {
    let _alone = alone();
    assert_bounded(&["short"], 0);
}

#[test]
fn timelines_take_bounded_memory() {
    let _alone = alone();
    // A socket is known to be closed when two polls have missed it.
    assert_bounded(&["--view", "timeline", "-j"], 2);
}

/// The most memory (kB) that the first poll takes where 500 processes have this command line.
fn peak_of_command_lines(line: &[u8]) -> u64 {
    let processes = 500;
    let mut table = "  sl  local_address rem_address   st tx_queue rx_queue\n".to_owned();
    for number in 1..=processes {
        let _ = writeln!(
            table,
            "{number}: 0100007F:{number:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 \
             0 0 {number} 1 0"
        );
    }
    let procfs = FakeProcfs::with_table(table);
    std::fs::write(procfs.file("line"), line).expect("it is ours");
    for number in 1..=processes {
        let inode = u64::try_from(number).expect("it is small");
        procfs.process(1000 + number, "worker", 50, &[inode]);
        let cmdline = procfs.file(&format!("{}/cmdline", 1000 + number));
        std::fs::remove_file(&cmdline).expect("it is ours");
        std::fs::hard_link(procfs.file("line"), cmdline).expect("it is ours");
    }
    let args = ["watch", "-f", "worker", "-s", "CLOSED", "--ready-fd", "2"];
    let mut program = Program::spawn(procfs.command(&args));
    program.until_ready();
    let peak = program.process().status().expect("it runs").vmhwm.expect("it has memory");
    let outcome = program.stop();
    assert!(outcome.stderr.contains("seen: 500 sockets"), "{outcome:?}");
    peak
}

#[test]
fn equal_command_lines_are_stored_once() {
    let _alone = alone();
    let long = [b"worker".to_vec(), vec![b'x'; 16_000]].concat();
    let short = peak_of_command_lines(b"worker");
    let long = peak_of_command_lines(&long);
    // 8 MB, were each stored.
    assert!(long < short + 3_000, "{short} kB, then {long} kB");
}
