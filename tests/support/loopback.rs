//! The interfaces of a new network namespace. Tests and benches make such namespaces.
//!
//! Messages of rtnetlink by hand, since `ip` may not be there.

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::net::IpAddr;

/// The index of `lo` in a new namespace.
pub(crate) const LO: u32 = 1;
const RTM_NEWLINK: u16 = 16;

/// Brings the interface with index 1, always `lo` in a new namespace, up.
///
/// # Panics
/// Where the kernel refuses it: in a namespace of the caller's own it does not.
pub(crate) fn up() {
    bring_up(LO);
}

/// Brings any interface up.
///
/// # Panics
/// As [`up`].
pub(crate) fn bring_up(index: u32) {
    const IFF_UP: u32 = 1;
    let mut link = Vec::new();
    link.extend([0; 4]); // family, padding, type of device
    link.extend(index.to_ne_bytes());
    link.extend(IFF_UP.to_ne_bytes()); // flags
    link.extend(IFF_UP.to_ne_bytes()); // which of them to change
    request(RTM_NEWLINK, 0, &link);
}

/// Gives an interface an address, and a route to all that shares this many bits of it.
///
/// # Panics
/// As [`up`].
#[allow(dead_code)] // a bench that shares this file needs none
pub(crate) fn add_address(index: u32, addr: IpAddr, prefix: u8) {
    const RTM_NEWADDR: u16 = 20;
    const CREATE: u16 = 0x400;
    const IFA_LOCAL: u16 = 2;
    /// No duplicate address detection: the address is ready at once.
    const IFA_F_NODAD: u8 = 2;
    let (family, bytes) = match addr {
        IpAddr::V4(addr) => (AddressFamily::INET, addr.octets().to_vec()),
        IpAddr::V6(addr) => (AddressFamily::INET6, addr.octets().to_vec()),
    };
    let family = u8::try_from(family.as_raw()).expect("a small number");
    let mut address = vec![family, prefix, IFA_F_NODAD, 0];
    address.extend(index.to_ne_bytes());
    let length = u16::try_from(4 + bytes.len()).expect("at most 20");
    address.extend(length.to_ne_bytes());
    address.extend(IFA_LOCAL.to_ne_bytes());
    address.extend(bytes);
    request(RTM_NEWADDR, CREATE, &address);
}

fn request(kind: u16, flags: u16, body: &[u8]) {
    const NETLINK_ROUTE: Option<rustix::net::Protocol> = None; // 0, the default
    const REQUEST_WITH_ACK: u16 = 1 | 4;
    let mut message = Vec::new();
    let length = u32::try_from(16 + body.len()).expect("a short message");
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend((REQUEST_WITH_ACK | flags).to_ne_bytes());
    message.extend([0; 8]); // sequence number, port
    message.extend(body);
    let raw = SocketType::RAW;
    let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
    let socket = rustix::net::socket_with(family, raw, flags, NETLINK_ROUTE)
        .expect("a netlink socket needs no privilege");
    rustix::net::send(&socket, &message, SendFlags::empty()).expect("the kernel listens");
    let mut answer = [0_u8; 128];
    rustix::net::recv(&socket, &mut answer, RecvFlags::empty()).expect("the kernel answers");
    let error = i32::from_ne_bytes(answer[16..20].try_into().expect("four bytes"));
    assert_eq!(error, 0, "changing an interface: errno {}", -error);
}
