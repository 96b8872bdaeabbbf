//! Completion scripts: those of `clap_complete`, with what it leaves out: values of flags without a
//! command, and the arguments of `explain`.

use super::Cli;
use super::complete::states;
use clap::{Arg, Command, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};
use std::fmt::Write as _;

/// Where fish parses the flags to complete, while the last of them still lacks its value.
const FISH_PARSES: &str = "    argparse -s (__fish_tcplapse_global_optspecs) -- $cmd 2>/dev/null\n";

/// The completion script for a shell.
pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let mut command = without_patterns();
    if shell == Shell::Zsh {
        command = command.mut_subcommands(|command| command.mut_args(escape_colons));
    }
    generate(shell, &mut command, "tcplapse", &mut script);
    if shell == Shell::Fish { fish(&String::from_utf8_lossy(&script)).into_bytes() } else { script }
}

/// The command line without the patterns that may stand in place of a command: a script would take
/// the command for one, and its arguments for a command.
fn without_patterns() -> Command {
    let cli = Cli::command();
    let flags: Vec<Arg> = cli.get_arguments().filter(|arg| !arg.is_positional()).cloned().collect();
    Command::new("tcplapse")
        .version(env!("CARGO_PKG_VERSION"))
        .args(flags)
        .subcommands(cli.get_subcommands().cloned())
}

/// zsh separates the parts of a completion by colons; the name of a value may contain one.
fn escape_colons(arg: Arg) -> Arg {
    let names: Vec<String> =
        arg.get_value_names().into_iter().flatten().map(|name| name.replace(':', "\\:")).collect();
    if names.iter().any(|name| name.contains(':')) { arg.value_names(names) } else { arg }
}

/// fish: a flag whose value is being typed does not parse; names of processes are no files, but a
/// recording is one.
fn fish(script: &str) -> String {
    let retry =
        format!("{FISH_PARSES}    or begin\n        set -e cmd[-1]\n    {FISH_PARSES}    end\n");
    let mut script = script.replacen(FISH_PARSES, &retry, 1);
    let explained = format!("-f -a \"{}\"", states().join(" "));
    let shells: Vec<String> = Shell::value_variants().iter().map(Shell::to_string).collect();
    let shells = format!("-f -a \"{}\"", shells.join(" "));
    for (condition, rest) in [
        ("needs_command", "-f"),
        ("using_subcommand watch list wait check explain completions version", "-f"),
        ("using_subcommand explain", &explained),
        ("using_subcommand completions", &shells),
    ] {
        // Writing to a string never fails.
        let _ = writeln!(script, "complete -c tcplapse -n \"__fish_tcplapse_{condition}\" {rest}");
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(shell: Shell) -> String {
        String::from_utf8(completions(shell)).expect("UTF-8")
    }

    #[test]
    fn fish_completes_values_without_a_command() {
        let script = script(Shell::Fish);
        assert!(script.contains("        set -e cmd[-1]\n        argparse -s "), "{script}");
        assert!(script.contains("explain\" -f -a \"CLOSED LISTEN "));
    }

    #[test]
    fn zsh_takes_no_command_for_a_pattern() {
        let script = script(Shell::Zsh);
        let (root, commands) = script.split_once(":: :_tcplapse_commands").expect("commands");
        assert!(!root.contains("::patterns") && commands.contains("::patterns"));
        assert!(script.contains(r":STATE\:AGE:(LISTEN\:60s "), "{script}");
    }
}
