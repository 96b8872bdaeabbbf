//! The kernel's interfaces that sockets are read by, with all that other modules ask about them.

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which of the kernel's interfaces readings come from: the values of `--source`, besides `auto`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize, ValueEnum,
)]
#[schemars(rename = "interface")]
#[serde(rename_all = "lowercase")]
pub enum Interface {
    /// Polls of `/proc/net/tcp` and `/proc/net/tcp6`.
    #[default]
    #[value(help = "Polls of /proc/net/tcp and /proc/net/tcp6")]
    Proc,
    /// sock_diag dumps and destroy events.
    #[value(
        help = "Polls of sock_diag, as ss does, with the kernel's destroy events of sockets that \
                    close between two polls; no privilege needed"
    )]
    Netlink,
    /// Kernel events of every state change, by BPF, beside polls.
    #[value(
        help = "Every state change as the kernel makes it, by BPF, beside polls of sock_diag; \
                    needs CAP_BPF and CAP_PERFMON, as root has them"
    )]
    #[cfg_attr(not(feature = "bpf"), value(hide = true))]
    Trace,
}

/// What an interface can do, and what it cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // each is a question of its own
pub(crate) struct InterfaceTraits {
    /// It reads the files of `--procfs`; others read those of this kernel alone.
    pub(crate) reads_procfs: bool,
    /// It yields every state change, from the ring of `--ring`.
    pub(crate) yields_every_change: bool,
    /// It hears of sockets that no poll has shown.
    pub(crate) has_destroy_events: bool,
    /// Its polls, and nothing else of it, show sockets that are merely bound.
    pub(crate) shows_bound: bool,
    /// The interface of its polls, for who needs a single one.
    pub(crate) polled: Interface,
    /// The program was built with it.
    pub(crate) is_built_in: bool,
}

impl Interface {
    /// All of them, the best first: what `--source auto` tries.
    pub const BEST_FIRST: [Self; 3] = [Self::Trace, Self::Netlink, Self::Proc];

    /// See [`InterfaceTraits`].
    pub(crate) const fn traits(self) -> InterfaceTraits {
        let proc = InterfaceTraits {
            reads_procfs: true,
            yields_every_change: false,
            has_destroy_events: false,
            shows_bound: false,
            polled: self,
            is_built_in: true,
        };
        let netlink = InterfaceTraits { reads_procfs: false, has_destroy_events: true, ..proc };
        match self {
            Self::Proc => proc,
            Self::Netlink => InterfaceTraits { shows_bound: true, ..netlink },
            Self::Trace => InterfaceTraits {
                yields_every_change: true,
                polled: Self::Netlink,
                is_built_in: cfg!(feature = "bpf"),
                ..netlink
            },
        }
    }

    /// As it is written behind `--source`.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
