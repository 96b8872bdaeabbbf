//! The arguments of `run`.

use super::args::{
    ByArgs, CommonArgs, CountArgs, EndArgs, FilterArgs, FormatArgs, InfoArgs, Options, OwnersArgs,
    PollArgs, RecordArgs, SourceArgs, TextArgs, TimeArgs, ViewArgs,
};
use super::choices::{RunViewName, SourceName};
use crate::view::ViewName;
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

/// The arguments of `run`.
#[derive(Debug, Args)]
pub struct RunOptions {
    /// Wait at most this long for the sockets of COMMAND to close after it has exited, also for
    /// those in TIME_WAIT [default: until all are closed or in TIME_WAIT]
    #[arg(long, value_name = "DUR", allow_hyphen_values = true)]
    pub(crate) linger: Option<String>,
    /// Write each timeline to FILE when it is complete, instead of to standard error at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) shared: RunShared,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND", help_heading = None)]
    pub(crate) command: Vec<OsString>,
}

/// The groups of arguments that `run` takes.
#[derive(Debug, Default, Args)]
#[allow(missing_docs)] // the groups say what they are
pub(crate) struct RunShared {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// Where states come from
    #[arg(long, value_enum, default_value = "auto", help_heading = "Sampling options")]
    pub(crate) source: SourceName,
    #[command(flatten)]
    pub(crate) owners: OwnersArgs,
    #[command(flatten)]
    pub(crate) poll: PollArgs,
    #[command(flatten)]
    pub(crate) info: InfoArgs,
    #[command(flatten)]
    pub(crate) record: RecordArgs,
    #[command(flatten)]
    pub(crate) count: CountArgs,
    /// What to print
    #[arg(long, value_enum, default_value = "timeline", help_heading = "Output options")]
    pub(crate) view: RunViewName,
    #[command(flatten)]
    pub(crate) by: ByArgs,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) text: TextArgs,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

impl From<RunShared> for Options {
    fn from(run: RunShared) -> Self {
        let RunShared { filter, source, owners, poll, info, record, count, view, by, .. } = run;
        let RunShared { format, text, time, common, .. } = run;
        let source = SourceArgs { source, owners, ..SourceArgs::default() };
        let end = EndArgs { duration: None, count };
        let name = match view {
            RunViewName::Timeline => ViewName::Timeline,
            RunViewName::Summary => ViewName::Summary,
        };
        let view = ViewArgs { by, ..format.of_view(name) };
        let with_defaults = Self::default();
        Self { filter, source, poll, info, end, record, view, text, time, common, ..with_defaults }
    }
}
