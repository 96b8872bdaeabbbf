//! The settings of `check`.

use super::wanted::NeededRows;
use super::{Result, Settings, refuse_sampling, refuse_uncounted, time};
use crate::cli::{CheckOptions, GroupName};
use crate::error::{UsageError, ValueError};
use crate::rules::limits::{Limit, Limits};
use crate::tcp::state::State;
use crate::tcp::state_set::StateSet;
use std::path::PathBuf;
use std::time::Duration;

/// What is checked, and for how long.
#[derive(Debug)]
pub struct CheckSettings {
    /// The settings that commands share.
    pub(crate) settings: Settings,
    /// The share of the local ports, in percent, that is a violation; there are no limits then.
    pub(crate) ports: Option<f64>,
    /// What is a violation; there is at least one limit, or a share of the ports.
    pub(crate) limits: Limits,
    /// The recording to check; `None` for the kernel's sockets.
    pub(crate) from: Option<PathBuf>,
    /// What violations are counted by; `None` to print each.
    pub(crate) by: Option<GroupName>,
    /// How many rows are printed at most; `None` for all, or a screenful on a terminal.
    pub(crate) top: Option<usize>,
    /// How long to watch, by the time of the readings; `None` for a whole recording.
    pub(crate) duration: Option<Duration>,
    /// Whether to stop watching as soon as it is known whether sockets violate a limit.
    pub(crate) ends_when_decided: bool,
}

impl CheckSettings {
    /// Checks the options of `check`.
    pub fn new(options: CheckOptions) -> Result<Self> {
        refuse_columns_of_groups(&options)?;
        let mut settings = Settings::new(options.shared.options())?.of_question();
        settings.duration =
            options.duration.as_deref().map(|text| time("--for", text)).transpose()?;
        settings.poll.bound = false;
        settings.filter.states.iter().try_for_each(|states| refuse_uncounted("--state", states))?;
        let ports = options.ports.as_deref().map(|text| ports(text, &settings)).transpose()?;
        let mut limits = Limits::default();
        for (flag, texts, parse) in [
            ("--stuck", &options.stuck, stuck as fn(&str) -> Result<Limit>),
            ("--max", &options.max, max),
            ("--growing", &options.growing, growing),
        ] {
            for (place, text) in texts.iter().enumerate() {
                if texts[..place].contains(text) {
                    continue;
                }
                let limit = parse(text)?;
                if !limit.can_be_violated(&settings.filter) {
                    return Err(UsageError::LimitExcluded { flag, text: text.clone() });
                }
                limits.0.push(limit);
            }
        }
        if options.from.is_some() {
            refuse_sampling(&options.sampling_flags)?;
        }
        let ends_when_decided =
            options.from.is_none() && settings.duration.is_none() && limits.are_ages();
        let duration = match ports {
            Some(_) if options.from.is_some() => settings.duration,
            Some(_) => Some(settings.duration.unwrap_or_default()),
            None => time_to_watch(&limits, settings.duration, options.from.is_some())?,
        };
        if duration == Some(Duration::ZERO) && ports.is_none() {
            // One look: nothing goes on to another state meanwhile.
            settings.needs = NeededRows::Shown;
        }
        settings.asks_for_listeners = ports.is_some() || limits.concern(State::Listen);
        let (by, top) = (options.by, options.top.as_deref());
        settings.filter.process.shows_workload |= by.is_some_and(GroupName::is_workload);
        let top = top.map(super::top).transpose()?;
        Ok(Self {
            settings,
            ports,
            limits,
            from: options.from,
            by,
            top,
            duration,
            ends_when_decided,
        })
    }
}

/// Refuses columns of sockets where groups are printed.
fn refuse_columns_of_groups(options: &CheckOptions) -> Result<()> {
    let (table, text) = (&options.shared.table, &options.shared.text);
    let columns =
        [(table.extend, "--extend"), (table.timers, "--timers"), (text.resolve, "--resolve")];
    let given = columns.into_iter().find(|(given, _)| options.by.is_some() && *given);
    given.map_or(Ok(()), |(_, flag)| {
        Err(UsageError::NoEffect { flag, needs: "a row for each socket, which --by counts" })
    })
}

/// `80%`. The ports of all sockets count, whichever process owns them and whatever their state.
fn ports(text: &str, settings: &Settings) -> Result<f64> {
    let filter = &settings.filter;
    if !filter.process.is_empty() || filter.states.is_some() || filter.listening {
        return Err(UsageError::PortsOfAll);
    }
    if settings.output.extended || settings.output.timers {
        let flag = if settings.output.extended { "--extend" } else { "--timers" };
        return Err(UsageError::NoEffect { flag, needs: "--stuck, --max or --growing" });
    }
    match text.strip_suffix('%').unwrap_or(text).parse() {
        Ok(percent) if (0.1..=100.0).contains(&percent) => Ok(percent),
        _ => Err(UsageError::Ports(text.to_owned())),
    }
}

/// `CLOSE_WAIT:60s`
fn stuck(text: &str) -> Result<Limit> {
    let Some((states, age)) = text.split_once(':') else {
        return Err(UsageError::Stuck(text.to_owned()));
    };
    refuse_swapped("--stuck", text, |age| time("--stuck", age).is_ok())?;
    let age = time("--stuck", age.trim())?;
    let (states, set) = state_set("--stuck", states)?;
    Ok(Limit::stuck(states, set, age))
}

/// `TIME_WAIT:1000`
fn max(text: &str) -> Result<Limit> {
    refuse_swapped("--max", text, |count| count.parse::<u64>().is_ok())?;
    let parts = text.split_once(':');
    let parsed = parts.and_then(|(states, count)| Some((states, count.trim().parse().ok()?)));
    let Some((states, count)) = parsed else { return Err(UsageError::Max(text.to_owned())) };
    let (states, set) = state_set("--max", states)?;
    Ok(Limit::max(states, set, count))
}

/// Refuses `60s:CLOSE_WAIT`: a number where the states belong, and the states after it.
fn refuse_swapped(flag: &'static str, text: &str, is_number: impl Fn(&str) -> bool) -> Result<()> {
    match text.split_once(':').map(|(first, second)| (first.trim(), second.trim())) {
        Some((number, states)) if is_number(number) && states.parse::<StateSet>().is_ok() => {
            let meant = format!("{states}:{number}");
            Err(UsageError::SwappedLimit { flag, text: text.to_owned(), meant })
        }
        _ => Ok(()),
    }
}

/// `CLOSE_WAIT`
fn growing(text: &str) -> Result<Limit> {
    let (states, set) = state_set("--growing", text)?;
    Ok(Limit::growing(states, set))
}

/// The states of a limit, trimmed and parsed.
fn state_set<'t>(flag: &'static str, text: &'t str) -> Result<(&'t str, StateSet)> {
    let text = text.trim();
    let set = text.parse().map_err(|cause| UsageError::value(flag, ValueError::State(cause)))?;
    refuse_uncounted(flag, &set)?;
    Ok((text, set))
}

/// A whole recording; else as long as the longest age: a socket that the first poll finds in a
/// state may have been in it for long, but only the time that it is watched is known.
fn time_to_watch(
    limits: &Limits,
    duration: Option<Duration>,
    recorded: bool,
) -> Result<Option<Duration>> {
    if limits.is_empty() {
        return Err(UsageError::NoLimits);
    }
    match (duration, limits.longest_age()) {
        (None, _) if recorded => Ok(None),
        (None | Some(Duration::ZERO), None) if limits.ask_for_growth() => {
            Err(UsageError::GrowingWithoutFor)
        }
        (None, None) => Ok(Some(Duration::ZERO)),
        (Some(watched), Some(age)) if watched < age => {
            Err(UsageError::ForShorterThanAge { watched, age })
        }
        (duration, age) => Ok(duration.or(age)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn settings(line: &str) -> Result<CheckSettings> {
        let cli = Cli::parse_from(["tcplapse", "check"].into_iter().chain(line.split(' ')));
        let Some(Command::Check(options)) = cli.command else { panic!("{line}") };
        CheckSettings::new(options)
    }

    #[test]
    fn check_watches_as_long_as_the_longest_age() {
        let duration = |line: &str| settings(line).expect(line).duration;
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(duration("--stuck CLOSE_WAIT:2s --stuck LAST_ACK:3s"), seconds(3));
        assert_eq!(duration("--stuck CLOSE_WAIT:2s --for 5s"), seconds(5));
        assert_eq!(duration("--max TIME_WAIT:5"), Some(Duration::ZERO));
        assert_eq!(duration("--growing all --for 1m"), seconds(60));
        assert_eq!(duration("--growing all --from FILE"), None);
    }

    #[test]
    fn the_kernel_chooses_by_state_for_a_single_look() {
        let states = |line: &str| settings(line).expect(line).settings.wanted_rows().states;
        let waiting = Some("CLOSE_WAIT".parse().expect("a state"));
        assert_eq!(states("--max all:5 -s CLOSE_WAIT"), waiting);
        assert_eq!(states("--max all:5 -s CLOSE_WAIT --for 1s"), None);
        assert_eq!(states("--stuck all:5s -s CLOSE_WAIT"), None);
    }

    #[test]
    fn wrong_limits_are_refused() {
        let error = |line: &str| settings(line).expect_err(line);
        assert!(matches!(error("--for 1s"), UsageError::NoLimits));
        assert!(matches!(error("--growing all"), UsageError::GrowingWithoutFor));
        assert!(matches!(error("--stuck CLOSE_WAIT"), UsageError::Stuck(_)));
        assert!(matches!(error("--max CLOSE_WAIT:x"), UsageError::Max(_)));
        for closed in ["--stuck CLOSED:1s", "--max close:5", "--max all:5 -s CLOSED"] {
            assert!(matches!(error(closed), UsageError::CountsClosed(_)), "{closed}");
        }
        for bound in ["--max bound:5", "--max all:5 -s bound --source netlink"] {
            assert!(matches!(error(bound), UsageError::Bound(_)), "{bound}");
        }
        for excluded in
            ["--stuck LISTEN:1s -s CLOSE_WAIT", "--max all:5 --max TIME_WAIT:5 -l", "--max !all:1"]
        {
            let error = error(excluded);
            assert!(matches!(error, UsageError::LimitExcluded { .. }), "{excluded}: {error:?}");
        }
        for column in ["-e", "-o", "-r"] {
            let error = error(&format!("--max all:5 --by remote {column}"));
            assert!(matches!(error, UsageError::NoEffect { .. }), "{column}: {error:?}");
        }
        let too_short = error("--stuck CLOSE_WAIT:1m --for 5s");
        assert!(matches!(too_short, UsageError::ForShorterThanAge { .. }), "{too_short:?}");
        let unknown = error("--growing OPEN --for 1s");
        assert!(matches!(unknown, UsageError::Value { flag: "--growing", .. }), "{unknown:?}");
    }
}
