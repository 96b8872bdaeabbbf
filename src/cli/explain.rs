//! The arguments of `explain`.

use super::choices::{ColorName, DrawingName};
use super::complete::{StateWords, states};
use clap::Args;

/// The arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// A state, or the old and the new state of a transition, in any common spelling
    #[arg(value_name = "STATE", num_args = 0..=2, value_parser = StateWords(states))]
    #[arg(hide_possible_values = true)]
    pub(crate) states: Vec<String>,
    /// Format of the diagram
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: DrawingName,
    /// Colors
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) color: ColorName,
}
