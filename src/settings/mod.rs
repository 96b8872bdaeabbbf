//! The command line, checked and parsed: one small function per rule. A [`UsageError`] says which
//! rule is broken.

pub(crate) mod check;
mod elsewhere;
#[cfg(feature = "export")]
pub(crate) mod export;
mod filter;
mod hints;
mod labels;
pub(crate) mod list;
pub(crate) mod local_time;
mod names;
pub(crate) mod netns;
pub(crate) mod record;
pub(crate) mod run;
mod states;
mod summary;
mod useless;
pub(crate) mod wait;
mod wanted;

use crate::cli::{
    self, ColorName, FormatName, GroupName, Options, OwnersName, ReplayOptions, SourceName,
    TimeName,
};
use crate::error::UsageError;
use crate::filter::Filter;
use crate::model::time::Moment;
use crate::tcp::state::State;
use crate::values::{bytes, duration, moment};
use crate::view::ViewName;
use crate::view::labels::Labels;
use filter::filter;
use hints::hints;
use netns::NetnsChoice;
use record::RecordSettings;
use states::{bound, refuse_uncounted};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wanted::NeededRows;

type Result<T> = std::result::Result<T, UsageError>;

/// Below, the smaller rings would be less than a page; above, it is a typing error.
const RING_SIZES: RangeInclusive<usize> = 16 << 10..=256 << 20;
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// The procfs that shows the caller's own network namespace.
pub(crate) const OWN_PROCFS: &str = "/proc";

/// The settings that commands share.
#[derive(Debug)]
pub struct Settings {
    /// Which sockets are wanted.
    pub(crate) filter: Filter,
    /// The source of the readings.
    pub(crate) source: SourceName,
    /// How owners are found.
    pub(crate) owners: OwnersName,
    /// Bytes per CPU for kernel events; a power of two.
    #[cfg_attr(not(feature = "bpf"), allow(dead_code))]
    pub(crate) ring: usize,
    /// The procfs to read.
    pub(crate) procfs: PathBuf,
    /// The network namespaces to read; none for the caller's own.
    pub(crate) netns: Vec<NetnsChoice>,
    /// How often the source polls.
    pub(crate) poll: PollSettings,
    /// The rows that a poll has to show.
    pub(crate) needs: NeededRows,
    /// Listeners are shown or counted.
    pub(crate) asks_for_listeners: bool,
    /// When the run ends; `None` for no limit.
    pub(crate) duration: Option<Duration>,
    /// The number of records after which the run ends; `None` for no limit.
    pub(crate) max_count: Option<u64>,
    /// How records are written.
    pub(crate) output: OutputSettings,
    /// The file descriptor that gets a line once the first poll is over.
    pub(crate) ready_fd: Option<u32>,
    /// Where readings are recorded; `None` for nowhere.
    pub(crate) record: Option<RecordSettings>,
    /// The rules file that gives alerts.
    pub(crate) rules: Option<PathBuf>,
    /// Print no warnings and no closing line.
    pub(crate) quiet: bool,
    /// Sentences for standard error about what was probably meant.
    pub(crate) hints: Vec<String>,
    /// The patterns for process names, as they were written.
    pub(crate) patterns: Vec<String>,
}

/// How a source polls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PollSettings {
    /// Time between the starts of two polls.
    pub interval: Duration,
    /// The share of one core, in percent, that polling stays below.
    pub max_cpu: f64,
    /// Whether the first poll asks how long connections have been idle, too.
    pub idle: bool,
    /// Whether each poll asks what the kernel measures of connections, too.
    pub tcp_info: bool,
    /// Whether polls ask for sockets that are merely bound, too.
    pub bound: bool,
}

/// How records are written.
#[derive(Debug, Clone)]
#[allow(missing_docs, clippy::struct_excessive_bools)] // named as the flags are
pub(crate) struct OutputSettings {
    pub(crate) tcp_info: bool,
    pub(crate) view: ViewName,
    /// What a summary groups by, besides the state.
    pub(crate) by: [Option<GroupName>; 2],
    #[cfg_attr(not(feature = "tui"), allow(dead_code))]
    pub(crate) mouse: bool,
    pub(crate) format: FormatName,
    pub(crate) labels: Labels,
    pub(crate) extended: bool,
    pub(crate) timers: bool,
    pub(crate) resolve: bool,
    pub(crate) header: bool,
    pub(crate) color: ColorName,
    pub(crate) time: TimeName,
    pub(crate) utc: bool,
}

impl Settings {
    /// Checks the options of a command.
    pub fn new(options: impl Into<Options>) -> Result<Self> {
        let options: Options = options.into();
        let mut hints = hints(&options.filter);
        hints.extend(tcp_only(&options.common.netstat)?);
        useless::refuse(&options)?;
        let interval = interval(&options.poll.interval)?;
        let duration =
            options.end.duration.as_deref().map(|text| time("--for", text)).transpose()?;
        let (max_cpu, max_count) = (max_cpu(&options.poll.max_cpu)?, &options.end.count.max_count);
        hints.extend(unit_hint(&options.poll.interval));
        hints.extend(single_poll(interval, duration, options.source.source));
        let mut filter = filter(&options.filter, options.view.rules.is_some())?;
        let by = summary::by(&options.view)?;
        filter.process.shows_workload = shows_workload(&options, by);
        let bound = bound(&options, &filter)?;
        let (ring, rounded) = ring(options.poll.ring())?;
        hints.extend(rounded);
        let poll = PollSettings {
            interval,
            max_cpu,
            // Text does not show it, and it makes the first poll of many connections twice as
            // expensive.
            idle: options.view.view.traits().has_idle && format(&options.view) != FormatName::Text,
            tcp_info: options.info.tcp_info,
            bound,
        };
        let max_count = max_count.as_deref().map(self::max_count).transpose()?;
        let output = output(&options, by)?;
        let procfs = options.source.procfs.unwrap_or_else(|| OWN_PROCFS.into());
        Ok(Self {
            ring,
            filter,
            poll,
            needs: NeededRows::default(),
            asks_for_listeners: true,
            duration,
            max_count,
            output,
            ready_fd: options.ready.ready_fd.as_deref().map(ready_fd).transpose()?,
            record: record::record(options.record)?,
            hints,
            rules: options.view.rules,
            source: source(options.source.source, &procfs)?,
            owners: owners(options.source.owners.owners, &procfs)?,
            netns: netns::netns(&options.source.netns)?,
            procfs,
            patterns: options.filter.patterns,
            quiet: options.common.quiet,
        })
    }
}

/// Whether something shows what owners run in, which is in a file of each process.
fn shows_workload(options: &Options, by: [Option<GroupName>; 2]) -> bool {
    format(&options.view) != FormatName::Text
        || options.table.extend
        || options.view.view.traits().has_columns
        || by.iter().flatten().any(|name| name.is_workload())
}

fn output(options: &Options, by: [Option<GroupName>; 2]) -> Result<OutputSettings> {
    let Options { view, table, text, time, info, .. } = options;
    Ok(OutputSettings {
        tcp_info: info.tcp_info,
        view: view.view,
        by,
        mouse: view.view.traits().is_interactive && !options.no_mouse,
        format: format(view),
        labels: labels::labels(&view.label)?,
        extended: table.extend,
        timers: table.timers,
        resolve: text.resolve,
        header: !text.no_header,
        color: text.color,
        time: time.time.unwrap_or_default(),
        utc: time.utc,
    })
}

/// How the kernel is sampled was settled when a recording was made.
fn refuse_sampling(flags: &[String]) -> Result<()> {
    match flags {
        [] => Ok(()),
        [flag, ..] => Err(UsageError::SamplingOfRecording(flag.clone())),
    }
}

/// The part of a recording that is shown; `None` for its beginning and its end.
#[derive(Debug, Clone, Default)]
pub struct RecordedPart {
    pub(crate) since: Option<Moment>,
    pub(crate) until: Option<Moment>,
}

/// Checks the options that only `replay` has, and parses the part of the recording to show.
pub fn check_replay(options: &ReplayOptions) -> Result<RecordedPart> {
    let view = &options.shared.view;
    // Alerts from before that time are not printed.
    if options.since.is_some() && view.view.traits().is_of_one_instant && view.rules.is_none() {
        let needs = "a view of what happened, such as events";
        return Err(UsageError::NoEffect { flag: "--since", needs });
    }
    if options.follow && options.file.as_os_str() == "-" {
        return Err(UsageError::FollowStdin);
    }
    if !options.follow && options.shared.end.duration.is_some() {
        return Err(UsageError::ForWithoutFollow);
    }
    let zone = local_time::zone(options.shared.time.utc);
    let moment = |flag, text: &Option<String>| {
        let parsed = text.as_deref().map(|text| moment(text, &zone)).transpose();
        parsed.map_err(|cause| UsageError::value(flag, cause))
    };
    let (since, until) = (moment("--since", &options.since)?, moment("--until", &options.until)?);
    match (&since, &until) {
        (Some(Moment::Wall(since)), Some(Moment::Wall(until))) if since > until => {
            Err(UsageError::UntilBeforeSince)
        }
        _ => Ok(RecordedPart { since, until }),
    }
}

impl Settings {
    /// The settings of `list`; an error where one is useful only to a run that goes on.
    pub(crate) fn of_list(mut self) -> Result<Self> {
        if self.source.interface().is_some_and(|source| source.traits().yields_every_change) {
            return Err(UsageError::ListTrace);
        }
        let mut listed = State::NAMED.into_iter().filter(|state| *state != State::Closed);
        if self.filter.listening && !listed.any(|state| self.filter.shows_state(state)) {
            return Err(UsageError::NothingListed);
        }
        // It makes a poll of many connections twice as expensive.
        self.needs = NeededRows::Shown;
        self.poll.idle = self.output.format != FormatName::Text || self.output.timers;
        // It is in a file of each process, and in one column of the text.
        self.filter.process.shows_workload =
            self.output.format != FormatName::Text || self.output.extended;
        Ok(self)
    }
}

const fn format(view: &cli::ViewArgs) -> FormatName {
    if view.json { FormatName::Json } else { view.format }
}

/// A hint about a long interval without a unit, which is in seconds.
fn unit_hint(text: &str) -> Option<String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds >= 10.0)?;
    Some(format!("an interval of {text} is {seconds} seconds; for milliseconds write {text}ms"))
}

/// A hint where a long interval leaves the run a single poll, which shows no change. Kernel events
/// come between polls.
fn single_poll(
    interval: Duration,
    duration: Option<Duration>,
    source: SourceName,
) -> Option<String> {
    let traces = source.interface().is_none_or(|source| source.traits().yields_every_change);
    let is_long = interval > Duration::from_millis(100) && !traces;
    let time = duration.filter(|time| is_long && !time.is_zero() && *time < interval)?;
    Some(format!(
        "--for {time:?} is shorter than the interval of {interval:?}: there is one poll, and no change is seen"
    ))
}

/// Refuses other protocols than TCP; beside `-t`, as in `-tulpn`, they are only pointed out.
fn tcp_only(netstat: &cli::NetstatCompat) -> Result<Option<String>> {
    if !(netstat.udp || netstat.raw || netstat.sctp || netstat.unix) {
        return Ok(None);
    }
    if netstat.tcp {
        return Ok(Some("only TCP sockets are shown".to_owned()));
    }
    Err(UsageError::NotTcp)
}

/// Refuses `--procfs` for sources that read only the network namespace of the caller.
fn source(name: SourceName, procfs: &Path) -> Result<SourceName> {
    let ignores_procfs = name.interface().is_some_and(|source| !source.traits().reads_procfs);
    if ignores_procfs && procfs != Path::new(OWN_PROCFS) {
        return Err(UsageError::SourceIgnoresProcfs(procfs.to_owned()));
    }
    Ok(name)
}

/// Refuses `--procfs` for BPF, which walks through the processes of this machine; with `auto` that is
/// no reason for it.
fn owners(name: OwnersName, procfs: &Path) -> Result<OwnersName> {
    let is_own = procfs == Path::new(OWN_PROCFS);
    match name {
        OwnersName::Bpf if !is_own => Err(UsageError::OwnersIgnoreProcfs(procfs.to_owned())),
        OwnersName::Auto if !is_own => Ok(OwnersName::Proc),
        name => Ok(name),
    }
}

/// A length of time.
fn time(flag: &'static str, text: &str) -> Result<Duration> {
    duration(text).map_err(|cause| UsageError::value(flag, cause))
}

fn top(text: &str) -> Result<usize> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| UsageError::Top(text.to_owned()))
}

fn max_count(text: &str) -> Result<u64> {
    text.parse().map_err(|_| UsageError::MaxCount(text.to_owned()))
}

fn interval(text: &str) -> Result<Duration> {
    let interval = time("--interval", text)?;
    if interval < SHORTEST_INTERVAL {
        return Err(UsageError::IntervalTooShort(text.to_owned()));
    }
    Ok(interval)
}

/// Standard input cannot be written, and standard output carries records alone.
fn ready_fd(text: &str) -> Result<u32> {
    match text.parse() {
        Ok(0 | 1) | Err(_) => Err(UsageError::ReadyFd(text.to_owned())),
        Ok(fd) => Ok(fd),
    }
}

/// A number of percent, with or without the sign.
fn max_cpu(text: &str) -> Result<f64> {
    match text.strip_suffix('%').unwrap_or(text).parse() {
        Ok(percent) if (0.1..=100.0).contains(&percent) => Ok(percent),
        _ => Err(UsageError::MaxCpu(text.to_owned())),
    }
}

/// Bytes of `1MiB`, `16KiB` or a plain number, and a hint where they were rounded up: the kernel's
/// rings are powers of two.
fn ring(text: &str) -> Result<(usize, Option<String>)> {
    match bytes(text).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)) {
        Some(bytes) if RING_SIZES.contains(&bytes) => {
            let ring = bytes.next_power_of_two();
            let hint = format!("--ring {text} becomes {}KiB, a power of two", ring >> 10);
            Ok((ring, (ring != bytes).then_some(hint)))
        }
        Some(_) => Err(UsageError::RingOutOfBounds(text.to_owned())),
        None => Err(UsageError::RingNotASize(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ValueError;
    use clap::Parser;

    fn settings(line: &str) -> Result<Settings> {
        Settings::new(cli::Cli::parse_from(line.split_whitespace()).options)
    }

    fn error(line: &str) -> UsageError {
        settings(line).expect_err(line)
    }

    /// Asserts that a command line is refused for one cause.
    macro_rules! assert_refused {
        ($line:expr, $cause:pat $(if $guard:expr)?) => {
            let error = error($line);
            assert!(matches!(&error, $cause $(if $guard)?), "{}: {error:?}", $line);
        };
    }

    #[test]
    fn wrong_filters_are_refused() {
        assert_refused!("t --pid x", UsageError::Value { flag: "--pid", cause: ValueError::Pid(text) } if text == "x");
        assert_refused!(
            "t --user no-such-user-here",
            UsageError::Value { flag: "--user", cause: ValueError::User(_) }
        );
        assert_refused!("t -s BLAH", UsageError::Value { flag: "--state", cause: ValueError::State(cause) } if cause.0 == "BLAH");
        assert_refused!("t (", UsageError::Value { flag: "PATTERN", cause: ValueError::Pattern { pattern, .. } } if pattern == "(");
        assert_refused!("t --port 9-1", UsageError::Value { flag: "--port", cause: ValueError::ReversedPorts(text) } if text == "9-1");
        assert_refused!(
            "t --local 10.0.0.0/40",
            UsageError::Value { flag: "--local", cause: ValueError::PrefixTooLong { .. } }
        );
        assert_refused!("t -u", UsageError::NotTcp);
    }

    #[test]
    fn wrong_sampling_is_refused() {
        assert_refused!("t -i 0.5ms", UsageError::IntervalTooShort(text) if text == "0.5ms");
        assert_refused!(
            "t -i fast",
            UsageError::Value { flag: "--interval", cause: ValueError::Duration(_) }
        );
        assert_refused!("t --max-cpu 0", UsageError::MaxCpu(_));
        assert_refused!("t --source netlink --procfs /x", UsageError::SourceIgnoresProcfs(_));
        assert_refused!("t --owners bpf --procfs /x", UsageError::OwnersIgnoreProcfs(_));
        assert_refused!("t --record -", UsageError::RecordToStdout);
        assert_refused!("t --tcp-info --procfs /x", UsageError::TcpInfoOfProcfs);
        assert_refused!("t --tcp-info --record f", UsageError::TcpInfoRecorded);
        assert_refused!("t --keep 1h", UsageError::NoEffect { flag: "--keep", .. });
        assert_refused!("t --record f --keep long", UsageError::Keep(text) if text == "long");
        assert_refused!("t --ready-fd 1", UsageError::ReadyFd(text) if text == "1");
    }

    #[test]
    fn only_the_diagram_is_drawn() {
        assert_refused!("t --format svg", UsageError::OnlyDiagramIsDrawn);
        assert_refused!("t --format dot --view table", UsageError::OnlyDiagramIsDrawn);
        assert!(settings("t --format mermaid --view diagram").is_ok());
    }

    #[test]
    fn flags_without_effect_are_refused() {
        for (line, refused) in [
            ("t -x", "--exact"),
            ("t --ring 1MiB", "--ring"),
            ("t -e", "--extend"),
            ("t -o --view table -j", "--timers"),
            ("t -rj", "--resolve"),
            ("t -H --view timeline", "--no-header"),
            ("t --utc -j", "--utc"),
            ("t --tcp-info --view diagram", "--tcp-info"),
            ("t -j --color always", "--color"),
            ("t --view table --time epoch", "--time"),
            ("t --view summary --utc", "--utc"),
        ] {
            assert_refused!(line, UsageError::NoEffect { flag, .. } if *flag == refused);
        }
        for line in ["t -x a", "t --ring 1MiB --source trace", "t -eo --view table", "t -H"] {
            assert!(settings(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn rings_are_rounded_up_to_powers_of_two() {
        for (text, kib) in [("1MiB", 1024), ("16KiB", 16), ("64k", 64), ("32768", 32)] {
            assert_eq!(ring(text).unwrap(), (kib << 10, None), "{text}");
        }
        let (ring, hint) = ring("100KiB").unwrap();
        assert_eq!(ring, 128 << 10);
        assert!(hint.unwrap().contains("100KiB becomes 128KiB"));
        for text in ["8KiB", "1GiB"] {
            assert_refused!(
                &format!("t --source trace --ring {text}"),
                UsageError::RingOutOfBounds(_)
            );
        }
        for text in ["", "big", "1TiB", "-1", "1.5MiB", "99999999999999999999"] {
            assert!(matches!(super::ring(text), Err(UsageError::RingNotASize(_))), "{text}");
        }
    }

    #[test]
    fn probable_slips_work_with_a_hint() {
        assert!(settings("t 812").unwrap().hints[0].contains("--pid 812"));
        assert!(settings("t lst").unwrap().hints[0].contains("tcplapse list"));
        assert!(settings("t :443").unwrap().hints[0].contains("--port 443"));
        assert!(settings("t -tulpn").unwrap().hints[0].contains("only TCP"));
        assert!(settings("t -46").unwrap().hints[0].contains("IPv4 and IPv6"));
        let hints = settings("t -i 10 --for 1s").unwrap().hints;
        assert!(hints[0].contains("10 seconds; for milliseconds write 10ms"), "{hints:?}");
        assert!(hints[1].starts_with("--for 1s is shorter than the interval of 10s"), "{hints:?}");
        for fine in ["t client", "t --for 10ms", "t -i 10s --for 1s --source trace", "t -4 -i 5"] {
            assert!(settings(fine).unwrap().hints.is_empty(), "{fine}");
        }
    }
}
