//! `--format html`: a report of the run, written when it is over.

use super::{RunState, View, clock};
use crate::model::event::{EventKind, MonitorEvent};
use crate::model::time::Stamp;
use crate::monitor::sink::ReadingInfo;
use crate::render::Renderer;
use crate::render::html::HtmlReport;
use crate::settings::OutputSettings;
use crate::view::Record;
use crate::view::diagram::Diagram;
use crate::view::life::{LifeHistories, LifeRecord};
use crate::view::report::Report;

/// So many sockets have a lane; the others are only counted.
const MOST_LANES: usize = 2000;

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
        reading: ReadingInfo,
        histories: &LifeHistories,
    ) -> Vec<Record> {
        let start = self.span.map_or(reading.at, |(start, _)| start);
        self.span = Some((start, reading.at));
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

    fn current(&mut self, run: &mut RunState<'_, '_, '_>) -> Vec<Record> {
        let mut lives = std::mem::take(&mut self.ended);
        lives.extend(run.open_lives());
        let all = lives.len();
        lives.truncate(MOST_LANES);
        let left_out = self.left_out + (all - lives.len()) as u64;
        let end = run.monitor.read_at();
        let span = self.span.map(|(start, last)| (start, end.max(last)));
        let coverage = run.monitor.coverage().to_string();
        let mut records = vec![Record::Report(Box::new(Report { span, coverage, left_out }))];
        records.extend(run.counts.records(run.monitor, true));
        self.diagram.set_states(run.monitor.states());
        records.push(Record::Diagram(Box::new(self.diagram.clone())));
        let start = |life: &LifeRecord| life.steps.iter().find_map(|step| step.at);
        lives.sort_by_key(|life| (start(life), life.socket.id));
        records.extend(lives.into_iter().map(|life| Record::Life(Box::new(life))));
        records
    }

    fn renderer(&self, output: &OutputSettings) -> Box<dyn Renderer> {
        Box::new(HtmlReport::new(clock(output)))
    }

    fn is_picture(&self) -> bool {
        true
    }
}
