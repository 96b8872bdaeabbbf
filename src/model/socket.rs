//! The 4-tuple of a socket, its address family, and the two sides of a connection.

use crate::tcp::state::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The address family of a socket, which a v4-mapped address does not show.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema, Serialize, Deserialize,
)]
#[schemars(rename = "family")]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// `AF_INET`: a row of `/proc/net/tcp`.
    Ipv4,
    /// `AF_INET6`: a row of `/proc/net/tcp6`.
    Ipv6,
}

impl Family {
    /// The address that stands for "any" in this family.
    pub const fn unspecified(self) -> IpAddr {
        match self {
            Self::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }

    /// The family that an address belongs to.
    pub(crate) const fn of(addr: IpAddr) -> Self {
        if addr.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }

    /// The other one.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Ipv4 => Self::Ipv6,
            Self::Ipv6 => Self::Ipv4,
        }
    }
}

/// One end of a socket; compact, because a busy machine has many. v4-mapped addresses are kept
/// in their v4 form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The address, never v4-mapped.
    pub addr: IpAddr,
    /// The port in host order, 0 for none.
    pub port: u16,
}

impl Endpoint {
    /// Whether its address is one of a link, as `fe80::1` is.
    pub(crate) const fn is_link_local(&self) -> bool {
        matches!(self.addr, IpAddr::V6(addr) if addr.is_unicast_link_local())
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(end: Endpoint) -> Self {
        Self::new(end.addr, end.port)
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(end: SocketAddr) -> Self {
        Self { addr: end.ip(), port: end.port() }
    }
}

/// The number of a network namespace within a run, never used again; 0 for the only one of a run that
/// reads no others.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct NetnsId(pub u32);

/// Family and both ends: what a row of the kernel's table is found by. Not unique: link-local
/// twins and the members of an `SO_REUSEPORT` group share them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressPair {
    /// The network namespace of the socket: others may use the same addresses.
    pub netns: NetnsId,
    /// The family of the socket, not of its addresses.
    pub family: Family,
    /// This end.
    pub local: Endpoint,
    /// The other end.
    pub remote: Endpoint,
}

/// The keys of a record; a recording has its own way to write a pair, see [`super::json`].
impl Serialize for AddressPair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { family, local, remote, .. } = *self;
        let keys = AddressKeys {
            family,
            local_addr: local.addr,
            local_port: local.port,
            remote_addr: remote.addr,
            remote_port: remote.port,
        };
        keys.serialize(serializer)
    }
}

/// The keys of an address pair in a record.
#[derive(JsonSchema, Serialize)]
pub(crate) struct AddressKeys {
    /// `ipv4` or `ipv6`. A v4-mapped address is written as IPv4, with the family `ipv6`; if the process turns
    /// such a socket into one of IPv4 (IPV6_ADDRFORM), its later records have the family `ipv4`.
    family: Family,
    /// Local address.
    local_addr: IpAddr,
    /// Local port.
    local_port: u16,
    /// Remote address; of a listener `0.0.0.0` or `::`.
    remote_addr: IpAddr,
    /// Remote port; of a listener 0.
    remote_port: u16,
}

/// `LOCAL -> REMOTE`, for the debug log.
impl fmt::Display for AddressPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", SocketAddr::from(self.local), SocketAddr::from(self.remote))
    }
}

impl AddressPair {
    /// A pair in the only network namespace of a run.
    pub const fn new(family: Family, local: Endpoint, remote: Endpoint) -> Self {
        Self { netns: NetnsId(0), family, local, remote }
    }

    /// Whether an end belongs to a link: then the interface is part of the addresses.
    pub(crate) fn has_link_local_end(&self) -> bool {
        [self.local, self.remote].iter().any(Endpoint::is_link_local)
    }

    /// The addresses of a socket in this state. A listener has no remote end, but the kernel shows the
    /// address that a connect() before has left.
    #[must_use]
    pub(crate) fn of_state(self, state: State) -> Self {
        let none = Endpoint { addr: self.family.unspecified(), port: 0 };
        if state == State::Listen { Self { remote: none, ..self } } else { self }
    }

    /// The same addresses in a network namespace.
    #[must_use]
    pub const fn in_netns(self, netns: NetnsId) -> Self {
        Self { netns, ..self }
    }

    /// The address pair of the other end of a connection within this machine: it may be of either
    /// family, as a dual-stack socket shows v4 peers.
    pub fn mirrored(self) -> [Self; 2] {
        let swapped = Self { local: self.remote, remote: self.local, ..self };
        [swapped, Self { family: self.family.other(), ..swapped }]
    }

    /// The same addresses in the other family, where both are of IPv4: a process can turn a socket of IPv6
    /// between v4-mapped addresses into one of IPv4 (`IPV6_ADDRFORM`), and not back.
    pub(crate) fn in_other_family(self) -> Option<Self> {
        let is_of_ipv4 = self.local.addr.is_ipv4() && self.remote.addr.is_ipv4();
        is_of_ipv4.then_some(Self { family: self.family.other(), ..self })
    }

    /// The address pair that a socket keeps for its whole life: that of IPv4 where a process can turn it
    /// into a socket of that family.
    #[must_use]
    pub(crate) fn lasting(self) -> Self {
        match self.in_other_family() {
            Some(ipv4) if self.family == Family::Ipv6 => ipv4,
            _ => self,
        }
    }

    /// The address pair of a listener of the same family on this local port, bound to `addr`.
    #[must_use]
    pub const fn listener(self, addr: IpAddr) -> Self {
        Self {
            netns: self.netns,
            family: self.family,
            local: Endpoint { addr, port: self.local.port },
            remote: Endpoint { addr: self.family.unspecified(), port: 0 },
        }
    }
}

/// Which end of the connection did a thing first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, JsonSchema, Serialize, Deserialize)]
#[schemars(rename = "side")]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// This side.
    Local,
    /// The other side.
    Remote,
    /// Both, crossing on the way.
    Both,
}

impl Side {
    /// The same end as the other side of the connection sees it.
    #[must_use]
    pub const fn seen_from_the_other_side(self) -> Self {
        match self {
            Self::Local => Self::Remote,
            Self::Remote => Self::Local,
            Self::Both => Self::Both,
        }
    }
}
