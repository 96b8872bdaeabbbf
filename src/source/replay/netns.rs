//! The network namespaces of a recording that are asked for: what is about others is left out.

use crate::error::NetnsError;
use crate::model::reading::{PolledNamespace, Reading, Snapshot};
use crate::model::socket::NetnsId;
use crate::settings::netns::NetnsPattern;
use std::collections::{BTreeSet, HashSet};

/// So many are named where none of them is asked for.
const NAMED: usize = 8;

/// Which network namespaces are asked for, and which of them have been met.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// None for all.
    patterns: Vec<NetnsPattern>,
    /// Patterns that no namespace has matched so far, by their places.
    unmet: BTreeSet<usize>,
    /// The namespaces of the run that are asked for.
    ids: HashSet<NetnsId>,
    /// What the others are called.
    others: BTreeSet<String>,
}

impl Wanted {
    pub(super) fn new(patterns: Vec<NetnsPattern>) -> Self {
        Self { unmet: (0..patterns.len()).collect(), patterns, ..Self::default() }
    }

    /// The part of a reading that is asked for; `None` if there is none.
    pub(super) fn part_of(&mut self, mut reading: Reading) -> Option<Reading> {
        if self.patterns.is_empty() {
            return Some(reading);
        }
        let is_wanted = match &mut reading {
            Reading::Snapshot(snapshot) => self.keep(snapshot),
            Reading::Lookups(lookups) => {
                lookups.answers.retain(|(request, _)| self.ids.contains(&request.addrs.netns));
                !lookups.answers.is_empty()
            }
            Reading::StateChange(change) => self.ids.contains(&change.addrs.netns),
            Reading::DestroyEvents(events) => self.ids.contains(&events.netns),
            Reading::Begin(_) => {
                self.ids.clear();
                true
            }
            Reading::Lost(_) | Reading::OwnerUpdate(_) => true,
        };
        is_wanted.then_some(reading)
    }

    /// Keeps what is asked for of a snapshot; false where its only namespace is another one.
    fn keep(&mut self, snapshot: &mut Snapshot) -> bool {
        let Some(all) = &snapshot.namespaces else {
            let (id, inode, name) = (NetnsId::default(), snapshot.netns, None);
            return self.wants(&PolledNamespace { id, inode, name });
        };
        let kept: Vec<PolledNamespace> =
            all.iter().filter(|polled| self.wants(polled)).cloned().collect();
        snapshot.namespaces = Some(kept.into());
        snapshot.rows.retain(|row| self.ids.contains(&row.addrs.netns));
        snapshot.gone.retain(|id| self.ids.contains(id));
        true
    }

    fn wants(&mut self, PolledNamespace { id, inode, name }: &PolledNamespace) -> bool {
        let patterns = self.patterns.iter().enumerate();
        let matching = patterns.filter(|(_, it)| it.matches(*inode, name.as_deref()));
        let places: Vec<usize> = matching.map(|(place, _)| place).collect();
        if places.is_empty() {
            // It may have had a name that is asked for.
            self.ids.remove(id);
            let label = name.clone().or_else(|| inode.map(|inode| inode.to_string()));
            self.others.extend(label.filter(|_| self.others.len() < NAMED));
            return false;
        }
        self.unmet.retain(|place| !places.contains(place));
        self.ids.insert(*id);
        true
    }

    /// Why what was shown is no answer: a namespace that is asked for was never met.
    pub(super) fn missing(&self) -> Option<NetnsError> {
        let name = self.patterns.get(*self.unmet.first()?)?.to_string();
        let known: Vec<&str> = self.others.iter().map(String::as_str).collect();
        Some(NetnsError::NotRecorded { name, known: known.join(", ") })
    }
}
