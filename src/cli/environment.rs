//! Defaults from the environment, for flags that somebody would otherwise write every time.
//!
//! A variable stands for its flag where the command has that flag, it is not given, and the flags that
//! are given leave room for it: what was exported once must not refuse a command line that is right
//! without it.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use std::ffi::{OsStr, OsString};

/// The variables, the ids of their arguments, and the flags.
const VARIABLES: [(&str, &str, &str); 5] = [
    ("TCPLAPSE_SOURCE", "source", "--source"),
    ("TCPLAPSE_INTERVAL", "interval", "--interval"),
    ("TCPLAPSE_MAX_CPU", "max_cpu", "--max-cpu"),
    ("TCPLAPSE_COLOR", "color", "--color"),
    ("TCPLAPSE_TIME", "time", "--time"),
];

/// The variables that stand for flags of a command line.
#[derive(Debug, Clone, Default)]
pub struct Defaults(Vec<SetVariable>);

#[derive(Debug, Clone)]
struct SetVariable {
    name: &'static str,
    flag: &'static str,
    value: OsString,
}

impl Defaults {
    /// The defaults for a command line with this command; `given` are its arguments. An empty variable
    /// counts as not set.
    pub(super) fn new(
        command: &Command,
        given: &ArgMatches,
        variable: impl Fn(&'static str) -> Option<OsString>,
    ) -> Self {
        let default = |(name, id, flag): (&'static str, &str, &'static str)| {
            // Matches know what a command takes with debug assertions alone.
            command.get_arguments().find(|argument| argument.get_id() == id)?;
            let value = variable(name).filter(|value| !value.is_empty())?;
            // One poll has no kernel events; what trace reads beside them is sock_diag.
            let is_one_poll = id == "source" && command.get_name() == "list" && value == "trace";
            let value = if is_one_poll { "netlink".into() } else { value };
            leaves_room(given, id, &value).then_some(SetVariable { name, flag, value })
        };
        Self(VARIABLES.into_iter().filter_map(default).collect())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The arguments that the variables stand for.
    pub(super) fn args(&self) -> impl Iterator<Item = OsString> {
        self.0.iter().map(|SetVariable { flag, value, .. }| {
            let mut arg = OsString::from(flag);
            arg.push("=");
            arg.push(value);
            arg
        })
    }

    /// The variable that a flag's value came from.
    pub(super) fn variable_of(&self, flag: &str) -> Option<&'static str> {
        self.0.iter().find(|set| set.flag == flag).map(|set| set.name)
    }

    /// A sentence about what a flag has asked for; after the variable where its value came from one.
    pub fn blame(&self, flag: &str, sentence: &str) -> String {
        let variable = self.variable_of(flag).map(|name| format!("{name}: "));
        variable.unwrap_or_default() + sentence
    }

    /// A sentence about a wrong value of a flag; about the variable where the value came from one.
    pub fn name_variable(&self, sentence: &str) -> String {
        let end = sentence.find([':', ' ']).unwrap_or(sentence.len());
        let (flag, rest) = sentence.split_at(end);
        self.variable_of(flag).map_or_else(|| sentence.to_owned(), |name| name.to_owned() + rest)
    }
}

/// Whether an argument of a command is not given, and could be given with this value.
fn leaves_room(given: &ArgMatches, id: &str, value: &OsStr) -> bool {
    let typed = |id: &str| {
        given.try_contains_id(id).is_ok()
            && given.value_source(id) == Some(ValueSource::CommandLine)
    };
    let text = |id: &str| given.try_get_raw(id).ok().flatten().and_then(|mut values| values.next());
    let format = text("format").filter(|_| !typed("json"));
    let is_text = !typed("json") && format.is_none_or(|format| format == "text");
    // A command without the choice prints times.
    let prints_times = format.is_some_and(|format| format == "html")
        || is_text
            && text("view")
                .is_none_or(|view| ["events", "timeline", "top"].iter().any(|name| view == *name));
    !typed(id)
        && match id {
            // A recording has settled how the kernel was sampled.
            "source" | "interval" | "max_cpu" if typed("from") => false,
            "source" => {
                let traces = value == "trace" || value == "auto";
                // Only proc reads another procfs.
                (!typed("procfs") || value == "proc" || value == "auto")
                    && (!typed("ring") || traces)
            }
            "color" => is_text || value != "always",
            "time" => {
                let has_zone = value != "epoch" && value != "elapsed";
                prints_times && (!typed("utc") || has_zone)
            }
            _ => true,
        }
}
