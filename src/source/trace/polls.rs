//! The polls beside the kernel's events: of what was there before, of requests, of TIME_WAIT.

use super::nanos;
use super::pending::MissingEvent;
use super::tables::Tables;
use crate::error::Result;
use crate::model::reading::{Lost, Reading, Snapshot};
use crate::model::socket::Family;
use crate::model::wanted::WantedRows;
use crate::settings::PollSettings;
use crate::source::clock;
use crate::source::netlink::Dumps;
use crate::source::netns::Namespaces;
use crate::source::poll::PollTimer;
use std::time::{Duration, Instant};

/// Dumps of the tables on an interval.
#[derive(Debug)]
pub(super) struct TracePolls {
    pub(super) tables: Tables,
    /// The family to hand out; `None` for both.
    family: Option<Family>,
    timer: PollTimer,
    /// A poll that waits for the events up to its end, and the gap before it.
    waiting: Option<(Option<Lost>, Snapshot)>,
    /// Events were lost: the tables show what they would have.
    is_needed: bool,
    /// CPU time from which on nothing was done for polls; `None` while that goes on.
    cpu_after_poll: Option<Duration>,
}

impl TracePolls {
    /// # Errors
    /// The kernel does not answer.
    pub(super) fn open(
        family: Option<Family>,
        settings: PollSettings,
        several: Option<Namespaces>,
    ) -> Result<Self> {
        // Both families, whichever is asked for: the other end may be of the other one.
        let tables = match several {
            Some(namespaces) => Tables::Several(Box::new(namespaces)),
            None => Tables::One(Box::new(Dumps::open(&WantedRows::default(), &settings)?)),
        };
        Ok(Self {
            tables,
            family,
            timer: PollTimer::new(settings),
            waiting: None,
            is_needed: true,
            cpu_after_poll: None,
        })
    }

    /// Whether there has been none yet.
    pub(super) fn is_first(&self) -> bool {
        self.timer.due().is_none()
    }

    /// Whether the time has come for another poll.
    pub(super) fn is_due(&mut self) -> bool {
        self.is_needed
            || self.timer.due().is_none_or(|due| due <= Instant::now())
            || self.tables.need_poll()
    }

    /// When another poll may be due; `None` for at once.
    pub(super) fn due(&self) -> Option<Instant> {
        let due = self.timer.due().filter(|_| !self.is_needed)?;
        Some(self.tables.next_check().map_or(due, |check| due.min(check)))
    }

    /// Whether a poll waits for the events up to its end.
    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Events were lost: the next poll is due at once.
    pub(super) const fn hurry(&mut self) {
        self.is_needed = true;
    }

    /// Dumps the tables.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub(super) fn take(&mut self, warnings: &mut Vec<String>) -> Result<()> {
        self.exclude_events();
        let start = self.timer.start_poll(warnings);
        let snapshot = self.tables.snapshot()?;
        // However long the interval, the events go on. A request, or what a close() leaves, has none: it is missed
        // where polls pause.
        let gap = self.timer.record_poll(&start, &snapshot, Duration::MAX);
        self.is_needed = false;
        self.waiting = Some((gap, snapshot));
        self.cpu_after_poll = Some(clock::cpu());
        Ok(())
    }

    /// The poll that waits, and the gap before it, if it ended before this time (ns).
    pub(super) fn take_ended_before(&mut self, time: u64) -> Option<(Option<Lost>, Snapshot)> {
        self.waiting.take_if(|(_, poll)| nanos(poll.end) < time)
    }

    /// The gap since the last poll, where the run has ended.
    pub(super) fn gap_at_end(&mut self) -> Option<Reading> {
        self.timer.gap_at_end()
    }

    /// Leaves out the rows that are not asked for.
    pub(super) fn of_family(&self, mut poll: Snapshot) -> Snapshot {
        if let Some(family) = self.family {
            poll.rows.retain(|row| row.addrs.family == family);
        }
        poll
    }

    /// Whether sockets of this family are asked for.
    pub(super) fn wants(&self, family: Family) -> bool {
        self.family.is_none_or(|wanted| wanted == family)
    }

    /// Whether an event that did not come was of a socket that is asked for.
    pub(super) fn reads(&mut self, event: &MissingEvent) -> bool {
        self.wants(event.family) && self.tables.reads(event.netns)
    }

    /// From now on nothing is done for polls: what events cost is no reason to poll less.
    pub(super) fn start_events(&mut self) {
        self.cpu_after_poll.get_or_insert_with(clock::cpu);
    }

    /// What follows is done for a poll.
    pub(super) fn exclude_events(&mut self) {
        if let Some(since) = self.cpu_after_poll.take() {
            self.timer.exclude_cpu(clock::cpu().saturating_sub(since));
        }
    }
}
