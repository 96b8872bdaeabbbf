//! Records: what is printed, before it has a format. Pure.
//!
//! A *view* (`output::views`) decides which records a run gives; here is what they are made of and
//! what is kept to make them. A *renderer* ([`crate::render`]) turns them into bytes. The keys of a
//! record as JSON are those of the struct named `…Record`, and of the model types that it flattens.

pub(crate) mod diagram;
pub(crate) mod event;
pub(crate) mod group;
pub(crate) mod labels;
pub(crate) mod life;
pub(crate) mod pairing;
pub(crate) mod port_usage;
pub(crate) mod report;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod schema;
pub(crate) mod socket;
pub(crate) mod summary;

use crate::model::event::{Alert, SocketRef};
use crate::model::reading::{Lost, LostReason};
use crate::model::time::Stamp;
use diagram::Diagram;
use event::EventRecord;
use group::GroupRecord;
use life::LifeRecord;
use port_usage::PortRecord;
use report::Report;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use socket::SocketRecord;
use summary::findings::FindingRecord;
use summary::record::SummaryRecord;

/// Version of the schema of all records: their key `v`.
const SCHEMA_VERSION: u8 = 1;

/// Whatever is printed as one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A violation of a rule begins or ends.
    Alert(Box<Alert>),
    /// Something happened to a socket.
    Event(Box<EventRecord>),
    /// A socket as it is now.
    Socket(Box<SocketRecord>),
    /// The life of a socket.
    Life(Box<LifeRecord>),
    /// Sockets counted as a group.
    Group(Box<GroupRecord>),
    /// The sockets of a group in one state, or all of them.
    Summary(Box<SummaryRecord>),
    /// Something noteworthy.
    Finding(Box<FindingRecord>),
    /// The local ports in use towards one remote end.
    Ports(Box<PortRecord>),
    /// The head of a report.
    Report(Box<Report>),
    /// How often each edge of the state diagram was passed.
    Diagram(Box<Diagram>),
    /// Readings or records were lost.
    Lost(Lost),
}

impl Record {
    /// The socket that it is about; of an alert the worst one.
    pub(crate) fn socket(&self) -> Option<&SocketRef> {
        match self {
            Self::Alert(alert) => Some(&alert.worst.socket),
            Self::Event(event) => Some(&event.socket),
            Self::Socket(socket) => Some(&socket.socket),
            Self::Life(life) => Some(&life.socket),
            Self::Report(_)
            | Self::Summary(_)
            | Self::Finding(_)
            | Self::Ports(_)
            | Self::Diagram(_)
            | Self::Group(_)
            | Self::Lost(_) => None,
        }
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Event(event) => keys(None, event, serializer),
            Self::Socket(socket) => keys(None, socket, serializer),
            Self::Life(life) => keys(Some("life"), life, serializer),
            Self::Group(group) => keys(None, group, serializer),
            Self::Report(report) => keys(Some("report"), report, serializer),
            Self::Summary(row) => keys(Some("summary"), row, serializer),
            Self::Finding(found) => keys(Some("finding"), found, serializer),
            Self::Ports(ports) => keys(Some("ports"), ports, serializer),
            Self::Diagram(diagram) => keys(Some("diagram"), diagram, serializer),
            Self::Alert(alert) => keys(Some("alert"), alert, serializer),
            Self::Lost(Lost { time, reason, count }) => {
                keys(Some("lost"), &LostKeys { time, reason, count }, serializer)
            }
        }
    }
}

/// [`Lost`] as a record; the model type serialises as a recording has it.
#[derive(JsonSchema, Serialize)]
struct LostKeys<'r> {
    /// When it was noticed.
    time: &'r Stamp,
    /// `gap`: too long since the last poll to know what happened. `table`: rows that could not be
    /// read, or are beyond the limit of followed sockets. `ring`: kernel events that did not fit
    /// into `--ring`. `output`: records that were dropped because their reader was too slow.
    reason: &'r LostReason,
    /// How many; null if unknown.
    count: &'r Option<u64>,
}

/// The keys of a record behind the version of their schema, and `event` where no key of its own is
/// called so.
fn keys<S: Serializer>(
    event: Option<&'static str>,
    record: &impl Serialize,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct RecordKeys<'r, R> {
        v: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        event: Option<&'static str>,
        #[serde(flatten)]
        record: &'r R,
    }
    RecordKeys { v: SCHEMA_VERSION, event, record }.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::AlertSocket;
    use crate::model::process::OwnerSource;

    #[test]
    fn an_alert_has_the_keys_of_the_schema() {
        let worst = AlertSocket {
            socket: samples::socket(1, "0.0.0.0:80", "0.0.0.0:80"),
            owner: samples::owner(7, "server", OwnerSource::Proven),
            held: None,
            held_at_least: false,
        };
        let id = worst.socket.id;
        let (time, rule) = (Stamp::default(), "leak".to_owned());
        let alert = Alert { time, rule, active: true, sockets: vec![id], worst };
        assert_eq!(
            serde_json::to_string(&Record::Alert(Box::new(alert))).unwrap(),
            "{\"v\":1,\"event\":\"alert\",\"time\":\"1970-01-01T00:00:00.000000Z\",\"rule\":\"leak\",\
             \"active\":true,\"count\":1,\"sockets\":[\"00000001-1\"],\"netns\":null,\
             \"family\":\"ipv4\",\"local_addr\":\"0.0.0.0\",\"local_port\":80,\
             \"remote_addr\":\"0.0.0.0\",\"remote_port\":80,\"scope\":null}"
        );
    }
}
