//! Views and their records: what is printed, before it has a format.
//!
//! A [`View`] turns the events of a run into [`Record`]s, and a *renderer* ([`crate::render`]) turns
//! records into bytes. A view is a *stream*, which returns records as events come, or a *picture* of
//! what there is at one instant: on a terminal it is drawn again with every reading (a table by
//! `tui`), in a pipe once at the end of the run. The keys of a record as JSON are those of the struct
//! named `…Record`, and of the model types that it flattens.
//!
//! This file lists the views ([`ViewName`]) and the kinds of records ([`RECORD_KINDS`]); what others
//! need to know of them stands beside their names.

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
pub(crate) mod timeline;

use crate::model::event::{Alert, MonitorEvent, SocketRef};
use crate::model::reading::{Interface, Lost, LostReason};
use crate::model::socket::AddressPair;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use clap::ValueEnum;
use diagram::{Diagram, DiagramKeys, DiagramView};
use event::{EventRecord, EventsView};
use group::GroupRecord;
use life::{LifeHistories, LifeRecord};
use port_usage::PortRecord;
use report::{Report, ReportView};
use schema::RecordKind;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use socket::{SocketRecord, TableView};
use summary::findings::FindingRecord;
use summary::record::SummaryRecord;
use summary::view::SummaryView;
use timeline::TimelineView;

/// What is printed of a run that goes on. The comments are the help.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ViewName {
    /// One line per transition
    #[default]
    Events,
    /// One block per socket, printed when it closes or when tcplapse exits
    Timeline,
    /// The current sockets, longest in their state first
    Table,
    /// The TCP state diagram with the number of times each transition was made
    Diagram,
    /// Sockets counted by group and state: how many, how fast they come and go, how long they stay,
    /// how they end, and what is noteworthy
    Summary,
    /// The sockets on a whole terminal, with keys: as the command top
    #[cfg(feature = "tui")]
    Top,
}

/// What is decided by a view before it is opened: which flags have an effect on it, and what is read
/// for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // each is a question of its own
pub(crate) struct ViewTraits {
    /// Its text is a table of sockets, to which flags add columns.
    pub(crate) has_columns: bool,
    /// Its text begins with a line that names the columns.
    pub(crate) has_header: bool,
    /// Its text has times.
    pub(crate) has_times: bool,
    /// Its records are of sockets: they have addresses, and what the kernel measures of them.
    pub(crate) has_sockets: bool,
    /// Its records say how long a connection had been idle at the first poll.
    pub(crate) has_idle: bool,
    /// It counts by groups, those of `--by`.
    pub(crate) has_groups: bool,
    /// It shows the sockets of one instant, and nothing of what was before.
    pub(crate) is_of_one_instant: bool,
    /// It is a drawing, for which there are formats.
    pub(crate) is_drawing: bool,
    /// It takes a whole terminal, with keys.
    pub(crate) is_interactive: bool,
}

impl ViewName {
    /// See [`ViewTraits`].
    pub(crate) fn traits(self) -> ViewTraits {
        let no = ViewTraits::default();
        match self {
            Self::Events => ViewTraits {
                has_header: true,
                has_times: true,
                has_sockets: true,
                has_idle: true,
                ..no
            },
            Self::Timeline => ViewTraits { has_times: true, has_sockets: true, ..no },
            // Its times are at most that of its last poll.
            Self::Table => ViewTraits {
                has_columns: true,
                has_header: true,
                has_sockets: true,
                is_of_one_instant: true,
                ..no
            },
            Self::Diagram => ViewTraits { is_drawing: true, ..no },
            Self::Summary => ViewTraits { has_header: true, has_groups: true, ..no },
            #[cfg(feature = "tui")]
            Self::Top => ViewTraits {
                has_columns: true,
                has_header: true,
                has_times: true,
                has_sockets: true,
                is_interactive: true,
                ..no
            },
        }
    }

    /// Opens the view for a text that people read, or for scripts. A diagram is full with `max_count`
    /// events; of other views the output counts the records.
    pub(crate) fn open(self, is_text: bool, max_count: Option<u64>) -> Box<dyn View> {
        match self {
            Self::Events => Box::new(EventsView),
            // Where it cannot be drawn.
            #[cfg(feature = "tui")]
            Self::Top => Box::new(EventsView),
            Self::Timeline => Box::new(TimelineView::new(is_text)),
            Self::Table => Box::new(TableView),
            Self::Summary => Box::new(SummaryView),
            Self::Diagram => Box::new(DiagramView::new(max_count)),
        }
    }
}

/// Opens the report of a whole run, for which there is a format instead of a name.
pub(crate) fn open_report() -> Box<dyn View> {
    Box::new(ReportView::default())
}

/// One way to show a run.
pub(crate) trait View {
    /// Takes in events of a reading, some or all of them, and returns the records to print of them:
    /// of a picture only what was lost. The events have been applied to `histories`.
    fn apply(
        &mut self,
        events: Vec<MonitorEvent>,
        _reading: (Stamp, Interface),
        _histories: &LifeHistories,
    ) -> Vec<Record> {
        losses(events)
    }

    /// Returns the records that follow from a reading as a whole, after all of its events.
    fn end_reading(&mut self, _: &mut dyn Run) -> Vec<Record> {
        Vec::new()
    }

    /// The records for the end of the run: what a picture shows then, what a stream has not printed.
    fn current(&mut self, run: &mut dyn Run) -> Vec<Record>;

    /// The records that a picture shows on a terminal now.
    fn frame(&mut self, run: &mut dyn Run) -> Vec<Record> {
        self.current(run)
    }

    /// Whether it is a picture, not a stream.
    fn is_picture(&self) -> bool {
        false
    }

    /// What stands above its picture on a terminal, and a hint behind how to quit; `None` where it is
    /// not drawn with every reading.
    fn title(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// When it prints, for a terminal on which nothing is shown yet; `None` where events are printed
    /// as they come.
    fn prints_later(&self) -> Option<&'static str> {
        None
    }

    /// What is missing in its records where sockets were lost track of.
    fn lost_track_of(&self, _sockets: usize) -> Option<String> {
        None
    }

    /// Whether it shows as many events as wanted, so that the run may end.
    fn is_full(&self) -> bool {
        false
    }
}

/// The sockets as of the last reading, and what was observed of them so far.
pub(crate) trait Run {
    /// When the last reading was complete.
    fn read_at(&self) -> Stamp;

    /// What was observed of each socket.
    fn histories(&self) -> &LifeHistories;

    /// The address pairs of the sockets that are open now and have a history.
    fn open_addrs(&mut self) -> Vec<AddressPair>;

    /// The lives of the sockets that are open now and pass the filter by state.
    fn open_lives(&mut self) -> Vec<LifeRecord>;

    /// Sets who owns the other ends that are on this machine and that the filters do not ask for, of
    /// lives that have waited for their FIN.
    fn name_peers(&mut self, lives: &mut [LifeRecord]);

    /// The sockets that there are, in the order of the kernel.
    fn sockets(&mut self) -> Vec<SocketRecord>;

    /// The states in which they are.
    fn states(&self) -> Vec<State>;

    /// The rows of the summary, and what is noteworthy. `with_owners`: the owners of all sockets are
    /// looked up first, which takes a while where there are many.
    fn summary(&mut self, with_owners: bool) -> Vec<Record>;

    /// How much was seen, as the closing line says it.
    fn coverage(&self) -> String;
}

/// Records of the readings or events that were lost.
fn losses(events: Vec<MonitorEvent>) -> Vec<Record> {
    let lost = |event| match event {
        MonitorEvent::Lost(lost) => Some(Record::Lost(lost)),
        MonitorEvent::Socket(_) => None,
    };
    events.into_iter().filter_map(lost).collect()
}

/// Version of the schema of all records: their key `v`.
const SCHEMA_VERSION: u8 = 1;

/// The kinds of records that scripts get: the name in the schema, the value of the key `event` where no
/// key of its own is called so, and what it is.
const RECORD_KINDS: [RecordKind; 10] = [
    RecordKind::of::<EventRecord>("event", None, "Something happened to a socket."),
    RecordKind::of::<SocketRecord>("socket", None, "A socket at one instant."),
    RecordKind::of::<LifeRecord>("life", Some("life"), "The life of a socket."),
    RecordKind::of::<GroupRecord>("group", None, "Sockets counted as a group."),
    RecordKind::of::<SummaryRecord>("summary", Some("summary"), "A row of the summary."),
    RecordKind::of::<FindingRecord>("finding", Some("finding"), "Something noteworthy."),
    RecordKind::of::<PortRecord>("ports", Some("ports"), "Local ports in use towards an end."),
    RecordKind::of::<DiagramKeys>(
        "diagram",
        Some("diagram"),
        "How often each transition was made.",
    ),
    RecordKind::of::<Alert>("alert", Some("alert"), "A violation of a rule begins or ends."),
    RecordKind::of::<LostKeys<'_>>("lost", Some("lost"), "Readings or records are missing."),
];

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
            _ => None,
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
    /// into `--ring`. `recursion`: at most so many kernel events that came while a processor was still
    /// at another one. `unreported`: at least so many kernel events that later ones show to be
    /// missing. `output`: records that were dropped because their reader was too slow.
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
