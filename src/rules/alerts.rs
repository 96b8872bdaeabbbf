//! The rules of a run: read from their file, checked after every reading; alerts are handed to the
//! programs of the rules.

use super::Rule;
use super::condition::POLLS_TO_TRUST;
use super::exec::{AlertCommand, Warnings};
use super::file::RulesFile;
use super::parse::parse;
use super::rule_state::RuleState;
use crate::error::{Error, Result, RuleError, RuleFileError};
use crate::filter::Filter;
use crate::model::event::{Alert, MonitorEvent, SocketEvent, SocketStatus};
use crate::model::process::Attribution;
use crate::model::time::Stamp;
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the end of a run waits for the programs of rules.
const LINGER: Duration = Duration::from_secs(2);

/// The sockets that rules are checked against, as they are after a reading.
pub(crate) trait RuleInput {
    /// When the reading ended.
    fn read_at(&self) -> Stamp;

    /// How many polls of all sockets there have been.
    fn polls(&self) -> u64;

    /// The sockets that match both the filters of the command line, but for those by state, and
    /// this filter.
    fn matching_too(&self, filter: &Filter) -> Vec<SocketStatus>;

    /// Whether an event matches this filter.
    fn event_matches(&self, filter: &Filter, event: &SocketEvent) -> bool;

    /// The owner of a socket now.
    fn owner_of(&mut self, socket: &SocketStatus) -> Attribution;
}

/// Writes an alert for a program.
type Encode = Box<dyn Fn(&Alert) -> Vec<u8>>;

/// Rules with their file and their programs.
pub(crate) struct Alerts {
    file: RulesFile,
    rules: Vec<RuleState>,
    /// By the name of the rule.
    commands: HashMap<String, AlertCommand>,
    /// How an alert is written for a program.
    encode: Encode,
    warnings: Warnings,
}

impl Alerts {
    /// Reads the rules. `encode` is how an alert is written for a program.
    ///
    /// # Errors
    /// A file that cannot be read or parsed.
    pub(crate) fn open(path: &Path, encode: Encode) -> Result<Self> {
        let file = RulesFile::read(path)?;
        let rules = parse(file.text()).map_err(|error| in_file(path, error))?;
        let warnings = Warnings::default();
        warnings.extend(file.warning());
        let rules = rules.into_iter().map(RuleState::new).collect();
        Ok(Self { file, rules, commands: HashMap::new(), encode, warnings })
    }

    /// The alerts of one reading. `events` are all of its events.
    pub(crate) fn update(
        &mut self,
        events: &[MonitorEvent],
        sockets: &mut impl RuleInput,
    ) -> Vec<Alert> {
        let now = sockets.read_at();
        let mut alerts = self.reload(now);
        for state in &mut self.rules {
            if let Some(alert) = check(state, now, events, sockets) {
                alerts.push((alert, state.rule().exec.clone()));
            }
        }
        for (alert, exec) in &alerts {
            if !exec.is_empty() {
                let command = self.commands.entry(alert.rule.clone());
                let new = || AlertCommand::new(&alert.rule, &self.warnings);
                command.or_insert_with(new).run(exec.clone(), (self.encode)(alert));
            }
        }
        alerts.into_iter().map(|(alert, _)| alert).collect()
    }

    /// What the user should know, each thing once.
    pub(crate) fn warnings(&mut self) -> Vec<String> {
        self.warnings.take()
    }

    /// Waits for a moment until programs have read their alerts; returns the last warnings.
    pub(crate) fn finish(self) -> Vec<String> {
        let deadline = Instant::now() + LINGER;
        for command in self.commands.into_values() {
            command.finish(deadline);
        }
        self.warnings.take()
    }

    /// Applies an edited file: rules that were not edited go on, alerts of others are cleared.
    /// Returns these, with the programs that get them.
    fn reload(&mut self, now: Stamp) -> Vec<(Alert, Vec<String>)> {
        let path = self.file.path().to_owned();
        let rules = match self.file.take_change() {
            None => return Vec::new(),
            Some(Ok(text)) => parse(text).map_err(|error| in_file(&path, error)),
            Some(Err(error)) => Err(error),
        };
        let rules = match rules {
            Ok(rules) => rules,
            Err(error) => {
                self.warnings.extend([format!("{error}; the previous rules stay in force")]);
                return Vec::new();
            }
        };
        self.warnings.extend([format!("{} reloaded, {} rules", path.display(), rules.len())]);
        self.replace(rules, now)
    }

    fn replace(&mut self, rules: Vec<Rule>, now: Stamp) -> Vec<(Alert, Vec<String>)> {
        let mut before = std::mem::take(&mut self.rules);
        // Rules that an earlier edit removed have had their last alert.
        self.commands.retain(|name, _| before.iter().any(|state| state.rule().name == *name));
        for rule in rules {
            let same = before.iter().position(|state| state.rule().table == rule.table);
            self.rules.push(match same {
                Some(place) => before.swap_remove(place),
                None => RuleState::new(rule),
            });
        }
        let mut cleared = Vec::new();
        for mut state in before {
            if let Some(alert) = state.clear(now, Vec::new()) {
                cleared.push((alert, state.rule().exec.clone()));
            }
        }
        cleared
    }
}

/// Checks one rule after a reading.
fn check(
    state: &mut RuleState,
    now: Stamp,
    events: &[MonitorEvent],
    sockets: &mut impl RuleInput,
) -> Option<Alert> {
    let Rule { filter, condition, .. } = state.rule();
    if condition.growing.is_some() && sockets.polls() < POLLS_TO_TRUST {
        return None;
    }
    let (mut matching, mut happened) = (Vec::new(), Vec::new());
    if condition.event.is_some() {
        for event in events {
            if let MonitorEvent::Socket(event) = event
                && sockets.event_matches(filter, event)
            {
                happened.push(&**event);
            }
        }
    } else {
        matching = sockets.matching_too(filter);
    }
    state.update(now, &matching, &happened, &mut |socket| sockets.owner_of(socket))
}

fn in_file(path: &Path, error: RuleError) -> Error {
    Box::new(RuleFileError { path: path.to_owned(), error }).into()
}
