//! What the monitor reports to its caller while it works on a reading.

use crate::model::event::MonitorEvent;
use crate::model::reading::Interface;
use crate::model::time::Stamp;
use std::time::{Duration, Instant};

/// The reading that events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingInfo {
    /// When it was complete.
    pub at: Stamp,
    /// When the next poll is due; `None` where that is not known.
    pub due: Option<Instant>,
    /// How long it took, if it is a poll.
    pub took: Option<Duration>,
    /// The kernel interface it was read from.
    pub interface: Interface,
    /// Another one is ready: it follows at once.
    pub has_more: bool,
}

/// Receives the events of readings while they are found out: those of the first poll of a busy
/// machine need not all be in memory.
pub trait MonitorSink {
    /// A reading has come; what is pushed until the next one are its events.
    fn begin(&mut self, reading: ReadingInfo);

    /// Some events of the reading, at least one, in the order in which they are reported.
    fn push(&mut self, events: Vec<MonitorEvent>);
}

/// Collects the events.
impl MonitorSink for Vec<MonitorEvent> {
    fn begin(&mut self, _: ReadingInfo) {}

    fn push(&mut self, events: Vec<MonitorEvent>) {
        self.extend(events);
    }
}
