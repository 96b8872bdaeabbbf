//! Which network namespace readings come from.

use std::path::{Path, PathBuf};

/// The inode of a process's network namespace, by its directory in a procfs; `None` where it cannot
/// be read.
pub(super) fn namespace(process: &Path) -> Option<u64> {
    let link = std::fs::read_link(process.join("ns/net")).ok()?;
    link.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

/// The directory of the calling thread in its own procfs, or of its process: kernels before 3.17 have
/// no `thread-self`, and no thread of this program has a namespace of its own.
pub(super) fn own_process(procfs: &Path) -> PathBuf {
    let thread = procfs.join("thread-self");
    if thread.exists() { thread } else { procfs.join("self") }
}
