//! Patterns and addresses that were probably meant as something else.

use super::names::{brackets_hint, network_hint};
use crate::cli::{self, FilterArgs};
use crate::tcp::state_set::StateSet;
use std::net::{IpAddr, SocketAddr};

/// Sentences about what works, but was probably meant as something else.
pub(super) fn hints(filter: &FilterArgs) -> Vec<String> {
    let patterns = filter.patterns.iter().filter_map(|pattern| pattern_hint(pattern));
    let of = |flag: &'static str, texts: &[String]| -> Vec<String> {
        let hints = |text: &String| [brackets_hint(flag, text), network_hint(flag, text)];
        texts.iter().flat_map(hints).flatten().collect()
    };
    let families = (filter.ipv4 && filter.ipv6)
        .then(|| "-4 and -6 together show IPv4 and IPv6, as without them".to_owned());
    let endpoints = [of("--local", &filter.local), of("--remote", &filter.remote)].concat();
    patterns.chain(families).chain(endpoints).collect()
}

fn pattern_hint(pattern: &str) -> Option<String> {
    let taken = format!("'{pattern}' is matched against process names");
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits(pattern) {
        return Some(format!("{taken}; did you mean --port {pattern} or --pid {pattern}?"));
    }
    if let Some(port) = pattern.strip_prefix(':').filter(|port| digits(port)) {
        return Some(format!("{taken}; did you mean --port {port}?"));
    }
    if ["us", "ms", "s", "m", "h"].contains(&pattern) {
        return Some(format!("{taken}; write a time as one word, such as 100{pattern}"));
    }
    let endpoint = pattern.strip_prefix('[').unwrap_or(pattern);
    if pattern.parse::<SocketAddr>().is_ok() || endpoint.parse::<IpAddr>().is_ok() {
        return Some(format!("{taken}; did you mean --local {pattern} or --remote {pattern}?"));
    }
    if pattern.len() > 3
        && pattern.bytes().all(|byte| byte.is_ascii_uppercase() || b"_12".contains(&byte))
        && pattern.parse::<StateSet>().is_ok()
    {
        return Some(format!("{taken}; did you mean --state {pattern}?"));
    }
    let is_near = |command: &&String| strsim::damerau_levenshtein(command, pattern) <= 1;
    let commands = (pattern.len() > 2).then(cli::command_names)?;
    let command = commands.iter().find(is_near)?;
    Some(format!("{taken}; for the command write tcplapse {command}"))
}
