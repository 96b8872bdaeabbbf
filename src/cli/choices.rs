//! The named values that flags take.

use clap::ValueEnum;

/// Where states come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SourceName {
    /// Polls of /proc/net/tcp and /proc/net/tcp6
    #[default]
    Proc,
    /// Polls of sock_diag, as ss does, with the kernel's destroy events of sockets that close
    /// between two polls; no privilege needed
    Netlink,
    /// Every state change as the kernel makes it, by BPF, beside polls of sock_diag; needs CAP_BPF
    /// and CAP_PERFMON, as root has them
    #[cfg_attr(not(feature = "bpf"), value(hide = true))]
    Trace,
    /// The best that is permitted: trace, else netlink, else proc
    Auto,
}

/// How the processes that hold sockets are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OwnersName {
    /// By the descriptors that procfs shows, of processes that may be read
    #[default]
    Proc,
    /// By a BPF program that walks through all descriptors; needs CAP_BPF and CAP_PERFMON
    #[cfg_attr(not(feature = "bpf"), value(hide = true))]
    Bpf,
    /// By BPF where it is permitted and more than 20,000 files are open, else by procfs
    Auto,
}

/// What is printed of a run that goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ViewName {
    /// One line per transition
    #[default]
    Events,
    /// One block per socket, printed when it closes or when tcplapse exits
    Timeline,
    /// The current sockets, longest in their state first
    Table,
    /// The TCP state diagram with the number of times each transition was made
    Diagram,
    /// Sockets counted by group and state: how many, how fast they come and go, how long they stay,
    /// how they end, and what is noteworthy
    Summary,
    /// The sockets on a whole terminal, with keys: as the command top
    #[cfg(feature = "tui")]
    Top,
}

/// What is printed of the sockets of a command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RunViewName {
    /// One block per socket
    #[default]
    Timeline,
    /// Sockets counted by group and state
    Summary,
}

/// What sockets are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GroupName {
    /// The remote address
    Remote,
    /// The name of the owning process
    Process,
    /// The local port
    LocalPort,
    /// The service or scope of systemd in which the owning process runs
    Unit,
    /// The container in which it runs
    Container,
    /// The pod in which it runs, as NAMESPACE/NAME
    Pod,
    /// The state
    State,
}

impl GroupName {
    /// Whether it is about what a process runs in.
    pub(crate) const fn is_workload(self) -> bool {
        matches!(self, Self::Unit | Self::Container | Self::Pod)
    }
}

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortName {
    /// The local address and port
    Local,
    /// The remote address and port
    Remote,
    /// The state, in the order of a connection's life
    State,
    /// The name of the owning process; sockets without a known owner come last
    Process,
    /// Bytes received and not read, the most first
    RecvQueue,
    /// Bytes sent and not acknowledged, the most first
    SendQueue,
}

/// How records are written, the diagram included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    /// Aligned columns for people
    #[default]
    Text,
    /// One JSON object per line
    Json,
    /// Comma-separated values
    Csv,
    /// The diagram for documents and browsers
    Svg,
    /// The diagram for Graphviz
    Dot,
    /// The diagram for Mermaid
    Mermaid,
    /// A report of the run for a browser, in one file; with the default view
    Html,
}

/// How records are written by a command that draws no diagram.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RecordFormat {
    /// Aligned columns for people
    #[default]
    Text,
    /// One JSON object per line
    Json,
    /// Comma-separated values
    Csv,
}

/// What the diagram is drawn with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DrawingName {
    /// Characters for people
    #[default]
    Text,
    /// The diagram for documents and browsers
    Svg,
    /// The diagram for Graphviz
    Dot,
    /// The diagram for Mermaid
    Mermaid,
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorName {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How times are written in text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimeName {
    /// 12:00:01.104
    #[default]
    Clock,
    /// 2026-11-01T12:00:01.104000Z
    Rfc3339,
    /// Seconds since 1970
    Epoch,
    /// Seconds since the first record
    Elapsed,
}
