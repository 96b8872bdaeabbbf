//! Tests that need what not every machine has. Where it is missing, such a test says so and
//! passes, unless `TCPLAPSE_REQUIRE` names it: then it fails.

/// What a machine may lack or forbid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    /// A network namespace of the test's own.
    Netns,
    /// Tracepoints by tracefs, and an instance of it.
    Trace,
    /// Mounting procfs in a mount namespace of the test's own.
    Mount,
    /// Running a program as another user.
    OtherUser,
    /// The settings of IPv4 in `/proc/sys`.
    Sysctl,
    /// A process with 20,000 descriptors.
    Descriptors,
    /// The command `ip`, and links made with it.
    Ip,
    /// The command `python3`, and a filter of system calls that it installs.
    Seccomp,
    /// The command `python3`.
    Python,
    /// The command `prlimit`.
    Prlimit,
    /// TUN devices.
    Tun,
    /// Python with the modules `duckdb` and `chdb`; `TCPLAPSE_PYTHON` says which Python.
    Databases,
    /// `systemd-analyze`.
    Systemd,
    /// `prometheus`, `promtool` and `prometheus-node-exporter`, as Debian names them.
    Prometheus,
    /// Chromium, as Debian names it.
    Browser,
    /// Bound sockets listed by sock_diag (Linux 6.8).
    Bound,
    /// Multipath TCP.
    Mptcp,
    /// Time enough for the judge, of one plan in three.
    Speed,
}

impl Feature {
    /// Its name in `TCPLAPSE_REQUIRE`, a list separated by commas.
    const fn name(self) -> &'static str {
        match self {
            Self::Netns => "netns",
            Self::Trace => "trace",
            Self::Mount => "mount",
            Self::OtherUser => "other-user",
            Self::Sysctl => "sysctl",
            Self::Descriptors => "descriptors",
            Self::Ip => "ip",
            Self::Seccomp => "seccomp",
            Self::Python => "python",
            Self::Prlimit => "prlimit",
            Self::Tun => "tun",
            Self::Databases => "databases",
            Self::Systemd => "systemd",
            Self::Prometheus => "prometheus",
            Self::Browser => "browser",
            Self::Bound => "bound",
            Self::Mptcp => "mptcp",
            Self::Speed => "speed",
        }
    }
}

/// Says why a test has tested nothing.
///
/// # Panics
/// Where `TCPLAPSE_REQUIRE` says that this machine has the feature.
pub(crate) fn skip(feature: Feature, reason: &str) {
    let name = feature.name();
    let required = std::env::var("TCPLAPSE_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|required| required == name),
        "TCPLAPSE_REQUIRE names {name}, but: {reason}"
    );
    eprintln!("skipped for want of {name}: {reason}");
}
