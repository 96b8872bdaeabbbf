//! The arguments that several commands share.

use super::values::{ColorName, FormatName, SourceName, TimeName, ViewName};
use clap::Args;
use std::path::PathBuf;

/// The arguments of every command that watches sockets.
#[derive(Debug, Args)]
pub struct Options {
    /// Regular expression for the name of the owning process: the kernel's name for it, or the
    /// base name of its executable or of its first argument; (?i) ignores case
    #[arg(value_name = "PATTERN")]
    pub(crate) patterns: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) sampling: SamplingArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) netstat: NetstatCompat,
}

/// Which sockets: the filters.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which sockets")]
#[allow(clippy::struct_excessive_bools)] // flags are bools
pub struct FilterArgs {
    /// PATTERN must match the whole name
    #[arg(short = 'x', long)]
    pub(crate) exact: bool,
    /// Match PATTERN against the whole command line
    #[arg(short, long)]
    pub(crate) full: bool,
    /// Owned by one of these processes
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub(crate) pid: Vec<String>,
    /// Owned by this user; a socket without an owner passes by its own uid
    #[arg(long, value_name = "NAME|UID", value_delimiter = ',')]
    pub(crate) user: Vec<String>,
    /// States to print, such as ESTABLISHED,fin-wait-1 or connected; !STATE leaves one out.
    /// A change passes by the state before or after it
    #[arg(short, long, value_name = "SET")]
    pub(crate) state: Vec<String>,
    #[allow(rustdoc::broken_intra_doc_links)] // an address, no link
    /// Local end: 10.0.0.0/8, 192.0.2.7:443, :443, :8000-8999, [::1]:80
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    pub(crate) local: Vec<String>,
    /// Remote end, written like the local one
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    pub(crate) remote: Vec<String>,
    /// Port of either end: 443, 8000-8999
    #[arg(long, value_name = "N[-M]", value_delimiter = ',')]
    pub(crate) port: Vec<String>,
    /// IPv4 sockets
    #[arg(short = '4', long)]
    pub(crate) ipv4: bool,
    /// IPv6 sockets
    #[arg(short = '6', long)]
    pub(crate) ipv6: bool,
    /// Listening sockets alone
    #[arg(short, long)]
    pub(crate) listening: bool,
}

/// Where samples come from, how often, and for how long.
#[derive(Debug, Args)]
#[command(next_help_heading = "How and how long to look")]
pub struct SamplingArgs {
    /// Where states come from
    #[arg(long, value_enum, default_value = "proc")]
    pub(crate) source: SourceName,
    /// Another mount of procfs, such as /host/proc in a container
    #[arg(long, value_name = "PATH", default_value = "/proc")]
    pub(crate) procfs: PathBuf,
    /// Time between the starts of two polls
    #[arg(short, long, value_name = "DUR", default_value = "100ms")]
    pub(crate) interval: String,
    /// Stop after this long
    #[arg(long = "for", value_name = "DUR")]
    pub(crate) duration: Option<String>,
    /// Stop after N records
    #[arg(short, long, value_name = "N")]
    pub(crate) max_count: Option<u64>,
    /// Stretch the interval so that polling takes at most this share of one core
    #[arg(long, value_name = "PERCENT", default_value = "25")]
    pub(crate) max_cpu: f64,
    /// Memory per CPU for the events of --source trace
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    pub(crate) ring: String,
    /// Write a line "ready" to file descriptor N once the first poll is over
    #[arg(long, value_name = "N")]
    pub(crate) ready_fd: Option<u32>,
    /// Also write every reading to FILE, to be shown again by replay; SIGHUP opens it anew
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

/// What is printed, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "What to print")]
#[allow(clippy::struct_excessive_bools)] // flags are bools
pub struct OutputArgs {
    /// What is shown of the transitions
    #[arg(long, value_enum, default_value = "events")]
    pub(crate) view: ViewName,
    /// Format of the records
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: FormatName,
    /// Judge by the rules in this TOML file, too, and print alerts; it is read again when it changes
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Option<PathBuf>,
    /// JSON Lines: short for --format json
    #[arg(short, long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Tables: also user and inode
    #[arg(short, long)]
    pub(crate) extend: bool,
    /// Tables: also timers and retransmits
    #[arg(short = 'o', long)]
    pub(crate) timers: bool,
    /// Text: names of hosts and services instead of numbers
    #[arg(short, long)]
    pub(crate) resolve: bool,
    /// No line that names the columns
    #[arg(short = 'H', long)]
    pub(crate) no_header: bool,
    /// Text: colours
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) color: ColorName,
    /// Text: how times are written
    #[arg(long, value_enum, default_value = "clock")]
    pub(crate) time: TimeName,
    /// Text: times in UTC
    #[arg(long)]
    pub(crate) utc: bool,
}

/// Flags of netstat and ss that are accepted without effect, or refused with a hint.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // flags are bools
pub struct NetstatCompat {
    /// All sockets: the default
    #[arg(short, long, hide = true)]
    pub(crate) all: bool,
    /// Numbers instead of names: the default
    #[arg(short, long, hide = true)]
    pub(crate) numeric: bool,
    /// With the owning process: the default
    #[arg(short, long, visible_alias = "program", alias = "processes", hide = true)]
    pub(crate) programs: bool,
    /// TCP: the only protocol
    #[arg(short, long, hide = true)]
    pub(crate) tcp: bool,
    /// UDP is not shown
    #[arg(short, long, hide = true)]
    pub(crate) udp: bool,
    /// Raw sockets are not shown
    #[arg(short = 'w', long, hide = true)]
    pub(crate) raw: bool,
    /// SCTP is not shown
    #[arg(short = 'S', long, hide = true)]
    pub(crate) sctp: bool,
    /// Unix sockets are not shown
    #[arg(long, hide = true)]
    pub(crate) unix: bool,
}
