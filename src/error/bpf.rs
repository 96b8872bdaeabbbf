//! Programs in the kernel that cannot be used.

use super::reason;
use std::io;
use std::path::PathBuf;

/// Describes the kernel's types.
pub(crate) const BTF: &str = "/sys/kernel/btf/vmlinux";
/// The first kernel with all that the programs use.
pub(crate) const LEAST_KERNEL: (u32, u32) = (5, 12);

/// Why `--source trace` or `--owners bpf` is not possible here.
#[derive(Debug, thiserror::Error)]
#[allow(dead_code)] // which of them there are is a matter of the cargo feature
pub enum BpfError {
    /// Without the cargo feature.
    #[error("this program is built without the cargo feature bpf")]
    LeftOut,
    /// The kernel does not describe its types.
    #[error(
        "the kernel has no {BTF}, which BPF needs: it was built without CONFIG_DEBUG_INFO_BTF, or /sys is \
         not mounted"
    )]
    NoTypes,
    /// The description cannot be read.
    #[error("{BTF} cannot be read: {0}")]
    Types(String),
    /// The kernel is too old.
    #[error("BPF needs Linux {}.{}, and this is {release}", LEAST_KERNEL.0, LEAST_KERNEL.1)]
    Old {
        /// Its release.
        release: String,
    },
    /// This process lacks these capabilities.
    #[error(
        "BPF is not permitted: this process lacks {}, which root has unless a container or service takes \
         them away",
        .0.join(" and ")
    )]
    Capabilities(Vec<&'static str>),
    /// It has them in a user namespace alone.
    #[error(
        "BPF is not permitted: it needs root outside of any user namespace, such as that of a rootless \
         container"
    )]
    UserNamespace,
    /// The kernel is locked down.
    #[error("BPF is not permitted: the kernel is locked down (lockdown=confidentiality)")]
    Lockdown,
    /// Something else forbids it.
    #[error(
        "BPF is not permitted, not even to root: by seccomp, as in a container, or a security module"
    )]
    Forbidden,
    /// There is no memory for a map, or it may not be locked.
    #[error(
        "the kernel has no memory for the BPF programs, or this process may lock no more of it (ulimit -l)"
    )]
    Memory,
    /// The kernel lacks a type, a tracepoint or an iterator.
    #[error("this kernel has no {0}, which the BPF programs need")]
    Lacks(String),
    /// The loader or the kernel does not take a program, in their words.
    #[error("the kernel does not take the BPF programs: {0}")]
    Rejected(String),
    /// There is no thread or no descriptor to read the events with.
    #[error("the events of the BPF programs cannot be read: {}", reason(.0))]
    Ring(io::Error),
    /// The iterator is loaded and cannot be read.
    #[error("the BPF iterator cannot be read: {}", reason(.0))]
    Iterator(io::Error),
    /// A procfs does not show the pid namespace of this process.
    #[error("{} shows another pid namespace than that of this process", .0.display())]
    OtherProcesses(PathBuf),
    /// A procfs cannot be read.
    #[error("{}/self cannot be read: {}", .0.display(), reason(.1))]
    Procfs(PathBuf, io::Error),
    /// The clocks of this process may be set off from the kernel's.
    #[error("this process is in a time namespace, and BPF has the times outside of it")]
    TimeNamespace,
    /// The network namespace of this process is not known.
    #[error("/proc/thread-self/ns/net cannot be read; mount /proc")]
    NoNamespace,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_one_line() {
        let reasons = [
            BpfError::NoTypes,
            BpfError::Old { release: "5.10.0".to_owned() },
            BpfError::Capabilities(vec!["CAP_BPF"]),
            BpfError::UserNamespace,
            BpfError::Lockdown,
            BpfError::Forbidden,
            BpfError::Memory,
            BpfError::Lacks("tracepoint x".to_owned()),
            BpfError::Rejected("x".to_owned()),
            BpfError::TimeNamespace,
        ];
        for reason in reasons {
            let text = reason.to_string();
            assert!(text.contains("BPF") && !text.contains(['\n', ';']), "{text}");
            assert!(!text.ends_with('.'), "{text}");
        }
    }
}
