//! Which sockets a run needs to see, as far as the kernel can choose them.

use super::binding::DeviceName;
use super::socket::{AddressPair, Endpoint, Family};
use crate::tcp::state_set::StateSet;
use ipnet::IpNet;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// The rows that a source has to yield. Others may be among them, and listeners always are: they
/// are the owners of what they have not handed on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WantedRows {
    /// Of this family; `None` for both.
    pub family: Option<Family>,
    /// The listeners of the other family, too: they may accept IPv4.
    pub other_listeners: bool,
    /// In these states; `None` for all.
    pub states: Option<StateSet>,
    /// Between these ends.
    pub ends: Ends,
}

/// A condition on the ends of a socket.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Ends {
    /// It always holds.
    #[default]
    Any,
    /// The local end is this one.
    Local(End),
    /// The remote end is this one.
    Remote(End),
    /// All of these conditions hold.
    All(Vec<Self>),
    /// One of these conditions holds.
    OneOf(Vec<Self>),
}

/// What one end of a socket has to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// Its address is in this network; `None` for any. A v4 network contains v4-mapped addresses
    /// too; a v6 one sees them in their mapped form.
    pub net: Option<IpNet>,
    /// Its port is one of these; `None` for any.
    pub ports: Option<RangeInclusive<u16>>,
    /// The socket is bound to this interface; `None` for any or none.
    pub device: Option<DeviceName>,
}

impl WantedRows {
    /// All rows of a family, or of both.
    pub fn of_family(family: Option<Family>) -> Self {
        Self { family, ..Self::default() }
    }
}

impl WantedRows {
    /// Whether there may be wanted rows of a family.
    pub(crate) fn is_of(&self, family: Family) -> bool {
        self.other_listeners || self.family.is_none_or(|wanted| wanted == family)
    }
}

impl Ends {
    /// Whether the condition holds of a socket, whatever interface it is bound to.
    pub fn matches(&self, addrs: &AddressPair) -> bool {
        match self {
            Self::Any => true,
            Self::Local(end) => end.matches(&addrs.local, addrs.family),
            Self::Remote(end) => end.matches(&addrs.remote, addrs.family),
            Self::All(all) => all.iter().all(|ends| ends.matches(addrs)),
            Self::OneOf(some) => some.iter().any(|ends| ends.matches(addrs)),
        }
    }

    /// The condition on the socket at the other end of the connection.
    #[must_use]
    pub fn of_peer(&self) -> Self {
        let of_peers = |conditions: &[Self]| conditions.iter().map(Self::of_peer).collect();
        match self {
            Self::Any => Self::Any,
            // It may be bound to another interface.
            Self::Local(end) => Self::Remote(End { device: None, ..end.clone() }),
            Self::Remote(end) => Self::Local(End { device: None, ..end.clone() }),
            Self::All(all) => Self::All(of_peers(all)),
            Self::OneOf(some) => Self::OneOf(of_peers(some)),
        }
    }
}

impl End {
    /// Whether an end of a socket of this family is the one, whatever interface it is bound to.
    pub fn matches(&self, endpoint: &Endpoint, family: Family) -> bool {
        self.net.is_none_or(|net| contains(&net, endpoint.addr, family))
            && self.ports.as_ref().is_none_or(|ports| ports.contains(&endpoint.port))
    }
}

fn contains(net: &IpNet, addr: IpAddr, family: Family) -> bool {
    match (net, addr) {
        (IpNet::V6(net), IpAddr::V4(addr)) if family == Family::Ipv6 => {
            net.contains(&addr.to_ipv6_mapped())
        }
        (net, addr) => net.contains(&addr),
    }
}
