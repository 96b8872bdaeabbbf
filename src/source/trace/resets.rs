//! Why a socket was cut off: resets and errors that the kernel tells beside the last step. Pure.
//!
//! `tcp_reset()` tells the reset, then closes, then reports the error; close() with unread data or
//! a linger time of 0 closes, then tells the reset it sends; a timer that gives up reports its
//! error before or after the end, as kernels differ.

use crate::model::reading::AbortReason;
use crate::model::socket::AddressPair;
use crate::tcp::state::State;
use std::collections::HashMap;

/// The last step of a socket.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// The kernel's address of the socket.
    pub socket: u64,
    /// Its ends.
    pub addrs: AddressPair,
    /// The state that it left.
    pub from: State,
    /// When it entered that state (ns), or 0.
    pub since: u64,
    /// When it ended (ns).
    pub time: u64,
    /// When the address was given to the next socket, or the end of time.
    pub until: u64,
}

/// How far (ns) before the end a sign of it can be, and how far after. What is between them is the
/// work of one function, but the CPU may be taken away in it.
const BEFORE: u64 = 10_000_000;
/// As `BEFORE`, for what comes after.
pub const AFTER: u64 = 5_000_000;

/// A sign that a socket is about to be cut off, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    ResetReceived,
    /// An RST was sent while it was in this state.
    ResetSent(State),
    Failed(i32),
}

/// Signs that may still find their socket.
#[derive(Debug, Default)]
pub struct Omens {
    by_socket: HashMap<u64, Vec<(u64, Sign)>>,
    /// Reported errors name the ends alone.
    by_addrs: HashMap<AddressPair, Vec<(u64, Sign)>>,
}

impl Omens {
    /// A socket got an RST.
    pub fn reset_received(&mut self, time: u64, socket: u64) {
        self.by_socket.entry(socket).or_default().push((time, Sign::ResetReceived));
    }

    /// A socket in this state sent an RST.
    pub fn reset_sent(&mut self, time: u64, socket: u64, state: State) {
        self.by_socket.entry(socket).or_default().push((time, Sign::ResetSent(state)));
    }

    /// An error was reported.
    pub fn failed(&mut self, time: u64, addrs: AddressPair, errno: i32) {
        self.by_addrs.entry(addrs).or_default().push((time, Sign::Failed(errno)));
    }

    /// What the signs say of a socket's end: silence before an error, an error before a reset.
    pub fn cut(&self, end: &End) -> Option<AbortReason> {
        let signs = self.by_socket.get(&end.socket).into_iter().flatten();
        let errors = self.by_addrs.get(&end.addrs).into_iter().flatten();
        let cuts = signs.chain(errors).filter_map(|(time, sign)| sign.meaning(*time, end));
        cuts.max_by_key(|cut| match cut {
            AbortReason::Reset => 0,
            AbortReason::Refused => 1,
            AbortReason::TimedOut => 2,
        })
    }

    /// Forgets what no end at or after this time can be told by.
    pub fn forget_before(&mut self, time: u64) {
        let recent = |signs: &mut Vec<(u64, Sign)>| {
            signs.retain(|(told, _)| told.saturating_add(BEFORE) >= time);
            !signs.is_empty()
        };
        self.by_socket.retain(|_, signs| recent(signs));
        self.by_addrs.retain(|_, signs| recent(signs));
    }
}

impl Sign {
    fn meaning(self, time: u64, end: &End) -> Option<AbortReason> {
        const EPIPE: i32 = 32;
        const ECONNRESET: i32 = 104;
        const ETIMEDOUT: i32 = 110;
        const ECONNREFUSED: i32 = 111;
        let before = time <= end.time && time >= end.since && end.time - time <= BEFORE;
        let after = time >= end.time && time < end.until && time - end.time <= AFTER;
        let opening = end.from == State::SynSent;
        match self {
            Self::ResetReceived if before => {
                Some(if opening { AbortReason::Refused } else { AbortReason::Reset })
            }
            // In SYN_SENT one is sent in answer to what is no answer to the SYN, and that goes on.
            Self::ResetSent(State::Closed) if after => Some(AbortReason::Reset),
            Self::ResetSent(state) if before && state == end.from && !opening => {
                Some(AbortReason::Reset)
            }
            Self::Failed(errno) if before || after => match errno {
                ETIMEDOUT => Some(AbortReason::TimedOut),
                ECONNREFUSED if opening => Some(AbortReason::Refused),
                ECONNRESET | EPIPE if !opening => Some(AbortReason::Reset),
                _ => None,
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::socket::{Endpoint, Family};
    use State::{Closed, Established, FinWait2, LastAck, SynSent};

    const MS: u64 = 1_000_000;

    fn addrs() -> AddressPair {
        let end = |port| Endpoint { addr: [192, 0, 2, 7].into(), port };
        AddressPair { family: Family::Ipv4, local: end(80), remote: end(4000) }
    }

    /// A socket that was in `from` since 50 ms and ended at 100 ms.
    fn end(from: State) -> End {
        End { socket: 1, addrs: addrs(), from, since: 50 * MS, time: 100 * MS, until: u64::MAX }
    }

    fn told(tell: impl Fn(&mut Omens), from: State) -> Option<AbortReason> {
        let mut omens = Omens::default();
        tell(&mut omens);
        omens.cut(&end(from))
    }

    #[test]
    fn a_reset_before_the_end_is_its_reason() {
        let reset = |omens: &mut Omens| omens.reset_received(99 * MS, 1);
        assert_eq!(told(reset, Established), Some(AbortReason::Reset));
        assert_eq!(told(reset, SynSent), Some(AbortReason::Refused));
        assert_eq!(told(|omens| omens.reset_received(99 * MS, 2), Established), None);
        assert_eq!(told(|omens| omens.reset_received(101 * MS, 1), Established), None);
    }

    #[test]
    fn a_reset_is_sent_after_close_and_before_an_abort() {
        let sent = |at, state| move |omens: &mut Omens| omens.reset_sent(at * MS, 1, state);
        assert_eq!(told(sent(101, Closed), Established), Some(AbortReason::Reset));
        assert_eq!(told(sent(99, Established), Established), Some(AbortReason::Reset));
        assert_eq!(told(sent(99, FinWait2), FinWait2), Some(AbortReason::Reset));
        assert_eq!(told(sent(99, SynSent), SynSent), None, "the answer to a stray ACK");
        assert_eq!(told(sent(101, Established), Established), None, "the next socket's");
    }

    #[test]
    fn silence_is_told_by_the_error_alone() {
        let failed = |at, errno| move |omens: &mut Omens| omens.failed(at * MS, addrs(), errno);
        for at in [99, 101] {
            assert_eq!(told(failed(at, 110), Established), Some(AbortReason::TimedOut));
        }
        let keepalive = |omens: &mut Omens| {
            omens.reset_sent(99 * MS, 1, Established);
            omens.failed(101 * MS, addrs(), 110);
        };
        assert_eq!(told(keepalive, Established), Some(AbortReason::TimedOut));
        assert_eq!(told(failed(101, 111), SynSent), Some(AbortReason::Refused));
        assert_eq!(told(failed(99, 113), SynSent), None, "unreachable is neither");
        assert_eq!(told(failed(60, 110), Established), None, "too long ago");
    }

    #[test]
    fn neither_the_socket_before_nor_the_one_after_lends_its_signs() {
        let mut omens = Omens::default();
        omens.reset_received(97 * MS, 1);
        omens.reset_sent(103 * MS, 1, Closed);
        let short = End { since: 98 * MS, until: 102 * MS, ..end(LastAck) };
        assert_eq!(omens.cut(&short), None);
    }

    #[test]
    fn signs_are_forgotten_in_time() {
        let mut omens = Omens::default();
        omens.reset_received(99 * MS, 1);
        omens.forget_before(100 * MS);
        assert_eq!(omens.cut(&end(Established)), Some(AbortReason::Reset));
        omens.forget_before(200 * MS);
        assert_eq!(omens.cut(&end(Established)), None);
    }
}
