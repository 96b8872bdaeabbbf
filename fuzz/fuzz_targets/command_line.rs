//! A command line, one argument a line, as far as it can be checked without running anything.
#![no_main]

use clap::{CommandFactory, FromArgMatches};
use libfuzzer_sys::fuzz_target;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use tcplapse::testing::cli::{Cli, Command, subcommand_first};
use tcplapse::testing::settings::check::CheckSettings;
use tcplapse::testing::settings::export::ExportSettings;
use tcplapse::testing::settings::list::ListSettings;
use tcplapse::testing::settings::wait::WaitSettings;
use tcplapse::testing::settings::{self, Settings};

fuzz_target!(|line: &[u8]| {
    let words = line.split(|byte| *byte == b'\n').map(|word| OsStr::from_bytes(word).to_owned());
    let args = [OsString::from("tcplapse")].into_iter().chain(words).collect();
    let Ok(matches) = Cli::command().try_get_matches_from(subcommand_first(args)) else { return };
    let Ok(cli) = Cli::from_arg_matches(&matches) else { return };
    match cli.command.unwrap_or(Command::Watch(cli.options)) {
        Command::Watch(options) => drop(Settings::new(options)),
        Command::List(options) => drop(ListSettings::new(options)),
        Command::Replay(options) => drop(settings::check_replay(&options)),
        Command::Run(options) => drop(settings::run::checked(options, 1)),
        Command::Wait(options) => drop(WaitSettings::new(options)),
        Command::Check(options) => drop(CheckSettings::new(options)),
        Command::Top(options) => drop(Settings::new(options)),
        Command::Export(options) => drop(ExportSettings::new(options)),
        Command::Explain(_) | Command::Completions { .. } | Command::Version | Command::Schema => {}
    }
});
