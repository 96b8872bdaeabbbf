//! The rules of a run: read from their file, held against every reading, their alerts given to
//! programs.

use super::Rule;
use super::alert::Watch;
use super::exec::{AlertCommand, Notices};
use super::file::RulesFile;
use super::parse::parse;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::model::event::{Alert, MonitorEvent, SocketEvent, SocketStatus};
use crate::model::process::Attribution;
use crate::model::time::Stamp;
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the end of a run waits for programs that have been given an alert.
const PATIENCE: Duration = Duration::from_secs(2);
/// The first look may skip a row, which would look like growth at the second.
const LOOKS_TO_GROW: u64 = 2;

/// The sockets that rules are held against, as they stand after a reading.
pub(crate) trait Sockets {
    /// When the reading ended.
    fn read_at(&self) -> Stamp;

    /// How many looks at all sockets there have been.
    fn looks_taken(&self) -> u64;

    /// Those that a filter asks for.
    fn asked_for(&self, filter: &Filter) -> Vec<SocketStatus>;

    /// Whether a filter asks for what happened to one.
    fn asks(&self, filter: &Filter, told: &SocketEvent) -> bool;

    /// Whose it is now.
    fn owner_of(&mut self, socket: &SocketStatus) -> Attribution;
}

/// Holds rules against readings.
pub(crate) struct Alerts {
    file: RulesFile,
    watches: Vec<Watch>,
    /// By the name of the rule.
    hooks: HashMap<String, AlertCommand>,
    /// How an alert is written for a program.
    line: fn(&Alert) -> Vec<u8>,
    /// What is to be told on standard error.
    notices: Notices,
}

impl Alerts {
    /// Reads the rules. `line` is how an alert is written for a program.
    ///
    /// # Errors
    /// A file that cannot be read or understood.
    pub(crate) fn open(path: &Path, line: fn(&Alert) -> Vec<u8>) -> Result<Self> {
        let file = RulesFile::read(path)?;
        let rules = parse(file.text())
            .map_err(|wrong| Error::Usage(format!("{}, {wrong}", path.display())))?;
        let (watches, notices) = (rules.into_iter().map(Watch::new), Notices::default());
        notices.extend(file.notice());
        Ok(Self { file, watches: watches.collect(), hooks: HashMap::new(), line, notices })
    }

    /// The alerts of one reading.
    pub(crate) fn take(&mut self, news: &[MonitorEvent], sockets: &mut impl Sockets) -> Vec<Alert> {
        let now = sockets.read_at();
        let mut alerts = self.read_again(now);
        for watch in &mut self.watches {
            alerts.extend(judge(watch, now, news, sockets).map(|alert| (alert, exec_of(watch))));
        }
        let mut told = Vec::with_capacity(alerts.len());
        for (alert, exec) in alerts {
            if !exec.is_empty() {
                let hook = self.hooks.entry(alert.rule.clone());
                let hook = hook.or_insert_with(|| AlertCommand::new(&alert.rule, &self.notices));
                hook.give(exec, (self.line)(&alert));
            }
            told.push(alert);
        }
        told
    }

    /// What is to be told, each thing once.
    pub(crate) fn notices(&mut self) -> Vec<String> {
        self.notices.take()
    }

    /// Lets programs read what they were given; returns what is left to be told.
    pub(crate) fn finish(self) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        self.hooks.values().for_each(|hook| hook.finish(deadline));
        self.notices.take()
    }

    /// Takes in an edited file: rules that were not edited go on, alerts of others are over.
    fn read_again(&mut self, now: Stamp) -> Vec<(Alert, Vec<String>)> {
        let path = self.file.path().display().to_string();
        let rules = match self.file.changed() {
            None => return Vec::new(),
            Some(Ok(text)) => parse(text).map_err(|wrong| format!("{path}, {wrong}")),
            Some(Err(error)) => Err(error.to_string()),
        };
        let rules = match rules {
            Ok(rules) => rules,
            Err(reason) => {
                self.notices.extend([format!("{reason}; the rules read before stay in force")]);
                return Vec::new();
            }
        };
        self.notices.extend([format!("{path}: read again, {} rules", rules.len())]);
        self.replace(rules, now)
    }

    fn replace(&mut self, rules: Vec<Rule>, now: Stamp) -> Vec<(Alert, Vec<String>)> {
        let mut before = std::mem::take(&mut self.watches);
        // Those of rules that went with an earlier edit have been given the last they get.
        self.hooks.retain(|name, _| before.iter().any(|watch| watch.rule().name == *name));
        for rule in rules {
            let same = before.iter().position(|watch| watch.rule().definition == rule.definition);
            self.watches.push(match same {
                Some(place) => before.swap_remove(place),
                None => Watch::new(rule),
            });
        }
        let over = |watch: &mut Watch| Some((watch.end(now, Vec::new())?, exec_of(watch)));
        before.iter_mut().filter_map(over).collect()
    }
}

fn judge(
    watch: &mut Watch,
    now: Stamp,
    news: &[MonitorEvent],
    sockets: &mut impl Sockets,
) -> Option<Alert> {
    let (filter, conditions) = (&watch.rule().filter, &watch.rule().conditions);
    if conditions.growing_for.is_some() && sockets.looks_taken() < LOOKS_TO_GROW {
        return None;
    }
    let (mut standing, mut happened) = (Vec::new(), Vec::new());
    if conditions.is_instant() {
        happened.extend(news.iter().filter_map(told).filter(|told| sockets.asks(filter, told)));
    } else {
        standing = sockets.asked_for(filter);
    }
    watch.take(now, &standing, &happened, &mut |socket| sockets.owner_of(socket))
}

fn told(news: &MonitorEvent) -> Option<&SocketEvent> {
    match news {
        MonitorEvent::Socket(told) => Some(told),
        MonitorEvent::Lost(_) => None,
    }
}

fn exec_of(watch: &Watch) -> Vec<String> {
    watch.rule().exec.clone()
}
