//! What keeps this process from seeing everything, and what to do about it: "run as root" is of no
//! use to root in a container.

use rustix::fs::stat;
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, capabilities, capability_is_in_bounding_set};
use std::fmt;
use std::sync::OnceLock;

/// The numbers of the namespaces that the machine has booted in (`include/linux/proc_ns.h`).
const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;
const INITIAL_USER_NAMESPACE: u64 = 0xEFFF_FFFD;
#[cfg(feature = "bpf")]
const INITIAL_TIME_NAMESPACE: u64 = 0xEFFF_FFFA;
/// What the kernel shows for a user without a number, unless a sysctl says otherwise.
const OVERFLOW_UID: u32 = 65_534;

/// What to do in order to see more, as a phrase: "run as root".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// An ordinary user may become root.
    Root,
    /// Root lacks capabilities, and may have them.
    Capabilities(Vec<&'static str>),
    /// No process here can have these capabilities.
    Bounds {
        /// Their names.
        missing: Vec<&'static str>,
        /// The caller is root.
        is_root: bool,
    },
    /// The capabilities of a user namespace are not those of the machine.
    UserNamespace,
    /// Processes outside of a pid namespace cannot be seen from within.
    PidNamespace,
    /// The capabilities are there: something else denies it.
    Policy,
    /// A recording has what could be seen when it was made.
    Recording,
    /// The name of a container or pod was not found: what to write instead.
    WriteId(String),
    /// Threads may have descriptor tables of their own, and there are too many to read all of them.
    OwnersByBpf,
}

impl Remedy {
    /// What it is that is not known of a socket.
    pub const fn doubt(&self) -> &'static str {
        match self {
            Self::WriteId(_) => "may be of a container or pod whose name was not found",
            Self::OwnersByBpf => "may belong to threads, whose descriptors are too many to read",
            _ => "may belong to processes that cannot be inspected",
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("run as root"),
            Self::Capabilities(missing) => write!(f, "run with {}", missing.join(" and ")),
            Self::Bounds { missing, is_root } => {
                let root = if *is_root { "" } else { ", and run as root" };
                write!(f, "add {} to this container or service{root}", missing.join(" and "))
            }
            Self::UserNamespace => f.write_str("run as root outside of this user namespace"),
            Self::PidNamespace => {
                f.write_str("run as root outside of this container (pid namespace)")
            }
            Self::Policy => {
                f.write_str("permit it in the sandbox, security module or lockdown here")
            }
            Self::WriteId(instead) => write!(f, "write its id, {instead}"),
            Self::OwnersByBpf => f.write_str("use --owners bpf"),
            Self::Recording => f.write_str("record where all processes can be inspected"),
        }
    }
}

/// What to do in order to inspect every process. `all_listed`: procfs lists all processes of the
/// machine.
pub(crate) fn to_inspect_processes(all_listed: bool) -> Remedy {
    let to_list = CapabilitySet::DAC_READ_SEARCH.union(CapabilitySet::DAC_OVERRIDE);
    let mut here = Here::new(&[
        // To see where descriptors of other users lead, and to list them.
        (CapabilitySet::SYS_PTRACE, "CAP_SYS_PTRACE"),
        (to_list, "CAP_DAC_READ_SEARCH"),
    ]);
    here.sees_all_processes = all_listed || !in_pid_namespace();
    here.remedy()
}

/// A uid as the kernel shows it; `None` for the one that stands for every user without a number in
/// this user namespace: it may be anybody's.
pub(crate) fn known_uid(uid: u32) -> Option<u32> {
    static UNMAPPED: OnceLock<Option<u32>> = OnceLock::new();
    let unmapped = *UNMAPPED.get_or_init(|| {
        let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        (!maps_every_user(&map)).then(|| {
            let overflow = std::fs::read_to_string("/proc/sys/kernel/overflowuid");
            overflow.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(OVERFLOW_UID)
        })
    });
    (unmapped != Some(uid)).then_some(uid)
}

/// Whether a `uid_map` has a number for every user.
fn maps_every_user(map: &str) -> bool {
    let count = |line: &str| line.split_ascii_whitespace().nth(2)?.parse::<u64>().ok();
    let counts: Vec<Option<u64>> = map.lines().map(count).collect();
    counts.iter().flatten().sum::<u64>() >= u32::MAX.into()
}

/// Whether other network namespaces can be entered: those of this user namespace.
pub(crate) fn may_enter_namespaces() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

/// Whether capabilities are those of a user namespace, not of the machine.
pub(crate) fn in_user_namespace() -> bool {
    !is_in("user", INITIAL_USER_NAMESPACE)
}

/// Whether processes have other numbers for the kernel than here.
pub(crate) fn in_pid_namespace() -> bool {
    !is_in("pid", INITIAL_PID_NAMESPACE)
}

/// Whether clocks may show other times here than to the kernel.
#[cfg(feature = "bpf")]
pub(crate) fn in_time_namespace() -> bool {
    !is_in("time", INITIAL_TIME_NAMESPACE)
}

/// Whether this is the pid namespace that the machine has booted in.
#[cfg(feature = "bpf")]
pub(crate) const fn is_initial_pid_namespace(number: u64) -> bool {
    number == INITIAL_PID_NAMESPACE
}

/// Capabilities any of which will do, and the name of the best of them.
type Needed = (CapabilitySet, &'static str);

/// What the process has, of what it needs.
#[derive(Debug, Clone)]
struct Here {
    is_root: bool,
    /// Capabilities that it does not have.
    missing: Vec<&'static str>,
    /// Of these, such as it cannot have.
    out_of_bounds: Vec<&'static str>,
    in_initial_user_namespace: bool,
    sees_all_processes: bool,
}

impl Here {
    fn new(needed: &[Needed]) -> Self {
        // What cannot be asked is taken for the usual: a mistake is a worse advice, no false claim.
        let has = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
        let is_possible = |any: CapabilitySet| {
            any.iter().any(|one| capability_is_in_bounding_set(one).unwrap_or(true))
        };
        let missing: Vec<&Needed> =
            needed.iter().filter(|(any, _)| !has.intersects(*any)).collect();
        let out_of_bounds = missing.iter().filter(|(any, _)| !is_possible(*any));
        Self {
            is_root: geteuid().is_root(),
            out_of_bounds: out_of_bounds.map(|(_, name)| *name).collect(),
            missing: missing.into_iter().map(|(_, name)| *name).collect(),
            in_initial_user_namespace: !in_user_namespace(),
            sees_all_processes: true,
        }
    }

    fn remedy(self) -> Remedy {
        if !self.sees_all_processes {
            Remedy::PidNamespace
        } else if !self.in_initial_user_namespace {
            Remedy::UserNamespace
        } else if !self.out_of_bounds.is_empty() {
            Remedy::Bounds { missing: self.out_of_bounds, is_root: self.is_root }
        } else if self.missing.is_empty() {
            Remedy::Policy
        } else if self.is_root {
            Remedy::Capabilities(self.missing)
        } else {
            Remedy::Root
        }
    }
}

/// Whether this process is in the namespace with this number; true if that cannot be asked.
fn is_in(kind: &str, number: u64) -> bool {
    stat(format!("/proc/self/ns/{kind}")).map_or(true, |namespace| namespace.st_ino == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_map_of_all_users_leaves_no_uid_open() {
        assert!(maps_every_user("         0          0 4294967295\n"));
        for map in ["", "0 1000 1\n", "0 1000 1\n1 100000 65536\n", "garbage\n"] {
            assert!(!maps_every_user(map), "{map:?}");
        }
    }

    #[test]
    fn root_is_advised_only_where_it_helps() {
        let user = Here {
            is_root: false,
            missing: vec!["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"],
            out_of_bounds: Vec::new(),
            in_initial_user_namespace: true,
            sees_all_processes: true,
        };
        let says = |here: Here, phrase: &str| assert_eq!(here.remedy().to_string(), phrase);
        says(user.clone(), "run as root");
        let bounds = vec!["CAP_SYS_PTRACE"];
        let in_service = Here { out_of_bounds: bounds.clone(), ..user.clone() };
        says(in_service, "add CAP_SYS_PTRACE to this container or service, and run as root");
        let root = Here { is_root: true, missing: bounds.clone(), ..user };
        says(root.clone(), "run with CAP_SYS_PTRACE");
        let bounded = Here { out_of_bounds: bounds, ..root.clone() };
        says(bounded.clone(), "add CAP_SYS_PTRACE to this container or service");
        let inside = Here { in_initial_user_namespace: false, ..bounded.clone() };
        says(inside, "run as root outside of this user namespace");
        let contained = Here { sees_all_processes: false, ..bounded };
        says(contained, "run as root outside of this container (pid namespace)");
        let full = Here { missing: Vec::new(), ..root };
        says(full, "permit it in the sandbox, security module or lockdown here");
    }
}
