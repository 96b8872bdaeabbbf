//! The arguments of `top`.

use super::args::{
    CommonArgs, EndArgs, FilterArgs, InfoArgs, Options, PollArgs, ReadyArgs, RecordArgs,
    SourceArgs, TableArgs, TextArgs, TimeArgs, ViewArgs,
};
use crate::view::ViewName;
use clap::Args;

/// The arguments of `top`.
#[derive(Debug, Args)]
#[allow(missing_docs)] // the groups say what they are
pub struct TopOptions {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) poll: PollArgs,
    #[command(flatten)]
    pub(crate) info: InfoArgs,
    /// Stop after this long
    #[arg(long = "for", value_name = "DUR", allow_hyphen_values = true)]
    #[arg(help_heading = "Sampling options")]
    pub(crate) duration: Option<String>,
    #[command(flatten)]
    pub(crate) record: RecordArgs,
    #[command(flatten)]
    pub(crate) ready: ReadyArgs,
    /// Leave the mouse to the terminal, which then selects text with it
    #[arg(long, help_heading = "Output options")]
    pub(crate) no_mouse: bool,
    #[command(flatten)]
    pub(crate) table: TableArgs,
    #[command(flatten)]
    pub(crate) text: TextArgs,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

impl From<TopOptions> for Options {
    fn from(top: TopOptions) -> Self {
        let TopOptions {
            filter,
            source,
            poll,
            info,
            duration,
            record,
            ready,
            no_mouse,
            table,
            text,
            time,
            common,
        } = top;
        let end = EndArgs { duration, ..EndArgs::default() };
        let view = ViewArgs { view: ViewName::Top, ..ViewArgs::default() };
        let with_defaults = Self::default();
        Self {
            filter,
            source,
            poll,
            info,
            end,
            record,
            ready,
            view,
            table,
            text,
            time,
            common,
            no_mouse,
            ..with_defaults
        }
    }
}
