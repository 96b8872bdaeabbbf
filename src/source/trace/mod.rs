//! Follows the kernel's own events of every state change, by BPF, and polls beside them for what they
//! do not show: what was there before, requests, the end of TIME_WAIT.
//!
//! The programs are attached before the first poll. A poll is handed out after all events up to its
//! end, and a lookup only for sockets of which no event waits, so that whoever follows gets what the
//! kernel did in its order.

pub mod changes;
pub mod program;
pub mod record;

use super::namespace::{namespace, own_process};
use super::netlink::Dumps;
use super::poll::PollTimer;
use super::{Source, clock};
use crate::error::{Error, Result};
use crate::model::reading::{
    Interface, LookupRequest, Lost, LostReason, Reading, Snapshot, StateChange,
};
use crate::model::socket::Family;
use crate::model::socket_row::SocketRow;
use crate::model::time::Stamp;
use crate::settings::{OWN_PROCFS, PollSettings};
use crate::signals::{Signals, Wake};
use changes::{Changes, RESET_WAIT};
use program::{Programs, Scope};
use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often events are taken from the ring.
const CADENCE: Duration = Duration::from_millis(10);
/// So many readings may be ready before no more events are taken from the ring's thread.
const MOST_READY: usize = 1 << 18;
/// How long a run that is over hands out what had been read. Who follows may be slow.
const LAST_READINGS: Duration = Duration::from_secs(10);
/// A connect() without a port is looked for after so long (ns), and then every so often.
const PORT_PATIENCE: u64 = 20_000_000;
const PORT_INTERVAL: Duration = Duration::from_millis(100);

/// What a source of kernel events is opened with.
#[derive(Debug, Clone, Copy)]
pub struct TraceSettings {
    /// One family, or both.
    pub family: Option<Family>,
    /// When to poll.
    pub poll: PollSettings,
    /// Bytes of the ring for every CPU.
    pub ring: usize,
    /// The process whose descendants are marked as callers.
    pub root: Option<i32>,
}

/// The events and the tables of the caller's network namespace.
#[allow(clippy::struct_excessive_bools)] // what there is to do, and what the user was warned of
pub struct Trace {
    programs: Programs,
    changes: Changes,
    dumps: Dumps,
    family: Option<Family>,
    timer: PollTimer,
    /// A poll that waits for the events up to its end.
    poll: Option<Snapshot>,
    /// Events were lost: the tables show what they would have.
    needs_poll: bool,
    ready: VecDeque<Reading>,
    /// One of them is a poll: another one has no hurry.
    poll_ready: bool,
    /// When events are to be taken next.
    next_service: Instant,
    /// When sockets in SYN_SENT may be dumped again.
    next_port_dump: Instant,
    /// CPU time from which on nothing was done for polls; none while that goes on.
    cpu_after_poll: Option<Duration>,
    /// The run is over; what is ready may be handed out until then.
    drain_until: Option<Instant>,
    /// Readings for which there was no time at the end.
    dropped: usize,
    resets_lost: bool,
    has_warned: bool,
    warnings: Vec<String>,
}

impl Trace {
    /// Attaches the programs.
    ///
    /// # Errors
    /// [`Error::Trace`] says what is missing; or there are no tables.
    pub fn open(settings: TraceSettings) -> Result<Self> {
        let TraceSettings { family, poll, ring, root } = settings;
        let netns = namespace(&own_process(Path::new(OWN_PROCFS)));
        let netns = netns.ok_or_else(|| {
            Error::Trace("/proc/thread-self/ns/net cannot be read; mount /proc".to_owned())
        })?;
        let programs = Programs::attach(Scope { netns, root, ring }).map_err(Error::Trace)?;
        Ok(Self {
            programs,
            changes: Changes::default(),
            // Both families, whichever is asked for: the other end may be of the other one.
            dumps: Dumps::open(None, &poll)?,
            family,
            timer: PollTimer::new(poll),
            poll: None,
            needs_poll: true,
            ready: VecDeque::new(),
            poll_ready: false,
            next_service: Instant::now(),
            next_port_dump: Instant::now(),
            cpu_after_poll: None,
            drain_until: None,
            dropped: 0,
            resets_lost: false,
            has_warned: false,
            warnings: Vec::new(),
        })
    }

    /// Takes what the ring has, and a poll if one is due.
    fn service(&mut self) -> Result<()> {
        self.next_service = Instant::now() + CADENCE;
        if self.ready.len() > MOST_READY {
            return Ok(());
        }
        let now = self.take_events();
        let is_due = self.timer.due().is_none_or(|due| due <= Instant::now());
        if self.poll.is_none() && !self.poll_ready && (is_due || self.needs_poll) {
            self.take_poll()?;
        } else {
            self.find_ports(now);
        }
        self.hand_out(now);
        Ok(())
    }

    /// The run is over: hands out what has happened.
    fn finish(&mut self) -> Result<()> {
        // The first poll is handed out however short the run.
        if self.timer.due().is_none() {
            self.take_poll()?;
        }
        self.drain_until = Some(Instant::now() + LAST_READINGS);
        self.take_events();
        self.hand_out(u64::MAX);
        Ok(())
    }

    /// Takes all events from before this call, and returns its time (ns).
    fn take_events(&mut self) -> u64 {
        let (now, wall_offset) = (nanos(clock::stamp()), clock::wall_offset());
        let delivery = self.programs.take();
        if delivery.lost > 0 {
            let (time, reason) = (clock::stamp(), LostReason::Ring);
            self.ready.push_back(Reading::Lost(Lost { time, reason, count: Some(delivery.lost) }));
            self.needs_poll = true;
        }
        self.resets_lost |= delivery.lost_resets > 0;
        if delivery.lost + delivery.lost_resets > 0 {
            self.changes.forget_addresses();
        }
        for event in &delivery.events {
            self.changes.take(event, wall_offset);
        }
        now
    }

    /// Hands out what is complete at this time (ns), in order.
    fn hand_out(&mut self, now: u64) {
        // By then all ends from before the poll are complete.
        let is_complete = |poll: &mut Snapshot| now.saturating_sub(RESET_WAIT) > nanos(poll.end);
        if let Some(poll) = self.poll.take_if(is_complete) {
            let wall_offset = poll.end.wall.saturating_sub_unsigned(poll.end.boot);
            self.changes.take_rows(&poll.rows, nanos(poll.start), true, wall_offset);
            let changes = self.changes.complete_at(now).into_iter();
            let (before, after): (Vec<_>, Vec<_>) =
                changes.partition(|change| change.time <= poll.end);
            self.push_changes(before);
            self.ready.push_back(Reading::Snapshot(self.of_family(poll)));
            self.poll_ready = true;
            self.push_changes(after);
        } else if self.poll.is_none() {
            let changes = self.changes.complete_at(now);
            self.push_changes(changes);
        }
    }

    fn push_changes(&mut self, changes: Vec<StateChange>) {
        let is_wanted =
            |change: &StateChange| self.family.is_none_or(|family| family == change.addrs.family);
        let wanted = changes.into_iter().filter(is_wanted);
        self.ready.extend(wanted.map(Reading::StateChange));
    }

    fn take_poll(&mut self) -> Result<()> {
        self.exclude_idle();
        let start = self.timer.start_poll(&mut self.warnings);
        let snapshot = self.dumps.snapshot()?;
        // No gap: the events go on where polls pause.
        self.timer.record_poll(&start, &snapshot);
        self.needs_poll = false;
        self.poll = Some(snapshot);
        self.cpu_after_poll = Some(clock::cpu());
        Ok(())
    }

    /// Looks for the ports of sockets that have been without one for a while, between polls.
    fn find_ports(&mut self, now: u64) {
        let is_late = |birth| now.saturating_sub(birth) > PORT_PATIENCE;
        if self.next_port_dump > Instant::now()
            || !self.changes.oldest_nameless().is_some_and(is_late)
        {
            return;
        }
        let started = Instant::now();
        let wall_offset = clock::wall_offset();
        if let Ok(rows) = self.dumps.opening() {
            self.changes.take_rows(&rows, now, false, wall_offset);
        }
        self.next_port_dump = Instant::now() + PORT_INTERVAL.max(20 * started.elapsed());
    }

    fn of_family(&self, mut poll: Snapshot) -> Snapshot {
        if let Some(family) = self.family {
            poll.rows.retain(|row| row.addrs.family == family);
        }
        poll
    }

    /// What events cost is no reason to poll less.
    fn exclude_idle(&mut self) {
        if let Some(since) = self.cpu_after_poll.take() {
            self.timer.exclude_cpu(clock::cpu().saturating_sub(since));
        }
    }

    /// The next reading that is ready, unless the run is over for too long.
    fn pop(&mut self) -> Option<Reading> {
        if self.drain_until.is_some_and(|end| end <= Instant::now()) {
            self.dropped = self.ready.len();
            self.ready.clear();
        }
        let reading = self.ready.pop_front()?;
        if matches!(reading, Reading::Snapshot(_)) {
            self.poll_ready = false;
            self.exclude_idle();
        }
        Some(reading)
    }

    /// The cookies of sockets with changes that have not been handed out, among those asked for.
    fn waiting(&self, requests: &[LookupRequest]) -> HashSet<u64> {
        let asked: HashSet<u64> = requests.iter().map(|request| request.cookie).collect();
        let ready = self.ready.iter().filter_map(|reading| match reading {
            Reading::StateChange(change) => Some(change.cookie),
            _ => None,
        });
        ready.chain(self.changes.cookies()).filter(|cookie| asked.contains(cookie)).collect()
    }
}

impl Source for Trace {
    fn next(&mut self, signals: &Signals) -> Result<Option<Reading>> {
        // If a poll was handed out last, its price ends here.
        self.cpu_after_poll.get_or_insert_with(clock::cpu);
        loop {
            let now = Instant::now();
            if self.drain_until.is_none() && (self.ready.is_empty() || self.next_service <= now) {
                match signals.wait(self.next_service)? {
                    Wake::ReaderGone => return Err(Error::ReaderGone),
                    Wake::Due | Wake::Readable => self.service()?,
                    Wake::Ended => self.finish()?,
                }
            }
            if let Some(reading) = self.pop() {
                return Ok(Some(reading));
            }
            if self.drain_until.is_some() {
                return Ok(None);
            }
        }
    }

    /// Answers for sockets of which no event waits; those of others lead to what is asked for.
    fn lookup(&mut self, requests: &[LookupRequest]) -> Result<Option<Reading>> {
        let Some(Reading::Lookups(mut lookups)) = self.dumps.lookup(requests) else {
            return Ok(None);
        };
        self.take_events();
        let waiting = self.waiting(requests);
        lookups.answers.retain(|(request, _)| !waiting.contains(&request.cookie));
        Ok(Some(Reading::Lookups(lookups)))
    }

    fn has_more(&self) -> bool {
        !self.ready.is_empty()
    }

    fn recycle(&mut self, rows: Vec<SocketRow>) {
        self.dumps.recycle(rows);
    }

    fn interface(&self) -> Interface {
        Interface::Trace
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.warnings);
        if self.resets_lost && !std::mem::replace(&mut self.has_warned, true) {
            warnings.push(
                "kernel events of resets lost, so that the reason of some closes is missing: ring buffer \
                 full (enlarge --ring)"
                    .to_owned(),
            );
        }
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            warnings.push(format!(
                "{dropped} transitions were read but not reported when the run ended"
            ));
        }
        warnings
    }
}

const fn nanos(time: Stamp) -> u64 {
    time.boot.saturating_mul(1000)
}
