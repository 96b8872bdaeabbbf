//! What tracefs says of the tracepoints. It is only read: nothing is made there, so that nothing
//! can be left behind.
//!
//! Where it is not mounted, as in a container or under `ip netns exec`, it is mounted nowhere:
//! `fsmount()` gives a descriptor of a mount that is in no tree of mounts and ends with it.

use super::format::Format;
use super::record::{TRACEPOINTS, Tracepoint};
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use std::fs::File;
use std::io::{self, Read};

const MOUNT_POINTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// The formats of the tracepoints that this kernel has, in the order of [`TRACEPOINTS`].
///
/// # Errors
/// Why there are none, in words that say what to do.
pub fn formats() -> Result<Vec<(Tracepoint, Format)>, String> {
    let root = open_root()?;
    let mut formats = Vec::new();
    for (tracepoint, name) in TRACEPOINTS {
        let text = match read(&root, &format!("events/{name}/format")) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(format!("tracefs cannot be read: {error}; run as root")),
        };
        formats.extend(Format::parse(&text).map(|format| (tracepoint, format)));
    }
    Ok(formats)
}

fn open_root() -> Result<OwnedFd, String> {
    for path in MOUNT_POINTS {
        let dir = openat(CWD, path, directory(), Mode::empty());
        match dir {
            // The mount point alone is an empty directory of sysfs.
            Ok(dir) if openat(&dir, "events", directory(), Mode::empty()).is_ok() => {
                return Ok(dir);
            }
            Err(Errno::ACCESS | Errno::PERM) => {
                return Err(format!("{path} may not be read; run as root"));
            }
            _ => {}
        }
    }
    mounted_nowhere().map_err(|errno| match errno {
        Errno::PERM | Errno::ACCESS => {
            "tracefs is not mounted, and only root (CAP_SYS_ADMIN) may mount it".to_owned()
        }
        Errno::NODEV => "this kernel has no tracefs (CONFIG_TRACING)".to_owned(),
        other => format!("tracefs is not mounted and cannot be: {other}"),
    })
}

fn mounted_nowhere() -> rustix::io::Result<OwnedFd> {
    let context = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)
}

fn directory() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC
}

fn read(root: &OwnedFd, path: &str) -> io::Result<String> {
    let file = openat(root, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = String::new();
    File::from(file).read_to_string(&mut text)?;
    Ok(text)
}
