//! The command line, checked and parsed: one small function per rule. A [`UsageError`] says which
//! rule is broken.

pub mod check;
pub mod run;
pub mod wait;

use crate::cli::{
    self, ColorName, FormatName, Options, ReplayOptions, SourceName, TimeName, ViewName,
};
use crate::error::{UsageError, ValueError};
use crate::filter::{Filter, ProcessFilter};
use crate::model::socket::Family;
use crate::values::{address, duration, pid, ports, regex, states, user};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

type Result<T> = std::result::Result<T, UsageError>;

/// Below, the smaller rings would be less than a page; above, it is a typing error.
const RING_SIZES: RangeInclusive<usize> = 16 << 10..=256 << 20;
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// The procfs that shows the caller's own network namespace.
pub(crate) const OWN_PROCFS: &str = "/proc";

/// The settings that commands share.
#[derive(Debug)]
pub struct Settings {
    /// Which sockets.
    pub(crate) filter: Filter,
    /// Where states come from.
    pub(crate) source: SourceName,
    /// Bytes per CPU for kernel events; a power of two.
    pub(crate) ring: usize,
    /// The procfs to read.
    pub(crate) procfs: PathBuf,
    /// How often the source polls.
    pub(crate) poll: PollSettings,
    /// When the run ends; `None` for no limit.
    pub(crate) duration: Option<Duration>,
    /// The number of records after which the run ends; `None` for no limit.
    pub(crate) max_count: Option<u64>,
    /// How records are written.
    pub(crate) output: OutputSettings,
    /// The file descriptor that gets a line once the first poll is over.
    pub(crate) ready_fd: Option<u32>,
    /// The file to which readings are recorded.
    pub(crate) record: Option<PathBuf>,
    /// The rules file that gives alerts.
    pub(crate) rules: Option<PathBuf>,
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
}

/// How records are written.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, clippy::struct_excessive_bools)] // named as the flags are
pub struct OutputSettings {
    pub(crate) view: ViewName,
    pub(crate) format: FormatName,
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
    pub fn new(options: Options) -> Result<Self> {
        tcp_only(&options.netstat)?;
        let output = &options.output;
        drawings(output)?;
        let (ring, rounded) = ring(&options.sampling.ring)?;
        Ok(Self {
            ring,
            filter: filter(&options)?,
            poll: PollSettings {
                interval: interval(&options.sampling.interval)?,
                max_cpu: max_cpu(options.sampling.max_cpu)?,
            },
            duration: options.sampling.duration.as_deref().map(duration).transpose()?,
            max_count: options.sampling.max_count,
            output: OutputSettings {
                view: output.view,
                format: if output.json { FormatName::Json } else { output.format },
                extended: output.extend,
                timers: output.timers,
                resolve: output.resolve,
                header: !output.no_header,
                color: output.color,
                time: output.time,
                utc: output.utc,
            },
            ready_fd: options.sampling.ready_fd.map(ready_fd).transpose()?,
            record: options.sampling.record.map(record).transpose()?,
            hints: hints(&options.patterns).into_iter().chain(rounded).collect(),
            rules: options.output.rules,
            source: source(options.sampling.source, &options.sampling.procfs)?,
            procfs: options.sampling.procfs,
            patterns: options.patterns,
        })
    }
}

/// How the kernel is sampled was settled when a recording was made.
fn no_sampling(flags: &[String]) -> Result<()> {
    match flags {
        [] => Ok(()),
        [flag, ..] => Err(UsageError::SamplingOfRecording(flag.clone())),
    }
}

/// Checks the options that only `replay` has.
pub fn replay(options: &ReplayOptions) -> Result<()> {
    no_sampling(&options.sampling_flags)?;
    if options.follow && options.file.as_os_str() == "-" {
        return Err(UsageError::FollowStdin);
    }
    Ok(())
}

impl Settings {
    /// The family to read; `None` for both. A recording holds all sockets, whatever the filter.
    pub(crate) fn family(&self) -> Option<Family> {
        self.filter.family.filter(|_| self.record.is_none())
    }

    /// The settings of `list`; an error where one is useful only to a run that goes on.
    pub fn of_list(self) -> Result<Self> {
        no_ready_fd(self.ready_fd, "list", "exits after its first poll")?;
        self.without_rules("list")
    }

    /// The settings of a command without a stream of records; an error where there are rules,
    /// which print alerts into that stream.
    pub(crate) fn without_rules(self, command: &'static str) -> Result<Self> {
        match self.rules {
            None => Ok(self),
            Some(_) => Err(UsageError::NoRules(command)),
        }
    }
}

/// Refuses `--ready-fd` where a command does not go on after its first poll.
fn no_ready_fd(fd: Option<u32>, command: &'static str, instead: &'static str) -> Result<()> {
    match fd {
        None => Ok(()),
        Some(fd) => Err(UsageError::ReadyFdUseless { command, instead, fd }),
    }
}

fn tcp_only(netstat: &cli::NetstatCompat) -> Result<()> {
    if netstat.udp || netstat.raw || netstat.sctp || netstat.unix {
        return Err(UsageError::NotTcp);
    }
    Ok(())
}

/// Only the tables of another procfs show another network namespace than the caller's.
fn source(name: SourceName, procfs: &Path) -> Result<SourceName> {
    let ignores_procfs = matches!(name, SourceName::Netlink | SourceName::Trace);
    if ignores_procfs && procfs != Path::new(OWN_PROCFS) {
        return Err(UsageError::SourceIgnoresProcfs(procfs.to_owned()));
    }
    Ok(name)
}

/// Only the diagram is drawn.
fn drawings(output: &cli::OutputArgs) -> Result<()> {
    let drawing = matches!(output.format, FormatName::Svg | FormatName::Dot | FormatName::Mermaid);
    if drawing && output.view != ViewName::Diagram {
        return Err(UsageError::OnlyDiagramIsDrawn);
    }
    Ok(())
}

fn filter(options: &Options) -> Result<Filter> {
    let filter = &options.filter;
    Ok(Filter {
        process: ProcessFilter {
            patterns: each(&options.patterns, |pattern| regex(pattern, filter.exact))?,
            full: filter.full,
            pids: each(&filter.pid, pid)?,
            users: each(&filter.user, user)?,
            for_rules: options.output.rules.is_some(),
            tree: None,
        },
        states: states(filter.state.iter().map(String::as_str))?,
        local: each(&filter.local, address)?,
        remote: each(&filter.remote, address)?,
        ports: each(&filter.port, ports)?,
        family: match (filter.ipv4, filter.ipv6) {
            (true, false) => Some(Family::Ipv4),
            (false, true) => Some(Family::Ipv6),
            _ => None,
        },
        listening: filter.listening,
    })
}

/// Parses every value of a repeated flag.
fn each<T>(
    texts: &[String],
    parse: impl Fn(&str) -> std::result::Result<T, ValueError>,
) -> Result<Vec<T>> {
    texts.iter().map(|text| Ok(parse(text)?)).collect()
}

fn interval(text: &str) -> Result<Duration> {
    let interval = duration(text)?;
    if interval < SHORTEST_INTERVAL {
        return Err(UsageError::IntervalTooShort(text.to_owned()));
    }
    Ok(interval)
}

/// Standard input cannot be written, and standard output carries records alone.
fn ready_fd(fd: u32) -> Result<u32> {
    match fd {
        0 | 1 => Err(UsageError::ReadyFdReserved(fd)),
        _ => Ok(fd),
    }
}

/// Standard output carries records alone.
fn record(path: PathBuf) -> Result<PathBuf> {
    if path.as_os_str() == "-" {
        return Err(UsageError::RecordToStdout);
    }
    Ok(path)
}

fn max_cpu(percent: f64) -> Result<f64> {
    if (0.1..=100.0).contains(&percent) { Ok(percent) } else { Err(UsageError::MaxCpu(percent)) }
}

/// Bytes of `1MiB`, `16KiB` or a plain number, and a hint where they were rounded up: the kernel's
/// rings are powers of two.
fn ring(text: &str) -> Result<(usize, Option<String>)> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kb" | "kib" => Some(1 << 10),
        "m" | "mb" | "mib" => Some(1 << 20),
        "g" | "gb" | "gib" => Some(1 << 30),
        _ => None,
    };
    let bytes = digits.trim().parse().ok().zip(unit);
    match bytes.map(|(number, unit): (usize, usize)| number.saturating_mul(unit)) {
        Some(bytes) if RING_SIZES.contains(&bytes) => {
            let ring = bytes.next_power_of_two();
            let hint = format!("--ring {text} becomes {}KiB, a power of two", ring >> 10);
            Ok((ring, (ring != bytes).then_some(hint)))
        }
        Some(_) => Err(UsageError::RingOutOfBounds(text.to_owned())),
        None => Err(UsageError::RingNotASize(text.to_owned())),
    }
}

/// Patterns that were probably meant as something else work, with a hint.
fn hints(patterns: &[String]) -> Vec<String> {
    let commands = ["watch", "list", "run", "replay", "explain", "wait", "check", "completions"];
    let hint = |pattern: &String| {
        if !pattern.is_empty() && pattern.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(format!(
                "'{pattern}' is taken as part of a process's name; --pid {pattern} follows process {pattern}"
            ));
        }
        if pattern == "help" {
            return Some(
                "'help' is taken as part of a process's name; try tcplapse --help".to_owned(),
            );
        }
        let near = |command: &&&str| strsim::damerau_levenshtein(command, pattern) <= 1;
        let command = commands.iter().find(near).filter(|_| pattern.len() > 2)?;
        Some(format!(
            "'{pattern}' is taken as part of a process's name; for the command, write tcplapse {command}"
        ))
    };
    patterns.iter().filter_map(hint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
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
        assert_refused!("t --pid x", UsageError::Pid(text) if text == "x");
        assert_refused!("t --user no-such-user-here", UsageError::User(_));
        assert_refused!("t -s BLAH", UsageError::States { flag: "--state", cause } if cause.0 == "BLAH");
        assert_refused!("t (", UsageError::Value(ValueError::Pattern { pattern, .. }) if pattern == "(");
        assert_refused!("t --port 9-1", UsageError::Ports(text) if text == "9-1");
        assert_refused!("t --local 10.0.0.0/40", UsageError::Value(ValueError::Address(_)));
        assert_refused!("t -u", UsageError::NotTcp);
    }

    #[test]
    fn wrong_sampling_is_refused() {
        assert_refused!("t -i 0.5ms", UsageError::IntervalTooShort(text) if text == "0.5ms");
        assert_refused!("t -i fast", UsageError::Value(ValueError::Duration(_)));
        assert_refused!("t --max-cpu 0", UsageError::MaxCpu(_));
        assert_refused!("t --source netlink --procfs /x", UsageError::SourceIgnoresProcfs(_));
        assert_refused!("t --record -", UsageError::RecordToStdout);
        assert_refused!("t --ready-fd 1", UsageError::ReadyFdReserved(1));
    }

    #[test]
    fn only_the_diagram_is_drawn() {
        assert_refused!("t --format svg", UsageError::OnlyDiagramIsDrawn);
        assert_refused!("t --format dot --view table", UsageError::OnlyDiagramIsDrawn);
        assert!(settings("t --format mermaid --view diagram").is_ok());
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
            assert_refused!(&format!("t --ring {text}"), UsageError::RingOutOfBounds(_));
        }
        for text in ["", "big", "1TiB", "-1", "1.5MiB", "99999999999999999999"] {
            assert!(matches!(super::ring(text), Err(UsageError::RingNotASize(_))), "{text}");
        }
    }

    #[test]
    fn probable_slips_work_with_a_hint() {
        assert!(settings("t 812").unwrap().hints[0].contains("--pid 812"));
        assert!(settings("t lst").unwrap().hints[0].contains("tcplapse list"));
        assert!(settings("t help").unwrap().hints[0].contains("--help"));
        assert!(settings("t client").unwrap().hints.is_empty());
    }
}
