//! The arguments of `replay`.

use super::args::{
    CommonArgs, EndArgs, FilterArgs, Options, SourceArgs, TableArgs, TextArgs, TimeArgs, ViewArgs,
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
    /// Print what happened from TIME on: 14:03, 14:03:22.5, 2026-11-28T14:03, RFC 3339
    ///
    /// A number is seconds since 1970. A time of day is the first one in the recording (or less than an hour before it), in the local
    /// time zone or with --utc in UTC.
    /// What happened before is read, so that sockets have their history.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Stop at TIME; the table, the diagram and open timelines are those of that moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
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
    /// Network namespaces of the recording: names, inodes, or paths such as /run/netns/blue
    #[arg(long, value_name = "NS", help_heading = "Filter options")]
    pub(crate) netns: Vec<String>,
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

impl From<ReplayOptions> for Options {
    fn from(replay: ReplayOptions) -> Self {
        let reads_times = replay.since.is_some() || replay.until.is_some();
        let ReplayShared { filter, netns, end, view, table, text, time, common } = replay.shared;
        let source = SourceArgs { netns, ..SourceArgs::default() };
        let with_defaults = Self::default();
        Self { filter, source, end, view, table, text, time, common, reads_times, ..with_defaults }
    }
}
