//! The settings of `run`.

use super::{Result, Settings, time};
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
    refuse_other_namespace(&command)?;
    let linger = linger.as_deref().map(|text| time("--linger", text)).transpose()?;
    let mut settings = Settings::new(shared)?;
    settings.filter.process.tree = Some(ProcessTree::new(own));
    Ok((settings, RunSettings { command, linger, output }))
}

/// Refuses `ip netns exec NAME COMMAND`, also behind the likes of sudo: the sockets of a command there
/// are in no table that is read here.
fn refuse_other_namespace(command: &[OsString]) -> std::result::Result<(), UsageError> {
    let words: Vec<&str> = command.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    let is_ip = |word: &&str| *word == "ip" || word.ends_with("/ip");
    let exec = words.windows(2).position(|pair| pair == ["netns", "exec"]);
    match exec.filter(|exec| words[..*exec].iter().any(is_ip)) {
        Some(exec) => {
            let (enter, command) = words.split_at(words.len().min(exec + 3));
            Err(UsageError::RunElsewhere { enter: enter.join(" "), command: command.join(" ") })
        }
        None => Ok(()),
    }
}

/// The words that were probably meant as the command.
fn words_for_command(filter: &FilterArgs) -> String {
    match filter.patterns.as_slice() {
        [] => "COMMAND".to_owned(),
        patterns => patterns.join(" "),
    }
}
