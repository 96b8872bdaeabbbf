//! The filters of the command line.

use super::Result;
use super::names::{endpoints, ports};
use crate::cli::FilterArgs;
use crate::error::{UsageError, ValueError};
use crate::filter::workload::WorkloadFilter;
use crate::filter::{Filter, ProcessFilter};
use crate::model::socket::Family;
use crate::values::{self, pid, regex, user};

/// Parses the filters. `for_rules`: a file of rules has filters by process, too.
pub(super) fn filter(filter: &FilterArgs, for_rules: bool) -> Result<Filter> {
    let all = |flag, texts: &[String]| -> Result<Vec<_>> {
        let found: Vec<Vec<_>> =
            texts.iter().map(|text| endpoints(flag, text)).collect::<Result<_>>()?;
        Ok(found.concat())
    };
    Ok(Filter {
        process: ProcessFilter {
            patterns: each("PATTERN", &filter.patterns, |text| regex(text, filter.exact))?,
            full: filter.full,
            pids: each("--pid", &filter.pid, pid)?,
            users: each("--user", &filter.user, user)?,
            for_rules,
            tree: None,
            workload: WorkloadFilter {
                units: each("--unit", &filter.unit, values::name)?,
                containers: each("--container", &filter.container, values::name)?,
                pods: each("--pod", &filter.pod, values::name)?,
            },
            shows_workload: false,
        },
        states: values::states(filter.state.iter().map(String::as_str))
            .map_err(|cause| UsageError::value("--state", cause))?,
        local: all("--local", &filter.local)?,
        remote: all("--remote", &filter.remote)?,
        ports: filter.port.iter().map(|text| ports("--port", text)).collect::<Result<_>>()?,
        family: match (filter.ipv4, filter.ipv6) {
            (true, false) => Some(Family::Ipv4),
            (false, true) => Some(Family::Ipv6),
            _ => None,
        },
        listening: filter.listening,
        netns: Vec::new(),
    })
}

/// Parses every value of a repeated flag.
fn each<T>(
    flag: &'static str,
    texts: &[String],
    parse: impl Fn(&str) -> std::result::Result<T, ValueError>,
) -> Result<Vec<T>> {
    texts.iter().map(|text| parse(text).map_err(|cause| UsageError::value(flag, cause))).collect()
}
