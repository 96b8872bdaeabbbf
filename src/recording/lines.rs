//! The lines of a recording as they are written: short, and with nothing that says nothing.

use super::row::{EndsLine, Id, Row, Step};
use crate::model::escape::{escape, unescape};
use crate::model::reading::{AbortReason, Interface, LostReason};
use crate::model::time::Stamp;
use crate::tcp::state::State;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What every recording begins with.
pub(super) const MAGIC: &[u8] = br#"{"tcplapse":"#;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    Tcplapse(HeaderLine),
    Pass(Pass),
    Quiet(Quiet),
    #[serde(rename = "answers")]
    Lookups(AnswersLine),
    #[serde(rename = "deaths")]
    DestroyEvents(DeathsLine),
    #[serde(rename = "change")]
    StateChange(Box<ChangeLine>),
    Lost(LostLine),
    #[serde(rename = "owners")]
    OwnerUpdate(OwnersLine),
}

/// Only the version, which is looked at before all else.
#[derive(Debug, Deserialize)]
pub(super) struct Probe {
    pub(super) tcplapse: Version,
}

#[derive(Debug, Deserialize)]
pub(super) struct Version {
    pub(super) recording: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HeaderLine {
    pub(super) recording: u64,
    pub(super) start: At,
    pub(super) boot_id: String,
    pub(super) part: u64,
    pub(super) source: Interface,
    /// Microseconds.
    pub(super) interval: u64,
    pub(super) host: String,
    pub(super) kernel: String,
}

/// A pass, by what it shows other than the one before.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pass {
    pub(super) start: At,
    pub(super) end: At,
    pub(super) netns: Option<u64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) bad: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rows: Vec<Step>,
}

/// Start and end of a pass that shows the same as the one before.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Quiet(pub(super) At, pub(super) At);

/// Wall clock and boot clock, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct At(i64, u64);

impl From<Stamp> for At {
    fn from(stamp: Stamp) -> Self {
        Self(stamp.wall, stamp.boot)
    }
}

impl From<At> for Stamp {
    fn from(At(wall, boot): At) -> Self {
        Self { wall, boot }
    }
}

/// Bytes that others chose, with escapes for what is no text.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Name(pub(super) Vec<u8>);

impl Name {
    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        escape(&self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let escaped = String::deserialize(deserializer)?;
        unescape(&escaped).map(Self).ok_or_else(|| D::Error::custom("a name with a wrong escape"))
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AnswersLine {
    pub(super) start: At,
    pub(super) end: At,
    pub(super) netns: Option<u64>,
    pub(super) answers: Vec<AnswerLine>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AnswerLine {
    #[serde(flatten)]
    pub(super) asked: EndsLine,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) inode: u64,
    #[serde(default, skip_serializing_if = "Id::is_none")]
    pub(super) cookie: Id,
    #[serde(default)]
    pub(super) ifindex: u32,
    /// `null`: it is gone.
    pub(super) found: Option<Row>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DeathsLine {
    pub(super) time: At,
    pub(super) overrun: bool,
    pub(super) dead: Vec<Dead>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Dead {
    #[serde(rename = "ends")]
    pub(super) addrs: Option<EndsLine>,
    pub(super) cookie: Id,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChangeLine {
    pub(super) time: At,
    pub(super) netns: Option<u64>,
    pub(super) socket: Id,
    #[serde(rename = "ends")]
    pub(super) addrs: EndsLine,
    pub(super) from: State,
    pub(super) to: State,
    pub(super) passive: bool,
    pub(super) caller: Option<CallerLine>,
    pub(super) cut: Option<AbortReason>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CallerLine {
    pub(super) pid: i32,
    pub(super) comm: Option<Name>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LostLine {
    pub(super) time: At,
    pub(super) reason: LostReason,
    pub(super) count: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OwnersLine {
    pub(super) time: At,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) anew: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) all: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) hidden: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) processes: Vec<ProcessLine>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) denied: Vec<ProcessLine>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) allowed: Vec<(i32, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) holders: Vec<(u64, Vec<HolderLine>)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) proven: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) callers: Vec<ProcessLine>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ProcessLine {
    pub(super) pid: i32,
    pub(super) start: u64,
    pub(super) comm: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) exe: Option<Name>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) exe_denied: bool,
    #[serde(default, skip_serializing_if = "Name::is_empty")]
    pub(super) cmdline: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) uid: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HolderLine {
    pub(super) pid: i32,
    pub(super) start: u64,
    pub(super) fd: i32,
    /// The thread, where it has a table of descriptors of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) task: Option<i32>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes it so
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
