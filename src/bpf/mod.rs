//! What all programs that run in the kernel need: its types, a loader, and the reason where it refuses
//! them. The programs are here, too, in C and as the objects that `build.sh` makes of them; who loads
//! one reads what it writes.

mod refusal;

use aya::{Btf, EbpfError};
use refusal::Refusal;
use std::io::ErrorKind;
use std::time::Duration;

/// Describes the kernel's types.
const BTF: &str = "/sys/kernel/btf/vmlinux";
/// So often a program is loaded before the kernel's refusal counts.
const ATTEMPTS: u32 = 3;
/// So much later each time.
const DELAY: Duration = Duration::from_millis(20);

/// Loads programs by what `load` does with the kernel's types, which takes some 50 ms of CPU time to
/// read.
///
/// # Errors
/// What the kernel lacks or denies, in a sentence.
pub(crate) fn load<T>(load: impl Fn(&Btf) -> Result<T, EbpfError>) -> Result<T, String> {
    let types = Btf::from_sys_fs().map_err(|error| match std::fs::metadata(BTF) {
        Err(missing) if missing.kind() == ErrorKind::NotFound => Refusal::NoTypes.to_string(),
        _ => format!("{BTF} cannot be read: {}", refusal::innermost(&error)),
    })?;
    for attempt in 1.. {
        match load(&types) {
            // On a machine that is short of something the same call works a moment later.
            Err(error) if attempt < ATTEMPTS && !refusal::is_denied(&error) => {
                log::debug!("loading a BPF program: {}", refusal::chain(&error));
                std::thread::sleep(DELAY * attempt);
            }
            Err(error) => return Err(Refusal::of(&error).to_string()),
            Ok(loaded) => return Ok(loaded),
        }
    }
    unreachable!("the last attempt returns")
}
