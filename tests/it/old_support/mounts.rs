//! Mounts that the calling thread, and what it starts, sees alone: the machine's stay as they are.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::path::Path;

/// Gives the calling thread a mount namespace of its own and mounts a file system of the kernel's
/// there.
pub(crate) fn mount_privately(kind: &str, at: &Path, options: Option<&str>) -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    mount(Some(kind), at, Some(kind), MsFlags::empty(), options)
}
