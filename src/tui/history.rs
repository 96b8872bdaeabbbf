//! How many sockets were in each state during the last minute, for sparklines.

use crate::model::time::Stamp;
use crate::tcp::state::State;
use std::collections::{BTreeMap, VecDeque};

/// So many seconds are kept.
const SECONDS: usize = 60;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_BARS: [char; 8] = ['_', '_', '.', '.', '-', '-', '=', '#'];

/// The counts at the end of each second.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    seconds: VecDeque<(u64, BTreeMap<State, u64>)>,
}

impl History {
    /// Notes the counts of an instant: the last one of a second stays.
    pub(super) fn note(&mut self, at: Stamp, counts: &BTreeMap<State, u64>) {
        let second = at.boot / 1_000_000;
        if self.seconds.back().is_some_and(|(last, _)| *last == second) {
            self.seconds.pop_back();
        }
        self.seconds.push_back((second, counts.clone()));
        while self.seconds.len() > SECONDS {
            self.seconds.pop_front();
        }
    }

    /// The counts of a state in the last `width` seconds, each as a bar; a second without a poll is as
    /// the one before.
    pub(super) fn sparkline(&self, state: State, width: usize, unicode: bool) -> String {
        let Some((last, _)) = self.seconds.back() else { return String::new() };
        let width = width.min(SECONDS);
        let first = last.saturating_sub(width as u64 - u64::from(width > 0));
        let count = |second: u64| {
            let known = self.seconds.iter().rev().find(|(at, _)| *at <= second);
            known.map(|(_, counts)| counts.get(&state).copied().unwrap_or_default())
        };
        let counts: Vec<Option<u64>> = (first..=*last).map(count).collect();
        let highest = counts.iter().flatten().max().copied().unwrap_or_default().max(1);
        let bars = if unicode { BARS } else { ASCII_BARS };
        let bar = |count: Option<u64>| match count {
            None | Some(0) => ' ',
            // At most the last one.
            Some(count) => bars[usize::try_from((count * 8 - 1) / highest).unwrap_or(7).min(7)],
        };
        let line: String = counts.into_iter().map(bar).collect();
        format!("{line:>width$}")
    }
}
