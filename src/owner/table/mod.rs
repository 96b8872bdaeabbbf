//! What one run has found about the holders of sockets, kept as long as it follows the socket. It
//! reads nothing itself.
//!
//! There may be a hundred thousand sockets, so an entry is small: one descriptor stands in it, and
//! its process is shared.

mod processes;

use crate::filter::{Match, ProcessFilter};
use crate::model::event::{Listeners, OwnerClues};
use crate::model::growth::most_kept;
use crate::model::process::{Attribution, ByInode, Holder, Inodes, OwnerSource, Process};
use processes::{Descriptor, ProcessTable};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::rc::Rc;

/// What one search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchResult {
    /// The processes that hold sockets.
    pub processes: Vec<Process>,
    /// The inodes of these sockets, with a descriptor each.
    pub holders: Vec<(u64, Holder)>,
    /// Processes that permission is denied to inspect: some of their descriptors, which could lead
    /// to any socket, or the name that decides whether the holder of a wanted socket matches.
    pub denied: Vec<Process>,
    /// There may be processes that are not listed: they are hidden (`hidepid`), belong to another
    /// pid namespace, or came and went.
    pub hidden: bool,
    /// Processes with threads whose descriptors were not read, since there are too many: one of them may
    /// hold a wanted socket in a table of its own.
    pub unread: Vec<Process>,
}

impl SearchResult {
    /// Whether nobody else can hold a wanted socket.
    pub(crate) const fn is_whole(&self) -> bool {
        self.denied.is_empty() && !self.hidden && self.unread.is_empty()
    }

    /// Whether a holder of each of these sockets was found.
    pub(crate) fn has_all(&self, wanted: &Inodes) -> bool {
        let is_wanted = |inode: &u64| wanted.contains(inode);
        let found: Inodes =
            self.holders.iter().map(|(inode, _)| *inode).filter(is_wanted).collect();
        found.len() == wanted.len()
    }

    /// Puts the holders in the order of their sockets and, for each socket, in the order in which
    /// their processes were started: the order in which they are reported. A descriptor that threads have,
    /// too, is their process's.
    pub(crate) fn sort(&mut self) {
        let order = |(inode, holder): &(u64, Holder)| (*inode, holder.start, holder.pid, holder.fd);
        self.holders.sort_unstable_by_key(|found| (order(found), found.1.task));
        self.holders.dedup_by_key(|found| order(found));
    }

    /// The holders by socket, once they are sorted.
    pub(crate) fn by_socket(&self) -> impl Iterator<Item = &[(u64, Holder)]> {
        self.holders.chunk_by(|(inode, _), (other, _)| inode == other)
    }
}

/// The holders of sockets by inode. It has at most twice as many entries as the run follows sockets,
/// their processes, and a constant more: see [`OwnerTable::sweep`].
#[derive(Debug, Default)]
pub(crate) struct OwnerTable {
    sockets: ByInode<KnownHolders>,
    processes: ProcessTable,
    /// The end of the reading that is being processed (boot time, µs).
    reading: u64,
    /// All sockets were searched for in this very reading: the first search is for everything.
    is_new: bool,
    /// Some process could not be read in one of the searches.
    was_denied: bool,
}

#[derive(Debug, Default)]
struct KnownHolders {
    holders: Holders,
    last_search: LastSearch,
    /// The last reading in which its holders were seen to hold it.
    proven: u64,
}

/// The reading in which a socket was last searched for, and whether some processes could not be read
/// then: in one word, since there is one for every socket.
#[derive(Debug, Clone, Copy, Default)]
struct LastSearch(u64);

/// The holders of one socket, in the order of their processes' start. Nearly every socket has one,
/// in its process's only table of descriptors.
#[derive(Debug, Default)]
enum Holders {
    #[default]
    None,
    One {
        process: u32,
        fd: i32,
    },
    Many(Box<Many>),
}

/// Boxed again, so that the pointer takes one word.
#[derive(Debug)]
struct Many(Box<[Descriptor]>);

impl OwnerTable {
    /// A reading that ended at this boot time (µs) is processed from now on: what was proven before
    /// has to be proven again.
    pub(crate) const fn start_reading(&mut self, end: u64) {
        self.reading = end;
        self.is_new = false;
    }

    /// An empty set with room for this many inodes, which it has in the same order as this table:
    /// to look them up one after the other then stays within the processor's caches.
    pub(crate) fn inode_set(&self, capacity: usize) -> Inodes {
        Inodes::with_capacity_and_hasher(capacity, self.sockets.hasher().clone())
    }

    /// Whether the holders of this socket were searched for before, among all processes in scope.
    pub(crate) fn was_searched(&self, inode: u64) -> bool {
        self.sockets.get(&inode).is_some_and(|entry| entry.last_search.reading() > 0)
    }

    fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// Whether some process could not be read in one of the searches.
    pub(crate) const fn was_denied(&self) -> bool {
        self.was_denied
    }

    /// Whether the holders of this socket were seen to hold it in this very reading.
    pub(crate) fn is_proven(&self, inode: u64) -> bool {
        self.sockets.get(&inode).is_some_and(|entry| self.proves(entry))
    }

    fn proves(&self, entry: &KnownHolders) -> bool {
        entry.proven == self.reading && !entry.holders.is_empty()
    }

    /// Whether nothing more can be found now: the holders were seen to hold it in this very
    /// reading, or it was searched for in it.
    pub(crate) fn is_settled(&self, inode: u64) -> bool {
        let is_settled = |entry: &KnownHolders| {
            self.proves(entry) || entry.last_search.reading() == self.reading
        };
        self.is_new || self.sockets.get(&inode).is_some_and(is_settled)
    }

    /// Whether a holder is known.
    pub(crate) fn is_held(&self, inode: u64) -> bool {
        self.sockets.get(&inode).is_some_and(|entry| !entry.holders.is_empty())
    }

    /// Whether a holder is known that matches.
    pub(crate) fn is_matched(&self, inode: u64, filter: &ProcessFilter) -> bool {
        let mut holders =
            self.descriptors(inode).map(|descriptor| self.processes.process(descriptor));
        holders.any(|process| filter.matches(process) == Match::Yes)
    }

    /// The holders known.
    pub(crate) fn holders(&self, inode: u64) -> impl Iterator<Item = Holder> {
        self.descriptors(inode).map(|descriptor| self.processes.holder(descriptor))
    }

    /// Stores what a search for these sockets found. Holders of other sockets are stored where the
    /// socket was searched for before.
    pub(crate) fn insert(&mut self, wanted: &Inodes, mut found: SearchResult) {
        found.sort();
        let last_search = LastSearch::new(self.reading, !found.is_whole());
        self.is_new |= self.is_empty();
        self.was_denied |= !found.is_whole();
        let searched = |inode: &&u64| self.sockets.contains_key(*inode);
        let known = if self.is_empty() { 0 } else { wanted.iter().filter(searched).count() };
        self.sockets.reserve(wanted.len() - known);
        for inode in wanted {
            self.sockets.entry(*inode).or_default().last_search = last_search;
        }
        // A process that holds none of these is of no use, and a holder whose process was not read
        // cannot be reported.
        let mut processes = self.processes.with_found(std::mem::take(&mut found.processes));
        for socket in found.by_socket() {
            let Some(entry) = self.sockets.get_mut(&socket[0].0) else { continue };
            let held = socket.iter().filter_map(|(_, holder)| processes.descriptor(holder));
            entry.set_holders(held, self.reading);
        }
    }

    /// Stores holders that a search of some processes found, beside those that are known.
    pub(crate) fn insert_more(&mut self, mut found: SearchResult) {
        found.sort();
        let mut processes = self.processes.with_found(std::mem::take(&mut found.processes));
        for socket in found.by_socket() {
            let entry = self.sockets.entry(socket[0].0).or_default();
            let seen = socket.iter().filter_map(|(_, holder)| processes.descriptor(holder));
            let seen: SmallVec<[Descriptor; 8]> = seen.collect();
            let mut held: SmallVec<[Descriptor; 8]> = entry.holders.iter().collect();
            // Those that were known and not seen may have let go of it.
            let are_all_seen = held.iter().all(|known| seen.contains(known));
            let proven = if are_all_seen { self.reading } else { entry.proven };
            held.extend(seen.into_iter().filter(|new| !entry.holders.iter().any(|it| it == *new)));
            entry.set_holders(held.into_iter(), proven);
        }
    }

    /// Stores that these of its holders, in their order, were seen to hold a socket just now; if
    /// none is left, nothing.
    pub(crate) fn confirm(&mut self, inode: u64, holders: &[Holder]) {
        if let Some(entry) = self.sockets.get_mut(&inode) {
            let held = holders.iter().filter_map(|holder| self.processes.descriptor(holder));
            entry.set_holders(held, self.reading);
        }
    }

    /// The end (boot time, µs) of the last reading in which its holders were seen to hold it.
    pub(crate) fn proven_at(&self, inode: u64) -> u64 {
        self.sockets.get(&inode).map_or(0, |entry| entry.proven)
    }

    /// Describes a process that could not be read any more by what is known of it as a holder of
    /// this socket.
    pub(crate) fn best_known(&self, inode: u64, process: Rc<Process>) -> Rc<Process> {
        let mut holders =
            self.descriptors(inode).map(|descriptor| self.processes.process(descriptor));
        holders.find(|holder| process.was_read_as(holder)).cloned().unwrap_or(process)
    }

    /// Forgets the holders of an earlier socket with this inode: those seen before this boot time
    /// (µs).
    pub(crate) fn forget_holders_before(&mut self, inode: u64, opened: u64) {
        if let Some(entry) = self.sockets.get_mut(&inode)
            && entry.proven < opened
        {
            entry.holders = Holders::None;
        }
    }

    /// Gives a holder's process its present name.
    pub(crate) fn rename(&mut self, holder: &Holder, comm: Vec<u8>) {
        self.processes.rename(holder, comm);
    }

    /// The owner of a socket. The main one is one that the filter matches, if any does.
    pub(crate) fn attribute(&self, clues: &OwnerClues, filter: &ProcessFilter) -> Attribution {
        let OwnerClues { inode, last_inode: last, .. } = *clues;
        if let Some(entry) = self.sockets.get(&last)
            && !entry.holders.is_empty()
        {
            let proven = if inode == last { self.proves(entry) } else { self.is_proven(inode) };
            let source = if proven { OwnerSource::Proven } else { OwnerSource::Remembered };
            return self.attribution(entry.holders.iter(), filter, source);
        }
        let candidates = self.listening_processes(&clues.listeners);
        if !candidates.is_empty() {
            let owner = self.attribution(candidates.iter().copied(), filter, OwnerSource::Listener);
            // The descriptor leads to the listener, so it is of interest only as one of several.
            let holders = if candidates.len() > 1 { owner.holders } else { Vec::new() };
            return Attribution { holders, ..owner };
        }
        let is_denied = |entry: &KnownHolders| entry.last_search.denied();
        let denied = clues.inodes().any(|inode| self.sockets.get(&inode).is_some_and(is_denied));
        let source = if denied { OwnerSource::Denied } else { OwnerSource::Unknown };
        Attribution { main: None, holders: Vec::new(), source }
    }

    /// Drops the entries of sockets that are not among these inodes, once there are many, and
    /// processes without a socket. There may be new processes all the time although the sockets
    /// stay.
    pub(crate) fn sweep(&mut self, sockets: usize, in_use: impl Iterator<Item = u64>) {
        let most = most_kept(sockets);
        if self.sockets.len() > most {
            let in_use: Inodes = in_use.collect();
            self.sockets.retain(|inode, _| in_use.contains(inode));
            self.sockets.shrink_to(most);
        } else if !self.processes.has_grown() {
            return;
        }
        self.processes.sweep(self.sockets.values().flat_map(|entry| entry.holders.iter()));
    }

    fn descriptors(&self, inode: u64) -> impl Iterator<Item = Descriptor> + Clone {
        self.sockets.get(&inode).into_iter().flat_map(|entry| entry.holders.iter())
    }

    /// The processes that hold one of these listeners, with a descriptor each, in the order of their
    /// start.
    fn listening_processes(&self, listeners: &Listeners) -> Vec<Descriptor> {
        let mut found = HashMap::new();
        for descriptor in listeners.iter().flat_map(|inode| self.descriptors(inode)) {
            found.entry(descriptor.process).or_insert(descriptor);
        }
        let mut found: Vec<Descriptor> = found.into_values().collect();
        found.sort_unstable_by_key(|descriptor| {
            let process = self.processes.process(*descriptor);
            (process.start, process.pid)
        });
        found
    }

    fn attribution(
        &self,
        holders: impl Iterator<Item = Descriptor> + Clone,
        filter: &ProcessFilter,
        source: OwnerSource,
    ) -> Attribution {
        let mut processes = holders.clone().map(|descriptor| self.processes.process(descriptor));
        let wanted = |process: &&Rc<Process>| filter.matches(process) == Match::Yes;
        let main = processes.clone().find(wanted).or_else(|| processes.next()).cloned();
        let with_process = |descriptor| {
            (self.processes.holder(descriptor), Rc::clone(self.processes.process(descriptor)))
        };
        Attribution { main, holders: holders.map(with_process).collect(), source }
    }
}

impl KnownHolders {
    /// Sets the holders, in their order, that were seen in this reading; if none was, the old ones
    /// stay.
    fn set_holders(&mut self, mut held: impl Iterator<Item = Descriptor>, reading: u64) {
        let Some(first) = held.next() else { return };
        self.proven = reading;
        self.holders = match (first, held.next()) {
            (Descriptor { process, task: None, fd }, None) => Holders::One { process, fd },
            (_, second) => {
                let all = [first].into_iter().chain(second).chain(held).collect();
                Holders::Many(Box::new(Many(all)))
            }
        };
    }
}

impl Holders {
    const fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    fn iter(&self) -> impl Iterator<Item = Descriptor> + Clone {
        let (one, many): (_, &[Descriptor]) = match *self {
            Self::None => (None, &[]),
            Self::One { process, fd } => (Some(Descriptor { process, task: None, fd }), &[]),
            Self::Many(ref many) => (None, &many.0),
        };
        one.into_iter().chain(many.iter().copied())
    }
}

impl LastSearch {
    /// Microseconds since boot leave the highest bit free for some hundred thousand years.
    const fn new(reading: u64, denied: bool) -> Self {
        Self(reading << 1 | denied as u64)
    }

    const fn reading(self) -> u64 {
        self.0 >> 1
    }

    const fn denied(self) -> bool {
        self.0 & 1 == 1
    }
}

#[cfg(test)]
mod tests;
