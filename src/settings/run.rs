//! The settings of `run`.

use super::{Result, Settings, elsewhere, time};
use crate::cli::{FilterArgs, RunOptions};
use crate::error::UsageError;
use crate::model::process_tree::ProcessTree;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The command to run, and what happens to the timelines of its sockets.
#[derive(Debug)]
pub struct RunSettings {
    /// The command and its arguments; never empty.
    pub(crate) command: Vec<OsString>,
    /// How long to wait for its sockets to close after it has ended; `None` for as long as any is
    /// in another state than TIME_WAIT.
    pub(crate) linger: Option<Duration>,
    /// Where the timelines are written; `None` for standard error.
    pub(crate) output: Option<PathBuf>,
}

/// Checks the options of `run`. Only sockets of processes that the process `own` starts pass the
/// filter.
pub fn checked(options: RunOptions, own: i32) -> Result<(Settings, RunSettings)> {
    let RunOptions { shared, linger, output, command } = options;
    if command.is_empty() {
        return Err(UsageError::RunWithoutCommand(words_for_command(&shared.filter)));
    }
    elsewhere::refuse(&command)?;
    let linger = linger.as_deref().map(|text| time("--linger", text)).transpose()?;
    let mut settings = Settings::new(shared)?;
    settings.filter.process.tree = Some(ProcessTree::new(own));
    Ok((settings, RunSettings { command, linger, output }))
}

/// The words that were probably meant as the command.
fn words_for_command(filter: &FilterArgs) -> String {
    match filter.patterns.as_slice() {
        [] => "COMMAND".to_owned(),
        patterns => patterns.join(" "),
    }
}
