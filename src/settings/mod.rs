//! The command line, checked: one small function per rule. What is wrong is said in a sentence.

pub mod check;
pub mod run;
pub mod wait;

use crate::cli::{
    self, ColorName, FormatName, Options, ReplayOptions, SourceName, TimeName, ViewName,
};
use crate::error::{Error, Result};
use crate::filter::addr::AddrFilter;
use crate::filter::{Filter, ProcessFilter};
use crate::model::socket::Family;
use crate::values::{duration, pid, ports, regex, states, usage, user};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Below, the smaller rings would be less than a page; above, it is a slip of the finger.
const RING_SIZES: RangeInclusive<usize> = 16 << 10..=256 << 20;
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// The procfs that shows the caller's own network namespace.
pub const OWN_PROCFS: &str = "/proc";

/// What to do, free of contradictions.
#[derive(Debug)]
pub struct Settings {
    /// Which sockets.
    pub filter: Filter,
    /// Where states come from.
    pub source: SourceName,
    /// The bytes per CPU for events.
    pub ring: usize,
    /// The procfs to read.
    pub procfs: PathBuf,
    /// How often.
    pub pace: PollSettings,
    /// For how long.
    pub duration: Option<Duration>,
    /// How many records.
    pub max_count: Option<u64>,
    /// How they are written.
    pub print: OutputSettings,
    /// The file descriptor on which the end of the first poll is announced.
    pub ready_fd: Option<u32>,
    /// Where readings are recorded.
    pub record: Option<PathBuf>,
    /// The rules that are judged by.
    pub rules: Option<PathBuf>,
    /// Advice for what was probably meant, to be told on standard error.
    pub hints: Vec<String>,
    /// The patterns as they were written.
    pub patterns: Vec<String>,
}

/// How a source polls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PollSettings {
    /// Time between the starts of two polls.
    pub interval: Duration,
    /// The share of one core, in percent, that polling stays under.
    pub max_cpu: f64,
}

/// How records are written.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, clippy::struct_excessive_bools)] // named as the flags are
pub struct OutputSettings {
    pub view: ViewName,
    pub format: FormatName,
    pub extended: bool,
    pub timers: bool,
    pub resolve: bool,
    pub header: bool,
    pub color: ColorName,
    pub time: TimeName,
    pub utc: bool,
}

impl Settings {
    /// Checks the options of a command.
    ///
    /// # Errors
    /// `Error::Usage`, with what was wrong and what to write instead.
    pub fn new(options: Options) -> Result<Self> {
        tcp_only(&options.habits)?;
        let print = &options.print;
        drawings(print)?;
        let (ring, rounded) = ring(&options.look.ring)?;
        Ok(Self {
            ring,
            filter: filter(&options)?,
            pace: PollSettings {
                interval: interval(&options.look.interval)?,
                max_cpu: max_cpu(options.look.max_cpu)?,
            },
            duration: options.look.duration.as_deref().map(duration).transpose()?,
            max_count: options.look.max_count,
            print: OutputSettings {
                view: print.view,
                format: if print.json { FormatName::Json } else { print.format },
                extended: print.extend,
                timers: print.timers,
                resolve: print.resolve,
                header: !print.no_header,
                color: print.color,
                time: print.time,
                utc: print.utc,
            },
            ready_fd: options.look.ready_fd.map(ready_fd).transpose()?,
            record: options.look.record.map(record).transpose()?,
            hints: hints(&options.patterns).into_iter().chain(rounded).collect(),
            rules: options.print.rules,
            source: source(options.look.source, &options.look.procfs)?,
            procfs: options.look.procfs,
            patterns: options.patterns,
        })
    }
}

/// What was settled when a recording was made cannot be asked for when it is read.
fn looks_no_more(live: &[String]) -> Result<()> {
    match live {
        [] => Ok(()),
        [flag, ..] => usage(&format!(
            "{flag} says how to look at the kernel, and a recording has looked already: leave it out"
        )),
    }
}

/// Checks what `replay` alone takes.
///
/// # Errors
/// `Error::Usage`
pub fn replay(options: &ReplayOptions) -> Result<()> {
    looks_no_more(&options.live)?;
    if options.follow && options.file.as_os_str() == "-" {
        return usage("standard input is read as it comes: leave out --follow");
    }
    Ok(())
}

impl Settings {
    /// The family to read. A recording holds all sockets, whatever is asked for.
    pub fn family(&self) -> Option<Family> {
        self.filter.family.filter(|_| self.record.is_none())
    }

    /// The settings of `list`.
    ///
    /// # Errors
    /// `Error::Usage`, where something is asked for that only a run that goes on can do.
    pub fn of_list(self) -> Result<Self> {
        no_ready_fd(self.ready_fd, "list", "exits after its first poll")?;
        self.without_rules("list")
    }

    /// The settings of a command that has no stream of records for alerts.
    ///
    /// # Errors
    /// `Error::Usage`, where there are rules.
    pub fn without_rules(self, command: &str) -> Result<Self> {
        match self.rules {
            None => Ok(self),
            Some(_) => {
                usage(&format!("{command} judges by no --rules; write tcplapse watch --rules"))
            }
        }
    }
}

/// Refuses `--ready-fd` where a command does not go on after its first poll.
fn no_ready_fd(fd: Option<u32>, command: &str, instead: &str) -> Result<()> {
    match fd {
        None => Ok(()),
        Some(fd) => usage(&format!("{command} {instead}; leave out --ready-fd {fd}")),
    }
}

fn tcp_only(habits: &cli::NetstatCompat) -> Result<()> {
    if habits.udp || habits.raw || habits.sctp || habits.unix {
        return usage("TCP only: leave out -u, -w, -S and --unix (ss and netstat show those)");
    }
    Ok(())
}

/// Only its tables show another network namespace than the caller's.
fn source(name: SourceName, procfs: &Path) -> Result<SourceName> {
    let of_its_own = matches!(name, SourceName::Netlink | SourceName::Trace);
    if of_its_own && procfs != Path::new(OWN_PROCFS) {
        let procfs = procfs.display();
        return usage(&format!(
            "only --source proc reads another procfs; leave out --source or --procfs {procfs}"
        ));
    }
    Ok(name)
}

/// Only the diagram is drawn.
fn drawings(print: &cli::OutputArgs) -> Result<()> {
    let drawing = matches!(print.format, FormatName::Svg | FormatName::Dot | FormatName::Mermaid);
    if drawing && print.view != ViewName::Diagram {
        return usage("--format svg, dot and mermaid draw the diagram: add --view diagram");
    }
    Ok(())
}

fn filter(options: &Options) -> Result<Filter> {
    let which = &options.which;
    Ok(Filter {
        process: ProcessFilter {
            patterns: options
                .patterns
                .iter()
                .map(|pattern| regex(pattern, which.exact))
                .collect::<Result<_>>()?,
            full: which.full,
            pids: which.pid.iter().map(|text| pid(text)).collect::<Result<_>>()?,
            users: which.user.iter().map(|text| user(text)).collect::<Result<_>>()?,
            for_rules: options.print.rules.is_some(),
            tree: None,
        },
        states: states(&which.state)?,
        local: addresses(&which.local)?,
        remote: addresses(&which.remote)?,
        ports: which.port.iter().map(|text| ports(text)).collect::<Result<_>>()?,
        family: match (which.ipv4, which.ipv6) {
            (true, false) => Some(Family::Ipv4),
            (false, true) => Some(Family::Ipv6),
            _ => None,
        },
        listening: which.listening,
    })
}

fn addresses(texts: &[String]) -> Result<Vec<AddrFilter>> {
    texts.iter().map(|text| text.parse().map_err(Error::Usage)).collect()
}

fn interval(text: &str) -> Result<Duration> {
    let interval = duration(text)?;
    if interval < SHORTEST_INTERVAL {
        return usage(&format!("--interval must be 1ms or longer, not '{text}'"));
    }
    Ok(interval)
}

/// Standard input cannot be written, and standard output carries records alone.
fn ready_fd(fd: u32) -> Result<u32> {
    match fd {
        0 | 1 => usage(&format!(
            "--ready-fd takes 2 (standard error) or a higher file descriptor, not {fd}"
        )),
        _ => Ok(fd),
    }
}

/// Standard output carries records alone.
fn record(path: PathBuf) -> Result<PathBuf> {
    if path.as_os_str() == "-" {
        return usage("--record takes a file: standard output is for what is printed");
    }
    Ok(path)
}

fn max_cpu(percent: f64) -> Result<f64> {
    if (0.1..=100.0).contains(&percent) {
        Ok(percent)
    } else {
        usage(&format!("--max-cpu takes percent of one core from 0.1 to 100, not {percent}"))
    }
}

/// `1MiB`, `16KiB` or bytes; the kernel's rings are powers of two, so it may become more.
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
        Some(_) => usage(&format!("--ring takes a size from 16KiB to 256MiB, not '{text}'")),
        None => usage(&format!("'{text}' is no size; write --ring 1MiB or 512KiB")),
    }
}

/// A name that is probably meant otherwise works, and is commented on.
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

    fn error(line: &str) -> String {
        settings(line).expect_err(line).to_string()
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(error("t -i 0.5ms").contains("1ms or longer"));
        assert!(error("t --max-cpu 0").contains("0.1 to 100"));
        assert!(error("t --pid x").contains("'x'"));
        assert!(error("t --user no-such-user-here").contains("no user 'no-such-user-here'"));
        assert!(error("t -s BLAH").contains("'BLAH' is no TCP state"));
        assert!(error("t (").contains("'(' is no regular expression: unclosed group"));
        assert!(error("t --port 9-1").contains("'9-1'"));
        assert!(error("t --source netlink --procfs /host/proc").contains("--procfs /host/proc"));
        assert!(error("t -u").starts_with("TCP only"));
        assert!(error("t --record -").contains("takes a file"));
        assert!(error("t --format svg").ends_with("add --view diagram"));
        assert!(error("t --format dot --view table").ends_with("add --view diagram"));
        assert!(settings("t --format mermaid --view diagram").is_ok());
    }

    #[test]
    fn rings_take_sizes_and_become_powers_of_two() {
        for (text, kib) in [("1MiB", 1024), ("16KiB", 16), ("64k", 64), ("32768", 32)] {
            assert_eq!(ring(text).unwrap(), (kib << 10, None), "{text}");
        }
        let (ring, hint) = ring("100KiB").unwrap();
        assert_eq!(ring, 128 << 10);
        assert!(hint.unwrap().contains("100KiB becomes 128KiB"));
        for (text, reason) in [("8KiB", "from 16KiB"), ("1GiB", "to 256MiB")] {
            assert!(error(&format!("t --ring {text}")).contains(reason), "{text}");
        }
        for text in ["", "big", "1TiB", "-1", "1.5MiB", "99999999999999999999"] {
            assert!(super::ring(text).unwrap_err().to_string().contains("no size"), "{text}");
        }
    }

    #[test]
    fn slips_are_commented_on_but_work() {
        assert!(settings("t 812").unwrap().hints[0].contains("--pid 812"));
        assert!(settings("t lst").unwrap().hints[0].contains("tcplapse list"));
        assert!(settings("t help").unwrap().hints[0].contains("--help"));
        assert!(settings("t client").unwrap().hints.is_empty());
    }
}
