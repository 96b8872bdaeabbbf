//! Names of hosts and services in `--local`, `--remote` and `--port`.

use crate::error::{UsageError, ValueError};
use crate::filter::addr::AddrFilter;
use crate::values;
use dns_lookup::{AddrInfoHints, SockType, getaddrinfo, lookup_host};
use ipnet::IpNet;
use std::net::IpAddr;
use std::ops::RangeInclusive;

type Result<T> = std::result::Result<T, UsageError>;

/// The ports of `443`, `8000-8999` or `https`, the value of a flag.
pub(super) fn ports(flag: &'static str, text: &str) -> Result<RangeInclusive<u16>> {
    values::ports(text).or_else(|cause| match service(text) {
        Some(port) => Ok(port..=port),
        None => Err(UsageError::value(flag, cause)),
    })
}

/// The filters of an address, or of all addresses of a host; any of them may match.
pub(super) fn endpoints(flag: &'static str, text: &str) -> Result<Vec<AddrFilter>> {
    let wrong = |cause| UsageError::value(flag, cause);
    let cause = match values::address(text) {
        Ok(filter) => return Ok(vec![filter]),
        Err(cause) => cause,
    };
    if values::ports(text).is_ok() {
        return Err(UsageError::PortWithoutColon { flag, text: text.to_owned() });
    }
    let (host, port) = split(text);
    let port = match port {
        Some(port) if values::ports(port).is_err() => match service(port) {
            Some(number) => Some(number.to_string()),
            None => return Err(wrong(cause)),
        },
        port => port.map(str::to_owned),
    };
    let with_port = |host: &str| match &port {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    if let Ok(filter) = values::address(&with_port(host)) {
        return Ok(vec![filter]);
    }
    if !is_host_name(host) {
        return Err(wrong(cause));
    }
    let addresses: Vec<IpAddr> = lookup_host(host)
        .map_err(|cause| UsageError::UnknownHost { flag, host: host.to_owned(), cause })?
        .collect();
    let filter = |address: &IpAddr| {
        let host = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        values::address(&with_port(&host)).map_err(wrong)
    };
    addresses.iter().map(filter).collect()
}

/// What was probably meant by an IPv6 address without brackets that ends like one with a port, as
/// `::1:80`.
pub(super) fn brackets_hint(flag: &str, text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6());
    let ambiguous = is_address(text) && is_address(host) && port.parse::<u16>().is_ok();
    ambiguous.then(|| {
        format!("{flag} {text} is an address without a port; for port {port} write [{host}]:{port}")
    })
}

/// What an address with a prefix that is shorter than it stands for, as 10.0.0.1/24.
pub(super) fn network_hint(flag: &str, text: &str) -> Option<String> {
    let (host, _) = split(text);
    let written: IpNet = host.trim_matches(['[', ']']).parse().ok()?;
    let network = written.trunc();
    (written != network).then(|| format!("{flag} {text} is the network {network}"))
}

/// Host and port: split at the last colon, unless there are several and no brackets.
fn split(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    }
}

/// As RFC 1123 has it, with underscores; numbers alone are no name but an old form of addresses.
fn is_host_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    text.bytes().all(plain) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// The port of a TCP service that the system knows.
fn service(name: &str) -> Option<u16> {
    if !is_host_name(name) {
        return None;
    }
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let mut found = getaddrinfo(None, Some(name), Some(hints)).ok()?;
    found.find_map(|info| Some(info.ok()?.sockaddr.port()))
}

impl UsageError {
    /// A value of a flag that cannot be parsed.
    pub(super) const fn value(flag: &'static str, cause: ValueError) -> Self {
        Self::Value { flag, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_the_own_host_have_names() {
        assert_eq!(ports("--port", "8000-8999").unwrap(), 8000..=8999);
        assert_eq!(ports("--port", "https").unwrap(), 443..=443);
        assert!(ports("--port", "no-such-service").is_err());
        let by_address = endpoints("--local", ":80").unwrap();
        assert_eq!(endpoints("--local", ":http").unwrap(), by_address);
        let own = endpoints("--local", "localhost:http").unwrap();
        let expected: AddrFilter = "127.0.0.1:80".parse().unwrap();
        assert!(own.contains(&expected), "{own:?}");
        assert_eq!(endpoints("--local", "127.0.0.1:http").unwrap(), [expected]);
    }

    #[test]
    fn what_is_no_address_is_not_resolved() {
        for text in ["8080", "10.0.0.0/40", "::1:http", "a b", "300.1.1.1", "localhost:no-such"] {
            assert!(endpoints("--local", text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_with_a_prefix_stands_for_its_network() {
        for (text, network) in [
            ("10.0.0.1/24", "10.0.0.0/24"),
            ("10.0.0.1/24:80", "10.0.0.0/24"),
            ("[2001:db8::1/32]:443", "2001:db8::/32"),
            ("2001:db8::1/32", "2001:db8::/32"),
        ] {
            let expected = format!("--remote {text} is the network {network}");
            assert_eq!(network_hint("--remote", text), Some(expected));
        }
        for text in ["10.0.0.0/24", "10.0.0.1", "10.0.0.1/32", ":80", "localhost:80"] {
            assert_eq!(network_hint("--remote", text), None, "{text}");
        }
    }

    #[test]
    fn an_address_that_looks_like_one_with_a_port_is_pointed_out() {
        let hint = brackets_hint("--remote", "::1:80").unwrap();
        assert!(hint.ends_with("write [::1]:80"), "{hint}");
        for text in ["2001:db8::443", "::1", "[::1]:80", "10.0.0.1:80", ":80"] {
            assert_eq!(brackets_hint("--remote", text), None, "{text}");
        }
    }
}
