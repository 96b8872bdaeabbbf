//! Readings to lines.

use super::Header;
use super::delta::{self, Shown};
use super::lines::{Line, Pass, Quiet};
use crate::model::reading::{OwnerUpdate, Reading, Snapshot};

/// Writes the readings of one run as lines.
#[derive(Debug, Default)]
pub struct Encoder {
    rows: Vec<Shown>,
    /// What else the last pass said; `None` before the first.
    said: Option<(Option<u64>, u64)>,
}

/// A reading as it will be written.
#[derive(Debug)]
pub struct Written {
    line: Option<Line>,
}

impl Encoder {
    /// The first line of a file. The rows after it are written in full.
    pub fn header(&mut self, header: &Header) -> Vec<u8> {
        *self = Self::default();
        let mut out = Vec::new();
        write(&mut out, &header.into());
        out
    }

    /// Takes in a reading, and sets its timers to what will be read back.
    pub fn take(&mut self, reading: &mut Reading) -> Written {
        let line = match reading {
            Reading::Snapshot(snapshot) => self.pass(snapshot),
            Reading::Lookups(answers) => Line::Lookups((&*answers).into()),
            Reading::DestroyEvents(deaths) => Line::DestroyEvents((&*deaths).into()),
            Reading::StateChange(change) => Line::StateChange(Box::new((&*change).into())),
            Reading::Lost(lost) => Line::Lost((&*lost).into()),
            Reading::OwnerUpdate(owners) => Line::OwnerUpdate((&*owners).into()),
            // The header says it.
            Reading::Begin(_) => return Written { line: None },
        };
        Written { line: Some(line) }
    }

    fn pass(&mut self, snapshot: &mut Snapshot) -> Line {
        let Snapshot { start, end, netns, bad_rows: bad, ref mut rows } = *snapshot;
        let rows = delta::steps(&mut self.rows, rows, (start, end));
        let unchanged = self.said.replace((netns, bad)) == Some((netns, bad));
        let (start, end) = (start.into(), end.into());
        if rows.is_empty() && unchanged {
            return Line::Quiet(Quiet(start, end));
        }
        Line::Pass(Pass { start, end, netns, bad, rows })
    }
}

impl Written {
    /// Whether it is a pass that shows nothing but what the one before did.
    pub const fn is_quiet(&self) -> bool {
        matches!(self.line, Some(Line::Quiet(..)))
    }

    /// Its line, with one of the owners that were found for it before it.
    pub fn lines(&self, owners: Option<&OwnerUpdate>) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(owners) = owners {
            write(&mut out, &Line::OwnerUpdate(owners.into()));
        }
        if let Some(line) = &self.line {
            write(&mut out, line);
        }
        out
    }
}

fn write(out: &mut Vec<u8>, line: &Line) {
    // A line has string keys and finite numbers only, and a vector takes what it is given.
    let written = serde_json::to_writer(&mut *out, line);
    debug_assert!(written.is_ok(), "{written:?}");
    out.push(b'\n');
}
