//! Network namespaces that kernel events name and that searches do not find: no process is listed in them, and
//! they are not mounted where this program sees it.

use std::collections::{HashMap, VecDeque};

/// So many searches in a row that do not find a namespace are no accident: one may miss a process that comes
/// or goes meanwhile.
const SEARCHES: u32 = 2;
/// So many namespaces are remembered.
const MOST: usize = 1024;

/// The namespaces of events that are left out.
#[derive(Debug, Default)]
pub(super) struct UnfoundNamespaces {
    /// By inode: how many searches since its first event have not found it.
    searches: HashMap<u64, u32>,
    /// Those that are gone: what their sockets had left ends with them, which causes events, too.
    gone: VecDeque<u64>,
    is_found_out: bool,
    is_said: bool,
}

impl UnfoundNamespaces {
    /// An event is of a namespace that is not read. Returns whether a search may find it.
    #[cfg(feature = "bpf")]
    pub(super) fn note(&mut self, inode: u64) -> bool {
        if self.gone.contains(&inode) {
            return true;
        }
        if self.searches.len() >= MOST {
            self.searches.clear();
        }
        *self.searches.entry(inode).or_default() < SEARCHES
    }

    /// All namespaces were searched for. `is_read`: whether one of them is read now.
    pub(super) fn end_search(&mut self, is_read: impl Fn(u64) -> bool) {
        self.searches.retain(|inode, searches| {
            *searches = (*searches + 1).min(SEARCHES);
            let is_read = is_read(*inode);
            self.is_found_out |= !is_read && *searches == SEARCHES;
            !is_read
        });
    }

    /// A namespace that was read is gone.
    pub(super) fn forget(&mut self, inode: u64) {
        self.gone.truncate(MOST - 1);
        self.gone.push_front(inode);
    }

    /// That events are left out; once.
    pub(super) fn sentence(&mut self) -> Option<&'static str> {
        let is_new = self.is_found_out && !self.is_said;
        self.is_said |= is_new;
        is_new.then_some(
            "kernel events of network namespaces that were not found, or cannot be read, are left out",
        )
    }
}

#[cfg(all(test, feature = "bpf"))]
mod tests {
    use super::*;

    #[test]
    fn only_a_namespace_that_stays_unknown_is_left_out() {
        let mut unfound = UnfoundNamespaces::default();
        assert!(unfound.note(1) && unfound.note(2));
        unfound.end_search(|_| false);
        assert!(unfound.note(1) && unfound.note(2));
        unfound.end_search(|inode| inode == 1);
        assert!(!unfound.note(2), "a search will not find it");
        assert!(unfound.sentence().is_some());
        assert_eq!(unfound.sentence(), None, "it was said");
    }

    #[test]
    fn a_namespace_that_is_found_later_or_gone_is_not_left_out() {
        let mut unfound = UnfoundNamespaces::default();
        unfound.note(1);
        unfound.end_search(|_| false);
        unfound.end_search(|_| true);
        unfound.forget(1);
        unfound.note(1);
        for _ in 0..5 {
            unfound.end_search(|_| false);
        }
        assert_eq!(unfound.sentence(), None);
    }
}
