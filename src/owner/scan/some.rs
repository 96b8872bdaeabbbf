//! Searches between polls, for what a kernel event shows. Events come by the thousand, so that these
//! searches have a budget: what they miss, the next poll finds.

use super::Scan;
use super::search::Search;
use crate::filter::ProcessFilter;
use crate::model::process::Inodes;
use crate::owner::SearchScope;
use crate::owner::event_search::EventSearch;
use crate::owner::table::SearchResult;
use std::time::{Duration, Instant};

/// The searches of either kind take at most one part in this many of the time.
const SHARE: u32 = 20;
/// So much time for them (µs) is saved up while there are none.
const SAVINGS: i64 = 50_000;

/// The time that there is for searches.
#[derive(Debug)]
pub(super) struct Budget {
    /// In µs; less than 0 after a search that took longer.
    left: i64,
    /// When that was.
    at: Instant,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: SAVINGS, at: Instant::now() }
    }
}

impl Budget {
    /// Whether there is time for a search at this instant.
    fn is_left(&mut self, now: Instant) -> bool {
        let earned = micros(now.saturating_duration_since(self.at) / SHARE);
        (self.left, self.at) = (SAVINGS.min(self.left.saturating_add(earned)), now);
        self.left > 0
    }

    /// A search took so long.
    fn spend(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(micros(time));
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

impl Scan {
    /// See [`OwnerLookup::find_now`](crate::owner::OwnerLookup::find_now).
    pub(super) fn search_some(
        &mut self,
        search: &EventSearch,
        filter: &ProcessFilter,
    ) -> Option<SearchResult> {
        let start = Instant::now();
        if !self.budget(search).is_left(start) {
            return None;
        }
        let (among, wanted) = (SearchScope::All(filter), search.wanted());
        let found = match &search.pids {
            None => self.search(among, &wanted),
            Some(pids) => self.search_processes(pids, among, &wanted),
        };
        self.budget(search).spend(start.elapsed());
        Some(found)
    }

    /// A search that takes long must not keep one from being made that takes little.
    const fn budget(&mut self, search: &EventSearch) -> &mut Budget {
        let [few, all] = &mut self.budgets;
        if search.pids.is_some() { few } else { all }
    }

    fn search_processes(
        &mut self,
        pids: &[i32],
        among: SearchScope<'_>,
        wanted: &Inodes,
    ) -> SearchResult {
        let mut under_way = Search::new(among, wanted);
        for pid in pids {
            self.search_process(*pid, &mut under_way);
        }
        if !under_way.has_all() {
            // They are few, and this is no search of all.
            self.search_threaded(true, &mut under_way);
        }
        let mut found = under_way.found;
        found.holders.retain(|(inode, _)| wanted.contains(inode));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_take_their_share_of_the_time() {
        let start = Instant::now();
        let mut budget = Budget { left: SAVINGS, at: start };
        let mut searches = 0;
        for millis in 0..10_000 {
            if budget.is_left(start + Duration::from_millis(millis)) {
                budget.spend(Duration::from_millis(2));
                searches += 1;
            }
        }
        assert!((250..=277).contains(&searches), "{searches} of 2 ms in 10 s");
    }
}
