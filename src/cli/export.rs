//! The arguments of `export`.

use super::args::{
    CommonArgs, EndArgs, FilterArgs, Options, PollArgs, ReadyArgs, RecordArgs, SourceArgs,
};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Where metrics are served unless another place is given.
const LISTEN: &str = "127.0.0.1:9713";
/// How many groups have names unless it is given.
const LIMIT: &str = "50";

/// The arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportOptions {
    /// Serve http://ADDRESS:PORT/metrics, or the Unix socket unix:PATH [default: 127.0.0.1:9713]
    ///
    /// By default only this machine can connect. All who can connect can read which programs have
    /// which sockets: there is neither a password nor TLS.
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "textfile")]
    pub(crate) listen: Option<String>,
    /// Write FILE.prom every 5 seconds for the textfile collector of node_exporter; listen nowhere
    #[arg(long, value_name = "FILE.prom")]
    pub(crate) textfile: Option<PathBuf>,
    /// What sockets are grouped by besides their state [default: process]
    #[arg(long, value_name = "KEY", value_enum, value_delimiter = ',')]
    pub(crate) by: Vec<ExportKey>,
    /// Groups with labels of their own; those that come later are counted as "other" [default: 50]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) limit: Option<String>,
    /// Stop after this long
    #[arg(long = "for", value_name = "DUR", allow_hyphen_values = true)]
    pub(crate) duration: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) shared: ExportShared,
}

impl ExportOptions {
    /// Where to serve.
    pub(crate) fn listen(&self) -> &str {
        self.listen.as_deref().unwrap_or(LISTEN)
    }

    /// How many groups have names.
    pub(crate) fn limit(&self) -> &str {
        self.limit.as_deref().unwrap_or(LIMIT)
    }
}

/// What metrics are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportKey {
    /// The name of the owning process
    Process,
    /// The systemd service or scope that it runs in
    Unit,
    /// The container that it runs in
    Container,
    /// The local port; those that connect() chooses are one group
    LocalPort,
    /// The state alone
    State,
}

/// The groups of arguments that `export` takes.
#[derive(Debug, Default, Args)]
#[allow(missing_docs)] // the groups say what they are
pub(crate) struct ExportShared {
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

impl ExportShared {
    /// The options that the settings check.
    pub(crate) fn options(self, duration: Option<String>) -> Options {
        let Self { filter, source, poll, record, ready, common } = self;
        let end = EndArgs { duration, ..EndArgs::default() };
        Options { filter, source, poll, end, record, ready, common, ..Options::default() }
    }
}
