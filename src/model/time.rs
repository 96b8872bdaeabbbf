//! Instants on the wall clock and the boot clock. Only a source reads the clocks.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
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

    /// The instant this much later on both clocks.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self {
            wall: self.wall.saturating_add_unsigned(micros),
            boot: self.boot.saturating_add(micros),
        }
    }

    /// The time from `earlier` to this instant on the boot clock; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.boot.saturating_sub(earlier.boot))
    }
}

/// A moment of a recording, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Microseconds since 1970.
    Wall(i64),
    /// A time of day in a time zone: the first one in the recording, but for one that is less than an
    /// hour before its start.
    TimeOfDay(Time, TimeZone),
}

impl Moment {
    /// The moment, in microseconds since 1970, in a recording that starts at `start`.
    pub(crate) fn after(&self, start: Stamp) -> i64 {
        match self {
            Self::Wall(micros) => *micros,
            Self::TimeOfDay(time, zone) => {
                let start = Timestamp::from_microsecond(start.wall).unwrap_or_default();
                let today = zone.to_datetime(start).date();
                let on = |date: jiff::civil::Date| zone.to_timestamp(date.to_datetime(*time));
                let tomorrow = || today.checked_add(1.day()).and_then(on);
                let latest = start - 1.hour();
                let first = on(today).ok().filter(|moment| *moment >= latest);
                first.or_else(|| tomorrow().ok()).unwrap_or(start).as_microsecond()
            }
        }
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

impl JsonSchema for Stamp {
    fn schema_name() -> Cow<'static, str> {
        "time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
