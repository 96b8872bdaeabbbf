//! Text of single cells: ends, owners, durations, times. One way to write each.

use crate::model::escape::one_word;
use crate::model::process::OwnerSource;
use crate::model::socket::Endpoint;
use crate::model::socket_row::Timer;
use crate::model::time::Stamp;
use crate::view::event::Owner;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// How times are written in text.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Which notation.
    pub format: TimeFormat,
    /// The zone of clock times.
    pub zone: TimeZone,
    /// The first instant told, for elapsed times.
    pub start: Option<Stamp>,
}

/// A notation for times in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFormat {
    /// `12:00:01.104`
    Clock,
    /// `2026-11-01T12:00:01.104000Z`
    Rfc3339,
    /// `1793534401.104000`
    Epoch,
    /// `1.104`: seconds since the first look, on the boot clock.
    Elapsed,
}

impl Clock {
    /// The width of the times of this age; elapsed ones grow from there.
    pub fn width(&self) -> usize {
        match self.format {
            TimeFormat::Clock => "12:00:01.104".len(),
            TimeFormat::Rfc3339 if self.zone == TimeZone::UTC => {
                "2026-11-01T12:00:01.104000Z".len()
            }
            TimeFormat::Rfc3339 => "2026-11-01T12:00:01.104000+02:00".len(),
            TimeFormat::Epoch => "1793534401.104000".len(),
            TimeFormat::Elapsed => "100000.000".len(),
        }
    }

    /// An instant, and the first one given is where elapsed time begins.
    pub fn write(&mut self, stamp: Stamp) -> String {
        let time = Timestamp::from_microsecond(stamp.wall).unwrap_or_default();
        match self.format {
            TimeFormat::Clock => {
                format!("{}", time.to_zoned(self.zone.clone()).strftime("%H:%M:%S%.3f"))
            }
            TimeFormat::Rfc3339 if self.zone == TimeZone::UTC => stamp.to_string(),
            TimeFormat::Rfc3339 => {
                let zoned = time.to_zoned(self.zone.clone());
                format!("{}", zoned.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z"))
            }
            TimeFormat::Epoch => {
                let (seconds, micros) = (stamp.wall / 1_000_000, stamp.wall % 1_000_000);
                format!("{seconds}.{micros:06}")
            }
            TimeFormat::Elapsed => {
                let start = *self.start.get_or_insert(stamp);
                format!("{:.3}", stamp.since(start).as_secs_f64())
            }
        }
    }
}

/// Names to be shown instead of numbers; empty where numbers are wanted.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// `host:service` of ends.
    pub addrs: HashMap<Endpoint, String>,
    /// Names of users.
    pub users: HashMap<u32, String>,
}

/// `127.0.0.1:80`, `[::1]:80`, `*` for the other end of a listener.
pub fn endpoint(addr: IpAddr, port: u16, names: &Names) -> String {
    if let Some(name) = names.addrs.get(&Endpoint { addr, port }) {
        return name.clone();
    }
    match (addr, port) {
        (addr, 0) if addr.is_unspecified() => "*".to_owned(),
        (IpAddr::V4(addr), port) => format!("{addr}:{port}"),
        (IpAddr::V6(addr), port) => format!("[{addr}]:{port}"),
    }
}

/// `812/client`, with `~` where remembered, `^` where it is the listener's; `!` where it may not
/// be known, `?` where it is not; `+2` for two more processes.
pub fn owner(owner: &Owner) -> String {
    let (Some(pid), Some(process)) = (owner.pid, &owner.process) else {
        return if owner.owner_source == OwnerSource::Denied { "!" } else { "?" }.to_owned();
    };
    let mut others: Vec<i32> =
        owner.owners.iter().map(|held| held.pid).filter(|other| *other != pid).collect();
    others.dedup();
    let more = if others.is_empty() { String::new() } else { format!("+{}", others.len()) };
    let mark = match owner.owner_source {
        OwnerSource::Remembered => "~",
        OwnerSource::Listener => "^",
        _ => "",
    };
    format!("{pid}/{}{more}{mark}", one_word(process))
}

/// `0.3s`, `4.0s`, `3m12s`, `2h05m`, `3d04h`: three digits that matter.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..600 if time.as_millis() < 99_950 => format!("{:.1}s", time.as_secs_f64()),
        0..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Time in a state: `4.0s`, `>=4.0s` where it may be longer, `-` where it is not known.
pub fn held(held: Option<Duration>, at_least: bool) -> String {
    match held {
        None => "-".to_owned(),
        Some(held) if at_least => format!(">={}", duration(held)),
        Some(held) => duration(held),
    }
}

/// `retransmit(0.2s,3)`: the timer, its remaining time, the retransmissions so far.
pub fn timer(timer: Timer, left: Option<f64>, retransmits: u32) -> String {
    let name = match timer {
        Timer::None => return "-".to_owned(),
        Timer::Retransmit => "retransmit",
        Timer::Keepalive => "keepalive",
        Timer::TimeWait => "time-wait",
        Timer::Probe => "probe",
    };
    let left = Duration::from_secs_f64(left.unwrap_or_default());
    format!("{name}({},{retransmits})", duration(left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::event::Held;

    #[test]
    fn durations_keep_what_matters() {
        let told = |s| duration(Duration::from_secs_f64(s));
        let all: Vec<_> =
            [0.04, 4.0, 62.14, 99.96, 192.0, 3599.9, 7500.0, 90_000.0].map(told).to_vec();
        assert_eq!(all, ["0.0s", "4.0s", "62.1s", "1m39s", "3m12s", "59m59s", "2h05m", "1d01h"]);
    }

    #[test]
    fn ends_are_written_as_ss_does() {
        let mut names = Names::default();
        let written = |addr: &str, port, names: &_| endpoint(addr.parse().unwrap(), port, names);
        assert_eq!(written("127.0.0.1", 80, &names), "127.0.0.1:80");
        assert_eq!(written("::1", 80, &names), "[::1]:80");
        assert_eq!(written("::", 0, &names), "*");
        assert_eq!(written("0.0.0.0", 22, &names), "0.0.0.0:22");
        let end = Endpoint { addr: "127.0.0.1".parse().unwrap(), port: 80 };
        names.addrs.insert(end, "localhost:http".to_owned());
        assert_eq!(written("127.0.0.1", 80, &names), "localhost:http");
    }

    #[test]
    fn an_owner_is_one_word_with_its_provenance() {
        let held = |pid| Held { pid, fd: 3, process: "web server".into() };
        let known = |source, owners| Owner {
            pid: Some(7),
            process: Some("web server".into()),
            owners,
            owner_source: source,
        };
        let none =
            |source| Owner { pid: None, process: None, owners: vec![], owner_source: source };
        assert_eq!(owner(&known(OwnerSource::Proven, vec![held(7)])), r"7/web\x20server");
        assert_eq!(
            owner(&known(OwnerSource::Remembered, vec![held(7), held(8), held(8), held(9)])),
            r"7/web\x20server+2~"
        );
        assert_eq!(owner(&known(OwnerSource::Listener, vec![])), r"7/web\x20server^");
        assert_eq!(owner(&none(OwnerSource::Denied)), "!");
        assert_eq!(owner(&none(OwnerSource::Unknown)), "?");
    }

    #[test]
    fn times_in_every_notation() {
        let stamp = |wall, boot| Stamp { wall, boot };
        let mut clock = Clock { format: TimeFormat::Clock, zone: TimeZone::UTC, start: None };
        assert_eq!(clock.write(stamp(1_793_534_401_104_000, 0)), "12:00:01.104");
        clock.format = TimeFormat::Rfc3339;
        assert_eq!(clock.write(stamp(1_793_534_401_104_000, 0)), "2026-11-01T12:00:01.104000Z");
        clock.zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(
            clock.write(stamp(1_793_534_401_104_000, 0)),
            "2026-11-01T14:00:01.104000+02:00"
        );
        clock.format = TimeFormat::Epoch;
        assert_eq!(clock.write(stamp(1_793_534_401_104_000, 0)), "1793534401.104000");
        clock.format = TimeFormat::Elapsed;
        assert_eq!(clock.write(stamp(0, 5_000_000)), "0.000");
        assert_eq!(clock.write(stamp(0, 6_250_000)), "1.250");
    }
}
