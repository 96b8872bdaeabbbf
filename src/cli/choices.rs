//! The named values that flags take.

use crate::model::reading::Interface;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use std::sync::LazyLock;

/// Where states come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceName {
    /// One of the kernel's interfaces.
    Of(Interface),
    /// The best that is permitted.
    Auto,
}

impl Default for SourceName {
    fn default() -> Self {
        Self::Of(Interface::default())
    }
}

impl SourceName {
    /// What is asked for; `None` where the program chooses.
    pub(crate) const fn interface(self) -> Option<Interface> {
        match self {
            Self::Of(interface) => Some(interface),
            Self::Auto => None,
        }
    }
}

impl ValueEnum for SourceName {
    fn value_variants<'a>() -> &'a [Self] {
        static VARIANTS: LazyLock<Vec<SourceName>> = LazyLock::new(|| {
            let interfaces = Interface::value_variants().iter().copied().map(SourceName::Of);
            interfaces.chain([SourceName::Auto]).collect()
        });
        &VARIANTS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Of(interface) => interface.to_possible_value(),
            Self::Auto => {
                let help = "The best that is permitted: trace, else netlink, else proc";
                Some(PossibleValue::new("auto").help(help))
            }
        }
    }
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
