//! Follows the kernel's own events of every state change, and polls beside them for what they do
//! not tell: what was there before, inodes, requests, the end of TIME_WAIT.
//!
//! The rings are opened before the first poll. A poll is told after all events up to its end, so
//! that whoever follows sees the events that lead to it first.

pub mod correlate;
pub mod format;
pub mod record;
pub mod resets;
pub mod ring;
pub mod sockets;
pub mod tasks;
pub mod tracefs;

use super::namespace::namespace;
use super::netlink::Dumps;
use super::poll::PollTimer;
use super::proc::Proc;
use super::{Source, clock};
use crate::error::{Error, Result};
use crate::model::reading::{
    Interface, LookupRequest, LookupResult, Lost, LostReason, Reading, Snapshot, StateChange,
};
use crate::model::socket::Family;
use crate::model::socket_row::SocketRow;
use crate::model::time::Stamp;
use crate::settings::{OWN_PROCFS, PollSettings};
use crate::signals::{Signals, Wake};
use correlate::{Joiner, Look, PATIENCE, Told};
use record::{Event, Tracepoint};
use ring::{Delivery, Follower, Rings};
use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use tasks::Task;

/// Between two looks at what the rings had.
const CADENCE: Duration = Duration::from_millis(10);
/// So many readings may be ready before no more events are taken from the rings' thread.
const MOST_READY: usize = 1 << 18;
/// How long a run that is over tells what had been read but not been told. Who follows may be slow.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// `PF_KTHREAD`, among a thread's flags.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// The events of the machine and the tables of the caller's network namespace.
#[allow(clippy::struct_excessive_bools)] // what there is to do, and what has been told
pub struct Trace {
    follower: Follower,
    /// Events that others may still come before.
    early: Vec<Event>,
    joiner: Joiner,
    polls: Polls,
    netns: u64,
    family: Option<Family>,
    pacer: PollTimer,
    /// A poll that waits for the events up to its end.
    poll: Option<Snapshot>,
    /// Sockets may have been born without an event that was read.
    afresh: bool,
    ready: VecDeque<Reading>,
    /// One of them is a poll: another one has no hurry.
    poll_ready: bool,
    /// When events are to be taken next, also while readings are ready: whose they are can be found
    /// out only as long as the sockets and processes are there.
    next_turn: Instant,
    /// CPU time from which on nothing was done for polls; none while that goes on.
    idle_since: Option<Duration>,
    /// The run is over; what is ready may be told until then.
    over: Option<Instant>,
    /// Readings for which there was no time at the end.
    untold: usize,
    reasons_lost: bool,
    reasons_told: bool,
    undecided_told: bool,
    warnings: Vec<String>,
}

/// Where the tables are read.
enum Polls {
    Netlink(Dumps),
    Proc(Box<Proc>),
}

impl Trace {
    /// Opens rings of `ring` bytes for every CPU.
    ///
    /// # Errors
    /// [`Error::Trace`] says what is missing; or there are no tables.
    pub fn open(family: Option<Family>, pace: PollSettings, ring: usize) -> Result<Self> {
        let formats = tracefs::formats().map_err(Error::Trace)?;
        if !formats.iter().any(|(tracepoint, _)| *tracepoint == Tracepoint::SetState) {
            let why = "this kernel has no sock:inet_sock_set_state (Linux 4.16)";
            return Err(Error::Trace(why.to_owned()));
        }
        let netns = namespace(&Path::new(OWN_PROCFS).join("thread-self"));
        let netns = netns.ok_or_else(|| {
            Error::Trace("/proc/thread-self/ns/net cannot be read; mount /proc".to_owned())
        })?;
        let rings = Rings::open(&formats, ring).map_err(Error::Trace)?;
        let failed = |cause| Error::System { what: "start a thread", cause };
        Ok(Self {
            follower: Follower::start(rings).map_err(failed)?,
            early: Vec::new(),
            joiner: Joiner::new(netns),
            // Both families, whichever is asked for: the other end may be of the other one.
            polls: Polls::open()?,
            netns,
            family,
            pacer: PollTimer::new(pace),
            poll: None,
            afresh: true,
            ready: VecDeque::new(),
            poll_ready: false,
            next_turn: Instant::now(),
            idle_since: None,
            over: None,
            untold: 0,
            reasons_lost: false,
            reasons_told: false,
            undecided_told: false,
            warnings: Vec::new(),
        })
    }

    /// Takes what the rings had, and a poll if one is due.
    fn turn(&mut self) -> Result<()> {
        self.next_turn = Instant::now() + CADENCE;
        if self.ready.len() > MOST_READY {
            return Ok(());
        }
        let delivery = self.follower.take().map_err(ring_broke)?;
        self.take(delivery);
        let due = self.pacer.due().is_none_or(|due| due <= Instant::now());
        if self.poll.is_none() && !self.poll_ready && (due || self.afresh) {
            self.take_poll()?;
        }
        Ok(())
    }

    /// The run is over: tells what has been delivered.
    fn finish(&mut self) -> Result<()> {
        // The first look is told however short the run.
        if self.pacer.due().is_none() {
            self.take_poll()?;
        }
        self.over = Some(Instant::now() + LAST_WORDS);
        let delivery = self.follower.finish().map_err(ring_broke)?;
        self.take(delivery);
        Ok(())
    }

    fn take(&mut self, delivery: Delivery) {
        let Delivery { events, until, lost, lost_others } = delivery;
        if lost > 0 {
            let (time, reason) = (clock::stamp(), LostReason::Ring);
            self.ready.push_back(Reading::Lost(Lost { time, reason, count: Some(lost) }));
            self.afresh = true;
        }
        self.reasons_lost |= lost_others > 0;
        if lost + lost_others > 0 {
            self.joiner.lost(lost_others > 0);
        }
        self.early.extend(events);
        self.early.sort_by_key(|event| event.time);
        let ripe = self.early.partition_point(|event| event.time <= until);
        let look = &mut Kernel(&mut self.polls);
        for event in self.early.drain(..ripe) {
            self.joiner.take(&event, look);
        }
        self.tell(until.saturating_sub(if self.over.is_some() { 0 } else { PATIENCE }));
    }

    /// Tells what happened up to this time (ns), and the poll that ended by then.
    fn tell(&mut self, until: u64) {
        let offset = clock::wall_offset();
        let end = |poll: &mut Snapshot| nanos(poll.end.boot) + 999;
        if let Some(poll) = self.poll.take_if(|poll| end(poll) <= until) {
            self.tell_steps(nanos(poll.end.boot) + 999, offset);
            self.ready.push_back(Reading::Snapshot(self.of_family(poll)));
            self.poll_ready = true;
        }
        self.tell_steps(until, offset);
    }

    fn tell_steps(&mut self, until: u64, offset: i64) {
        let told = self.joiner.tell(until, &mut Kernel(&mut self.polls));
        let (family, netns) = (self.family, self.netns);
        let wanted = told.into_iter().filter(|told| family.is_none_or(|f| f == told.addrs.family));
        self.ready.extend(wanted.map(|told| Reading::StateChange(change(told, netns, offset))));
    }

    fn take_poll(&mut self) -> Result<()> {
        self.excuse();
        let pass = self.pacer.start_poll(&mut self.warnings);
        let snapshot = self.polls.snapshot()?;
        // No gap: the events go on where polls pause.
        self.pacer.record_poll(&pass, &snapshot);
        self.joiner.poll(&snapshot, std::mem::take(&mut self.afresh));
        self.poll = Some(snapshot);
        self.idle_since = Some(clock::cpu());
        Ok(())
    }

    fn of_family(&self, mut poll: Snapshot) -> Snapshot {
        if let Some(family) = self.family {
            poll.rows.retain(|row| row.addrs.family == family);
        }
        poll
    }

    /// What events cost is no reason to poll less.
    fn excuse(&mut self) {
        if let Some(since) = self.idle_since.take() {
            self.pacer.exclude_cpu(clock::cpu().saturating_sub(since));
        }
    }

    /// The next reading that is ready, unless the run is over for too long.
    fn pop(&mut self) -> Option<Reading> {
        if self.over.is_some_and(|end| end <= Instant::now()) {
            self.untold = self.ready.len();
            self.ready.clear();
        }
        let reading = self.ready.pop_front()?;
        if matches!(reading, Reading::Snapshot(_)) {
            self.poll_ready = false;
            self.excuse();
        }
        Some(reading)
    }
}

impl Source for Trace {
    fn next(&mut self, stop: &Signals) -> Result<Option<Reading>> {
        // If a poll was handed out last, its price ends here.
        self.idle_since.get_or_insert_with(clock::cpu);
        loop {
            let now = Instant::now();
            if self.over.is_none() && (self.ready.is_empty() || self.next_turn <= now) {
                match stop.wait(self.next_turn)? {
                    Wake::ReaderGone => return Err(Error::ReaderGone),
                    Wake::Due | Wake::Readable => self.turn()?,
                    Wake::Ended => self.finish()?,
                }
            }
            if let Some(reading) = self.pop() {
                return Ok(Some(reading));
            }
            if self.over.is_some() {
                return Ok(None);
            }
        }
    }

    fn lookup(&mut self, questions: &[LookupRequest]) -> Result<Option<Reading>> {
        self.polls.lookup(questions)
    }

    fn has_more(&self) -> bool {
        matches!(self.ready.front(), Some(Reading::StateChange(_)))
    }

    fn recycle(&mut self, rows: Vec<SocketRow>) {
        match &mut self.polls {
            Polls::Netlink(dumps) => dumps.recycle(rows),
            Polls::Proc(proc) => proc.recycle(rows),
        }
    }

    fn interface(&self) -> Interface {
        Interface::Trace
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.warnings);
        if self.reasons_lost && !std::mem::replace(&mut self.reasons_told, true) {
            warnings.push(
                "events that tell who did a step, or why a connection was cut off, found no room; \
                 --ring takes a larger size"
                    .to_owned(),
            );
        }
        let untold = std::mem::take(&mut self.untold);
        if untold > 0 {
            warnings
                .push(format!("the run ended with {untold} changes of state read and not told"));
        }
        let undecided = self.joiner.undecided();
        if undecided > 0 && !std::mem::replace(&mut self.undecided_told, true) {
            warnings.push(format!(
                "{undecided} changes of state are left out, because nothing tells whether they \
                 are of this network namespace"
            ));
        }
        warnings
    }
}

impl Polls {
    fn open() -> Result<Self> {
        Dumps::open(None).map(Self::Netlink).or_else(|_| {
            // Only what is read of it counts here, the pace is ours.
            let pace = PollSettings { interval: Duration::ZERO, max_cpu: 100.0 };
            Proc::open(Path::new(OWN_PROCFS), None, pace).map(Box::new).map(Self::Proc)
        })
    }

    fn snapshot(&mut self) -> Result<Snapshot> {
        match self {
            Self::Netlink(dumps) => dumps.snapshot(),
            Self::Proc(proc) => proc.snapshot(),
        }
    }

    fn lookup(&mut self, questions: &[LookupRequest]) -> Result<Option<Reading>> {
        match self {
            Self::Netlink(dumps) => Ok(dumps.lookup(questions)),
            Self::Proc(proc) => proc.lookup(questions),
        }
    }
}

/// Answers what the events leave open.
struct Kernel<'a>(&'a mut Polls);

impl Look for Kernel<'_> {
    fn task(&mut self, tid: i32) -> Option<Task> {
        let home = Path::new(OWN_PROCFS).join(tid.to_string());
        let stat = fs::read(home.join("stat")).ok()?;
        let mut comm = fs::read(home.join("comm")).ok()?;
        // One newline at the end is the kernel's.
        comm.pop_if(|last| *last == b'\n');
        let kernel = flags(&stat)? & KERNEL_THREAD != 0;
        Some(Task { comm: Some(comm), netns: namespace(&home), kernel })
    }

    fn sockets(
        &mut self,
        questions: &[LookupRequest],
    ) -> (u64, Vec<(LookupRequest, LookupResult)>) {
        let answers = match self.0 {
            Polls::Netlink(dumps) => dumps.look_up(questions),
            Polls::Proc(_) => Vec::new(),
        };
        (nanos(clock::stamp().boot), answers)
    }
}

/// The flags of a thread: the seventh field behind its name, which may hold anything.
fn flags(stat: &[u8]) -> Option<u32> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
    fields.split_ascii_whitespace().nth(6)?.parse().ok()
}

fn change(told: Told, netns: u64, wall_offset: i64) -> StateChange {
    let Told { step, socket, addrs, cut } = told;
    let boot = step.time / 1000;
    let wall = i64::try_from(boot).unwrap_or(i64::MAX).saturating_add(wall_offset);
    StateChange {
        time: Stamp { wall, boot },
        netns: Some(netns),
        socket,
        addrs,
        from: step.from,
        to: step.to,
        passive: step.passive,
        caller: step.caller,
        cut,
    }
}

const fn nanos(micros: u64) -> u64 {
    micros.saturating_mul(1000)
}

fn ring_broke(cause: std::io::Error) -> Error {
    Error::System { what: "read the rings of events", cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_of_a_thread_are_found_behind_any_name() {
        let stat = b"2 (a) b 1 (2)) S 0 0 0 0 -1 2129984 0 0 0 0 0 0";
        assert_eq!(flags(stat), Some(2_129_984));
        assert_eq!(flags(b"2 (x"), None);
    }
}
