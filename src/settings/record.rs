//! The settings of a recording.

use super::Result;
use crate::cli::RecordArgs;
use crate::error::{UsageError, ValueError};
use crate::values::{bytes, duration};
use std::path::PathBuf;
use std::time::Duration;

/// Less is a typing error.
const SHORTEST: Duration = Duration::from_secs(1);
const SMALLEST: u64 = 64 << 10;

/// Where a run is recorded.
#[derive(Debug)]
pub(crate) struct RecordSettings {
    /// The file.
    pub(crate) file: PathBuf,
    /// What is kept of the recording; `None` for all of it.
    pub(crate) keep: Option<Keep>,
}

/// How much of a recording is kept: what happened last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Keep {
    /// So long; `None` for no limit.
    pub(crate) time: Option<Duration>,
    /// At most so many bytes; `None` for no limit.
    pub(crate) size: Option<u64>,
}

/// Checks the arguments; `None` if nothing is recorded.
pub(super) fn record(args: RecordArgs) -> Result<Option<RecordSettings>> {
    let RecordArgs { record, keep } = args;
    let Some(file) = record else {
        let needs = "--record FILE";
        return match keep {
            Some(_) => Err(UsageError::NoEffect { flag: "--keep", needs }),
            None => Ok(None),
        };
    };
    // Standard output carries records alone.
    if file.as_os_str() == "-" {
        return Err(UsageError::RecordToStdout);
    }
    Ok(Some(RecordSettings { file, keep: keep.as_deref().map(parse).transpose()? }))
}

/// `1h`, `100MiB`, or both: `1h,100MiB`.
fn parse(text: &str) -> Result<Keep> {
    let wrong = || UsageError::Keep(text.to_owned());
    let mut keep = Keep::default();
    for limit in text.split(',').map(str::trim) {
        let is_first = match (duration(limit), bytes(limit)) {
            (Ok(time), _) => keep.time.replace(time).is_none(),
            (Err(cause @ ValueError::DurationTooLong(_)), _) => {
                return Err(UsageError::value("--keep", cause));
            }
            (_, Some(size)) => keep.size.replace(size).is_none(),
            _ => false,
        };
        if !is_first {
            return Err(wrong());
        }
    }
    if keep.time.is_some_and(|time| time < SHORTEST)
        || keep.size.is_some_and(|size| size < SMALLEST)
    {
        return Err(UsageError::KeepTooLittle(text.to_owned()));
    }
    Ok(keep)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_or_a_size_or_both_are_kept() {
        let hour = Some(Duration::from_secs(3600));
        for (text, time, size) in [
            ("1h", hour, None),
            ("3600", hour, None),
            ("100MiB", None, Some(100 << 20)),
            ("64k", None, Some(64 << 10)),
            ("1h,2GiB", hour, Some(2 << 30)),
            ("2GiB, 60m", hour, Some(2 << 30)),
        ] {
            assert_eq!(parse(text).unwrap(), Keep { time, size }, "{text}");
        }
    }

    #[test]
    fn wrong_limits_are_refused() {
        for text in ["", "much", "1h,", "1h,2h", "1GiB,2GiB", "-1h", "1.5GiB", "9e99GiB"] {
            assert!(matches!(parse(text), Err(UsageError::Keep(_))), "{text}");
        }
        for text in ["0s", "10ms", "1KiB", "1h,1KiB"] {
            assert!(matches!(parse(text), Err(UsageError::KeepTooLittle(_))), "{text}");
        }
        assert!(matches!(parse("99999h"), Err(UsageError::Value { flag: "--keep", .. })));
    }
}
