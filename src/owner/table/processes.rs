//! The processes that hold sockets: each once, however many sockets it holds.

use crate::model::growth::most_kept;
use crate::model::process::{Holder, Process};
use std::collections::HashMap;
use std::num::NonZeroI32;
use std::rc::Rc;

/// A descriptor of a socket, as the table stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Descriptor {
    /// The number of its process in the [`ProcessTable`].
    pub(super) process: u32,
    /// See [`Holder::task`].
    pub(super) task: Option<NonZeroI32>,
    /// See [`Holder::fd`].
    pub(super) fd: i32,
}

/// Processes by number. A number is used again after its process is gone.
#[derive(Debug, Default)]
pub(super) struct ProcessTable {
    /// `None` for a number that is free.
    slots: Vec<Option<Rc<Process>>>,
    free: Vec<u32>,
    by_identity: HashMap<(i32, u64), u32, foldhash::fast::RandomState>,
    /// How many there were after the last sweep.
    swept: usize,
}

/// Processes that a search found: they are added to the table once they hold a wanted socket.
pub(super) struct FoundProcesses<'a> {
    table: &'a mut ProcessTable,
    found: HashMap<(i32, u64), Process, foldhash::fast::RandomState>,
    /// The last one asked for: sockets of the same process come together.
    last: Option<((i32, u64), u32)>,
}

impl ProcessTable {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_identity.len()
    }

    /// Offers the processes that a search found.
    pub(super) fn with_found(&mut self, processes: Vec<Process>) -> FoundProcesses<'_> {
        let found = processes.into_iter().map(|process| (process.identity(), process)).collect();
        FoundProcesses { table: self, found, last: None }
    }

    /// The descriptor of a holder; `None` if its process is not in the table.
    pub(super) fn descriptor(&self, holder: &Holder) -> Option<Descriptor> {
        let process = *self.by_identity.get(&holder.process())?;
        Some(Descriptor::new(process, holder))
    }

    /// The process of a descriptor.
    pub(super) fn process(&self, descriptor: Descriptor) -> &Rc<Process> {
        let process = self.slots[descriptor.process as usize].as_ref();
        process.expect("a sweep keeps every process that a socket refers to")
    }

    /// The holder that a descriptor stands for.
    pub(super) fn holder(&self, descriptor: Descriptor) -> Holder {
        let Process { pid, start, .. } = **self.process(descriptor);
        let task = descriptor.task.map(NonZeroI32::get);
        Holder { pid, start, fd: descriptor.fd, task }
    }

    pub(super) fn rename(&mut self, holder: &Holder, comm: Vec<u8>) {
        if let Some(number) = self.by_identity.get(&holder.process())
            && let Some(process) = &mut self.slots[*number as usize]
            && process.comm != comm
        {
            Rc::make_mut(process).comm = comm;
        }
    }

    /// Whether a sweep is worth its cost.
    pub(super) fn has_grown(&self) -> bool {
        self.by_identity.len() > most_kept(self.swept)
    }

    /// Drops all processes but those of these descriptors.
    pub(super) fn sweep(&mut self, in_use: impl Iterator<Item = Descriptor>) {
        let mut used = vec![false; self.slots.len()];
        for descriptor in in_use {
            used[descriptor.process as usize] = true;
        }
        let end = used.iter().rposition(|used| *used).map_or(0, |last| last + 1);
        self.slots.truncate(end);
        self.free.clear();
        for (number, process) in (0..).zip(&mut self.slots) {
            if !used[number as usize] {
                *process = None;
                self.free.push(number);
            }
        }
        self.by_identity.retain(|_, number| used[*number as usize]);
        self.swept = self.by_identity.len();
        self.slots.shrink_to_fit();
        self.by_identity.shrink_to(2 * self.swept);
    }

    /// Adds or replaces a process, and returns its number.
    fn put(&mut self, process: Process) -> u32 {
        let identity = process.identity();
        let process = Some(Rc::new(process));
        if let Some(number) = self.by_identity.get(&identity) {
            self.slots[*number as usize] = process;
            return *number;
        }
        let number = if let Some(number) = self.free.pop() {
            self.slots[number as usize] = process;
            number
        } else {
            self.slots.push(process);
            u32::try_from(self.slots.len() - 1).expect("there are at most 2^22 processes")
        };
        self.by_identity.insert(identity, number);
        number
    }
}

impl FoundProcesses<'_> {
    /// The descriptor of a holder, whose process is added to the table; `None` if the process was
    /// neither found nor is in the table.
    pub(super) fn descriptor(&mut self, holder: &Holder) -> Option<Descriptor> {
        let identity = holder.process();
        let number = match self.last {
            Some((last, number)) if last == identity => number,
            _ => match self.found.remove(&identity) {
                Some(process) => self.table.put(process),
                None => *self.table.by_identity.get(&identity)?,
            },
        };
        self.last = Some((identity, number));
        Some(Descriptor::new(number, holder))
    }
}

impl Descriptor {
    fn new(process: u32, holder: &Holder) -> Self {
        Self { process, task: holder.task.and_then(NonZeroI32::new), fd: holder.fd }
    }
}
