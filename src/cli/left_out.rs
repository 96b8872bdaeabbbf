//! A command that a cargo feature leaves out. Its name is no PATTERN: it is refused.

use clap::Args;
use std::ffi::OsString;

/// Anything.
#[derive(Debug, Args)]
pub struct LeftOut {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    ignored: Vec<OsString>,
}
