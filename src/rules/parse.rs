//! A rules file, checked: TOML in, rules out. What is wrong is said with its line and column.

use super::{Conditions, Rule, Step};
use crate::error::{Error, Result as Checked};
use crate::filter::Filter;
use crate::model::event::Verdict;
use crate::model::socket::Family;
use crate::values::{duration, pid, ports, regex, states, usage, user};
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What a rule may say.
const KEYS: [&str; 18] = [
    "name",
    "process",
    "exact",
    "full",
    "pid",
    "user",
    "state",
    "local",
    "remote",
    "port",
    "listening",
    "family",
    "longer_than",
    "at_least",
    "growing_for",
    "transition",
    "verdict",
    "exec",
];

const VERDICTS: [(&str, Verdict); 7] = [
    ("local-close", Verdict::LocalClose),
    ("remote-close", Verdict::RemoteClose),
    ("simultaneous-close", Verdict::SimultaneousClose),
    ("reset", Verdict::Reset),
    ("refused", Verdict::Refused),
    ("timed-out", Verdict::TimedOut),
    ("unknown", Verdict::Unknown),
];

/// What is wrong in a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// In a sentence.
    pub reason: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, reason } = self;
        write!(f, "line {line}, column {column}: {reason}")
    }
}

/// A reason, and the bytes that it is about.
struct Fault {
    span: Range<usize>,
    reason: String,
}

type Part<T> = Result<T, Fault>;
type Value<'a> = Spanned<DeValue<'a>>;

/// The rules that a file holds.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str) -> Result<Vec<Rule>, Wrong> {
    rules(text).map_err(|Fault { span, reason }| {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Wrong {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            reason,
        }
    })
}

fn rules(text: &str) -> Part<Vec<Rule>> {
    let file = DeTable::parse(text).map_err(|error| Fault {
        span: error.span().unwrap_or_default(),
        reason: error.message().lines().collect::<Vec<_>>().join("; "),
    })?;
    let mut rules: Vec<Rule> = Vec::new();
    let mut names = HashSet::new();
    for (key, value) in file.get_ref() {
        if key.get_ref() != "rule" {
            return fault(key.span(), unknown(key.get_ref(), &["rule"]));
        }
        let Some(tables) = value.get_ref().as_array() else {
            return fault(key.span(), "rules are written as [[rule]], with two brackets");
        };
        for table in tables {
            let rule = rule(text, table)?;
            if !names.insert(rule.name.clone()) {
                return fault(table.span(), format!("there are two rules '{}'", rule.name));
            }
            rules.push(rule);
        }
    }
    Ok(rules)
}

fn rule(text: &str, table: &Value<'_>) -> Part<Rule> {
    let Some(keys) = table.get_ref().as_table() else {
        return fault(table.span(), "rules are written as [[rule]], with two brackets");
    };
    for key in keys.keys() {
        if !KEYS.contains(&key.get_ref().as_ref()) {
            return fault(key.span(), unknown(key.get_ref(), &KEYS));
        }
    }
    let written = |value: &Value<'_>| text.get(value.span()).unwrap_or_default().to_owned();
    let definition =
        keys.iter().map(|(key, value)| format!("{}={}\n", key.get_ref(), written(value)));
    let definition = definition.collect();
    let keys = Keys { keys };
    let Some(name) = keys.one("name")? else {
        return fault(table.span(), "a rule needs a name; write name = \"leak\"");
    };
    if name.text.is_empty() || name.text.chars().any(char::is_control) {
        return fault(name.span, "a name is one line of text");
    }
    let conditions = conditions(&keys)?;
    if conditions.is_empty() {
        let reason = format!(
            "rule '{}' has no condition; write longer_than, at_least, growing_for, transition or \
             verdict",
            name.text
        );
        return fault(table.span(), reason);
    }
    let exec: Vec<String> = keys.all("exec")?.into_iter().map(|word| word.text).collect();
    Ok(Rule { name: name.text, filter: filter(&keys)?, conditions, exec, definition })
}

fn filter(keys: &Keys<'_, '_>) -> Part<Filter> {
    let mut filter = Filter { listening: keys.flag("listening")?, ..Filter::default() };
    let exact = keys.flag("exact")?;
    filter.process.full = keys.flag("full")?;
    filter.process.patterns = keys.each("process", |pattern| regex(pattern, exact))?;
    filter.process.pids = keys.each("pid", pid)?;
    filter.process.users = keys.each("user", user)?;
    filter.states = keys
        .each("state", |set| states(&[set.to_owned()]))?
        .into_iter()
        .flatten()
        .reduce(crate::tcp::state_set::StateSet::or);
    filter.local = keys.each("local", |end| end.parse().map_err(Error::Usage))?;
    filter.remote = keys.each("remote", |end| end.parse().map_err(Error::Usage))?;
    filter.ports = keys.each("port", ports)?;
    filter.family = keys.single("family", family)?;
    Ok(filter)
}

fn conditions(keys: &Keys<'_, '_>) -> Part<Conditions> {
    Ok(Conditions {
        longer_than: keys.single("longer_than", duration)?,
        at_least: keys.single("at_least", count)?,
        growing_for: keys.single("growing_for", some_time)?,
        transition: keys.single("transition", step)?,
        verdict: keys.single("verdict", verdict)?,
    })
}

fn family(text: &str) -> Checked<Family> {
    match text {
        "ipv4" => Ok(Family::Ipv4),
        "ipv6" => Ok(Family::Ipv6),
        _ => usage(&format!("family is ipv4 or ipv6, not '{text}'")),
    }
}

fn count(text: &str) -> Checked<u64> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => usage(&format!("at_least takes a number from 1, not '{text}'")),
    }
}

fn some_time(text: &str) -> Checked<Duration> {
    match duration(text)? {
        Duration::ZERO => usage("nothing grows in no time; write growing_for = \"10m\""),
        time => Ok(time),
    }
}

/// `ESTABLISHED -> CLOSED`, sets on both sides; `new -> SYN_SENT` for a socket that appears.
fn step(text: &str) -> Checked<Step> {
    let Some((from, to)) = text.split_once("->") else {
        return usage(&format!(
            "transition takes two states such as \"ESTABLISHED -> CLOSED\", not '{text}'"
        ));
    };
    let set = |text: &str| text.trim().parse().map_err(|wrong| Error::Usage(format!("{wrong}")));
    let from = if from.trim() == "new" { None } else { Some(set(from)?) };
    Ok(Step { from, to: set(to)? })
}

fn verdict(text: &str) -> Checked<Verdict> {
    if let Some((_, verdict)) = VERDICTS.iter().find(|(name, _)| *name == text) {
        return Ok(*verdict);
    }
    let names = VERDICTS.map(|(name, _)| name);
    usage(&format!("'{text}' is no verdict; they are {}", names.join(", ")))
}

/// The keys of one rule.
struct Keys<'a, 'i> {
    keys: &'a DeTable<'i>,
}

/// A text or a number, as it is written.
struct Word {
    text: String,
    span: Range<usize>,
}

impl Keys<'_, '_> {
    /// All values of a key: one, or those of a list.
    fn all(&self, key: &str) -> Part<Vec<Word>> {
        let Some(value) = self.keys.get(key) else { return Ok(Vec::new()) };
        match value.get_ref().as_array() {
            Some(values) => values.iter().map(|value| word(key, value)).collect(),
            None => Ok(vec![word(key, value)?]),
        }
    }

    fn one(&self, key: &str) -> Part<Option<Word>> {
        self.keys.get(key).map(|value| word(key, value)).transpose()
    }

    fn flag(&self, key: &str) -> Part<bool> {
        let Some(value) = self.keys.get(key) else { return Ok(false) };
        match value.get_ref().as_bool() {
            Some(flag) => Ok(flag),
            None => fault(value.span(), format!("{key} is true or false")),
        }
    }

    /// What a rule of the command line makes of every value.
    fn each<T>(&self, key: &str, check: impl Fn(&str) -> Checked<T>) -> Part<Vec<T>> {
        self.all(key)?.into_iter().map(|word| checked(word, &check)).collect()
    }

    fn single<T>(&self, key: &str, check: impl Fn(&str) -> Checked<T>) -> Part<Option<T>> {
        self.one(key)?.map(|word| checked(word, check)).transpose()
    }
}

fn checked<T>(word: Word, check: impl Fn(&str) -> Checked<T>) -> Part<T> {
    check(&word.text).map_err(|wrong| Fault {
        span: word.span,
        // Flags have dashes, keys have none.
        reason: wrong.to_string().trim_start_matches("--").to_owned(),
    })
}

fn word(key: &str, value: &Value<'_>) -> Part<Word> {
    let text = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        _ => return fault(value.span(), format!("{key} takes text or a number here")),
    };
    Ok(Word { text, span: value.span() })
}

/// An unknown key, with the one that was probably meant.
fn unknown(key: &str, known: &[&str]) -> String {
    let distance = |name: &&&str| strsim::damerau_levenshtein(name, key);
    match known.iter().min_by_key(distance).filter(|name| distance(name) <= 3) {
        Some(near) => format!("unknown key '{key}'; did you mean '{near}'?"),
        None => format!("unknown key '{key}'; the keys are {}", known.join(", ")),
    }
}

fn fault<T>(span: Range<usize>, reason: impl Into<String>) -> Part<T> {
    Err(Fault { span, reason: reason.into() })
}

#[cfg(test)]
mod tests;
