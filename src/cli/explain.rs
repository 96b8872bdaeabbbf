//! The arguments of `explain`.

use super::values::{ColorName, DrawingName};
use clap::Args;

/// The arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// A state, or two: from the one to the other. Any common spelling will do
    #[arg(value_name = "STATE", num_args = 0..=2)]
    pub(crate) states: Vec<String>,
    /// Format of the diagram
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: DrawingName,
    /// Colours
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) color: ColorName,
}
