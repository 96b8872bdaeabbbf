//! Instants on the wall clock and the boot clock. Only a source reads the clocks.

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// An instant on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Stamp {
    /// Microseconds since 1970 (`CLOCK_REALTIME`), for display.
    pub wall: i64,
    /// Microseconds since boot, suspended time included (`CLOCK_BOOTTIME`), for durations.
    pub boot: u64,
}

impl Stamp {
    /// The instant this much earlier on both clocks.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self {
            wall: self.wall.saturating_sub_unsigned(micros),
            boot: self.boot.saturating_sub(micros),
        }
    }

    /// The time from `earlier` to this instant on the boot clock; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.boot.saturating_sub(earlier.boot))
    }
}

/// RFC 3339 in UTC with microseconds.
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Timestamp::from_microsecond(self.wall).unwrap_or_default();
        write!(f, "{time:.6}")
    }
}

/// A span of time in seconds, to the microsecond, or null.
#[allow(clippy::ref_option)] // serde passes the field by reference
pub(crate) fn seconds<S: Serializer>(span: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
    // Exact for 285 years.
    #[allow(clippy::cast_precision_loss)]
    span.map(|span| span.as_micros() as f64 / 1e6).serialize(s)
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
