//! The lines of a recording. Most hold a reading as `model` derives it; the rows of sockets are in
//! `row`.

use super::row::{RecordedRow, Step};
use super::{Header, VERSION};
use crate::model::json::{self, is_default};
use crate::model::reading::{
    DestroyEvents, LookupRequest, LookupResult, Lookups, Lost, OwnerUpdate, PolledNamespace,
    StateChange,
};
use crate::model::socket::NetnsId;
use crate::model::time::Stamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The first bytes of every recording.
pub(super) const MAGIC: &[u8] = br#"{"tcplapse":"#;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RecordingLine<'a> {
    #[serde(rename = "tcplapse")]
    Header(HeaderLine<'a>),
    #[serde(rename = "pass", borrow)]
    Poll(Poll<'a>),
    /// Start and end of a poll that shows the same rows as the one before.
    #[serde(rename = "quiet")]
    UnchangedPoll(#[serde(with = "json::stamp")] Stamp, #[serde(with = "json::stamp")] Stamp),
    #[serde(rename = "answers")]
    Lookups(LookupsLine),
    #[serde(rename = "deaths")]
    DestroyEvents(Cow<'a, DestroyEvents>),
    #[serde(rename = "change")]
    StateChange(Cow<'a, StateChange>),
    Lost(Lost),
    #[serde(rename = "owners")]
    OwnerUpdate(Cow<'a, OwnerUpdate>),
}

/// The part of a header that every version of the format has.
#[derive(Debug, Deserialize)]
pub(super) struct AnyHeader {
    pub(super) tcplapse: RecordingVersion,
}

#[derive(Debug, Deserialize)]
pub(super) struct RecordingVersion {
    pub(super) recording: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HeaderLine<'a> {
    /// The version of the format.
    recording: u64,
    #[serde(flatten)]
    pub(super) header: Cow<'a, Header>,
}

impl<'a> HeaderLine<'a> {
    pub(super) const fn new(header: &'a Header) -> Self {
        Self { recording: VERSION, header: Cow::Borrowed(header) }
    }
}

/// A snapshot, by what differs from the one before.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Poll<'a> {
    #[serde(with = "json::stamp")]
    pub(super) start: Stamp,
    #[serde(with = "json::stamp")]
    pub(super) end: Stamp,
    pub(super) netns: Option<u64>,
    #[serde(default, rename = "bad", skip_serializing_if = "is_default")]
    pub(super) bad_rows: u64,
    /// The namespaces that were read, where they are not those of the poll before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) namespaces: Option<Vec<PolledNamespace>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gone: Vec<NetnsId>,
    #[serde(default, borrow, skip_serializing_if = "RowChanges::is_empty")]
    pub(super) rows: RowChanges<'a>,
}

/// What becomes of the rows of the poll before.
#[derive(Debug)]
pub(super) enum RowChanges<'a> {
    /// As they are to be written.
    Steps(Vec<Step>),
    /// As they were read, not parsed yet: as a list they would take many times the room.
    Json(&'a RawValue),
}

impl RowChanges<'_> {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Steps(steps) if steps.is_empty())
    }
}

impl Default for RowChanges<'_> {
    fn default() -> Self {
        Self::Steps(Vec::new())
    }
}

impl Serialize for RowChanges<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Steps(steps) => steps.serialize(serializer),
            Self::Json(json) => json.serialize(serializer),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RowChanges<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(deserializer).map(Self::Json)
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LookupsLine {
    #[serde(with = "json::stamp")]
    start: Stamp,
    #[serde(with = "json::stamp")]
    end: Stamp,
    netns: Option<u64>,
    answers: Vec<LookupLine>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LookupLine {
    #[serde(flatten)]
    request: LookupRequest,
    /// `null` if there is no such socket.
    found: Option<RecordedRow>,
}

impl From<&Lookups> for LookupsLine {
    fn from(Lookups { start, end, netns, answers }: &Lookups) -> Self {
        let line = |(request, result): &(LookupRequest, LookupResult)| {
            let found = match result {
                LookupResult::Gone => None,
                LookupResult::There(row) => Some(RecordedRow::new(row)),
            };
            LookupLine { request: *request, found }
        };
        let answers = answers.iter().map(line).collect();
        Self { start: *start, end: *end, netns: *netns, answers }
    }
}

impl LookupsLine {
    /// The lookups; `None` if the row of a socket lacks its addresses.
    pub(super) fn lookups(self) -> Option<Lookups> {
        let Self { start, end, netns, answers } = self;
        let answer = |LookupLine { request, found }| {
            let result = match found {
                None => LookupResult::Gone,
                Some(row) => LookupResult::There(row.complete()?),
            };
            Some((request, result))
        };
        let answers = answers.into_iter().map(answer).collect::<Option<_>>()?;
        Some(Lookups { start, end, netns, answers })
    }
}
