//! How the rows of a snapshot differ from those of the one before. Both are in the order of the
//! kernel's tables, which hardly changes.
//!
//! A timer that runs down as it must is no difference: otherwise every socket with a timer would
//! differ in every poll. So the time left is predicted from the row that was written last, and a
//! row that agrees with the prediction, but for rounding, is set to it: what is decoded is then the
//! same to the last digit.

use super::row::{RecordedRow, Step};
use crate::model::socket_row::{Details, KernelTimes, SocketRow, Timer};
use crate::model::time::Stamp;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};
use std::fmt;

/// This far ahead both tables are searched for the next row that they share.
const WINDOW: usize = 32;
/// The unit of a row's time left, 1/100 s.
const TICK_MICROS: u64 = 10_000;
/// A timer is read at some instant of the poll, and rounded down twice, to jiffies and to ticks: so
/// many ticks less than predicted are no difference. More than predicted always is: the timer was
/// restarted.
const SLACK_TICKS: u64 = 4;

/// A row as it was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct WrittenRow {
    row: SocketRow,
    /// When its timer expires (boot time, µs).
    timer_end: Option<u64>,
}

impl WrittenRow {
    /// A row of a snapshot that ended at `end`.
    fn new(row: SocketRow, end: Stamp) -> Self {
        let left = row.details.timer_left.saturating_mul(TICK_MICROS);
        let timer_end = (row.details.timer != Timer::None).then(|| end.boot.saturating_add(left));
        // These are of one poll alone.
        let details = Details { times: KernelTimes::default(), ..row.details };
        Self { row: SocketRow { details, ..row }, timer_end }
    }

    /// The row as it will be at the end of a later poll if only its timer runs.
    fn predicted(&self, end: Stamp) -> SocketRow {
        match self.timer_end {
            Some(timer_end) => {
                let timer_left = timer_end.saturating_sub(end.boot) / TICK_MICROS;
                SocketRow { details: Details { timer_left, ..self.row.details }, ..self.row }
            }
            None => self.row,
        }
    }
}

/// The steps from the rows `before` to the rows `now` of a snapshot taken from `start` to `end`;
/// `before` becomes `now`. Timers that ran as predicted are set to the prediction.
pub(super) fn steps(
    before: &mut Vec<WrittenRow>,
    now: &mut [SocketRow],
    (start, end): (Stamp, Stamp),
) -> Vec<Step> {
    let slack = SLACK_TICKS + end.boot.saturating_sub(start.boot) / TICK_MICROS;
    let mut steps = Steps::default();
    let mut after = Vec::with_capacity(now.len());
    let (mut old, mut new) = (0, 0);
    while new < now.len() {
        let (gone, added) = rows_before_shared(&before[old..], &now[new..]);
        steps.drop(gone);
        old += gone;
        for row in &now[new..new + added] {
            steps.push(RecordedRow::new(row));
            after.push(WrittenRow::new(*row, end));
        }
        new += added;
        let (Some(written), Some(row)) = (before.get(old), now.get_mut(new)) else { continue };
        if written.row.addrs != row.addrs {
            continue;
        }
        let predicted = written.predicted(end);
        round_to_prediction(row, &predicted, slack);
        if *row == predicted {
            steps.keep();
            after.push(*written);
        } else {
            if let Some(change) = RecordedRow::change(&predicted, row) {
                steps.push(change);
            } else {
                steps.drop(1);
                steps.push(RecordedRow::new(row));
            }
            after.push(WrittenRow::new(*row, end));
        }
        (old, new) = (old + 1, new + 1);
    }
    steps.drop(before.len() - old);
    *before = after;
    steps.finish()
}

/// How many rows are gone from `before`, and how many are new in `now`, ahead of the next row that
/// both share.
fn rows_before_shared(before: &[WrittenRow], now: &[SocketRow]) -> (usize, usize) {
    let is_shared = |gone: usize, added: usize| match (before.get(gone), now.get(added)) {
        (Some(written), Some(row)) => written.row.addrs == row.addrs,
        _ => false,
    };
    if before.is_empty() {
        return (0, now.len());
    }
    for distance in 0..WINDOW {
        let mut places = (0..=distance).map(|added| (distance - added, added));
        if let Some(found) = places.find(|(gone, added)| is_shared(*gone, *added)) {
            return found;
        }
    }
    // No shared row in the window: try again one row further in both.
    (1, 1)
}

fn round_to_prediction(row: &mut SocketRow, predicted: &SocketRow, slack: u64) {
    let runs = row.details.timer != Timer::None && row.details.timer == predicted.details.timer;
    let rounded = row.details.timer_left..=row.details.timer_left.saturating_add(slack);
    if runs && rounded.contains(&predicted.details.timer_left) {
        row.details.timer_left = predicted.details.timer_left;
    }
}

/// The rows of a snapshot that ended at `end`, from the rows before it and a list of [`Step`]s as
/// JSON. Each step is applied as it is read: what this takes is in proportion to the rows.
///
/// # Errors
/// Where this is no list of steps, or the steps need more rows than there were.
pub(super) fn apply(before: &[WrittenRow], steps: &str, end: Stamp) -> serde_json::Result<Applied> {
    let mut json = serde_json::Deserializer::from_str(steps);
    let applied = StepsTo { rest: before, end }.deserialize(&mut json)?;
    json.end()?;
    Ok(applied)
}

/// Applies a list of steps.
struct StepsTo<'a> {
    /// The rows before that no step has covered.
    rest: &'a [WrittenRow],
    end: Stamp,
}

impl StepsTo<'_> {
    fn take(&mut self, rows: u64) -> Option<&[WrittenRow]> {
        let (taken, left) = self.rest.split_at_checked(usize::try_from(rows).ok()?)?;
        self.rest = left;
        Some(taken)
    }

    /// `None` if the step needs more rows than there are.
    fn apply(&mut self, step: &Step, applied: &mut Applied) -> Option<()> {
        let end = self.end;
        match step {
            Step::Keep(rows) => applied.keep(self.take(*rows)?, end),
            Step::Drop(rows) => drop(self.take(*rows)?),
            Step::Row(row) => {
                let row = match row.complete() {
                    Some(row) => row,
                    None => row.applied_to(&self.take(1)?[0].predicted(end)),
                };
                applied.written.push(WrittenRow::new(row, end));
                applied.rows.push(row);
            }
        }
        Some(())
    }
}

impl<'de> DeserializeSeed<'de> for StepsTo<'_> {
    type Value = Applied;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Applied, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for StepsTo<'_> {
    type Value = Applied;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut steps: A) -> Result<Applied, A::Error> {
        let mut applied = Applied::default();
        while let Some(step) = steps.next_element::<Step>()? {
            let fits = self.apply(&step, &mut applied);
            fits.ok_or_else(|| A::Error::custom("more rows than there were"))?;
        }
        applied.keep(self.rest, self.end);
        Ok(applied)
    }
}

/// The rows of a snapshot.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// For the steps of the next snapshot.
    pub(super) written: Vec<WrittenRow>,
    pub(super) rows: Vec<SocketRow>,
}

impl Applied {
    fn keep(&mut self, written: &[WrittenRow], end: Stamp) {
        self.written.extend(written);
        self.rows.extend(written.iter().map(|written| written.predicted(end)));
    }
}

/// Collects steps; several rows that are kept or dropped in a row become one.
#[derive(Debug, Default)]
struct Steps {
    finished: Vec<Step>,
    kept: u64,
    dropped: u64,
}

impl Steps {
    fn keep(&mut self) {
        self.finish_dropped();
        self.kept += 1;
    }

    fn drop(&mut self, rows: usize) {
        if rows > 0 {
            self.finish_kept();
            self.dropped += rows as u64;
        }
    }

    fn push(&mut self, row: RecordedRow) {
        self.finish_kept();
        self.finish_dropped();
        self.finished.push(Step::Row(Box::new(row)));
    }

    fn finish_kept(&mut self) {
        if self.kept > 0 {
            self.finished.push(Step::Keep(std::mem::take(&mut self.kept)));
        }
    }

    fn finish_dropped(&mut self) {
        if self.dropped > 0 {
            self.finished.push(Step::Drop(std::mem::take(&mut self.dropped)));
        }
    }

    /// Rows that are kept to the end need no step.
    fn finish(mut self) -> Vec<Step> {
        self.finish_dropped();
        self.finished
    }
}
