//! A row of the summary.

use crate::model::event::{Side, Verdict};
use crate::model::time::{Stamp, seconds};
use crate::tcp::state::State;
use crate::view::group::GroupKey;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use std::time::Duration;

/// A row of the summary: the sockets of one group in one state, or all of the group. Field names,
/// order and values are the public schema, version 1; the comments of the fields are the manual.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct SummaryRecord {
    /// RFC 3339, UTC: the end of the last poll.
    pub time: Stamp,
    /// Seconds from the first poll to the last.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub span: Option<Duration>,
    /// What `--by` groups by: a list of `process`, `remote`, `local-port`, `unit`, `container`, `pod`; empty for
    /// `state`.
    pub by: Vec<GroupKey>,
    /// The group: a list of as many names, null where no owner is known.
    pub group: Vec<Option<String>>,
    /// Whether the row stands for all groups after the first 10,000; `group` is empty then.
    pub is_rest: bool,
    /// The state that is counted; null for all sockets of the group.
    pub state: Option<State>,
    /// How many sockets there are now.
    pub count: u64,
    /// How many more there are than at the first poll.
    pub change: i64,
    /// The most there were after a poll.
    pub highest: u64,
    /// How many came into the state since the first poll; where `state` is null, how many were
    /// opened.
    pub opened: u64,
    /// How many left the state; where `state` is null, how many were closed.
    pub closed: u64,
    /// The first of these per second; null where the run is a single poll.
    pub opened_per_second: Option<f64>,
    /// The second of these per second.
    pub closed_per_second: Option<f64>,
    /// How long (seconds) the oldest of the sockets that are there has been in the state; null where
    /// there is none, and where `state` is null.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub oldest: Option<Duration>,
    /// Whether `oldest` is a lower bound.
    pub oldest_at_least: bool,
    /// Of how many sockets that left the state, or were closed, it is known how long they were in
    /// it, or lived. The next two are of those.
    pub measured: u64,
    /// Seconds that half of them did not exceed; null where there are none. Of more than 64 within
    /// 3 %, as the next.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub median: Option<Duration>,
    /// Seconds that 95 % of them did not exceed.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub p95: Option<Duration>,
    /// Where `state` is null, which side closed the closed ones first, as far as proven: a list of
    /// `name` (`local`, `remote`, `both`) and `count`.
    #[serde(serialize_with = "named_counts")]
    #[schemars(with = "Vec<NamedCount<Side>>")]
    pub closers: Vec<(Side, u64)>,
    /// Where `state` is null, how the closed ones ended: a list of `name` (a `verdict` as in an event)
    /// and `count`.
    #[serde(serialize_with = "named_counts")]
    #[schemars(with = "Vec<NamedCount<Verdict>>")]
    pub verdicts: Vec<(Verdict, u64)>,
}

/// How often something happened.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "count-of-{K}")]
struct NamedCount<K> {
    /// What.
    name: K,
    /// How often.
    count: u64,
}

/// A list of objects with the keys `name` and `count`.
fn named_counts<K: Copy + Serialize, S: Serializer>(
    counts: &[(K, u64)],
    s: S,
) -> Result<S::Ok, S::Error> {
    s.collect_seq(counts.iter().map(|(name, count)| NamedCount { name: *name, count: *count }))
}
