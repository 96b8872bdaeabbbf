//! Lines to readings.

use super::delta::{self, Applied, Shown};
use super::lines::{HeaderLine, Line, Pass, Probe, Quiet};
use super::{Header, VERSION, Wrong};
use crate::model::escape::escape;
use crate::model::reading::{Reading, Snapshot};

/// Reads the lines of a recording, one after the other.
#[derive(Debug, Default)]
pub struct Decoder {
    header: Option<Header>,
    rows: Vec<Shown>,
    /// What else the last pass said.
    netns: Option<u64>,
    bad_rows: u64,
}

impl Decoder {
    /// What the last header said.
    pub const fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// The reading that a line tells; `None` where it tells none: a run goes on in another file.
    ///
    /// # Errors
    /// A line that is none of a recording, or of a version to come.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Reading>, Wrong> {
        if super::begins(line) {
            return self.begin(line);
        }
        if self.header.is_none() {
            return Err(Wrong::NoRecording);
        }
        let line: Line = serde_json::from_slice(line).map_err(broken)?;
        Ok(Some(match line {
            Line::Tcplapse(header) => return Ok(self.take_header(header)),
            Line::Pass(pass) => self.pass(&pass)?,
            Line::Quiet(quiet) => self.quiet(quiet)?,
            Line::Lookups(line) => line.reading().ok_or_else(|| misfit("a socket without ends"))?,
            Line::DestroyEvents(line) => Reading::DestroyEvents(line.into()),
            Line::StateChange(line) => Reading::StateChange((*line).into()),
            Line::Lost(line) => Reading::Lost(line.into()),
            Line::OwnerUpdate(line) => Reading::OwnerUpdate(line.into()),
        }))
    }

    fn begin(&mut self, line: &[u8]) -> Result<Option<Reading>, Wrong> {
        let probe: Probe = serde_json::from_slice(line).map_err(broken)?;
        if probe.tcplapse.recording > VERSION {
            return Err(Wrong::Newer(probe.tcplapse.recording));
        }
        match serde_json::from_slice(line).map_err(broken)? {
            Line::Tcplapse(header) => Ok(self.take_header(header)),
            _ => Err(Wrong::NoRecording),
        }
    }

    fn take_header(&mut self, line: HeaderLine) -> Option<Reading> {
        let header = Header::from(line);
        let goes_on = self.header.as_ref().is_some_and(|before| header.follows(before));
        let start = header.start;
        *self = Self { header: Some(header), ..Self::default() };
        (!goes_on).then_some(Reading::Begin(start))
    }

    fn pass(&mut self, pass: &Pass) -> Result<Reading, Wrong> {
        let end = pass.end.into();
        let Applied { shown, rows } = delta::apply(&self.rows, &pass.rows, end)
            .ok_or_else(|| misfit("more rows than there were"))?;
        self.rows = shown;
        (self.netns, self.bad_rows) = (pass.netns, pass.bad);
        let Pass { netns, bad: bad_rows, .. } = *pass;
        Ok(Reading::Snapshot(Snapshot { start: pass.start.into(), end, netns, bad_rows, rows }))
    }

    fn quiet(&mut self, Quiet(start, end): Quiet) -> Result<Reading, Wrong> {
        self.pass(&Pass { start, end, netns: self.netns, bad: self.bad_rows, rows: Vec::new() })
    }
}

/// What serde says may quote the line, which anybody can have written.
#[allow(clippy::needless_pass_by_value)] // as map_err has it
fn broken(error: serde_json::Error) -> Wrong {
    Wrong::Broken(escape(error.to_string().as_bytes()))
}

fn misfit(what: &str) -> Wrong {
    Wrong::Broken(what.to_owned())
}
