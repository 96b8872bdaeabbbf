//! Kernel events to changes of sockets of one network namespace. Pure: what has to be asked is
//! asked through [`Look`].
//!
//! An event says neither in which namespace its socket lives nor, at a connect(), which port it
//! will get. So a step waits a moment for what makes it clear, and longer, aside, if that does not
//! come in time:
//!
//! * the namespace of the thread, where the step is the thread's own doing;
//! * the other end of the connection, which never leaves the namespace on loopback addresses;
//! * who listens: without a listener here nothing can have been accepted here;
//! * the rows of sockets that were there before the first event;
//! * an exact look-up, since no two sockets of a namespace share their ends.

pub mod known;
mod namespace;

use super::record::{Context, Event, What};
use super::resets::{AFTER, End, Omens};
use super::sockets::{Life, Lives, Serial, Step};
use super::tasks::{Task, Tasks};
use crate::model::process::Caller;
use crate::model::reading::{AbortReason, LookupRequest, LookupResult, Snapshot};
use crate::model::socket::AddressPair;
use crate::model::socket_row::SocketRow;
use crate::tcp::state::State;
use known::Home;
use std::collections::{BTreeSet, HashSet, VecDeque};

/// A step waits so long (ns) for the signs of why a socket was cut off, and mostly no longer for
/// anything else.
pub const PATIENCE: u64 = AFTER;
/// A socket that has ended is waited for so long (ns): its close() may yet tell whose it was.
const GIVE_UP: u64 = 1_000_000_000;
/// Between two look-ups of the same socket (ns).
const ASK_AGAIN: u64 = 100_000_000;
/// So many steps wait aside at most.
const MOST_ASIDE: usize = 1 << 16;
/// A TIME_WAIT is this fresh (1/100 s left of 60 s) if it is of a connection that just ended.
const FRESH: u64 = 58_00;

/// What the kernel can be asked.
pub trait Look {
    /// What is known of a thread that is there now.
    fn task(&mut self, tid: i32) -> Option<Task>;

    /// Exact look-ups in the watched namespace, and when (ns of the boot clock) they were over.
    fn sockets(&mut self, questions: &[LookupRequest])
    -> (u64, Vec<(LookupRequest, LookupResult)>);
}

/// A step of a socket of the watched namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What happened, and when.
    pub step: Step,
    /// The kernel's address of the socket.
    pub socket: u64,
    /// Its ends.
    pub addrs: AddressPair,
    /// Why a step to CLOSED cut it off.
    pub cut: Option<AbortReason>,
}

/// Follows the sockets of all namespaces and tells those of one.
#[derive(Debug)]
pub struct Joiner {
    /// The inode of the watched namespace.
    netns: u64,
    tasks: Tasks,
    omens: Omens,
    home: Home,
    lives: Lives,
    /// By time; not told yet.
    queue: VecDeque<Step>,
    /// Lives that have steps aside.
    stuck: BTreeSet<Serial>,
    aside: usize,
    undecided: u64,
}

impl Joiner {
    /// Watches a namespace.
    pub fn new(netns: u64) -> Self {
        Self {
            netns,
            tasks: Tasks::default(),
            omens: Omens::default(),
            home: Home::default(),
            lives: Lives::default(),
            queue: VecDeque::new(),
            stuck: BTreeSet::new(),
            aside: 0,
            undecided: 0,
        }
    }

    /// How many steps could be told of no namespace, and are left out.
    pub const fn undecided(&self) -> u64 {
        self.undecided
    }

    /// Takes in an event; they come in the order of time.
    pub fn take(&mut self, event: &Event, look: &mut dyn Look) {
        match event.what {
            What::Step { .. } => self.step(event, look),
            What::ResetReceived { socket } => self.omens.reset_received(event.time, socket),
            What::ResetSent { socket, state } => self.omens.reset_sent(event.time, socket, state),
            What::Failed { addrs, errno } => self.omens.failed(event.time, addrs, errno),
            What::Destroyed { socket } => self.destroyed(socket, event, look),
            _ => self.tasks.take(event, &mut |tid| look.task(tid)),
        }
    }

    /// Events were lost; `tasks` if threads may have told of themselves among them.
    pub fn lost(&mut self, tasks: bool) {
        self.home.lost();
        self.lives.forget_where(|life| life.here == Some(false));
        if tasks {
            self.tasks.forget();
        }
    }

    /// Takes in a poll of the watched namespace; `afresh` if sockets may have been born without
    /// an event that was read.
    pub fn poll(&mut self, poll: &Snapshot, afresh: bool) {
        let lives = &self.lives;
        let named = |row: &SocketRow| {
            lives
                .with_ends(&row.addrs)
                .any(|(_, life)| life.here == Some(true) && life.end.is_none())
        };
        self.home.take(poll, afresh, named);
        if afresh {
            self.forget_the_missing(poll);
        }
        self.find_ports(poll);
    }

    /// Lives whose end was lost.
    fn forget_the_missing(&mut self, poll: &Snapshot) {
        let there: HashSet<AddressPair> = poll.rows.iter().map(|row| row.addrs).collect();
        let begun = poll.start.boot * 1000;
        self.lives.forget_where(|life| {
            let missed = life.since < begun && !life.lacks_port() && !there.contains(&life.addrs);
            life.here == Some(true) && missed
        });
    }

    fn step(&mut self, event: &Event, look: &mut dyn Look) {
        let What::Step { socket, addrs, from, to, passive } = event.what else { return };
        let known = self.lives.going_on(socket, &addrs).filter(|_| from != State::Closed);
        let serial = known
            .unwrap_or_else(|| self.lives.begin(socket, addrs, event.time, from == State::Closed));
        self.lives.mend(serial, addrs);
        let here = self.lives.get(serial).and_then(|life| life.here);
        let here = here
            .or_else(|| self.by_thread(event, Context::Task, look))
            // At its birth whoever connected to it is there; later only a twin may be.
            .or_else(|| self.by_other_end(&addrs).filter(|_| passive));
        let caller = if here == Some(false) { None } else { self.caller(event, from, to, look) };
        if to == State::Listen && here != Some(false) {
            self.home.listens(&addrs, event.time);
        }
        let Some(life) = self.lives.get_mut(serial) else { return };
        life.here = here;
        life.passive |= passive;
        if life.born && !self.home.is_complete_at(event.time) {
            // The last poll may have shown it already.
            self.home.name(&addrs);
        }
        let since = std::mem::replace(&mut life.since, event.time);
        if to == State::Closed {
            life.end = Some((event.time, from, event.context));
        }
        if here == Some(false) {
            return self.leave_out(serial);
        }
        life.queued += 1;
        let time = event.time;
        self.queue.push_back(Step { time, life: serial, from, to, passive, caller, since });
    }

    /// The namespace of the thread, if what it does in this context it does by itself.
    fn by_thread(&mut self, event: &Event, own: Context, look: &mut dyn Look) -> Option<bool> {
        let task = self.tasks.get(event.tid, &mut |tid| look.task(tid));
        let task = task.filter(|task| event.context == own && !task.kernel)?;
        Some(task.netns? == self.netns)
    }

    /// The process of a system call that makes such a step by itself, as far as its thread is not
    /// the kernel's own.
    fn caller(
        &mut self,
        event: &Event,
        from: State,
        to: State,
        look: &mut dyn Look,
    ) -> Option<Caller> {
        use State::{CloseWait, Closed, Established, FinWait1, LastAck, Listen, SynRecv, SynSent};
        let called = matches!(
            (from, to),
            (Closed, SynSent | Listen)
                | (Listen, Closed)
                | (Established | SynRecv, FinWait1)
                | (CloseWait, LastAck)
        );
        if !called || event.context != Context::Task || event.pid <= 0 {
            return None;
        }
        let look = &mut |tid| look.task(tid);
        let of_thread = self.tasks.get(event.tid, look).cloned().unwrap_or_default();
        let of_process = self.tasks.get(event.pid, look).and_then(|task| task.comm.clone());
        let comm = of_process.or(of_thread.comm);
        (!of_thread.kernel).then_some(Caller { pid: event.pid, comm })
    }

    /// A full socket ended. Where its last step was the network's doing, its end in a thread's own
    /// time is that thread's close().
    fn destroyed(&mut self, socket: u64, event: &Event, look: &mut dyn Look) {
        let Some(serial) = self.lives.named(socket) else { return };
        let undecided = |life: &Life| {
            life.here.is_none()
                && life.end.is_some_and(|(_, _, context)| context == Context::Interrupt)
        };
        if self.lives.get(serial).is_some_and(undecided) {
            let here = self
                .by_thread(event, Context::Task, look)
                .or_else(|| self.by_thread(event, Context::Masked, look));
            self.decide(serial, here);
        }
    }

    /// What is to be told up to this time (ns), in the order of time.
    pub fn tell(&mut self, until: u64, look: &mut dyn Look) -> Vec<Told> {
        let ripe = self.queue.iter().take_while(|step| step.time <= until).count();
        let due: Vec<Step> = self.queue.drain(..ripe).collect();
        self.judge(&due, until, look);
        let mut told = Vec::with_capacity(due.len());
        for serial in self.stuck.clone() {
            self.try_to_tell(serial, &mut told);
        }
        for step in due {
            self.settle(step, &mut told);
        }
        self.give_up(until);
        told.sort_by_key(|told| told.step.time);
        self.omens.forget_before(until);
        told
    }

    /// A step is due: it is told, left out, or put aside until more is known.
    fn settle(&mut self, step: Step, told: &mut Vec<Told>) {
        let serial = step.life;
        let Some(life) = self.lives.get_mut(serial) else { return };
        life.queued -= 1;
        if life.here == Some(false) {
            return self.leave_out(serial);
        }
        life.aside.push(step);
        self.aside += 1;
        self.try_to_tell(serial, told);
    }

    /// Tells what waits aside of a life if it is clear now, and forgets it if it is not ours.
    fn try_to_tell(&mut self, serial: Serial, told: &mut Vec<Told>) {
        let Some(life) = self.lives.get_mut(serial) else {
            self.stuck.remove(&serial);
            return;
        };
        match life.here {
            Some(false) => return self.leave_out(serial),
            Some(true) if !life.lacks_port() => {}
            _ => {
                self.stuck.insert(serial);
                return;
            }
        }
        let (socket, addrs, until) = (life.socket, life.addrs, life.until);
        let steps = std::mem::take(&mut life.aside);
        self.aside -= steps.len();
        for step in steps {
            let Step { from, since, time, to, .. } = step;
            let end = End { socket, addrs, from, since, time, until };
            let cut = if to == State::Closed { self.omens.cut(&end) } else { None };
            told.push(Told { step, socket, addrs, cut });
        }
        self.home.name(&addrs);
        self.stuck.remove(&serial);
        self.lives.drop_if_over(serial);
    }

    /// A life of another namespace, or of one that will never be known.
    fn leave_out(&mut self, serial: Serial) {
        if let Some(life) = self.lives.get_mut(serial) {
            self.aside -= std::mem::take(&mut life.aside).len();
        }
        self.stuck.remove(&serial);
        self.lives.drop_if_over(serial);
    }

    /// Counts and leaves out what ended long ago, or what there is no room for.
    fn give_up(&mut self, until: u64) {
        for serial in self.stuck.clone() {
            let Some(life) = self.lives.get_mut(serial) else { continue };
            let too_late = life.end.is_some_and(|(time, ..)| time + GIVE_UP < until);
            if too_late || self.aside > MOST_ASIDE {
                self.undecided += life.aside.len() as u64;
                self.leave_out(serial);
            }
        }
    }
}

#[cfg(test)]
mod tests;
