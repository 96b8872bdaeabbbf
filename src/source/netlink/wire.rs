//! The messages of `NETLINK_SOCK_DIAG`: requests to bytes, bytes to rows. Pure.
//!
//! The kernel writes them in `net/ipv4/inet_diag.c`; the layouts are those of `linux/netlink.h`
//! and `linux/inet_diag.h`. Numbers are in the byte order of the machine, addresses and ports in
//! that of the network. What a row holds is in the fixed part of a message, and whatever attributes a
//! kernel adds behind it, of whatever length, are skipped; `tcp_info` is requested only where its
//! times are wanted, since it makes a dump more than twice as expensive.

mod state_mask;

pub use state_mask::StateMask;

use super::tcp_info::DiagInfo;
use crate::model::binding::{Binding, Device};
use crate::model::reading::{DestroyedSocket, LookupRequest};
use crate::model::socket::{AddressPair, Endpoint, Family};
use crate::model::socket_row::{Details, KernelTimes, SocketRow, Timer};
use crate::tcp::state::State;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `nlmsghdr`: length, type, flags, sequence number, port.
const HEADER: usize = 16;
/// `inet_diag_msg`.
const SOCKET: usize = 72;
/// `nlattr`: length and type.
const ATTRIBUTE: usize = 4;
/// Messages and attributes begin at multiples of this.
const ALIGN: usize = 4;

const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const TCPDIAG_GETSOCK: u16 = 18;
const SOCK_DIAG_BY_FAMILY: u16 = 20;

const NLM_F_REQUEST: u16 = 0x001;
/// `NLM_F_ROOT | NLM_F_MATCH`.
const NLM_F_DUMP: u16 = 0x300;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
/// `INET_DIAG_NOCOOKIE`, in both halves: any socket with these addresses.
const NO_COOKIE: u64 = u64::MAX;

/// Attribute of a request: a program that selects sockets.
const INET_DIAG_REQ_BYTECODE: u16 = 1;
/// Attribute with the `tcp_info` of a full socket, where it is requested.
const INET_DIAG_INFO: u16 = 2;
/// Attribute of every full socket since Linux 3.7, and of no mini-socket.
const INET_DIAG_SHUTDOWN: u16 = 8;
/// Attribute of IPv6 sockets that listen or are merely bound, since Linux 4.3.
const INET_DIAG_SKV6ONLY: u16 = 11;
/// The bits of an attribute's type that are flags.
const ATTRIBUTE_FLAGS: u16 = 0xc000;

/// Rejects sockets that are bound to no device (index 0) and accepts others: two `inet_diag_bc_op`s
/// (code, bytes to go on if the condition holds, bytes to go on if not). A jump beyond the end
/// rejects, but a condition that holds may not jump there: hence the second one, an
/// `INET_DIAG_BC_JMP`, which never holds.
const BOUND_TO_DEVICE: [u8; 12] = {
    const INET_DIAG_BC_DEV_COND: u8 = 9;
    const INET_DIAG_BC_JMP: u8 = 1;
    let ([a, b], [c, d]) = (12_u16.to_ne_bytes(), 8_u16.to_ne_bytes());
    [INET_DIAG_BC_DEV_COND, 8, a, b, 0, 0, 0, 0, INET_DIAG_BC_JMP, 4, c, d]
};

/// Which sockets of a family a dump shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection<'a> {
    /// The sockets in these states.
    In(StateMask),
    /// The sockets in these states that a program accepts, see `bytecode`.
    Accepted(StateMask, &'a [u8]),
    /// The sockets in these states that a program accepts, with their `tcp_info`.
    WithInfo(StateMask, &'a [u8]),
    /// The listeners of one port.
    ListenersOn(u16),
    /// The sockets that are bound to a device.
    BoundToDevice,
}

/// A request of `inet_diag_req_v2`.
struct DiagRequest<'a> {
    flags: u16,
    states: StateMask,
    addrs: AddressPair,
    ifindex: u32,
    cookie: u64,
    program: &'a [u8],
    /// The attributes that are requested: bit N - 1 for attribute N.
    extensions: u8,
}

/// Writes the request to dump the selected sockets.
pub fn write_dump(buffer: &mut Vec<u8>, sequence: u32, family: Family, selection: Selection<'_>) {
    let (states, port, program): (_, _, &[u8]) = match selection {
        Selection::In(states) => (states, 0, &[]),
        Selection::Accepted(states, program) | Selection::WithInfo(states, program) => {
            (states, 0, program)
        }
        Selection::ListenersOn(port) => (StateMask::LISTEN, port, &[]),
        Selection::BoundToDevice => (StateMask::ALL, 0, &BOUND_TO_DEVICE),
    };
    let endpoint = |port| Endpoint { addr: family.unspecified(), port };
    let addrs = AddressPair::new(family, endpoint(port), endpoint(0));
    let flags = NLM_F_REQUEST | NLM_F_DUMP;
    let with_info = matches!(selection, Selection::WithInfo(..));
    let extensions = if with_info { 1 << (INET_DIAG_INFO - 1) } else { 0 };
    let request =
        DiagRequest { flags, states, addrs, ifindex: 0, cookie: NO_COOKIE, program, extensions };
    request.write(buffer, sequence);
}

/// Writes the request to dump the sockets of both families that are in some states, and that a
/// program accepts, in one walk through the kernel's table:
/// an `inet_diag_req`, which is older than the choice of a family (`inet_diag_dump_compat()`).
pub(crate) fn write_dump_of_both(
    buffer: &mut Vec<u8>,
    sequence: u32,
    states: StateMask,
    program: &[u8],
) {
    write_header(buffer, TCPDIAG_GETSOCK, NLM_F_REQUEST | NLM_F_DUMP, sequence);
    buffer.extend([0; 4]); // family, prefixes, no extensions
    buffer.extend([0; 48]); // any addresses
    buffer.extend(states.0.to_ne_bytes());
    buffer.extend([0; 4]); // padding
    write_program(buffer, program);
    set_length(buffer);
}

/// Writes the request to look up one socket.
pub fn write_look_up(buffer: &mut Vec<u8>, sequence: u32, request: &LookupRequest) {
    let cookie = if request.cookie == 0 { NO_COOKIE } else { request.cookie };
    let LookupRequest { addrs, ifindex, .. } = *request;
    let (flags, states) = (NLM_F_REQUEST, StateMask::ALL);
    let (program, extensions) = (&[][..], 0);
    DiagRequest { flags, states, addrs, ifindex, cookie, program, extensions }
        .write(buffer, sequence);
}

impl DiagRequest<'_> {
    fn write(&self, buffer: &mut Vec<u8>, sequence: u32) {
        let AddressPair { family, local, remote, .. } = self.addrs;
        write_header(buffer, SOCK_DIAG_BY_FAMILY, self.flags, sequence);
        let family_code = match family {
            Family::Ipv4 => AF_INET,
            Family::Ipv6 => AF_INET6,
        };
        buffer.extend([family_code, IPPROTO_TCP, self.extensions, 0]); // padding
        buffer.extend(self.states.0.to_ne_bytes());
        buffer.extend(local.port.to_be_bytes());
        buffer.extend(remote.port.to_be_bytes());
        buffer.extend(address_bytes(local.addr, family));
        buffer.extend(address_bytes(remote.addr, family));
        buffer.extend(self.ifindex.to_ne_bytes());
        for half in [self.cookie & u64::from(u32::MAX), self.cookie >> 32] {
            buffer.extend(u32::try_from(half).unwrap_or_default().to_ne_bytes());
        }
        write_program(buffer, self.program);
        set_length(buffer);
    }
}

/// Writes a program as an attribute, if there is one: an empty one is refused.
fn write_program(buffer: &mut Vec<u8>, program: &[u8]) {
    if let Some(length @ 5..) = u16::try_from(program.len()).ok().and_then(|l| l.checked_add(4)) {
        buffer.extend(length.to_ne_bytes());
        buffer.extend(INET_DIAG_REQ_BYTECODE.to_ne_bytes());
        buffer.extend(program);
    }
}

/// Writes an `nlmsghdr`.
fn write_header(buffer: &mut Vec<u8>, kind: u16, flags: u16, sequence: u32) {
    buffer.clear();
    buffer.extend([0; 4]); // nlmsg_len, see `set_length`
    buffer.extend(kind.to_ne_bytes());
    buffer.extend(flags.to_ne_bytes());
    buffer.extend(sequence.to_ne_bytes());
    buffer.extend([0; 4]); // nlmsg_pid: the kernel fills in ours
}

/// Completes the `nlmsghdr` once the message is written.
fn set_length(buffer: &mut [u8]) {
    let length = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
    buffer[..4].copy_from_slice(&length.to_ne_bytes());
}

/// 16 bytes in either family; the v4 addresses of an IPv6 socket are mapped.
fn address_bytes(addr: IpAddr, family: Family) -> [u8; 16] {
    match (family, addr) {
        (Family::Ipv6, IpAddr::V4(v4)) => v4.to_ipv6_mapped().octets(),
        (_, IpAddr::V6(v6)) => v6.octets(),
        (Family::Ipv4, IpAddr::V4(v4)) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&v4.octets());
            bytes
        }
    }
}

/// A message of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A socket: the body of an `inet_diag_msg` with its attributes.
    Socket(Body<'a>),
    /// The request failed with this errno; 0 is an acknowledgement.
    Error(i32),
    /// A dump is complete; an errno if it is not.
    Done(i32),
    /// A message of no interest.
    Other,
    /// Bytes that are not a message; nothing that follows them can be parsed.
    Broken,
}

/// An `inet_diag_msg` with its attributes, long enough to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body<'a>(&'a [u8]);

/// The messages of one datagram, each with its sequence number.
#[derive(Debug, Clone)]
pub struct NetlinkMessages<'a>(&'a [u8]);

impl<'a> NetlinkMessages<'a> {
    /// Parses what one `recv()` returned.
    pub const fn new(datagram: &'a [u8]) -> Self {
        Self(datagram)
    }

    fn parse_next(&mut self) -> Option<(u32, Message<'a>)> {
        let length = usize::try_from(u32_at(self.0, 0)?).ok()?;
        let message = self.0.get(..length)?;
        let (kind, sequence) = (u16_at(message, 4)?, u32_at(message, 8)?);
        let body = message.get(HEADER..)?;
        self.0 = self.0.get(length.next_multiple_of(ALIGN)..).unwrap_or_default();
        let errno = || u32_at(body, 0).map(u32::cast_signed).map(i32::saturating_neg);
        let message = match kind {
            TCPDIAG_GETSOCK | SOCK_DIAG_BY_FAMILY if body.len() >= SOCKET => {
                Message::Socket(Body(body))
            }
            TCPDIAG_GETSOCK | SOCK_DIAG_BY_FAMILY => Message::Broken,
            NLMSG_ERROR => Message::Error(errno()?),
            // Kernels before 4.14 may end a dump with a bare header.
            NLMSG_DONE => Message::Done(errno().unwrap_or(0).max(0)),
            NLMSG_NOOP.. => Message::Other,
            0 => Message::Broken,
        };
        Some((sequence, message))
    }
}

impl<'a> Iterator for NetlinkMessages<'a> {
    type Item = (u32, Message<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let parsed = self.parse_next();
        if parsed.is_none() {
            self.0 = &[];
        }
        Some(parsed.unwrap_or((0, Message::Broken)))
    }
}

impl<'a> Body<'a> {
    /// The `tcp_info` of the socket; `None` where it was not requested, and of mini-sockets.
    pub(crate) fn info(self) -> Option<DiagInfo<'a>> {
        self.attribute(INET_DIAG_INFO).and_then(DiagInfo::new)
    }

    /// The row that `/proc/net/tcp` would show; `None` if the family is neither IPv4 nor IPv6.
    pub fn row(self) -> Option<SocketRow> {
        let state = State::from_code(self.0[1]);
        let timer = Timer::from_code(u64::from(self.0[2]));
        let [expires, rx_queue, tx_queue, uid, inode] = self.numbers_at(52);
        let listens = state == State::Listen;
        let ifindex = self.number_at(40);
        let ipv6_only = self.attribute(INET_DIAG_SKV6ONLY).and_then(|only| only.first());
        Some(SocketRow {
            addrs: self.addrs()?.of_state(state),
            state,
            inode: u64::from(inode),
            uid,
            mini: state == State::TimeWait || self.attribute(INET_DIAG_SHUTDOWN).is_none(),
            details: Details {
                // A listener's tx_queue is not data: it is the limit of its backlog.
                tx_queue: if listens { 0 } else { tx_queue },
                backlog_limit: listens.then_some(tx_queue),
                rx_queue,
                timer,
                timer_left: centiseconds(expires),
                // With the other timers it counts probes.
                retransmits: if timer == Timer::Retransmit { u32::from(self.0[3]) } else { 0 },
                times: KernelTimes::default(),
            },
            cookie: self.cookie(),
            ifindex,
            binding: Binding {
                device: Device::of_number(ifindex),
                ipv6_only: ipv6_only.map(|only| *only != 0),
            },
        })
    }

    /// The destroyed socket of a destroy event. `None` if it never had a peer: a listener, or a
    /// socket that nobody connected. Its addresses count only where both ports are there: the
    /// kernel has cleared part of those of a reset socket.
    pub fn destroyed(self) -> Option<DestroyedSocket> {
        let addrs = self.addrs()?;
        let is_complete = addrs.local.port != 0 && addrs.remote.port != 0;
        let had_no_peer = addrs.remote.port == 0 && addrs.remote.addr.is_unspecified();
        let (addrs, cookie) = (is_complete.then_some(addrs), self.cookie());
        (!had_no_peer).then_some(DestroyedSocket { addrs, cookie })
    }

    fn addrs(self) -> Option<AddressPair> {
        let family = match self.0[0] {
            AF_INET => Family::Ipv4,
            AF_INET6 => Family::Ipv6,
            _ => return None,
        };
        let endpoint = |port: usize, addr: usize| Endpoint {
            addr: self.address_at(addr, family),
            port: u16::from_be_bytes([self.0[port], self.0[port + 1]]),
        };
        Some(AddressPair::new(family, endpoint(4, 8), endpoint(6, 24)))
    }

    fn address_at(self, at: usize, family: Family) -> IpAddr {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.0[at..at + 16]);
        match family {
            Family::Ipv4 => IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])),
            Family::Ipv6 => IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical(),
        }
    }

    /// Two words, the lower one first in any byte order (`sock_diag_save_cookie()`).
    fn cookie(self) -> u64 {
        let [low, high] = self.numbers_at(44);
        u64::from(high) << 32 | u64::from(low)
    }

    fn numbers_at<const N: usize>(self, at: usize) -> [u32; N] {
        std::array::from_fn(|i| self.number_at(at + 4 * i))
    }

    /// A number in the fixed part, which is complete.
    fn number_at(self, at: usize) -> u32 {
        u32_at(self.0, at).unwrap_or_default()
    }

    /// The payload of an attribute; `None` where the message has none of this type.
    fn attribute(self, wanted: u16) -> Option<&'a [u8]> {
        let mut rest = &self.0[SOCKET..];
        while let (Some(length), Some(kind)) = (u16_at(rest, 0), u16_at(rest, 2)) {
            if kind & !ATTRIBUTE_FLAGS == wanted {
                return rest.get(ATTRIBUTE..length.into()).or(Some(&[]));
            }
            let step = usize::from(length).max(ATTRIBUTE).next_multiple_of(ALIGN);
            rest = rest.get(step..).unwrap_or_default();
        }
        None
    }
}

/// Milliseconds to the unit of `/proc`. Older kernels show a timer that is overdue as a negative
/// number: nothing is left of it.
fn centiseconds(millis: u32) -> u64 {
    u64::try_from(millis.cast_signed()).map_or(0, |millis| millis / 10)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_ne_bytes([bytes[0], bytes[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests;
