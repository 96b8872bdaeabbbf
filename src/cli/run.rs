//! The arguments of `run`.

use super::args::Options;
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

/// The arguments of `run`.
#[derive(Debug, Args)]
pub struct RunOptions {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) options: Options,
    /// Wait at most this long for the ends of its sockets, and for those in TIME_WAIT too; without
    /// it, until they are closed or only TIME_WAIT is left
    #[arg(long, value_name = "DUR")]
    pub(crate) linger: Option<String>,
    /// Write the timelines to FILE, as they end, instead of standard error
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}
