//! The text of single cells: endpoints, owners, durations, times. Every table writes them alike.

use crate::model::binding::Device;
use crate::model::escape::one_word;
use crate::model::event::SocketRef;
use crate::model::process::{Attribution, Holder, OwnerSource};
use crate::model::socket::{AddressPair, Endpoint, NetnsId};
use crate::model::socket_row::{Details, Timer};
use crate::model::time::Stamp;
use crate::model::workload::MainWorkload;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How times are written in text.
#[derive(Debug, Clone)]
pub struct TimeFormatter {
    /// Which notation.
    pub format: TimeFormat,
    /// The time zone of clock times and dates.
    pub zone: TimeZone,
    /// The first instant written, which elapsed times count from.
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
    /// `1.104`: seconds since the first instant written, on the boot clock.
    Elapsed,
}

impl TimeFormatter {
    /// The usual width of a time; elapsed ones may become wider.
    pub(crate) fn width(&self) -> usize {
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

    /// An instant as text. Elapsed time counts from the first one given.
    pub(crate) fn write(&mut self, stamp: Stamp) -> String {
        let time = Timestamp::from_microsecond(stamp.wall).unwrap_or_default();
        match self.format {
            TimeFormat::Clock => {
                format!("{}", time.to_zoned_datetime(self.zone.clone()).strftime("%H:%M:%S%.3f"))
            }
            TimeFormat::Rfc3339 if self.zone == TimeZone::UTC => stamp.to_string(),
            TimeFormat::Rfc3339 => {
                let zoned = time.to_zoned_datetime(self.zone.clone());
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

/// Names to show instead of numbers; what has no name here is shown as a number.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// `host:service` of endpoints.
    pub addrs: HashMap<Endpoint, String>,
    /// Names of users by their ids.
    pub users: HashMap<u32, String>,
}

/// `127.0.0.1:80`, `[::1]:80`, `*` for the remote endpoint of a listener, or its names.
pub(crate) fn endpoint(end: Endpoint, names: &Names) -> String {
    if let Some(name) = names.addrs.get(&end) {
        return name.clone();
    }
    match (end.addr, end.port) {
        (addr, 0) if addr.is_unspecified() => "*".to_owned(),
        (IpAddr::V4(addr), port) => ipv4_endpoint(addr, port),
        (IpAddr::V6(addr), port) => format!("[{addr}]:{port}"),
    }
}

/// Of these a list has hundreds of thousands: without the machinery of `format!`.
fn ipv4_endpoint(addr: Ipv4Addr, port: u16) -> String {
    let mut text = String::with_capacity("255.255.255.255:65535".len());
    for (octet, end) in addr.octets().iter().zip([".", ".", ".", ":"]) {
        text.push_str(itoa::Buffer::new().format(*octet));
        text.push_str(end);
    }
    text.push_str(itoa::Buffer::new().format(port));
    text
}

/// The local end of a socket: with its interface `[fe80::1%eth0]:80`, `127.0.0.1%lo:80`; `*:80` for `::`
/// where IPv4 is accepted, too, as ss has it.
pub(crate) fn local_end(socket: &SocketRef, names: &Names) -> String {
    let SocketRef { addrs: AddressPair { local, .. }, binding, .. } = socket;
    if !names.addrs.contains_key(local) && binding.is_dual_stack(&socket.addrs) {
        let device = binding.device.name().map_or_else(String::new, |name| format!("%{name}"));
        return format!("*{device}:{}", local.port);
    }
    end_on(*local, binding.device, names)
}

/// The remote end of a socket, with the interface where the address is link-local.
pub(crate) fn remote_end(socket: &SocketRef, names: &Names) -> String {
    let SocketRef { addrs: AddressPair { remote, .. }, binding, .. } = socket;
    if remote.is_link_local() {
        return end_on(*remote, binding.device, names);
    }
    endpoint(*remote, names)
}

fn end_on(end: Endpoint, device: Device, names: &Names) -> String {
    let Some(device) = device.name().filter(|_| !names.addrs.contains_key(&end)) else {
        return endpoint(end, names);
    };
    match (end.addr, end.port) {
        (IpAddr::V4(addr), port) => format!("{addr}%{device}:{port}"),
        (IpAddr::V6(addr), port) => format!("[{addr}%{device}]:{port}"),
    }
}

/// `812/client`, with `+2` for two more processes, `~` where remembered, `^` where it is the owner
/// of the listener; `!` where there was no permission to find it, `?` where it is unknown.
pub(crate) fn owner(owner: &Attribution) -> String {
    let Some((pid, process)) = main_owner(owner) else {
        return if owner.source == OwnerSource::Denied { "!" } else { "?" }.to_owned();
    };
    let pids = owner.holders.iter().map(|(holder, _)| holder.pid);
    let mut others: Vec<i32> = pids.filter(|other| *other != pid).collect();
    others.dedup();
    let mut text = String::with_capacity("2147483647/+2^".len() + process.len());
    text.push_str(itoa::Buffer::new().format(pid));
    text.push('/');
    text.push_str(&process);
    if !others.is_empty() {
        text.push('+');
        text.push_str(itoa::Buffer::new().format(others.len()));
    }
    text.push_str(match owner.source {
        OwnerSource::Remembered => "~",
        OwnerSource::Listener => "^",
        _ => "",
    });
    text
}

/// `812/client@blue`: the owner, and the network namespace of the socket by its name or its inode where
/// several may be read.
pub(crate) fn owner_in(by: &Attribution, socket: &SocketRef, netns_name: Option<&str>) -> String {
    let owner = owner(by);
    if socket.addrs.netns == NetnsId::default() {
        return owner;
    }
    format!("{owner}@{}", netns(socket, netns_name))
}

/// The network namespace of a socket by its name or its inode; `?` where neither is known.
pub(crate) fn netns(socket: &SocketRef, name: Option<&str>) -> String {
    match (name, socket.netns) {
        (Some(name), _) => one_word(name),
        (None, Some(inode)) => inode.to_string(),
        (None, None) => "?".to_owned(),
    }
}

/// `3`, `3,7`: the numbers of the descriptors by which the main owner holds a socket, the first of many;
/// `-` where none is known.
pub(crate) fn descriptors(owner: &Attribution) -> String {
    const SHOWN: usize = 4;
    // Those of listeners lead to another socket.
    let main = owner.main.as_ref().filter(|_| owner.source != OwnerSource::Listener);
    let is_main = |holder: &Holder| main.is_some_and(|main| main.pid == holder.pid);
    let mut all = owner.holders.iter().map(|(holder, _)| holder).filter(|holder| is_main(holder));
    let shown: Vec<String> = all.by_ref().take(SHOWN).map(|holder| holder.fd.to_string()).collect();
    match shown.as_slice() {
        [] => "-".to_owned(),
        shown if all.next().is_some() => shown.join(",") + ",…",
        shown => shown.join(","),
    }
}

/// What the main owner runs in as one word: its pod, its container or its unit.
pub(crate) fn unit(workload: &MainWorkload) -> String {
    match workload.0.as_deref() {
        Some(workload) => workload.label().as_deref().map_or_else(|| "-".to_owned(), one_word),
        None => "?".to_owned(),
    }
}

/// The pid of the main owner and its name as one word, where both are known.
pub(super) fn main_owner(owner: &Attribution) -> Option<(i32, String)> {
    let process = owner.main.as_ref()?;
    Some((process.pid, one_word(&process.shown_name()?)))
}

/// `32us`, `1.5ms`, `45ms`, `0.3s`, `4.0s`, `3m12s`, `2h05m`, `3d04h`: about three digits.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match time.as_micros() {
        0 => return "0s".to_owned(),
        micros @ 1..1000 => return format!("{micros}us"),
        micros @ 1000..9950 => {
            return format!("{}.{}ms", (micros + 50) / 1000, (micros + 50) / 100 % 10);
        }
        micros @ 9950..99_500 => return format!("{}ms", (micros + 500) / 1000),
        _ => {}
    }
    match seconds {
        0..600 if time.as_millis() < 99_950 => format!("{:.1}s", time.as_secs_f64()),
        0..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// The cell of a time that is not known.
pub(crate) const UNKNOWN: &str = "-";

/// The time in a state: `4.0s`, `>=4.0s` for a lower bound, `-` where nothing is known.
pub(crate) fn held(held: Option<Duration>, at_least: bool) -> String {
    match held {
        None => UNKNOWN.to_owned(),
        Some(Duration::ZERO) if at_least => UNKNOWN.to_owned(),
        // Rounded down: it would claim too much otherwise.
        Some(held) if at_least => format!(">={}", duration(tenths(held))),
        Some(held) => duration(held),
    }
}

/// A time of 0.1 s or more without what is less than that.
fn tenths(time: Duration) -> Duration {
    if time < Duration::from_millis(100) {
        return time;
    }
    let tenths = u64::try_from(time.as_millis() / 100).unwrap_or(u64::MAX);
    Duration::from_millis(tenths.saturating_mul(100))
}

/// `retransmit(0.2s,3)`: the timer, its remaining time, the retransmissions so far; `-` where no
/// timer is running. `on` is the timer of a segment that was not retransmitted, as netstat has it.
pub(crate) fn timer(details: &Details) -> String {
    let name = match details.timer {
        Timer::None => return "-".to_owned(),
        Timer::Retransmit if details.retransmits == 0 => "on",
        Timer::Retransmit => "retransmit",
        Timer::Keepalive => "keepalive",
        Timer::TimeWait => "time-wait",
        Timer::Probe => "probe",
    };
    let left = duration(details.timer_left().unwrap_or_default());
    format!("{name}({left},{})", details.retransmits)
}

/// How many columns a text takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// The text, or as much of it as fits this many columns with an ellipsis.
pub(crate) fn clip(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(1);
    let fits = |character: &char| {
        let width = character.width().unwrap_or_default();
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    if room == 0 { kept } else { kept + "…" }
}

/// An endpoint, or as much of it as fits with an ellipsis before its port, which is worth more than the
/// rest of its address.
#[cfg_attr(not(feature = "tui"), allow(dead_code))]
pub(crate) fn clip_endpoint(text: &str, room: usize) -> String {
    clip_before(text, text.rfind(':').map_or("", |colon| &text[colon..]), room)
}

/// An owner, or as much of it as fits with an ellipsis before its mark: the mark is worth more than the
/// name, and that more than the pid.
#[cfg_attr(not(feature = "tui"), allow(dead_code))]
pub(crate) fn clip_owner(text: &str, room: usize) -> String {
    const LEAST_OF_NAME: usize = 4;
    let pid = text.find('/').map_or(0, |slash| slash + 1);
    let text = if width(text) > room && room < pid + LEAST_OF_NAME { &text[pid..] } else { text };
    clip_before(text, text.strip_suffix(['~', '^']).map_or("", |name| &text[name.len()..]), room)
}

/// The text, or as much of it as fits with an ellipsis before its end, which is kept if there is room.
#[cfg_attr(not(feature = "tui"), allow(dead_code))]
fn clip_before(text: &str, end: &str, room: usize) -> String {
    match room.checked_sub(end.len()) {
        Some(left) if width(text) > room => clip(&text[..text.len() - end.len()], left) + end,
        _ => clip(text, room),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::binding::{Binding, DeviceName};
    use crate::view::samples;

    #[test]
    fn durations_have_about_three_digits() {
        let shown = |s| duration(Duration::from_secs_f64(s));
        let all: Vec<_> = [4.0, 62.14, 99.96, 192.0, 3599.9, 7500.0, 90_000.0].map(shown).to_vec();
        assert_eq!(all, ["4.0s", "62.1s", "1m39s", "3m12s", "59m59s", "2h05m", "1d01h"]);
        let short: Vec<_> =
            [0.0, 0.000_032, 0.000_999, 0.001, 0.001_25, 0.009_949, 0.009_95, 0.04, 0.0994, 0.0995]
                .map(shown)
                .to_vec();
        let expected =
            ["0s", "32us", "999us", "1.0ms", "1.3ms", "9.9ms", "10ms", "40ms", "99ms", "0.1s"];
        assert_eq!(short, expected);
    }

    #[test]
    fn what_is_cut_keeps_what_is_worth_the_most() {
        assert_eq!(clip_endpoint("127.0.0.1:60316", 7), "…:60316");
        assert_eq!(clip_endpoint("[2001:db8::1]:443", 12), "[2001:d…:443");
        assert_eq!(clip_owner("28877/nginx+2", 12), "28877/nginx…");
        assert_eq!(clip_owner("28877/nginx+2", 8), "nginx+2");
        assert_eq!(clip_owner("28879/redis-server~", 9), "redis-s…~");
        assert_eq!(clip_owner("!", 7), "!");
    }

    #[test]
    fn endpoints_are_written_as_in_ss() {
        let mut names = Names::default();
        let written = |end: &str, names: &_| endpoint(samples::endpoint(end), names);
        assert_eq!(written("127.0.0.1:80", &names), "127.0.0.1:80");
        assert_eq!(written("[::1]:80", &names), "[::1]:80");
        assert_eq!(written("[::]:0", &names), "*");
        assert_eq!(written("0.0.0.0:22", &names), "0.0.0.0:22");
        names.addrs.insert(samples::endpoint("127.0.0.1:80"), "localhost:http".to_owned());
        assert_eq!(written("127.0.0.1:80", &names), "localhost:http");
    }

    #[test]
    fn ends_are_written_with_their_interface() {
        let written = |local: &str, remote: &str, device: Device, ipv6_only| {
            let mut socket = samples::socket(1, local, remote);
            socket.binding = Binding { device, ipv6_only };
            let names = Names::default();
            [local_end(&socket, &names), remote_end(&socket, &names)]
        };
        let eth0 = Device::Named(DeviceName::new(b"eth0").unwrap());
        let link = written("[fe80::1]:80", "[fe80::2]:9", eth0, None);
        assert_eq!(link, ["[fe80::1%eth0]:80", "[fe80::2%eth0]:9"]);
        let bound = written("10.0.0.1:80", "10.0.0.2:9", eth0, None);
        assert_eq!(bound, ["10.0.0.1%eth0:80", "10.0.0.2:9"]);
        let listener = |device, only| written("[::]:80", "[::]:0", device, only);
        assert_eq!(listener(Device::None, Some(false)), ["*:80", "*"]);
        assert_eq!(listener(eth0, Some(false)), ["*%eth0:80", "*"]);
        assert_eq!(listener(Device::None, Some(true)), ["[::]:80", "*"]);
        assert_eq!(listener(Device::Unknown, None), ["[::]:80", "*"]);
    }

    #[test]
    fn an_owner_is_one_word_with_a_mark_for_its_source() {
        let web = |source| samples::owner(7, "web server", source);
        assert_eq!(owner(&web(OwnerSource::Proven)), r"7/web\x20server");
        let mut shared = web(OwnerSource::Remembered);
        shared.holders = [7, 8, 8, 9]
            .map(|pid| (Holder { pid, start: 1, task: None, fd: 3 }, shared.main.clone().unwrap()))
            .to_vec();
        assert_eq!(owner(&shared), r"7/web\x20server+2~");
        assert_eq!(descriptors(&shared), "3");
        assert_eq!(owner(&web(OwnerSource::Listener)), r"7/web\x20server^");
        let none = |source| Attribution { main: None, holders: Vec::new(), source };
        assert_eq!(owner(&none(OwnerSource::Denied)), "!");
        assert_eq!(owner(&none(OwnerSource::Unknown)), "?");
    }

    #[test]
    fn times_in_every_notation() {
        let stamp = |wall, boot| Stamp { wall, boot };
        let mut clock =
            TimeFormatter { format: TimeFormat::Clock, zone: TimeZone::UTC, start: None };
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
