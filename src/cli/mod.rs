//! The command line: commands, flags and their help. Values are still text here; `settings` checks
//! them.

mod args;
mod check;
mod explain;
mod replay;
mod run;
mod subcommand_first;
mod values;
mod wait;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, CommandFactory, FromArgMatches, Id, Parser, Subcommand};
use clap_complete::Shell;
use std::ffi::OsString;
use std::sync::LazyLock;

pub use args::{FilterArgs, NetstatCompat, Options, OutputArgs, SamplingArgs};
pub use check::CheckOptions;
pub use explain::Explain;
pub use replay::ReplayOptions;
pub use run::RunOptions;
pub use subcommand_first::subcommand_first;
pub use values::{ColorName, DrawingName, FormatName, SourceName, TimeName, ViewName};
pub use wait::WaitOptions;

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
    #[command(mut_args(hide_sampling))]
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

/// Parses the command line. Exits the process where it asks for help or clap rejects it.
pub fn parse(args: Vec<OsString>) -> Cli {
    let matches = Cli::command().get_matches_from(subcommand_first(args));
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if let Some((_, given)) = matches.subcommand() {
        match &mut cli.command {
            Some(Command::Replay(replay)) => replay.sampling_flags = sampling_flags(given),
            Some(Command::Check(check)) => check.sampling_flags = sampling_flags(given),
            _ => {}
        }
    }
    cli
}

/// The flags on the command line that choose how the kernel is sampled, as `--interval`.
fn sampling_flags(given: &ArgMatches) -> Vec<String> {
    let typed = |id: &str| given.value_source(id) == Some(ValueSource::CommandLine);
    given
        .ids()
        .map(Id::as_str)
        .filter(|id| is_sampling(id) && typed(id))
        .map(|id| format!("--{}", id.replace('_', "-")))
        .collect()
}

/// The arguments that choose how the kernel is sampled: [`SamplingArgs`] without those that end a
/// run, which make sense for a recording too.
static SAMPLING: LazyLock<Vec<Id>> = LazyLock::new(|| {
    SamplingArgs::augment_args(clap::Command::new("sampling"))
        .get_arguments()
        .map(|arg| arg.get_id().clone())
        .filter(|id| id != "duration" && id != "max_count")
        .collect()
});

fn is_sampling(id: &str) -> bool {
    SAMPLING.iter().any(|sampling| sampling == id)
}

fn hide_sampling(arg: Arg) -> Arg {
    if is_sampling(arg.get_id().as_str()) { arg.hide(true) } else { arg }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_accepts_the_definition() {
        Cli::command().debug_assert();
    }
}
