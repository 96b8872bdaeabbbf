//! The arguments of `check`.

use super::args::Options;
use clap::Args;
use std::path::PathBuf;

/// What `check` takes.
#[derive(Debug, Args)]
pub struct CheckOptions {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub options: Options,
    /// A socket that stays in STATE for AGE, such as CLOSE_WAIT:60s; may be repeated, and STATE
    /// may be any SET as in --state. --for is the longest AGE unless it is given
    #[arg(long, value_name = "STATE:AGE", help_heading = "What is wrong")]
    pub stuck: Vec<String>,
    /// More than COUNT sockets in STATE, such as TIME_WAIT:1000
    #[arg(long, value_name = "STATE:COUNT", help_heading = "What is wrong")]
    pub max: Vec<String>,
    /// More sockets in STATE at the end than at the start, and never fewer in between
    #[arg(long, value_name = "STATE", help_heading = "What is wrong")]
    pub growing: Vec<String>,
    /// Judge the recording in FILE, from its beginning to its end; '-' is standard input
    #[arg(long, value_name = "FILE", help_heading = "What is wrong")]
    pub from: Option<PathBuf>,
    /// Flags that were given and say how to look at the kernel.
    #[arg(skip)]
    pub live: Vec<String>,
}
