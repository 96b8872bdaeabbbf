//! Who owns the sockets: searched for when a socket is new, and proven again when something happens
//! to it.

use crate::filter::{Filter, ProcessFilter};
use crate::model::event::{BySocket, EventKind, OwnerClues, SocketId, TrackerEvent, Transition};
use crate::model::process::{Attribution, ByInode, Caller, Holder, Inodes, OwnerSource, Process};
use crate::model::reading::Reading;
use crate::owner::event_search::EventSearch;
use crate::owner::known_callers::KnownCallers;
use crate::owner::table::OwnerTable;
use crate::owner::{OwnerLookup, SearchScope};
use crate::tcp::state::State;
use log::debug;
use std::rc::Rc;

/// What was found of the holders of a listener holds for so long (µs), but for [new
/// ones](Holder::is_new).
const LISTENER_HOLDS: u64 = 1_000_000;

/// The owners found so far, and the means to find others.
pub(super) struct Owners<'a> {
    pub(super) finder: Box<dyn OwnerLookup>,
    pub(super) table: OwnerTable,
    /// The process that caused the latest state change of a socket by its own system call, and the
    /// boot time (µs) of that.
    pub(super) callers: BySocket<(Rc<Process>, u64)>,
    /// When the holders of listeners were read that kernel events have named.
    listeners: ByInode<HoldersRead>,
    known_callers: KnownCallers,
    filter: &'a Filter,
    /// Inodes that rows have shown since the last search.
    new_inodes: Vec<u64>,
    /// The boot time (µs) of the reading at hand.
    pub(super) now: u64,
    /// All kernel events from before this boot time (µs) have been read.
    events_until: u64,
    is_poll: bool,
    is_kernel_event: bool,
    /// Nobody holds the socket of the reading at hand any more.
    is_released: bool,
}

/// When the holders of a listener were read.
#[derive(Debug, Clone, Copy)]
struct HoldersRead {
    /// All processes were searched for an event at this boot time (µs).
    searched: u64,
    /// They were last read after this boot time (µs). To read them once more for an event from before would say
    /// less of it.
    after: u64,
}

impl<'a> Owners<'a> {
    pub(super) fn new(finder: Box<dyn OwnerLookup>, filter: &'a Filter) -> Self {
        Self {
            finder,
            table: OwnerTable::default(),
            callers: BySocket::default(),
            listeners: ByInode::default(),
            known_callers: KnownCallers::default(),
            filter,
            new_inodes: Vec::new(),
            now: 0,
            events_until: 0,
            is_poll: false,
            is_kernel_event: false,
            is_released: false,
        }
    }

    /// Forgets the sockets of a run that has been followed by another.
    pub(super) fn restart(&mut self) {
        self.table = OwnerTable::default();
        self.callers.clear();
        self.known_callers.clear();
        self.listeners.clear();
        self.new_inodes.clear();
    }

    /// Starts on a reading: what was proven for the last one has to be proven again. `is_released`:
    /// nobody holds the socket that it is about any more; `events_until`: see
    /// [`ReadingContext`](crate::source::ReadingContext::events_until).
    pub(super) fn begin(&mut self, reading: &Reading, is_released: bool, events_until: u64) {
        self.events_until = events_until;
        self.is_poll = matches!(reading, Reading::Snapshot(_));
        self.is_kernel_event = matches!(reading, Reading::StateChange(_));
        // The same has to be looked up when a recording of this run is replayed.
        self.is_released = is_released && !self.finder.is_recorded();
        self.begin_round(reading.time().boot);
    }

    /// Starts on what was complete at this boot time (µs).
    pub(super) fn begin_round(&mut self, now: u64) {
        self.now = now;
        self.table.start_reading(now);
        self.finder.start_reading(now);
    }

    /// Searches for the holders of sockets that nobody has searched for: with every poll, and where
    /// a filter asks for a process now and then also for those that had none that matches. `new` and
    /// `shown` are the inodes of [`TrackerSink::inodes`](crate::tracker::TrackerSink::inodes). Returns
    /// whether sockets were searched for again.
    pub(super) fn search_new(
        &mut self,
        mut new: Vec<u64>,
        shown: &mut dyn Iterator<Item = u64>,
    ) -> bool {
        self.new_inodes.append(&mut new);
        let again = !self.filter.process.is_empty() && self.finder.take_due_retry();
        if self.is_poll || again {
            let new = std::mem::take(&mut self.new_inodes);
            let mut wanted = self.table.inode_set(new.len());
            wanted.extend(new.into_iter().filter(|inode| !self.table.was_searched(*inode)));
            let mut unmatched = Inodes::default();
            if again {
                for inode in shown {
                    if !self.table.is_held(inode) {
                        wanted.insert(inode);
                    } else if matches!(self.among(), SearchScope::All(_))
                        && !self.table.is_matched(inode, self.filter())
                    {
                        unmatched.insert(inode);
                    }
                }
            }
            self.search(self.among(), &wanted);
            self.search_for_matching(&unmatched);
        }
        again
    }

    /// Searches for processes that match and hold sockets of which others are known to: one may have changed
    /// its user since, or have been started by them.
    fn search_for_matching(&mut self, unmatched: &Inodes) {
        if !unmatched.is_empty() {
            let mut found = self.finder.find(SearchScope::Matching(self.filter()), unmatched);
            found.holders.retain(|(inode, _)| unmatched.contains(inode));
            self.table.insert_more(found);
        }
    }

    /// Where to search for holders: among the processes that the filter can match. By user alone
    /// all count, since a socket of another user's process is not one without an owner.
    pub(super) const fn among(&self) -> SearchScope<'a> {
        let filter = &self.filter.process;
        if filter.needs_owner() { SearchScope::Matching(filter) } else { SearchScope::All(filter) }
    }

    /// The filter by process.
    pub(super) const fn filter(&self) -> &'a ProcessFilter {
        &self.filter.process
    }

    fn search(&mut self, among: SearchScope<'_>, wanted: &Inodes) {
        if !wanted.is_empty() {
            let found = self.finder.find(among, wanted);
            let (holders, processes) = (found.holders.len(), found.processes.len());
            let (wanted_count, denied) = (wanted.len(), found.denied.len());
            let hidden = if found.hidden { ", and perhaps others that are not listed" } else { "" };
            debug!(
                "searched for {wanted_count} inodes: {holders} descriptors in {processes} processes, \
                 {denied} processes cannot be inspected{hidden}"
            );
            self.table.insert(wanted, found);
        }
    }

    /// Makes sure that the holders of the sockets in these events still hold them, and searches
    /// again for those that do not, and for those never found.
    pub(super) fn prove(&mut self, events: &[TrackerEvent]) {
        let (mut doubtful, mut listeners) = (Inodes::default(), Inodes::default());
        let mut listeners_of_events = Inodes::default();
        // All that may accept a connection are named, whatever the filter.
        for transition in transitions(events) {
            let Transition { socket, clues, caller, .. } = transition;
            if !self.filter.follows(socket) {
                continue;
            }
            let is_of_event = self.is_of_event(transition);
            if clues.waits_at().any(|listener| self.table.is_held(listener)) {
                let of_such = if is_of_event { &mut listeners_of_events } else { &mut listeners };
                of_such.extend(clues.waits_at());
            }
            // A process that acts on it has it, and may be about to let go of it.
            let is_callers = caller.as_ref().is_some_and(|caller| self.holds(caller, clues.inode));
            let is_held = clues.inode != 0 && !self.is_released;
            if is_held && !is_callers && !self.prove_again(clues.inode) && !is_of_event {
                doubtful.insert(clues.inode);
            }
        }
        self.search_for_events(events, listeners_of_events);
        self.search(self.among(), &doubtful);
        self.search(SearchScope::All(&self.filter.process), &listeners);
        // A process that held this inode before a socket with it was opened is not its owner.
        for transition in transitions(events).filter(|event| event.kind == EventKind::Opened) {
            self.table.forget_holders_before(transition.clues.inode, transition.time.boot);
        }
    }

    /// Whether a kernel event showed a transition, which may have been withheld until a lookup. Events come by
    /// the thousand: they are no reason to look into every process.
    fn is_of_event(&self, transition: &Transition) -> bool {
        self.is_kernel_event || transition.is_exact()
    }

    /// Searches for the owners of the sockets of these kernel events. The holders of these listeners, which
    /// may start and end processes, are searched for again unless that was done recently.
    fn search_for_events(&mut self, events: &[TrackerEvent], listeners: Inodes) {
        let now = self.now;
        let is_old = |read: &HoldersRead| now.saturating_sub(read.searched) > LISTENER_HOLDS;
        let is_known = |inode: &u64| self.listeners.get(inode).is_some_and(|read| !is_old(read));
        let (known, mut listeners): (Inodes, Inodes) = listeners.into_iter().partition(is_known);
        for inode in known {
            if !self.table.holders(inode).any(|holder| holder.is_new(now)) {
                continue;
            }
            // What is recorded of them is as new as this event.
            if self.finder.is_recorded() {
                listeners.insert(inode);
            } else if self.listeners.get(&inode).is_some_and(|read| read.after < now) {
                self.prove_again(inode);
                let after = self.events_until;
                self.listeners.entry(inode).and_modify(|read| read.after = after);
            }
        }
        if !listeners.is_empty() {
            let search = EventSearch::of_listeners(listeners);
            if let Some(found) = self.finder.find_now(&search, &self.filter.process) {
                let read = HoldersRead { searched: now, after: self.events_until };
                self.listeners.retain(|_, read| !is_old(read));
                self.listeners.extend(search.listeners.iter().map(|inode| (*inode, read)));
                self.table.insert(&search.listeners, found);
            }
        }
        for transition in transitions(events) {
            if !self.filter.follows(&transition.socket) || !self.is_of_event(transition) {
                continue;
            }
            let holders = |inode| self.table.holders(inode).collect();
            if let Some(search) = EventSearch::after(transition, self.is_released, holders)
                && let Some(found) = self.finder.find_now(&search, &self.filter.process)
            {
                debug!("{search:?}: {:?}", found.holders);
                self.table.insert_more(found);
            }
        }
    }

    /// Whether the holders of an inode hold it still, or were searched for in this reading.
    pub(super) fn prove_again(&mut self, inode: u64) -> bool {
        if self.table.is_settled(inode) {
            return true;
        }
        let mut holders: Vec<Holder> = self.table.holders(inode).collect();
        holders.retain(|holder| {
            if let Some(comm) = self.finder.still_holds(holder, inode) {
                self.table.rename(holder, comm);
                return true;
            }
            debug!("{}/{} does not lead to inode {inode} any more", holder.pid, holder.fd);
            false
        });
        // A process that has closed it since is a holder no more, unless nobody is seen to hold it.
        self.table.confirm(inode, &holders);
        self.table.is_proven(inode)
    }

    /// Notes the process that caused a transition by its own system call, if there is one. Where it
    /// could not be asked any more it is kept as it was known when it called before.
    pub(super) fn note_caller(&mut self, transition: &Transition) {
        let Some(caller) = &transition.caller else { return };
        if !self.is_owners_call(transition, caller) {
            return;
        }
        let read = || self.finder.describe_caller(caller, &self.filter.process);
        let process = self.known_callers.describe(caller, transition.time.boot, read);
        let before = self.callers.get(&transition.socket.id).map(|(before, _)| before);
        let process = match before.filter(|before| process.was_read_as(before)) {
            // It runs this program, and had not got its name then.
            Some(before) if !process.comm.is_empty() && process.comm != before.comm => {
                Rc::new(Process { comm: process.comm.clone(), ..Process::clone(before) })
            }
            Some(before) => Rc::clone(before),
            None => process,
        };
        self.callers.insert(transition.socket.id, (process, transition.time.boot));
    }

    /// The owner of a socket, as far as it was found.
    pub(super) fn of(&self, id: SocketId, clues: &OwnerClues) -> Attribution {
        let found = self.table.attribute(clues, &self.filter.process);
        let Some((process, at)) = self.callers.get(&id) else { return found };
        let seen_later = self.table.proven_at(clues.last_inode) > *at;
        // A descriptor that was seen names the holder and its number; a system call only the
        // process.
        if found.source == OwnerSource::Proven || !found.holders.is_empty() && seen_later {
            return found;
        }
        let is_now = *at == self.now;
        let source = if is_now { OwnerSource::Proven } else { OwnerSource::Remembered };
        let main = self.table.best_known(clues.last_inode, Rc::clone(process));
        let mut holders = found.holders;
        if found.source == OwnerSource::Listener {
            // Those that might have accepted it.
            holders.clear();
        }
        if is_now {
            // The others may have let go of it.
            holders.retain(|(holder, _)| holder.pid == process.pid);
        }
        Attribution { main: Some(main), holders, source }
    }

    /// Whether a system call is one of an owner. Who connects or listens has the descriptor. But the
    /// end of the last descriptor may come in a process that only reads a link to it:
    /// one in `/proc/PID/fd` holds the socket while it is read. So the caller has to be known: as a
    /// holder, as the caller before, or as a holder of the listener, who accepts.
    fn is_owners_call(&self, transition: &Transition, caller: &Caller) -> bool {
        let Transition { socket, clues, .. } = transition;
        let holds = |inode| self.holds(caller, inode);
        matches!(transition.to, State::SynSent | State::Listen)
            || holds(clues.last_inode)
            || self.callers.get(&socket.id).is_some_and(|(before, _)| before.pid == caller.pid)
            || clues.listeners.iter().any(holds)
    }

    /// Whether the process of a system call is known to hold a socket.
    fn holds(&self, caller: &Caller, inode: u64) -> bool {
        self.table.holders(inode).any(|holder| holder.pid == caller.pid)
    }
}

fn transitions(events: &[TrackerEvent]) -> impl Iterator<Item = &Transition> {
    events.iter().filter_map(|event| match event {
        TrackerEvent::Transition(transition) => Some(&**transition),
        TrackerEvent::NeverSeen(_) | TrackerEvent::Lost(_) => None,
    })
}

#[cfg(test)]
mod tests;
