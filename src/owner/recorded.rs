//! Who holds which socket now, among all processes and for whatever filter: what a recording keeps.
//! A recorded run and its replay look owners up here alike. It reads nothing itself.

use super::event_search::EventSearch;
use super::table::SearchResult;
use super::{OwnerLookup, SearchScope};
use crate::filter::{Match, ProcessFilter};
use crate::model::process::{ByInode, Caller, Holder, Inodes, Process};
use crate::model::reading::OwnerUpdate;
use crate::privileges::Remedy;
use std::collections::{HashMap, HashSet};

/// At most this many callers are remembered.
const CALLERS: usize = 4096;

type Processes = HashMap<(i32, u64), Process>;

/// What is known of owners after the last reading.
#[derive(Debug, Default)]
pub struct RecordedOwners {
    /// The processes of holders.
    processes: Processes,
    denied: Processes,
    hidden: bool,
    holders: ByInode<Vec<Holder>>,
    callers: HashMap<i32, Process>,
    /// The end of the reading that is being processed (boot time, µs).
    reading: u64,
    last_update: LastUpdate,
}

#[derive(Debug, Default)]
struct LastUpdate {
    /// The end of its reading (boot time, µs).
    reading: u64,
    all_inspected: bool,
    proven: Inodes,
    /// Sockets with other holders than before, or with holders of another name.
    changed: Inodes,
}

impl RecordedOwners {
    /// The holders of a socket.
    pub(crate) fn holders(&self, inode: u64) -> &[Holder] {
        self.holders.get(&inode).map_or(&[], Vec::as_slice)
    }

    /// The process of a holder.
    pub(crate) fn process(&self, holder: &Holder) -> Option<&Process> {
        self.processes.get(&holder.process())
    }

    /// Whether a process holds no socket as far as is known.
    pub(crate) fn is_unknown(&self, identity: (i32, u64)) -> bool {
        !self.processes.contains_key(&identity)
    }

    /// Whether there are processes of which nothing can be known.
    pub(crate) const fn is_hidden(&self) -> bool {
        self.hidden
    }

    /// Whether a caller is known as it is now.
    pub(crate) fn knows_caller(&self, process: &Process) -> bool {
        self.callers.get(&process.pid) == Some(process)
    }

    /// The update by which what is known becomes what a scan of all processes found: the holders of
    /// the sockets to record, and their processes with all that a filter may need.
    pub(crate) fn update_to(&self, mut found: SearchResult) -> OwnerUpdate {
        found.sort();
        let processes = by_identity(std::mem::take(&mut found.processes));
        let denied = by_identity(std::mem::take(&mut found.denied));
        let allowed = self.denied.keys().filter(|identity| !denied.contains_key(identity));
        let mut update = OwnerUpdate {
            all_inspected: true,
            hidden: found.hidden,
            allowed: allowed.copied().collect(),
            processes: changed(&processes, &self.processes),
            denied: changed(&denied, &self.denied),
            holders: self.changed_holders(&found),
            ..OwnerUpdate::default()
        };
        update.allowed.sort_unstable();
        update
    }

    /// The sockets with other holders than are known, and those that have none any more.
    fn changed_holders(&self, found: &SearchResult) -> Vec<(u64, Vec<Holder>)> {
        let held: Inodes = found.by_socket().map(|socket| socket[0].0).collect();
        let forgotten = self.holders.keys().filter(|inode| !held.contains(inode));
        let mut changed: Vec<_> = forgotten.map(|inode| (*inode, Vec::new())).collect();
        for socket in found.by_socket() {
            let inode = socket[0].0;
            let holders = socket.iter().map(|(_, holder)| holder);
            if !self.holders(inode).iter().eq(holders.clone()) {
                changed.push((inode, holders.copied().collect()));
            }
        }
        changed.sort_unstable_by_key(|(inode, _)| *inode);
        changed
    }

    /// Whether an update says anything that is not known.
    pub(crate) const fn is_changed_by(&self, update: &OwnerUpdate) -> bool {
        let OwnerUpdate { processes, denied, allowed, holders, callers, .. } = update;
        update.hidden != self.hidden
            || !(processes.is_empty() && denied.is_empty() && callers.is_empty())
            || !(allowed.is_empty() && holders.is_empty())
    }

    /// All that is known, as an update for a reader that knows nothing.
    pub(crate) fn complete_update(&self) -> OwnerUpdate {
        let nothing = Processes::new();
        let holders = self.holders.iter().map(|(inode, holders)| (*inode, holders.clone()));
        let mut update = OwnerUpdate {
            replaces_earlier: true,
            hidden: self.hidden,
            processes: changed(&self.processes, &nothing),
            denied: changed(&self.denied, &nothing),
            holders: holders.collect(),
            callers: self.callers.values().cloned().collect(),
            ..OwnerUpdate::default()
        };
        update.holders.sort_unstable_by_key(|(inode, _)| *inode);
        update.callers.sort_unstable_by_key(Process::identity);
        update
    }

    /// Whether the holders of a socket were seen to hold it in this very reading.
    fn is_proven(&self, inode: u64) -> bool {
        let LastUpdate { reading, all_inspected, proven, .. } = &self.last_update;
        *reading == self.reading && (*all_inspected || proven.contains(&inode))
    }

    /// The recorded holders of these sockets, among these processes.
    fn find_holders(
        &self,
        among: SearchScope<'_>,
        sockets: impl Iterator<Item = u64>,
    ) -> SearchResult {
        let denied = self.denied.values().filter(|process| among.includes(process) != Match::No);
        let denied = denied.cloned().collect();
        let mut found = SearchResult { denied, hidden: self.hidden, ..SearchResult::default() };
        let mut known: HashMap<(i32, u64), Match> = HashMap::new();
        for inode in sockets {
            for holder in self.holders(inode) {
                let Some(process) = self.process(holder) else { continue };
                let is_wanted = *known.entry(holder.process()).or_insert_with(|| {
                    let matches = among.includes(process);
                    match matches {
                        Match::Yes => found.processes.push(process.clone()),
                        Match::Unreadable => found.denied.push(process.clone()),
                        Match::No => {}
                    }
                    matches
                });
                if is_wanted == Match::Yes {
                    found.holders.push((inode, *holder));
                }
            }
        }
        found
    }

    /// Sets the holders of sockets, and returns which sockets these are.
    fn set_holders(&mut self, update: Vec<(u64, Vec<Holder>)>) -> Inodes {
        let changed = update.iter().map(|(inode, _)| *inode).collect();
        let mut was_held = false;
        for (inode, holders) in update {
            let before = if holders.is_empty() {
                self.holders.remove(&inode)
            } else {
                self.holders.insert(inode, holders)
            };
            was_held |= before.is_some();
        }
        if was_held {
            let holders = self.holders.values().flatten();
            let holding: HashSet<_> = holders.map(Holder::process).collect();
            self.processes.retain(|identity, _| holding.contains(identity));
        }
        changed
    }

    /// Sets the processes of holders, and returns the sockets of those that were known: they may
    /// have another name.
    fn set_processes(&mut self, update: Vec<Process>) -> Inodes {
        let is_known = |process: &&Process| self.processes.contains_key(&process.identity());
        let renamed: HashSet<_> = update.iter().filter(is_known).map(Process::identity).collect();
        self.processes.extend(by_identity(update));
        if renamed.is_empty() {
            return Inodes::default();
        }
        let is_renamed = |holder: &Holder| renamed.contains(&holder.process());
        let theirs = self.holders.iter().filter(|(_, holders)| holders.iter().any(is_renamed));
        theirs.map(|(inode, _)| *inode).collect()
    }
}

impl OwnerLookup for RecordedOwners {
    fn start_reading(&mut self, end: u64) {
        self.reading = end;
    }

    fn take_due_retry(&mut self) -> bool {
        self.last_update.reading == self.reading && self.last_update.all_inspected
    }

    fn find(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult {
        let sockets = wanted.union(&self.last_update.changed).copied();
        self.find_holders(among, sockets.filter(|inode| self.is_proven(*inode)))
    }

    /// What is known counts, though it was not checked for this reading.
    fn find_for_certain(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult {
        self.find_holders(among, wanted.iter().copied())
    }

    fn find_known(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult {
        self.find_holders(among, wanted.iter().copied())
    }

    /// Who may accept a connection is of interest even if it was not checked for this reading.
    fn find_now(&mut self, search: &EventSearch, filter: &ProcessFilter) -> Option<SearchResult> {
        let socket = search.socket.filter(|inode| self.is_proven(*inode));
        let sockets = search.listeners.iter().copied().chain(socket);
        Some(self.find_holders(SearchScope::All(filter), sockets))
    }

    fn remedy(&self) -> Remedy {
        Remedy::Recording
    }

    fn still_holds(&mut self, holder: &Holder, inode: u64) -> Option<Vec<u8>> {
        let holds = self.is_proven(inode) && self.holders(inode).contains(holder);
        holds.then(|| self.process(holder).map(|process| process.comm.clone()))?
    }

    fn describe_caller(&mut self, caller: &Caller, _: &ProcessFilter) -> Process {
        let known = self.callers.get(&caller.pid).cloned();
        known.unwrap_or_else(|| Process::unreadable(caller.pid)).named(caller)
    }

    fn apply(&mut self, update: OwnerUpdate) {
        if update.replaces_earlier {
            *self = Self { reading: self.reading, ..Self::default() };
        }
        let mut changed = self.set_processes(update.processes);
        changed.extend(self.set_holders(update.holders));
        self.denied.extend(by_identity(update.denied));
        for identity in update.allowed {
            self.denied.remove(&identity);
        }
        self.hidden = update.hidden;
        if self.callers.len() + update.callers.len() > CALLERS {
            self.callers.clear();
        }
        self.callers.extend(update.callers.into_iter().map(|process| (process.pid, process)));
        let (reading, all_inspected) = (update.time.boot, update.all_inspected);
        let proven = update.proven.into_iter().collect();
        self.last_update = LastUpdate { reading, all_inspected, proven, changed };
    }

    fn is_recorded(&self) -> bool {
        true
    }
}

fn by_identity(processes: Vec<Process>) -> Processes {
    processes.into_iter().map(|process| (process.identity(), process)).collect()
}

/// The processes that are not known as they are now, in order.
fn changed(now: &Processes, known: &Processes) -> Vec<Process> {
    let is_new = |(identity, process): &(&_, &Process)| known.get(identity) != Some(*process);
    let mut changed: Vec<Process> =
        now.iter().filter(is_new).map(|(_, process)| process.clone()).collect();
    changed.sort_unstable_by_key(Process::identity);
    changed
}

#[cfg(test)]
mod tests;
