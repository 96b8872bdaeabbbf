//! How instants, ids and names are written in a recording: modules for `#[serde(with)]`. The
//! records that users read have formats of their own, see `view`.

/// An instant as `[wall clock, boot clock]`, both in microseconds.
pub(crate) mod stamp {
    use crate::model::time::Stamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        stamp: &Stamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        (stamp.wall, stamp.boot).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Stamp, D::Error> {
        let (wall, boot) = Deserialize::deserialize(from)?;
        Ok(Stamp { wall, boot })
    }
}

/// A [`stamp`] that may be missing.
pub(crate) mod optional_stamp {
    use crate::model::time::Stamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::ref_option)] // the signature that serde calls
    pub(crate) fn serialize<S: Serializer>(
        stamp: &Option<Stamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        stamp.map(|stamp| (stamp.wall, stamp.boot)).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Stamp>, D::Error> {
        let stamp: Option<(i64, u64)> = Deserialize::deserialize(from)?;
        Ok(stamp.map(|(wall, boot)| Stamp { wall, boot }))
    }
}

/// An address pair with `ADDRESS:PORT` for each end.
pub(crate) mod pair {
    use crate::model::json::is_default;
    use crate::model::socket::{AddressPair, Family, NetnsId};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::net::SocketAddr;

    /// The keys of an address pair.
    #[derive(Serialize, Deserialize)]
    pub(crate) struct RecordedAddresses {
        /// Only where the local address does not show it: the address is v4-mapped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(crate) family: Option<Family>,
        pub(crate) local: SocketAddr,
        pub(crate) remote: SocketAddr,
        #[serde(default, skip_serializing_if = "is_default")]
        pub(crate) netns: NetnsId,
    }

    impl From<AddressPair> for RecordedAddresses {
        fn from(AddressPair { netns, family, local, remote }: AddressPair) -> Self {
            let family = (family != Family::of(local.addr)).then_some(family);
            Self { family, local: local.into(), remote: remote.into(), netns }
        }
    }

    impl From<RecordedAddresses> for AddressPair {
        fn from(RecordedAddresses { family, local, remote, netns }: RecordedAddresses) -> Self {
            let family = family.unwrap_or_else(|| Family::of(local.ip()));
            Self { netns, family, local: local.into(), remote: remote.into() }
        }
    }

    pub(crate) fn serialize<S: Serializer>(
        addrs: &AddressPair,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        RecordedAddresses::from(*addrs).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<AddressPair, D::Error> {
        RecordedAddresses::deserialize(from).map(AddressPair::from)
    }
}

/// A [`pair`] that may be missing.
pub(crate) mod optional_pair {
    use super::pair::RecordedAddresses;
    use crate::model::socket::AddressPair;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::ref_option)] // the signature that serde calls
    pub(crate) fn serialize<S: Serializer>(
        addrs: &Option<AddressPair>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        addrs.map(RecordedAddresses::from).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<AddressPair>, D::Error> {
        Ok(Option::<RecordedAddresses>::deserialize(from)?.map(AddressPair::from))
    }
}

/// A number of 64 bits as a string, because many readers of JSON round large numbers.
pub(crate) mod id {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(id: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// A name that another program chose, which may be any bytes, as an escaped string.
pub(crate) mod name {
    use crate::model::escape::{escaped, unescape};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(name: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        escaped(name).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let escaped = String::deserialize(from)?;
        unescape(&escaped).ok_or_else(|| D::Error::custom("a name with a wrong escape"))
    }
}

/// A [`name`] that several may share.
pub(crate) mod shared_name {
    use serde::{Deserializer, Serializer};
    use std::sync::Arc;

    pub(crate) fn serialize<S: Serializer>(
        name: &Arc<[u8]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        super::name::serialize(name, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<[u8]>, D::Error> {
        super::name::deserialize(from).map(Arc::from)
    }
}

/// A [`name`] that may be missing.
pub(crate) mod optional_name {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Name(#[serde(with = "super::name")] Vec<u8>);

    #[allow(clippy::ref_option)] // the signature that serde calls
    pub(crate) fn serialize<S: Serializer>(
        name: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        name.clone().map(Name).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Name>::deserialize(from)?.map(|Name(name)| name))
    }
}

/// For `#[serde(skip_serializing_if)]`: whether a field has its default value.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
