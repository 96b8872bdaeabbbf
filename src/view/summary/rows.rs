//! The rows of the summary, made of its counts.

use super::counts::StateCounts;
use super::record::SummaryRecord;
use super::{Group, GroupLabels, Summary};
use crate::model::event::SocketStatus;
use crate::tcp::state::State;
use std::collections::HashMap;
use std::time::Duration;

impl Summary {
    /// The rows: each group with its states, the largest group first. `sockets`: those that are open;
    /// `shows`: the states to show.
    pub(crate) fn records<'s>(
        &self,
        sockets: impl Iterator<Item = &'s SocketStatus>,
        shows: impl Fn(State) -> bool,
    ) -> Vec<SummaryRecord> {
        let at = self.at();
        let mut oldest: HashMap<(u32, State), Oldest> = HashMap::new();
        for now in sockets {
            let Some(counted) = self.sockets.get(&now.socket.id) else { continue };
            let age = Oldest { time: at.since(now.since), at_least: now.held_at_least };
            let known = oldest.entry((counted.group, now.state)).or_default();
            *known = age.max(*known);
        }
        let mut groups: Vec<(usize, &GroupLabels, &Group)> = self
            .groups
            .iter()
            .enumerate()
            .map(|(place, (name, group))| (place, name, group))
            .filter(|(.., group)| !group.all.is_empty())
            .collect();
        groups.sort_by(|(_, a, one), (_, b, other)| {
            let size = |group: &Group| (group.all.now, group.all.entered);
            size(other).cmp(&size(one)).then_with(|| a.cmp(b))
        });
        let mut records = Vec::new();
        for (place, name, group) in groups {
            records.push(self.record(name.as_ref(), None, &group.all, group, None));
            for (state, counts) in &group.states {
                if shows(*state) && !counts.is_empty() {
                    let key = u32::try_from(place).ok().map(|place| (place, *state));
                    let oldest = key.and_then(|key| oldest.get(&key)).copied();
                    records.push(self.record(name.as_ref(), Some(*state), counts, group, oldest));
                }
            }
        }
        records
    }

    fn record(
        &self,
        name: Option<&Vec<Option<String>>>,
        state: Option<State>,
        counts: &StateCounts,
        group: &Group,
        oldest: Option<Oldest>,
    ) -> SummaryRecord {
        let span = self.duration();
        #[allow(clippy::cast_precision_loss)] // a rate
        let rate = |count: u64| {
            (!span.is_zero()).then(|| (count as f64 / span.as_secs_f64() * 1000.0).round() / 1000.0)
        };
        let ends = state.is_none();
        let (verdicts, closers) = if ends {
            (group.verdicts.clone(), group.closers.clone())
        } else {
            (Vec::new(), Vec::new())
        };
        SummaryRecord {
            time: self.at(),
            span: Some(span),
            by: self.by.clone(),
            group: name.cloned().unwrap_or_default(),
            is_rest: name.is_none(),
            state,
            count: counts.now,
            change: counts.change(),
            highest: counts.highest,
            opened: counts.entered,
            closed: counts.left,
            opened_per_second: rate(counts.entered),
            closed_per_second: rate(counts.left),
            oldest: oldest.map(|oldest| oldest.time),
            oldest_at_least: oldest.is_some_and(|oldest| oldest.at_least),
            measured: counts.times.count(),
            median: counts.times.percentile(50),
            p95: counts.times.percentile(95),
            closers,
            verdicts,
        }
    }
}

/// The age of the oldest socket in a state; of two that are as old, the one that may be older.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Oldest {
    time: Duration,
    at_least: bool,
}
