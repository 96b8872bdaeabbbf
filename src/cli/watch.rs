//! The arguments of `watch`.

use super::args::{
    CommonArgs, EndArgs, FilterArgs, InfoArgs, Options, PollArgs, ReadyArgs, RecordArgs,
    SourceArgs, TableArgs, TextArgs, TimeArgs, ViewArgs,
};
use clap::Args;

/// The arguments of `watch`, which are those of the program without a command, too.
#[derive(Debug, Default, Args)]
#[allow(missing_docs)] // the groups say what they are
pub struct WatchOptions {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) poll: PollArgs,
    #[command(flatten)]
    pub(crate) info: InfoArgs,
    #[command(flatten)]
    pub(crate) end: EndArgs,
    #[command(flatten)]
    pub(crate) record: RecordArgs,
    #[command(flatten)]
    pub(crate) ready: ReadyArgs,
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

impl From<WatchOptions> for Options {
    fn from(watch: WatchOptions) -> Self {
        let WatchOptions {
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
        } = watch;
        let no_mouse = false;
        Self {
            filter,
            source,
            poll,
            info,
            end,
            record,
            ready,
            view,
            no_mouse,
            table,
            text,
            time,
            reads_times: false,
            common,
        }
    }
}
