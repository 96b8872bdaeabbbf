//! What all programs that run in the kernel need: its types, a loader, and the reason where it refuses
//! them. The programs are here, too, in C and as the objects that `build.sh` makes of them; who loads
//! one reads what it writes.

mod refusal;

use crate::error::{BTF, BpfError};
use aya::{Btf, EbpfError, VerifierLogLevel};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// So often a program is loaded before the kernel's refusal counts.
const ATTEMPTS: u32 = 3;
/// So much later each time.
const DELAY: Duration = Duration::from_millis(20);

/// What the verifier says of a program that it refuses. Without any, the loader's last attempt fails for
/// that (`EINVAL`) where the kernel had a reason of its own.
pub(crate) const VERIFIER_LOG: VerifierLogLevel = VerifierLogLevel::STATS;

/// Loads programs by what `load` does with the kernel's types, which takes some 50 ms of CPU time to
/// read.
///
/// # Errors
/// What the kernel lacks or denies.
pub(crate) fn load<T>(load: impl Fn(&Btf) -> Result<T, EbpfError>) -> Result<T, BpfError> {
    let types = Btf::from_sys_fs().map_err(|error| match std::fs::metadata(BTF) {
        Err(missing) if missing.kind() == ErrorKind::NotFound => BpfError::NoTypes,
        _ => BpfError::Types(refusal::innermost(&error)),
    })?;
    for attempt in 1.. {
        match load(&types) {
            // On a machine that is short of something the same call works a moment later.
            Err(error) if attempt < ATTEMPTS && !refusal::is_denied(&error) => {
                log::debug!("loading a BPF program: {}", refusal::chain(&error));
                std::thread::sleep(DELAY * attempt);
            }
            Err(error) => return Err(refusal::refusal(&error)),
            Ok(loaded) => return Ok(loaded),
        }
    }
    unreachable!("the last attempt returns")
}

/// The number of the pid namespace of this process, which is that of a procfs: what programs call a process is its
/// number there.
///
/// # Errors
/// The procfs shows another one, does not say, or cannot be read.
pub(crate) fn pid_namespace(procfs: &Path) -> Result<u64, BpfError> {
    let unreadable = |error| BpfError::Procfs(procfs.to_owned(), error);
    // The pid in the procfs's namespace, and in each below it that this process is in.
    let status = match std::fs::read_to_string(procfs.join("self/status")) {
        // It is there in every procfs, and leads to nothing in that of another namespace.
        Err(_) if is_dangling(&procfs.join("self")) => String::new(),
        status => status.map_err(unreadable)?,
    };
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    if numbers.is_none_or(|numbers| numbers.split_ascii_whitespace().count() != 1) {
        return Err(BpfError::OtherProcesses(procfs.to_owned()));
    }
    std::fs::metadata(procfs.join("self/ns/pid")).map(|it| it.ino()).map_err(unreadable)
}

fn is_dangling(link: &Path) -> bool {
    link.is_symlink() && !link.exists()
}

/// The kernel's error behind one of the loader, or else the text of that.
pub(crate) fn kernel_error(error: &(dyn Error + 'static)) -> io::Error {
    let errno = refusal::errno_of(error);
    errno.map_or_else(|| io::Error::other(refusal::innermost(error)), io::Error::from)
}
