//! Scrapers of `export`: however many there are and whatever they send, polls go on, and memory is
//! bounded. More process names than there may be labels.

use crate::alone;
use crate::support::fake_procfs::FakeProcfs;
use crate::support::scrape::{Metrics, connect, exporter, scrape};
use crate::support::wait::until;
use std::io::Write;

/// What the texts of metrics and the buffers of connections may take (KiB), at most 64 of each.
const SPARE_KB: u64 = 24 << 10;

#[test]
fn scrapers_cannot_make_it_grow() {
    let _alone = alone();
    let procfs = many_processes(0);
    let path = procfs.path().to_str().expect("UTF-8");
    let (mut program, address) = exporter(&["--procfs", path]);
    let first = scrape(address);
    let before = program.resident();
    for number in 0..3000 {
        let mut stream = connect(address);
        let request: &[u8] = match number % 8 {
            // Garbage, a request that never ends, one whose response nobody takes.
            0 => b"\x16\x03\x01\x02\x00\xfc\x03\x03 what?\r\n\r\n",
            1 => b"GET /metrics HTTP/1.1\r\nX: ",
            2 => b"GET /metrics HTTP/1.1\r\n\r\n",
            _ => {
                drop(stream);
                scrape(address);
                continue;
            }
        };
        // It may have been closed in favour of another one.
        let _ = stream.write_all(request);
    }
    let polls = |metrics: &Metrics| metrics.get("tcplapse_poll_seconds_count");
    until("polls to go on", || (polls(&scrape(address)) > polls(&first)).then_some(()));
    let grown = program.resident().saturating_sub(before);
    assert!(grown < SPARE_KB, "{grown} KiB more after 3,000 scrapes");
    assert!(program.is_running());
    program.stop();
}

#[test]
fn process_names_cannot_make_it_grow() {
    let _alone = alone();
    let series = |processes: u32| {
        let procfs = many_processes(processes);
        let path = procfs.path().to_str().expect("UTF-8");
        let (program, address) = exporter(&["--procfs", path, "-i", "1s"]);
        let metrics = scrape(address);
        program.stop();
        metrics
    };
    let (few, many) = (series(60), series(500));
    assert_eq!(few.0.len(), many.0.len(), "as many series as with 60 processes");
    let established = |process| {
        many.get(&format!("tcplapse_sockets{{state=\"ESTABLISHED\",process=\"{process}\"}}"))
    };
    let others = established("other");
    assert!((others - 450.0).abs() < f64::EPSILON, "{others}");
}

/// A procfs with this many processes, each with a socket.
fn many_processes(number: u32) -> FakeProcfs {
    let row = |number: u32| {
        let port = 1000 + number;
        format!(
            "{number:4}: 0100007F:{port:04X} 0100007F:0050 01 00000000:00000000 00:00000000 00000000 \
             1000 0 {} 1 0 20 4 30 10 -1\n",
            10_000 + number
        )
    };
    let table: String = (0..number).map(row).collect();
    let procfs = FakeProcfs::with_table(format!("  sl  local_address\n{table}"));
    for number in 0..number {
        let pid = i32::try_from(number).expect("it is small") + 100;
        procfs.process(pid, &format!("p{number}"), 50, &[u64::from(number) + 10_000]);
    }
    procfs
}
