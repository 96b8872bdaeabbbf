//! A value that cannot be parsed, be it of a flag or of a key in a rules file.

use crate::tcp::state_set::UnknownState;

/// Why a value is refused. The text is the value as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a regular expression.
    #[error(
        "'{pattern}' is not a valid regular expression ({reason}); put \\ before characters that \
         are meant literally"
    )]
    Pattern {
        /// As it was written.
        pattern: String,
        /// What the parser of regular expressions said.
        reason: String,
    },
    /// Not a process id.
    #[error("'{0}' is not a process id; write a number such as 812")]
    Pid(String),
    /// The system knows no user of this name.
    #[error("there is no user '{0}'; write a name or a uid")]
    User(String),
    /// The empty name of a unit, a container or a pod.
    #[error("a name is missing; write one such as web, or 'web*'")]
    EmptyName,
    /// A set of states names something that is not a state.
    #[error(transparent)]
    State(#[from] UnknownState),
    /// Not a port or a range of ports.
    #[error("'{0}' is not a port or a known service; write 443, 8000-8999 or https")]
    Ports(String),
    /// Both ends of a range of ports, the higher first.
    #[error("'{0}' begins with the higher port; write {meant}", meant = reversed(.0))]
    ReversedPorts(String),
    /// Port 0, alone or in a range.
    #[error("'{0}' includes 0, which stands for no port; write ports from 1 to 65535")]
    PortZero(String),
    /// A number above the highest port.
    #[error("'{0}' is above 65535, the highest port; write one from 1 to 65535")]
    PortTooHigh(String),
    /// An address, and a prefix that is longer than it.
    #[error("'{text}' has a prefix of more than {longest} bits; write {address}/{longest} or less")]
    PrefixTooLong {
        /// As it was written.
        text: String,
        /// The address before the prefix.
        address: String,
        /// The number of bits that such an address has.
        longest: u8,
    },
    /// Not an address, a network or a port.
    #[error(
        "'{0}' is not a valid address; write 10.0.0.0/8, 192.0.2.7:443, :443, :8000-8999, [::1]:80, \
         [2001:db8::/32]:443 or fe80::1%eth0"
    )]
    Address(String),
    /// Not a length of time.
    #[error(
        "'{0}' is not a valid duration; write 250ms, 1.5s, 10m, '1h 30m' or 7d, with the units us, ms, s, m, \
         h and d"
    )]
    Duration(String),
    /// Not a moment.
    #[error("'{0}' is not a time; write 14:03, 14:03:22.5, 2026-11-28T14:03 or RFC 3339")]
    Moment(String),
    /// Longer than any run.
    #[error("'{0}' is longer than a year; write a shorter duration")]
    DurationTooLong(String),
}

/// `9000-8000` as `8000-9000`.
fn reversed(range: &str) -> String {
    let (high, low) = range.split_once('-').unwrap_or((range, range));
    format!("{}-{}", low.trim(), high.trim())
}
