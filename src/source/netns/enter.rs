//! Opens something in another network namespace. A thread of its own enters it, opens what stays in
//! there, such as a socket, and ends: no other thread of this program ever has another namespace.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::thread;

/// What `open` returns in a namespace.
///
/// # Errors
/// Permission to enter it is denied, or there is no room for a thread.
pub(super) fn in_namespace<T: Send>(
    namespace: &File,
    open: impl FnOnce() -> T + Send,
) -> io::Result<T> {
    thread::scope(|scope| {
        let enter = move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(open())
        };
        let helper = thread::Builder::new().name("netns".to_owned()).spawn_scoped(scope, enter)?;
        helper.join().unwrap_or_else(|_| Err(io::Error::other("the thread has failed")))
    })
}
