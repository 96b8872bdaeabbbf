//! Which network namespace readings come from.

use crate::settings::OWN_PROCFS;
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

/// The directory with the network namespace that a procfs shows: that of the caller in its own procfs,
/// else that of process 1, or the root of a procfs that is made up and has no processes.
pub(super) fn shown_process(procfs: &Path) -> PathBuf {
    if procfs == Path::new(OWN_PROCFS) {
        return own_process(procfs);
    }
    let first = procfs.join("1");
    if first.join("net/tcp").exists() { first } else { procfs.to_owned() }
}
