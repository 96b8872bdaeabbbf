//! `struct tcp_info` (`linux/tcp.h`) as sock_diag shows it. It reads nothing itself.

use crate::tcp::state::State;

/// The kernel's `tcp_info` of a full socket. It grows with every few versions of the kernel; the
/// fields here are as old as Linux 2.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpInfo<'a>(&'a [u8]);

impl<'a> TcpInfo<'a> {
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

    /// Milliseconds since data was last received.
    pub(crate) fn last_data_received(self) -> u32 {
        self.number_at(52)
    }

    /// Milliseconds since a segment with a current acknowledgement was last received.
    pub(crate) fn last_ack_received(self) -> u32 {
        self.number_at(56)
    }

    fn number_at(self, at: usize) -> u32 {
        let bytes = self.0.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_ne_bytes)
    }
}
