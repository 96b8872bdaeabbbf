//! What the layers are measured with: tables of any size, and the records of the fixture.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tcplapse::testing::filter::Filter;
use tcplapse::testing::model::event::MonitorEvent;
use tcplapse::testing::model::reading::{Interface, Reading};
use tcplapse::testing::model::wanted::WantedRows;
use tcplapse::testing::monitor::{Monitor, SocketOrder};
use tcplapse::testing::owner::scan::Scan;
use tcplapse::testing::settings::PollSettings;
use tcplapse::testing::signals::Signals;
use tcplapse::testing::source::proc::Proc;
use tcplapse::testing::view::Record;
use tcplapse::testing::view::event::EventRecord;
use tcplapse::testing::view::socket::SocketRecord;
use tempfile::TempDir;

/// Real tables, trace records and made-up owners.
pub(crate) const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/linux-6.18");

/// As many sockets as a pass shows where passes are measured.
pub(crate) const SOCKETS: usize = 10_000;
/// The code of the state, as tables and sock_diag write it.
pub(crate) const ESTABLISHED: u8 = 0x01;
const CLOSE_WAIT: u8 = 0x08;

const HEADER: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                      uid  timeout inode\n";

/// The texts of both tables as a folder that is read like a procfs.
pub(crate) struct Tables(TempDir);

impl Tables {
    /// None at all.
    pub(crate) fn empty() -> Self {
        Self::of(0, |_| ESTABLISHED)
    }

    /// Connections, none of which does anything.
    pub(crate) fn steady() -> Self {
        Self::of(SOCKETS, |_| ESTABLISHED)
    }

    /// The same with one socket in a hundred in another state.
    pub(crate) fn one_percent_changed() -> Self {
        Self::of(SOCKETS, |number| if number % 100 == 0 { CLOSE_WAIT } else { ESTABLISHED })
    }

    /// So many IPv4 connections with a server, in the states that `state` gives to their numbers.
    fn of(sockets: usize, state: impl Fn(usize) -> u8) -> Self {
        let mut text = HEADER.to_owned();
        (0..sockets).for_each(|number| write_row(&mut text, number, state(number)));
        let home = tempfile::tempdir().expect("a temporary directory");
        let net = home.path().join("net");
        fs::create_dir(&net).expect("the directory is new");
        fs::write(net.join("tcp"), text).expect("the directory is new");
        fs::write(net.join("tcp6"), HEADER).expect("the directory is new");
        Self(home)
    }

    /// A source that reads them.
    pub(crate) fn source(&self) -> Proc {
        proc(self.0.path())
    }

    /// What a poll says of them.
    pub(crate) fn reading(&self) -> Reading {
        Reading::Snapshot(self.source().snapshot().expect("a table"))
    }
}

fn write_row(text: &mut String, number: usize, state: u8) {
    let client = 0x0a00_0000 + number / 50_000;
    let port = 10_000 + number % 50_000;
    let inode = 100_000 + number;
    writeln!(
        text,
        "{number:4}: 0100007F:0050 {client:08X}:{port:04X} {state:02X} 00000000:00000000 \
         00:00000000 00000000  1000        0 {inode} 1 0000000000000000 20 4 30 10 -1"
    )
    .expect("a string takes what it is given");
}

fn proc(root: &Path) -> Proc {
    let pace = PollSettings {
        interval: Duration::ZERO,
        max_cpu: 100.0,
        idle: false,
        tcp_info: false,
        bound: false,
    };
    Proc::open(root, &WantedRows::default(), pace).expect("tables")
}

/// So many events and so many sockets: those of the fixture, with their owners, again and again.
pub(crate) fn records(count: usize) -> (Vec<Record>, Vec<Record>) {
    let root = Path::new(FIXTURE);
    let (filter, stop) = (Filter::default(), Signals::new(None).expect("a pipe"));
    let mut monitor = Monitor::new(Box::new(proc(root)), Box::new(Scan::new(root)), &filter);
    let mut news: Vec<MonitorEvent> = Vec::new();
    monitor.read(&stop, &mut news).expect("a table");
    let interface = Interface::Proc;
    let event = |news| match news {
        MonitorEvent::Socket(event) => {
            Some(Record::Event(Box::new(EventRecord::new(*event, interface))))
        }
        MonitorEvent::Lost(_) => None,
    };
    let events: Vec<Record> = news.into_iter().filter_map(event).collect();
    let at = monitor.read_at();
    let socket = |(now, owner)| Record::Socket(Box::new(SocketRecord::new(&now, at, owner)));
    let sockets: Vec<Record> = monitor.sockets(SocketOrder::Kernel).map(socket).collect();
    let repeat = |records: Vec<Record>| records.into_iter().cycle().take(count).collect();
    (repeat(events), repeat(sockets))
}
