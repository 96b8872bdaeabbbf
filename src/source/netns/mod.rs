//! Several network namespaces as one source: each is polled through its own tables, and a poll that
//! fails in one costs only that one.
//!
//! The kernel walks through the sockets of all namespaces to dump those of one, so its counters are
//! asked first: an empty namespace costs two small files.

mod chosen;
mod discovery;
mod enter;
mod failures;
mod mounts;
mod namespaces;
mod open_namespace;
mod open_namespaces;
mod unfound;

use super::poll::{PollTimer, continues};
use super::{ReadingContext, Source};
use crate::error::Result;
use crate::model::reading::{Interface, LookupRequest, Reading};
use crate::model::socket_row::SocketRow;
use crate::signals::{Signals, Wake};
pub(crate) use chosen::inode_of;
pub(crate) use namespaces::Namespaces;
use std::collections::VecDeque;
use std::time::Instant;

/// Polls several network namespaces on an interval, and receives their destroy events.
#[derive(Debug)]
pub(crate) struct NamespacePolls {
    namespaces: Namespaces,
    timer: PollTimer,
    /// Readings that have been made and not handed out.
    queue: VecDeque<Reading>,
    warnings: Vec<String>,
}

impl NamespacePolls {
    /// Polls these namespaces.
    pub(crate) fn new(namespaces: Namespaces) -> Self {
        let timer = PollTimer::new(namespaces.poll_settings());
        Self { namespaces, timer, queue: VecDeque::new(), warnings: Vec::new() }
    }

    /// Waits until the next poll is due, and meanwhile searches for namespaces where that is; false
    /// when the run is over.
    fn wait(&mut self, signals: &Signals) -> Result<bool> {
        loop {
            let due = self.timer.due();
            let is_due = due.is_none_or(|due| due <= Instant::now());
            let search = self.namespaces.next_search();
            let until = match due {
                Some(due) if !is_due => due.min(search),
                _ => Instant::now(),
            };
            let wake = signals.wait(until)?;
            if !continues(wake)? {
                return Ok(false);
            }
            self.namespaces.search_if_due();
            if is_due || wake == Wake::Woken {
                return Ok(true);
            }
        }
    }
}

impl Source for NamespacePolls {
    fn next(&mut self, signals: &Signals) -> Result<Option<Reading>> {
        if let Some(reading) = self.queue.pop_front().or_else(|| self.timer.take_held_back()) {
            return Ok(Some(reading));
        }
        if !self.wait(signals)? {
            return Ok(self.timer.gap_at_end());
        }
        self.queue.extend(self.namespaces.destroy_events().map(Reading::DestroyEvents));
        let poll = self.timer.start_poll(&mut self.warnings);
        let snapshot = self.namespaces.snapshot();
        self.queue.push_back(self.timer.finish_poll(&poll, snapshot));
        Ok(self.queue.pop_front())
    }

    fn lookup(&mut self, requests: &[LookupRequest]) -> Result<Option<Reading>> {
        Ok(self.namespaces.look_up(requests, Namespaces::search_if_due))
    }

    fn recycle(&mut self, rows: Vec<SocketRow>) {
        self.namespaces.recycle(rows);
    }

    fn context(&mut self) -> ReadingContext {
        let (due, has_more) = (self.timer.due(), !self.queue.is_empty());
        let tcp_infos = self.namespaces.take_tcp_infos();
        ReadingContext { due, has_more, tcp_infos, ..ReadingContext::default() }
    }

    fn interface(&self) -> Interface {
        self.namespaces.interface()
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(self.namespaces.warnings());
        warnings
    }
}
