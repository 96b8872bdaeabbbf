//! A link between two network namespaces: a TUN device in each, and a thread that carries packets
//! from one to the other with delay, jitter, loss, duplicates and reordering, all by a seed.

use super::plan::Random;
use crate::support::loopback::{self, bring_up};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::netdevice::name_to_index;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tappers::Interface;
use tappers::linux::Tun;

const NAME: &str = "judge0";
/// As an Ethernet has.
const LONGEST_PACKET: usize = 1500;
/// Packets on their way; more are lost.
const CAPACITY: usize = 4096;

/// What happens to packets, in microseconds and per cent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults {
    pub(crate) delay: u64,
    pub(crate) jitter: u64,
    pub(crate) loss: u64,
    pub(crate) duplicates: u64,
    /// Some are this much later than the others.
    pub(crate) late: u64,
    pub(crate) late_share: u64,
}

impl Faults {
    /// Round trips of 20 to 60 ms.
    pub(crate) fn random(random: &mut Random) -> Self {
        Self {
            delay: 10_000 + random.below(10_000),
            jitter: random.below(10_000),
            loss: 1 + random.below(4),
            duplicates: random.below(4),
            late: 30_000,
            late_share: random.below(4),
        }
    }
}

/// One end of a link, in the namespace of the thread that made it.
pub(crate) struct End {
    tun: Tun,
}

impl End {
    /// # Errors
    /// There are no TUN devices here.
    pub(crate) fn new(addrs: [(IpAddr, u8); 2]) -> io::Result<Self> {
        let tun = Tun::create_named(Interface::new(NAME)?)?;
        tun.set_nonblocking(true)?;
        let any_socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
        let index = name_to_index(&any_socket, NAME)?;
        bring_up(index);
        for (addr, prefix) in addrs {
            loopback::add_address(index, addr, prefix);
        }
        Ok(Self { tun })
    }
}

/// A link that carries packets until it is dropped.
pub(crate) struct Link {
    over: Arc<AtomicBool>,
    carrier: Option<JoinHandle<()>>,
}

impl Link {
    pub(crate) fn join(ends: [End; 2], faults: Faults, random: Random) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        let carrier = std::thread::spawn(move || carry(&ends, faults, random, &until));
        Self { over, carrier: Some(carrier) }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.carrier.take().map(JoinHandle::join);
    }
}

fn carry(ends: &[End; 2], faults: Faults, mut random: Random, over: &AtomicBool) {
    // By the time of delivery, and a number that distinguishes packets of one instant.
    let mut under_way: BTreeMap<(Instant, u64), (usize, Vec<u8>)> = BTreeMap::new();
    let mut sent = 0;
    let mut buffer = [0; LONGEST_PACKET];
    while !over.load(Ordering::Relaxed) {
        while let Some(entry) = under_way.first_entry()
            && entry.key().0 <= Instant::now()
        {
            let (to, packet) = entry.remove();
            // A device that is full loses packets, as others do.
            let _ = ends[to].tun.send(&packet);
        }
        wait_for_packets(ends, under_way.keys().next().map(|(due, _)| *due));
        for (from, end) in ends.iter().enumerate() {
            while let Ok(length) = end.tun.recv(&mut buffer) {
                let copies = if random.below(100) < faults.duplicates { 2 } else { 1 };
                let lost = random.below(100) < faults.loss || under_way.len() >= CAPACITY;
                for _ in 0..if lost { 0 } else { copies } {
                    sent += 1;
                    let late = random.below(100) < faults.late_share;
                    let delay = faults.delay
                        + random.below(faults.jitter + 1)
                        + if late { faults.late } else { 0 };
                    let due = Instant::now() + Duration::from_micros(delay);
                    under_way.insert((due, sent), (1 - from, buffer[..length].to_vec()));
                }
            }
        }
    }
}

/// Waits until one end has a packet, or the next delivery is due.
fn wait_for_packets(ends: &[End; 2], due: Option<Instant>) {
    const AT_MOST: Duration = Duration::from_millis(50);
    let left =
        due.map_or(AT_MOST, |due| due.saturating_duration_since(Instant::now()).min(AT_MOST));
    let left = Timespec { tv_sec: 0, tv_nsec: i64::from(left.subsec_nanos()) };
    let mut wanted =
        [PollFd::new(&ends[0].tun, PollFlags::IN), PollFd::new(&ends[1].tun, PollFlags::IN)];
    // Interrupted or not, what is there is taken.
    let _ = poll(&mut wanted, Some(&left));
}
