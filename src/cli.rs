//! The command line: commands, flags and their help, nothing else. What they mean is checked in
//! `settings`.

mod order;
mod scripts;
mod values;

use clap::parser::ValueSource;
use clap::{Arg, Args, CommandFactory, FromArgMatches, Id, Parser, Subcommand};
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;

pub use order::command_first;
pub use scripts::{CheckOptions, WaitOptions};
pub use values::{ColorName, DrawingName, FormatName, SourceName, TimeName, ViewName};

/// Watch the TCP sockets of programs change state.
///
/// Polls /proc/net/tcp and /proc/net/tcp6, finds the owner of every socket, follows it from its
/// first sight to its end and prints each transition. What was seen is told as seen, what must
/// have happened unseen as certain, what may have happened as possible.
#[derive(Debug, Parser)]
#[command(
    name = "tcplapse",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    override_usage = "tcplapse [watch] [OPTIONS] [PATTERN]...\n       \
                      tcplapse list [OPTIONS] [PATTERN]...\n       \
                      tcplapse replay [OPTIONS] FILE [PATTERN]...\n       \
                      tcplapse run [OPTIONS] -- COMMAND [ARG]...\n       \
                      tcplapse explain [STATE | FROM TO]\n       \
                      tcplapse wait [OPTIONS] [PATTERN]...\n       \
                      tcplapse check [OPTIONS] [PATTERN]...\n       \
                      tcplapse completions SHELL",
    after_help = "Without a command, tcplapse watches; Ctrl-C ends it. -a, -n, -p and -t, as in \
                  netstat -apn, are the defaults and are accepted."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of the default command, `watch`.
    #[command(flatten)]
    pub options: Options,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the sockets there are, then every transition, until Ctrl-C (the default)
    Watch(Options),
    /// Print one snapshot as a table, as netstat -apn does; exit 1 if nothing matches
    List(Options),
    /// Show a recording in any view, filtered as a live run; '-' is standard input, and .gz and
    /// .zst files are read as they are
    #[command(mut_args(hide_if_live))]
    Replay(ReplayOptions),
    /// Run a command, follow the sockets of it and of all that it starts to their end, tell their
    /// timelines on standard error, and exit with the status of the command
    #[command(
        mut_arg("source", |arg| arg.default_value("auto")),
        mut_arg("view", |arg| arg.default_value("timeline")),
    )]
    Run(RunOptions),
    /// Tell what a state or a change of states means; without one, draw the diagram of all
    Explain(Explain),
    /// Wait until a condition on the sockets holds; exit 124 when the time-out runs out
    Wait(WaitOptions),
    /// Watch for leaked and stuck sockets for a while and print them; exit 1 if there are any
    Check(CheckOptions),
    /// Print a completion script for a shell
    Completions {
        /// The shell to write it for
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
}

/// What is to be explained.
#[derive(Debug, Args)]
pub struct Explain {
    /// A state, or two: from the one to the other. Any common spelling will do
    #[arg(value_name = "STATE", num_args = 0..=2)]
    pub states: Vec<String>,
    /// Format of the diagram
    #[arg(long, value_enum, default_value = "text")]
    pub format: DrawingName,
    /// Colours
    #[arg(long, value_enum, default_value = "auto")]
    pub color: ColorName,
}

/// What every command that shows sockets takes.
#[derive(Debug, Args)]
pub struct Options {
    /// Regular expression for the name of the owning process: the kernel's name for it, or the
    /// base name of its executable or of its first argument; (?i) ignores case
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub which: Which,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub look: Look,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub print: Print,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub habits: Habits,
}

/// What `run` takes.
#[derive(Debug, Args)]
pub struct RunOptions {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub options: Options,
    /// Wait at most this long for the ends of its sockets, and for those in TIME_WAIT too; without
    /// it, until they are closed or only TIME_WAIT is left
    #[arg(long, value_name = "DUR")]
    pub linger: Option<String>,
    /// Write the timelines to FILE, as they end, instead of standard error
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// What `replay` takes.
#[derive(Debug, Args)]
pub struct ReplayOptions {
    /// The recording; '-' is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub options: Options,
    /// Go on as the file grows, across rotation
    #[arg(long)]
    pub follow: bool,
    /// Flags that were given and say how to look, which was settled when it was recorded.
    #[arg(skip)]
    pub live: Vec<String>,
}

/// Which sockets.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which sockets")]
#[allow(clippy::struct_excessive_bools)] // flags are bools
pub struct Which {
    /// PATTERN must match the whole name
    #[arg(short = 'x', long)]
    pub exact: bool,
    /// Match PATTERN against the whole command line
    #[arg(short, long)]
    pub full: bool,
    /// Owned by one of these processes
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub pid: Vec<String>,
    /// Owned by this user; a socket without an owner passes by its own uid
    #[arg(long, value_name = "NAME|UID", value_delimiter = ',')]
    pub user: Vec<String>,
    /// States to print, such as ESTABLISHED,fin-wait-1 or connected; !STATE leaves one out.
    /// A change passes by the state before or after it
    #[arg(short, long, value_name = "SET")]
    pub state: Vec<String>,
    #[allow(rustdoc::broken_intra_doc_links)] // an address, no link
    /// Local end: 10.0.0.0/8, 192.0.2.7:443, :443, :8000-8999, [::1]:80
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    pub local: Vec<String>,
    /// Remote end, written like the local one
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    pub remote: Vec<String>,
    /// Port of either end: 443, 8000-8999
    #[arg(long, value_name = "N[-M]", value_delimiter = ',')]
    pub port: Vec<String>,
    /// IPv4 sockets
    #[arg(short = '4', long)]
    pub ipv4: bool,
    /// IPv6 sockets
    #[arg(short = '6', long)]
    pub ipv6: bool,
    /// Listening sockets alone
    #[arg(short, long)]
    pub listening: bool,
}

/// How to look, and for how long.
#[derive(Debug, Args)]
#[command(next_help_heading = "How and how long to look")]
pub struct Look {
    /// Where states come from
    #[arg(long, value_enum, default_value = "proc")]
    pub source: SourceName,
    /// Another mount of procfs, such as /host/proc in a container
    #[arg(long, value_name = "PATH", default_value = "/proc")]
    pub procfs: PathBuf,
    /// Time between the starts of two polls
    #[arg(short, long, value_name = "DUR", default_value = "100ms")]
    pub interval: String,
    /// Stop after this long
    #[arg(long = "for", value_name = "DUR")]
    pub duration: Option<String>,
    /// Stop after N records
    #[arg(short, long, value_name = "N")]
    pub max_count: Option<u64>,
    /// Stretch the interval so that polling takes at most this share of one core
    #[arg(long, value_name = "PERCENT", default_value = "25")]
    pub max_cpu: f64,
    /// Memory per CPU for the events of --source trace
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    pub ring: String,
    /// Write a line "ready" to file descriptor N once the first poll is over
    #[arg(long, value_name = "N")]
    pub ready_fd: Option<u32>,
    /// Also write every reading to FILE, to be shown again by replay; SIGHUP opens it anew
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
}

/// What to print.
#[derive(Debug, Args)]
#[command(next_help_heading = "What to print")]
#[allow(clippy::struct_excessive_bools)] // flags are bools
pub struct Print {
    /// What is shown of the transitions
    #[arg(long, value_enum, default_value = "events")]
    pub view: ViewName,
    /// Format of the records
    #[arg(long, value_enum, default_value = "text")]
    pub format: FormatName,
    /// Judge by the rules in this TOML file, too, and print alerts; it is read again when it changes
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// JSON Lines: short for --format json
    #[arg(short, long, conflicts_with = "format")]
    pub json: bool,
    /// Tables: also user and inode
    #[arg(short, long)]
    pub extend: bool,
    /// Tables: also timers and retransmits
    #[arg(short = 'o', long)]
    pub timers: bool,
    /// Text: names of hosts and services instead of numbers
    #[arg(short, long)]
    pub resolve: bool,
    /// No line that names the columns
    #[arg(short = 'H', long)]
    pub no_header: bool,
    /// Text: colours
    #[arg(long, value_enum, default_value = "auto")]
    pub color: ColorName,
    /// Text: how times are written
    #[arg(long, value_enum, default_value = "clock")]
    pub time: TimeName,
    /// Text: times in UTC
    #[arg(long)]
    pub utc: bool,
}

/// What fingers trained on netstat and ss type.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // flags are bools
pub struct Habits {
    /// All sockets: the default
    #[arg(short, long, hide = true)]
    pub all: bool,
    /// Numbers instead of names: the default
    #[arg(short, long, hide = true)]
    pub numeric: bool,
    /// With the owning process: the default
    #[arg(short, long, visible_alias = "program", alias = "processes", hide = true)]
    pub programs: bool,
    /// TCP: the only protocol
    #[arg(short, long, hide = true)]
    pub tcp: bool,
    /// UDP is not shown
    #[arg(short, long, hide = true)]
    pub udp: bool,
    /// Raw sockets are not shown
    #[arg(short = 'w', long, hide = true)]
    pub raw: bool,
    /// SCTP is not shown
    #[arg(short = 'S', long, hide = true)]
    pub sctp: bool,
    /// Unix sockets are not shown
    #[arg(long, hide = true)]
    pub unix: bool,
}

/// Reads the command line; ends the program where it asks for help or is wrong.
pub fn parse(args: Vec<OsString>) -> Cli {
    let matches = Cli::command().get_matches_from(command_first(args));
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let live = match &mut cli.command {
        Some(Command::Replay(replay)) => Some(&mut replay.live),
        Some(Command::Check(check)) => Some(&mut check.live),
        _ => None,
    };
    if let (Some(flags), Some((_, given))) = (live, matches.subcommand()) {
        let on_line = |id: &str| given.value_source(id) == Some(ValueSource::CommandLine);
        let live = given.ids().map(Id::as_str).filter(|id| is_live(id) && on_line(id));
        *flags = live.map(|id| format!("--{}", id.replace('_', "-"))).collect();
    }
    cli
}

/// The flags that say how to look at the kernel.
static LIVE: LazyLock<Vec<Id>> = LazyLock::new(|| {
    let how_long = ["duration", "max_count"];
    let look = Look::augment_args(clap::Command::new("look"));
    let ids = look.get_arguments().map(|arg| arg.get_id().clone());
    ids.filter(|id| !how_long.contains(&id.as_str())).collect()
});

fn is_live(id: &str) -> bool {
    LIVE.iter().any(|live| live == id)
}

fn hide_if_live(arg: Arg) -> Arg {
    if is_live(arg.get_id().as_str()) { arg.hide(true) } else { arg }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
