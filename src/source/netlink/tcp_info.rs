//! `struct tcp_info` (`linux/tcp.h`) as sock_diag shows it. Pure.

use crate::model::tcp_info;
use crate::tcp::state::State;
use std::time::Duration;

/// The kernel's `tcp_info` of a full socket. It grows with every few versions of the kernel: its
/// length says which fields it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DiagInfo<'a>(&'a [u8]);

impl<'a> DiagInfo<'a> {
    /// Of an attribute's payload; `None` where it is too short to be one.
    pub(super) fn new(payload: &'a [u8]) -> Option<Self> {
        const OLDEST: usize = 104;
        (payload.len() >= OLDEST).then_some(Self(payload))
    }

    /// The state at the moment at which the rest was read.
    pub(crate) const fn state(self) -> State {
        State::from_code(self.0[0])
    }

    /// The time after which the kernel repeats a segment, in milliseconds.
    pub(crate) fn retransmit_timeout(self) -> u32 {
        self.number_at(8) / 1000
    }

    /// Milliseconds since data was last sent.
    pub(crate) fn last_data_sent(self) -> u32 {
        self.number_at(44)
    }

    /// Milliseconds since data was last received, but for what came before the data before it.
    pub(crate) fn last_data_received(self) -> u32 {
        self.number_at(52)
    }

    /// Milliseconds since a segment with a current acknowledgement was last received.
    pub(crate) fn last_ack_received(self) -> u32 {
        self.number_at(56)
    }

    /// Whether data that was sent has been acknowledged; also where the kernel does not count it.
    pub(crate) fn has_acknowledged_data(self) -> bool {
        /// The SYN counts, too.
        const HANDSHAKE: u64 = 1;
        self.field_at(120).map(u64::from_ne_bytes).is_none_or(|bytes| bytes > HANDSHAKE)
    }

    /// Whether data was received before what comes before it; also where the kernel does not count it.
    pub(crate) fn has_data_out_of_order(self) -> bool {
        self.field_at(224).map(u32::from_ne_bytes).is_none_or(|segments| segments > 0)
    }

    /// What is shown of it. Fields that an older kernel does not have are not known.
    pub(crate) fn values(self) -> tcp_info::TcpInfo {
        /// No threshold yet (`TCP_INFINITE_SSTHRESH`).
        const NO_THRESHOLD: u32 = 0x7fff_ffff;
        let number = |at| self.field_at(at).map(u32::from_ne_bytes);
        let large = |at| self.field_at(at).map(u64::from_ne_bytes);
        let micros = |at| large(at).map(Duration::from_micros);
        let millis = |at| number(at).map(|millis| Duration::from_millis(millis.into()));
        let bits = |bytes: u64| bytes.checked_mul(8);
        // Before the handshake it is the time since boot.
        let since = |at| millis(at).filter(|_| self.state() != State::SynSent);
        // 0 before the first measurement.
        let rtt = number(68).filter(|rtt| *rtt > 0);
        let short = |micros: u32| Duration::from_micros(micros.into());
        tcp_info::TcpInfo {
            rtt: rtt.map(short),
            rttvar: rtt.and(number(72)).map(short),
            retrans: number(36),
            retrans_total: number(100),
            mss: number(16),
            cwnd: number(80),
            ssthresh: number(76).filter(|threshold| *threshold < NO_THRESHOLD),
            bytes_sent: large(200),
            bytes_acked: large(120),
            bytes_received: large(128),
            lastsnd: since(44),
            lastrcv: since(52),
            // Without a limit all bits are set, on some kernels the lower 32 of them.
            pacing_rate: large(104)
                .filter(|r| ![u64::MAX, u32::MAX.into()].contains(r))
                .and_then(bits),
            delivery_rate: large(160).filter(|rate| *rate > 0).and_then(bits),
            busy: micros(168),
            rwnd_limited: micros(176),
            sndbuf_limited: micros(184),
        }
    }

    fn field_at<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at + N).and_then(|bytes| bytes.try_into().ok())
    }

    fn number_at(self, at: usize) -> u32 {
        self.field_at(at).map_or(0, u32::from_ne_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes in which every field is its place.
    fn payload(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        for (at, field) in bytes.chunks_exact_mut(4).enumerate() {
            field.copy_from_slice(&u32::try_from(4 * at).unwrap_or_default().to_ne_bytes());
        }
        // The upper halves of the numbers of 64 bits.
        for at in [104, 120, 128, 160, 168, 176, 184, 200] {
            if let Some(upper) = bytes.get_mut(at + 4..at + 8) {
                upper.fill(0);
            }
        }
        bytes
    }

    #[test]
    fn fields_that_an_older_kernel_lacks_are_unknown() {
        assert_eq!(DiagInfo::new(&payload(103)), None);
        let of = |length| DiagInfo::new(&payload(length)).map(DiagInfo::values);
        let oldest = of(104).unwrap();
        assert_eq!(oldest.rtt, Some(Duration::from_micros(68)));
        assert_eq!((oldest.retrans, oldest.retrans_total), (Some(36), Some(100)));
        assert_eq!((oldest.bytes_acked, oldest.pacing_rate), (None, None));
        // Linux 4.1, 4.9 and 4.19.
        let [bytes, rates, sent] = [136, 192, 208].map(|length| of(length).unwrap());
        assert_eq!((bytes.bytes_acked, bytes.bytes_received), (Some(120), Some(128)));
        assert_eq!((bytes.pacing_rate, bytes.delivery_rate), (Some(8 * 104), None));
        assert_eq!((rates.delivery_rate, rates.bytes_sent), (Some(8 * 160), None));
        assert_eq!(rates.sndbuf_limited, Some(Duration::from_micros(184)));
        assert_eq!(sent.bytes_sent, Some(200));
    }

    #[test]
    fn what_was_not_measured_is_unknown() {
        let mut bytes = payload(232);
        bytes[68..72].fill(0);
        bytes[76..80].copy_from_slice(&0x7fff_ffff_u32.to_ne_bytes());
        bytes[104..112].fill(0xff);
        bytes[160..168].fill(0);
        let info = DiagInfo::new(&bytes).unwrap().values();
        assert_eq!((info.rtt, info.rttvar, info.ssthresh), (None, None, None));
        assert_eq!((info.pacing_rate, info.delivery_rate), (None, None));
        bytes[0] = State::SynSent.code();
        let opening = DiagInfo::new(&bytes).unwrap().values();
        assert_eq!((opening.lastsnd, opening.lastrcv), (None, None));
    }
}
