//! Real sockets, and filters on them that hold their peers in states that pass in microseconds.

use super::wait::until;
use socket2::{Domain, SockAddr, SockFilter, Socket, Type};
use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

/// On loopback, whichever port is free.
pub(crate) const ANY_PORT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

/// Which segments a socket does not get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drop {
    /// All: the peer's segments are never answered.
    All,
    /// SYN without ACK: a listener that is never heard of.
    Syn,
    /// ACK without SYN: a handshake that never ends.
    Ack,
}

impl Drop {
    /// Classic BPF; the filter of a TCP socket sees a segment from its TCP header on.
    pub(crate) fn attach(self, socket: &Socket) -> io::Result<()> {
        const FLAGS: u32 = 13;
        const SYN_AND_ACK: u32 = 0x12;
        let ret = |bytes| SockFilter::new(0x06, 0, 0, bytes);
        let flags = match self {
            Self::All => return socket.attach_filter(&[ret(0)]),
            Self::Syn => 0x02,
            Self::Ack => 0x10,
        };
        socket.attach_filter(&[
            SockFilter::new(0x30, 0, 0, FLAGS),       // load the byte
            SockFilter::new(0x54, 0, 0, SYN_AND_ACK), // and
            SockFilter::new(0x15, 0, 1, flags),       // equal, or skip one
            ret(0),
            ret(u32::MAX),
        ])
    }
}

/// A TCP socket bound to an address of either family; its close never waits. One that is bound to
/// `[::]` speaks IPv4, too.
pub(crate) fn bound(local: impl Into<SocketAddr>) -> io::Result<Socket> {
    let local = local.into();
    let socket = Socket::new(Domain::for_address(local), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if local.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&local.into())?;
    Ok(socket)
}

pub(crate) fn listener(local: impl Into<SocketAddr>, backlog: i32) -> io::Result<Socket> {
    let socket = bound(local)?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A listener at an address and a port that listen() chooses.
pub(crate) fn listener_unbound(backlog: i32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// One of several listeners that share an address (SO_REUSEPORT).
pub(crate) fn group_member(local: SocketAddr, backlog: i32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(local), Type::STREAM, None)?;
    socket.set_reuse_port(true)?;
    socket.bind(&local.into())?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Sends a SYN from `local` (port 0: any) and does not wait for the answer.
pub(crate) fn connecting(
    local: impl Into<SocketAddr>,
    remote: impl Into<SocketAddr>,
) -> io::Result<Socket> {
    connect(bound(local)?, remote.into())
}

/// As [`connecting`], from an address and a port that connect() chooses.
pub(crate) fn connecting_unbound(remote: SocketAddr) -> io::Result<Socket> {
    connect(Socket::new(Domain::for_address(remote), Type::STREAM, None)?, remote)
}

fn connect(socket: Socket, remote: SocketAddr) -> io::Result<Socket> {
    socket.set_nonblocking(true)?;
    match socket.connect(&remote.into()) {
        Err(error) if error.raw_os_error() != Some(115) => Err(error), // EINPROGRESS
        _ => Ok(socket),
    }
}

/// A connection through a listener that stays: the client's end and the accepted one.
pub(crate) fn pair(listener: &Socket, local: SocketAddrV4) -> (Socket, Socket) {
    let client = connecting(local, end(&listener.local_addr())).expect("loopback is up");
    let accepted = until("a connection to accept", || listener.accept().ok()).0;
    (client, accepted)
}

/// Closes with a reset.
pub(crate) fn reset(socket: Socket) {
    // What cannot be set on a socket that the peer has reset is not needed there.
    let _ = socket.set_linger(Some(Duration::ZERO));
    drop(socket);
}

/// Closes both sockets of a connection with a reset; when this returns, neither is left: a reset
/// may arrive only after the close() that sends it has returned.
pub(crate) fn reset_pair(closer: Socket, other: Socket) {
    reset(closer);
    until("a reset to arrive", || other.take_error().ok().flatten());
    drop(other);
}

/// Waits until a connection that was begun by [`connecting`] is established for its client.
pub(crate) fn until_established(client: &Socket) {
    until("a connection to be established", || client.peer_addr().ok());
}

/// The IPv4 end that a socket says it has.
pub(crate) fn end(addr: &io::Result<SockAddr>) -> SocketAddrV4 {
    let addr = addr.as_ref().expect("the socket has an address");
    addr.as_socket_ipv4().expect("these tests speak IPv4")
}

/// Local and remote end of every IPv4 row of the kernel's table.
///
/// # Panics
/// If there is no procfs.
pub(crate) fn table() -> HashSet<(SocketAddrV4, SocketAddrV4)> {
    let text = std::fs::read_to_string("/proc/thread-self/net/tcp").expect("procfs is mounted");
    let rows = text.lines().filter_map(|line| {
        let mut ends = line.split_whitespace().skip(1).map_while(row_end);
        Some((ends.next()?, ends.next()?))
    });
    rows.collect()
}

/// `0100007F:1F90`: the address as a word of native byte order, the port in host order.
fn row_end(field: &str) -> Option<SocketAddrV4> {
    let (addr, port) = field.split_once(':')?;
    let addr = u32::from_str_radix(addr, 16).ok()?.to_ne_bytes();
    Some(SocketAddrV4::new(addr.into(), u16::from_str_radix(port, 16).ok()?))
}
