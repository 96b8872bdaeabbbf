//! A network namespace for this process and all that it starts.

use crate::loopback;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use std::fs;

/// Leaves the machine's network for one of its own, with nothing in it but loopback. Who may not
/// make one makes a user namespace, in which he may.
pub(crate) fn enter() -> Result<(), String> {
    match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => {}
        Err(Errno::EPERM) => enter_as_user()?,
        Err(errno) => return Err(cannot("network", errno)),
    }
    loopback::up();
    Ok(())
}

fn enter_as_user() -> Result<(), String> {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)
        .map_err(|errno| cannot("user", errno))?;
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {uid} 1")),
        ("gid_map", format!("0 {gid} 1")),
    ] {
        let write = fs::write(format!("/proc/self/{file}"), text);
        write.map_err(|error| format!("no user namespace, {file}: {error}"))?;
    }
    Ok(())
}

fn cannot(kind: &str, errno: Errno) -> String {
    format!(
        "no {kind} namespace can be made here ({}), and outside of one its sockets would be among \
         the machine's own: run it as root, or where user namespaces are permitted",
        errno.desc()
    )
}
