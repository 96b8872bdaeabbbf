//! Whether a socket's owner satisfies a filter.

use crate::filter::{Match, ProcessFilter};
use crate::model::process::Attribution;

impl Attribution {
    /// Whether an owner satisfies the filter or, without an owner, the socket's own user does.
    pub(crate) fn satisfies(&self, filter: &ProcessFilter, uid: Option<u32>) -> bool {
        self.verdict(filter, uid) == Match::Yes
    }

    /// [`satisfies`](Self::satisfies), or that it is not known, as an owner could not be read.
    pub(crate) fn verdict(&self, filter: &ProcessFilter, uid: Option<u32>) -> Match {
        let Some(main) = &self.main else { return Match::of(filter.matches_socket_uid(uid)) };
        let holders = self.holders.iter().map(|(_, process)| filter.matches(process));
        holders.fold(filter.matches_owner(main, uid), Match::or)
    }

    /// Whether one of the owners satisfies the filter.
    pub(crate) fn matches(&self, filter: &ProcessFilter) -> bool {
        let holders = self.holders.iter().map(|(_, process)| process);
        self.main.iter().chain(holders).any(|process| filter.matches(process) == Match::Yes)
    }
}
