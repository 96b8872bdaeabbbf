//! Readings to lines.

use super::Header;
use super::delta::{self, WrittenRow};
use super::lines::{HeaderLine, Poll, RecordingLine, RowChanges};
use crate::model::reading::{OwnerUpdate, PolledNamespace, Reading, Snapshot};
use std::borrow::Cow;
use std::rc::Rc;

/// Encodes the readings of one run, each as what differs from those before.
#[derive(Debug, Default)]
pub struct Encoder {
    rows: Vec<WrittenRow>,
    /// The namespace and the number of bad rows of the last snapshot; `None` before the first.
    last: Option<(Option<u64>, u64)>,
    /// The namespaces of the last snapshot.
    namespaces: Option<Rc<[PolledNamespace]>>,
}

/// A reading as lines of a recording.
#[derive(Debug)]
pub struct Encoded {
    line: Vec<u8>,
    is_unchanged: bool,
}

impl Encoder {
    /// The first line of a file. What is encoded after it does not depend on what was before it.
    pub fn header(&mut self, header: &Header) -> Vec<u8> {
        *self = Self::default();
        line(&RecordingLine::Header(HeaderLine::new(header)))
    }

    /// Encodes a reading. Its timers are set to what will be decoded: see `delta`.
    pub fn encode(&mut self, reading: &mut Reading) -> Encoded {
        let encoded = match reading {
            Reading::Snapshot(snapshot) => self.poll(snapshot),
            Reading::Lookups(lookups) => RecordingLine::Lookups((&*lookups).into()),
            Reading::DestroyEvents(events) => RecordingLine::DestroyEvents(Cow::Borrowed(events)),
            Reading::StateChange(change) => RecordingLine::StateChange(Cow::Borrowed(change)),
            Reading::Lost(lost) => RecordingLine::Lost(*lost),
            Reading::OwnerUpdate(owners) => RecordingLine::OwnerUpdate(Cow::Borrowed(owners)),
            // The header stands for it.
            Reading::Begin(_) => return Encoded { line: Vec::new(), is_unchanged: false },
        };
        let is_unchanged = matches!(encoded, RecordingLine::UnchangedPoll(..));
        Encoded { line: line(&encoded), is_unchanged }
    }

    fn poll(&mut self, snapshot: &mut Snapshot) -> RecordingLine<'static> {
        let Snapshot { start, end, netns, bad_rows, ref mut rows, .. } = *snapshot;
        let steps = delta::steps(&mut self.rows, rows, (start, end));
        let is_same = self.last.replace((netns, bad_rows)) == Some((netns, bad_rows));
        let are_known = self.namespaces == snapshot.namespaces;
        if steps.is_empty() && is_same && are_known && snapshot.gone.is_empty() {
            return RecordingLine::UnchangedPoll(start, end);
        }
        self.namespaces.clone_from(&snapshot.namespaces);
        let namespaces = self.namespaces.as_ref().filter(|_| !are_known);
        RecordingLine::Poll(Poll {
            start,
            end,
            netns,
            bad_rows,
            namespaces: namespaces.map(|all| all.to_vec()),
            gone: snapshot.gone.clone(),
            rows: RowChanges::Steps(steps),
        })
    }
}

impl Encoded {
    /// Whether it is a snapshot that shows the same rows as the one before.
    pub(crate) const fn is_unchanged(&self) -> bool {
        self.is_unchanged
    }

    /// The line of the reading, after one of the owners that belong to it, if any.
    pub fn lines(self, owners: Option<&OwnerUpdate>) -> Vec<u8> {
        let Some(owners) = owners else { return self.line };
        let mut lines = line(&RecordingLine::OwnerUpdate(Cow::Borrowed(owners)));
        lines.extend(self.line);
        lines
    }
}

fn line(line: &RecordingLine<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A line has string keys and finite numbers only, and writing to a vector cannot fail.
    let written = serde_json::to_writer(&mut bytes, line);
    debug_assert!(written.is_ok(), "{written:?}");
    bytes.push(b'\n');
    bytes
}
