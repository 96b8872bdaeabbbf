//! A world of its own: network, processes and their `/proc`. Nothing else that goes on in the
//! machine is listed, walked or inspected; and all ends with its first process.

use crate::loopback;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use rustix::process::{Signal, set_parent_process_death_signal};
use std::fs;
use std::process::{Command, ExitStatus};

/// The word that makes this binary the first process of the new world.
pub(crate) const ROLE: &str = "inside";

/// Runs this binary once more in namespaces of its own. Who may not make them makes a user
/// namespace, in which he may.
pub(crate) fn run_inside(words: &[&str]) -> Result<ExitStatus, String> {
    let wanted = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    match unshare(wanted) {
        Ok(()) => {}
        Err(Errno::EPERM) => unshare_as_user(wanted)?,
        Err(errno) => return Err(refused(why(errno))),
    }
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let status = Command::new(this).arg(ROLE).args(words).status();
    status.map_err(|error| refused(&error.to_string()))
}

fn unshare_as_user(wanted: CloneFlags) -> Result<(), String> {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER | wanted).map_err(|errno| refused(why(errno)))?;
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {uid} 1")),
        ("gid_map", format!("0 {gid} 1")),
    ] {
        let write = fs::write(format!("/proc/self/{file}"), text);
        write.map_err(|error| refused(&format!("{file}: {error}")))?;
    }
    Ok(())
}

/// Makes the new world fit to live in, as its first process.
pub(crate) fn furnish() -> Result<(), String> {
    // As first process of its namespace it would survive Ctrl-C.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| error.to_string())?;
    mount_proc().map_err(|errno| refused(&format!("/proc: {}", errno.desc())))?;
    take_a_table()?;
    loopback::up();
    Ok(())
}

fn mount_proc() -> nix::Result<()> {
    let (nothing, private) = (None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE);
    mount(nothing, "/", nothing, private, nothing)?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), nothing)
}

/// All namespaces share the kernel's table of connections, so that every reader walks over
/// those of others too. Since Linux 6.1 a namespace can give its children a table of their own:
/// here one as large as that of the machine. On older kernels it stays shared.
fn take_a_table() -> Result<(), String> {
    const SETTINGS: &str = "/proc/sys/net/ipv4";
    let size = fs::read_to_string(format!("{SETTINGS}/tcp_ehash_entries")).unwrap_or_default();
    // A shared table is shown as a negative number.
    let size = size.trim().trim_start_matches('-');
    if fs::write(format!("{SETTINGS}/tcp_child_ehash_entries"), size).is_ok() {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| refused(why(errno)))?;
    }
    Ok(())
}

fn why(errno: Errno) -> &'static str {
    match errno {
        Errno::ENOSPC => "there are as many as /proc/sys/user allows",
        errno => errno.desc(),
    }
}

fn refused(why: &str) -> String {
    format!(
        "no namespaces of network, mounts and processes can be made here ({why}), and outside of \
         them its sockets would be among the machine's own: run it as root, or where user \
         namespaces are permitted"
    )
}
