//! Whose socket it is: who holds a descriptor of it, and how we know.

mod attribution;
pub mod recorded;
pub mod scan;
pub mod table;

use crate::filter::{Match, ProcessFilter};
use crate::model::process::{Caller, Holder, Inodes, Process};
use crate::model::reading::OwnerUpdate;
use table::Found;

/// Finds the holders of sockets: by looking at the processes, or in what a recording keeps of such
/// looks.
pub trait OwnerLookup {
    /// A reading that was complete at this boot time (µs) is worked on from now on.
    fn begin_round(&mut self, now: u64);

    /// Whether sockets without a known owner are worth another look.
    fn looks_again(&mut self) -> bool;

    /// Finds the holders of sockets.
    fn find(&mut self, among: Among<'_>, wanted: &Inodes) -> Found;

    /// Whether the descriptor still leads to the socket; if so, how its process is called now.
    fn still_holds(&mut self, holder: &Holder, inode: u64) -> Option<Vec<u8>>;

    /// The process that a kernel event ran in, as far as it is still there to be asked.
    fn caller(&mut self, caller: &Caller, filter: &ProcessFilter) -> Process;

    /// Takes in what a reading tells of owners.
    fn learn(&mut self, owners: OwnerUpdate);
}

/// Where to look for holders. In either case the filter tells what has to be read of a process.
#[derive(Debug, Clone, Copy)]
pub enum Among<'a> {
    /// In the processes that the filter can match.
    Matching(&'a ProcessFilter),
    /// In all processes.
    All(&'a ProcessFilter),
}

impl<'a> Among<'a> {
    /// The filter, whether it narrows the search or not.
    pub const fn filter(self) -> &'a ProcessFilter {
        match self {
            Self::Matching(filter) | Self::All(filter) => filter,
        }
    }

    /// Whether to look into a process.
    pub fn wants(self, process: &Process) -> Match {
        match self {
            Self::Matching(filter) => filter.matches(process),
            Self::All(_) => Match::Yes,
        }
    }
}
