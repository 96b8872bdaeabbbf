//! The clocks: nothing but sources may ask them.

use crate::reading::Stamp;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// This instant.
pub fn stamp() -> Stamp {
    let micros = |id| u64::try_from(read(id).as_micros()).unwrap_or(u64::MAX);
    let wall = i64::try_from(micros(ClockId::Realtime)).unwrap_or(i64::MAX);
    Stamp { wall, boot: micros(ClockId::Boottime) }
}

/// The CPU time this program has used.
pub fn cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(id: ClockId) -> Duration {
    // None of the clocks read here runs before zero.
    Duration::try_from(clock_gettime(id)).unwrap_or_default()
}
