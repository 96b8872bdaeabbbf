//! Limits and counters of a network namespace, as procfs shows them.

use super::namespace::shown_process;
use crate::model::net_limits::{NetLimits, PortRange};
use crate::settings::OWN_PROCFS;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the limits and counters of a network namespace are read.
#[derive(Debug)]
pub(crate) struct LimitFiles {
    netstat: PathBuf,
    /// `None` where it is of another namespace: a sysctl is always that of the reader.
    sysctls: Option<PathBuf>,
}

impl LimitFiles {
    /// The files of the network namespace that a procfs shows.
    pub(crate) fn of(procfs: &Path) -> Self {
        let is_own = procfs == Path::new(OWN_PROCFS);
        Self {
            netstat: shown_process(procfs).join("net/netstat"),
            sysctls: is_own.then(|| procfs.join("sys/net/ipv4")),
        }
    }

    /// What they show now.
    pub(crate) fn read(&self) -> NetLimits {
        let netstat = fs::read_to_string(&self.netstat).ok();
        let sysctl = |name: &str| fs::read_to_string(self.sysctls.as_ref()?.join(name)).ok();
        let ports = sysctl("ip_local_port_range").and_then(|range| {
            port_range(&range, &sysctl("ip_local_reserved_ports").unwrap_or_default())
        });
        let listen_overflows =
            netstat.and_then(|text| counter(&text, "TcpExt:", "ListenOverflows"));
        NetLimits { ports, listen_overflows }
    }
}

/// The range of a line such as `32768 60999`, and what is reserved of it by a list such as
/// `8080,40000-40009`; `None` where it is no range.
fn port_range(range: &str, reserved: &str) -> Option<PortRange> {
    let mut ends = range.split_ascii_whitespace().map(str::parse::<u16>);
    let (first, last): (u16, u16) = (ends.next()?.ok()?, ends.next()?.ok()?);
    let is_range = ends.next().is_none() && first <= last;
    let within = |part: &str| {
        let (from, to) = part.trim().split_once('-').unwrap_or((part.trim(), part.trim()));
        let (from, to): (u16, u16) = (from.parse().ok()?, to.parse().ok()?);
        Some(u32::from(last.min(to)).saturating_add(1).saturating_sub(first.max(from).into()))
    };
    let reserved = reserved.split(',').filter_map(within).sum();
    is_range.then_some(PortRange { first, last, reserved })
}

/// A number of `/proc/net/netstat`, where a line of names is followed by one of their values.
fn counter(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(group));
    let place = lines.next()?.split_ascii_whitespace().position(|word| word == name)?;
    lines.next()?.split_ascii_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_with_what_is_reserved_of_it() {
        let range = |range, reserved| port_range(range, reserved);
        let whole = PortRange { first: 32_768, last: 60_999, reserved: 0 };
        assert_eq!(range("32768\t60999\n", "\n"), Some(whole));
        assert_eq!(range("32768\t60999\n", "8080"), Some(whole));
        let some = range("1024 65535", "8080,9000-9009,65535").expect("a range");
        assert_eq!((some.reserved, some.available()), (12, 64_500));
        assert_eq!(range("100 100", "0-65535").map(PortRange::available), Some(0));
        for wrong in ["", "1", "2 1", "1 2 3", "a b", "1 70000"] {
            assert_eq!(range(wrong, ""), None, "{wrong}");
        }
    }

    #[test]
    fn a_counter_stands_below_its_name() {
        let text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 22 23\n\
                    IpExt: ListenOverflows\nIpExt: 5\n";
        assert_eq!(counter(text, "TcpExt:", "ListenOverflows"), Some(22));
        assert_eq!(counter(text, "TcpExt:", "Other"), None);
        assert_eq!(counter("TcpExt: ListenOverflows\n", "TcpExt:", "ListenOverflows"), None);
    }
}
