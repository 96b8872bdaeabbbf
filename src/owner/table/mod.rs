//! Who holds which socket: what the scans found, kept as long as a life refers to it. Pure.
//!
//! There may be a hundred thousand sockets, so a line of the book is short: one descriptor stands
//! in it, and its process is one that many lines share.

mod roll;

use crate::filter::{Match, ProcessFilter};
use crate::model::event::OwnerClues;
use crate::model::process::{Attribution, ByInode, Holder, Inodes, OwnerSource, Process};
use roll::{Held, ProcessTable};
use std::rc::Rc;

/// Room for this many more entries than there are lives before the book is cleaned: a scan of
/// everything is too dear to repeat, a stale line is not.
const SLACK: usize = 4096;

/// What one scan found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The processes that were looked at.
    pub processes: Vec<Process>,
    /// The sockets they hold: inode and descriptor.
    pub holders: Vec<(u64, Holder)>,
    /// Processes that may not be read but could hold any socket.
    pub denied: u64,
}

impl Found {
    /// Whether all of these sockets were found.
    pub fn has_all(&self, wanted: &Inodes) -> bool {
        let found = self.holders.iter().map(|(inode, _)| *inode);
        let found: Inodes = found.filter(|inode| wanted.contains(inode)).collect();
        found.len() == wanted.len()
    }
}

/// What is known of each inode. It holds at most twice as many as there are lives, and their
/// processes, and a constant more: see [`OwnerTable::sweep`].
#[derive(Debug, Default)]
pub struct OwnerTable {
    sockets: ByInode<Entry>,
    processes: ProcessTable,
    /// The boot time (µs) of the reading: what was found for this one needs no second look.
    round: u64,
    /// All there is was looked for in this very round: the first look asks for everything.
    is_new: bool,
    /// Some process could not be read when something was looked for.
    was_denied: bool,
}

#[derive(Debug, Default)]
struct Entry {
    holders: Holders,
    looked_for: LookedFor,
    /// The round in which its holders were last seen to hold it.
    proven: u64,
}

/// The round in which a socket was last looked for, and whether some processes could not be read
/// then: in one word, since there is one for every socket.
#[derive(Debug, Clone, Copy, Default)]
struct LookedFor(u64);

/// The holders of one socket, in the order of their processes' start. Nearly every socket has one,
/// in its process's only table.
#[derive(Debug, Default)]
enum Holders {
    #[default]
    Nobody,
    One {
        process: u32,
        fd: i32,
    },
    Several(Box<Several>),
}

/// Behind one pointer of one word.
#[derive(Debug)]
struct Several(Box<[Held]>);

impl OwnerTable {
    /// A new reading of this boot time (µs): what was proven before has to be proven again.
    pub const fn begin_round(&mut self, time: u64) {
        self.round = time;
        self.is_new = false;
    }

    /// Room for so many inodes, in the order in which the book has them: to look them up one after
    /// the other then costs no way through all its memory for each.
    pub fn room_for(&self, inodes: usize) -> Inodes {
        Inodes::with_capacity_and_hasher(inodes, self.sockets.hasher().clone())
    }

    /// Whether somebody has looked for this inode before.
    pub fn knows(&self, inode: u64) -> bool {
        self.sockets.contains_key(&inode)
    }

    /// Whether nothing has been looked for.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// Whether some process could not be read when something was looked for.
    pub const fn was_denied(&self) -> bool {
        self.was_denied
    }

    /// Whether its holders were seen to hold it for this very reading.
    pub fn is_proven(&self, inode: u64) -> bool {
        self.sockets.get(&inode).is_some_and(|entry| self.proves(entry))
    }

    fn proves(&self, entry: &Entry) -> bool {
        entry.proven == self.round && !entry.holders.is_empty()
    }

    /// Whether it needs no look now: its holders were seen to hold it for this very reading, or it
    /// has been looked for in this round, and a second scan would find no more.
    pub fn is_settled(&self, inode: u64) -> bool {
        let settled = |entry: &Entry| self.proves(entry) || entry.looked_for.round() == self.round;
        self.is_new || self.sockets.get(&inode).is_some_and(settled)
    }

    /// Whether anybody was found to hold it.
    pub fn is_held(&self, inode: u64) -> bool {
        self.sockets.get(&inode).is_some_and(|entry| !entry.holders.is_empty())
    }

    /// The holders found so far.
    pub fn holders(&self, inode: u64) -> impl Iterator<Item = Holder> {
        self.held(inode).map(|held| self.processes.holder(held))
    }

    /// Takes in what a scan for these inodes found. Other sockets that came to light are noted
    /// where they were known before.
    pub fn learn(&mut self, wanted: &Inodes, found: Found) {
        let Found { processes, mut holders, denied } = found;
        let looked_for = LookedFor::new(self.round, denied > 0);
        self.is_new |= self.is_empty();
        self.was_denied |= denied > 0;
        let known =
            if self.is_empty() { 0 } else { wanted.iter().filter(|it| self.knows(**it)).count() };
        self.sockets.reserve(wanted.len() - known);
        for inode in wanted {
            self.sockets.entry(*inode).or_default().looked_for = looked_for;
        }
        // A process that holds none of these is of no use, and a socket whose process is not told
        // has nobody to be told of.
        let mut told = self.processes.tell(processes);
        holders.sort_unstable_by_key(|(inode, holder)| (*inode, holder.order()));
        for socket in holders.chunk_by(|(inode, _), (other, _)| inode == other) {
            let Some(entry) = self.sockets.get_mut(&socket[0].0) else { continue };
            entry.take(socket.iter().filter_map(|(_, holder)| told.note(holder)), self.round);
        }
    }

    /// These of its holders were seen to hold it just now.
    pub fn confirm(&mut self, inode: u64, holders: &[Holder]) {
        if let Some(entry) = self.sockets.get_mut(&inode) {
            let held = holders.iter().filter_map(|holder| self.processes.held(holder));
            entry.take(held, self.round);
        }
    }

    /// The boot time (µs) of the reading for which its holders were last seen to hold it.
    pub fn proven_at(&self, inode: u64) -> u64 {
        self.sockets.get(&inode).map_or(0, |entry| entry.proven)
    }

    /// A process that was gone when it was asked for its name, as it was known when it was found
    /// to hold this inode.
    pub fn named(&self, inode: u64, process: Rc<Process>) -> Rc<Process> {
        if !process.is_unknown() {
            return process;
        }
        let mut holders = self.held(inode).map(|held| self.processes.process(held));
        holders.find(|holder| holder.pid == process.pid).cloned().unwrap_or(process)
    }

    /// Forgets who held this inode before a life with it began at this boot time (µs).
    pub fn disown(&mut self, inode: u64, born: u64) {
        if let Some(entry) = self.sockets.get_mut(&inode)
            && entry.proven < born
        {
            entry.holders = Holders::Nobody;
        }
    }

    /// A process may have been renamed since it was found.
    pub fn rename(&mut self, holder: &Holder, comm: Vec<u8>) {
        self.processes.rename(holder, comm);
    }

    /// Whose socket it is. The main owner is one that the filter matches, if any does.
    pub fn attribute(&self, clues: OwnerClues, filter: &ProcessFilter) -> Attribution {
        let OwnerClues { inode, last_inode: last, listener, .. } = clues;
        if let Some(entry) = self.sockets.get(&last)
            && !entry.holders.is_empty()
        {
            let proven = if inode == last { self.proves(entry) } else { self.is_proven(inode) };
            let source = if proven { OwnerSource::Proven } else { OwnerSource::Remembered };
            return self.attribution(&entry.holders, filter, source);
        }
        // An inode that nobody was found to hold was accepted, so the listener proves nothing.
        if last == 0
            && let Some(main) = self.single_process(listener)
        {
            let main = Some(Rc::clone(main));
            return Attribution { main, holders: Vec::new(), source: OwnerSource::Listener };
        }
        let asked = if last == 0 { listener } else { last };
        let denied = self.sockets.get(&asked).is_some_and(|entry| entry.looked_for.denied());
        let source = if denied { OwnerSource::Denied } else { OwnerSource::Unknown };
        Attribution { main: None, holders: Vec::new(), source }
    }

    /// Forgets what no life refers to any more, when there is much of it: sockets, and processes,
    /// which may be new ones each time with sockets that stay.
    pub fn sweep(&mut self, lives: usize, in_use: impl Iterator<Item = u64>) {
        let most = 2 * lives + SLACK;
        if self.sockets.len() > most {
            let in_use: Inodes = in_use.collect();
            self.sockets.retain(|inode, _| in_use.contains(inode));
            self.sockets.shrink_to(most);
        } else if !self.processes.has_grown() {
            return;
        }
        let holders = self.sockets.values().flat_map(|entry| entry.holders.iter());
        self.processes.sweep(holders);
    }

    fn held(&self, inode: u64) -> impl Iterator<Item = Held> + Clone {
        self.sockets.get(&inode).into_iter().flat_map(|entry| entry.holders.iter())
    }

    /// The process that alone holds a socket, through however many descriptors.
    fn single_process(&self, inode: u64) -> Option<&Rc<Process>> {
        let mut holders = self.held(inode);
        let first = self.processes.process(holders.next()?);
        holders.all(|held| self.processes.process(held).pid == first.pid).then_some(first)
    }

    fn attribution(
        &self,
        holders: &Holders,
        filter: &ProcessFilter,
        source: OwnerSource,
    ) -> Attribution {
        let mut processes = holders.iter().map(|held| self.processes.process(held));
        let wanted = |process: &&Rc<Process>| filter.matches(process) == Match::Yes;
        let main = processes.clone().find(wanted).or_else(|| processes.next()).cloned();
        let named =
            |held: Held| (self.processes.holder(held), Rc::clone(self.processes.process(held)));
        Attribution { main, holders: holders.iter().map(named).collect(), source }
    }
}

impl Entry {
    /// These hold it, in order, as was seen in this round; if they are nobody, nothing was seen.
    fn take(&mut self, mut held: impl Iterator<Item = Held>, round: u64) {
        let Some(first) = held.next() else { return };
        self.proven = round;
        self.holders = match (first, held.next()) {
            (Held { process, task: None, fd }, None) => Holders::One { process, fd },
            (_, second) => {
                let mut all: Vec<Held> = [first].into_iter().chain(second).chain(held).collect();
                all.dedup_by_key(|held| (held.process, held.fd));
                Holders::Several(Box::new(Several(all.into())))
            }
        };
    }
}

impl Holders {
    const fn is_empty(&self) -> bool {
        matches!(self, Self::Nobody)
    }

    fn iter(&self) -> impl Iterator<Item = Held> + Clone {
        let (one, several): (_, &[Held]) = match self {
            Self::Nobody => (None, &[]),
            Self::One { process, fd } => {
                (Some(Held { process: *process, task: None, fd: *fd }), &[])
            }
            Self::Several(several) => (None, &several.0),
        };
        one.into_iter().chain(several.iter().copied())
    }
}

impl LookedFor {
    /// Microseconds since boot leave the highest bit free for some hundred thousand years.
    const fn new(round: u64, denied: bool) -> Self {
        Self(round << 1 | denied as u64)
    }

    const fn round(self) -> u64 {
        self.0 >> 1
    }

    const fn denied(self) -> bool {
        self.0 & 1 == 1
    }
}

#[cfg(test)]
mod tests;
