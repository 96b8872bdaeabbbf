//! The arguments of `list`.

use super::args::{
    CommonArgs, CountArgs, EndArgs, FilterArgs, FormatArgs, InfoArgs, Options, RecordArgs,
    SourceArgs, TableArgs, TextArgs,
};
use super::choices::SortName;
use crate::view::ViewName;
use clap::Args;
use std::path::PathBuf;

/// The arguments of `list`.
#[derive(Debug, Args)]
#[allow(missing_docs)] // the groups say what they are
pub struct ListOptions {
    /// List the sockets of the recording in FILE as they were at its end; '-' is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// With --from: as they were at TIME, such as 14:03:22, 2026-11-28T14:03 or RFC 3339
    ///
    /// A number is seconds since 1970. A time of day is the first one in the recording (or less than an
    /// hour before it), in the local time zone.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// The flags given that choose how the kernel is sampled, which a recording has settled.
    #[arg(skip)]
    pub(crate) sampling_flags: Vec<String>,
    /// Sort by this [default: listeners first, then by local port; JSON and CSV: the kernel's order]
    #[arg(long, value_name = "KEY", value_enum, help_heading = "Output options")]
    pub(crate) sort: Option<SortName>,
    /// Print the first N rows only
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = "Output options")]
    pub(crate) top: Option<String>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) info: InfoArgs,
    #[command(flatten)]
    pub(crate) record: RecordArgs,
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

impl From<ListOptions> for Options {
    fn from(list: ListOptions) -> Self {
        let ListOptions {
            filter, source, info, record, count, format, table, text, common, ..
        } = list;
        let view = format.of_view(ViewName::Table);
        let end = EndArgs { duration: None, count };
        Self { filter, source, info, end, record, view, table, text, common, ..Self::default() }
    }
}
