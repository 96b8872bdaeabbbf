//! Follows the kernel's own events of every state change, by BPF, and polls beside them for what they
//! do not show: what was there before, requests, the end of TIME_WAIT.
//!
//! The programs are attached before the first poll. A poll is handed out after all events up to its
//! end, and a lookup only for sockets of which no event waits, so that what the kernel
//! did is reported in its order.

pub(crate) mod changes;
mod misses;
mod pending;
mod polls;
pub(crate) mod program;
mod ready;
pub mod record;
mod tables;

use super::namespace::{namespace, own_process};
use super::netns::Namespaces;
use super::{ReadingContext, Source, clock};
use crate::bpf;
use crate::error::{BpfError, Error, Result};
use crate::model::reading::{Interface, LookupRequest, Lost, LostReason, Reading, StateChange};
use crate::model::socket::Family;
use crate::model::socket_row::SocketRow;
use crate::model::time::Stamp;
use crate::privileges::{in_time_namespace, is_initial_pid_namespace};
use crate::settings::{OWN_PROCFS, PollSettings};
use crate::signals::{Signals, Wake};
use changes::{Changes, RESET_WAIT};
use polls::TracePolls;
use program::{Programs, Scope};
use ready::ReadyReadings;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often events are taken from the ring while there are some.
const CADENCE: Duration = Duration::from_millis(10);
/// A socket that connects or listens, and whose port no event has shown, is looked for after so long (ns), and then
/// every so often.
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
pub struct Trace {
    programs: Programs,
    changes: Changes,
    polls: TracePolls,
    /// When sockets that have no port yet may be looked for again.
    next_port_dump: Instant,
    /// When events are to be taken next.
    next_service: Instant,
    /// When they were taken last (boot time, µs).
    events_until: u64,
    /// There were no events the last time.
    is_quiet: bool,
    ready: ReadyReadings,
    /// The reading that was handed out last is a change of a socket that was closed since.
    is_released: bool,
    resets: LostResets,
    warnings: Vec<String>,
}

/// Whether events of resets were lost, and whether the user knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LostResets {
    None,
    Some,
    Reported,
}

impl Trace {
    /// Attaches the programs.
    ///
    /// # Errors
    /// [`Error::Trace`] says what is missing; or there are no tables.
    pub fn open(settings: TraceSettings) -> Result<Self> {
        Self::open_in(settings, None)
    }

    /// The same for several network namespaces.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub(crate) fn open_several(settings: TraceSettings, of: Namespaces) -> Result<Self> {
        Self::open_in(settings, Some(of))
    }

    fn open_in(settings: TraceSettings, several: Option<Namespaces>) -> Result<Self> {
        let TraceSettings { family, poll, ring, root } = settings;
        let (procfs, is_only) = (Path::new(OWN_PROCFS), several.is_none());
        let netns = namespace(&own_process(procfs));
        let netns = netns.ok_or(Error::Trace(BpfError::NoNamespace))?;
        if in_time_namespace() {
            return Err(Error::Trace(BpfError::TimeNamespace));
        }
        // Else events of all are taken, and those of the namespaces that are read are kept.
        let netns = if is_only { netns } else { 0 };
        // Events name processes by the numbers that procfs has for them.
        let pidns = bpf::pid_namespace(procfs).map_err(Error::Trace)?;
        let pidns = if is_initial_pid_namespace(pidns) { 0 } else { pidns };
        let scope = Scope { netns, pidns, root, ring };
        Ok(Self {
            programs: Programs::attach(scope).map_err(Error::Trace)?,
            changes: Changes::default(),
            polls: TracePolls::open(family, poll, several)?,
            next_port_dump: Instant::now(),
            next_service: Instant::now(),
            events_until: 0,
            is_quiet: false,
            ready: ReadyReadings::default(),
            is_released: false,
            resets: LostResets::None,
            warnings: Vec::new(),
        })
    }

    /// Takes what the ring has, and a poll if one is due.
    fn service(&mut self) -> Result<()> {
        self.next_service = Instant::now() + CADENCE;
        if self.ready.is_full() {
            return Ok(());
        }
        let now = self.take_events();
        if !self.polls.is_waiting() && !self.ready.has_poll() && self.polls.is_due() {
            self.polls.take(&mut self.warnings)?;
        } else {
            self.find_ports(now);
        }
        self.hand_out(now);
        Ok(())
    }

    /// Waits until there is something to do: while things happen for a moment, in which more of them
    /// come, else until there is an event or a poll is due.
    fn wait(&mut self, signals: &Signals) -> Result<Wake> {
        let is_idle = self.is_quiet
            && self.ready.is_empty()
            && self.changes.is_empty()
            && !self.polls.is_waiting();
        let idle_until = self.polls.due().filter(|_| is_idle && self.programs.pause());
        let until = idle_until.unwrap_or(self.next_service);
        let wake = signals.wait_for(until, idle_until.map(|_| self.programs.ring()))?;
        if wake == Wake::Woken {
            self.polls.hurry();
        }
        Ok(wake)
    }

    /// The run is over: hands out what has happened.
    fn finish(&mut self) -> Result<()> {
        // The first poll is handed out however short the run.
        if self.polls.is_first() {
            self.polls.take(&mut self.warnings)?;
        }
        self.ready.start_draining();
        self.take_events();
        // What is missing before those events is known now.
        self.take_events();
        self.hand_out(u64::MAX);
        if let Some(gap) = self.polls.gap_at_end() {
            self.ready.push(gap);
        }
        Ok(())
    }

    /// Takes all events from before this call, and returns its time (ns).
    fn take_events(&mut self) -> u64 {
        let (now, wall_offset) = (clock::stamp(), clock::wall_offset());
        let delivery = self.programs.take();
        self.events_until = now.boot;
        if delivery.lost_resets > 0 && self.resets == LostResets::None {
            self.resets = LostResets::Some;
        }
        if delivery.lost + delivery.lost_resets + delivery.lost_nested > 0 {
            self.changes.forget_addresses();
        }
        self.is_quiet = delivery.events.is_empty();
        for event in &delivery.events {
            self.changes.take(event, wall_offset);
        }
        let missing = self.changes.end_delivery(delivery.lost + delivery.lost_nested > 0);
        let unreported = missing.iter().filter(|event| self.polls.reads(event)).count();
        let lost = [
            (LostReason::Ring, delivery.lost),
            (LostReason::Recursion, delivery.lost_nested),
            (LostReason::Unreported, unreported as u64),
        ];
        for (reason, count) in lost.into_iter().filter(|(_, count)| *count > 0) {
            let time = clock::stamp();
            self.ready.push(Reading::Lost(Lost { time, reason, count: Some(count) }));
            self.polls.hurry();
        }
        nanos(now)
    }

    /// Hands out what is complete at this time (ns), in order.
    fn hand_out(&mut self, now: u64) {
        // By then every close from before the poll is complete.
        if let Some((gap, poll)) = self.polls.take_ended_before(now.saturating_sub(RESET_WAIT)) {
            let wall_offset = poll.end.wall.saturating_sub_unsigned(poll.end.boot);
            self.changes.take_rows(&poll.rows, nanos(poll.start), true, wall_offset);
            let changes = self.changes.complete_at(now).into_iter();
            let (before, after): (Vec<_>, Vec<_>) =
                changes.partition(|change| change.time <= poll.end);
            self.push_changes(before);
            if let Some(gap) = gap {
                self.ready.push(Reading::Lost(gap));
            }
            self.ready.push(Reading::Snapshot(self.polls.of_family(poll)));
            self.push_changes(after);
        } else if !self.polls.is_waiting() {
            let changes = self.changes.complete_at(now);
            self.push_changes(changes);
        }
    }

    fn push_changes(&mut self, changes: Vec<StateChange>) {
        for mut change in changes {
            let wanted = self.polls.wants(change.addrs.family);
            if wanted && self.polls.tables.complete(&mut change) {
                self.ready.push(Reading::StateChange(change));
            } else {
                self.changes.hand_out(&change);
            }
        }
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
        if let Ok(rows) = self.polls.tables.opening() {
            self.changes.take_rows(&rows, now, false, wall_offset);
        }
        self.next_port_dump = Instant::now() + PORT_INTERVAL.max(20 * started.elapsed());
    }

    /// The next reading that is ready.
    fn pop(&mut self) -> Option<Reading> {
        let reading = self.ready.pop()?;
        self.is_released = match &reading {
            Reading::StateChange(change) => self.changes.hand_out(change),
            _ => false,
        };
        if matches!(reading, Reading::Snapshot(_)) {
            self.polls.exclude_events();
        }
        Some(reading)
    }
}

impl Source for Trace {
    fn next(&mut self, signals: &Signals) -> Result<Option<Reading>> {
        // If a poll was handed out last, its price ends here.
        self.polls.start_events();
        loop {
            let now = Instant::now();
            if !self.ready.is_draining() && (self.ready.is_empty() || self.next_service <= now) {
                match self.wait(signals)? {
                    Wake::ReaderGone => return Err(Error::ReaderGone),
                    Wake::Due | Wake::Woken => self.service()?,
                    Wake::Readable => {
                        self.service()?;
                        // Not at once again, if a record was still being written.
                        self.is_quiet = false;
                    }
                    Wake::Ended => self.finish()?,
                }
            }
            if let Some(reading) = self.pop() {
                return Ok(Some(reading));
            }
            if self.ready.is_draining() {
                return Ok(None);
            }
        }
    }

    /// Answers for sockets of which no event waits; those of others lead to what is asked for.
    fn lookup(&mut self, requests: &[LookupRequest]) -> Result<Option<Reading>> {
        let Some(Reading::Lookups(mut lookups)) = self.polls.tables.lookup(requests) else {
            return Ok(None);
        };
        self.take_events();
        lookups.answers.retain(|(request, _)| !self.changes.has_change_of(request.cookie));
        Ok(Some(Reading::Lookups(lookups)))
    }

    fn context(&mut self) -> ReadingContext {
        let tcp_infos = self.polls.tables.take_tcp_infos();
        let (has_more, is_released) = (!self.ready.is_empty(), self.is_released);
        let events_until = self.events_until;
        ReadingContext { due: None, has_more, events_until, is_released, tcp_infos }
    }

    fn recycle(&mut self, rows: Vec<SocketRow>) {
        self.polls.tables.recycle(rows);
    }

    fn interface(&self) -> Interface {
        Interface::Trace
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(self.polls.tables.warnings());
        if self.resets == LostResets::Some {
            self.resets = LostResets::Reported;
            warnings.push(
                "kernel events of resets lost, so that the reason of some closes is missing: ring buffer \
                 full (enlarge --ring)"
                    .to_owned(),
            );
        }
        let dropped = self.ready.take_dropped();
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
