//! What the test targets share: the program under test, processes that hold sockets for it, a
//! procfs made by a test, and the kernel's own account of what happened.
//!
//! Every wait in here ends: with what was waited for, or with a panic that prints what there was
//! instead. No test waits for time to pass.

pub(crate) mod actor;
pub(crate) mod browser;
pub(crate) mod fake_procfs;
pub(crate) mod loopback;
pub(crate) mod mounts;
pub(crate) mod netns;
pub(crate) mod no_sock_diag;
pub(crate) mod output;
pub(crate) mod pidns;
pub(crate) mod program;
pub(crate) mod record;
pub(crate) mod require;
pub(crate) mod schema;
pub(crate) mod scrape;
pub(crate) mod sockets;
pub(crate) mod stall;
pub(crate) mod trace;
pub(crate) mod wait;
