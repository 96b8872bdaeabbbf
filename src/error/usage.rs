//! A command line that clap accepts and the settings refuse.

use super::{ConditionError, ValueError};
use crate::tcp::state_set::alternatives;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a command line is refused. Texts are as they were written.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// A value of a flag, or of PATTERN, that cannot be parsed.
    #[error("{flag}: {cause}")]
    Value {
        /// With its dashes.
        flag: &'static str,
        /// What is wrong with it.
        cause: ValueError,
    },
    /// A flag that has no effect together with others.
    #[error("{flag} has no effect without {needs}; leave it out")]
    NoEffect {
        /// With its dashes.
        flag: &'static str,
        /// What it has an effect on.
        needs: &'static str,
    },
    /// A command that is left out by a cargo feature.
    #[error("there is no {command} in this program; build it with the cargo feature {feature}")]
    LeftOut {
        /// The command.
        command: &'static str,
        /// The feature.
        feature: &'static str,
    },

    /// `-n` with `-r`
    #[error("--numeric and --resolve contradict each other; leave out one of them")]
    NumbersAndNames,
    /// `--until` with an earlier time than `--since`.
    #[error("--until is earlier than --since; write the earlier time with --since")]
    UntilBeforeSince,

    // Which sockets.
    /// `--local 8080`
    #[error("{flag}: '{text}' has no colon; write :{text} for a port")]
    PortWithoutColon {
        /// With its dashes.
        flag: &'static str,
        /// The port.
        text: String,
    },
    /// `--local` or `--remote` of a host that has no address.
    #[error("{flag}: cannot resolve host name '{host}' ({}); write an address", failure(.cause))]
    UnknownHost {
        /// With its dashes.
        flag: &'static str,
        /// The name.
        host: String,
        /// What the resolver said.
        cause: io::Error,
    },
    /// The environment variable `TCPLAPSE_LOG`.
    #[error(
        "TCPLAPSE_LOG: '{}' is not a log filter; write off, debug, trace, or a list of MODULE=LEVEL",
        .0.escape_debug()
    )]
    LogFilter(String),
    /// `-u`, `-w`, `-S` or `--unix`
    #[error("only TCP sockets can be shown; leave out -u, -w, -S and --unix, or use ss")]
    NotTcp,

    // How the kernel is sampled.
    /// `--interval`
    #[error("--interval: '{0}' is too short; write 1ms or longer")]
    IntervalTooShort(String),
    /// `--max-cpu`
    #[error("--max-cpu: '{0}' is not a percentage from 0.1 to 100; write 25")]
    MaxCpu(String),
    /// `--top`
    #[error("--top: '{0}' is not a number of rows; write 20")]
    Top(String),
    /// `check --ports`
    #[error("--ports: '{0}' is not a percentage from 0.1 to 100; write 80%")]
    Ports(String),
    /// `check --ports` with filters by process or state.
    #[error(
        "--ports counts the sockets of all processes in all states; leave out PATTERN, --pid, --user, \
         --state and --listening"
    )]
    PortsOfAll,
    /// `--format html` with `--view`
    #[error("--format html shows several views in one report; leave out --view")]
    HtmlOfView,
    /// `--by` with more than two things, or the same twice.
    #[error("--by takes one or two different keys; write --by process,remote")]
    ByTooMuch,
    /// `--max-count`
    #[error("--max-count: '{0}' is not a number of records; write 10")]
    MaxCount(String),
    /// `--ring` with something other than a size.
    #[error("--ring: '{0}' is not a valid size; write 1MiB or 512KiB")]
    RingNotASize(String),
    /// `--ring` out of its bounds.
    #[error("--ring: '{0}' is out of range; write a size from 16KiB to 256MiB")]
    RingOutOfBounds(String),
    /// `--procfs` with a source that reads no procfs.
    #[error(
        "--procfs {} can be read by --source proc only; leave out one of them",
        .0.display()
    )]
    SourceIgnoresProcfs(PathBuf),
    /// `--owners bpf` with another procfs.
    #[error(
        "--owners bpf reads this machine, not --procfs {}; leave out one of them",
        .0.display()
    )]
    OwnersIgnoreProcfs(PathBuf),
    /// `--procfs /proc/PID`
    #[error(
        "--procfs {} is the directory of one process; write the mount point of a procfs, or nsenter \
         -t PID -n tcplapse for the network namespace of the process",
        .0.display()
    )]
    ProcfsOfProcess(PathBuf),
    /// `--record -`
    #[error(
        "--record needs a file, since records are printed to standard output; write --record FILE"
    )]
    RecordToStdout,
    /// `--keep` of something that is neither a time nor a size, or two of the same.
    #[error("--keep: '{0}' is not how much to keep; write 1h, 100MiB or 1h,100MiB")]
    Keep(String),
    /// `--keep` of next to nothing.
    #[error("--keep: '{0}' is too little; write 1s or 64KiB or more")]
    KeepTooLittle(String),
    /// `--tcp-info` with `--procfs`
    #[error(
        "--tcp-info is about this machine's own sockets, and --procfs shows others; leave out one of \
         them"
    )]
    TcpInfoOfProcfs,
    /// `--netns pid:N` or `container:ID` of a recording
    #[error(
        "--netns: a recording knows network namespaces by name and inode alone; write one that replay -j \
         shows as netns_name or netns"
    )]
    NetnsOfRecording,
    /// `--tcp-info` with `--record`
    #[error("--tcp-info is not recorded, and cannot be replayed; leave out --tcp-info or --record")]
    TcpInfoRecorded,
    /// `--ready-fd` of standard input or output, or of something that is not a descriptor.
    #[error(
        "--ready-fd: '{0}' is not a usable file descriptor; write 2 (standard error) or higher"
    )]
    ReadyFd(String),
    /// `--ready-fd` of a descriptor that cannot be written to.
    #[error(
        "--ready-fd {fd}: file descriptor {fd} is not open for writing to a pipe or file \
         ({}); open it, as in {fd}>FILE, or write --ready-fd 2",
        super::reason(cause)
    )]
    ReadyFdClosed {
        /// The descriptor.
        fd: u32,
        /// What the kernel said.
        cause: io::Error,
    },
    /// A flag about sampling, for a recording; with its dashes.
    #[error("{0} cannot be used with --from, since a recording is sampled already; leave it out")]
    SamplingOfRecording(String),

    /// BOUND where it is not shown, by its flag.
    #[error(
        "{0}: BOUND has no transitions and is listed by sock_diag alone; write tcplapse list -s bound \
         --source netlink, or --view table, without --record and --rules"
    )]
    Bound(&'static str),
    /// BOUND on a kernel that does not list such sockets.
    #[error(
        "this kernel ({0}) does not list sockets that are merely bound; that takes Linux 6.8 or later"
    )]
    BoundUnknown(String),

    // What is printed.
    /// `--format svg`, `dot` or `mermaid` of something other than the diagram.
    #[error("--format svg, dot and mermaid need --view diagram; add it, or use --format text")]
    OnlyDiagramIsDrawn,

    /// `--label` without a key and a value.
    #[error("--label: '{0}' is not KEY=VALUE; write host=web1")]
    Label(String),
    /// `--label` with a key that would not be usual.
    #[error(
        "--label: '{0}' is not a valid key; write letters, digits, '_', '.' and '-' only, and a letter or \
         '_' first"
    )]
    LabelKey(String),
    /// `--label` with a key that records have.
    #[error("--label: records have a key '{0}' already; write another, such as label_{0}")]
    LabelTaken(String),
    /// Two values of `--label` with one key.
    #[error("--label: the key '{0}' is given twice; leave one of them out")]
    LabelTwice(String),

    // Commands.
    /// `list -l -s CLOSE_WAIT`, or `wait` with these flags alone.
    #[error("--state and --listening leave no state to show; leave out one of them")]
    NothingListed,
    /// `list --source trace`
    #[error("--source trace follows transitions, of which list shows none; use --source netlink")]
    ListTrace,
    /// `replay --for` of a recording that is read to its end.
    #[error("--for ends a replay that follows a growing file; add --follow, or leave it out")]
    ForWithoutFollow,
    /// `replay --follow -`
    #[error("standard input is always read as it comes; leave out --follow")]
    FollowStdin,
    /// `run` without a command; with the words that stand where it was expected.
    #[error("run needs a command after '--'; write tcplapse run -- {0}")]
    RunWithoutCommand(String),
    /// `run -- ip netns exec NAME COMMAND`, `nsenter -n` or `unshare -n`
    #[error(
        "run cannot follow a command into another network namespace; write '{enter} tcplapse run -- \
         {command}'"
    )]
    RunElsewhere {
        /// What enters the namespace.
        enter: String,
        /// What is run there.
        command: String,
    },
    /// `explain STATE --format`
    #[error("--format is for the diagram; leave it out, or leave out the states")]
    ExplainFormat,
    /// `explain` of a code without a name.
    #[error("'{0}' is a state code that Linux has no name for; write a state such as CLOSE_WAIT")]
    ExplainCode(String),
    /// `explain` of something that is not a state.
    #[error("'{name}' is not a TCP state; {}", meant(.near, .all))]
    ExplainState {
        /// As it was written.
        name: String,
        /// States with similar names; may be empty.
        near: Vec<String>,
        /// All states.
        all: Vec<String>,
    },

    // export
    /// `export --listen` of something that is not an address.
    #[error(
        "--listen: '{0}' is not an address and a port; write 127.0.0.1:9713, [::1]:9713 or unix:PATH"
    )]
    Listen(String),
    /// `export --textfile` of a file that node_exporter does not read.
    #[error("--textfile: '{}' does not end with .prom, and node_exporter reads no others; write FILE.prom", .0.display())]
    TextFile(PathBuf),
    /// `export --limit`
    #[error("--limit: '{0}' is not a number of groups from 1 to 10000; write 50")]
    Limit(String),
    /// `export --by state` with another key.
    #[error("--by state is no group besides the state; leave it out, or leave out the others")]
    ByStateAndOthers,

    // wait and check
    /// A condition or limit on CLOSED alone, by its flag.
    #[error(
        "{0}: a socket in CLOSED is in none of the kernel's tables, so that none can be counted; name \
         the state that it should leave, such as CLOSE_WAIT"
    )]
    CountsClosed(&'static str),
    /// `wait --until`
    #[error("--until: {0}")]
    Until(#[from] ConditionError),
    /// `wait --until` of states that other filters exclude.
    #[error(
        "--until: '{0}' is about states that --state or --listening excludes; leave out one of them"
    )]
    UntilExcluded(String),

    // check
    /// A limit on states that other filters exclude: it would never be violated.
    #[error(
        "{flag}: '{text}' counts no state that --state and --listening show; leave out one of them"
    )]
    LimitExcluded {
        /// The flag of the limit.
        flag: &'static str,
        /// Its value.
        text: String,
    },
    /// `check --stuck`
    #[error("--stuck: '{0}' is not STATE:AGE; write CLOSE_WAIT:60s")]
    Stuck(String),
    /// `check --max`
    #[error("--max: '{0}' is not STATE:COUNT; write TIME_WAIT:1000")]
    Max(String),
    /// `check --stuck 60s:CLOSE_WAIT`
    #[error("{flag}: '{text}' has the states last; write {meant}")]
    SwappedLimit {
        /// With its dashes.
        flag: &'static str,
        /// The limit.
        text: String,
        /// The limit with its parts in the right order.
        meant: String,
    },
    /// `check` without a limit.
    #[error(
        "check needs a limit; write --stuck CLOSE_WAIT:60s, --max TIME_WAIT:1000, --ports 80% or \
         --growing CLOSE_WAIT --for 10m"
    )]
    NoLimits,
    /// `check --growing` without `--for`.
    #[error("--growing needs a time to watch; add --for 10m")]
    GrowingWithoutFor,
    /// `check --for` that is shorter than an age of `--stuck`.
    #[error(
        "--for {watched:?} is shorter than the --stuck age {age:?}; leave it out, or make it longer"
    )]
    ForShorterThanAge {
        /// The time of `--for`.
        watched: Duration,
        /// The longest age of `--stuck`.
        age: Duration,
    },
}

/// What the resolver said, without the words that the library puts before it.
fn failure(cause: &io::Error) -> String {
    let text = cause.to_string();
    text.rsplit_once(": ").map_or(text.as_str(), |(_, failure)| failure).to_owned()
}

/// States with similar names, or else all names.
fn meant(near: &[String], all: &[String]) -> String {
    if near.is_empty() {
        format!("write one of {}", all.join(", "))
    } else {
        format!("did you mean {}?", alternatives(near))
    }
}
