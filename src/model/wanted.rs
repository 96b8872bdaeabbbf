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
    /// Between these endpoints.
    pub addrs: AddressCondition,
}

/// A condition on the addresses and ports of a socket.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum AddressCondition {
    /// It always holds.
    #[default]
    Any,
    /// The local endpoint is like this.
    Local(EndpointPattern),
    /// The remote endpoint is like this.
    Remote(EndpointPattern),
    /// All of these conditions hold.
    All(Vec<Self>),
    /// One of these conditions holds.
    OneOf(Vec<Self>),
}

/// What one endpoint of a socket has to be like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointPattern {
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

impl AddressCondition {
    /// Whether the condition holds of a socket, whatever interface it is bound to.
    pub fn matches(&self, addrs: &AddressPair) -> bool {
        match self {
            Self::Any => true,
            Self::Local(wanted) => wanted.matches(&addrs.local, addrs.family),
            Self::Remote(wanted) => wanted.matches(&addrs.remote, addrs.family),
            Self::All(all) => all.iter().all(|condition| condition.matches(addrs)),
            Self::OneOf(some) => some.iter().any(|condition| condition.matches(addrs)),
        }
    }

    /// The condition on the socket at the other end of the connection.
    #[must_use]
    pub fn of_peer(&self) -> Self {
        let of_peers = |conditions: &[Self]| conditions.iter().map(Self::of_peer).collect();
        match self {
            Self::Any => Self::Any,
            // It may be bound to another interface.
            Self::Local(wanted) => Self::Remote(wanted.on_any_device()),
            Self::Remote(wanted) => Self::Local(wanted.on_any_device()),
            Self::All(all) => Self::All(of_peers(all)),
            Self::OneOf(some) => Self::OneOf(of_peers(some)),
        }
    }
}

impl EndpointPattern {
    /// This pattern for sockets that are bound to any interface or to none.
    fn on_any_device(&self) -> Self {
        Self { device: None, ..self.clone() }
    }

    /// Whether an endpoint of a socket of this family is like this, whatever interface the socket is
    /// bound to.
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
