//! What is typed behind `/`: words such as `state:CLOSE_WAIT`, `remote:10.0.0.0/8`, `port:443`,
//! `pid:812`, `user:www`, `unit:nginx`, `container:web`, `pod:shop/web-0`, or a pattern for the name of the process; all of them have to match.

use super::rows::Row;
use crate::error::ValueError;
use crate::filter::Filter;
use crate::values::{address, name, pid, ports, regex, states, user};

/// A filter of rows, as it was typed.
#[derive(Debug, Default)]
pub(super) struct RowFilter {
    text: String,
    filter: Filter,
    /// It asks for something.
    is_active: bool,
}

impl RowFilter {
    /// Understands what was typed.
    ///
    /// # Errors
    /// The first word that is not understood.
    pub(super) fn parse(text: &str) -> Result<Self, ValueError> {
        let mut filter = Filter::default();
        let mut sets = Vec::new();
        for word in text.split_whitespace() {
            match word.split_once(':') {
                Some(("state", set)) => sets.push(set),
                Some(("local", end)) => filter.local.push(address(end)?),
                Some(("remote", end)) => filter.remote.push(address(end)?),
                Some(("port", range)) => filter.ports.push(ports(range)?),
                Some(("pid", number)) => filter.process.pids.push(pid(number)?),
                Some(("user", text)) => filter.process.users.push(user(text)?),
                Some(("unit", text)) => filter.process.workload.units.push(name(text)?),
                Some(("container", text)) => filter.process.workload.containers.push(name(text)?),
                Some(("pod", text)) => filter.process.workload.pods.push(name(text)?),
                _ => filter.process.patterns.push(regex(word, false)?),
            }
        }
        filter.states = states(sets)?;
        Ok(Self { text: text.to_owned(), filter, is_active: !text.trim().is_empty() })
    }

    /// What was typed.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether a row is asked for.
    pub(super) fn matches(&self, row: &Row) -> bool {
        !self.is_active
            || self.filter.matches(&row.status)
                && row.owner.satisfies(&self.filter.process, row.status.clues.uid)
    }
}
