//! What `run` is to do.

use super::{Settings, no_ready_fd};
use crate::cli::{Options, RunOptions, ViewName};
use crate::error::Result;
use crate::model::process_tree::ProcessTree;
use crate::values::{duration, usage};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// A command, and what becomes of its story.
#[derive(Debug)]
pub struct RunSettings {
    /// The command and its arguments; there is a command.
    pub command: Vec<OsString>,
    /// How long to wait for the ends of its sockets, where that was said.
    pub linger: Option<Duration>,
    /// Where the timelines go, if not to standard error.
    pub output: Option<PathBuf>,
}

/// Checks the options of `run`. The sockets asked for are those of the processes that the process
/// `own` starts.
///
/// # Errors
/// `Error::Usage`
pub fn checked(asked: RunOptions, own: i32) -> Result<(Settings, RunSettings)> {
    let RunOptions { options, linger, output, command } = asked;
    if command.is_empty() {
        return usage(&no_command(&options));
    }
    if options.look.duration.is_some() {
        return usage(
            "a run ends with its command: leave out --for (--linger is the time after it)",
        );
    }
    if options.print.view != ViewName::Timeline {
        return usage("run tells timelines: leave out --view");
    }
    if options.look.procfs != std::path::Path::new(super::OWN_PROCFS) {
        return usage("run follows processes of its own: leave out --procfs");
    }
    no_ready_fd(options.look.ready_fd, "run", "starts its command after the first poll")?;
    let linger = linger.as_deref().map(duration).transpose()?;
    let mut settings = Settings::new(options)?;
    settings.filter.process.tree = Some(ProcessTree::new(own));
    Ok((settings, RunSettings { command, linger, output }))
}

fn no_command(options: &Options) -> String {
    let words = if options.patterns.is_empty() { "COMMAND" } else { &options.patterns.join(" ") };
    format!("run takes its command behind '--': tcplapse run -- {words}")
}
