//! The arguments of `replay`.

use super::args::Options;
use clap::Args;
use std::path::PathBuf;

/// What `replay` takes.
#[derive(Debug, Args)]
pub struct ReplayOptions {
    /// The recording; '-' is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub options: Options,
    /// Go on as the file grows, across rotation
    #[arg(long)]
    pub follow: bool,
    /// Flags that were given and say how to look, which was settled when it was recorded.
    #[arg(skip)]
    pub live: Vec<String>,
}
