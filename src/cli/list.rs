//! The arguments of `list`.

use super::args::{
    CommonArgs, CountArgs, EndArgs, FilterArgs, FormatArgs, Options, RecordArgs, SourceArgs,
    TableArgs, TextArgs,
};
use super::values::ViewName;
use clap::Args;

/// The arguments of `list`.
#[derive(Debug, Args)]
#[allow(missing_docs)] // the groups say what they are
pub struct ListOptions {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
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
        let ListOptions { filter, source, record, count, format, table, text, common } = list;
        let view = format.of_view(ViewName::Table);
        let end = EndArgs { duration: None, count };
        Self { filter, source, end, record, view, table, text, common, ..Self::default() }
    }
}
