//! Mounts that the calling thread, and what it starts, sees alone: the machine's stay as they are.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::path::Path;

/// Gives the calling thread a mount namespace of its own, in which no mount of others appears.
pub(crate) fn enter_private_mounts() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)
}

/// Mounts a file system of the kernel's in a mount namespace of the calling thread's own.
pub(crate) fn mount_privately(kind: &str, at: &Path, options: Option<&str>) -> nix::Result<()> {
    enter_private_mounts()?;
    mount(Some(kind), at, Some(kind), MsFlags::empty(), options)
}
