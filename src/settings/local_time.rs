//! The time zone that times are shown and given in.

use jiff::tz::TimeZone;
use std::path::Path;

/// The time zone of this machine, where `TZ` names no other one.
const OF_MACHINE: &str = "/etc/localtime";

/// UTC if that is asked for, else the user's time zone.
pub(crate) fn zone(utc: bool) -> TimeZone {
    if utc {
        return TimeZone::UTC;
    }
    // `TimeZone::system` lists all files of the time zone database, to know the zone by its name, too,
    // which nothing here shows.
    let of_machine =
        if std::env::var_os("TZ").is_none() { read(OF_MACHINE.as_ref()) } else { None };
    of_machine.unwrap_or_else(TimeZone::system)
}

/// A time zone without a name; `None` if the file is not that of one.
fn read(file: &Path) -> Option<TimeZone> {
    let rules = std::fs::read(file).ok()?;
    TimeZone::tzif("Local", &rules).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    /// A TZif file of version 2 (RFC 8536) of a time zone that has always been two hours east of UTC.
    fn two_hours_east() -> Vec<u8> {
        let mut file = Vec::new();
        for _ in 0..2 {
            file.extend(b"TZif2");
            file.extend([0; 15]);
            // No indicators, leap seconds or transitions; one local time type, four characters.
            for count in [0_u32, 0, 0, 0, 1, 4] {
                file.extend(count.to_be_bytes());
            }
            file.extend(7200_i32.to_be_bytes());
            file.extend([0, 0]);
            file.extend(b"+02\0");
        }
        file.extend(b"\n<+02>-2\n");
        file
    }

    #[test]
    fn the_time_zone_of_the_machine_is_read_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("localtime");
        assert_eq!(read(&file), None);
        std::fs::write(&file, "Europe/Berlin\n").unwrap();
        assert_eq!(read(&file), None);
        std::fs::write(&file, two_hours_east()).unwrap();
        let shown = read(&file).unwrap().to_datetime(Timestamp::UNIX_EPOCH);
        assert_eq!(shown.to_string(), "1970-01-01T02:00:00");
    }
}
