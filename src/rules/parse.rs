//! Parses the text of a rules file: TOML in, rules out. An error says where in the text it is.

use super::Rule;
use super::condition::{Age, Comparison, Condition, EventPattern, Quantity, TransitionPattern};
use super::growth::Window;
use crate::error::{RuleCause, RuleError, ValueError};
use crate::filter::workload::WorkloadFilter;
use crate::filter::{Filter, ProcessFilter};
use crate::model::event::Verdict;
use crate::model::socket::Family;
use crate::tcp::state_set::StateSet;
use crate::values::{address, duration, name, netns, pid, ports, regex, states, user};
use serde::Deserialize;
use std::collections::HashSet;
use std::ops::Range;
use toml::de::DeTable;
use toml::{Spanned, Value};

/// A rules file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Spanned<RuleTable>>,
}

/// A rule as it is written. Two tables are equal where they say the same, wherever they stand. The
/// comments of the keys are the manual.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RuleTable {
    /// Names the alerts of the rule: `name = "leak"`.
    name: Option<Spanned<String>>,
    /// Filter: PATTERN.
    process: Raw,
    /// Filter: `true` as `--exact`.
    exact: bool,
    /// Filter: `true` as `--full`.
    full: bool,
    /// Filter: as `--pid`.
    pid: Raw,
    /// Filter: as `--user`.
    user: Raw,
    /// Filter: as `--unit`.
    unit: Raw,
    /// Filter: as `--container`.
    container: Raw,
    /// Filter: as `--pod`.
    pod: Raw,
    /// Filter: the network namespace, by its name (`*` stands for any characters) or its inode.
    netns: Raw,
    /// Filter: as `--state`.
    state: Raw,
    /// Filter: as `--local`, without names.
    local: Raw,
    /// Filter: as `--remote`, without names.
    remote: Raw,
    /// Filter: as `--port`, without names.
    port: Raw,
    /// Filter: `true` as `--listening`.
    listening: bool,
    /// Filter: `"ipv4"` or `"ipv6"`.
    family: Option<Family>,
    /// Condition: a socket is in its state for longer, or was when it left it:
    /// `longer_than = "60s"`.
    longer_than: Raw,
    /// Condition: at least so many sockets, 1 unless it is given: `at_least = 5`.
    at_least: Raw,
    /// Condition: there are more sockets than that long ago, and there were never fewer in between:
    /// `growing_for = "10m"`.
    growing_for: Raw,
    /// Condition: a socket goes from one state to the other, as in `from` and `to` of an event:
    /// `transition = "ESTABLISHED -> CLOSED"`. Either may be a SET, the first may be `new`.
    transition: Raw,
    /// Condition: a socket ends like this, as in `verdict` of an event: `verdict = "reset"`.
    verdict: Option<Verdict>,
    /// A program that gets every alert of the rule: `exec = ["program", "arg"]`.
    exec: Raw,
}

/// Text, a number, or a list of these, where the key is given.
type Raw = Option<Spanned<Value>>;

/// What is wrong, and the bytes of the text that it is about.
struct Fault {
    span: Range<usize>,
    key: Option<&'static str>,
    cause: RuleCause,
}

impl Fault {
    fn new(span: Range<usize>, cause: RuleCause) -> Self {
        Self { span, key: None, cause }
    }
}

/// The rules of a file, in their order.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str) -> Result<Vec<Rule>, RuleError> {
    rules(text).map_err(|Fault { span, key, cause }| {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        RuleError {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            rule: rule_at(text, span.start),
            key,
            cause,
        }
    })
}

/// The name of the rule in which an offset of the text lies, where it has a name.
fn rule_at(text: &str, offset: usize) -> Option<String> {
    let file = DeTable::parse(text).ok()?;
    let rules = file.get_ref().get("rule")?.get_ref().as_array()?;
    let rule = rules.iter().rfind(|rule| rule.span().start <= offset)?;
    let name = rule.get_ref().as_table()?.get("name")?.get_ref().as_str()?;
    (!name.is_empty()).then(|| crate::model::escape::escape(name.as_bytes()))
}

fn rules(text: &str) -> Result<Vec<Rule>, Fault> {
    let file: File = toml::from_str(text)
        .map_err(|error| Fault::new(error.span().unwrap_or_default(), toml_cause(error)))?;
    let mut names = HashSet::new();
    let mut rules = Vec::with_capacity(file.rule.len());
    for table in file.rule {
        let span = table.span();
        let rule = rule(span.clone(), table.into_inner())?;
        if !names.insert(rule.name.clone()) {
            return Err(Fault::new(span, RuleCause::DuplicateName));
        }
        rules.push(rule);
    }
    Ok(rules)
}

/// What the parser of TOML or serde said. serde has no error type of its own: names that do not
/// exist are found by its sentences, which quote them and then the names that do.
fn toml_cause(mut error: toml::de::Error) -> RuleCause {
    let message = error.message();
    let mut quoted = message.split('`').skip(1).step_by(2).map(str::to_owned);
    if message.starts_with("unknown field") {
        let key = quoted.next().unwrap_or_default();
        RuleCause::UnknownKey { key, known: quoted.collect() }
    } else if message.starts_with("unknown variant") {
        let value = quoted.next().unwrap_or_default();
        RuleCause::UnknownValue { value, known: quoted.collect() }
    } else if message.ends_with("expected a sequence") {
        RuleCause::NotAnArray
    } else {
        // Without the input, the error is shown as its message and the path of the key.
        error.set_input(None);
        let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
        RuleCause::Toml(lines.join(" "))
    }
}

fn rule(span: Range<usize>, table: RuleTable) -> Result<Rule, Fault> {
    let Some(name) = &table.name else { return Err(Fault::new(span, RuleCause::NoName)) };
    if name.get_ref().is_empty() || name.get_ref().chars().any(char::is_control) {
        return Err(Fault::new(name.span(), RuleCause::BadName));
    }
    let Some(condition) = condition(&table)? else {
        return Err(Fault::new(span, RuleCause::NoCondition));
    };
    let filter = filter(&table)?;
    if let (Some(state), Some(states)) = (&table.state, &filter.states) {
        let fault = |cause| Fault { span: state.span(), key: Some("state"), cause };
        if states.names_bound() {
            return Err(fault(RuleCause::Bound));
        }
        if condition.event.is_none() && states.is_closed_alone() {
            return Err(fault(RuleCause::CountsClosed));
        }
    }
    Ok(Rule {
        name: name.get_ref().clone(),
        filter,
        condition,
        exec: each("exec", &table.exec, |word| Ok::<_, RuleCause>(word.to_owned()))?,
        table,
    })
}

fn filter(table: &RuleTable) -> Result<Filter, Fault> {
    Ok(Filter {
        process: ProcessFilter {
            patterns: each("process", &table.process, |text| regex(text, table.exact))?,
            full: table.full,
            pids: each("pid", &table.pid, pid)?,
            users: each("user", &table.user, user)?,
            workload: WorkloadFilter {
                units: each("unit", &table.unit, name)?,
                containers: each("container", &table.container, name)?,
                pods: each("pod", &table.pod, name)?,
            },
            ..ProcessFilter::default()
        },
        states: each("state", &table.state, |set| states([set]))?
            .into_iter()
            .flatten()
            .reduce(StateSet::or),
        local: each("local", &table.local, address)?,
        remote: each("remote", &table.remote, address)?,
        ports: each("port", &table.port, ports)?,
        family: table.family,
        listening: table.listening,
        netns: each("netns", &table.netns, netns)?,
    })
}

/// What has to hold for an alert; `None` where nothing is asked for.
fn condition(table: &RuleTable) -> Result<Option<Condition>, Fault> {
    let longer_than = one("longer_than", &table.longer_than, duration)?;
    let at_least = one("at_least", &table.at_least, count)?;
    let growing = one("growing_for", &table.growing_for, window)?;
    let transition = one("transition", &table.transition, transition)?;
    let event = (transition.is_some() || table.verdict.is_some())
        .then_some(EventPattern { transition, verdict: table.verdict });
    let is_empty =
        longer_than.is_none() && at_least.is_none() && growing.is_none() && event.is_none();
    Ok((!is_empty).then_some(Condition {
        states: None,
        age: longer_than.map(Age::MoreThan),
        event,
        quantity: Quantity::Count(Comparison::AtLeast, at_least.unwrap_or(1)),
        growing,
    }))
}

fn count(text: &str) -> Result<u64, RuleCause> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(RuleCause::Count(text.to_owned())),
    }
}

fn window(text: &str) -> Result<Window, RuleCause> {
    let duration = duration(text)?;
    if duration.is_zero() { Err(RuleCause::NoWindow) } else { Ok(Window::Last(duration)) }
}

/// `ESTABLISHED -> CLOSED`, with sets on both sides; `new -> SYN_SENT` for a socket that appears.
fn transition(text: &str) -> Result<TransitionPattern, RuleCause> {
    let Some((from, to)) = text.split_once("->") else {
        return Err(RuleCause::Transition(text.to_owned()));
    };
    let set = |text: &str| -> Result<StateSet, RuleCause> {
        let set: StateSet = text.trim().parse().map_err(ValueError::State)?;
        if set.names_bound() { Err(RuleCause::Bound) } else { Ok(set) }
    };
    let from = if from.trim() == "new" { None } else { Some(set(from)?) };
    Ok(TransitionPattern { from, to: set(to)? })
}

/// The parsed value of a key that takes one.
fn one<T, E: Into<RuleCause>>(
    key: &'static str,
    raw: &Raw,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, Fault> {
    let Some(raw) = raw else { return Ok(None) };
    let parsed = match text(raw.get_ref()) {
        Some(text) => parse(&text).map_err(Into::into),
        None => Err(RuleCause::NotText),
    };
    parsed.map(Some).map_err(|cause| Fault { span: raw.span(), key: Some(key), cause })
}

/// The parsed values of a key that takes one or a list.
fn each<T, E: Into<RuleCause>>(
    key: &'static str,
    raw: &Raw,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, Fault> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    let values = match raw.get_ref() {
        Value::Array(values) => values.as_slice(),
        value => std::slice::from_ref(value),
    };
    let parsed = values.iter().map(|value| match text(value) {
        Some(text) => parse(&text).map_err(Into::into),
        None => Err(RuleCause::NotTexts),
    });
    let parsed: Result<_, RuleCause> = parsed.collect();
    parsed.map_err(|cause| Fault { span: raw.span(), key: Some(key), cause })
}

/// A value as it would be written on the command line.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
