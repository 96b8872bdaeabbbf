//! Whether a socket's owner satisfies a filter.

use crate::filter::{Match, ProcessFilter};
use crate::model::process::Attribution;

impl Attribution {
    /// Whether an owner satisfies the filter or, without an owner, the socket's own user does.
    pub(crate) fn satisfies(&self, filter: &ProcessFilter, uid: Option<u32>) -> bool {
        match self.main {
            Some(_) => self.matches(filter),
            None => filter.matches_socket_uid(uid),
        }
    }

    /// Whether one of the owners satisfies the filter.
    pub(crate) fn matches(&self, filter: &ProcessFilter) -> bool {
        let holders = self.holders.iter().map(|(_, process)| process);
        self.main.iter().chain(holders).any(|process| filter.matches(process) == Match::Yes)
    }
}
