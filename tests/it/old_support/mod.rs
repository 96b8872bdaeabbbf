//! What the tests share.

pub(crate) mod actor;
pub(crate) mod loopback;
pub(crate) mod mounts;
pub(crate) mod netns;
pub(crate) mod program;
pub(crate) mod record;
pub(crate) mod sockets;
pub(crate) mod trace;
pub(crate) mod wait;
