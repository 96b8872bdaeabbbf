//! Network namespaces that are asked for with `--netns` and cannot be read.

use std::path::PathBuf;

/// What is wrong with one that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetnsError {
    /// `--netns NAME` of none.
    #[error(
        "--netns: there is no network namespace '{0}'; write a name that ip netns list prints, a path, \
         pid:N, container:ID or all"
    )]
    NoName(String),
    /// `--netns PATH` of something else.
    #[error("--netns: {}: {why}; write a path such as /run/netns/NAME or /proc/PID/ns/net", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// `--netns pid:N` of nothing.
    #[error("--netns: there is no process {0}; write another number")]
    NoProcess(i32),
    /// `--netns NAME` of a recording without it.
    #[error(
        "--netns: the recording shows no network namespace '{name}'; {}",
        if known.is_empty() { "its namespace is not known".to_owned() } else { format!("write one of {known}") }
    )]
    NotRecorded {
        /// As it was written.
        name: String,
        /// Those that it shows.
        known: String,
    },
    /// `--netns container:ID` without a process.
    #[error(
        "--netns: no process runs in a container '{0}', as far as can be seen; write its id, or pid:N of \
         a process in it"
    )]
    NoContainer(String),
    /// `--source netlink` without the right to enter namespaces.
    #[error(
        "--netns: sock_diag shows the sockets of others only to who may enter them (CAP_SYS_ADMIN); run as \
         root, or use --source proc"
    )]
    MayNotEnter,
    /// One that is there and cannot be read.
    #[error(
        "--netns: cannot read network namespace {0}; run as root, or name \
         one in which a process runs and use --source proc"
    )]
    Unreadable(String),
}
