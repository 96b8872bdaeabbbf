//! What the kernel measures of a connection: `struct tcp_info`, as ss(8) shows it with `-i`.

use super::socket::{AddressPair, NetnsId};
use super::time::seconds;
use crate::tcp::state::State;
use foldhash::fast::RandomState;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::time::Duration;

/// Measured since the connection was established. Field names, order and values are the public
/// schema, version 1; the comments of the fields are the manual.
#[derive(Debug, Clone, Copy, PartialEq, Default, JsonSchema, Serialize)]
pub struct TcpInfo {
    /// Smoothed round-trip time in seconds; null before the first measurement.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub rtt: Option<Duration>,
    /// How much round-trip times vary, in seconds.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub rttvar: Option<Duration>,
    /// Segments that are sent again and not acknowledged yet.
    pub retrans: Option<u32>,
    /// Segments sent again so far.
    pub retrans_total: Option<u32>,
    /// The largest segment to send, in bytes.
    pub mss: Option<u32>,
    /// The congestion window in segments.
    pub cwnd: Option<u32>,
    /// The slow start threshold in segments; null as long as there is none.
    pub ssthresh: Option<u32>,
    /// Bytes sent, those sent again included.
    pub bytes_sent: Option<u64>,
    /// Bytes that the other end has acknowledged; SYN and FIN count as one each.
    pub bytes_acked: Option<u64>,
    /// Bytes received; a FIN counts as one.
    pub bytes_received: Option<u64>,
    /// Seconds since data was last sent or, where none was, since the connection was established.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub lastsnd: Option<Duration>,
    /// Seconds since data was last received or, where none was, since the connection was established.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub lastrcv: Option<Duration>,
    /// The rate in bits per second at which the kernel would send; null where it is not limited.
    pub pacing_rate: Option<u64>,
    /// The rate in bits per second at which data was delivered last; null before.
    pub delivery_rate: Option<u64>,
    /// Seconds in which there was something to send.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub busy: Option<Duration>,
    /// Of these, seconds in which the window of the receiver limited it.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub rwnd_limited: Option<Duration>,
    /// Of these, seconds in which the send buffer limited it.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub sndbuf_limited: Option<Duration>,
}

/// In the words of ss: times in milliseconds, what is unknown left out.
impl fmt::Display for TcpInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |time: Duration| {
            let text = format!("{:.3}", time.as_secs_f64() * 1e3);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        let mut words = Vec::new();
        if let (Some(rtt), Some(rttvar)) = (self.rtt, self.rttvar) {
            words.push(format!("rtt:{}/{}", millis(rtt), millis(rttvar)));
        }
        if let (Some(now), Some(total)) = (self.retrans, self.retrans_total)
            && total > 0
        {
            words.push(format!("retrans:{now}/{total}"));
        }
        let numbers = [
            ("mss", self.mss.map(u64::from)),
            ("cwnd", self.cwnd.map(u64::from)),
            ("ssthresh", self.ssthresh.map(u64::from)),
            ("bytes_sent", self.bytes_sent),
            ("bytes_acked", self.bytes_acked),
            ("bytes_received", self.bytes_received),
        ];
        words.extend(numbers.iter().filter_map(|(name, n)| n.map(|n| format!("{name}:{n}"))));
        for (name, time) in [("lastsnd", self.lastsnd), ("lastrcv", self.lastrcv)] {
            words.extend(time.map(|time| format!("{name}:{}", time.as_millis())));
        }
        for (name, rate) in
            [("pacing_rate", self.pacing_rate), ("delivery_rate", self.delivery_rate)]
        {
            words.extend(rate.map(|rate| format!("{name}:{rate}bps")));
        }
        for (name, time) in [
            ("busy", self.busy),
            ("rwnd_limited", self.rwnd_limited),
            ("sndbuf_limited", self.sndbuf_limited),
        ] {
            let time = time.filter(|time| !time.is_zero());
            words.extend(time.map(|time| format!("{name}:{}ms", time.as_millis())));
        }
        f.write_str(&words.join(" "))
    }
}

/// What was measured of the sockets of one poll, by what a table shows of them, too.
#[derive(Debug, Clone, Default)]
pub struct TcpInfos(HashMap<InfoKey, Option<TcpInfo>, RandomState>);

/// Address pair, inode and state.
type InfoKey = (AddressPair, u64, State);

impl TcpInfos {
    /// Adds a socket. Of two that nothing distinguishes, neither is known: not accepted yet, two
    /// link-local ones may differ in their interface alone.
    pub fn add(&mut self, addrs: AddressPair, inode: u64, state: State, info: TcpInfo) {
        match self.0.entry((addrs, inode, state)) {
            Entry::Vacant(place) => drop(place.insert(Some(info))),
            Entry::Occupied(mut other) => *other.get_mut() = None,
        }
    }

    /// Adds the sockets of a network namespace.
    pub(crate) fn add_all_in(&mut self, netns: NetnsId, of_it: Self) {
        let in_it = |((addrs, inode, state), info): (InfoKey, _)| {
            ((addrs.in_netns(netns), inode, state), info)
        };
        self.0.extend(of_it.0.into_iter().map(in_it));
    }

    /// What was measured of a socket; nothing if it was in another state, or is a mini-socket.
    pub fn of(&self, addrs: AddressPair, inode: u64, state: State) -> TcpInfo {
        self.0.get(&(addrs, inode, state)).copied().flatten().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_ss_writes_it() {
        assert_eq!(TcpInfo::default().to_string(), "");
        let info = TcpInfo {
            rtt: Some(Duration::from_micros(47)),
            rttvar: Some(Duration::from_micros(18)),
            retrans: Some(1),
            retrans_total: Some(3),
            mss: Some(1448),
            cwnd: Some(10),
            bytes_sent: Some(6),
            lastsnd: Some(Duration::from_millis(4004)),
            delivery_rate: Some(8000),
            busy: Some(Duration::from_millis(4)),
            rwnd_limited: Some(Duration::ZERO),
            ..TcpInfo::default()
        };
        let text = "rtt:0.047/0.018 retrans:1/3 mss:1448 cwnd:10 bytes_sent:6 lastsnd:4004 \
                    delivery_rate:8000bps busy:4ms";
        assert_eq!(info.to_string(), text);
    }
}
