//! One line of `/proc/net/tcp` or `/proc/net/tcp6` to a row. Pure.
//!
//! The kernel writes it in `get_tcp4_sock()`, `get_openreq4()`, `get_timewait4_sock()`
//! (`net/ipv4/tcp_ipv4.c`) and their IPv6 twins.

use crate::model::binding::Binding;
use crate::model::socket::{AddressPair, Endpoint, Family};
use crate::model::socket_row::{Details, SocketRow, Timer};
use crate::tcp::state::State;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a row has behind its inode: a mini-socket's ends with its address in the kernel, a full
/// socket's has five columns more. Old kernels and other systems leave out what they like.
const BEHIND_MINI: usize = 2;

/// Parses a line without its newline; `None` if it is not a row. A number that is negative, as old
/// kernels and overflows print it, is 0: a timer that has expired, or an empty queue.
pub fn parse(line: &[u8], family: Family) -> Option<SocketRow> {
    let mut fields = RowFields(line);
    fields.next()?; // sl: counts the rows of one read, identifies nothing
    let local = endpoint(fields.next()?, family)?;
    let remote = endpoint(fields.next()?, family)?;
    let state = State::from_code(u8::try_from(hex(fields.next()?)?).ok()?);
    let (tx_queue, rx_queue) = pair(fields.next()?)?;
    let (timer, timer_left) = pair(fields.next()?)?;
    let (tx_queue, rx_queue) = (not_negative(tx_queue), not_negative(rx_queue));
    let timer_left = not_negative(timer_left);
    let retransmits = hex(fields.next()?)?;
    let uid = uid(fields.next()?)?;
    fields.next()?; // timeout: unanswered keepalive probes
    let inode = decimal(fields.next()?)?;
    let is_mini_state = matches!(state, State::SynRecv | State::FinWait2 | State::TimeWait);
    Some(SocketRow {
        addrs: AddressPair::new(family, local, remote).of_state(state),
        state,
        inode,
        uid,
        mini: inode == 0 && is_mini_state && fields.count() == BEHIND_MINI,
        details: Details {
            tx_queue: u32::try_from(tx_queue).ok()?,
            rx_queue: u32::try_from(rx_queue).ok()?,
            timer: Timer::from_code(timer),
            timer_left,
            retransmits: u32::try_from(retransmits).ok()?,
            // The tables show none of what follows.
            ..Details::NONE
        },
        cookie: 0,
        ifindex: 0,
        binding: Binding::default(),
    })
}

/// Whether a line that does not end with a newline may have been cut within its inode, the last
/// column that is needed.
pub(super) fn may_be_cut(line: &[u8]) -> bool {
    RowFields(line).count() == 10
}

/// A uid; [`SocketRow::NO_UID`] for a negative one.
fn uid(field: &[u8]) -> Option<u32> {
    let number = |digits| u32::try_from(decimal(digits)?).ok();
    match field.strip_prefix(b"-") {
        Some(digits) => number(digits).map(|_| SocketRow::NO_UID),
        None => number(field),
    }
}

/// A number, or 0 for one that is negative in 32 or 64 bits.
fn not_negative(number: u64) -> u64 {
    if number > i32::MAX.unsigned_abs().into() { 0 } else { number }
}

/// What stands between spaces.
struct RowFields<'a>(&'a [u8]);

impl<'a> Iterator for RowFields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let begin = self.0.iter().position(|byte| !byte.is_ascii_whitespace())?;
        let line = &self.0[begin..];
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let (field, rest) = line.split_at(end);
        self.0 = rest;
        Some(field)
    }
}

/// `0100007F:1F90`: the address in words of native byte order, the port in host order.
fn endpoint(field: &[u8], family: Family) -> Option<Endpoint> {
    let digits = match family {
        Family::Ipv4 => 8,
        Family::Ipv6 => 32,
    };
    let (addr, port) = field.split_at_checked(digits)?;
    let port = u16::try_from(hex(port.strip_prefix(b":")?)?).ok()?;
    let addr = match family {
        Family::Ipv4 => IpAddr::V4(Ipv4Addr::from(word(addr)?)),
        Family::Ipv6 => {
            let mut bytes = [0; 16];
            for (word_bytes, digits) in bytes.chunks_exact_mut(4).zip(addr.chunks_exact(8)) {
                word_bytes.copy_from_slice(&word(digits)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
    };
    Some(Endpoint { addr, port })
}

/// Eight digits: the bytes of one address word as they lie in memory.
fn word(digits: &[u8]) -> Option<[u8; 4]> {
    Some(u32::try_from(hex(digits)?).ok()?.to_ne_bytes())
}

fn pair(field: &[u8]) -> Option<(u64, u64)> {
    let colon = field.iter().position(|byte| *byte == b':')?;
    Some((hex(&field[..colon])?, hex(&field[colon + 1..])?))
}

fn hex(digits: &[u8]) -> Option<u64> {
    number::<16>(digits)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    number::<10>(digits)
}

fn number<const RADIX: u64>(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return None,
        };
        let digit = Some(u64::from(digit)).filter(|digit| *digit < RADIX)?;
        sum.checked_mul(RADIX)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests;
