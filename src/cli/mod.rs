//! The command line: commands, flags and their help, nothing else. What they mean is checked in
//! `settings`.

mod args;
mod check;
mod explain;
mod order;
mod replay;
mod run;
mod values;
mod wait;

use clap::parser::ValueSource;
use clap::{Arg, Args, CommandFactory, FromArgMatches, Id, Parser, Subcommand};
use clap_complete::Shell;
use std::ffi::OsString;
use std::sync::LazyLock;

pub use args::{FilterArgs, NetstatCompat, Options, OutputArgs, SamplingArgs};
pub use check::CheckOptions;
pub use explain::Explain;
pub use order::command_first;
pub use replay::ReplayOptions;
pub use run::RunOptions;
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
    let look = SamplingArgs::augment_args(clap::Command::new("look"));
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
