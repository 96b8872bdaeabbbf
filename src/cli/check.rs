//! The arguments of `check`.

use super::args::Options;
use clap::Args;
use std::path::PathBuf;

/// The arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckOptions {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) options: Options,
    /// A socket that stays in STATE for AGE, such as CLOSE_WAIT:60s; may be repeated, and STATE
    /// may be any SET as in --state. --for is the longest AGE unless it is given
    #[arg(long, value_name = "STATE:AGE", help_heading = "What is wrong")]
    pub(crate) stuck: Vec<String>,
    /// More than COUNT sockets in STATE, such as TIME_WAIT:1000
    #[arg(long, value_name = "STATE:COUNT", help_heading = "What is wrong")]
    pub(crate) max: Vec<String>,
    /// More sockets in STATE at the end than at the start, and never fewer in between
    #[arg(long, value_name = "STATE", help_heading = "What is wrong")]
    pub(crate) growing: Vec<String>,
    /// Judge the recording in FILE, from its beginning to its end; '-' is standard input
    #[arg(long, value_name = "FILE", help_heading = "What is wrong")]
    pub(crate) from: Option<PathBuf>,
    /// The flags given that choose how the kernel is sampled, which a recording has settled.
    #[arg(skip)]
    pub(crate) sampling_flags: Vec<String>,
}
