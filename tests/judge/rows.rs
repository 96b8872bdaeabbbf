//! The kernel's own table, read by the judge itself: which mini-sockets are there. The tracepoint
//! says nothing of how long a TIME_WAIT or an orphaned FIN_WAIT2 lasts.

use super::truth::AddressPair;
use super::workload::now;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

const FIN_WAIT2: u8 = 5;
const TIME_WAIT: u8 = 6;

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) addrs: AddressPair,
    state: u8,
    inode: u64,
}

impl Row {
    /// What a close leaves.
    pub(crate) const fn is_mini(self) -> bool {
        matches!(self.state, FIN_WAIT2 | TIME_WAIT) && self.inode == 0
    }
}

/// All rows of the calling thread's namespace.
///
/// # Panics
/// If there is no procfs.
pub(crate) fn table() -> Vec<Row> {
    table_of("thread-self")
}

/// All rows of the namespace of a process.
///
/// # Panics
/// If there is no such process.
pub(crate) fn table_of(process: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for (file, ipv6) in [("tcp", false), ("tcp6", true)] {
        let text = std::fs::read_to_string(format!("/proc/{process}/net/{file}"));
        let text = text.expect("procfs is mounted");
        rows.extend(text.lines().filter_map(|line| row(line, ipv6)));
    }
    rows
}

/// When mini-sockets were there: for each the times (boot clock, µs) before tables that show it.
pub(crate) type Samples = HashMap<AddressPair, Vec<i64>>;

/// Reads the table again and again until it is stopped.
pub(crate) struct Sampler {
    stop: Sender<()>,
    thread: JoinHandle<Samples>,
}

impl Sampler {
    /// Starts one in the calling thread's namespace.
    pub(crate) fn start(interval: Duration) -> Self {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let mut samples = Samples::new();
            loop {
                let before = now();
                for row in table().into_iter().filter(|row| row.is_mini()) {
                    samples.entry(row.addrs).or_default().push(before);
                }
                match stopped.recv_timeout(interval) {
                    Err(RecvTimeoutError::Timeout) => {}
                    _ => return samples,
                }
            }
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> Samples {
        // It ends in either case.
        let _ = self.stop.send(());
        self.thread.join().expect("procfs can be read")
    }
}

/// `0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12345 …`
fn row(line: &str, ipv6: bool) -> Option<Row> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let addrs =
        AddressPair { ipv6, local: address(fields.get(1)?)?, remote: address(fields.get(2)?)? };
    let state = u8::from_str_radix(fields.get(3)?, 16).ok()?;
    Some(Row { addrs, state, inode: fields.get(9)?.parse().ok()? })
}

/// `0100007F:1F90`: the address as words in native byte order, the port in host order.
fn address(field: &str) -> Option<SocketAddr> {
    let (addr, port) = field.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |place: usize| {
        let word = u32::from_str_radix(addr.get(8 * place..8 * place + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let ip = if addr.len() == 8 {
        IpAddr::from(word(0)?)
    } else {
        let bytes = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
        let bytes: [u8; 16] = bytes.try_into().ok()?;
        Ipv6Addr::from(bytes).to_canonical()
    };
    Some(SocketAddr::new(ip, port))
}

#[test]
fn rows_of_both_families_are_read() {
    let v4 =
        "   0: 0100007F:1F90 0200007F:9C40 06 00000000:00000000 03:00001770 00000000 0 0 0 3 0";
    let read = row(v4, false).expect("a row");
    assert!(read.is_mini());
    assert_eq!(read.addrs.local, "127.0.0.1:8080".parse().unwrap());
    let v6 = "   1: 0000000000000000FFFF00000100007F:4A38 0000000000000000FFFF00000100007F:4E20 01 \
              00000000:00000000 00:00000000 00000000 0 0 77 1 0 20 4 30 10 -1";
    let read = row(v6, true).expect("a row");
    assert!(!read.is_mini());
    assert_eq!(read.addrs.remote, "127.0.0.1:20000".parse().unwrap());
    assert_eq!(row("  sl  local_address rem_address   st", false), None);
}
