//! What is typed behind `/`: words such as `state:CLOSE_WAIT`, `remote:10.0.0.0/8`, `port:443`,
//! `pid:812`, `user:www`, `unit:nginx`, `container:web`, `pod:shop/web-0`, or a pattern for the name of the process; all of them have to match.

use super::rows::Row;
use crate::error::ValueError;
use crate::filter::Filter;
use crate::model::process::{Attribution, Process};
use crate::values::{address, name, pid, ports, regex, states, user};
use std::rc::Rc;

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

    /// Looks at rows one by one.
    pub(super) const fn matcher(&self) -> Matcher<'_> {
        Matcher { filter: self, last: None }
    }
}

/// Which rows a filter asks for.
#[derive(Debug)]
pub(super) struct Matcher<'f> {
    filter: &'f RowFilter,
    /// The process whose socket was looked at last, and whether it is asked for: most sockets are of the
    /// same process as the one before, and patterns take the most time.
    last: Option<(*const Process, bool)>,
}

impl Matcher<'_> {
    /// Whether a row is asked for.
    pub(super) fn matches(&mut self, row: &Row) -> bool {
        let RowFilter { filter, is_active, .. } = self.filter;
        !is_active || filter.matches(&row.status) && self.is_owner_asked_for(row)
    }

    fn is_owner_asked_for(&mut self, row: &Row) -> bool {
        let filter = &self.filter.filter.process;
        let only_owner = only_owner(&row.owner);
        if let (Some(owner), Some((last, is_asked_for))) = (only_owner, self.last)
            && owner == last
        {
            return is_asked_for;
        }
        let is_asked_for = row.owner.satisfies(filter, row.status.clues.uid);
        self.last = only_owner.map(|owner| (owner, is_asked_for));
        is_asked_for
    }
}

/// The one process that holds a socket, by its place in memory: all its sockets share it. `None` where there
/// are several, or none.
fn only_owner(owner: &Attribution) -> Option<*const Process> {
    let main = Rc::as_ptr(owner.main.as_ref()?);
    owner.holders.iter().all(|(_, holder)| Rc::as_ptr(holder) == main).then_some(main)
}
