//! Who holds which socket: what the scans found, kept as long as a life refers to it. Pure.

use super::{Attribution, Holder, OwnerSource, Process};
use crate::filter::{Match, ProcessFilter};
use std::collections::{HashMap, HashSet};

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

/// What is known of each inode.
#[derive(Debug, Default)]
pub struct Book {
    sockets: HashMap<u64, Entry>,
    processes: HashMap<(i32, u64), Process>,
    /// Counts the readings: what was found for this one needs no second look.
    round: u64,
}

#[derive(Debug, Default)]
struct Entry {
    holders: Vec<Holder>,
    /// It was looked for in vain, while some processes could not be read.
    denied: bool,
    /// The round in which the holders were last seen to hold it.
    proven: u64,
}

impl Book {
    /// A new reading: what was proven before has to be proven again.
    pub const fn begin_round(&mut self) {
        self.round += 1;
    }

    /// Whether somebody has looked for this inode before.
    pub fn knows(&self, inode: u64) -> bool {
        self.sockets.contains_key(&inode)
    }

    /// Whether its holders were seen to hold it for this very reading.
    pub fn is_proven(&self, inode: u64) -> bool {
        self.sockets
            .get(&inode)
            .is_some_and(|entry| !entry.holders.is_empty() && entry.proven == self.round)
    }

    /// The holders found so far.
    pub fn holders(&self, inode: u64) -> &[Holder] {
        self.sockets.get(&inode).map_or(&[], |entry| &entry.holders)
    }

    /// Takes in what a scan for these inodes found. Other sockets that came to light are noted
    /// where they were known before without a holder.
    pub fn learn(&mut self, wanted: &HashSet<u64>, found: Found) {
        for process in found.processes {
            self.processes.insert((process.pid, process.start), process);
        }
        let mut seen: HashMap<u64, Vec<Holder>> = HashMap::new();
        for (inode, holder) in found.holders {
            if wanted.contains(&inode) || self.knows(inode) {
                seen.entry(inode).or_default().push(holder);
            }
        }
        for inode in wanted {
            self.sockets.entry(*inode).or_default().denied = found.denied > 0;
        }
        for (inode, mut holders) in seen {
            holders.sort_unstable_by_key(|holder| (holder.start, holder.pid, holder.fd));
            holders.dedup_by_key(|holder| (holder.pid, holder.fd));
            let entry = self.sockets.entry(inode).or_default();
            (entry.holders, entry.proven) = (holders, self.round);
        }
    }

    /// The holders were seen to hold it just now.
    pub fn confirm(&mut self, inode: u64) {
        if let Some(entry) = self.sockets.get_mut(&inode) {
            entry.proven = self.round;
        }
    }

    /// A process may have been renamed since it was found.
    pub fn rename(&mut self, holder: &Holder, comm: Vec<u8>) {
        if let Some(process) = self.processes.get_mut(&(holder.pid, holder.start)) {
            process.comm = comm;
        }
    }

    /// Whose socket it is: `inode` as the kernel shows it now, `last` as it showed it last in
    /// this life, `listener` the one that can have made it.
    pub fn attribute(
        &self,
        inode: u64,
        last: u64,
        listener: u64,
        filter: &ProcessFilter,
    ) -> Attribution {
        let own = self.holders(last);
        if !own.is_empty() {
            let proven = inode != 0 && self.is_proven(inode);
            let source = if proven { OwnerSource::Proven } else { OwnerSource::Remembered };
            return self.attribution(own, filter, source);
        }
        // An inode that nobody was found to hold was accepted, so the listener proves nothing.
        if last == 0
            && let Some(main) = self.single_process(listener)
        {
            return Attribution {
                main: Some(main.clone()),
                holders: Vec::new(),
                source: OwnerSource::Listener,
            };
        }
        let asked = if last == 0 { listener } else { last };
        let denied = self.sockets.get(&asked).is_some_and(|entry| entry.denied);
        let source = if denied { OwnerSource::Denied } else { OwnerSource::Unknown };
        Attribution { main: None, holders: Vec::new(), source }
    }

    /// Whether any of the owners satisfies the filter.
    pub fn any_matches(&self, owner: &Attribution, filter: &ProcessFilter) -> bool {
        let holders = owner.holders.iter().filter_map(|(holder, _)| self.process(holder));
        owner.main.iter().chain(holders).any(|process| filter.matches(process) == Match::Yes)
    }

    /// Forgets what no life refers to any more, when there is much of it.
    pub fn sweep(&mut self, lives: usize, in_use: impl Iterator<Item = u64>) {
        if self.sockets.len() <= 2 * lives + SLACK {
            return;
        }
        let in_use: HashSet<u64> = in_use.collect();
        self.sockets.retain(|inode, _| in_use.contains(inode));
        let holders = self.sockets.values().flat_map(|entry| &entry.holders);
        let alive: HashSet<_> = holders.map(|holder| (holder.pid, holder.start)).collect();
        self.processes.retain(|identity, _| alive.contains(identity));
    }

    fn process(&self, holder: &Holder) -> Option<&Process> {
        self.processes.get(&(holder.pid, holder.start))
    }

    /// The process that alone holds a socket, through however many descriptors.
    fn single_process(&self, inode: u64) -> Option<&Process> {
        let (first, rest) = self.holders(inode).split_first()?;
        rest.iter().all(|holder| holder.pid == first.pid).then(|| self.process(first))?
    }

    fn attribution(
        &self,
        holders: &[Holder],
        filter: &ProcessFilter,
        source: OwnerSource,
    ) -> Attribution {
        let mut processes = holders.iter().filter_map(|holder| self.process(holder));
        let wanted = |process: &&Process| filter.matches(process) == Match::Yes;
        let main = processes.clone().find(wanted).or_else(|| processes.next()).cloned();
        let named = |holder: &Holder| {
            let comm = self.process(holder).map(|process| process.comm.clone());
            (holder.clone(), comm.unwrap_or_default())
        };
        Attribution { main, holders: holders.iter().map(named).collect(), source }
    }
}
