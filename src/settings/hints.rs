//! Patterns and addresses that were probably meant as something else.

use super::names::brackets_hint;
use crate::cli::{self, FilterArgs};

/// Sentences about what works, but was probably meant as something else.
pub(super) fn hints(filter: &FilterArgs) -> Vec<String> {
    let patterns = filter.patterns.iter().filter_map(|pattern| pattern_hint(pattern));
    let of = |flag: &'static str, texts: &[String]| -> Vec<String> {
        texts.iter().filter_map(|text| brackets_hint(flag, text)).collect()
    };
    patterns.chain(of("--local", &filter.local)).chain(of("--remote", &filter.remote)).collect()
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
    let is_near = |command: &&String| strsim::damerau_levenshtein(command, pattern) <= 1;
    let commands = (pattern.len() > 2).then(cli::command_names)?;
    let command = commands.iter().find(is_near)?;
    Some(format!("{taken}; for the command write tcplapse {command}"))
}
