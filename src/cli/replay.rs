//! The arguments of `replay`.

use super::args::Options;
use clap::Args;
use std::path::PathBuf;

/// The arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayOptions {
    /// The recording; '-' is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) options: Options,
    /// Go on as the file grows, across rotation
    #[arg(long)]
    pub(crate) follow: bool,
    /// The flags given that choose how the kernel is sampled, which a recording has settled.
    #[arg(skip)]
    pub(crate) sampling_flags: Vec<String>,
}
