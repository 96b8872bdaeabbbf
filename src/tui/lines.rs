//! The lines of the table: the sockets in their order, or their groups; which of them is selected, and
//! which are on the screen.

use super::choice::Choice;
use super::order::GroupLine;
use super::rows::Rows;
use crate::model::event::SocketId;

/// The lines of the table, of which a page is on the screen.
#[derive(Debug)]
pub(super) struct Lines {
    /// The sockets that are shown, in their order; out of date where `is_stale`.
    order: Vec<SocketId>,
    /// Their groups, which are the lines then; `None` where they are not grouped.
    groups: Option<Vec<GroupLine>>,
    is_stale: bool,
    selected: usize,
    /// The socket that is selected stays so when others come and go.
    selected_id: Option<SocketId>,
    /// The first line on the screen.
    offset: usize,
    /// How many lines there was room for when they were drawn last.
    page: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            order: Vec::new(),
            groups: None,
            is_stale: true,
            selected: 0,
            selected_id: None,
            offset: 0,
            page: 1,
        }
    }
}

impl Lines {
    /// Sockets, or what is wanted of them, have changed.
    pub(super) const fn mark_stale(&mut self) {
        self.is_stale = true;
    }

    /// Brings the lines up to date, where they are not.
    pub(super) fn arrange(&mut self, rows: &Rows, choice: &Choice) {
        if !std::mem::take(&mut self.is_stale) {
            return;
        }
        self.order = choice.sockets(rows);
        self.regroup(rows, choice);
        let kept = self.selected_id.and_then(|id| self.order.iter().position(|at| *at == id));
        self.select(kept.unwrap_or(self.selected));
    }

    /// Brings the groups up to date, for sockets that are.
    fn regroup(&mut self, rows: &Rows, choice: &Choice) {
        self.groups = choice.groups(self.order.iter().filter_map(|id| rows.get(*id)));
    }

    /// The sockets are grouped by something else from now on: begins with the first line.
    pub(super) fn restart(&mut self, rows: &Rows, choice: &Choice) {
        self.regroup(rows, choice);
        (self.selected, self.offset, self.selected_id) = (0, 0, None);
    }

    /// How many lines there are.
    fn len(&self) -> usize {
        self.groups.as_ref().map_or(self.order.len(), Vec::len)
    }

    /// The sockets that are shown, in their order.
    pub(super) fn sockets(&self) -> &[SocketId] {
        &self.order
    }

    /// Selects a line, or the last one if there are fewer.
    pub(super) fn select(&mut self, line: usize) {
        let last = self.len().saturating_sub(1);
        self.selected = line.min(last);
        let is_socket = self.groups.is_none();
        self.selected_id = self.order.get(self.selected).copied().filter(|_| is_socket);
        let page = self.page.max(1);
        // No line stays empty as long as there is a socket for it.
        let offset = self.offset.min(self.len().saturating_sub(page));
        self.offset = offset.clamp((self.selected + 1).saturating_sub(page), self.selected);
    }

    pub(super) fn select_up(&mut self, lines: usize) {
        self.select(self.selected.saturating_sub(lines));
    }

    pub(super) fn select_down(&mut self, lines: usize) {
        self.select(self.selected.saturating_add(lines));
    }

    /// Selects the line at this place of the page, if there is one.
    pub(super) fn select_on_screen(&mut self, place: usize) {
        if place < self.page {
            self.select(self.offset + place);
        }
    }

    pub(super) fn selected_socket(&self) -> Option<SocketId> {
        self.order.get(self.selected).copied()
    }

    pub(super) fn selected_group(&self) -> Option<&GroupLine> {
        self.groups.as_ref()?.get(self.selected)
    }

    /// How many lines a page has.
    pub(super) const fn page(&self) -> usize {
        self.page
    }

    /// There is room for so many lines from now on.
    pub(super) fn set_page(&mut self, lines: usize) {
        self.page = lines.max(1);
        self.select(self.selected);
    }

    /// The place on the page of the line that is selected.
    pub(super) const fn selected_on_screen(&self) -> usize {
        self.selected - self.offset
    }

    /// The sockets that are on the screen, or would be if they were not grouped.
    pub(super) fn sockets_on_screen(&self) -> impl Iterator<Item = SocketId> + use<'_> {
        self.order.iter().skip(self.offset).take(self.page).copied()
    }

    /// The groups that are on the screen.
    pub(super) fn groups_on_screen(&self) -> impl Iterator<Item = &GroupLine> {
        self.groups.iter().flatten().skip(self.offset).take(self.page)
    }
}
