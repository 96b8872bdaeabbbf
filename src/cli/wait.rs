//! The arguments of `wait`.

use super::args::Options;
use clap::Args;

/// The arguments of `wait`.
#[derive(Debug, Args)]
pub struct WaitOptions {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) options: Options,
    /// What to wait for: any SET, none SET, all SET, or 'count SET OP N' with OP one of
    /// >= > = < <=; SET as in --state [default: any connected, or any LISTEN with -l]
    #[arg(long, value_name = "EXPR", help_heading = "What to wait for")]
    pub(crate) until: Option<String>,
    /// Give up after this long, with exit status 124
    #[arg(long, value_name = "DUR", help_heading = "What to wait for")]
    pub(crate) timeout: Option<String>,
}
