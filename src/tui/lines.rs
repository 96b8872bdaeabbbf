//! The lines of the table: the sockets in their order, or their groups; which of them is selected, and
//! which are on the screen.

use super::choice::Choice;
use super::order::GroupLine;
use super::rows::Rows;
use crate::model::event::SocketId;

/// The lines of the table, of which a page is on the screen.
#[derive(Debug)]
pub(super) struct Lines {
    /// Out of date where `is_stale`.
    all: AllLines,
    is_stale: bool,
    selected: usize,
    /// The socket that is selected stays so when others come and go.
    selected_id: Option<SocketId>,
    /// The first line on the screen.
    offset: usize,
    /// How many lines there was room for when they were drawn last.
    page: usize,
}

/// What stands on the lines.
#[derive(Debug)]
enum AllLines {
    Sockets(Vec<SocketId>),
    Groups(Vec<GroupLine>),
}

impl Default for Lines {
    fn default() -> Self {
        let (all, is_stale) = (AllLines::Sockets(Vec::new()), true);
        Self { all, is_stale, selected: 0, selected_id: None, offset: 0, page: 1 }
    }
}

impl Lines {
    /// Sockets, or what is wanted of them, have changed.
    pub(super) const fn mark_stale(&mut self) {
        self.is_stale = true;
    }

    /// The same, and the first line is selected.
    pub(super) const fn restart(&mut self) {
        self.is_stale = true;
        (self.selected, self.offset, self.selected_id) = (0, 0, None);
    }

    /// Brings the lines up to date, where they are not.
    pub(super) fn arrange(&mut self, rows: &Rows, choice: &Choice) {
        if !std::mem::take(&mut self.is_stale) {
            return;
        }
        self.all = match choice.groups(rows) {
            Some(groups) => AllLines::Groups(groups),
            None => AllLines::Sockets(choice.sockets(rows)),
        };
        let kept = self.selected_id.and_then(|id| self.sockets().iter().position(|at| *at == id));
        self.select(kept.unwrap_or(self.selected));
    }

    /// How many lines there are.
    const fn len(&self) -> usize {
        match &self.all {
            AllLines::Sockets(sockets) => sockets.len(),
            AllLines::Groups(groups) => groups.len(),
        }
    }

    /// The sockets on the lines, in their order; none where groups stand there.
    pub(super) fn sockets(&self) -> &[SocketId] {
        match &self.all {
            AllLines::Sockets(sockets) => sockets,
            AllLines::Groups(_) => &[],
        }
    }

    fn groups(&self) -> &[GroupLine] {
        match &self.all {
            AllLines::Sockets(_) => &[],
            AllLines::Groups(groups) => groups,
        }
    }

    /// How many sockets are shown, each by itself or in a group.
    pub(super) fn count(&self) -> u64 {
        self.sockets().len() as u64 + self.groups().iter().map(|group| group.count).sum::<u64>()
    }

    /// Selects a line, or the last one if there are fewer.
    pub(super) fn select(&mut self, line: usize) {
        let last = self.len().saturating_sub(1);
        self.selected = line.min(last);
        self.selected_id = self.selected_socket();
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
        self.sockets().get(self.selected).copied()
    }

    pub(super) fn selected_group(&self) -> Option<&GroupLine> {
        self.groups().get(self.selected)
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

    /// The sockets that are on the screen.
    pub(super) fn sockets_on_screen(&self) -> impl Iterator<Item = SocketId> + use<'_> {
        self.sockets().iter().skip(self.offset).take(self.page).copied()
    }

    /// The groups that are on the screen.
    pub(super) fn groups_on_screen(&self) -> impl Iterator<Item = &GroupLine> {
        self.groups().iter().skip(self.offset).take(self.page)
    }
}
