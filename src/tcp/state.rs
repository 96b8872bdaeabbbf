//! The states of a TCP socket: kernel codes, names, and the spellings people type.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A TCP state as `/proc/net/tcp` shows it (`include/net/tcp_states.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the variants are the states' own names
pub enum State {
    Closed,
    Listen,
    SynSent,
    SynRecv,
    Established,
    CloseWait,
    LastAck,
    FinWait1,
    FinWait2,
    Closing,
    TimeWait,
    /// Bound to a port, without a connection and without listening: no state of TCP, but what
    /// sock_diag calls `TCP_BOUND_INACTIVE`.
    Bound,
    /// A code that no kernel header names.
    Unknown(u8),
}

use State::{
    Bound, CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv,
    SynSent, TimeWait, Unknown,
};

/// The names of the states in capitals, without what separates their words.
const SPELLINGS: [(&str, State); 20] = [
    ("ESTABLISHED", Established),
    ("ESTAB", Established),
    ("SYNSENT", SynSent),
    ("SYNRECV", SynRecv),
    ("SYNRCVD", SynRecv),
    ("SYNRECEIVED", SynRecv),
    ("NEWSYNRECV", SynRecv),
    ("FINWAIT1", FinWait1),
    ("FINWAIT2", FinWait2),
    ("TIMEWAIT", TimeWait),
    ("CLOSE", Closed),
    ("CLOSED", Closed),
    ("UNCONN", Closed),
    ("BOUND", Bound),
    ("BOUNDINACTIVE", Bound),
    ("CLOSEWAIT", CloseWait),
    ("LASTACK", LastAck),
    ("LISTEN", Listen),
    ("LISTENING", Listen),
    ("CLOSING", Closing),
];

/// How far a connection has come; decides the colour of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `SYN_SENT`, `SYN_RECV`.
    Opening,
    /// `LISTEN`, `ESTABLISHED`.
    Open,
    /// From the first FIN to the last ACK.
    Closing,
    /// `TIME_WAIT`, `CLOSED`: no process holds it any more.
    Gone,
}

impl State {
    /// The states of TCP, in the order of the edge table.
    pub const NAMED: [Self; 11] = [
        Closed,
        Listen,
        SynSent,
        SynRecv,
        Established,
        CloseWait,
        LastAck,
        FinWait1,
        FinWait2,
        Closing,
        TimeWait,
    ];

    /// The state of a kernel code. `TCP_NEW_SYN_RECV` (12) is a `SYN_RECV` and
    /// `TCP_BOUND_INACTIVE` (13) a closed socket with a local address.
    pub const fn from_code(code: u8) -> Self {
        match code {
            1 => Established,
            2 => SynSent,
            3 | 12 => SynRecv,
            4 => FinWait1,
            5 => FinWait2,
            6 => TimeWait,
            7 | 13 => Closed,
            8 => CloseWait,
            9 => LastAck,
            10 => Listen,
            11 => Closing,
            other => Unknown(other),
        }
    }

    /// The kernel's code: what `/proc/net/tcp` prints in its column `st`.
    pub const fn code(self) -> u8 {
        match self {
            Established => 1,
            SynSent => 2,
            SynRecv => 3,
            FinWait1 => 4,
            FinWait2 => 5,
            TimeWait => 6,
            Closed => 7,
            CloseWait => 8,
            LastAck => 9,
            Listen => 10,
            Closing => 11,
            Bound => 13,
            Unknown(code) => code,
        }
    }

    /// The state of a name in any common spelling (netstat, ss, the RFC, the kernel) and case; `None`
    /// for other text.
    pub fn from_name(text: &str) -> Option<Self> {
        let letters = text.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
        let plain: String = letters.map(|c| c.to_ascii_uppercase()).collect();
        let plain = plain.strip_prefix("TCP").unwrap_or(&plain);
        let known = SPELLINGS.iter().find(|(spelling, _)| *spelling == plain);
        known.map(|(_, state)| *state).or_else(|| unknown_code(plain))
    }

    /// The states that a misspelt name can have been meant for: those that contain it, or else those
    /// with the most similar spelling. Empty if none is similar.
    pub fn similar_to(text: &str) -> Vec<Self> {
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        let plain: String = letters.map(|c| c.to_ascii_uppercase()).collect();
        let states = |is_near: &dyn Fn(&str) -> bool| {
            let near = SPELLINGS.iter().filter(|(spelling, _)| is_near(spelling));
            let near: Vec<Self> = near.map(|(_, state)| *state).collect();
            Self::NAMED.into_iter().filter(|state| near.contains(state)).collect::<Vec<_>>()
        };
        let containing = states(&|spelling| plain.len() > 2 && spelling.contains(&plain));
        if !containing.is_empty() {
            return containing;
        }
        let distance = |spelling: &str| strsim::damerau_levenshtein(spelling, &plain);
        let least = SPELLINGS.iter().map(|(spelling, _)| distance(spelling)).min();
        match least {
            Some(least) if least <= 3 && least < plain.len() / 2 + 1 => {
                states(&|spelling| distance(spelling) == least)
            }
            _ => Vec::new(),
        }
    }

    /// Whether a socket in this state has sent its FIN, or is about to.
    pub const fn has_sent_fin(self) -> bool {
        matches!(self, FinWait1 | FinWait2 | Closing | LastAck | TimeWait)
    }

    /// Whether a socket in this state has received the peer's FIN.
    pub const fn has_received_fin(self) -> bool {
        matches!(self, CloseWait | LastAck | Closing | TimeWait)
    }

    /// Whether FINs have gone both ways.
    pub const fn has_both_fins(self) -> bool {
        self.has_sent_fin() && self.has_received_fin()
    }

    /// How far the connection of a socket in this state has come.
    pub const fn phase(self) -> Phase {
        match self {
            SynSent | SynRecv => Phase::Opening,
            Listen | Established | Bound | Unknown(_) => Phase::Open,
            CloseWait | LastAck | FinWait1 | FinWait2 | Closing => Phase::Closing,
            TimeWait | Closed => Phase::Gone,
        }
    }

    /// netstat's name; `None` for a code without one.
    const fn name(self) -> Option<&'static str> {
        Some(match self {
            Closed => "CLOSED",
            Listen => "LISTEN",
            SynSent => "SYN_SENT",
            SynRecv => "SYN_RECV",
            Established => "ESTABLISHED",
            CloseWait => "CLOSE_WAIT",
            LastAck => "LAST_ACK",
            FinWait1 => "FIN_WAIT1",
            FinWait2 => "FIN_WAIT2",
            Closing => "CLOSING",
            TimeWait => "TIME_WAIT",
            Bound => "BOUND",
            Unknown(_) => return None,
        })
    }
}

/// The state of `UNKNOWN(0X1F)`, as the output writes a code without a name.
fn unknown_code(plain: &str) -> Option<State> {
    let digits = plain.strip_prefix("UNKNOWN(0X")?.strip_suffix(')')?;
    u8::from_str_radix(digits, 16).ok().map(State::from_code)
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.name() {
            Some(name) => serializer.serialize_str(name),
            None => serializer.collect_str(self),
        }
    }
}

impl JsonSchema for State {
    fn schema_name() -> Cow<'static, str> {
        "state".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names = Self::NAMED.into_iter().chain([Bound]).filter_map(Self::name);
        json_schema!({
            "type": "string",
            "anyOf": [
                { "enum": names.collect::<Vec<_>>() },
                { "description": "A code that Linux has no name for.",
                  "pattern": r"^UNKNOWN\(0x[0-9A-F]{2}\)$" },
            ],
        })
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| {
            serde::de::Error::custom(format_args!("'{}' is not a TCP state", name.escape_debug()))
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("UNKNOWN(0x{:02X})", self.code())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_keeps_its_meaning() {
        let names: Vec<_> = (0..=14).map(|c| State::from_code(c).to_string()).collect();
        assert_eq!(
            names.join(" "),
            "UNKNOWN(0x00) ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSED \
             CLOSE_WAIT LAST_ACK LISTEN CLOSING SYN_RECV CLOSED UNKNOWN(0x0E)"
        );
    }

    #[test]
    fn what_is_printed_is_accepted() {
        for code in 0..=255 {
            let state = State::from_code(code);
            assert_eq!(State::from_name(&state.to_string()), Some(state));
        }
    }

    #[test]
    fn common_spellings_are_understood() {
        for (text, state) in [
            ("estab", Established),
            ("SYN_RCVD", SynRecv),
            ("syn-recv", SynRecv),
            ("SYN-RECEIVED", SynRecv),
            ("FIN_WAIT_1", FinWait1),
            ("fin-wait-2", FinWait2),
            ("TCP_CLOSE_WAIT", CloseWait),
            ("close", Closed),
            ("Listening", Listen),
            ("time-wait", TimeWait),
            ("bound-inactive", Bound),
        ] {
            assert_eq!(State::from_name(text), Some(state), "{text}");
        }
        assert_eq!(State::from_name("ESTABLISHD"), None);
        assert_eq!(State::from_name(""), None);
    }

    #[test]
    fn misspelt_names_have_similar_states() {
        for (text, states) in [
            ("CLOS_WAIT", &[CloseWait][..]),
            ("ESTABLISHT", &[Established]),
            ("estb", &[Established]),
            ("LISTEN^", &[Listen]),
            ("fin", &[FinWait1, FinWait2]),
            ("SYNSEND", &[SynSent]),
            ("time_wiat", &[TimeWait]),
            ("FIN_WAIT3", &[FinWait1, FinWait2]),
            ("FOO", &[]),
            ("OPEN", &[]),
            ("60s", &[]),
            ("", &[]),
        ] {
            assert_eq!(State::similar_to(text), states, "{text}");
        }
    }
}
