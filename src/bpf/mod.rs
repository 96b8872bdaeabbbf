//! What all programs that run in the kernel need: its types, a loader, and the reason where it refuses
//! them. The programs are here, too, in C and as the objects that `build.sh` makes of them; who loads
//! one reads what it writes.

mod refusal;

use crate::error::{BTF, BpfError};
use aya::{Btf, EbpfError, VerifierLogLevel};
use std::io::ErrorKind;
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
