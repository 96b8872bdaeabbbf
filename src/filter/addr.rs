//! Filters by address and port, and how they are written.

use crate::model::socket::{Endpoint, Family};
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// One end: `10.0.0.0/8`, `192.0.2.7:443`, `:443`, `[2001:db8::/32]:8000-8999`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddrFilter {
    net: Option<(IpAddr, u8)>,
    ports: Option<RangeInclusive<u16>>,
}

impl AddrFilter {
    pub(super) fn matches(&self, end: &Endpoint, family: Family) -> bool {
        self.net.is_none_or(|net| in_net(net, end.addr, family))
            && self.ports.as_ref().is_none_or(|ports| ports.contains(&end.port))
    }
}

/// A v4 network holds v4-mapped addresses too; a v6 one sees them in their mapped form.
fn in_net((net, prefix): (IpAddr, u8), addr: IpAddr, family: Family) -> bool {
    match (net, addr) {
        (IpAddr::V4(net), IpAddr::V4(addr)) => {
            let shift = 32 - u32::from(prefix);
            net.to_bits().checked_shr(shift) == addr.to_bits().checked_shr(shift)
        }
        (IpAddr::V6(net), addr) if family == Family::Ipv6 => {
            let addr = match addr {
                IpAddr::V4(addr) => addr.to_ipv6_mapped(),
                IpAddr::V6(addr) => addr,
            };
            let shift = 128 - u32::from(prefix);
            net.to_bits().checked_shr(shift) == addr.to_bits().checked_shr(shift)
        }
        _ => false,
    }
}

impl std::str::FromStr for AddrFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "'{text}' is no address filter; write 10.0.0.0/8, 192.0.2.7:443, :443, \
                 :8000-8999, [::1]:80 or [2001:db8::/32]:443"
            )
        };
        let (net, ports) = split_end(text).ok_or_else(wrong)?;
        let net = match net {
            "" | "*" => None,
            net => Some(parse_net(net).ok_or_else(wrong)?),
        };
        let ports = match ports {
            None | Some("*") => None,
            Some(ports) => Some(parse_ports(ports).ok_or_else(wrong)?),
        };
        match (net, &ports) {
            (None, None) if text != "*" && text != "*:*" => Err(wrong()),
            _ => Ok(Self { net, ports }),
        }
    }
}

/// Splits address and port: after `]`, or at the only colon; more colons are an IPv6 address.
fn split_end(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (net, rest) = rest.split_once(']')?;
        return match rest {
            "" => Some((net, None)),
            rest => Some((net, Some(rest.strip_prefix(':')?))),
        };
    }
    match text.split_once(':') {
        Some((net, ports)) if !ports.contains(':') => Some((net, Some(ports))),
        _ => Some((text, None)),
    }
}

/// An address with an optional prefix; a v4-mapped one becomes v4.
fn parse_net(text: &str) -> Option<(IpAddr, u8)> {
    let (addr, prefix) = match text.split_once('/') {
        Some((addr, prefix)) => (addr, Some(prefix.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let addr: IpAddr = addr.parse().ok()?;
    let longest = if addr.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.unwrap_or(longest);
    if prefix > longest {
        return None;
    }
    match addr.to_canonical() {
        IpAddr::V4(v4) if longest == 128 && prefix >= 96 => Some((IpAddr::V4(v4), prefix - 96)),
        _ => Some((addr, prefix)),
    }
}

/// `443` or `8000-8999`.
pub fn parse_ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    (low <= high).then_some(low..=high)
}
