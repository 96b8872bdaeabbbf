//! The command line: commands, flags and their help. Values are still text here; `settings` checks
//! them.

mod args;
mod check;
mod choices;
mod complete;
mod completions;
mod environment;
mod explain;
#[cfg(feature = "export")]
mod export;
#[cfg(not(all(feature = "export", feature = "tui")))]
mod left_out;
mod list;
mod mistake;
mod replay;
mod run;
mod subcommand_first;
#[cfg(feature = "tui")]
mod top;
mod wait;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Id, Parser, Subcommand};
use clap_complete::Shell;
use std::ffi::OsString;
use std::sync::LazyLock;

pub(crate) use args::Options;
pub(crate) use args::{FilterArgs, NetstatCompat, RecordArgs, ViewArgs};
pub(crate) use check::CheckOptions;
pub(crate) use choices::{
    ColorName, DrawingName, FormatName, GroupName, OwnersName, SortName, SourceName, TimeName,
};
pub(crate) use completions::completions;
pub(crate) use environment::Defaults;
pub(crate) use explain::Explain;
#[cfg(feature = "export")]
pub(crate) use export::{ExportKey, ExportOptions};
#[cfg(not(all(feature = "export", feature = "tui")))]
pub(crate) use left_out::LeftOut;
pub(crate) use list::ListOptions;
pub(crate) use mistake::Mistake;
pub(crate) use replay::ReplayOptions;
pub(crate) use run::RunOptions;
pub use subcommand_first::subcommand_first;
#[cfg(feature = "tui")]
pub(crate) use top::TopOptions;
pub(crate) use wait::WaitOptions;

/// Print a line for every TCP state change, with the owning process and the time spent in the
/// previous state.
///
/// tcplapse polls the kernel's table of TCP sockets, finds the process that owns each socket and
/// follows the socket until it is closed. States skipped between two polls are marked as certain
/// (every legal path contains them) or possible.
#[derive(Debug, Parser)]
#[command(
    name = "tcplapse",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    max_term_width = 100,
    override_usage = usage(),
    after_help = "Without a command, tcplapse watches until Ctrl-C. -a, -n, -p and -t are accepted \
                  for netstat compatibility and have no effect."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of the default command, `watch`.
    #[command(flatten)]
    pub options: Options,
    /// The variables of the environment that stand for flags.
    #[arg(skip)]
    pub defaults: Defaults,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the current sockets, then every transition, until Ctrl-C (the default)
    Watch(Options),
    /// Show the current sockets on the whole terminal, with keys to sort, filter, group and pause
    #[cfg(feature = "tui")]
    Top(TopOptions),
    /// Not in this program
    #[cfg(not(feature = "tui"))]
    #[command(hide = true, disable_help_flag = true)]
    Top(LeftOut),
    /// Print the current sockets as a table, as netstat -apn does; exit 1 if nothing matches
    List(ListOptions),
    /// Show a recording in any view, with any filter; .gz and .zst files are read as they are
    Replay(ReplayOptions),
    /// Run COMMAND, follow its sockets and those of its child processes, and print their timelines
    /// to stderr; exit with the status of COMMAND
    #[command(override_usage = "tcplapse run [OPTIONS] [PATTERN]... -- COMMAND [ARG]...")]
    Run(RunOptions),
    /// Explain a TCP state or transition, or print the state diagram
    #[command(override_usage = "tcplapse explain [OPTIONS] [STATE | FROM TO]")]
    Explain(Explain),
    /// Wait until a condition on the matching sockets holds; exit 124 on timeout
    Wait(WaitOptions),
    /// Watch for a while and print leaked and stuck sockets; exit 1 if there are any
    Check(CheckOptions),
    /// Serve metrics for Prometheus, or write them to a file, until Ctrl-C
    #[cfg(feature = "export")]
    Export(ExportOptions),
    /// Not in this program
    #[cfg(not(feature = "export"))]
    #[command(hide = true, disable_help_flag = true)]
    Export(LeftOut),
    /// Print a completion script for a shell
    Completions {
        /// The shell: bash, zsh, fish, elvish or powershell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Print the JSON Schema of the records that --format json prints
    Schema,
    /// Print the version
    Version,
}

/// How the commands are used, without those that are left out.
fn usage() -> String {
    let lines = [
        (true, "[watch] [OPTIONS] [PATTERN]..."),
        (cfg!(feature = "tui"), "top [OPTIONS] [PATTERN]..."),
        (true, "list [OPTIONS] [PATTERN]..."),
        (true, "replay [OPTIONS] FILE [PATTERN]..."),
        (true, "run [OPTIONS] [PATTERN]... -- COMMAND [ARG]..."),
        (true, "explain [STATE | FROM TO]"),
        (true, "wait [OPTIONS] [PATTERN]..."),
        (true, "check [OPTIONS] [PATTERN]..."),
        (cfg!(feature = "export"), "export [OPTIONS] [PATTERN]..."),
        (true, "completions SHELL"),
        (true, "schema"),
        (true, "help [COMMAND]"),
    ];
    let there = lines.into_iter().filter(|(is_there, _)| *is_there);
    let usage: Vec<String> = there.map(|(_, line)| format!("tcplapse {line}")).collect();
    usage.join("\n       ")
}

/// The names of all commands.
pub(crate) fn command_names() -> Vec<String> {
    let mut cli = Cli::command();
    // It has no `help` before.
    cli.build();
    cli.get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// Parses the command line; `variable` looks up a variable of the environment.
///
/// # Errors
/// A command line that clap rejects, or that asks for help.
pub(crate) fn parse(
    args: Vec<OsString>,
    variable: impl Fn(&'static str) -> Option<OsString>,
) -> Result<Cli, Mistake> {
    let mut args = subcommand_first(args);
    let cli = Cli::command();
    let parsed = cli.clone().try_get_matches_from(&args);
    let mut matches = parsed.map_err(|error| Mistake::new(error, &args))?;
    let (name, given) = matches.subcommand().unwrap_or((cli.get_name(), &matches));
    let command = cli.find_subcommand(name).unwrap_or(&cli);
    let defaults = Defaults::new(command, given, variable);
    if !defaults.is_empty() {
        let first = if matches.subcommand().is_some() { 2 } else { 1 };
        args.splice(first..first, defaults.args());
        let parsed = Cli::command().try_get_matches_from(&args);
        matches = parsed.map_err(|error| Mistake::new(error, &args).with(&defaults))?;
    }
    let parsed = Cli::from_arg_matches(&matches);
    let mut cli = parsed.map_err(|error| Mistake::new(error, &args).with(&defaults))?;
    cli.defaults = defaults;
    if let Some((_, given)) = matches.subcommand() {
        match &mut cli.command {
            Some(Command::Check(check)) => check.sampling_flags = sampling_flags(given),
            Some(Command::List(list)) => list.sampling_flags = sampling_flags(given),
            _ => {}
        }
    }
    Ok(cli)
}

/// The flags on the command line that choose how the kernel is sampled, as `--interval`.
fn sampling_flags(given: &ArgMatches) -> Vec<String> {
    let typed = |id: &str| given.value_source(id) == Some(ValueSource::CommandLine);
    given
        .ids()
        .map(Id::as_str)
        // Of a recording, it chooses what is shown.
        .filter(|id| *id != "netns" && is_sampling(id) && typed(id))
        .map(|id| format!("--{}", id.replace('_', "-")))
        .collect()
}

/// The arguments that choose how the kernel is sampled: a recording has settled them.
static SAMPLING: LazyLock<Vec<Id>> = LazyLock::new(|| {
    let groups = [
        args::SourceArgs::augment_args,
        args::PollArgs::augment_args,
        args::InfoArgs::augment_args,
        args::RecordArgs::augment_args,
        args::ReadyArgs::augment_args,
    ];
    let command = clap::Command::new("sampling");
    let command = groups.into_iter().fold(command, |command, add_group| add_group(command));
    command.get_arguments().map(|arg| arg.get_id().clone()).collect()
});

fn is_sampling(id: &str) -> bool {
    SAMPLING.iter().any(|sampling| sampling == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_accepts_the_definition() {
        Cli::command().debug_assert();
    }
}
