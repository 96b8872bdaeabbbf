//! perf's ring buffers: for every CPU one per tracepoint, and one in which threads tell of their
//! birth, their names, their network namespaces and their end.
//!
//! A thread of its own empties them into memory, so that a slow reader of the output, or a look at
//! a large table, costs no event. When too many wait there, the rings are left to fill: what the
//! kernel then has no room for, it counts.

use super::format::Format;
use super::record::{self, Event, Layout, Record, Tracepoint};
use perf_event::events::{Software, Tracepoint as TracepointId};
use perf_event::{Builder, Clock, ReadFormat, SampleFlag, Sampler};
use rustix::io::Errno;
use rustix::process::setpriority_process;
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks at the rings.
const CADENCE: Duration = Duration::from_millis(10);
/// So many events wait in memory at most, some 100 bytes each.
const MOST_WAITING: usize = 1 << 18;
/// What is not a change of state is rarer.
const SHARE_OF_OTHERS: usize = 4;

/// The rings of all CPUs.
pub struct Rings {
    rings: Vec<Ring>,
    /// Nanoseconds from the clock of the events to the boot clock.
    asleep: u64,
}

struct Ring {
    sampler: Sampler,
    /// Of the tracepoint, or none where threads tell of themselves.
    layout: Option<Layout>,
    /// Holds changes of state, of which no loss may go untold.
    states: bool,
    size: usize,
    /// Records lost so far.
    lost: u64,
    /// The kernel counts the loss itself (Linux 6.0); if not, records in the ring tell of it, the
    /// last of them only once something else happens.
    counts: bool,
}

/// What the rings had.
#[derive(Debug, Default)]
pub struct Delivery {
    /// In the order of the rings: those of one CPU are in order, those of two are mixed.
    pub events: Vec<Event>,
    /// All events up to this boot time (ns) have been delivered, in this delivery or before.
    pub until: u64,
    /// Changes of state that found no room.
    pub lost: u64,
    /// Other events that found no room.
    pub lost_others: u64,
}

impl Rings {
    /// Opens the rings of all CPUs that are online, `size` bytes for the changes of state and a
    /// quarter of that for each other kind of event, and lets them fill.
    ///
    /// # Errors
    /// What the kernel does not allow, in words that say what to do.
    pub fn open(formats: &[(Tracepoint, Format)], size: usize) -> Result<Self, String> {
        let mut rings = Vec::new();
        for cpu in online_cpus()? {
            rings.push(Ring::of_tasks(cpu, size / SHARE_OF_OTHERS)?);
            for (tracepoint, format) in formats {
                let states = *tracepoint == Tracepoint::SetState;
                let size = if states { size } else { size / SHARE_OF_OTHERS };
                match Layout::new(*tracepoint, format) {
                    Ok(layout) => rings.push(Ring::of_tracepoint(cpu, size, format.id, layout)?),
                    Err(field) if states => {
                        return Err(format!("this kernel's inet_sock_set_state has no '{field}'"));
                    }
                    // An older kernel tells less of why.
                    Err(_) => {}
                }
            }
        }
        for ring in &mut rings {
            ring.sampler.as_counter_mut().enable().map_err(|error| refused(&error))?;
        }
        Ok(Self { rings, asleep: 0 })
    }

    /// Empties all rings, for the `last` time or not.
    fn drain(&mut self, delivery: &mut Delivery, last: bool) -> io::Result<bool> {
        let mut busy = false;
        self.asleep = asleep(self.asleep);
        for ring in &mut self.rings {
            let read = ring.drain(&mut delivery.events);
            let filled = read > ring.size / 4;
            busy |= filled;
            let lost = ring.newly_lost(last || filled)?;
            *(if ring.states { &mut delivery.lost } else { &mut delivery.lost_others }) += lost;
        }
        for event in &mut delivery.events {
            event.time += self.asleep;
        }
        Ok(busy)
    }
}

impl Ring {
    fn of_tracepoint(cpu: usize, size: usize, id: u64, layout: Layout) -> Result<Self, String> {
        let mut builder = Builder::new(TracepointId::with_id(id));
        builder.sample(SampleFlag::RAW).sample_period(1);
        let states = layout.is_of_states();
        Self::new(builder, cpu, size, Some(layout), states)
    }

    fn of_tasks(cpu: usize, size: usize) -> Result<Self, String> {
        let mut builder = Builder::new(Software::DUMMY);
        builder.task(true).comm(true).namespaces(true);
        Self::new(builder, cpu, size, None, false)
    }

    fn new(
        mut builder: Builder<'_>,
        cpu: usize,
        size: usize,
        layout: Option<Layout>,
        states: bool,
    ) -> Result<Self, String> {
        builder.sample(SampleFlag::TID | SampleFlag::TIME).sample_id_all(true);
        builder.clockid(Clock::MONOTONIC).include_kernel().any_pid().one_cpu(cpu);
        builder.read_format(ReadFormat::LOST);
        let mut counts = true;
        let counter = builder.build().or_else(|error| {
            let unknown = error.raw_os_error() == Some(Errno::INVAL.raw_os_error());
            if !unknown {
                return Err(error);
            }
            counts = false;
            builder.read_format(ReadFormat::empty()).build()
        });
        let counter = counter.map_err(|error| refused(&error))?;
        let size = size.next_power_of_two().max(rustix::param::page_size());
        let sampler = counter.sampled(size).map_err(|error| no_memory(&error))?;
        Ok(Self { sampler, layout, states, size, lost: 0, counts })
    }

    /// Takes what is there and returns how many bytes that was.
    fn drain(&mut self, events: &mut Vec<Event>) -> usize {
        const HEADER: usize = 8;
        let mut read = 0;
        // What comes in meanwhile may wait for the next time.
        while read < 2 * self.size
            && let Some(record) = self.sampler.next_record()
        {
            read += HEADER + record.len();
            let parsed = record::parse(record.ty(), &record.to_contiguous(), self.layout.as_ref());
            match parsed {
                Some(Record::Event(event)) => events.push(event),
                Some(Record::Lost(count)) if !self.counts => self.lost += count,
                _ => {}
            }
        }
        read
    }

    /// What was lost since the last time. Asking the kernel interrupts the other CPU, so it is
    /// asked only where the ring `may` have been full: what an interrupted record has behind it
    /// can be read only the next time, so that a part of a ring is enough to ask.
    fn newly_lost(&mut self, may: bool) -> io::Result<u64> {
        if self.counts && may {
            let counter = self.sampler.as_counter_mut();
            let now = counter.read_full()?.lost().unwrap_or_default();
            let newly = now.saturating_sub(self.lost);
            self.lost = now;
            return Ok(newly);
        }
        Ok(if self.counts { 0 } else { std::mem::take(&mut self.lost) })
    }
}

/// The thread that empties the rings.
pub struct Follower {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    inbox: Mutex<Inbox>,
    over: AtomicBool,
}

#[derive(Default)]
struct Inbox {
    delivery: Delivery,
    failed: Option<io::Error>,
}

/// Ahead of those whose events fill the rings.
const PRIORITY: i32 = -15;

impl Follower {
    /// Begins to empty the rings.
    ///
    /// # Errors
    /// Where no thread can be had.
    pub fn start(mut rings: Rings) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let ours = Arc::clone(&shared);
        let follow = move || {
            // Whoever makes the events may want every CPU; without privilege we wait our turn.
            let _ = setpriority_process(None, PRIORITY);
            if let Err(error) = ours.follow(&mut rings) {
                ours.with(|inbox| inbox.failed = Some(error));
            }
        };
        let thread = std::thread::Builder::new().name("rings".to_owned()).spawn(follow)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What has been delivered since the last time.
    ///
    /// # Errors
    /// Rings that cannot be read any more.
    pub fn take(&self) -> io::Result<Delivery> {
        self.shared.with(|inbox| {
            let until = inbox.delivery.until;
            let rest = Delivery { until, ..Delivery::default() };
            let delivery = std::mem::replace(&mut inbox.delivery, rest);
            inbox.failed.take().map_or(Ok(delivery), Err)
        })
    }

    /// Takes the rings out of use and returns the rest of what they had.
    ///
    /// # Errors
    /// Rings that cannot be read any more.
    pub fn finish(&mut self) -> io::Result<Delivery> {
        self.end();
        let mut delivery = self.take()?;
        delivery.until = u64::MAX;
        Ok(delivery)
    }

    fn end(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It panics only where the ring is broken, and then there is nothing to be had of it.
            let _ = thread.join();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn follow(&self, rings: &mut Rings) -> io::Result<()> {
        let mut until = 0;
        loop {
            let over = self.over.load(Ordering::Acquire);
            let begun = boot_time();
            let mut delivery = Delivery::default();
            let full = self.with(|inbox| inbox.delivery.events.len() > MOST_WAITING);
            let drained = !full || over;
            let busy = drained && rings.drain(&mut delivery, over)?;
            if drained {
                // An event has its time before it is in the ring. So only what has a time before
                // the drain before this one is surely there.
                delivery.until = until;
                until = begun;
                self.with(|inbox| inbox.add(delivery));
            }
            if over {
                return Ok(());
            }
            if !busy {
                std::thread::park_timeout(CADENCE);
            }
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Inbox) -> T) -> T {
        change(&mut self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inbox {
    fn add(&mut self, more: Delivery) {
        let all = &mut self.delivery;
        all.events.extend(more.events);
        all.until = more.until;
        all.lost += more.lost;
        all.lost_others += more.lost_others;
    }
}

fn boot_time() -> u64 {
    clock_nanos(ClockId::Boottime)
}

/// How far the boot clock is ahead of the monotonic one, the only one of use that tracepoints can
/// be stamped with: by the time that the machine was suspended. `before` stands unless it is
/// proven wrong, so that events keep their distances.
fn asleep(before: u64) -> u64 {
    let earlier = clock_nanos(ClockId::Monotonic);
    let boot = boot_time();
    let later = clock_nanos(ClockId::Monotonic);
    let possible = boot.saturating_sub(later)..=boot.saturating_sub(earlier);
    if possible.contains(&before) { before } else { *possible.start() }
}

fn clock_nanos(clock: ClockId) -> u64 {
    let now = Duration::try_from(clock_gettime(clock)).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// The CPUs by their lines in `/proc/stat`, which is there in every container.
fn online_cpus() -> Result<Vec<usize>, String> {
    let text = std::fs::read_to_string("/proc/stat")
        .map_err(|error| format!("/proc/stat cannot be read: {error}"))?;
    let number = |line: &str| line.split(' ').next()?.strip_prefix("cpu")?.parse().ok();
    Ok(text.lines().filter_map(number).collect())
}

fn refused(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::PERM | Errno::ACCESS) => "events of the whole machine may not be followed; \
             run as root or with CAP_PERFMON (kernel.perf_event_paranoid=-1 allows everybody)"
            .to_owned(),
        Some(Errno::NOSYS) => {
            "this kernel has no perf_event_open(), or does not let it be called here".to_owned()
        }
        Some(Errno::MFILE) => "too many files are open; raise ulimit -n".to_owned(),
        _ => format!("perf_event_open() failed: {error}"),
    }
}

fn no_memory(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::PERM | Errno::NOMEM) => "the rings may not have so much memory; give a \
             smaller --ring, raise ulimit -l or kernel.perf_event_mlock_kb, or add CAP_IPC_LOCK"
            .to_owned(),
        _ => format!("the memory of a ring cannot be had: {error}"),
    }
}
