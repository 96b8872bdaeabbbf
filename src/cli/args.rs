//! The groups of arguments that commands share. Each command takes the groups that it uses and no
//! others; [`Options`] is what they have in common for the settings.

use super::choices::{
    ColorName, FormatName, GroupName, OwnersName, RecordFormat, SourceName, TimeName,
};
use super::complete::{StateWords, states};
use crate::view::ViewName;
use clap::Args;
use std::path::PathBuf;

/// The time between two polls unless it is given.
const INTERVAL: &str = "100ms";
/// The share of one core that polling takes at most unless it is given.
const MAX_CPU: &str = "25";
/// The memory per CPU for kernel events unless it is given.
const RING: &str = "1MiB";

/// The options of any command that shows sockets, and the arguments of `watch`, which takes all of them.
/// Those that another command does not take have their defaults.
#[derive(Debug, Default, Args)]
#[allow(missing_docs)] // the groups say what they are
pub struct Options {
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
    /// Of `top`: leave the mouse to the terminal.
    #[arg(skip)]
    pub(crate) no_mouse: bool,
    /// Of `replay`: times are also read from the command line, in the time zone of `time`.
    #[arg(skip)]
    pub(crate) reads_times: bool,
}

/// What every command that shows sockets takes.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct CommonArgs {
    /// Print no warnings and no closing line
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) netstat: NetstatCompat,
}

/// Which sockets.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Filters")]
#[allow(clippy::struct_excessive_bools)] // flags are bools
pub(crate) struct FilterArgs {
    /// Regular expression for the name of the owning process, matched anywhere in it
    ///
    /// The name is the one that the kernel shows, which is cut at 15 bytes, or the base name of the
    /// executable or of its first argument. (?i) in front ignores case. Several patterns are
    /// alternatives.
    #[arg(value_name = "PATTERN", help_heading = None)]
    pub(crate) patterns: Vec<String>,
    /// PATTERN must match the whole name
    #[arg(short = 'x', long)]
    pub(crate) exact: bool,
    /// Match PATTERN against the whole command line
    #[arg(short, long)]
    pub(crate) full: bool,
    /// Sockets of these processes: 812, or 812,813
    #[arg(long, value_name = "PID", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) pid: Vec<String>,
    /// Sockets of these users' processes; those without a known owner are matched by their uid
    #[arg(long, value_name = "NAME|UID", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) user: Vec<String>,
    /// Sockets of processes in these systemd units: nginx, session-3.scope, 'app-*'
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) unit: Vec<String>,
    /// Sockets of processes in these containers: a name, or the beginning of an id
    #[arg(long, value_name = "NAME|ID", value_delimiter = ',')]
    pub(crate) container: Vec<String>,
    /// Sockets of processes in these pods: web-0, shop/web-0, 'shop/*'
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) pod: Vec<String>,
    /// States such as ESTABLISHED,fin-wait-1 or connected; ^STATE excludes one
    ///
    /// Any common spelling is accepted, and the groups of ss: connected, synchronized, bucket, big,
    /// all. ^STATE (or '!STATE', in single quotes) excludes a state. A transition matches if its old
    /// or its new state is in SET and neither is excluded.
    #[arg(short, long, value_name = "SET", value_parser = StateWords(states))]
    #[arg(hide_possible_values = true)]
    pub(crate) state: Vec<String>,
    #[allow(rustdoc::broken_intra_doc_links)] // an address, no link
    /// Local address: 10.0.0.0/8, 192.0.2.7:443, :443, [::1]:80, fe80::1%eth0, localhost:http
    #[arg(long, value_name = "ADDR", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) local: Vec<String>,
    /// Remote address, written like the local one
    #[arg(long, value_name = "ADDR", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) remote: Vec<String>,
    /// Local or remote port: 443, 8000-8999, https, or a list: 80,443
    #[arg(long, value_name = "PORT", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) port: Vec<String>,
    /// IPv4 sockets, and IPv6 listeners that accept IPv4
    ///
    /// What such a listener accepts over IPv4 is an IPv6 socket with v4-mapped addresses: --local
    /// 0.0.0.0/0 finds it.
    #[arg(short = '4', long)]
    pub(crate) ipv4: bool,
    /// IPv6 sockets
    #[arg(short = '6', long)]
    pub(crate) ipv6: bool,
    /// Only listening sockets
    #[arg(short, long)]
    pub(crate) listening: bool,
}

/// Where states come from.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Sampling options")]
pub(crate) struct SourceArgs {
    /// Where states come from
    #[arg(long, value_enum, default_value = "proc")]
    pub(crate) source: SourceName,
    /// Another mount of procfs, such as /host/proc in a container [default: /proc]
    #[arg(long, value_name = "PATH")]
    pub(crate) procfs: Option<PathBuf>,
    /// Other network namespaces: all, a name of ip netns, a path, pid:N, container:ID
    ///
    /// Repeat it for several. Without it, the caller's is read alone. A namespace that appears later
    /// and is asked for is read from then on; one that is removed ends its sockets.
    #[arg(long, value_name = "NETNS")]
    pub(crate) netns: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) owners: OwnersArgs,
}

/// How owners are found.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Sampling options")]
pub(crate) struct OwnersArgs {
    /// How the processes that hold sockets are found
    #[arg(long, value_enum, default_value = "proc")]
    pub(crate) owners: OwnersName,
}

/// What else the kernel is asked for.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Sampling options")]
pub(crate) struct InfoArgs {
    /// Show round-trip times, retransmissions, bytes and rates of connections, as ss -i does
    ///
    /// In text in a last column, in timelines below the states, in JSON and CSV as keys. sock_diag is asked for them with each
    /// poll, which costs about as much as another poll.
    #[arg(long)]
    pub(crate) tcp_info: bool,
}

/// How the kernel is polled.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sampling options")]
pub(crate) struct PollArgs {
    /// Time between the starts of two polls
    #[arg(short, long, value_name = "DUR", default_value = INTERVAL, allow_hyphen_values = true)]
    pub(crate) interval: String,
    /// Lengthen the interval so that polling takes at most this share of one core
    #[arg(long, value_name = "PERCENT", default_value = MAX_CPU, allow_hyphen_values = true)]
    pub(crate) max_cpu: String,
    /// Memory per CPU for the events of --source trace [default: 1MiB]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub(crate) ring: Option<String>,
}

impl PollArgs {
    /// The size of the ring, as it was given or by default.
    pub(crate) fn ring(&self) -> &str {
        self.ring.as_deref().unwrap_or(RING)
    }
}

impl Default for PollArgs {
    fn default() -> Self {
        Self { interval: INTERVAL.to_owned(), max_cpu: MAX_CPU.to_owned(), ring: None }
    }
}

/// What ends a run.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Sampling options")]
pub(crate) struct EndArgs {
    /// Stop after this long
    #[arg(long = "for", value_name = "DUR", allow_hyphen_values = true)]
    pub(crate) duration: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) count: CountArgs,
}

/// How much is printed at most.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct CountArgs {
    /// Stop after N records; with 0, none is printed
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) max_count: Option<String>,
}

/// Where readings are recorded to.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Sampling options")]
pub(crate) struct RecordArgs {
    /// Record all samples to FILE for tcplapse replay; SIGHUP reopens FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// With --record: keep what happened last: 1h, 100MiB, or within both limits 1h,100MiB
    ///
    /// FILE is renamed to FILE.000001 and so on as it grows, a new one is begun, and the oldest are
    /// removed, also those of earlier runs. `replay FILE` reads all of them.
    #[arg(long, value_name = "DUR|SIZE", allow_hyphen_values = true)]
    pub(crate) keep: Option<String>,
}

/// Where the end of the first poll is announced.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Sampling options")]
pub(crate) struct ReadyArgs {
    /// Write the line "ready" to file descriptor N after the first poll
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) ready_fd: Option<String>,
}

/// What is printed of a run that goes on.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct ViewArgs {
    /// What to print
    #[arg(long, value_enum, default_value = "events")]
    pub(crate) view: ViewName,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) by: ByArgs,
    /// Format of the records
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: FormatName,
    /// JSON Lines: short for --format json
    #[arg(short, long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// JSON and CSV: add this key to every record, such as host=web1
    ///
    /// May be repeated. The keys come last. Alerts that --rules hands to programs have them, too; a
    /// recording has none, give them to replay.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) label: Vec<String>,
    /// Print alerts for the rules in FILE (TOML); reloaded when it changes
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Option<PathBuf>,
}

/// What a summary counts by.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct ByArgs {
    /// With --view summary: count by one or two of these, and by state [default: process]
    #[arg(long, value_name = "KEY[,KEY]", value_enum, value_delimiter = ',')]
    pub(crate) by: Vec<GroupName>,
}

/// The format of commands that print one kind of records.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct FormatArgs {
    /// Format of the records
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: RecordFormat,
    /// JSON Lines: short for --format json
    #[arg(short, long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// JSON and CSV: add this key to every record, such as host=web1
    ///
    /// May be repeated. The keys come last. Alerts that --rules hands to programs have them, too; a
    /// recording has none, give them to replay.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) label: Vec<String>,
}

impl FormatArgs {
    /// These options as those of a command that has this view.
    pub(crate) fn of_view(self, view: ViewName) -> ViewArgs {
        let Self { format, json, label } = self;
        let format = match format {
            RecordFormat::Text => FormatName::Text,
            RecordFormat::Json => FormatName::Json,
            RecordFormat::Csv => FormatName::Csv,
        };
        ViewArgs { view, by: ByArgs::default(), format, json, label, rules: None }
    }
}

/// Columns that a table has on request.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct TableArgs {
    /// Tables: add columns for user, inode, file descriptor and unit, container or pod
    #[arg(short, long)]
    pub(crate) extend: bool,
    /// Tables: add a column for the timer, its time left and the retransmissions
    ///
    /// `list` also adds IDLE: for how long an ESTABLISHED connection has neither sent nor received data.
    #[arg(short = 'o', long)]
    pub(crate) timers: bool,
}

/// How text looks.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct TextArgs {
    /// Text: names of hosts and services instead of numbers
    #[arg(short, long)]
    pub(crate) resolve: bool,
    /// Omit the header line
    #[arg(short = 'H', long)]
    pub(crate) no_header: bool,
    /// Text: colors
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) color: ColorName,
}

/// How text writes times.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct TimeArgs {
    /// Text: how times are written, by views that print them [default: clock]
    #[arg(long, value_enum)]
    pub(crate) time: Option<TimeName>,
    /// Text: times in UTC
    #[arg(long)]
    pub(crate) utc: bool,
}

/// Flags of netstat and ss that are accepted without effect, or refused with a hint.
#[derive(Debug, Default, Args)]
#[allow(clippy::struct_excessive_bools)] // flags are bools
pub(crate) struct NetstatCompat {
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
