//! The processes that hold sockets: each once, however many sockets it holds.

use super::SLACK;
use crate::model::process::{Holder, Process};
use std::collections::HashMap;
use std::num::NonZeroI32;
use std::rc::Rc;

/// A descriptor of a socket in one of the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// Its place in the roll.
    pub(super) process: u32,
    /// The thread whose table it is in, where that is not the table of the process.
    pub(super) task: Option<NonZeroI32>,
    /// The number of the descriptor.
    pub(super) fd: i32,
}

/// Processes by number.
#[derive(Debug, Default)]
pub(super) struct ProcessTable {
    /// A place that is free holds nobody.
    places: Vec<Option<Rc<Process>>>,
    free: Vec<u32>,
    by_identity: HashMap<(i32, u64), u32, foldhash::fast::RandomState>,
    /// How many there were after the last sweep.
    swept: usize,
}

/// Processes that a scan tells of. They come into the roll when they hold a socket that matters.
pub(super) struct Telling<'a> {
    roll: &'a mut ProcessTable,
    told: HashMap<(i32, u64), Process, foldhash::fast::RandomState>,
    /// The last one asked for: sockets of the same process come together.
    last: Option<((i32, u64), u32)>,
}

impl ProcessTable {
    /// How many processes there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_identity.len()
    }

    /// Takes in what a scan tells of processes.
    pub(super) fn tell(&mut self, processes: Vec<Process>) -> Telling<'_> {
        let told = processes.into_iter().map(|process| (process.identity(), process)).collect();
        Telling { roll: self, told, last: None }
    }

    /// A descriptor of a process that is here.
    pub(super) fn held(&self, holder: &Holder) -> Option<Held> {
        let process = *self.by_identity.get(&holder.process())?;
        Some(Held::new(process, holder))
    }

    /// The process of a descriptor.
    pub(super) fn process(&self, held: Held) -> &Rc<Process> {
        let process = self.places[held.process as usize].as_ref();
        process.expect("a sweep keeps every process that a socket refers to")
    }

    /// The descriptor as the rest of the world knows it.
    pub(super) fn holder(&self, held: Held) -> Holder {
        let process = self.process(held);
        let task = held.task.map(NonZeroI32::get);
        Holder { pid: process.pid, start: process.start, fd: held.fd, task }
    }

    pub(super) fn rename(&mut self, holder: &Holder, comm: Vec<u8>) {
        if let Some(place) = self.by_identity.get(&holder.process())
            && let Some(process) = &mut self.places[*place as usize]
            && process.comm != comm
        {
            Rc::make_mut(process).comm = comm;
        }
    }

    /// Whether a sweep is worth its while.
    pub(super) fn has_grown(&self) -> bool {
        self.by_identity.len() > 2 * self.swept + SLACK
    }

    /// Lets all go that are not among these holders.
    pub(super) fn sweep(&mut self, holders: impl Iterator<Item = Held>) {
        let mut alive = vec![false; self.places.len()];
        for held in holders {
            alive[held.process as usize] = true;
        }
        let still = alive.iter().rposition(|alive| *alive).map_or(0, |last| last + 1);
        self.places.truncate(still);
        self.free.clear();
        for (number, process) in (0..).zip(&mut self.places) {
            if !alive[number as usize] {
                *process = None;
                self.free.push(number);
            }
        }
        self.by_identity.retain(|_, number| alive[*number as usize]);
        self.swept = self.by_identity.len();
        self.places.shrink_to_fit();
        self.by_identity.shrink_to(2 * self.swept);
    }

    /// Gives a process its place, or a new description.
    fn put(&mut self, process: Process) -> u32 {
        let identity = process.identity();
        let process = Some(Rc::new(process));
        if let Some(place) = self.by_identity.get(&identity) {
            self.places[*place as usize] = process;
            return *place;
        }
        let place = if let Some(place) = self.free.pop() {
            self.places[place as usize] = process;
            place
        } else {
            self.places.push(process);
            u32::try_from(self.places.len() - 1).expect("there are at most 2^22 processes")
        };
        self.by_identity.insert(identity, place);
        place
    }
}

impl Telling<'_> {
    /// A descriptor that matters, if its process was told of or is known.
    pub(super) fn note(&mut self, holder: &Holder) -> Option<Held> {
        let identity = holder.process();
        let place = match self.last {
            Some((last, place)) if last == identity => place,
            _ => match self.told.remove(&identity) {
                Some(process) => self.roll.put(process),
                None => *self.roll.by_identity.get(&identity)?,
            },
        };
        self.last = Some((identity, place));
        Some(Held::new(place, holder))
    }
}

impl Held {
    fn new(process: u32, holder: &Holder) -> Self {
        let task = holder.task.and_then(NonZeroI32::new);
        Self { process, task, fd: holder.fd }
    }
}
