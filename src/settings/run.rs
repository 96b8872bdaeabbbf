//! The settings of `run`.

use super::{Result, Settings, no_ready_fd};
use crate::cli::{Options, RunOptions, ViewName};
use crate::error::UsageError;
use crate::model::process_tree::ProcessTree;
use crate::values::duration;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
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
    let RunOptions { options, linger, output, command } = options;
    if command.is_empty() {
        return Err(UsageError::RunWithoutCommand(words_for_command(&options)));
    }
    if options.sampling.duration.is_some() {
        return Err(UsageError::RunFor);
    }
    if options.output.view != ViewName::Timeline {
        return Err(UsageError::RunView);
    }
    if options.sampling.procfs != Path::new(super::OWN_PROCFS) {
        return Err(UsageError::RunProcfs);
    }
    no_ready_fd(options.sampling.ready_fd, "run", "starts its command after the first poll")?;
    let linger = linger.as_deref().map(duration).transpose()?;
    let mut settings = Settings::new(options)?;
    settings.filter.process.tree = Some(ProcessTree::new(own));
    Ok((settings, RunSettings { command, linger, output }))
}

/// The words that were probably meant as the command.
fn words_for_command(options: &Options) -> String {
    match options.patterns.as_slice() {
        [] => "COMMAND".to_owned(),
        patterns => patterns.join(" "),
    }
}
