//! Memory grows with the sockets there are, not with those there have been.

use crate::old_support::wait::until;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tcplapse::model::process::{Holder, Process};
use tcplapse::model::reading::{Interface, OwnerUpdate, Reading, Snapshot};
use tcplapse::model::socket::{AddressPair, Endpoint, Family};
use tcplapse::model::socket_row::{SocketRow, Timer};
use tcplapse::model::time::Stamp;
use tcplapse::recording::{Encoder, Header};
use tcplapse::tcp::state::State;

/// So many sockets are there at a time, each for one pass alone.
const AT_A_TIME: u64 = 100;
/// All that has a bound has reached it by then.
const BEGINNING: u64 = 70;
const PASSES: u64 = 230;
/// Less than a hundred bytes for each of the lives in between.
const SPARE_KB: u64 = 1500;

/// A pass over sockets of its own, and who held them.
fn readings(pass: u64) -> [Reading; 2] {
    let at = |micros: u64| {
        let boot = 50_000_000 + pass * 100_000 + micros;
        let since = i64::try_from(boot).expect("it is small");
        Stamp { wall: 1_790_000_000_000_000 + since, boot }
    };
    let numbers = pass * AT_A_TIME + 1..=(pass + 1) * AT_A_TIME;
    let rows = numbers.clone().map(|number| {
        let host = u32::try_from(number / 50_000).expect("it is small");
        let port = u16::try_from(10_000 + number % 50_000).expect("it is small");
        let remote = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0001 + host));
        SocketRow {
            addrs: AddressPair {
                family: Family::Ipv4,
                local: Endpoint { addr: Ipv4Addr::LOCALHOST.into(), port: 80 },
                remote: Endpoint { addr: remote, port },
            },
            state: State::Established,
            inode: number,
            uid: 0,
            mini: false,
            tx_queue: 0,
            rx_queue: 0,
            timer: Timer::None,
            timer_left: 0,
            retransmits: 0,
            cookie: number,
            ifindex: 0,
            backlog_limit: None,
        }
    });
    // Every process is a new one, too.
    let pid = i32::try_from(1000 + pass).expect("it is small");
    let process = Process { start: pass + 1, comm: b"short".to_vec(), ..Process::unknown(pid) };
    let held = |inode| (inode, vec![Holder { pid, start: pass + 1, task: pid, fd: 3 }]);
    let old = numbers.clone().filter_map(|inode| Some((inode.checked_sub(AT_A_TIME)?, Vec::new())));
    let owners = OwnerUpdate {
        time: at(1000),
        all: true,
        processes: vec![process],
        holders: numbers.clone().map(held).chain(old).collect(),
        ..OwnerUpdate::default()
    };
    let (start, end, rows) = (at(0), at(1000), rows.collect());
    let snapshot = Snapshot { start, end, netns: Some(1), rows, bad_rows: 0 };
    [Reading::OwnerUpdate(owners), Reading::Snapshot(snapshot)]
}

/// The recording of a run, written as far as it is read.
struct Recorded {
    program: Child,
    encoder: Encoder,
}

impl Recorded {
    fn replay(args: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tcplapse"));
        command.args(["replay", "-"]).args(args.split_whitespace());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let program = command.spawn().expect("the program was built for this test");
        let mut recorded = Self { program, encoder: Encoder::default() };
        let header = recorded.encoder.header(&Header {
            start: Stamp { wall: 1_790_000_000_000_000, boot: 50_000_000 },
            boot_id: "0b1c".to_owned(),
            part: 0,
            source: Interface::Netlink,
            interval: Duration::from_millis(100),
            host: "host".to_owned(),
            kernel: "6.18".to_owned(),
        });
        recorded.write(&header);
        recorded
    }

    fn write(&mut self, bytes: &[u8]) {
        let stdin = self.program.stdin.as_mut().expect("piped");
        stdin.write_all(bytes).expect("the program reads");
    }

    fn play(&mut self, passes: std::ops::Range<u64>) {
        for mut reading in passes.flat_map(readings) {
            let lines = self.encoder.take(&mut reading).lines(None);
            self.write(&lines);
        }
    }

    /// The most memory that was used until all that was written is read, in kB.
    fn peak(&mut self) -> u64 {
        let path = format!("/proc/{}/status", self.program.id());
        let file = |name: &str| {
            let text = std::fs::read_to_string(format!("/proc/{}/{name}", self.program.id()));
            text.expect("it runs")
        };
        // It waits for more once it sleeps in a read with nothing in the pipe.
        until("the program to read all", || {
            let stdin = self.program.stdin.as_ref().expect("piped");
            let unread = rustix::io::ioctl_fionread(stdin).expect("a pipe");
            (unread == 0 && file("stat").contains(") S ")).then_some(())
        });
        let status = std::fs::read_to_string(path).expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).expect("a number")
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        drop(self.program.stdin.take());
        let _ = self.program.wait();
    }
}

#[test]
fn memory_grows_with_the_sockets_there_are_and_not_with_those_there_have_been() {
    let rules = tempfile::NamedTempFile::new().expect("a file");
    let text = "[[rule]]\nname = 'many'\nstate = 'ESTABLISHED'\nlonger_than = '60s'\n";
    std::fs::write(rules.path(), text).expect("it is ours");
    let judged = format!("-j --rules {}", rules.path().display());
    let views = [judged.as_str(), "short", "--view timeline"];
    std::thread::scope(|scope| {
        for view in views.map(String::from) {
            scope.spawn(move || {
                let mut recorded = Recorded::replay(&view);
                recorded.play(0..BEGINNING);
                let early = recorded.peak();
                recorded.play(BEGINNING..PASSES);
                let late = recorded.peak();
                eprintln!("{view}: {early} kB, then {late} kB");
                assert!(late < early + SPARE_KB, "{view}: {early} kB, then {late} kB");
            });
        }
    });
}
