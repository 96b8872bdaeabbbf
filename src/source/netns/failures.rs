//! What is said of network namespaces that cannot be read.

use super::open_namespace::Failure;
use log::debug;
use std::collections::BTreeSet;

/// Namespaces that cannot be read.
#[derive(Debug, Default)]
pub(super) struct UnreadNamespaces {
    /// What to say of each, until the first of them are said.
    unsaid: BTreeSet<String>,
    is_said: bool,
    /// How many could not be opened when namespaces were searched for last.
    pub(super) unopened: u64,
}

impl UnreadNamespaces {
    /// A namespace cannot be read. Returns 1 where its sockets are missing; one that goes away has
    /// none.
    pub(super) fn note(&mut self, label: &str, why: &Failure) -> u64 {
        let Failure::Lasting(why) = why else { return 0 };
        debug!("network namespace {label}: {why}");
        if !self.is_said {
            self.unsaid.insert(format!("{label}: {why}"));
        }
        1
    }

    /// Once, in one sentence for all, what was not said before.
    pub(super) fn sentence(&mut self) -> Option<String> {
        let unsaid = std::mem::take(&mut self.unsaid);
        let first = unsaid.first()?;
        self.is_said = true;
        Some(match unsaid.len() - 1 {
            0 => first.clone(),
            others => format!("{first}; nor {others} more"),
        })
    }
}
