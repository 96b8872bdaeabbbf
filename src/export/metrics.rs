//! What is counted over a run, and all metrics at one instant. Pure: its time is that of the readings.

use super::exposition::{Exposition, LabelSet, MetricFamily, Series};
use super::groups::{GroupId, GroupLabel, Groups};
use super::histogram::Histogram;
use super::ports::Remotes;
use super::sockets::Sockets;
use crate::model::event::{EventKind, MonitorEvent, SocketEvent, SocketStatus};
use crate::model::process::Attribution;
use crate::model::reading::{Lost, LostReason};
use crate::model::time::Stamp;
use crate::tcp::state::State;
use crate::view::diagram::Diagram;
use crate::view::port_usage::PortRecord;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Bounds of the times in a state, in seconds: from two polls to a day.
const STATE_BOUNDS: [f64; 14] =
    [0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0];
/// Bounds of the times that polls take, in seconds.
const POLL_BOUNDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];
/// Why readings are lost. Records have no part in an exporter.
const LOST_REASONS: [LostReason; 5] = [
    LostReason::Gap,
    LostReason::Table,
    LostReason::Ring,
    LostReason::Recursion,
    LostReason::Unreported,
];

/// The metrics of a run.
pub(crate) struct Metrics {
    groups: Groups,
    /// Accept queues, by process and port.
    listeners: Groups,
    remotes: Remotes,
    /// The states that the filters ask for.
    states: Vec<State>,
    counts: BTreeMap<GroupId, GroupCounts>,
    in_state: BTreeMap<State, Histogram>,
    polls: Histogram,
    /// In the order of [`LOST_REASONS`].
    lost: [u64; LOST_REASONS.len()],
}

/// What has happened to the sockets of a group.
#[derive(Debug, Default)]
struct GroupCounts {
    transitions: Diagram,
    /// How connections ended, and who closed first.
    closed: BTreeMap<(String, String), u64>,
}

/// What the monitor knows at the instant of an exposition.
pub(crate) struct Now<S> {
    /// The end of the last reading.
    pub(crate) at: Stamp,
    /// The sockets that the filters ask for, with their owners.
    pub(crate) sockets: S,
    /// Sockets that no poll saw while they were open.
    pub(crate) missed: u64,
    /// Sockets that may match the filter by process, but their owners cannot be inspected.
    pub(crate) undecided: usize,
    /// The use of the port range towards remote ends.
    pub(crate) ports: Vec<PortRecord>,
}

impl Metrics {
    /// Nothing was counted yet. `labels`: what sockets are grouped by, in at most `limit` groups;
    /// `states`: those that the filters ask for.
    pub(crate) fn new(labels: Vec<GroupLabel>, limit: usize, states: Vec<State>) -> Self {
        Self {
            groups: Groups::new(labels, limit),
            listeners: Groups::new(vec![GroupLabel::Process, GroupLabel::Port], limit),
            remotes: Remotes::new(limit),
            states,
            counts: BTreeMap::new(),
            in_state: BTreeMap::new(),
            polls: Histogram::new(&POLL_BOUNDS),
            lost: [0; LOST_REASONS.len()],
        }
    }

    /// Counts a poll that took so long.
    pub(crate) fn add_poll(&mut self, took: Duration) {
        self.polls.add(took);
    }

    /// Counts events. `ports`: whether connect() may choose a port.
    pub(crate) fn apply(&mut self, events: &[MonitorEvent], ports: &dyn Fn(u16) -> bool) {
        for event in events {
            match event {
                MonitorEvent::Socket(event) if event.passes => self.apply_socket(event, ports),
                MonitorEvent::Socket(_) => {}
                MonitorEvent::Lost(lost) => self.apply_lost(lost),
            }
        }
    }

    fn apply_socket(&mut self, event: &SocketEvent, ports: &dyn Fn(u16) -> bool) {
        let transition = &event.transition;
        let group = self.groups.of(&transition.socket, &event.owner, ports);
        let counts = self.counts.entry(group).or_default();
        counts.transitions.apply(event);
        if let (EventKind::Closed, Some(verdict)) = (transition.kind, transition.verdict) {
            let closer = transition.roles.closer.map_or_else(|| "unknown".to_owned(), |s| name(&s));
            *counts.closed.entry((name(&verdict), closer)).or_default() += 1;
        }
        if let (Some(state), Some(held)) = (transition.from, transition.ages.held)
            && !transition.ages.held_at_least
        {
            let new = || Histogram::new(&STATE_BOUNDS);
            self.in_state.entry(state).or_insert_with(new).add(held);
        }
    }

    fn apply_lost(&mut self, lost: &Lost) {
        if let Some(place) = LOST_REASONS.iter().position(|reason| *reason == lost.reason) {
            self.lost[place] = self.lost[place].saturating_add(lost.count.unwrap_or(1));
        }
    }

    /// All metrics now.
    pub(crate) fn exposition(
        &mut self,
        now: Now<impl Iterator<Item = (SocketStatus, Attribution)>>,
        ports: &dyn Fn(u16) -> bool,
    ) -> Exposition {
        let mut sockets = Sockets::default();
        for (status, owner) in now.sockets {
            let groups = (&mut self.groups, &mut self.listeners);
            sockets.add(now.at, (&status, &owner), groups, ports);
        }
        let mut families = self.gauges(&sockets);
        families.push(self.port_use(&now.ports));
        families.extend(self.counters());
        families.extend(self.quality(now.at, now.missed, now.undecided));
        Exposition::new(families)
    }

    fn gauges(&self, sockets: &Sockets) -> Vec<MetricFamily> {
        let by_state = || sockets.by_state(&self.groups, &self.states);
        let queues = || sockets.queues(&self.listeners);
        let limit = |(labels, queue): (LabelSet, super::sockets::AcceptQueue)| {
            Some((labels, f64::from(queue.limit?)))
        };
        #[allow(clippy::cast_precision_loss)] // exact up to 2^53 sockets
        let count =
            |(labels, state): (LabelSet, super::sockets::InState)| (labels, state.count as f64);
        vec![
            MetricFamily {
                name: "tcplapse_sockets",
                help: "Sockets now, by state.",
                series: Series::Gauge(by_state().map(count).collect()),
            },
            MetricFamily {
                name: "tcplapse_oldest_seconds",
                help: "How long the oldest of these sockets has been in its state, as far as that is \
                       known; 0 if there is none.",
                series: Series::Gauge(by_state().map(|(labels, s)| (labels, s.oldest)).collect()),
            },
            MetricFamily {
                name: "tcplapse_accept_queue",
                help: "Connections that wait for accept(); where several listeners have these labels, \
                       those of the fullest.",
                series: Series::Gauge(
                    queues().map(|(labels, queue)| (labels, queue.length.into())).collect(),
                ),
            },
            MetricFamily {
                name: "tcplapse_accept_queue_limit",
                help: "How many connections may wait for accept().",
                series: Series::Gauge(queues().filter_map(limit).collect()),
            },
        ]
    }

    fn port_use(&mut self, usage: &[PortRecord]) -> MetricFamily {
        let shares = self.remotes.shares(usage).into_iter();
        MetricFamily {
            name: "tcplapse_ephemeral_ports_used_ratio",
            help: "Share of the ports that connect() chooses from that is in use towards a remote end, \
                   where it is large; the largest of all others.",
            series: Series::Gauge(
                shares.map(|(end, share)| (vec![("remote", end)], share)).collect(),
            ),
        }
    }

    fn counters(&self) -> Vec<MetricFamily> {
        let (mut transitions, mut gaps, mut closed) = (Vec::new(), Vec::new(), Vec::new());
        for (group, counts) in &self.counts {
            let labels = || self.groups.labels(*group);
            for (edge, passed) in counts.transitions.edges() {
                let number = passed.observed + passed.certain;
                if number > 0 {
                    let ends = [("from", edge.from.to_string()), ("to", edge.to.to_string())];
                    transitions.push((ends.into_iter().chain(labels()).collect(), number));
                }
            }
            gaps.push((labels(), counts.transitions.gaps().map(|(.., number)| number).sum()));
            for ((verdict, closer), number) in &counts.closed {
                let how = [("verdict", verdict.clone()), ("closer", closer.clone())];
                closed.push((how.into_iter().chain(labels()).collect(), *number));
            }
        }
        let state = |(state, times): (&State, &Histogram)| {
            (vec![("state", state.to_string())], times.clone())
        };
        vec![
            MetricFamily {
                name: "tcplapse_transitions",
                help: "Transitions that were observed or are certain, by the edges of the state \
                       diagram.",
                series: Series::Counter(transitions),
            },
            MetricFamily {
                name: "tcplapse_unproven_transitions",
                help: "Pairs of states observed one after the other, of which it is not certain which \
                       transitions led from one to the other.",
                series: Series::Counter(gaps),
            },
            MetricFamily {
                name: "tcplapse_closed",
                help: "Connections that ended, by how and by the side that closed first, as far as \
                       proven.",
                series: Series::Counter(closed),
            },
            MetricFamily {
                name: "tcplapse_state_seconds",
                help: "How long sockets were in a state that they have left.",
                series: Series::Histogram(self.in_state.iter().map(state).collect()),
            },
        ]
    }

    /// How much of what happened was seen.
    fn quality(&self, at: Stamp, missed: u64, undecided: usize) -> Vec<MetricFamily> {
        let lost = LOST_REASONS.iter().zip(self.lost);
        let lost = lost.map(|(reason, count)| (vec![("reason", name(reason))], count));
        let version = env!("CARGO_PKG_VERSION").to_owned();
        #[allow(clippy::cast_precision_loss)] // exact to the microsecond for 285 years
        let (at, undecided) = (at.wall as f64 / 1e6, undecided as f64);
        vec![
            MetricFamily {
                name: "tcplapse_undecided_sockets",
                help: "Sockets that are not counted, and may be of a process that is asked for: their \
                       owners cannot be inspected.",
                series: Series::Gauge(vec![(Vec::new(), undecided)]),
            },
            MetricFamily {
                name: "tcplapse_missed",
                help: "Sockets of any process that opened and closed between two polls, as far as they \
                       were noticed.",
                series: Series::Counter(vec![(Vec::new(), missed)]),
            },
            MetricFamily {
                name: "tcplapse_lost",
                help: "Readings that were lost, by why.",
                series: Series::Counter(lost.collect()),
            },
            MetricFamily {
                name: "tcplapse_poll_seconds",
                help: "How long polls took.",
                series: Series::Histogram(vec![(Vec::new(), self.polls.clone())]),
            },
            MetricFamily {
                name: "tcplapse_last_reading_timestamp_seconds",
                help: "When the last reading was complete, in seconds since 1970.",
                series: Series::Gauge(vec![(Vec::new(), at)]),
            },
            MetricFamily {
                name: "tcplapse_build",
                help: "The version of tcplapse.",
                series: Series::Info(vec![("version", version)]),
            },
        ]
    }
}

/// The name of a value, as records have it.
fn name(value: &impl Serialize) -> String {
    let name = serde_json::to_value(value).ok();
    name.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
