//! Which network namespace readings come from.

use std::path::Path;

/// The inode of a process's network namespace, by its directory in a procfs; `None` where it cannot
/// be read.
pub(super) fn namespace(process: &Path) -> Option<u64> {
    let link = std::fs::read_link(process.join("ns/net")).ok()?;
    link.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}
