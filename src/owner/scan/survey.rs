//! The owners of a run that is recorded. A replay may ask for any process, so all are scanned,
//! whatever this run's filter is, and the run itself acts on what is recorded.

use super::Scan;
use super::process::ProcessFields;
use crate::filter::ProcessFilter;
use crate::model::event::{TrackerEvent, Transition};
use crate::model::process::{ByInode, Caller, Holder, Inodes, Process};
use crate::model::reading::{LookupResult, OwnerUpdate, Reading};
use crate::owner::event_search::EventSearch;
use crate::owner::known_callers::KnownCallers;
use crate::owner::recorded::RecordedOwners;
use crate::owner::table::SearchResult;
use crate::owner::{OwnerLookup, SearchScope};
use crate::privileges::Remedy;
use std::time::{Duration, Instant};

/// How often all processes are scanned although no socket is new: descriptors are handed on, and
/// processes change their names.
const SCAN_INTERVAL: Duration = Duration::from_secs(1);
/// These scans take at most one part in this many of the time.
const SCAN_SHARE: u32 = 50;

/// Looks owners up in what is recorded of them, and finds out what is.
#[derive(Debug)]
pub(crate) struct SurveyedOwners {
    scan: Scan,
    recorded: RecordedOwners,
    known_callers: KnownCallers,
    /// The sockets whose holders are recorded: those of the last snapshot, and those that lookups
    /// have shown since.
    sockets: Inodes,
    /// Those that lookups have shown since the last snapshot. The next one may have passed their rows before,
    /// and with it their holders are searched for.
    looked_up: Inodes,
    next_scan: Instant,
    /// When all processes were searched for the holders of listeners.
    searched_listeners: ByInode<Instant>,
    /// There was an update before.
    has_begun: bool,
    /// The recording was started again: the next poll has to show the holders of all sockets, as the
    /// first one did.
    is_restarted: bool,
}

/// What a reading makes necessary.
#[derive(Default)]
struct SurveyFindings {
    /// All processes have to be scanned.
    needs_scan: bool,
    /// Sockets that their holders, which were checked, still hold.
    proven: Vec<u64>,
    /// Processes with another name than before.
    renamed: Vec<Process>,
    /// Processes in whose system call a socket changed its state.
    callers: Vec<Process>,
    /// What searches of some processes found: sockets with all their holders, and the processes of
    /// new ones.
    holders: Vec<(u64, Vec<Holder>)>,
    holding: Vec<Process>,
}

impl SurveyedOwners {
    /// Finds owners with this scan.
    pub(crate) fn new(scan: Scan) -> Self {
        Self {
            scan,
            recorded: RecordedOwners::default(),
            known_callers: KnownCallers::default(),
            sockets: Inodes::default(),
            looked_up: Inodes::default(),
            next_scan: Instant::now(),
            searched_listeners: ByInode::default(),
            has_begun: false,
            is_restarted: false,
        }
    }

    /// What a reading and its events make necessary. `is_released`: see [`OwnerLookup::update`].
    fn check(
        &mut self,
        reading: &Reading,
        events: &[TrackerEvent],
        is_released: bool,
    ) -> SurveyFindings {
        let mut findings = SurveyFindings::default();
        match reading {
            Reading::Snapshot(snapshot) => {
                let mut sockets = std::mem::take(&mut self.looked_up);
                let inodes = snapshot.rows.iter().map(|row| row.inode);
                sockets.extend(inodes.filter(|inode| *inode != 0));
                let before = std::mem::replace(&mut self.sockets, sockets);
                findings.needs_scan =
                    std::mem::take(&mut self.is_restarted) || !self.sockets.is_subset(&before);
            }
            Reading::Lookups(lookups) => {
                let inode = |result: &LookupResult| match result {
                    LookupResult::There(row) => row.inode,
                    LookupResult::Gone => 0,
                };
                let inodes = lookups.answers.iter().map(|(_, result)| inode(result));
                self.looked_up.extend(inodes.filter(|inode| *inode != 0));
            }
            _ => {}
        }
        for event in events {
            let TrackerEvent::Transition(transition) = event else { continue };
            // Kernel events come by the thousand: they are no reason to scan all processes. A lookup may
            // decide that one is reported.
            if matches!(reading, Reading::StateChange(_)) || transition.is_exact() {
                self.check_caller(transition, is_released, &mut findings);
            } else {
                self.check_holders(transition, &mut findings);
            }
        }
        findings
    }

    /// Checks the holders that a transition needs.
    fn check_holders(&mut self, transition: &Transition, findings: &mut SurveyFindings) {
        let clues = &transition.clues;
        let mut listeners = clues.waits_at();
        findings.needs_scan |= listeners.any(|it| !self.recorded.holders(it).is_empty());
        if clues.inode != 0 && !findings.needs_scan && !findings.proven.contains(&clues.inode) {
            findings.needs_scan |=
                !self.sockets.contains(&clues.inode) || !self.prove(clues.inode, findings);
        }
        // A scan keeps the holders of these sockets alone, also one that another socket needs.
        if clues.inode != 0 {
            self.sockets.insert(clues.inode);
        }
    }

    /// Describes the process that caused a transition, and checks the holders known.
    fn check_caller(
        &mut self,
        transition: &Transition,
        is_released: bool,
        findings: &mut SurveyFindings,
    ) {
        if let Some(caller) = &transition.caller {
            let read = || self.scan.processes.describe_caller(caller.pid, ProcessFields::ALL);
            let process = self.known_callers.describe(caller, transition.time.boot, read);
            if !self.recorded.knows_caller(&process) {
                findings.callers.push(Process::clone(&process));
            }
        }
        for listener in transition.clues.waits_at() {
            self.check_new_holders(listener, transition.time.boot, findings);
        }
        self.search_listeners(transition, findings);
        let inode = transition.clues.inode;
        if inode != 0 && !is_released && !findings.proven.contains(&inode) {
            self.prove(inode, findings);
        }
        let holders = |inode| self.recorded.holders(inode).to_vec();
        if let Some(search) = EventSearch::after(transition, is_released, holders)
            && let Some(found) = self.scan.find_now(&search, &ProcessFilter::default())
        {
            self.add_found(found, findings);
        }
    }

    /// Drops those of the holders of a listener that were [new](Holder::is_new) and hold it no more.
    fn check_new_holders(&self, listener: u64, now: u64, findings: &mut SurveyFindings) {
        let known = self.recorded.holders(listener);
        if !known.iter().any(|holder| holder.is_new(now)) {
            return;
        }
        let still = |holder: &&Holder| self.scan.processes.present_name(holder, listener).is_some();
        let holders: Vec<Holder> = known.iter().filter(still).copied().collect();
        if !holders.is_empty() && holders.len() < known.len() {
            findings.holders.push((listener, holders));
        }
    }

    /// Searches for all holders of the listeners a connection may wait at, unless that was done recently:
    /// others may have begun to listen, and processes that hold a listener to accept from it.
    fn search_listeners(&mut self, transition: &Transition, findings: &mut SurveyFindings) {
        let mut listeners: Inodes = transition.clues.waits_at().collect();
        if listeners.iter().all(|listener| self.recorded.holders(*listener).is_empty()) {
            return;
        }
        self.searched_listeners.retain(|_, at| at.elapsed() < SCAN_INTERVAL);
        listeners.retain(|listener| !self.searched_listeners.contains_key(listener));
        if listeners.is_empty() {
            return;
        }
        let search = EventSearch::of_listeners(listeners);
        if let Some(mut found) = self.scan.find_now(&search, &ProcessFilter::default()) {
            let now = Instant::now();
            self.searched_listeners.extend(search.listeners.iter().map(|inode| (*inode, now)));
            found.holders.retain(|(inode, _)| search.listeners.contains(inode));
            self.add_found(found, findings);
        }
    }

    /// Adds the holders that were found to those that are known and still hold the socket.
    fn add_found(&self, mut found: SearchResult, findings: &mut SurveyFindings) {
        found.sort();
        for socket in found.by_socket() {
            let inode = socket[0].0;
            let still_holds =
                |holder: &&Holder| self.scan.processes.present_name(holder, inode).is_some();
            let known = self.recorded.holders(inode).iter().filter(still_holds);
            let mut holders: Vec<Holder> = known.copied().collect();
            for (_, holder) in socket {
                if !holders.contains(holder) {
                    holders.push(*holder);
                }
            }
            holders.sort_unstable_by_key(|holder| (holder.start, holder.pid, holder.fd));
            findings.holders.push((inode, holders));
            findings.proven.push(inode);
        }
        let is_new = |process: &Process| self.recorded.is_unknown(process.identity());
        let new = found.processes.iter().filter(|process| is_new(process));
        findings.holding.extend(new.map(|process| {
            let described = self.scan.processes.describe_fully(process.pid);
            // One that procfs hides is known by what BPF found.
            if described.is_unknown() { process.clone() } else { described }
        }));
    }

    /// Whether a socket has holders, and all of them still hold it.
    fn prove(&self, inode: u64, findings: &mut SurveyFindings) -> bool {
        let holders = self.recorded.holders(inode);
        for holder in holders {
            let Some(comm) = self.scan.processes.present_name(holder, inode) else { return false };
            if let Some(process) = self.recorded.process(holder)
                && process.comm != comm
            {
                findings.renamed.push(Process { comm, ..process.clone() });
            }
        }
        let is_held = !holders.is_empty();
        findings.proven.extend(is_held.then_some(inode));
        is_held
    }

    fn scan_all(&mut self) -> OwnerUpdate {
        let start = Instant::now();
        let scan = self.scan.search_for_recording(&self.sockets);
        self.next_scan = Instant::now() + SCAN_INTERVAL.max(start.elapsed() * SCAN_SHARE);
        self.recorded.update_to(scan)
    }
}

impl OwnerLookup for SurveyedOwners {
    fn start_reading(&mut self, end: u64) {
        self.scan.start_reading(end);
        self.recorded.start_reading(end);
    }

    fn take_due_retry(&mut self) -> bool {
        self.recorded.take_due_retry()
    }

    fn find(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult {
        self.recorded.find(among, wanted)
    }

    fn find_known(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult {
        self.recorded.find_known(among, wanted)
    }

    /// The processes as they are, not as they were recorded: an answer is about now.
    fn find_for_certain(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult {
        self.scan.find_for_certain(among, wanted)
    }

    fn elsewhere(&mut self, filter: &ProcessFilter) -> Option<Process> {
        self.scan.elsewhere(filter)
    }

    fn find_now(&mut self, search: &EventSearch, filter: &ProcessFilter) -> Option<SearchResult> {
        self.recorded.find_now(search, filter)
    }

    fn warning(&mut self) -> Option<String> {
        self.scan.warning()
    }

    fn remedy(&self) -> Remedy {
        self.scan.remedy()
    }

    fn still_holds(&mut self, holder: &Holder, inode: u64) -> Option<Vec<u8>> {
        self.recorded.still_holds(holder, inode)
    }

    fn describe_caller(&mut self, caller: &Caller, filter: &ProcessFilter) -> Process {
        self.recorded.describe_caller(caller, filter)
    }

    fn is_recorded(&self) -> bool {
        true
    }

    fn update(
        &mut self,
        reading: &Reading,
        events: &[TrackerEvent],
        is_released: bool,
    ) -> Option<OwnerUpdate> {
        let SurveyFindings { needs_scan, proven, renamed, callers, holders, holding } =
            self.check(reading, events, is_released);
        let is_poll = matches!(reading, Reading::Snapshot(_));
        let mut update = if needs_scan || is_poll && Instant::now() >= self.next_scan {
            self.scan_all()
        } else {
            let (hidden, mut processes) = (self.recorded.is_hidden(), renamed);
            processes.extend(holding);
            OwnerUpdate { hidden, processes, holders, proven, ..OwnerUpdate::default() }
        };
        update.callers = callers;
        update.time = reading.time();
        update.replaces_earlier = !self.has_begun;
        let says_something =
            needs_scan || !update.proven.is_empty() || self.recorded.is_changed_by(&update);
        says_something.then(|| {
            self.has_begun = true;
            self.recorded.apply(update.clone());
            update
        })
    }

    fn complete_update(&mut self) -> OwnerUpdate {
        self.is_restarted = true;
        self.recorded.complete_update()
    }
}

#[cfg(test)]
mod tests;
