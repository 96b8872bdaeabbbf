//! `--format html`: a report of the run, written when it is over.

use super::diagram::Diagram;
use super::life::{LifeHistories, LifeRecord};
use super::{Record, Run, View};
use crate::model::event::{EventKind, MonitorEvent};
use crate::model::reading::Interface;
use crate::model::time::Stamp;
use serde::Serialize;

/// So many sockets have a lane; the others are only counted.
const MOST_LANES: usize = 2000;

/// The head of a report. It is no record for scripts: those have the records that the report shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// When the first and the last reading were complete; `None` without any.
    pub span: Option<(Stamp, Stamp)>,
    /// How much was seen, as the closing line says it.
    pub coverage: String,
    /// Sockets whose lives are not in the report, because there were too many.
    pub left_out: u64,
}

/// Collects what the report shows.
#[derive(Default)]
pub(super) struct ReportView {
    diagram: Diagram,
    ended: Vec<LifeRecord>,
    left_out: u64,
    span: Option<(Stamp, Stamp)>,
    lost: Vec<Record>,
}

impl View for ReportView {
    fn apply(
        &mut self,
        events: Vec<MonitorEvent>,
        (at, _): (Stamp, Interface),
        histories: &LifeHistories,
    ) -> Vec<Record> {
        let start = self.span.map_or(at, |(start, _)| start);
        self.span = Some((start, at));
        for event in events {
            match event {
                MonitorEvent::Lost(lost) => self.lost.push(Record::Lost(lost)),
                MonitorEvent::Socket(event) => {
                    self.diagram.apply(&event);
                    if event.transition.kind == EventKind::Closed
                        && let Some(ended) = histories.ended(&event)
                    {
                        if self.ended.len() < MOST_LANES {
                            self.ended.push(ended);
                        } else {
                            self.left_out += 1;
                        }
                    }
                }
            }
        }
        std::mem::take(&mut self.lost)
    }

    fn current(&mut self, run: &mut dyn Run) -> Vec<Record> {
        let mut lives = std::mem::take(&mut self.ended);
        lives.extend(run.open_lives());
        let all = lives.len();
        lives.truncate(MOST_LANES);
        let left_out = self.left_out + (all - lives.len()) as u64;
        let end = run.read_at();
        let span = self.span.map(|(start, last)| (start, end.max(last)));
        let coverage = run.coverage();
        let mut records = vec![Record::Report(Box::new(Report { span, coverage, left_out }))];
        records.extend(run.summary(true));
        self.diagram.set_states(run.states());
        records.push(Record::Diagram(Box::new(self.diagram.clone())));
        let start = |life: &LifeRecord| life.steps.iter().find_map(|step| step.at);
        lives.sort_by_key(|life| (start(life), life.socket.id));
        records.extend(lives.into_iter().map(|life| Record::Life(Box::new(life))));
        records
    }

    fn is_picture(&self) -> bool {
        true
    }
}
