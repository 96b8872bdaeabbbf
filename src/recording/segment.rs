//! The names of the files of a recording that is kept as a ring: `FILE` is written to, and
//! `FILE.000001`, `FILE.000002` and so on are what came before, the oldest with the lowest number.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// As many digits at least, so that names sort as numbers do, and so that the files that logrotate
/// numbers are not meant.
const DIGITS: usize = 6;

/// The name of a segment of the recording of this name.
pub(crate) fn name(recording: &OsStr, number: u64) -> OsString {
    let mut name = recording.to_owned();
    name.push(format!(".{number:0DIGITS$}"));
    name
}

/// The number of the segment that a file of this name is; `None` if it is none of the recording.
pub(crate) fn number(recording: &OsStr, file: &OsStr) -> Option<u64> {
    let digits = file.as_bytes().strip_prefix(recording.as_bytes())?.strip_prefix(b".")?;
    if digits.len() < DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    // One number has one name.
    (name(recording, number) == file).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_one_name() {
        let recording = OsStr::new("rec.1");
        for of in [0, 1, 999_999, 1_000_000, u64::MAX] {
            assert_eq!(number(recording, &name(recording, of)), Some(of));
        }
        assert_eq!(name(recording, 7), "rec.1.000007");
        for other in [
            "rec.1",
            "rec.1.",
            "rec.1.1",
            "rec.1.00001",
            "rec.1.0000001",
            "rec.1.000001.gz",
            "rec.1.+00001",
            "rec.2.000001",
            "rec.1.99999999999999999999",
        ] {
            assert_eq!(number(recording, OsStr::new(other)), None, "{other}");
        }
    }
}
