//! Which process holds a descriptor of a socket, and how that is known.
//!
//! `scan` reads the processes of the machine. `recorded` answers from what a recording keeps of such
//! scans. `table` remembers what one run has found through either.

mod attribution;
pub(crate) mod cgroup;
pub(crate) mod event_search;
pub(crate) mod known_callers;
pub(crate) mod recorded;
pub(crate) mod scan;
pub(crate) mod table;

use crate::filter::{Match, ProcessFilter};
use crate::model::event::TrackerEvent;
use crate::model::process::{Caller, Holder, Inodes, Process};
use crate::model::reading::{OwnerUpdate, Reading};
use crate::privileges::Remedy;
use event_search::EventSearch;
use table::SearchResult;

/// How descriptors are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum OwnersBy {
    /// In procfs.
    #[default]
    Proc,
    /// By a BPF program that walks through them.
    Bpf,
    /// By BPF where it is permitted and there are many, else in procfs.
    Auto,
}

/// Finds the holders of sockets.
pub trait OwnerLookup {
    /// From now on a reading is processed that ended at this boot time (µs).
    fn start_reading(&mut self, end: u64);

    /// Whether the holders of sockets without a known one are to be searched for again. The next
    /// time is some time after this call.
    fn take_due_retry(&mut self) -> bool;

    /// Finds the holders of the wanted sockets, and perhaps of others.
    fn find(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult;

    /// Like [`Self::find`], where the absence of holders decides: a socket for which none is found, and which
    /// [`SearchResult::is_whole`] does not doubt, was held by no process.
    fn find_for_certain(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult {
        self.find(among, wanted)
    }

    /// Like [`Self::find`], where it is enough to know who was found to hold them earlier.
    fn find_known(&mut self, among: SearchScope<'_>, wanted: &Inodes) -> SearchResult {
        self.find(among, wanted)
    }

    /// What a kernel event makes worth searching; `None` where such searches have taken too much of the
    /// time. What is not found may be there.
    fn find_now(&mut self, search: &EventSearch, filter: &ProcessFilter) -> Option<SearchResult> {
        Some(self.find(SearchScope::All(filter), &search.wanted()))
    }

    /// A warning for the user; once.
    fn warning(&mut self) -> Option<String> {
        None
    }

    /// A process that is asked for and whose sockets are not shown, since it is in another network
    /// namespace: any of those that are named, or else one if all that match are.
    fn elsewhere(&mut self, _: &ProcessFilter) -> Option<Process> {
        None
    }

    /// What to do where processes cannot be inspected.
    fn remedy(&self) -> Remedy;

    /// The present name of the holder's process, if its descriptor still leads to the socket.
    fn still_holds(&mut self, holder: &Holder, inode: u64) -> Option<Vec<u8>>;

    /// The process in whose system call a socket changed its state, with what the filter needs, as
    /// far as it still exists.
    fn describe_caller(&mut self, caller: &Caller, filter: &ProcessFilter) -> Process;

    /// Applies an update that was read from a recording.
    fn apply(&mut self, _: OwnerUpdate) {}

    /// Whether it answers from the updates of a recording. Then all events of a reading are known
    /// before an owner is looked up, so that the run and its replay look up the same.
    fn is_recorded(&self) -> bool {
        false
    }

    /// Finds out what a recording has to say about owners with a reading and its events, and
    /// applies it; `None` where that is nothing, or the run is not recorded. `is_released`: nobody holds
    /// the socket any more that the reading is about.
    fn update(
        &mut self,
        _: &Reading,
        _: &[TrackerEvent],
        _is_released: bool,
    ) -> Option<OwnerUpdate> {
        None
    }

    /// All that [`Self::update`] has said so far, for a recording that begins in the middle of a
    /// run.
    fn complete_update(&mut self) -> OwnerUpdate {
        OwnerUpdate::default()
    }
}

/// Which processes are searched for holders.
#[derive(Debug, Clone, Copy)]
pub enum SearchScope<'a> {
    /// Those that the filter may match.
    Matching(&'a ProcessFilter),
    /// All. What is read of them is what the filter needs.
    All(&'a ProcessFilter),
}

impl<'a> SearchScope<'a> {
    /// The filter, whether it narrows the search or not.
    pub(crate) const fn filter(self) -> &'a ProcessFilter {
        match self {
            Self::Matching(filter) | Self::All(filter) => filter,
        }
    }

    /// Whether a process is searched.
    pub(crate) fn includes(self, process: &Process) -> Match {
        match self {
            Self::Matching(filter) => filter.matches(process),
            Self::All(_) => Match::Yes,
        }
    }
}
