//! What differs between two passes, row by row in the order of the tables, and how a running timer
//! is foretold, so that a socket on which nothing but its timer moves is no news.

use super::row::{Row, Step};
use crate::model::socket_row::{SocketRow, Timer};
use crate::model::time::Stamp;

/// So far apart the two tables are compared to find a row that both have.
const WINDOW: usize = 32;
/// A row's time left is in 1/100 s.
const TICK_MICROS: u64 = 10_000;
/// A timer is read at some instant of the pass, and rounded down twice, to jiffies and to ticks: so
/// many ticks less than foretold are no news. More than foretold always is: it was set anew.
const SLACK_TICKS: u64 = 4;

/// A row as it was written, and when its timer will have run down (boot time, µs).
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    row: SocketRow,
    timer_end: Option<u64>,
}

impl Shown {
    /// A row that a pass with this end showed.
    pub(super) fn new(row: SocketRow, end: Stamp) -> Self {
        let left = row.timer_left.saturating_mul(TICK_MICROS);
        let timer_end = (row.timer != Timer::None).then(|| end.boot.saturating_add(left));
        Self { row, timer_end }
    }

    /// The row as it is foretold for the end of a later pass.
    pub(super) fn at(&self, end: Stamp) -> SocketRow {
        match self.timer_end {
            Some(timer_end) => {
                let timer_left = timer_end.saturating_sub(end.boot) / TICK_MICROS;
                SocketRow { timer_left, ..self.row }
            }
            None => self.row,
        }
    }
}

/// The steps from the rows of one pass to those of the next, which took from `start` to `end`.
/// Timers that run down as foretold are set to what is foretold, so that what is read back is
/// the same to the last digit.
pub(super) fn steps(
    before: &mut Vec<Shown>,
    now: &mut [SocketRow],
    (start, end): (Stamp, Stamp),
) -> Vec<Step> {
    let slack = SLACK_TICKS + end.boot.saturating_sub(start.boot) / TICK_MICROS;
    let mut steps = Steps::default();
    let mut after = Vec::with_capacity(now.len());
    let (mut old, mut new) = (0, 0);
    while new < now.len() {
        let (gone, come) = meet(&before[old..], &now[new..]);
        steps.drop(gone);
        old += gone;
        for row in &now[new..new + come] {
            steps.push(Row::new(row));
            after.push(Shown::new(*row, end));
        }
        new += come;
        let (Some(shown), Some(row)) = (before.get(old), now.get_mut(new)) else { continue };
        if shown.row.addrs != row.addrs {
            continue;
        }
        let foretold = shown.at(end);
        settle(row, &foretold, slack);
        if *row == foretold {
            steps.keep();
            after.push(*shown);
        } else {
            if let Some(change) = Row::change(&foretold, row) {
                steps.push(change);
            } else {
                steps.drop(1);
                steps.push(Row::new(row));
            }
            after.push(Shown::new(*row, end));
        }
        (old, new) = (old + 1, new + 1);
    }
    steps.drop(before.len() - old);
    *before = after;
    steps.done()
}

/// How many rows are gone and have come before the next one that both have.
fn meet(before: &[Shown], now: &[SocketRow]) -> (usize, usize) {
    let same = |gone: usize, come: usize| match (before.get(gone), now.get(come)) {
        (Some(shown), Some(row)) => shown.row.addrs == row.addrs,
        _ => false,
    };
    if before.is_empty() {
        return (0, now.len());
    }
    for distance in 0..WINDOW {
        let place = (0..=distance).map(|come| (distance - come, come));
        if let Some(found) = place.clone().find(|(gone, come)| same(*gone, *come)) {
            return found;
        }
    }
    // Nothing in common near by: one for one.
    (1, 1)
}

/// Sets a timer that runs down as foretold to what is foretold.
fn settle(row: &mut SocketRow, foretold: &SocketRow, slack: u64) {
    let runs = row.timer != Timer::None && row.timer == foretold.timer;
    if runs
        && (row.timer_left..=row.timer_left.saturating_add(slack)).contains(&foretold.timer_left)
    {
        row.timer_left = foretold.timer_left;
    }
}

/// Applies steps to the rows of one pass; `None` if they do not fit.
pub(super) fn apply(before: &[Shown], steps: &[Step], end: Stamp) -> Option<Applied> {
    let mut applied = Applied::default();
    let mut rest = before;
    let mut take = |rows: u64| {
        let (taken, left) = rest.split_at_checked(usize::try_from(rows).ok()?)?;
        rest = left;
        Some(taken)
    };
    for step in steps {
        match step {
            Step::Keep(rows) => applied.keep(take(*rows)?, end),
            Step::Drop(rows) => drop(take(*rows)?),
            Step::Row(row) => {
                let row = match row.whole() {
                    Some(row) => row,
                    None => row.applied(&take(1)?[0].at(end)),
                };
                applied.shown.push(Shown::new(row, end));
                applied.rows.push(row);
            }
        }
    }
    applied.keep(rest, end);
    Some(applied)
}

/// The rows of a pass.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// As they will be compared to those of the next.
    pub(super) shown: Vec<Shown>,
    /// As they were.
    pub(super) rows: Vec<SocketRow>,
}

impl Applied {
    fn keep(&mut self, shown: &[Shown], end: Stamp) {
        self.shown.extend(shown);
        self.rows.extend(shown.iter().map(|shown| shown.at(end)));
    }
}

/// Steps under way: equal ones become one.
#[derive(Debug, Default)]
struct Steps {
    ended: Vec<Step>,
    keep: u64,
    drop: u64,
}

impl Steps {
    fn keep(&mut self) {
        self.end_drop();
        self.keep += 1;
    }

    fn drop(&mut self, rows: usize) {
        if rows > 0 {
            self.end_keep();
            self.drop += rows as u64;
        }
    }

    fn push(&mut self, row: Row) {
        self.end_keep();
        self.end_drop();
        self.ended.push(Step::Row(Box::new(row)));
    }

    fn end_keep(&mut self) {
        if self.keep > 0 {
            self.ended.push(Step::Keep(std::mem::take(&mut self.keep)));
        }
    }

    fn end_drop(&mut self) {
        if self.drop > 0 {
            self.ended.push(Step::Drop(std::mem::take(&mut self.drop)));
        }
    }

    /// Rows kept to the end need no step.
    fn done(mut self) -> Vec<Step> {
        self.end_drop();
        self.ended
    }
}
