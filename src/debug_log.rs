//! The debug log: why a row was taken for a socket, what lookups and scans found, when polls were
//! late. Off unless `TCPLAPSE_LOG` asks for it; it goes to standard error.
//!
//! A module writes to it with `log::debug!` or `log::trace!`: debug for decisions, trace for what
//! comes with every poll or event. Whether it is enabled costs one comparison.

use crate::error::{Result, UsageError};
use env_filter::Builder;
use log::LevelFilter;
use std::ffi::OsString;

/// The environment variable: `debug`, `trace`, or such as `tcplapse::owner=trace,tcplapse::tracker=debug`.
pub(crate) const VARIABLE: &str = "TCPLAPSE_LOG";

/// Starts the log if the environment asks for it.
///
/// # Errors
/// A value that is not a filter.
pub(crate) fn start() -> Result<()> {
    let Some(value) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) else {
        return Ok(());
    };
    let filter = parse(value)?;
    env_logger::Builder::new()
        // It logs every change of a file: where the log goes to a file beside one that is watched,
        // each line of it would cause the next.
        .filter_module("notify", LevelFilter::Off)
        .parse_filters(&filter)
        .format_timestamp_micros()
        .init();
    Ok(())
}

/// The value, if it is a filter.
fn parse(value: OsString) -> std::result::Result<String, UsageError> {
    let value = value
        .into_string()
        .map_err(|value| UsageError::LogFilter(value.to_string_lossy().into_owned()))?;
    match Builder::new().try_parse(&value) {
        Ok(_) => Ok(value),
        Err(_) => Err(UsageError::LogFilter(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_modules_are_filters() {
        for value in ["debug", "trace", "off", "tcplapse::owner=trace,tcplapse::tracker=debug"] {
            assert_eq!(parse(value.into()).expect(value), value);
        }
        for value in ["tcplapse::owner=loud", "a=b=c"] {
            assert!(matches!(parse(value.into()), Err(UsageError::LogFilter(_))), "{value}");
        }
    }
}
