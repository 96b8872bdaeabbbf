//! Filters by address and port, and how they are written.

use crate::error::ValueError;
use crate::model::wanted::End;
use ipnet::{IpNet, Ipv4Net};
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// One endpoint: `10.0.0.0/8`, `192.0.2.7:443`, `:443`, `[2001:db8::/32]:8000-8999`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddrFilter(pub(super) End);

impl std::str::FromStr for AddrFilter {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        parse(text).ok_or_else(|| ValueError::Address(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<AddrFilter> {
    let (net, ports) = split_endpoint(text)?;
    let net = match net {
        "" | "*" => None,
        net => Some(parse_net(net)?),
    };
    let ports = match ports {
        None | Some("*") => None,
        Some(ports) => Some(parse_ports(ports)?),
    };
    let restricts = net.is_some() || ports.is_some() || text == "*" || text == "*:*";
    restricts.then_some(AddrFilter(End { net, ports }))
}

/// Splits address and port: after `]`, or at the only colon; more colons are an IPv6 address.
fn split_endpoint(text: &str) -> Option<(&str, Option<&str>)> {
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

/// An address with an optional prefix; a v4-mapped one becomes v4, as addresses of sockets do.
fn parse_net(text: &str) -> Option<IpNet> {
    let net = if text.contains('/') {
        text.parse().ok()?
    } else {
        IpNet::from(text.parse::<IpAddr>().ok()?)
    };
    match (net.addr().to_canonical(), net.prefix_len()) {
        (IpAddr::V4(addr), prefix @ 96..) => Some(Ipv4Net::new(addr, prefix - 96).ok()?.into()),
        _ => Some(net),
    }
}

/// `443` or `8000-8999`; `None` for anything else.
pub fn parse_ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    (low <= high).then_some(low..=high)
}
