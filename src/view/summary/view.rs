//! The view that shows the summary.

use crate::view::{Record, Run, View};

/// `--view summary`: how many sockets there are and were, by group and state.
pub(in crate::view) struct SummaryView;

impl View for SummaryView {
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
