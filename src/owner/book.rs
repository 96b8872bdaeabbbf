//! Who holds which socket: what the scans found, kept as long as a life refers to it. Pure.

use super::{Attribution, Holder, OwnerSource, Process, put_in_order};
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
    /// The boot time (µs) of the reading: what was found for this one needs no second look.
    round: u64,
}

#[derive(Debug, Default)]
struct Entry {
    holders: Vec<Holder>,
    /// It was looked for in vain, while some processes could not be read.
    denied: bool,
    /// The round in which it was last looked for, and that in which its holders were last seen
    /// to hold it.
    looked_for: u64,
    proven: u64,
}

impl Book {
    /// A new reading of this boot time (µs): what was proven before has to be proven again.
    pub const fn begin_round(&mut self, time: u64) {
        self.round = time;
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

    /// Whether it has been looked for in this very round: a second scan would find no more.
    pub fn just_looked_for(&self, inode: u64) -> bool {
        self.sockets.get(&inode).is_some_and(|entry| entry.looked_for == self.round)
    }

    /// The holders found so far.
    pub fn holders(&self, inode: u64) -> &[Holder] {
        self.sockets.get(&inode).map_or(&[], |entry| &entry.holders)
    }

    /// Takes in what a scan for these inodes found. Other sockets that came to light are noted
    /// where they were known before without a holder.
    pub fn learn(&mut self, wanted: &HashSet<u64>, found: Found) {
        for process in found.processes {
            self.processes.insert(process.identity(), process);
        }
        let mut seen: HashMap<u64, Vec<Holder>> = HashMap::new();
        for (inode, holder) in found.holders {
            if wanted.contains(&inode) || self.knows(inode) {
                seen.entry(inode).or_default().push(holder);
            }
        }
        for inode in wanted {
            let entry = self.sockets.entry(*inode).or_default();
            (entry.denied, entry.looked_for) = (found.denied > 0, self.round);
        }
        for (inode, mut holders) in seen {
            put_in_order(&mut holders);
            holders.shrink_to_fit();
            let entry = self.sockets.entry(inode).or_default();
            (entry.holders, entry.proven) = (holders, self.round);
        }
    }

    /// These of its holders were seen to hold it just now.
    pub fn confirm(&mut self, inode: u64, holders: Vec<Holder>) {
        if let Some(entry) = self.sockets.get_mut(&inode) {
            (entry.holders, entry.proven) = (holders, self.round);
        }
    }

    /// The boot time (µs) of the reading for which its holders were last seen to hold it.
    pub fn proven_at(&self, inode: u64) -> u64 {
        self.sockets.get(&inode).map_or(0, |entry| entry.proven)
    }

    /// A process that was gone when it was asked for its name, as it was known when it was found
    /// to hold this inode.
    pub fn named(&self, inode: u64, process: Process) -> Process {
        let same = |holder: &&Holder| holder.pid == process.pid;
        let known = self.holders(inode).iter().find(same).and_then(|holder| self.process(holder));
        known.filter(|_| process.is_unknown()).cloned().unwrap_or(process)
    }

    /// Forgets who held this inode before a life with it began at this boot time (µs).
    pub fn disown(&mut self, inode: u64, born: u64) {
        if let Some(entry) = self.sockets.get_mut(&inode)
            && entry.proven < born
        {
            entry.holders.clear();
        }
    }

    /// A process may have been renamed since it was found.
    pub fn rename(&mut self, holder: &Holder, comm: Vec<u8>) {
        if let Some(process) = self.processes.get_mut(&holder.process()) {
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
        let alive: HashSet<_> = holders.map(Holder::process).collect();
        self.processes.retain(|identity, _| alive.contains(identity));
    }

    fn process(&self, holder: &Holder) -> Option<&Process> {
        self.processes.get(&holder.process())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::Exe;
    use regex::bytes::Regex;

    fn process(pid: i32, start: u64, comm: &str) -> Process {
        let comm = comm.as_bytes().to_vec();
        Process { pid, start, comm, exe: Exe::None, cmdline: Vec::new(), uid: None }
    }

    fn found(holders: &[(u64, &Process, i32)], denied: u64) -> Found {
        let holder = |(inode, process, fd): &(u64, &Process, i32)| {
            let Process { pid, start, .. } = **process;
            (*inode, Holder { pid, start, task: pid, fd: *fd })
        };
        let processes = holders.iter().map(|(_, process, _)| (*process).clone()).collect();
        Found { processes, holders: holders.iter().map(holder).collect(), denied }
    }

    fn wanted(inodes: &[u64]) -> HashSet<u64> {
        inodes.iter().copied().collect()
    }

    /// Main owner's pid and provenance.
    fn told(book: &Book, inode: u64, last: u64, listener: u64) -> (Option<i32>, OwnerSource) {
        let owner = book.attribute(inode, last, listener, &ProcessFilter::default());
        (owner.main.map(|process| process.pid), owner.source)
    }

    #[test]
    fn an_owner_is_proven_in_the_round_it_was_seen_and_remembered_after() {
        let mut book = Book::default();
        book.begin_round(1);
        book.learn(&wanted(&[7]), found(&[(7, &process(10, 1, "client"), 3)], 0));
        assert_eq!(told(&book, 7, 7, 0), (Some(10), OwnerSource::Proven));
        assert_eq!(told(&book, 0, 7, 0), (Some(10), OwnerSource::Remembered), "an orphan");
        book.begin_round(2);
        assert_eq!(told(&book, 7, 7, 0), (Some(10), OwnerSource::Remembered));
        book.confirm(7, book.holders(7).to_vec());
        assert_eq!(told(&book, 7, 7, 0), (Some(10), OwnerSource::Proven));
    }

    #[test]
    fn the_main_owner_matches_the_filter_and_started_first() {
        let (old, new, other) =
            (process(30, 1, "server"), process(20, 2, "server"), process(10, 0, "inetd"));
        let mut book = Book::default();
        let holders = [(7, &new, 5), (7, &old, 4), (7, &other, 3)];
        book.learn(&wanted(&[7]), found(&holders, 0));
        let filter = ProcessFilter {
            patterns: vec![Regex::new("server").unwrap()],
            ..ProcessFilter::default()
        };
        let owner = book.attribute(7, 7, 0, &filter);
        assert_eq!(owner.main.map(|process| process.pid), Some(30));
        let pids: Vec<_> = owner.holders.iter().map(|(holder, _)| holder.pid).collect();
        assert_eq!(pids, [10, 30, 20], "all that were found");
        assert_eq!(told(&book, 7, 7, 0).0, Some(10), "without a filter the first of all");
    }

    #[test]
    fn a_listener_speaks_for_its_children_only_if_one_process_holds_it() {
        let (master, worker) = (process(10, 1, "server"), process(11, 2, "server"));
        let mut book = Book::default();
        book.learn(&wanted(&[5]), found(&[(5, &master, 3), (5, &master, 4)], 0));
        assert_eq!(told(&book, 0, 0, 5), (Some(10), OwnerSource::Listener));
        assert_eq!(told(&book, 9, 9, 5), (None, OwnerSource::Unknown), "it was accepted");
        book.learn(&wanted(&[5]), found(&[(5, &master, 3), (5, &worker, 3)], 0));
        assert_eq!(told(&book, 0, 0, 5), (None, OwnerSource::Unknown));
    }

    #[test]
    fn what_could_not_be_read_is_denied_and_an_orphan_unknown() {
        let mut book = Book::default();
        book.learn(&wanted(&[7]), found(&[], 3));
        assert_eq!(told(&book, 7, 7, 0), (None, OwnerSource::Denied));
        assert_eq!(told(&book, 0, 0, 0), (None, OwnerSource::Unknown));
    }

    #[test]
    fn what_no_life_refers_to_is_forgotten() {
        let mut book = Book::default();
        let client = process(10, 1, "client");
        for inode in 1..=SLACK as u64 + 3 {
            book.learn(&wanted(&[inode]), found(&[(inode, &client, 3)], 0));
        }
        book.sweep(1, [7].into_iter());
        assert!(book.knows(7) && !book.knows(8));
        assert_eq!((book.sockets.len(), book.processes.len()), (1, 1));
    }
}
