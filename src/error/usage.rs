//! A command line that clap accepts and the settings refuse.

use super::{ConditionError, ValueError};
use crate::tcp::state_set::UnknownState;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a command line is refused. Texts are as they were written.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    // Which sockets.
    /// `--pid`
    #[error("--pid takes process ids such as 812, not '{0}'")]
    Pid(String),
    /// `--user`
    #[error("there is no user '{0}'; --user takes a name or a uid")]
    User(String),
    /// `--port`
    #[error("--port takes 443 or 8000-8999, not '{0}'")]
    Ports(String),
    /// A flag that takes a set of states.
    #[error("{flag}: {cause}")]
    States {
        /// With its dashes.
        flag: &'static str,
        /// Which part of the set is wrong.
        cause: UnknownState,
    },
    /// A value whose sentence names no flag.
    #[error(transparent)]
    Value(ValueError),
    /// The environment variable `TCPLAPSE_LOG`.
    #[error(
        "TCPLAPSE_LOG takes off, debug, trace, or a list of MODULE=LEVEL, not '{}'",
        .0.escape_debug()
    )]
    LogFilter(String),
    /// `-u`, `-w`, `-S` or `--unix`
    #[error("TCP only: leave out -u, -w, -S and --unix (ss and netstat show those)")]
    NotTcp,

    // How the kernel is sampled.
    /// `--interval`
    #[error("--interval must be 1ms or longer, not '{0}'")]
    IntervalTooShort(String),
    /// `--max-cpu`
    #[error("--max-cpu takes percent of one core from 0.1 to 100, not {0}")]
    MaxCpu(f64),
    /// `--ring` with something other than a size.
    #[error("'{0}' is no size; write --ring 1MiB or 512KiB")]
    RingNotASize(String),
    /// `--ring` out of its bounds.
    #[error("--ring takes a size from 16KiB to 256MiB, not '{0}'")]
    RingOutOfBounds(String),
    /// `--procfs` with a source that reads no procfs.
    #[error(
        "only --source proc reads another procfs; leave out --source or --procfs {}",
        .0.display()
    )]
    SourceIgnoresProcfs(PathBuf),
    /// `--record -`
    #[error("--record takes a file: standard output is for what is printed")]
    RecordToStdout,
    /// `--ready-fd` of standard input or output.
    #[error("--ready-fd takes 2 (standard error) or a higher file descriptor, not {0}")]
    ReadyFdReserved(u32),
    /// `--ready-fd` of a descriptor that cannot be written to.
    #[error(
        "--ready-fd {fd}: file descriptor {fd} is not open for writing to a pipe or file \
         ({cause}); open it, as in {fd}>FILE, or write --ready-fd 2"
    )]
    ReadyFdClosed {
        /// The descriptor.
        fd: u32,
        /// What the kernel said.
        cause: io::Error,
    },
    /// `--ready-fd` of a command that does not go on after its first poll.
    #[error("{command} {instead}; leave out --ready-fd {fd}")]
    ReadyFdUseless {
        /// The command.
        command: &'static str,
        /// What the command does at its first poll.
        instead: &'static str,
        /// The descriptor.
        fd: u32,
    },
    /// A flag about sampling, for a recording; with its dashes.
    #[error("{0} says how to look at the kernel, and a recording has looked already: leave it out")]
    SamplingOfRecording(String),

    // What is printed.
    /// `--format svg`, `dot` or `mermaid` of something other than the diagram.
    #[error("--format svg, dot and mermaid draw the diagram: add --view diagram")]
    OnlyDiagramIsDrawn,
    /// `--rules` of a command that prints no alerts.
    #[error("{0} judges by no --rules; write tcplapse watch --rules")]
    NoRules(&'static str),

    // Commands.
    /// `list --view diagram`
    #[error("list prints a table; for the diagram write tcplapse watch --view diagram")]
    ListDiagram,
    /// `replay --follow -`
    #[error("standard input is read as it comes: leave out --follow")]
    FollowStdin,
    /// `run` without a command; with the words that stand where it was expected.
    #[error("run takes its command behind '--': tcplapse run -- {0}")]
    RunWithoutCommand(String),
    /// `run --for`
    #[error("a run ends with its command: leave out --for (--linger is the time after it)")]
    RunFor,
    /// `run --view`
    #[error("run tells timelines: leave out --view")]
    RunView,
    /// `run --procfs`
    #[error("run follows processes of its own: leave out --procfs")]
    RunProcfs,
    /// `explain STATE --format`
    #[error("--format draws the diagram: leave the states out of explain")]
    ExplainFormat,
    /// `explain` of a code without a name.
    #[error("'{0}' is a code that Linux does not name")]
    ExplainCode(String),
    /// `explain` of something that is not a state.
    #[error("'{name}' is no TCP state; {}", meant(.near, .all))]
    ExplainState {
        /// As it was written.
        name: String,
        /// States with similar names; may be empty.
        near: Vec<String>,
        /// All states.
        all: Vec<String>,
    },

    // wait
    /// `wait --for`
    #[error("wait goes on until its condition holds; to give up, write --timeout '{0}'")]
    WaitFor(String),
    /// `wait --until`
    #[error("--until: {0}")]
    Until(#[from] ConditionError),
    /// `wait --until` of states that other filters exclude.
    #[error("--until '{0}' is about states that --state or --listening leaves out")]
    UntilExcluded(String),

    // check
    /// `check --stuck`
    #[error("--stuck takes STATE:AGE such as CLOSE_WAIT:60s, not '{0}'")]
    Stuck(String),
    /// `check --max`
    #[error("--max takes STATE:COUNT such as TIME_WAIT:1000, not '{0}'")]
    Max(String),
    /// `check` without a limit.
    #[error(
        "check needs to know what is wrong; write --stuck CLOSE_WAIT:60s, --max TIME_WAIT:1000 or \
         --growing CLOSE_WAIT --for 10m"
    )]
    NoLimits,
    /// `check --growing` without `--for`.
    #[error("--growing needs a time to grow in; add --for 10m")]
    GrowingWithoutFor,
    /// `check --for` that is shorter than an age of `--stuck`.
    #[error(
        "In {watched:?} nothing can be seen to be stuck for {age:?}; leave --for out, or make it \
         longer"
    )]
    ForShorterThanAge {
        /// The time of `--for`.
        watched: Duration,
        /// The longest age of `--stuck`.
        age: Duration,
    },
}

/// Values of flags: where the sentence names the flag, by a variant of its own.
impl From<ValueError> for UsageError {
    fn from(error: ValueError) -> Self {
        match error {
            ValueError::Pid(text) => Self::Pid(text),
            ValueError::User(text) => Self::User(text),
            ValueError::Ports(text) => Self::Ports(text),
            ValueError::State(cause) => Self::States { flag: "--state", cause },
            other => Self::Value(other),
        }
    }
}

/// States with similar names, or else all names.
fn meant(near: &[String], all: &[String]) -> String {
    if near.is_empty() {
        format!("states are {}", all.join(", "))
    } else {
        format!("did you mean {}?", near.join(" or "))
    }
}
