//! The timelines so far, for whoever calls with SIGUSR1: on standard error, in whatever view. They
//! may be long and their reader slow, so a thread writes them while polling goes on.

use super::output::Sink;
use super::views::Now;
use crate::render::Renderer;
use crate::render::cell::Names;
use crate::settings::Print;
use crate::view::Record;
use crate::view::conversation::paired;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// How long the end of the run waits for a reader that takes nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes reports one after the other.
#[derive(Default)]
pub(super) struct Reports {
    writer: Option<(Sender<Vec<u8>>, Receiver<()>)>,
}

impl Reports {
    /// Hands a report to the thread that writes.
    pub(super) fn write(&mut self, report: Vec<u8>) {
        let (sender, _) = self.writer.get_or_insert_with(start);
        // The thread ends only where standard error is closed, and nobody is left to be told.
        let _ = sender.send(report);
    }
}

impl Drop for Reports {
    /// What was asked for is written before the run ends.
    fn drop(&mut self) {
        if let Some((sender, done)) = self.writer.take() {
            drop(sender);
            // Its end, or a reader that takes nothing: in either case there is no more to wait for.
            let _ = done.recv_timeout(PATIENCE);
        }
    }
}

fn start() -> (Sender<Vec<u8>>, Receiver<()>) {
    let (sender, reports) = channel::<Vec<u8>>();
    let (end, done) = channel();
    thread::spawn(move || {
        let _end = end;
        for report in reports {
            if io::stderr().lock().write_all(&report).is_err() {
                return;
            }
        }
    });
    (sender, done)
}

/// The timelines of the lives that go on, and how much of the run was seen.
pub(super) fn report(print: &Print, now: &mut Now<'_, '_>) -> Vec<u8> {
    let lives = paired(now.open_lives());
    let records: Vec<_> = lives.into_iter().map(|life| Record::Life(Box::new(life))).collect();
    let mut report = Sink::Stderr.timeline(print).rows(&records, &Names::default());
    report.extend(format!("tcplapse: {}\n", now.monitor.coverage()).into_bytes());
    report
}
