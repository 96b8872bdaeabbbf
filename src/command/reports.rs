//! What a run tells on standard error while it goes on: sentences, and the timelines so far for
//! whoever calls with SIGUSR1. Its reader may be slow, too, and polling does not wait for him.

use super::lines;
use super::outbox::{Outbox, Patience};
use super::sink::Sink;
use super::views::Now;
use crate::render::Renderer;
use crate::render::cell::Names;
use crate::settings::Print;
use crate::view::Record;
use crate::view::pairing::paired;
use std::io;

/// Bytes that wait at most for a reader who is given more: sentences are few, and whoever calls for
/// reports without reading them needs no further one.
pub(super) const MOST: usize = 1 << 20;

/// Tells one thing after the other.
#[derive(Default)]
pub(super) struct Reports {
    outbox: Option<Outbox>,
    /// What found no room.
    left_out: u64,
}

impl Reports {
    /// Tells sentences.
    pub(super) fn tell(&mut self, sentences: impl IntoIterator<Item = String>) {
        self.write(lines(sentences));
    }

    /// Hands over a report.
    pub(super) fn write(&mut self, report: Vec<u8>) {
        if report.is_empty() {
            return;
        }
        if self.outbox.is_none() {
            self.outbox = Outbox::to(&io::stderr(), || ()).ok();
        }
        let Some(outbox) = &self.outbox else {
            // Late is better than not at all where no thread is to be had.
            let _ = Sink::Stderr.write(&report);
            return;
        };
        if outbox.waiting() >= MOST {
            self.left_out += 1;
            return;
        }
        let mut bytes = match std::mem::take(&mut self.left_out) {
            0 => Vec::new(),
            many => lines([format!("{many} messages had no room before this one")]),
        };
        bytes.extend(report);
        // Nobody is left to be told that standard error is closed.
        let _ = outbox.push(bytes);
    }
}

impl Drop for Reports {
    /// What was told is written before the run ends, unless its reader takes nothing.
    fn drop(&mut self) {
        let _ = self.outbox.take().map(|outbox| outbox.finish(|| Patience::Short));
    }
}

/// The timelines of the lives that go on, and how much of the run was seen.
pub(super) fn report(print: &Print, now: &mut Now<'_, '_>) -> Vec<u8> {
    let lives = paired(now.open_lives());
    let records: Vec<_> = lives.into_iter().map(|life| Record::Life(Box::new(life))).collect();
    let mut report = Sink::Stderr.timeline(print).rows(&records, &Names::default());
    report.extend(lines([now.monitor.coverage().to_string()]));
    report
}
