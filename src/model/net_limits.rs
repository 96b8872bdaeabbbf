//! Limits and counters of a network namespace: what connections run out of.

/// What the kernel shows of a network namespace besides its sockets; `None` where it was not read, as
/// in a recording.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct NetLimits {
    /// The ports that connect() chooses from.
    pub ports: Option<PortRange>,
    /// Connections that were not accepted because the accept queue of their listener was full, since
    /// the namespace was made (`ListenOverflows`).
    pub listen_overflows: Option<u64>,
}

/// The local ports that connect() chooses from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PortRange {
    /// The first one.
    pub first: u16,
    /// The last one, which is not less.
    pub last: u16,
    /// How many of them are reserved (`net.ipv4.ip_local_reserved_ports`).
    pub reserved: u32,
}

impl PortRange {
    /// What a kernel has that nobody has configured.
    pub(crate) const DEFAULT: Self = Self { first: 32_768, last: 60_999, reserved: 0 };

    /// Whether a port is one of them, reserved or not.
    pub(crate) fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// How many ports connect() can choose.
    pub(crate) fn available(self) -> u32 {
        let all = u32::from(self.last).saturating_sub(self.first.into()) + 1;
        all.saturating_sub(self.reserved)
    }
}
