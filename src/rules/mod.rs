//! Rules, and the conditions of `wait` and `check`: which sockets violate them, when an alert is
//! raised and when it is cleared. Time is that of the readings. Pure but for `file`, which reads
//! the rules file, and `exec`, which runs the programs of rules.
//!
//! A condition on states is violated as long as it holds. A transition or a verdict is an event:
//! it is counted for a minute, so that a burst of events gives one alert, which is cleared when
//! the last of them is a minute old.

pub(crate) mod alerts;
pub(crate) mod check;
pub(crate) mod condition;
mod count;
mod exec;
mod file;
mod growth;
pub(crate) mod limits;
pub(crate) mod parse;
mod rule_state;

use crate::filter::Filter;
use condition::Condition;
use parse::RuleTable;

/// What gives an alert.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The name of its alerts; unique in a file.
    pub(crate) name: String,
    /// Which of the sockets that match the filters of the command line it is about.
    pub(crate) filter: Filter,
    /// What has to hold for an alert.
    pub(crate) condition: Condition,
    /// The program that gets every alert on its standard input, with its arguments; empty for
    /// none.
    pub(crate) exec: Vec<String>,
    /// As it was written: a rule that was not edited goes on when the file is read again.
    pub(crate) table: RuleTable,
}
