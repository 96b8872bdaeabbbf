//! Values as they are written on the command line and in a file of rules: patterns, processes,
//! users, states, ports, durations. A wrong one is an [`Error::Usage`].

use crate::error::{Error, Result};
use crate::filter::addr::parse_ports;
use crate::tcp::state_set::StateSet;
use jiff::SignedDuration;
use regex::bytes::Regex;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A longer wait is a slip of the finger, and beyond what clocks can add.
const LONGEST: Duration = Duration::from_hours(366 * 24);

pub(crate) fn regex(pattern: &str, exact: bool) -> Result<Regex> {
    // The pattern is tried alone first, so that an error shows what was typed.
    let alone = Regex::new(pattern);
    let compiled = match alone {
        Ok(_) if exact => Regex::new(&format!("^(?:{pattern})$")),
        other => other,
    };
    compiled.map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Error::Usage(format!("'{pattern}' is no regular expression: {reason}"))
    })
}

pub(crate) fn pid(text: &str) -> Result<i32> {
    match text.trim().parse() {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => usage(&format!("--pid takes process ids such as 812, not '{text}'")),
    }
}

pub(crate) fn user(text: &str) -> Result<u32> {
    if let Ok(uid) = text.parse() {
        return Ok(uid);
    }
    match uzers::get_user_by_name(text) {
        Some(user) => Ok(user.uid()),
        None => usage(&format!("there is no user '{text}'; --user takes a name or a uid")),
    }
}

pub(crate) fn states(sets: &[String]) -> Result<Option<StateSet>> {
    let mut all: Option<StateSet> = None;
    for text in sets {
        let set: StateSet =
            text.parse().map_err(|error| Error::Usage(format!("--state: {error}")))?;
        all = Some(match all {
            Some(before) => before.or(set),
            None => set,
        });
    }
    Ok(all)
}

pub(crate) fn ports(text: &str) -> Result<RangeInclusive<u16>> {
    parse_ports(text)
        .map_or_else(|| usage(&format!("--port takes 443 or 8000-8999, not '{text}'")), Ok)
}

/// `250ms`, `1h 2m`, or plain seconds as sleep(1) takes them.
pub(crate) fn duration(text: &str) -> Result<Duration> {
    let seconds = text.parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    let parsed = seconds.or_else(|| {
        let signed: SignedDuration = text.parse().ok()?;
        Duration::try_from(signed).ok()
    });
    match parsed {
        Some(duration) if duration <= LONGEST => Ok(duration),
        Some(_) => usage(&format!("'{text}' is longer than a year")),
        None => usage(&format!("'{text}' is no duration; write 250ms, 1.5s, 10m or '1h 30m'")),
    }
}

pub(crate) fn usage<T>(sentence: &str) -> Result<T> {
    Err(Error::Usage(sentence.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_units_or_seconds() {
        for (text, millis) in [("250ms", 250), ("1.5s", 1500), ("2", 2000), ("1h 2m", 3_720_000)] {
            assert_eq!(duration(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for text in ["", "fast", "-1s", "1e400", "NaN", "99999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn exact_means_the_whole_name() {
        let exact = regex("a|b", true).unwrap();
        assert!(exact.is_match(b"a") && exact.is_match(b"b") && !exact.is_match(b"ab"));
    }
}
