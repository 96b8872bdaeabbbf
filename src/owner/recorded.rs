//! Who holds which socket now, among all processes that may be read and for whatever filter: what
//! a recording keeps of owners. A recorded run and its replay ask it alike. Pure.

use super::table::Found;
use super::{Among, OwnerLookup};
use crate::filter::{Match, ProcessFilter};
use crate::model::process::{ByInode, Caller, Holder, Inodes, Process, put_in_order};
use crate::model::reading::OwnerUpdate;
use crate::model::time::Stamp;
use std::collections::{HashMap, HashSet};

/// As many processes that acted on sockets are remembered at most.
const CALLERS: usize = 4096;

/// All that a look at every process found.
#[derive(Debug, Default)]
pub struct Survey {
    /// The holders, and their processes.
    pub found: Found,
    /// Processes that may not be read.
    pub denied: Vec<Process>,
    /// There are processes of which nothing can be known.
    pub hidden: bool,
}

type Processes = HashMap<(i32, u64), Process>;

/// What is known of owners after the last reading.
#[derive(Debug, Default)]
pub struct RecordedOwners {
    processes: Processes,
    denied: Processes,
    hidden: bool,
    holders: ByInode<Vec<Holder>>,
    callers: HashMap<i32, Process>,
    /// The boot time (µs) of the reading that is being worked on.
    round: u64,
    fresh: Fresh,
}

/// What was told last, and for which reading.
#[derive(Debug, Default)]
struct Fresh {
    round: u64,
    all: bool,
    proven: Inodes,
    /// Sockets with other holders than before, or with holders of other names.
    changed: Inodes,
}

impl RecordedOwners {
    /// The holders of a socket.
    pub fn holders(&self, inode: u64) -> &[Holder] {
        self.holders.get(&inode).map_or(&[], Vec::as_slice)
    }

    /// The process of a holder.
    pub fn process(&self, holder: &Holder) -> Option<&Process> {
        self.processes.get(&holder.process())
    }

    /// Whether there are processes of which nothing can be known.
    pub const fn is_hidden(&self) -> bool {
        self.hidden
    }

    /// Whether a process that acted on a socket is known as it is now.
    pub fn knows_caller(&self, process: &Process) -> bool {
        self.callers.get(&process.pid) == Some(process)
    }

    /// What a survey says of these sockets, as far as it is not known. Other sockets are let go.
    pub fn news(&self, survey: Survey, wanted: &Inodes) -> OwnerUpdate {
        let mut holders: ByInode<Vec<Holder>> = ByInode::default();
        for (inode, holder) in survey.found.holders {
            if wanted.contains(&inode) {
                holders.entry(inode).or_default().push(holder);
            }
        }
        holders.values_mut().for_each(put_in_order);
        let holding: HashSet<_> = holders.values().flatten().map(Holder::process).collect();
        let mut processes = by_identity(survey.found.processes);
        processes.retain(|identity, _| holding.contains(identity));
        let denied = by_identity(survey.denied);
        let gone = self.denied.keys().filter(|identity| !denied.contains_key(identity));
        let mut owners = OwnerUpdate {
            all: true,
            hidden: survey.hidden,
            allowed: gone.copied().collect(),
            processes: unlike(&processes, &self.processes),
            denied: unlike(&denied, &self.denied),
            ..OwnerUpdate::default()
        };
        owners.allowed.sort_unstable();
        let let_go = self.holders.keys().filter(|inode| !holders.contains_key(inode));
        owners.holders.extend(let_go.map(|inode| (*inode, Vec::new())));
        let differ = |(inode, now): &(u64, Vec<Holder>)| self.holders(*inode) != now;
        owners.holders.extend(holders.into_iter().filter(differ));
        owners.holders.sort_unstable_by_key(|(inode, _)| *inode);
        owners
    }

    /// Whether owners tell anything that is not known.
    pub const fn learns_from(&self, owners: &OwnerUpdate) -> bool {
        let OwnerUpdate { processes, denied, allowed, holders, callers, .. } = owners;
        owners.hidden != self.hidden
            || !(processes.is_empty() && denied.is_empty() && callers.is_empty())
            || !(allowed.is_empty() && holders.is_empty())
    }

    /// All that is known, for a reader who knows nothing yet.
    pub fn whole(&self, time: Stamp) -> OwnerUpdate {
        let nobody = Processes::new();
        let holders = self.holders.iter().map(|(inode, holders)| (*inode, holders.clone()));
        let mut holders: Vec<_> = holders.collect();
        holders.sort_unstable_by_key(|(inode, _)| *inode);
        let mut callers: Vec<_> = self.callers.values().cloned().collect();
        callers.sort_unstable_by_key(Process::identity);
        OwnerUpdate {
            time,
            is_complete: true,
            hidden: self.hidden,
            processes: unlike(&self.processes, &nobody),
            denied: unlike(&self.denied, &nobody),
            holders,
            callers,
            ..OwnerUpdate::default()
        }
    }

    /// Whether the holders of a socket were seen to hold it for this very reading.
    fn is_fresh(&self, inode: u64) -> bool {
        self.fresh.round == self.round && (self.fresh.all || self.fresh.proven.contains(&inode))
    }

    /// Sets the holders of sockets, and returns which sockets those are.
    fn set_holders(&mut self, told: Vec<(u64, Vec<Holder>)>) -> Inodes {
        let changed = told.iter().map(|(inode, _)| *inode).collect();
        let mut let_go = false;
        for (inode, holders) in told {
            let before = if holders.is_empty() {
                self.holders.remove(&inode)
            } else {
                self.holders.insert(inode, holders)
            };
            let_go |= before.is_some();
        }
        if let_go {
            let holders = self.holders.values().flatten();
            let alive: HashSet<_> = holders.map(Holder::process).collect();
            self.processes.retain(|identity, _| alive.contains(identity));
        }
        changed
    }

    /// Notes what processes are called, and returns the sockets of such as were known.
    fn set_processes(&mut self, told: Vec<Process>) -> Inodes {
        let known = |process: &&Process| self.processes.contains_key(&process.identity());
        let renamed: HashSet<_> = told.iter().filter(known).map(Process::identity).collect();
        self.processes.extend(by_identity(told));
        if renamed.is_empty() {
            return Inodes::default();
        }
        let by_renamed = |holder: &Holder| renamed.contains(&holder.process());
        let theirs = self.holders.iter().filter(|(_, holders)| holders.iter().any(by_renamed));
        theirs.map(|(inode, _)| *inode).collect()
    }
}

impl OwnerLookup for RecordedOwners {
    fn begin_round(&mut self, now: u64) {
        self.round = now;
    }

    fn looks_again(&mut self) -> bool {
        self.fresh.round == self.round && self.fresh.all
    }

    fn find(&mut self, among: Among<'_>, wanted: &Inodes) -> Found {
        let denied = self.denied.values().filter(|process| among.wants(process) != Match::No);
        let denied = denied.count() as u64 + u64::from(self.hidden);
        let mut found = Found { denied, ..Found::default() };
        let mut judged: HashMap<(i32, u64), Match> = HashMap::new();
        for inode in wanted.union(&self.fresh.changed).filter(|inode| self.is_fresh(**inode)) {
            for holder in self.holders(*inode) {
                let Some(process) = self.process(holder) else { continue };
                let matches = *judged.entry(holder.process()).or_insert_with(|| {
                    let matches = among.wants(process);
                    match matches {
                        Match::Yes => found.processes.push(process.clone()),
                        Match::Unreadable => found.denied += 1,
                        Match::No => {}
                    }
                    matches
                });
                if matches == Match::Yes {
                    found.holders.push((*inode, *holder));
                }
            }
        }
        found
    }

    fn still_holds(&mut self, holder: &Holder, inode: u64) -> Option<Vec<u8>> {
        let holds = self.is_fresh(inode) && self.holders(inode).contains(holder);
        holds.then(|| self.process(holder).map(|process| process.comm.clone()))?
    }

    fn caller(&mut self, caller: &Caller, _: &ProcessFilter) -> Process {
        let known = self.callers.get(&caller.pid).cloned();
        known.unwrap_or_else(|| Process::unknown(caller.pid)).named(caller)
    }

    fn learn(&mut self, owners: OwnerUpdate) {
        if owners.is_complete {
            *self = Self { round: self.round, ..Self::default() };
        }
        let mut changed = self.set_processes(owners.processes);
        changed.extend(self.set_holders(owners.holders));
        self.denied.extend(by_identity(owners.denied));
        for identity in owners.allowed {
            self.denied.remove(&identity);
        }
        self.hidden = owners.hidden;
        if self.callers.len() + owners.callers.len() > CALLERS {
            self.callers.clear();
        }
        self.callers.extend(owners.callers.into_iter().map(|process| (process.pid, process)));
        let proven = owners.proven.into_iter().collect();
        self.fresh = Fresh { round: owners.time.boot, all: owners.all, proven, changed };
    }
}

fn by_identity(processes: Vec<Process>) -> Processes {
    processes.into_iter().map(|process| (process.identity(), process)).collect()
}

/// The processes that are not known as they are, in order.
fn unlike(now: &Processes, known: &Processes) -> Vec<Process> {
    let news = now.iter().filter(|(identity, process)| known.get(identity) != Some(process));
    let mut news: Vec<Process> = news.map(|(_, process)| process.clone()).collect();
    news.sort_unstable_by_key(Process::identity);
    news
}

#[cfg(test)]
mod tests;
