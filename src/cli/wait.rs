//! The arguments of `wait`.

use super::args::{CommonArgs, FilterArgs, Options, PollArgs, ReadyArgs, RecordArgs, SourceArgs};
use super::complete::{StateWords, quantities};
use clap::Args;

/// The arguments of `wait`.
#[derive(Debug, Args)]
pub struct WaitOptions {
    /// Condition: 'any SET', 'none SET', 'all SET' or 'count SET OP N' [default: 'any connected', or
    /// 'any LISTEN' with -l]
    ///
    /// SET is written as for --state, OP is one of >= > = < <=. 'any SET': at least one matching
    /// socket is in SET. 'none SET': no matching socket is. 'all SET': there is a matching socket,
    /// and all of them are.
    #[arg(long, value_name = "EXPR", value_parser = StateWords(quantities), hide_possible_values = true)]
    pub(crate) until: Option<String>,
    /// Give up after this long, with exit status 124
    #[arg(long, value_name = "DUR", allow_hyphen_values = true)]
    pub(crate) timeout: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) shared: WaitShared,
}

/// The groups of arguments that `wait` takes.
#[derive(Debug, Default, Args)]
#[allow(missing_docs)] // the groups say what they are
pub(crate) struct WaitShared {
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
    pub(crate) common: CommonArgs,
}

impl From<WaitShared> for Options {
    fn from(wait: WaitShared) -> Self {
        let WaitShared { filter, source, poll, record, ready, common } = wait;
        Self { filter, source, poll, record, ready, common, ..Self::default() }
    }
}
