//! The records of the program as its interface promises them: any other key is an error.

use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// How many keys an event has; all of them are always there.
const EVENT_KEYS: usize = 38;
const ALERT_KEYS: usize = 14;
const SOCKET_KEYS: usize = 33;
const LIFE_KEYS: usize = 28;

/// RFC 3339 in the records; here microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Time(pub(crate) i64);

impl TryFrom<String> for Time {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        text.parse().map(|time: Timestamp| Self(time.as_microsecond()))
    }
}

/// A descriptor of a socket.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Owner {
    pub(crate) pid: u32,
    pub(crate) fd: i32,
    pub(crate) process: String,
}

/// One event of one socket.
#[allow(clippy::struct_field_names)] // `event` is the schema's word
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    pub(crate) v: u8,
    pub(crate) event: String,
    pub(crate) time: Time,
    pub(crate) after: Option<Time>,
    pub(crate) id: String,
    pub(crate) netns: Option<u64>,
    pub(crate) family: String,
    pub(crate) local_addr: IpAddr,
    pub(crate) local_port: u16,
    pub(crate) remote_addr: IpAddr,
    pub(crate) remote_port: u16,
    pub(crate) from: Option<String>,
    pub(crate) via: Vec<String>,
    pub(crate) maybe: Vec<String>,
    pub(crate) to: String,
    pub(crate) held: Option<f64>,
    pub(crate) held_at_least: bool,
    pub(crate) pid: Option<u32>,
    pub(crate) process: Option<String>,
    pub(crate) owners: Vec<Owner>,
    pub(crate) owner_source: String,
    pub(crate) uid: Option<u32>,
    pub(crate) inode: Option<u64>,
    pub(crate) opener: Option<String>,
    pub(crate) closer: Option<String>,
    pub(crate) verdict: Option<String>,
    pub(crate) reset_by: Option<String>,
    pub(crate) source: String,
    pub(crate) lived: Option<f64>,
    pub(crate) held_from: Option<String>,
    pub(crate) idle: Option<f64>,
    pub(crate) unit: Option<String>,
    pub(crate) container: Option<String>,
    pub(crate) pod: Option<String>,
    pub(crate) k8s_namespace: Option<String>,
    pub(crate) netns_name: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) ipv6_only: Option<bool>,
}

/// Readings or output were lost.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lost {
    pub(crate) v: u8,
    pub(crate) event: String,
    pub(crate) time: Time,
    pub(crate) reason: String,
    pub(crate) count: Option<u64>,
}

/// One socket of `list`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listed {
    pub(crate) v: u8,
    pub(crate) time: Time,
    pub(crate) id: String,
    pub(crate) netns: Option<u64>,
    pub(crate) family: String,
    pub(crate) local_addr: IpAddr,
    pub(crate) local_port: u16,
    pub(crate) remote_addr: IpAddr,
    pub(crate) remote_port: u16,
    pub(crate) state: String,
    pub(crate) held: Option<f64>,
    pub(crate) held_at_least: bool,
    pub(crate) pid: Option<u32>,
    pub(crate) process: Option<String>,
    pub(crate) owners: Vec<Owner>,
    pub(crate) owner_source: String,
    pub(crate) uid: Option<u32>,
    pub(crate) inode: Option<u64>,
    pub(crate) recv_queue: u32,
    pub(crate) send_queue: u32,
    pub(crate) backlog_limit: Option<u32>,
    pub(crate) timer: String,
    pub(crate) timer_left: Option<f64>,
    pub(crate) retransmits: u32,
    pub(crate) idle: Option<f64>,
    pub(crate) held_from: Option<String>,
    pub(crate) unit: Option<String>,
    pub(crate) container: Option<String>,
    pub(crate) pod: Option<String>,
    pub(crate) k8s_namespace: Option<String>,
    pub(crate) netns_name: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) ipv6_only: Option<bool>,
}

/// One life of `--view timeline`.
#[allow(clippy::struct_field_names)] // `event` is the schema's word
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Life {
    pub(crate) v: u8,
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) netns: Option<u64>,
    pub(crate) family: String,
    pub(crate) local_addr: IpAddr,
    pub(crate) local_port: u16,
    pub(crate) remote_addr: IpAddr,
    pub(crate) remote_port: u16,
    pub(crate) pid: Option<u32>,
    pub(crate) process: Option<String>,
    pub(crate) owners: Vec<Owner>,
    pub(crate) owner_source: String,
    pub(crate) opened: Option<Time>,
    pub(crate) ended: Option<Time>,
    pub(crate) opener: Option<String>,
    pub(crate) closer: Option<String>,
    pub(crate) verdict: Option<String>,
    pub(crate) reset_by: Option<String>,
    pub(crate) steps: Vec<Step>,
    pub(crate) lived: Option<f64>,
    pub(crate) unit: Option<String>,
    pub(crate) container: Option<String>,
    pub(crate) pod: Option<String>,
    pub(crate) k8s_namespace: Option<String>,
    pub(crate) netns_name: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) ipv6_only: Option<bool>,
}

/// One step of a life.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) state: String,
    pub(crate) at: Option<Time>,
    pub(crate) held: Option<f64>,
    pub(crate) evidence: String,
    pub(crate) cause: Option<String>,
}

impl Life {
    /// # Panics
    /// Where the line breaks the promised schema.
    pub(crate) fn parse(line: &str) -> Self {
        let value: serde_json::Value = serde_json::from_str(line).expect(line);
        assert_eq!(value.as_object().map(serde_json::Map::len), Some(LIFE_KEYS), "{line}");
        serde_json::from_value(value).expect(line)
    }

    /// Its steps as `STATE evidence`.
    pub(crate) fn step_summaries(&self) -> Vec<String> {
        self.steps.iter().map(|step| format!("{} {}", step.state, step.evidence)).collect()
    }
}

/// The diagram's record.
#[allow(clippy::struct_field_names)] // `event` is the schema's word
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Diagram {
    pub(crate) v: u8,
    pub(crate) event: String,
    pub(crate) states: BTreeMap<String, u64>,
    pub(crate) edges: Vec<Edge>,
}

/// How often a step was made.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) observed: u64,
    pub(crate) certain: u64,
}

impl Diagram {
    /// # Panics
    /// Where the line breaks the promised schema.
    pub(crate) fn parse(line: &str) -> Self {
        serde_json::from_str(line).expect(line)
    }
}

/// An alert of a rule.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alert {
    pub(crate) v: u8,
    pub(crate) event: String,
    pub(crate) time: Time,
    pub(crate) rule: String,
    pub(crate) active: bool,
    pub(crate) count: usize,
    pub(crate) sockets: Vec<String>,
    pub(crate) netns: Option<u64>,
    pub(crate) family: String,
    pub(crate) local_addr: IpAddr,
    pub(crate) local_port: u16,
    pub(crate) remote_addr: IpAddr,
    pub(crate) remote_port: u16,
    pub(crate) scope: Option<String>,
}

impl Alert {
    /// The alerts among lines of JSON.
    ///
    /// # Panics
    /// Where one breaks the promised schema.
    pub(crate) fn among(lines: &str) -> Vec<Self> {
        let whole = lines.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let alerts = whole.filter_map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).expect(line);
            if value["event"] != "alert" {
                return None;
            }
            assert_eq!(value.as_object().map(serde_json::Map::len), Some(ALERT_KEYS), "{line}");
            Some(serde_json::from_value(value).expect(line))
        });
        alerts.collect()
    }

    /// `leak on 2`: the rule, whether it is on, and how many offend.
    pub(crate) fn summary(&self) -> String {
        format!("{} {} {}", self.rule, if self.active { "on" } else { "over" }, self.count)
    }
}

/// A line of `watch -j`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OutputLine {
    Event(Box<Event>),
    Lost(Lost),
}

impl OutputLine {
    /// # Panics
    /// Where the line breaks the promised schema.
    pub(crate) fn parse(line: &str) -> Self {
        let value: serde_json::Value = serde_json::from_str(line).expect(line);
        if value["event"] == "lost" {
            return Self::Lost(serde_json::from_value(value).expect(line));
        }
        assert_eq!(value.as_object().map(serde_json::Map::len), Some(EVENT_KEYS), "{line}");
        Self::Event(serde_json::from_value(value).expect(line))
    }
}

impl Event {
    pub(crate) fn local(&self) -> SocketAddr {
        (self.local_addr, self.local_port).into()
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        (self.remote_addr, self.remote_port).into()
    }
}

impl Listed {
    /// # Panics
    /// Where the line breaks the promised schema.
    pub(crate) fn parse(line: &str) -> Self {
        let value: serde_json::Value = serde_json::from_str(line).expect(line);
        assert_eq!(value.as_object().map(serde_json::Map::len), Some(SOCKET_KEYS), "{line}");
        serde_json::from_value(value).expect(line)
    }

    pub(crate) fn local(&self) -> SocketAddr {
        (self.local_addr, self.local_port).into()
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        (self.remote_addr, self.remote_port).into()
    }
}
