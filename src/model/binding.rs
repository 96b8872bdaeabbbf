//! What a socket is bound to besides an address and a port, as far as its source reports it.

use super::escape::{escape, unescape};
use super::socket::{AddressPair, Family};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;

/// `IFNAMSIZ` without the NUL at its end.
const LONGEST: usize = 15;

/// The name of a network interface: bytes that its administrator chose, without blanks, `/` and `:`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceName {
    bytes: [u8; LONGEST],
    length: NonZeroU8,
}

impl DeviceName {
    /// A name; `None` for what no interface can be called (`dev_valid_name()`).
    pub fn new(name: &[u8]) -> Option<Self> {
        let is_bad = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b':' | 0 | 11);
        if name.len() > LONGEST || name.iter().any(is_bad) {
            return None;
        }
        let length = NonZeroU8::new(u8::try_from(name.len()).ok()?)?;
        let mut bytes = [0; LONGEST];
        bytes[..name.len()].copy_from_slice(name);
        Some(Self { bytes, length })
    }

    /// What stands for an interface without a known name: its number, as it may be written in an
    /// address, too.
    fn of_number(ifindex: u32) -> Self {
        let number = Self::new(ifindex.to_string().as_bytes());
        number.unwrap_or(Self { bytes: [b'0'; LONGEST], length: NonZeroU8::MIN })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length.get().into()]
    }
}

/// The name as every format shows it, see [`escape`].
impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(self.as_bytes()))
    }
}

impl fmt::Debug for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for DeviceName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = unescape(&String::deserialize(deserializer)?);
        let name = name.and_then(|name| Self::new(&name));
        name.ok_or_else(|| de::Error::custom("not the name of a network interface"))
    }
}

/// The interface that a socket is bound to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Device {
    /// The source does not report it.
    #[default]
    Unknown,
    /// None.
    None,
    /// This one: that of a link-local address, or one that its process chose (`SO_BINDTODEVICE`).
    Named(DeviceName),
}

impl Device {
    /// That of a number of which no name is known; 0 is none.
    pub fn of_number(ifindex: u32) -> Self {
        if ifindex == 0 { Self::None } else { Self::Named(DeviceName::of_number(ifindex)) }
    }

    /// Its name, if there is one.
    pub const fn name(&self) -> Option<DeviceName> {
        match self {
            Self::Named(name) => Some(*name),
            Self::Unknown | Self::None => None,
        }
    }
}

/// What a socket is bound to besides its local address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Binding {
    /// The interface.
    pub device: Device,
    /// Of an IPv6 socket that listens or is only bound, whether it refuses IPv4; `None` of others,
    /// and where the source does not report it.
    pub ipv6_only: Option<bool>,
}

/// As the keys of a record.
impl Serialize for Binding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { device, ipv6_only } = *self;
        BindingKeys { scope: device.name(), ipv6_only }.serialize(serializer)
    }
}

/// The keys of [`Binding`] in a record.
#[derive(JsonSchema, Serialize)]
pub(crate) struct BindingKeys {
    /// The network interface that the socket is bound to: that of its link-local addresses, or one that
    /// its process chose; null if there is none, and with `--source proc`, which does not show it.
    #[schemars(with = "Option<String>")]
    scope: Option<DeviceName>,
    /// Of a listener with the family `ipv6`, whether it refuses IPv4. One on `::` that does not is
    /// written `*:80`. Null of other sockets, and where the kernel was not asked.
    ipv6_only: Option<bool>,
}

impl Binding {
    /// What is known of the same socket by another reading; `newer` where both know it.
    #[must_use]
    pub(crate) fn updated_by(self, newer: Self) -> Self {
        let device = if newer.device == Device::Unknown { self.device } else { newer.device };
        Self { device, ipv6_only: newer.ipv6_only.or(self.ipv6_only) }
    }

    /// Whether an IPv6 socket without a peer accepts IPv4; `None` where that is not known.
    pub(crate) fn accepts_ipv4(&self, addrs: &AddressPair) -> Option<bool> {
        match addrs.local.addr {
            _ if addrs.family != Family::Ipv6 || addrs.remote.port != 0 => Some(false),
            // A v4-mapped address.
            IpAddr::V4(_) => Some(true),
            IpAddr::V6(any) if any.is_unspecified() => self.ipv6_only.map(|only| !only),
            IpAddr::V6(_) => Some(false),
        }
    }

    /// Whether it is a socket on `::` that is known to accept IPv4, too.
    pub(crate) fn is_dual_stack(&self, addrs: &AddressPair) -> bool {
        addrs.local.addr.is_ipv6() && self.accepts_ipv4(addrs) == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_interfaces() {
        for name in ["eth0", "a", "fifteen-letters", "7", "eth0.100@if3"] {
            assert_eq!(DeviceName::new(name.as_bytes()).unwrap().to_string(), name);
        }
        for name in ["", "sixteen-letters-", "a b", "a/b", "a:1", "a\n"] {
            assert_eq!(DeviceName::new(name.as_bytes()), None, "{name:?}");
        }
        let hostile = DeviceName::new(b"\x1b[2J").unwrap();
        assert_eq!(hostile.to_string(), r"\x1b[2J");
        let json = serde_json::to_string(&hostile).unwrap();
        assert_eq!(serde_json::from_str::<DeviceName>(&json).unwrap(), hostile);
        assert_eq!(Device::of_number(7).name().unwrap().to_string(), "7");
        assert_eq!(Device::of_number(u32::MAX).name().unwrap().to_string(), "4294967295");
    }
}
