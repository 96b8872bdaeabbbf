//! Readings to lines.

use super::Header;
use super::delta::{self, Shown};
use super::wire::{Line, Pass, Quiet};
use crate::owner::register::Owners;
use crate::reading::{Reading, Snapshot, Stamp};

/// So many passes without news are written one by one: what a pass left open, such as an end to be
/// confirmed, they decide.
const SETTLING: u32 = 3;
/// A stretch of passes without news is written when it is this long (µs), though it goes on.
const STRETCH: u64 = 5_000_000;

/// Writes the readings of one run as lines.
#[derive(Debug, Default)]
pub struct Encoder {
    rows: Vec<Shown>,
    /// What else the last pass said; `None` before the first.
    said: Option<(Option<u64>, u64)>,
    /// Passes without news since the last that had some.
    settled: u32,
    stretch: Option<Stretch>,
    pending: Option<Pending>,
}

/// Passes without news that are not written yet.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    begin: Stamp,
    passes: u64,
    start: Stamp,
    end: Stamp,
}

/// A reading that waits for its owners.
#[derive(Debug)]
enum Pending {
    News(Line),
    Nothing { start: Stamp, end: Stamp, netns: Option<u64>, bad: u64 },
}

impl Encoder {
    /// The first line of a file. The rows after it are written in full.
    pub fn header(&mut self, header: &Header) -> Vec<u8> {
        *self = Self::default();
        let mut out = Vec::new();
        write(&mut out, &header.into());
        out
    }

    /// Takes in a reading, and sets its timers to what will be read back; whether it says anything
    /// that the last one did not.
    pub fn take(&mut self, reading: &mut Reading) -> bool {
        let pending = match reading {
            Reading::Snapshot(snapshot) => self.pass(snapshot),
            Reading::Answers(answers) => Pending::News(Line::Answers((&*answers).into())),
            Reading::Deaths(deaths) => Pending::News(Line::Deaths((&*deaths).into())),
            Reading::Change(change) => Pending::News(Line::Change(Box::new((&*change).into()))),
            Reading::Lost(lost) => Pending::News(Line::Lost((&*lost).into())),
            Reading::Owners(owners) => Pending::News(Line::Owners((&*owners).into())),
            // The header says it.
            Reading::Begin(_) => return false,
        };
        let news = matches!(pending, Pending::News(_));
        self.pending = Some(pending);
        news
    }

    fn pass(&mut self, snapshot: &mut Snapshot) -> Pending {
        let Snapshot { start, end, netns, bad_rows: bad, ref mut rows } = *snapshot;
        let rows = delta::steps(&mut self.rows, rows, (start, end));
        let unchanged = self.said.replace((netns, bad)) == Some((netns, bad));
        if rows.is_empty() && unchanged {
            return Pending::Nothing { start, end, netns, bad };
        }
        Pending::News(Line::Pass(Pass { start: start.into(), end: end.into(), netns, bad, rows }))
    }

    /// The lines of the reading that was taken in, with the owners that were found for it.
    pub fn lines(&mut self, owners: Option<&Owners>) -> Vec<u8> {
        let mut out = Vec::new();
        let line = match self.pending.take() {
            None => return out,
            Some(Pending::News(line)) => {
                self.settled = 0;
                line
            }
            Some(Pending::Nothing { start, end, netns, bad }) => {
                if owners.is_none() && self.settled >= SETTLING {
                    self.lengthen(start, end, &mut out);
                    return out;
                }
                self.settled += 1;
                let (start, end) = (start.into(), end.into());
                Line::Pass(Pass { start, end, netns, bad, rows: Vec::new() })
            }
        };
        out.extend(self.rest());
        if let Some(owners) = owners {
            write(&mut out, &Line::Owners(owners.into()));
        }
        write(&mut out, &line);
        out
    }

    /// What has been kept back: the passes without news since the last line.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(Stretch { passes, start, end, .. }) = self.stretch.take() {
            let (start, end) = (start.into(), end.into());
            write(&mut out, &Line::Quiet(Quiet { passes, start, end }));
        }
        out
    }

    fn lengthen(&mut self, start: Stamp, end: Stamp, out: &mut Vec<u8>) {
        let stretch = self.stretch.get_or_insert(Stretch { begin: start, passes: 0, start, end });
        (stretch.passes, stretch.start, stretch.end) = (stretch.passes + 1, start, end);
        if end.boot.saturating_sub(stretch.begin.boot) >= STRETCH {
            out.extend(self.rest());
        }
    }
}

fn write(out: &mut Vec<u8>, line: &Line) {
    // A line has string keys and finite numbers only, and a vector takes what it is given.
    let written = serde_json::to_writer(&mut *out, line);
    debug_assert!(written.is_ok(), "{written:?}");
    out.push(b'\n');
}
