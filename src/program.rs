//! The program: parses the command line, runs the command, and reports what went wrong.

use crate::cli::{self, Cli, Command, Mistake};
use crate::command;
use crate::debug_log;
#[cfg(not(all(feature = "export", feature = "tui")))]
use crate::error::UsageError;
use crate::error::{Error, Result};
use crate::model::escape::printable;
use crate::settings::check::CheckSettings;
#[cfg(feature = "export")]
use crate::settings::export::ExportSettings;
use crate::settings::list::ListSettings;
use crate::settings::wait::WaitSettings;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

/// As timeout(1) reports it.
const TIMED_OUT: u8 = 124;

/// Parses the command line, runs the command, and says what went wrong.
pub fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os().collect(), std::env::var_os) {
        Ok(cli) => cli,
        Err(mistake) => return answer(&mistake),
    };
    let defaults = cli.defaults.clone();
    match debug_log::start().and_then(|()| run(cli)) {
        Ok(status) => status,
        // The reader of the output has closed it: the end of the run, and no failure.
        Err(Error::ReaderGone) => ExitCode::SUCCESS,
        // The sentence does not name the flag that has asked for it.
        Err(error @ Error::Trace(_)) => failed(&defaults.blame("--source", &error.to_string())),
        Err(error) => failed(&defaults.name_variable(&error.to_string())),
    }
}

/// Prints the help that was asked for, or what is wrong.
fn answer(mistake: &Mistake) -> ExitCode {
    match mistake.help().map(clap::Error::print) {
        None => failed(&mistake.to_string()),
        Some(Err(error)) if error.kind() != ErrorKind::BrokenPipe => failed(&error.to_string()),
        Some(_) => ExitCode::SUCCESS,
    }
}

fn failed(sentence: &str) -> ExitCode {
    // Where standard error is closed too, only the exit status shows it.
    let _ = writeln!(std::io::stderr(), "tcplapse: {}", printable(sentence));
    ExitCode::from(2)
}

fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command.unwrap_or(Command::Watch(cli.options)) {
        Command::Watch(options) => {
            command::watch::run(&command::checked(options)?)?;
            Ok(ExitCode::SUCCESS)
        }
        #[cfg(feature = "tui")]
        Command::Top(options) => {
            command::watch::run(&command::checked(options)?)?;
            Ok(ExitCode::SUCCESS)
        }
        #[cfg(not(feature = "tui"))]
        Command::Top(_) => Err(UsageError::LeftOut { command: "top", feature: "tui" }.into()),
        Command::List(options) => {
            let matched = command::list::run(&ListSettings::new(options)?)?;
            Ok(ExitCode::from(u8::from(!matched)))
        }
        Command::Replay(options) => {
            command::replay::run(options)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Run(options) => command::run::run(options),
        Command::Explain(options) => {
            command::explain::run(&options)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Wait(options) => {
            let met = command::wait::run(&WaitSettings::new(options)?)?;
            Ok(ExitCode::from(if met { 0 } else { TIMED_OUT }))
        }
        Command::Check(options) => {
            let violated = command::check::run(&CheckSettings::new(options)?)?;
            Ok(ExitCode::from(u8::from(violated)))
        }
        Command::Schema => {
            command::schema::run()?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Version => {
            let version = format!("tcplapse {}\n", env!("CARGO_PKG_VERSION"));
            std::io::stdout().write_all(version.as_bytes()).map_err(Error::output)?;
            Ok(ExitCode::SUCCESS)
        }
        #[cfg(feature = "export")]
        Command::Export(options) => {
            command::export::run(&ExportSettings::new(options)?)?;
            Ok(ExitCode::SUCCESS)
        }
        #[cfg(not(feature = "export"))]
        Command::Export(_) => {
            Err(UsageError::LeftOut { command: "export", feature: "export" }.into())
        }
        Command::Completions { shell } => {
            std::io::stdout().write_all(&cli::completions(shell)).map_err(Error::output)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
