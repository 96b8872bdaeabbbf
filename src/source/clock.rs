//! The clocks. Only sources ask them, and the recorder for the header of its file.

use crate::model::time::Stamp;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Now.
pub(crate) fn stamp() -> Stamp {
    let micros = |id| u64::try_from(read(id).as_micros()).unwrap_or(u64::MAX);
    let wall = i64::try_from(micros(ClockId::Realtime)).unwrap_or(i64::MAX);
    Stamp { wall, boot: micros(ClockId::Boottime) }
}

/// Microseconds from the boot clock to the wall clock: the best of a few readings, since one that is
/// interrupted between the two clocks is off.
#[cfg(feature = "bpf")]
pub(crate) fn wall_offset() -> i64 {
    const READINGS: usize = 5;
    let reading = |_| {
        let before = read(ClockId::Boottime);
        let wall = read(ClockId::Realtime);
        let took = read(ClockId::Boottime).saturating_sub(before);
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        (took, micros(wall) - micros(before + took / 2))
    };
    (0..READINGS).map(reading).min().map_or(0, |(_, offset)| offset)
}

/// The CPU time that this thread has used. Polls are taken by one thread; what others use, to answer
/// scrapers or to write for a slow reader, is no reason to poll less.
pub(crate) fn cpu() -> Duration {
    read(ClockId::ThreadCPUTime)
}

fn read(id: ClockId) -> Duration {
    // None of the clocks read here runs before zero.
    Duration::try_from(clock_gettime(id)).unwrap_or_default()
}
