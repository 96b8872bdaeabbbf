//! The view that shows the summary.

use crate::model::event::MonitorEvent;
use crate::model::reading::Interface;
use crate::model::time::Stamp;
use crate::view::life::LifeHistories;
use crate::view::{Record, Run, View, losses};

/// `--view summary`: how many sockets there are and were, by group and state.
pub(in crate::view) struct SummaryView;

impl View for SummaryView {
    fn apply(
        &mut self,
        events: Vec<MonitorEvent>,
        _: (Stamp, Interface),
        _: &LifeHistories,
    ) -> Vec<Record> {
        losses(events)
    }

    fn current(&mut self, run: &mut dyn Run) -> Vec<Record> {
        run.summary(true)
    }

    fn frame(&mut self, run: &mut dyn Run) -> Vec<Record> {
        run.summary(false)
    }

    fn is_picture(&self) -> bool {
        true
    }

    fn title(&self) -> Option<(&'static str, &'static str)> {
        Some(("summary of TCP sockets", ""))
    }
}
