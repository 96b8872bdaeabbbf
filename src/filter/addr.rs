//! Filters by address, port and interface, and how they are written.

use crate::error::ValueError;
use crate::model::binding::DeviceName;
use crate::model::wanted::EndpointPattern;
use ipnet::{IpNet, Ipv4Net};
use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// One endpoint: `10.0.0.0/8`, `192.0.2.7:443`, `:443`, `[2001:db8::/32]:8000-8999`; with the
/// interface that the socket is bound to `fe80::1%eth0`, `[fe80::/10%eth0]:443`, `*%eth0:443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddrFilter(pub(super) EndpointPattern);

impl std::str::FromStr for AddrFilter {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::Address(text.to_owned());
        let (net, ports) = split_endpoint(text).ok_or_else(wrong)?;
        let ports = match ports {
            None | Some("*") => None,
            Some(ports) => Some(parse_ports(ports).map_err(|cause| match cause {
                ValueError::Ports(_) => wrong(),
                cause => cause,
            })?),
        };
        let (net, device) = split_device(&net).ok_or_else(wrong)?;
        let net = match &*net {
            "" | "*" => None,
            net => Some(parse_net(net).ok_or_else(|| too_long_prefix(net).unwrap_or_else(wrong))?),
        };
        let is_any = text == "*" || text == "*:*";
        let restricts = net.is_some() || ports.is_some() || device.is_some() || is_any;
        restricts.then_some(Self(EndpointPattern { net, ports, device })).ok_or_else(wrong)
    }
}

/// Splits an address and the interface behind it; `None` where that cannot be the name of one. A prefix
/// may stand before or behind it: `fe80::/64%eth0`, `fe80::%eth0/64` (RFC 4007).
fn split_device(net: &str) -> Option<(Cow<'_, str>, Option<DeviceName>)> {
    let Some((addr, rest)) = net.split_once('%') else { return Some((net.into(), None)) };
    let (device, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let addr = match prefix {
        "" if rest.ends_with('/') => return None,
        "" => addr.into(),
        prefix => format!("{addr}/{prefix}").into(),
    };
    Some((addr, Some(DeviceName::new(device.as_bytes())?)))
}

/// Splits address and port: after `]`, or at the only colon; more colons are an IPv6 address.
fn split_endpoint(text: &str) -> Option<(Cow<'_, str>, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (net, rest) = rest.split_once(']')?;
        let (device, ports) = rest.split_once(':').map_or((rest, None), |(to, of)| (to, Some(of)));
        // ss writes the interface behind the bracket.
        return match device {
            "" => Some((net.into(), ports)),
            device if device.starts_with('%') => Some((format!("{net}{device}").into(), ports)),
            _ => None,
        };
    }
    match text.split_once(':') {
        Some((net, ports)) if !ports.contains(':') => Some((net.into(), Some(ports))),
        _ => Some((text.into(), None)),
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

/// The error for an address with a longer prefix than it has bits; `None` for other text.
fn too_long_prefix(text: &str) -> Option<ValueError> {
    let (address, prefix) = text.split_once('/')?;
    let longest = if address.parse::<IpAddr>().ok()?.is_ipv4() { 32 } else { 128 };
    let is_longer = prefix.parse::<u64>().is_ok_and(|prefix| prefix > longest.into());
    let (text, address) = (text.to_owned(), address.to_owned());
    is_longer.then_some(ValueError::PrefixTooLong { text, address, longest })
}

/// The ports of `443` or `8000-8999`.
///
/// # Errors
/// [`ValueError::ReversedPorts`], [`ValueError::PortTooHigh`], or [`ValueError::Ports`] for anything
/// else.
pub fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, ValueError> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let port = |digits: &str| {
        let port: u64 = digits.trim().parse().map_err(|_| ValueError::Ports(text.to_owned()))?;
        u16::try_from(port).map_err(|_| ValueError::PortTooHigh(text.to_owned()))
    };
    let (low, high) = (port(low)?, port(high)?);
    if low > high { Err(ValueError::ReversedPorts(text.to_owned())) } else { Ok(low..=high) }
}
