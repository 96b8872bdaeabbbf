//! Options may stand before the subcommand, which clap does not allow: the subcommand is moved to
//! the front before clap parses.

use super::Cli;
use clap::CommandFactory;
use std::ffi::OsString;

/// Moves a subcommand that stands after options to the front; returns other command lines as they
/// are.
pub fn subcommand_first(mut args: Vec<OsString>) -> Vec<OsString> {
    // Building the definition of all commands takes time and is rarely needed.
    if args.get(1).is_none_or(|word| !word.as_encoded_bytes().starts_with(b"-")) {
        return args;
    }
    let cli = Cli::command();
    if let Some(place) = first_positional(&cli, &args) {
        let names_command =
            |word: &str| cli.get_subcommands().any(|known| known.get_name() == word);
        if args[place].to_str().is_some_and(names_command) {
            let command = args.remove(place);
            args.insert(1, command);
        }
    }
    args
}

/// The place of the first argument that is neither an option nor the value of one.
fn first_positional(cli: &clap::Command, args: &[OsString]) -> Option<usize> {
    let takes_value = |known: &dyn Fn(&clap::Arg) -> bool| {
        let of_commands = cli.get_subcommands().flat_map(clap::Command::get_arguments);
        let mut all = cli.get_arguments().chain(of_commands);
        all.any(|arg| known(arg) && arg.get_action().takes_values())
    };
    let mut at = 1;
    while let Some(word) = args.get(at) {
        let word = word.to_string_lossy();
        let value_follows = if word == "--" {
            return None;
        } else if let Some(long) = word.strip_prefix("--") {
            takes_value(&|arg| arg.get_long() == Some(long))
        } else if let Some(cluster) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            // In a cluster the rest of the word is the value of the first flag that takes one.
            let value_at = cluster
                .char_indices()
                .find(|(_, flag)| takes_value(&|arg| arg.get_short() == Some(*flag)));
            value_at.is_some_and(|(i, flag)| i + flag.len_utf8() == cluster.len())
        } else {
            return Some(at);
        };
        at += 1 + usize::from(value_follows);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(line: &str) -> String {
        let args = line.split(' ').map(OsString::from).collect();
        let words: Vec<_> =
            subcommand_first(args).into_iter().map(|word| word.into_string().unwrap()).collect();
        words.join(" ")
    }

    #[test]
    fn a_subcommand_after_options_is_moved() {
        assert_eq!(moved("t -i 1s list x"), "t list -i 1s x");
        assert_eq!(moved("t -ji1s --pid 1 list"), "t list -ji1s --pid 1");
        assert_eq!(moved("t --state=LISTEN list"), "t list --state=LISTEN");
        assert_eq!(moved("t --timeout 5s wait x"), "t wait --timeout 5s x");
        assert_eq!(moved("t --linger 1s run -- list x"), "t run --linger 1s -- list x");
    }

    #[test]
    fn patterns_and_values_are_not_subcommands() {
        for line in ["t client list", "t -- list", "t --user list", "t -s list", "t -apn client"] {
            assert_eq!(moved(line), line);
        }
    }
}
