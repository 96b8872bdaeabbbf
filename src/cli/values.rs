//! The named values that flags take.

use clap::ValueEnum;

/// Where states come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SourceName {
    /// Polls of /proc/net/tcp and /proc/net/tcp6
    Proc,
    /// Dumps of the kernel's sock_diag on the same interval, with its notices of sockets that die
    /// in between; no privilege needed
    Netlink,
    /// Every change of state as the kernel makes it, beside dumps of sock_diag; needs root, or
    /// CAP_PERFMON and tracefs
    Trace,
    /// The best that is permitted: trace, else netlink, else proc
    Auto,
}

/// What is shown of the transitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ViewName {
    /// A line per transition
    Events,
    /// A block per socket when its life is over, and for those that are not at the end
    Timeline,
    /// The sockets there are, longest in their state first
    Table,
    /// The diagram of the TCP states, with how often each step was made
    Diagram,
}

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// Aligned columns for people
    Text,
    /// One JSON object per line
    Json,
    /// Comma separated values
    Csv,
    /// The diagram for documents and browsers
    Svg,
    /// The diagram for Graphviz
    Dot,
    /// The diagram for Mermaid
    Mermaid,
}

/// What the diagram is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DrawingName {
    /// Characters for people
    Text,
    /// The diagram for documents and browsers
    Svg,
    /// The diagram for Graphviz
    Dot,
    /// The diagram for Mermaid
    Mermaid,
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorName {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How times are written in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TimeName {
    /// 12:00:01.104
    Clock,
    /// 2026-11-01T12:00:01.104000Z
    Rfc3339,
    /// Seconds since 1970
    Epoch,
    /// Seconds since the first look
    Elapsed,
}
