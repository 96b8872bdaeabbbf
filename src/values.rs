//! Parses values as they are written on the command line and in a rules file: patterns, processes,
//! users, states, addresses, ports, durations. Which flag or key a value belongs to is not known
//! here.

use crate::error::ValueError;
use crate::filter::addr::{AddrFilter, parse_ports};
use crate::filter::netns::NetnsPattern;
use crate::filter::workload::NamePattern;
use crate::model::time::Moment;
use crate::tcp::state_set::StateSet;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use regex::bytes::Regex;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A longer wait is a typing error, and beyond what clocks can add.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

type Result<T> = std::result::Result<T, ValueError>;

/// A regular expression, unanchored unless `exact`.
pub(crate) fn regex(pattern: &str, exact: bool) -> Result<Regex> {
    // The pattern is tried alone first, so that an error shows what was typed.
    let compiled = match Regex::new(pattern) {
        Ok(_) if exact => Regex::new(&format!("^(?:{pattern})$")),
        other => other,
    };
    compiled.map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        ValueError::Pattern { pattern: pattern.to_owned(), reason: reason.to_owned() }
    })
}

/// A process id, from 1.
pub(crate) fn pid(text: &str) -> Result<i32> {
    match text.trim().parse() {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => Err(ValueError::Pid(text.to_owned())),
    }
}

/// A uid, or the name of a user that the system knows.
pub(crate) fn user(text: &str) -> Result<u32> {
    if let Ok(uid) = text.parse() {
        return Ok(uid);
    }
    let user = uzers::get_user_by_name(text);
    user.map(|user| user.uid()).ok_or_else(|| ValueError::User(text.to_owned()))
}

/// The name of a unit, a container or a pod, with wildcards.
pub(crate) fn name(text: &str) -> Result<NamePattern> {
    NamePattern::new(text).ok_or(ValueError::EmptyName)
}

/// A network namespace, by its name, with wildcards, or its inode.
pub(crate) fn netns(text: &str) -> Result<NetnsPattern> {
    NetnsPattern::new(text).ok_or(ValueError::EmptyName)
}

/// The states in any of some sets; `None` where there is no set.
pub(crate) fn states<'t>(sets: impl IntoIterator<Item = &'t str>) -> Result<Option<StateSet>> {
    let mut all: Option<StateSet> = None;
    for text in sets {
        let set: StateSet = text.parse()?;
        all = Some(match all {
            Some(before) => before.or(set),
            None => set,
        });
    }
    Ok(all)
}

/// An endpoint of `--local` or `--remote`.
pub(crate) fn address(text: &str) -> Result<AddrFilter> {
    text.parse()
}

/// `443` or `8000-8999`. 0 stands for no port, as that of a listener's remote end.
pub(crate) fn ports(text: &str) -> Result<RangeInclusive<u16>> {
    match parse_ports(text)? {
        ports if ports.contains(&0) => Err(ValueError::PortZero(text.to_owned())),
        ports => Ok(ports),
    }
}

/// `250ms`, `1h 2m`, or plain seconds as sleep(1) takes them.
pub(crate) fn duration(text: &str) -> Result<Duration> {
    let seconds = text.parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    let parsed = seconds.or_else(|| {
        let signed: SignedDuration = text.parse().or_else(|_| days(text)).ok()?;
        Duration::try_from(signed).ok()
    });
    match parsed {
        Some(duration) if duration <= LONGEST => Ok(duration),
        Some(_) => Err(ValueError::DurationTooLong(text.to_owned())),
        None => Err(ValueError::Duration(text.to_owned())),
    }
}

/// `7d`, `1d 12h`: a day has 24 hours here.
fn days(text: &str) -> std::result::Result<SignedDuration, jiff::Error> {
    text.parse::<Span>()?.to_duration(SpanRelativeTo::days_are_24_hours())
}

/// Bytes of `1MiB`, `16KiB` or a plain number; `None` if it is no such size.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    let number: u64 = digits.trim().parse().ok()?;
    Some(number.saturating_mul(unit))
}

/// `14:03`, `14:03:22.5`, `2026-11-28T14:03`, RFC 3339, or seconds since 1970.
pub(crate) fn moment(text: &str, zone: &TimeZone) -> Result<Moment> {
    let wrong = || ValueError::Moment(text.to_owned());
    if let Ok(seconds) = text.parse::<f64>() {
        let since = SignedDuration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
        let moment = Timestamp::from_duration(since).map_err(|_| wrong())?;
        return Ok(Moment::Wall(moment.as_microsecond()));
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(Moment::Wall(moment.as_microsecond()));
    }
    // A time alone parses as no date.
    if let Ok(time) = text.parse::<Time>()
        && !text.contains('-')
    {
        return Ok(Moment::TimeOfDay(time, zone.clone()));
    }
    let date: DateTime = text.parse().map_err(|_| wrong())?;
    let moment = zone.to_timestamp(date).map_err(|_| wrong())?;
    Ok(Moment::Wall(moment.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Stamp;

    #[test]
    fn a_moment_is_a_time_of_day_or_a_date_with_one() {
        let start = Stamp { wall: 1_790_000_000_000_000, boot: 0 };
        let at = |text: &str| moment(text, &TimeZone::UTC).map(|moment| moment.after(start));
        // The recording starts on 2026-09-21 at 14:13:20.
        for (text, second) in [
            ("14:13:21", 1),
            ("14:14", 40),
            ("14:13:20.5", 0),
            // Less than an hour before.
            ("14:13", -20),
            ("13:13:20", -3600),
            ("13:13:19", 82_799),
            ("2026-09-21T14:13:30", 10),
            ("2026-09-21 14:13:30", 10),
            ("2026-09-21T16:13:30+02:00", 10),
            ("1790000007", 7),
        ] {
            let shown = at(text).map(|micros| (micros - start.wall) / 1_000_000);
            assert_eq!(shown, Ok(second), "{text}");
        }
        for text in ["", "now", "25:00", "1e300", "2026-13-01T00:00"] {
            assert_eq!(at(text), Err(ValueError::Moment(text.to_owned())));
        }
    }

    #[test]
    fn durations_have_a_unit_or_are_seconds() {
        for (text, millis) in [
            ("250ms", 250),
            ("1.5s", 1500),
            ("2", 2000),
            ("1h 2m", 3_720_000),
            ("2d", 172_800_000),
            ("1d 1h", 90_000_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "fast", "-1s", "-1d", "NaN", "1month", "5x"] {
            assert_eq!(duration(text), Err(ValueError::Duration(text.to_owned())));
        }
        let too_long = "9999999h".to_owned();
        assert_eq!(duration(&too_long), Err(ValueError::DurationTooLong(too_long)));
        for text in ["1e400", "99999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_exact_pattern_matches_the_whole_name() {
        let exact = regex("a|b", true).unwrap();
        assert!(exact.is_match(b"a") && exact.is_match(b"b") && !exact.is_match(b"ab"));
    }

    #[test]
    fn a_wrong_pattern_is_shown_as_it_was_typed() {
        let error = regex("(", true).unwrap_err();
        assert_eq!(
            error.to_string(),
            "'(' is not a valid regular expression (unclosed group); put \\ before characters that are \
             meant literally"
        );
    }
}
