//! The arguments of `replay`.

use super::args::{
    CommonArgs, EndArgs, FilterArgs, Options, TableArgs, TextArgs, TimeArgs, ViewArgs,
};
use clap::Args;
use std::path::PathBuf;

/// The arguments of `replay`: those of `watch` without the ones about sampling.
#[derive(Debug, Args)]
pub struct ReplayOptions {
    /// The recording; '-' is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Continue as the file grows, also when it is rotated
    #[arg(long)]
    pub(crate) follow: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) shared: ReplayShared,
}

/// The groups of arguments that `replay` takes.
#[derive(Debug, Default, Args)]
#[allow(missing_docs)] // the groups say what they are
pub(crate) struct ReplayShared {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) end: EndArgs,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
    #[command(flatten)]
    pub(crate) table: TableArgs,
    #[command(flatten)]
    pub(crate) text: TextArgs,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

impl From<ReplayShared> for Options {
    fn from(replay: ReplayShared) -> Self {
        let ReplayShared { filter, end, view, table, text, time, common } = replay;
        Self { filter, end, view, table, text, time, common, ..Self::default() }
    }
}
