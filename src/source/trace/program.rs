//! The BPF programs in the kernel, and the ring buffer that they write into. What the records mean is
//! in `record`.

use super::misses::Misses;
use super::record::{RawEvent, SIZE};
use crate::bpf;
use crate::error::BpfError;
use aya::maps::{Array, MapData, MapError, RingBuf};
use aya::programs::{BtfTracePoint, ProgramError};
use aya::{Btf, Ebpf, EbpfError, EbpfLoader, include_bytes_aligned};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const OBJECT: &[u8] = include_bytes_aligned!("../../bpf/events.bpf.o");
/// The programs for each of the kernel's tracepoints: the second writes the events that the first has not,
/// since the kernel has left it out, see `events.bpf.c`.
const PROGRAMS: [(&str, [&str; 2]); 3] = [
    ("inet_sock_set_state", ["set_state", "set_state_2"]),
    ("tcp_send_reset", ["send_reset", "send_reset_2"]),
    ("tcp_receive_reset", ["receive_reset", "receive_reset_2"]),
];

/// What the programs count, by the numbers of `enum counter`.
#[derive(Clone, Copy)]
enum Counter {
    LostChanges,
    LostResets,
    LeftToSecond,
    BySecond,
}

/// The ring is emptied so often: with the smallest sensible ring, no burst fills it meanwhile.
const INTERVAL: Duration = Duration::from_millis(5);
/// So many events may wait for the run, some 60 MB; more stay in the ring.
const MOST_WAITING: usize = 1 << 19;
/// The kernel takes rings up to this size.
const LARGEST_RING: usize = 1 << 30;

/// Which events the kernel writes.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// The inode of the network namespace; 0 for all.
    pub netns: u64,
    /// The inode of the pid namespace in which processes are numbered; 0 for the initial one.
    pub pidns: u64,
    /// Mark events of the descendants of this process.
    pub root: Option<i32>,
    /// Bytes of the ring for every CPU.
    pub ring: usize,
}

/// What has come since the last time.
#[derive(Debug, Default)]
pub struct Delivery {
    /// In the order in which they were written: exact for every socket.
    pub events: VecDeque<RawEvent>,
    /// State changes that found no room in the ring.
    pub lost: u64,
    /// Resets that found none.
    pub lost_resets: u64,
    /// At most so many events, of any namespace, came while a processor was within the programs for
    /// others, and no program was run for them.
    pub lost_nested: u64,
}

/// The programs, attached until this is dropped, and a thread that empties their ring while there is
/// something to read.
pub struct Programs {
    shared: Arc<Shared>,
    /// Readable once there is something in the ring.
    ring: OwnedFd,
    counters: Array<MapData, u64>,
    misses: Misses,
    /// What was delivered of what is lost: changes, resets and nested events.
    delivered_lost: [u64; 3],
    thread: Option<JoinHandle<()>>,
    _attached: Ebpf,
}

struct Shared {
    reader: Mutex<RingReader>,
    is_over: AtomicBool,
}

struct RingReader {
    ring: RingBuf<MapData>,
    events: VecDeque<RawEvent>,
    /// The thread leaves the ring alone.
    is_paused: bool,
}

impl Programs {
    /// Loads the programs into the kernel and attaches them.
    ///
    /// # Errors
    /// What the kernel lacks or denies.
    pub fn attach(scope: Scope) -> Result<Self, BpfError> {
        let Loaded { attached, ring, counters, misses } = bpf::load(|types| load(scope, types))?;
        let ring_fd = ring.as_fd().try_clone_to_owned().map_err(BpfError::Ring)?;
        let reader = RingReader { ring, events: VecDeque::new(), is_paused: false };
        let reader = Mutex::new(reader);
        let shared = Arc::new(Shared { reader, is_over: AtomicBool::new(false) });
        let thread = thread::Builder::new().name("ring".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.read_until_over()
        });
        let thread = Some(thread.map_err(BpfError::Ring)?);
        let ring = ring_fd;
        let delivered_lost = [0; 3];
        let mut programs =
            Self { shared, ring, counters, misses, delivered_lost, thread, _attached: attached };
        // What the first programs left to the second before these were attached is no loss of this run.
        let [_, _, nested] = programs.lost();
        programs.delivered_lost = [0, 0, nested];
        Ok(programs)
    }

    /// Where no event waits, the thread pauses until this or [`take`](Self::take) is called again, for
    /// which the caller waits for [`ring`](Self::ring): where nothing happens nobody is woken. Returns
    /// whether it pauses.
    pub fn pause(&mut self) -> bool {
        let mut reader = self.shared.reader();
        reader.read();
        let pauses = reader.events.is_empty();
        self.set_paused(reader, pauses);
        pauses
    }

    /// What becomes readable once there is an event in the ring.
    pub fn ring(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }

    /// Takes all events that were written before this call.
    pub fn take(&mut self) -> Delivery {
        // What is lost is counted first: what is read then may be later than the loss.
        let total = self.lost();
        let before = std::mem::replace(&mut self.delivered_lost, total);
        let [lost, lost_resets, lost_nested] =
            std::array::from_fn(|kind| total[kind].saturating_sub(before[kind]));
        let mut reader = self.shared.reader();
        reader.read();
        let events = std::mem::take(&mut reader.events);
        self.set_paused(reader, false);
        Delivery { events, lost, lost_resets, lost_nested }
    }

    fn set_paused(&self, mut reader: MutexGuard<'_, RingReader>, pauses: bool) {
        let has_paused = std::mem::replace(&mut reader.is_paused, pauses);
        drop(reader);
        if has_paused && !pauses {
            self.wake_thread();
        }
    }

    fn wake_thread(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// How many events the first programs have left to the second, and how many of these those have
    /// written.
    pub fn left_to_second(&self) -> (u64, u64) {
        // In this order: the second programs may still be at the last of what was left.
        let left = self.misses.count() + self.counter(Counter::LeftToSecond).unwrap_or_default();
        (left, self.counter(Counter::BySecond).unwrap_or(left))
    }

    fn counter(&self, counter: Counter) -> Result<u64, MapError> {
        self.counters.get(&(counter as u32), 0)
    }

    /// All changes, resets and nested events that are lost.
    fn lost(&self) -> [u64; 3] {
        let [changes, resets, before] = self.delivered_lost;
        let counter = |counter| self.counter(counter);
        let (left, by_second) = self.left_to_second();
        let nested = left.saturating_sub(by_second);
        [
            counter(Counter::LostChanges).unwrap_or(changes),
            counter(Counter::LostResets).unwrap_or(resets),
            nested.max(before),
        ]
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.wake_thread();
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, there would be nothing to do here.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn reader(&self) -> MutexGuard<'_, RingReader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_until_over(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            let mut reader = self.reader();
            if reader.is_paused {
                drop(reader);
                thread::park();
            } else {
                reader.read();
                drop(reader);
                thread::park_timeout(INTERVAL);
            }
        }
    }
}

impl RingReader {
    fn read(&mut self) {
        while self.events.len() < MOST_WAITING {
            let Some(record) = self.ring.next() else { break };
            let record = <&[u8; SIZE]>::try_from(&*record).ok();
            self.events.extend(record.and_then(RawEvent::parse));
        }
    }
}

/// The size of the ring: a power of two, as the kernel wants it, and at least a page.
fn ring_size(per_cpu: usize, cpus: usize) -> u32 {
    let size = per_cpu.saturating_mul(cpus).clamp(rustix::param::page_size(), LARGEST_RING);
    u32::try_from(size.next_power_of_two()).unwrap_or(1 << 30)
}

/// The programs, attached.
struct Loaded {
    attached: Ebpf,
    ring: RingBuf<MapData>,
    counters: Array<MapData, u64>,
    misses: Misses,
}

fn load(scope: Scope, btf: &Btf) -> Result<Loaded, EbpfError> {
    let [netns, pidns] =
        [scope.netns, scope.pidns].map(|inode| u32::try_from(inode).unwrap_or_default());
    let root = scope.root.and_then(|root| u32::try_from(root).ok()).unwrap_or_default();
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let mut ebpf = EbpfLoader::new()
        .btf(Some(btf))
        .verifier_log_level(bpf::VERIFIER_LOG)
        .override_global("netns", &netns, true)
        .override_global("pidns", &pidns, true)
        .override_global("root", &root, true)
        .map_max_entries("events", ring_size(scope.ring, cpus))
        .load(OBJECT)?;
    let mut map = |name: &str| {
        ebpf.take_map(name).ok_or_else(|| MapError::InvalidName { name: name.to_owned() })
    };
    let (ring, counters) = (RingBuf::try_from(map("events")?)?, Array::try_from(map("counters")?)?);
    let mut misses = Misses::default();
    for (tracepoint, [first, second]) in PROGRAMS {
        for name in [first, second] {
            program(&mut ebpf, name)?.load(tracepoint, btf)?;
        }
        // One right after the other: what comes between them is taken for an event that the second has
        // still to come across.
        for name in [first, second] {
            program(&mut ebpf, name)?.attach()?;
        }
        misses.add(program(&mut ebpf, first)?.fd()?.as_fd());
    }
    Ok(Loaded { attached: ebpf, ring, counters, misses })
}

fn program<'e>(ebpf: &'e mut Ebpf, name: &str) -> Result<&'e mut BtfTracePoint, EbpfError> {
    let program = ebpf.program_mut(name).ok_or(ProgramError::UnexpectedProgramType)?;
    Ok(program.try_into()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_has_a_size_that_the_kernel_takes() {
        assert_eq!(ring_size(1 << 20, 2), 1 << 21);
        assert_eq!(ring_size(1 << 20, 3), 1 << 22);
        assert_eq!(ring_size(1, 1), 4096);
        assert_eq!(ring_size(usize::MAX, 8), 1 << 30);
    }
}
