//! The one interface of a new network namespace. Tests and benches make such namespaces.

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// Brings the interface with index 1, always `lo` in a new namespace, up: an `RTM_NEWLINK` message
/// by hand, since `ip` may not be there.
///
/// # Panics
/// Where the kernel refuses it: in a namespace of the caller's own it does not.
pub(crate) fn up() {
    const NETLINK_ROUTE: Option<rustix::net::Protocol> = None; // 0, the default
    const RTM_NEWLINK: u16 = 16;
    const REQUEST_WITH_ACK: u16 = 1 | 4;
    const LO: i32 = 1;
    const IFF_UP: u32 = 1;
    let mut message = Vec::new();
    message.extend(32_u32.to_ne_bytes()); // length: nlmsghdr and ifinfomsg
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(REQUEST_WITH_ACK.to_ne_bytes());
    message.extend([0; 8]); // sequence number, port
    message.extend([0; 4]); // family, padding, type of device
    message.extend(LO.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes()); // flags
    message.extend(IFF_UP.to_ne_bytes()); // which of them to change
    let raw = SocketType::RAW;
    let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
    let socket = rustix::net::socket_with(family, raw, flags, NETLINK_ROUTE)
        .expect("a netlink socket needs no privilege");
    rustix::net::send(&socket, &message, SendFlags::empty()).expect("the kernel listens");
    let mut answer = [0_u8; 128];
    rustix::net::recv(&socket, &mut answer, RecvFlags::empty()).expect("the kernel answers");
    let error = i32::from_ne_bytes(answer[16..20].try_into().expect("four bytes"));
    assert_eq!(error, 0, "bringing lo up: errno {}", -error);
}
