//! How much of the local port range connections to one remote end use up.
//!
//! connect() without bind() takes a local port of `net.ipv4.ip_local_port_range` whose 4-tuple is free
//! (`__inet_hash_connect()`). So the ports run out for each local address and remote end by itself, and
//! TIME_WAIT counts: its port is taken unless `net.ipv4.tcp_tw_reuse` lets connect() have it. A port on
//! which a socket listens, or to which one is bound, is taken for every remote end.

use crate::model::event::SocketStatus;
use crate::model::net_limits::PortRange;
use crate::model::socket::Endpoint;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;
use std::net::IpAddr;

/// The local ports in use towards one remote end. Field names, order and values are the public
/// schema, version 1.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct PortRecord {
    /// RFC 3339, UTC: the end of the poll that showed it.
    pub time: Stamp,
    /// Inode of the network namespace; null if unknown.
    pub netns: Option<u64>,
    /// Local address.
    pub local_addr: IpAddr,
    /// Remote address.
    pub remote_addr: IpAddr,
    /// Remote port.
    pub remote_port: u16,
    /// How many local ports of the range are in use towards it.
    pub used: u32,
    /// How many of these by sockets in TIME_WAIT.
    pub time_wait: u32,
    /// How many ports connect() can choose from.
    pub available: u32,
    /// `used` in percent of `available`, to one digit behind the point.
    pub percent: f64,
}

/// Whose ports run out by themselves: network namespace, local address, remote end.
type PortsTowards = (Option<u64>, IpAddr, Endpoint);

/// The use of the port range towards every remote end to which so many percent of the ports are used,
/// most first.
pub(crate) fn port_usage(
    sockets: impl Iterator<Item = SocketStatus>,
    range: PortRange,
    at: Stamp,
    least: f64,
) -> Vec<PortRecord> {
    // The ports towards a remote end, and whether each is in TIME_WAIT.
    let mut towards: HashMap<PortsTowards, Vec<(u16, bool)>> = HashMap::new();
    let mut bound: HashMap<Option<u64>, Vec<u16>> = HashMap::new();
    for now in sockets.filter(|now| range.contains(now.socket.addrs.local.port)) {
        let (netns, addrs) = (now.socket.netns, now.socket.addrs);
        if matches!(now.state, State::Listen | State::Bound) {
            bound.entry(netns).or_default().push(addrs.local.port);
        } else {
            let ports = towards.entry((netns, addrs.local.addr, addrs.remote)).or_default();
            ports.push((addrs.local.port, now.state == State::TimeWait));
        }
    }
    let available = range.available();
    let mut records: Vec<PortRecord> = towards
        .into_iter()
        .map(|(end, ports)| {
            let bound = bound.get(&end.0).map(Vec::as_slice).unwrap_or_default();
            record(end, ports, bound, (at, available))
        })
        .filter(|usage| share(usage.used, available) >= least)
        .collect();
    records.sort_by(|a, b| {
        let end = |usage: &PortRecord| (usage.local_addr, usage.remote_addr, usage.remote_port);
        b.used.cmp(&a.used).then_with(|| end(a).cmp(&end(b)))
    });
    records
}

/// The use of the ports towards one end, beside those that sockets are merely bound to.
fn record(
    (netns, local_addr, remote): PortsTowards,
    mut ports: Vec<(u16, bool)>,
    bound: &[u16],
    (time, available): (Stamp, u32),
) -> PortRecord {
    // Of a port that is used again, the connection comes before its TIME_WAIT.
    ports.sort_unstable();
    ports.dedup_by_key(|(port, _)| *port);
    let waits = ports.iter().filter(|(_, waits)| *waits).count();
    let is_free = |port: &&u16| ports.binary_search_by_key(*port, |(port, _)| *port).is_err();
    let mut taken: Vec<u16> = bound.iter().filter(is_free).copied().collect();
    taken.sort_unstable();
    taken.dedup();
    let count = |ports| u32::try_from(ports).unwrap_or(u32::MAX);
    let used = count(ports.len() + taken.len());
    PortRecord {
        time,
        netns,
        local_addr,
        remote_addr: remote.addr,
        remote_port: remote.port,
        used,
        time_wait: count(waits),
        available,
        percent: (share(used, available) * 10.0).round() / 10.0,
    }
}

/// A share in percent.
fn share(part: u32, all: u32) -> f64 {
    if all == 0 { 100.0 } else { f64::from(part) * 100.0 / f64::from(all) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples;

    const RANGE: PortRange = PortRange { first: 40_000, last: 40_009, reserved: 2 };

    fn used(sockets: &[(&str, &str, State)]) -> Vec<(String, u32, u32, f64)> {
        let status = |(number, (local, remote, state)): (usize, &(&str, &str, State))| {
            samples::status(samples::socket(number as u64, local, remote), *state)
        };
        let usage =
            port_usage(sockets.iter().enumerate().map(status), RANGE, Stamp::default(), 0.0);
        let shown = |usage: PortRecord| {
            let remote = format!("{}:{}", usage.remote_addr, usage.remote_port);
            (remote, usage.used, usage.time_wait, usage.percent)
        };
        usage.into_iter().map(shown).collect()
    }

    #[test]
    fn ports_are_counted_for_each_remote_end() {
        let (open, waits) = (State::Established, State::TimeWait);
        let all = used(&[
            ("10.0.0.1:40000", "10.0.0.9:80", open),
            ("10.0.0.1:40001", "10.0.0.9:80", waits),
            // Used again.
            ("10.0.0.1:40000", "10.0.0.9:80", waits),
            ("10.0.0.1:40001", "10.0.0.9:81", waits),
            // Not of the range.
            ("10.0.0.1:50001", "10.0.0.9:81", waits),
        ]);
        let expected =
            [("10.0.0.9:80".to_owned(), 2, 1, 25.0), ("10.0.0.9:81".to_owned(), 1, 1, 12.5)];
        assert_eq!(all, expected);
    }

    #[test]
    fn a_port_with_a_listener_is_taken_for_every_remote_end() {
        let all = used(&[
            ("10.0.0.1:40000", "10.0.0.9:80", State::Established),
            ("0.0.0.0:40005", "0.0.0.0:0", State::Listen),
            ("10.0.0.2:40005", "0.0.0.0:0", State::Listen),
        ]);
        assert_eq!(all, [("10.0.0.9:80".to_owned(), 2, 0, 25.0)]);
    }

    #[test]
    fn a_range_that_is_reserved_as_a_whole_is_used_up() {
        assert!((share(1, 0) - 100.0).abs() < f64::EPSILON);
        assert_eq!(PortRange::DEFAULT.available(), 28_232);
    }
}
