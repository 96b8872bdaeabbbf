//! Lines to readings.

use super::delta::{self, Applied, WrittenRow};
use super::lines::{AnyHeader, HeaderLine, Poll, RecordingLine, RowChanges};
use super::{DecodeError, Header, VERSION};
use crate::model::escape::escape;
use crate::model::process::CommandLines;
use crate::model::reading::{OwnerUpdate, PolledNamespace, Reading, Snapshot};
use std::rc::Rc;

/// Decodes the lines of a recording, one after the other.
#[derive(Debug, Default)]
pub struct Decoder {
    header: Option<Header>,
    rows: Vec<WrittenRow>,
    /// Of the last snapshot.
    netns: Option<u64>,
    bad_rows: u64,
    namespaces: Option<Rc<[PolledNamespace]>>,
    commands: CommandLines,
}

impl Decoder {
    /// The last header.
    pub(crate) const fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// Decodes a line. `None` for a header with which a run continues in another file: it is no
    /// reading.
    ///
    /// # Errors
    /// A line that does not belong to a recording, or one of a newer version.
    pub fn decode(&mut self, line: &[u8]) -> Result<Option<Reading>, DecodeError> {
        if super::is_header(line) {
            let AnyHeader { tcplapse } = serde_json::from_slice(line).map_err(damaged)?;
            if tcplapse.recording > VERSION {
                return Err(DecodeError::NewerVersion(tcplapse.recording));
            }
        } else if self.header.is_none() {
            return Err(DecodeError::NotARecording);
        }
        Ok(Some(match serde_json::from_slice(line).map_err(damaged)? {
            RecordingLine::Header(HeaderLine { header, .. }) => {
                return Ok(self.begin(header.into_owned()));
            }
            RecordingLine::Poll(poll) => self.poll(poll)?,
            RecordingLine::UnchangedPoll(start, end) => {
                let Self { netns, bad_rows, .. } = *self;
                let (rows, namespaces, gone) = (RowChanges::default(), None, Vec::new());
                self.poll(Poll { start, end, netns, bad_rows, namespaces, gone, rows })?
            }
            RecordingLine::Lookups(line) => {
                let lookups = line.lookups().ok_or_else(|| misfit("a socket without ends"))?;
                Reading::Lookups(lookups)
            }
            RecordingLine::DestroyEvents(events) => Reading::DestroyEvents(events.into_owned()),
            RecordingLine::StateChange(change) => Reading::StateChange(change.into_owned()),
            RecordingLine::Lost(lost) => Reading::Lost(lost),
            RecordingLine::OwnerUpdate(owners) => {
                let mut owners = owners.into_owned();
                let OwnerUpdate { processes, denied, callers, .. } = &mut owners;
                for process in processes.iter_mut().chain(denied).chain(callers) {
                    self.commands.share(process);
                }
                Reading::OwnerUpdate(owners)
            }
        }))
    }

    fn begin(&mut self, header: Header) -> Option<Reading> {
        let continues = self.header.as_ref().is_some_and(|before| header.continues(before));
        let begins = header.begins();
        let commands = std::mem::take(&mut self.commands);
        *self = Self { header: Some(header), commands, ..Self::default() };
        (!continues).then_some(Reading::Begin(begins))
    }

    fn poll(&mut self, poll: Poll<'_>) -> Result<Reading, DecodeError> {
        let Poll { start, end, netns, bad_rows, namespaces, gone, rows } = poll;
        let steps = match &rows {
            RowChanges::Json(json) => json.get(),
            RowChanges::Steps(_) => "[]",
        };
        let Applied { written, rows } = delta::apply(&self.rows, steps, end).map_err(damaged)?;
        (self.rows, self.netns, self.bad_rows) = (written, netns, bad_rows);
        if let Some(namespaces) = namespaces {
            self.namespaces = Some(namespaces.into());
        }
        let namespaces = self.namespaces.clone();
        Ok(Reading::Snapshot(Snapshot { start, end, netns, rows, bad_rows, namespaces, gone }))
    }
}

/// So many characters of a line are quoted.
const QUOTED: usize = 200;

/// An error of serde may quote the line, which may contain anything, and be of any length.
#[allow(clippy::needless_pass_by_value)] // as map_err has it
fn damaged(error: serde_json::Error) -> DecodeError {
    let reason: String = error.to_string().chars().take(QUOTED).collect();
    misfit(&escape(reason.as_bytes()))
}

fn misfit(what: &str) -> DecodeError {
    DecodeError::Damaged(what.to_owned())
}
