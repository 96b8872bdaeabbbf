//! The arguments of `check`.

use super::args::{
    CommonArgs, CountArgs, EndArgs, FilterArgs, FormatArgs, Options, PollArgs, ReadyArgs,
    RecordArgs, SourceArgs, TableArgs, TextArgs,
};
use super::choices::GroupName;
use super::complete::{StateWords, ages, counts, states};
use crate::view::ViewName;
use clap::Args;
use std::path::PathBuf;

/// The arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckOptions {
    /// Report sockets that stay in STATE for AGE, such as CLOSE_WAIT:60s
    ///
    /// May be repeated. STATE may be any SET as for --state.
    #[arg(long, value_name = "STATE:AGE", value_parser = StateWords(ages), hide_possible_values = true)]
    pub(crate) stuck: Vec<String>,
    /// Report if more than COUNT sockets are in STATE, such as TIME_WAIT:1000
    #[arg(long, value_name = "STATE:COUNT", value_parser = StateWords(counts))]
    #[arg(hide_possible_values = true)]
    pub(crate) max: Vec<String>,
    /// Report if more sockets are in STATE at the end than at the start, and never fewer in between
    #[arg(long, value_name = "STATE", value_parser = StateWords(states), hide_possible_values = true)]
    pub(crate) growing: Vec<String>,
    /// Report if this share of the local ports is in use towards one remote end, such as 80%
    ///
    /// Sockets of all processes count: connect() takes a port of net.ipv4.ip_local_port_range that none
    /// of them has towards the same remote address and port. TIME_WAIT counts, too. --local, --remote,
    /// --port, -4 and -6 choose the connections. With --for the highest use of that time is reported.
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true)]
    #[arg(conflicts_with_all = ["stuck", "max", "growing", "by"])]
    pub(crate) ports: Option<String>,
    /// Watch for this long [default: the longest AGE of --stuck, or less where the kernel knows]
    #[arg(long = "for", value_name = "DUR", allow_hyphen_values = true)]
    pub(crate) duration: Option<String>,
    /// Check the recording in FILE, from its beginning to its end; '-' is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Count what is found: a line for each group and state
    #[arg(long, value_name = "KEY", value_enum)]
    pub(crate) by: Option<GroupName>,
    /// Print the first N rows only [default on a terminal: 20]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) top: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) shared: CheckShared,
    /// The flags given that choose how the kernel is sampled, which a recording has settled.
    #[arg(skip)]
    pub(crate) sampling_flags: Vec<String>,
}

/// The groups of arguments that `check` takes.
#[derive(Debug, Default, Args)]
#[allow(missing_docs)] // the groups say what they are
pub(crate) struct CheckShared {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) poll: PollArgs,
    #[command(flatten)]
    pub(crate) record: RecordArgs,
    #[command(flatten)]
    pub(crate) ready: ReadyArgs,
    #[command(flatten)]
    pub(crate) count: CountArgs,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) table: TableArgs,
    #[command(flatten)]
    pub(crate) text: TextArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

impl CheckShared {
    /// The options that the settings check.
    pub(crate) fn options(self) -> Options {
        let Self { filter, source, poll, record, ready, count, format, table, text, common } = self;
        Options {
            filter,
            source,
            poll,
            record,
            ready,
            end: EndArgs { duration: None, count },
            view: format.of_view(ViewName::Table),
            table,
            text,
            time: super::args::TimeArgs::default(),
            info: super::args::InfoArgs::default(),
            no_mouse: false,
            reads_times: false,
            common,
        }
    }
}
