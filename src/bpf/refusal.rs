//! Why the kernel does not take a program.

use crate::error::{BpfError, LEAST_KERNEL, reason};
use crate::privileges::in_user_namespace;
use aya::programs::ProgramError;
use aya::{BtfError, EbpfError};
use rustix::io::Errno;
use std::error::Error;
use std::io;

/// Capabilities by number (`linux/capability.h`), in the order in which they are named.
const SYS_ADMIN: u32 = 21;
const NEEDED: [(u32, &str); 2] = [(39, "CAP_BPF"), (38, "CAP_PERFMON")];

/// How the kernel is locked down, where securityfs is mounted.
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

/// Why a program cannot be loaded.
pub(super) fn refusal(error: &EbpfError) -> BpfError {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    match errno_of(error) {
        _ if is_denied(error) => {
            denial(&read("/proc/self/status"), in_user_namespace(), &read(LOCKDOWN))
        }
        _ if is_old(&release) => BpfError::Old { release },
        Some(Errno::NOMEM) => BpfError::Memory,
        _ => match verifiers(error) {
            Some((_, log)) if is_locked_down(&log, &read(LOCKDOWN)) => BpfError::Lockdown,
            Some((error, log)) => BpfError::Rejected(rejection(error, &log)),
            None => missing_type(error)
                .map_or_else(|| BpfError::Rejected(chain(error)), BpfError::Lacks),
        },
    }
}

/// What the kernel answered to a program, and what its verifier said of it.
fn verifiers(error: &EbpfError) -> Option<(&io::Error, String)> {
    match error {
        EbpfError::ProgramError(ProgramError::LoadError { io_error, verifier_log }) => {
            Some((io_error, verifier_log.to_string()))
        }
        _ => None,
    }
}

/// Whether the verifier has refused a program because the kernel is locked down: no helper then reads
/// the kernel's memory (`bpf_tracing_func_proto()`), and the errno is that of any faulty program. The
/// loader replaces one that is missing by the older `bpf_probe_read`. In a container `lockdown` often
/// cannot be read.
fn is_locked_down(log: &str, lockdown: &str) -> bool {
    lockdown.contains("[confidentiality]") || log.contains(" bpf_probe_read")
}

fn rejection(error: &io::Error, log: &str) -> String {
    // Notes come before it, and how much was verified after it.
    let why = log.lines().rfind(|line| !line.is_empty() && !line.starts_with("processed "));
    why.map_or_else(|| reason(error), |why| format!("{}: {why}", reason(error)))
}

/// Why it is not permitted, by the text of `status` and `lockdown`; one that cannot be read says
/// nothing.
fn denial(status: &str, in_user_namespace: bool, lockdown: &str) -> BpfError {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let set = line.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or(u64::MAX);
    let has = |capability: u32| set >> capability & 1 == 1;
    let missing = NEEDED.iter().filter(|(capability, _)| !has(*capability) && !has(SYS_ADMIN));
    let missing: Vec<_> = missing.map(|(_, name)| *name).collect();
    match () {
        () if !missing.is_empty() => BpfError::Capabilities(missing),
        () if in_user_namespace => BpfError::UserNamespace,
        () if lockdown.contains("[confidentiality]") => BpfError::Lockdown,
        () => BpfError::Forbidden,
    }
}

/// Whether the kernel has refused for lack of permission. `EACCES` is also its verifier's word for a
/// program that does what none may.
pub(super) fn is_denied(error: &EbpfError) -> bool {
    let is_verifiers = matches!(error, EbpfError::ProgramError(ProgramError::LoadError { .. }));
    match errno_of(error) {
        Some(Errno::PERM) => true,
        Some(Errno::ACCESS) => !is_verifiers,
        _ => false,
    }
}

/// The texts of an error and its causes. The last ones may be as long as the log of the kernel's
/// verifier: of each the first line counts.
pub(super) fn chain(error: &EbpfError) -> String {
    let texts = causes(error).into_iter().map(|cause| first_line(&cause.to_string()));
    texts.collect::<Vec<_>>().join(": ")
}

/// The text of the innermost cause.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(|cause| first_line(&cause.to_string())).unwrap_or_default()
}

/// An error and its causes.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut causes = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        causes.push(cause);
        next = cause.source();
    }
    causes
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The kernel's error behind one of the loader.
pub(super) fn errno_of(error: &(dyn Error + 'static)) -> Option<Errno> {
    causes(error).iter().find_map(|cause| Errno::from_io_error(cause.downcast_ref::<io::Error>()?))
}

/// The type that the kernel does not have; of a tracepoint its name.
fn missing_type(error: &EbpfError) -> Option<String> {
    let (EbpfError::BtfError(cause) | EbpfError::ProgramError(ProgramError::Btf(cause))) = error
    else {
        return None;
    };
    let BtfError::UnknownBtfTypeName { type_name } = cause else { return None };
    Some(match (type_name.strip_prefix("btf_trace_"), type_name.strip_prefix("bpf_iter_")) {
        (Some(tracepoint), _) => format!("tracepoint {tracepoint}"),
        (_, Some(iterator)) => format!("iterator {iterator}"),
        _ => format!("type {type_name}"),
    })
}

/// Whether a release, such as `5.10.0-32-amd64`, is of a kernel that is too old.
fn is_old(release: &str) -> bool {
    let mut numbers =
        release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().ok());
    let version = numbers.next().flatten().zip(numbers.next().flatten());
    version.is_some_and(|version| version < LEAST_KERNEL)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_names_what_is_missing() {
        let denied = |capabilities: &str, in_user_namespace: bool, lockdown: &str| {
            let status = format!("Name:\tx\nCapEff:\t{capabilities}\nSeccomp:\t0\n");
            denial(&status, in_user_namespace, lockdown)
        };
        let lacks = |capabilities: &str, names: &[&str]| {
            let error = denied(capabilities, false, "");
            assert!(matches!(&error, BpfError::Capabilities(lacks) if lacks == names), "{error}");
        };
        lacks("0000000000000000", &["CAP_BPF", "CAP_PERFMON"]);
        lacks("0000008000000000", &["CAP_PERFMON"]);
        lacks("0000004000000000", &["CAP_BPF"]);
        let (admin, both, all) = ("0000000000200000", "000000c000000000", "000001ffffffffff");
        for enough in [admin, both] {
            assert!(matches!(denied(enough, false, ""), BpfError::Forbidden), "{enough}");
        }
        assert!(matches!(denied(all, true, ""), BpfError::UserNamespace));
        let locked = denied(all, false, "none integrity [confidentiality]\n");
        assert!(matches!(locked, BpfError::Lockdown));
        assert!(matches!(denial("", false, ""), BpfError::Forbidden));
    }

    #[test]
    fn a_lockdown_is_known_by_what_the_verifier_misses() {
        let (open, locked) =
            ("[none] integrity confidentiality\n", "none integrity [confidentiality]\n");
        assert!(is_locked_down("", locked));
        for unreadable in ["", open] {
            // Linux 6.1, then 6.12.
            assert!(is_locked_down("unknown func bpf_probe_read#4\n", unreadable));
            let log = "program of this type cannot use helper bpf_probe_read#4\nprocessed 9 insns";
            assert!(is_locked_down(log, unreadable));
            assert!(!is_locked_down("R1 type=scalar expected=fp\n", unreadable));
        }
    }

    #[test]
    fn a_rejection_has_what_the_verifier_says_last() {
        let error = io::Error::from(Errno::INVAL);
        let log = "reg type unsupported for arg#0\nR1 type=scalar expected=fp\nprocessed 9 insns\n";
        assert_eq!(rejection(&error, log), "Invalid argument: R1 type=scalar expected=fp");
        assert_eq!(rejection(&error, ""), "Invalid argument");
    }

    #[test]
    fn old_kernels_are_known_by_their_release() {
        for old in ["5.10.0-32-amd64", "4.18.0-553.el8_10.x86_64", "5.11", "3.10.0"] {
            assert!(is_old(old), "{old}");
        }
        for new in ["5.12.0", "5.14.0-503.el9", "6.1.0-37-cloud-amd64", "10.0", "", "unknown"] {
            assert!(!is_old(new), "{new}");
        }
    }

    #[test]
    fn a_missing_tracepoint_is_named() {
        let lacks = |name: &str| {
            let type_name = name.to_owned();
            let error = ProgramError::Btf(BtfError::UnknownBtfTypeName { type_name });
            missing_type(&EbpfError::ProgramError(error))
        };
        assert_eq!(lacks("btf_trace_tcp_send_reset").as_deref(), Some("tracepoint tcp_send_reset"));
        assert_eq!(lacks("bpf_iter_task_file").as_deref(), Some("iterator task_file"));
        assert_eq!(lacks("sock").as_deref(), Some("type sock"));
    }
}
