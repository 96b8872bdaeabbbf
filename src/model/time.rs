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
        match self.text() {
            Some(text) => serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default()),
            None => serializer.collect_str(self),
        }
    }
}

impl Stamp {
    /// As it is displayed, for the years from 1970 to 9998: there are two in every line of JSON, and this
    /// takes a fifth of the time.
    fn text(self) -> Option<[u8; 27]> {
        const DAY: u64 = 24 * 3600 * 1_000_000;
        let wall = u64::try_from(self.wall).ok()?;
        let (year, month, day) = civil_date(wall / DAY);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let mut put = |range: std::ops::Range<usize>, mut number: u64| {
            for digit in text[range].iter_mut().rev() {
                *digit += u8::try_from(number % 10).unwrap_or_default();
                number /= 10;
            }
        };
        put(0..4, year);
        put(5..7, month);
        put(8..10, day);
        put(11..13, wall / 3_600_000_000 % 24);
        put(14..16, wall / 60_000_000 % 60);
        put(17..19, wall / 1_000_000 % 60);
        put(20..26, wall % 1_000_000);
        (year < 9999).then_some(text)
    }
}

/// Year, month and day of a number of days since 1970 (the algorithm `civil_from_days` of Howard
/// Hinnant): years begin in March, so that the day that some have more is their last.
const fn civil_date(days: u64) -> (u64, u64, u64) {
    // In 400 years there are as many days as in any other 400.
    const ERA: u64 = 146_097;
    let days = days + 719_468;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let starts_later = if month <= 2 { 1 } else { 0 };
    (400 * era + year + starts_later, month, of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The start of the year 9999.
    const END: i64 = 253_370_764_800_000_000;

    fn written(wall: i64) -> Option<String> {
        let text = Stamp { wall, boot: 0 }.text()?;
        Some(String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn an_instant_is_written_as_it_is_displayed() {
        const DAY: i64 = 86_400_000_000;
        // Every day of 400 years, and the last one.
        for wall in (0..146_097).map(|day| day * DAY + day).chain([END - 1]) {
            assert_eq!(written(wall), Some(Stamp { wall, boot: 0 }.to_string()));
        }
        assert_eq!([written(-1), written(END), written(i64::MAX)], [None, None, None]);
    }

    proptest! {
        #[test]
        fn any_instant_is_written_as_it_is_displayed(wall in 0..END) {
            prop_assert_eq!(written(wall), Some(Stamp { wall, boot: 0 }.to_string()));
        }
    }
}
