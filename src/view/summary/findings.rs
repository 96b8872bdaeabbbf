//! What is noteworthy in a run: leaks, ports that run out, full accept queues, peers that do not
//! answer, connections that failed. Each is a fact with its numbers; what it is called is left to
//! those who show it.

use super::Summary;
use super::failures::{FailureCounts, FailureReason};
use crate::model::event::{Side, SocketEvent, SocketStatus, Verdict};
use crate::model::net_limits::{NetLimits, PortRange};
use crate::model::socket::Endpoint;
use crate::model::time::{Stamp, seconds};
use crate::tcp::state::State;
use crate::view::group::GroupKey;
use crate::view::port_usage::port_usage;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// A socket that waits for its process in CLOSE_WAIT for so long is noteworthy.
const LONG_IN_CLOSE_WAIT: Duration = Duration::from_secs(10);
/// A SYN is answered sooner, or is lost: the first retransmission comes after a second.
const LONG_IN_SYN_SENT: Duration = Duration::from_secs(1);
/// A remote end that uses a smaller part of the ports is not noteworthy, in percent.
const MANY_PORTS: f64 = 10.0;
/// So many findings of each kind are given.
const MOST_OF_A_KIND: usize = 20;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[schemars(rename = "finding-kind")]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// More sockets of a process are in CLOSE_WAIT than at the start, and there were never fewer after
    /// a poll than after the one before.
    GrowingCloseWait,
    /// Sockets of a process have been in CLOSE_WAIT for ten seconds or longer.
    LongCloseWait,
    /// Connections to one remote end use up local ports.
    Ports,
    /// More connections than a listener lets wait have not been accepted.
    AcceptQueue,
    /// Connections were dropped because an accept queue was full.
    ListenOverflows,
    /// Connections that are being opened get no answer.
    NoAnswer,
    /// connect() failed.
    FailedConnects,
    /// Connections were reset.
    Resets,
}

/// Something noteworthy. Field names, order and values are the public schema, version 1; the
/// comments of the fields are the manual. What does not belong to a kind is null.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct FindingRecord {
    /// RFC 3339, UTC: the end of the last poll.
    pub time: Stamp,
    /// `growing-close-wait` (more of a process's sockets are in CLOSE_WAIT than at the start, and
    /// there were never fewer than before), `long-close-wait` (for ten seconds or longer), `ports` (local ports in use towards
    /// one remote end, from 10 % on), `accept-queue` (more connections wait for accept() than the
    /// limit), `listen-overflows` (connections that a full accept queue has dropped), `no-answer`
    /// (SYNs without an answer), `failed-connects`, `resets`. Of each the 20 most frequent.
    pub finding: FindingKind,
    /// The name of the process.
    pub process: Option<String>,
    /// Local address.
    pub local_addr: Option<IpAddr>,
    /// Local port.
    pub local_port: Option<u16>,
    /// Remote address.
    pub remote_addr: Option<IpAddr>,
    /// Remote port.
    pub remote_port: Option<u16>,
    /// How many: sockets, ports in use, waiting or dropped connections, failures.
    pub count: u64,
    /// How many of them there were at the first poll (`growing-close-wait`), or are in TIME_WAIT
    /// (`ports`).
    pub part: Option<u64>,
    /// How many there can be: ports that connect() can choose from, or the limit of an accept queue.
    pub limit: Option<u64>,
    /// `count` in percent of `limit` (`ports`).
    pub percent: Option<f64>,
    /// Whether `limit` is the kernel's default, because the one that was set is not known, as in a
    /// recording.
    pub limit_assumed: bool,
    /// Seconds since the oldest of them came into its state.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub oldest: Option<Duration>,
    /// Why connect() failed: a `verdict` as in an event.
    pub verdict: Option<Verdict>,
    /// Which side sent the resets; null if unknown.
    pub reset_by: Option<Side>,
}

/// What is counted beside the summary to find something.
#[derive(Debug)]
pub(crate) struct Findings {
    /// By process, whatever the summary is grouped by.
    processes: Summary,
    failures: FailureCounts,
    /// The counters at the start.
    limits_at_start: Option<NetLimits>,
}

impl Default for Findings {
    fn default() -> Self {
        let processes = Summary::new(&[GroupKey::Process]);
        Self { processes, failures: FailureCounts::default(), limits_at_start: None }
    }
}

impl Findings {
    /// The counts by process.
    pub(crate) const fn processes(&self) -> &Summary {
        &self.processes
    }

    /// The summary by process, to be brought up to date.
    pub(crate) const fn processes_mut(&mut self) -> &mut Summary {
        &mut self.processes
    }

    /// The events that follow are of a reading that was complete at this instant.
    pub(crate) fn begin_reading(&mut self, at: Stamp) {
        self.processes.begin_reading(at);
    }

    /// Counts an event.
    pub(crate) fn apply(&mut self, event: &SocketEvent) {
        self.processes.apply(event);
        self.failures.apply(event);
    }

    /// All events of the reading were applied. `limits`: those of the network namespace.
    pub(crate) fn end_reading(&mut self, limits: impl FnOnce() -> NetLimits) {
        self.processes.end_reading();
        self.limits_at_start.get_or_insert_with(limits);
    }

    /// What is noteworthy now. `sockets`: those that are asked for; `all`: those of all processes.
    pub(crate) fn records(
        &self,
        sockets: &[SocketStatus],
        all: impl Iterator<Item = SocketStatus>,
        limits: NetLimits,
    ) -> Vec<FindingRecord> {
        let mut found = self.close_waits(sockets);
        found.extend(self.ports(all, limits.ports));
        found.extend(self.accept_queues(sockets));
        found.extend(self.overflows(limits));
        found.extend(self.no_answers(sockets));
        found.extend(self.failures());
        found
    }

    fn finding(&self, finding: FindingKind, process: Option<String>, count: u64) -> FindingRecord {
        FindingRecord {
            time: self.processes.at(),
            finding,
            process,
            local_addr: None,
            local_port: None,
            remote_addr: None,
            remote_port: None,
            count,
            part: None,
            limit: None,
            percent: None,
            limit_assumed: false,
            oldest: None,
            verdict: None,
            reset_by: None,
        }
    }

    /// The process of an open socket.
    fn process(&self, now: &SocketStatus) -> Option<String> {
        self.processes.group_of(now.socket.id)?.first().cloned().flatten()
    }

    fn close_waits(&self, sockets: &[SocketStatus]) -> Vec<FindingRecord> {
        let at = self.processes.at();
        let mut oldest: HashMap<Option<String>, (Duration, u64)> = HashMap::new();
        for now in sockets.iter().filter(|now| now.state == State::CloseWait) {
            let age = at.since(now.since);
            let (longest, long) = oldest.entry(self.process(now)).or_default();
            *longest = age.max(*longest);
            *long += u64::from(age >= LONG_IN_CLOSE_WAIT);
        }
        let finding = |(name, group): (Option<&[Option<String>]>, &super::Group)| {
            let process = name.and_then(|name| name.first()?.clone());
            let counts = group.states.get(&State::CloseWait)?;
            let (longest, long) = oldest.get(&process).copied()?;
            // A single poll may find a connection while it is being closed.
            let grows = counts.change() > 0
                && !counts.has_fallen
                && longest >= self.processes.duration().min(LONG_IN_SYN_SENT);
            let found = if grows && !self.processes.duration().is_zero() {
                let part = Some(counts.at_start);
                let kind = FindingKind::GrowingCloseWait;
                FindingRecord { part, ..self.finding(kind, process, counts.now) }
            } else if long > 0 {
                self.finding(FindingKind::LongCloseWait, process, long)
            } else {
                return None;
            };
            Some(FindingRecord { oldest: Some(longest), ..found })
        };
        most(self.processes.groups().filter_map(finding).collect())
    }

    fn ports(
        &self,
        all: impl Iterator<Item = SocketStatus>,
        range: Option<PortRange>,
    ) -> Vec<FindingRecord> {
        let known = range.unwrap_or(PortRange::DEFAULT);
        let usage = port_usage(all, known, self.processes.at(), MANY_PORTS);
        let finding = |usage: crate::view::port_usage::PortRecord| FindingRecord {
            local_addr: Some(usage.local_addr),
            remote_addr: Some(usage.remote_addr),
            remote_port: Some(usage.remote_port),
            part: Some(usage.time_wait.into()),
            limit: Some(usage.available.into()),
            percent: Some(usage.percent),
            limit_assumed: range.is_none(),
            ..self.finding(FindingKind::Ports, None, usage.used.into())
        };
        usage.into_iter().take(MOST_OF_A_KIND).map(finding).collect()
    }

    /// `sk_acceptq_is_full()`: the queue takes one more than its limit.
    fn accept_queues(&self, sockets: &[SocketStatus]) -> Vec<FindingRecord> {
        let full = |now: &&SocketStatus| {
            let limit = now.details.backlog_limit;
            now.state == State::Listen && limit.is_some_and(|limit| now.details.rx_queue > limit)
        };
        let finding = |now: &SocketStatus| FindingRecord {
            local_addr: Some(now.socket.addrs.local.addr),
            local_port: Some(now.socket.addrs.local.port),
            limit: now.details.backlog_limit.map(u64::from),
            ..self.finding(FindingKind::AcceptQueue, self.process(now), now.details.rx_queue.into())
        };
        most(sockets.iter().filter(full).map(finding).collect())
    }

    fn overflows(&self, limits: NetLimits) -> Option<FindingRecord> {
        let before = self.limits_at_start?.listen_overflows?;
        let more = limits.listen_overflows?.checked_sub(before).filter(|more| *more > 0)?;
        Some(self.finding(FindingKind::ListenOverflows, None, more))
    }

    fn no_answers(&self, sockets: &[SocketStatus]) -> Vec<FindingRecord> {
        let at = self.processes.at();
        let mut waiting: HashMap<(Option<String>, Endpoint), (u64, Duration)> = HashMap::new();
        for now in sockets.iter().filter(|now| now.state == State::SynSent) {
            let age = at.since(now.since);
            if age >= LONG_IN_SYN_SENT || now.details.retransmits > 0 {
                let key = (self.process(now), now.socket.addrs.remote);
                let (count, longest) = waiting.entry(key).or_default();
                (*count, *longest) = (*count + 1, age.max(*longest));
            }
        }
        let finding = |((process, remote), (count, longest)): (_, (u64, Duration))| FindingRecord {
            oldest: Some(longest),
            ..self.towards(remote, FindingKind::NoAnswer, process, count)
        };
        most(waiting.into_iter().map(finding).collect())
    }

    fn failures(&self) -> Vec<FindingRecord> {
        let (mut connects, mut resets) = (Vec::new(), Vec::new());
        for (failure, count) in self.failures.most_frequent() {
            let process = failure.process.clone();
            match (failure.reason, failure.remote) {
                (FailureReason::Connect(verdict), Some(remote)) => connects.push(FindingRecord {
                    verdict: Some(verdict),
                    ..self.towards(remote, FindingKind::FailedConnects, process, count)
                }),
                (FailureReason::Reset(reset_by), _) => resets.push(FindingRecord {
                    reset_by,
                    ..self.finding(FindingKind::Resets, process, count)
                }),
                (FailureReason::Connect(_), None) => {}
            }
        }
        let mut all = most(connects);
        all.extend(most(resets));
        all
    }

    fn towards(
        &self,
        remote: Endpoint,
        kind: FindingKind,
        process: Option<String>,
        count: u64,
    ) -> FindingRecord {
        FindingRecord {
            remote_addr: Some(remote.addr),
            remote_port: Some(remote.port),
            ..self.finding(kind, process, count)
        }
    }
}

/// The most frequent of some findings of one kind.
fn most(mut findings: Vec<FindingRecord>) -> Vec<FindingRecord> {
    findings.sort_by(|a, b| {
        let place = |found: &FindingRecord| {
            (found.process.clone(), found.local_port, found.remote_addr, found.remote_port)
        };
        b.count.cmp(&a.count).then_with(|| place(a).cmp(&place(b)))
    });
    findings.truncate(MOST_OF_A_KIND);
    findings
}

#[cfg(test)]
mod tests;
