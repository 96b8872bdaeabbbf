//! What the user wants to see: which sockets, in which order, in which groups.

use super::filter::RowFilter;
use super::order::{self, GroupLine, Sort};
use super::rows::{Row, Rows};
use crate::error::ValueError;
use crate::filter::Filter;
use crate::model::event::SocketId;
use crate::view::group::GroupKey;

/// Which sockets are shown, and how they are arranged.
#[derive(Debug)]
pub(super) struct Choice {
    /// The states that the command line asks for.
    base: Filter,
    filter: RowFilter,
    sort: Sort,
    is_reversed: bool,
    group: Option<GroupKey>,
    shows_closed: bool,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            base: Filter::default(),
            filter: RowFilter::default(),
            sort: Sort::Held,
            is_reversed: false,
            group: None,
            shows_closed: true,
        }
    }
}

impl Choice {
    /// The sockets that are asked for, in their order.
    pub(super) fn sockets(&self, rows: &Rows) -> Vec<SocketId> {
        order::sorted(self.rows(rows), self.sort, self.is_reversed)
    }

    /// Their groups; `None` where they are not grouped.
    pub(super) fn groups(&self, rows: &Rows) -> Option<Vec<GroupLine>> {
        self.group.map(|key| order::grouped(self.rows(rows), key))
    }

    fn rows<'r>(&self, rows: &'r Rows) -> impl Iterator<Item = &'r Row> {
        let mut matcher = self.filter.matcher();
        rows.iter().filter(move |row| self.asks_for(row) && matcher.matches(row))
    }

    /// Whether the command line asks for a row, and the keys do.
    fn asks_for(&self, row: &Row) -> bool {
        match row.closed {
            Some(_) => self.shows_closed,
            None => self.base.shows(&row.status),
        }
    }

    /// Shows sockets in the states alone that a filter asks for.
    pub(super) fn show_states_of(&mut self, filter: &Filter) {
        let (states, listening) = (filter.states.clone(), filter.listening);
        self.base = Filter { states, listening, ..Default::default() };
    }

    /// The filter as it was typed; empty where there is none.
    pub(super) fn filter_text(&self) -> &str {
        self.filter.text()
    }

    /// Shows only the sockets that match a filter, see [`RowFilter::parse`].
    ///
    /// # Errors
    /// The text is not understood: the filter stays what it was.
    pub(super) fn filter_by(&mut self, text: &str) -> Result<(), ValueError> {
        self.filter = RowFilter::parse(text)?;
        Ok(())
    }

    pub(super) fn clear_filter(&mut self) {
        self.filter = RowFilter::default();
    }

    pub(super) const fn sort(&self) -> Sort {
        self.sort
    }

    /// Sorts by a column; in the other direction where it is sorted by that already. Returns a sentence
    /// about that.
    pub(super) fn sort_by(&mut self, sort: Sort) -> String {
        self.is_reversed = self.sort == sort && !self.is_reversed;
        self.sort = sort;
        let direction = if self.is_reversed { ", the other way round" } else { "" };
        format!("sorted by {}{direction}", sort.name())
    }

    /// What the sockets are grouped by; `None` where they are not.
    pub(super) const fn group(&self) -> Option<GroupKey> {
        self.group
    }

    pub(super) const fn group_by(&mut self, group: Option<GroupKey>) {
        self.group = group;
    }

    /// What the sockets are grouped by after this.
    pub(super) const fn next_group(&self) -> Option<GroupKey> {
        match self.group {
            None => Some(GroupKey::Process),
            Some(GroupKey::Process) => Some(GroupKey::Unit),
            Some(GroupKey::Unit) => Some(GroupKey::Container),
            Some(GroupKey::Container) => Some(GroupKey::Pod),
            Some(GroupKey::Pod) => Some(GroupKey::Remote),
            Some(GroupKey::Remote) => Some(GroupKey::LocalPort),
            Some(GroupKey::LocalPort) => Some(GroupKey::State),
            Some(GroupKey::State) => None,
        }
    }

    /// Shows closed sockets for a while, or no longer does. Returns whether it does now.
    pub(super) const fn toggle_closed(&mut self) -> bool {
        self.shows_closed = !self.shows_closed;
        self.shows_closed
    }
}
