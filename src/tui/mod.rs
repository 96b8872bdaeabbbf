//! `top`: the sockets on a whole terminal, with keys. Pure: what is drawn follows from the events of
//! the run and from the keys; `output::top_screen` has the terminal.
//!
//! [`Top`] is the state of the screen. [`rows`] are the sockets as events and polls show them,
//! [`slider`] goes back and forth in a recording, [`filter`] understands what is typed, [`keys`] says
//! what a key does, and [`draw`] lays it all out.

mod columns;
mod detail;
mod draw;
mod filter;
mod history;
mod keys;
mod order;
mod rows;
mod slider;
#[cfg(test)]
mod tests;

use crate::model::event::{MonitorEvent, SocketEvent, SocketId, SocketStatus};
use crate::model::process::Attribution;
use crate::model::tcp_info::TcpInfos;
use crate::model::time::Stamp;
use crate::render::cell::{Names, TimeFormatter};
use crate::render::socket_table::columns::Column;
use crate::view::Record;
use crate::view::diagram::Diagram;
use crate::view::group::GroupKey;
use crate::view::life::LifeHistories;
use crate::view::socket::SocketRecord;
use columns::Headings;
use filter::RowFilter;
use history::History;
pub(crate) use keys::Key;
use order::Sort;
use rows::{Row, Rows};
use slider::Slider;
use std::rc::Rc;
use std::time::Duration;

/// How long a socket that has closed is still shown.
const CLOSED_SHOWN_FOR: Duration = Duration::from_secs(5);

/// How the screen looks.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools)] // they are flags
pub(crate) struct Look {
    /// Colours are used.
    pub(crate) color: bool,
    /// Other characters than ASCII are used.
    pub(crate) unicode: bool,
    /// The columns have headings.
    pub(crate) header: bool,
    /// Columns for user, inode, descriptor and unit.
    pub(crate) extended: bool,
    /// A column for the timer.
    pub(crate) timers: bool,
    /// A column for what the kernel measures of connections.
    pub(crate) tcp_info: bool,
    /// How times are written.
    pub(crate) clock: TimeFormatter,
}

/// What a key asks for that is not done by drawing.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// Nothing.
    None,
    /// The end of the run.
    Quit,
    /// This text in the clipboard.
    Copy(String),
    /// These records in a file.
    Write(Vec<Record>),
}

/// The state of the screen.
#[derive(Debug)]
pub(crate) struct Top {
    look: Look,
    /// What the command line asks for, for the title.
    title: String,
    rows: Rows,
    history: History,
    lives: LifeHistories,
    /// What the kernel measured with the last poll.
    infos: Option<Rc<TcpInfos>>,
    /// Names of what was shown last.
    names: Names,
    diagram: Diagram,
    /// The instant that is shown.
    at: Stamp,
    /// The states that the command line asks for.
    base: crate::filter::Filter,
    filter: RowFilter,
    /// What is being typed behind `/`.
    typed: Option<String>,
    sort: Sort,
    reversed: bool,
    group: Option<GroupKey>,
    shows_closed: bool,
    /// What is shown instead of the sockets as they are now.
    paused: Option<Paused>,
    overlay: Option<Overlay>,
    /// A sentence at the bottom, until the next key.
    message: Option<String>,
    /// The sockets that are shown, in their order; stale where `is_stale`.
    order: Vec<SocketId>,
    /// Their groups; empty where they are not grouped.
    groups: Vec<order::GroupLine>,
    is_stale: bool,
    selected: usize,
    /// The socket that is selected stays so when others come and go.
    selected_id: Option<SocketId>,
    offset: usize,
    /// How many rows the table had when it was drawn last, and where its first one was.
    page: usize,
    first_line: u16,
    /// Where the headings of the sockets were; `None` where there were none.
    headings: Option<Headings>,
    /// Columns that were asked for, and had no room when it was drawn last.
    left_out: Vec<Column>,
    /// `None` where the run is live.
    slider: Option<Slider>,
}

/// The sockets as they were when the screen was paused.
#[derive(Debug)]
struct Paused {
    rows: Rows,
    infos: Option<Rc<TcpInfos>>,
    at: Stamp,
    /// How many events have come since.
    news: u64,
}

/// What covers the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Overlay {
    kind: OverlayKind,
    /// The first line that is shown.
    scroll: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OverlayKind {
    Help,
    Explain,
    Diagram,
}

impl Top {
    /// An empty screen. `title`: whose sockets they are.
    pub(crate) fn new(look: Look, title: String) -> Self {
        Self {
            look,
            title,
            rows: Rows::default(),
            history: History::default(),
            lives: LifeHistories::default(),
            infos: None,
            names: Names::default(),
            diagram: Diagram::default(),
            at: Stamp::default(),
            base: crate::filter::Filter::default(),
            filter: RowFilter::default(),
            typed: None,
            sort: Sort::Held,
            reversed: false,
            group: None,
            shows_closed: true,
            paused: None,
            overlay: None,
            message: None,
            order: Vec::new(),
            groups: Vec::new(),
            is_stale: true,
            selected: 0,
            selected_id: None,
            offset: 0,
            page: 1,
            first_line: 0,
            headings: None,
            left_out: Vec::new(),
            slider: None,
        }
    }

    /// Takes in events of a reading that was complete at this instant.
    pub(crate) fn apply(&mut self, at: Stamp, events: &[MonitorEvent]) {
        self.at = at;
        self.lives.apply(events);
        for event in events {
            match event {
                MonitorEvent::Socket(event) => self.apply_event(event),
                MonitorEvent::Lost(_) => {}
            }
        }
    }

    fn apply_event(&mut self, event: &SocketEvent) {
        self.rows.apply(event);
        self.diagram.apply(event);
        self.is_stale = true;
        if let Some(paused) = &mut self.paused {
            paused.news += u64::from(event.passes);
        }
    }

    /// Takes in the sockets there are, with what the last poll showed of them. Returns those that
    /// are not known: they have come to match without an event, and are to be [added](Self::add).
    pub(crate) fn refresh(
        &mut self,
        sockets: impl Iterator<Item = SocketStatus>,
    ) -> Vec<SocketStatus> {
        self.rows.refresh(sockets)
    }

    /// Takes in what the kernel measured with the last poll, where that is asked for.
    pub(crate) fn measure(
        &mut self,
        infos: Rc<TcpInfos>,
        sockets: impl Iterator<Item = SocketStatus>,
    ) {
        let info = |now: SocketStatus| {
            (now.socket.id, infos.of(now.socket.addrs, now.clues.inode, now.state))
        };
        self.lives.measure(&infos, sockets.map(info));
        self.infos = Some(infos);
    }

    /// The reading that was complete at this instant was taken in.
    pub(crate) fn end_reading(&mut self, at: Stamp) {
        self.at = at;
        self.is_stale |= self.rows.expire(self.at);
        self.history.note(self.at, self.rows.counts());
    }

    /// Sockets that were dropped without it being known whether they closed: `followed` are those
    /// that were not. Returns whether there are any.
    pub(crate) fn end_lives(
        &mut self,
        followed: impl Fn() -> std::collections::HashSet<SocketId>,
    ) -> bool {
        let is_any = self.lives.end_reading(&followed) > 0;
        if is_any {
            self.rows.retain(&followed());
            self.is_stale = true;
        }
        is_any
    }

    /// Adds a socket that has come to match without an event.
    pub(crate) fn add(&mut self, now: SocketStatus, owner: Attribution) {
        self.rows.add(now, owner);
        self.is_stale = true;
    }

    /// What was observed of each socket.
    pub(crate) const fn histories(&self) -> &LifeHistories {
        &self.lives
    }

    /// From now on the screen shows a recording, whose events and lives these are. `is_cut`: there were more.
    /// What happened before `since`, in microseconds since 1970, has happened already.
    pub(crate) fn set_recording(
        &mut self,
        events: Vec<SocketEvent>,
        is_cut: bool,
        since: Option<i64>,
        lives: LifeHistories,
    ) {
        self.lives = lives;
        let mut slider = Slider::new(events, is_cut, since);
        self.rows = Rows::default();
        slider.go_to_end(&mut self.rows);
        self.at = slider.at();
        self.diagram = slider.diagram();
        self.history = slider.history(self.at);
        self.slider = Some(slider);
        self.is_stale = true;
    }

    /// The rows that are shown: those of now, or of when the screen was paused.
    fn shown(&self) -> (&Rows, Stamp) {
        self.paused.as_ref().map_or((&self.rows, self.at), |paused| (&paused.rows, paused.at))
    }

    /// A row as a record.
    fn socket_record(&self, row: &Row, at: Stamp) -> SocketRecord {
        let record = SocketRecord::new(&row.status, at, row.owner.clone());
        if row.measured.is_some() {
            return SocketRecord { tcp_info: row.measured.clone(), ..record };
        }
        let infos = self.paused.as_ref().map_or(&self.infos, |paused| &paused.infos);
        record.with_tcp_info(infos.as_deref())
    }

    /// The sockets that are on the screen, for their names.
    pub(crate) fn on_screen(&mut self) -> Vec<Record> {
        self.arrange();
        let at = self.shown().1;
        let shown = self.order.iter().skip(self.offset).take(self.page);
        let rows = shown.filter_map(|id| self.row(*id));
        rows.map(|row| Record::Socket(Box::new(self.socket_record(row, at)))).collect()
    }

    /// From now on these names stand instead of numbers.
    pub(crate) fn set_names(&mut self, names: Names) {
        self.names = names;
    }

    fn row(&self, id: SocketId) -> Option<&Row> {
        self.shown().0.get(id)
    }

    fn selected_row(&self) -> Option<&Row> {
        self.row(*self.order.get(self.selected)?)
    }

    /// Shows sockets in the states alone that a filter asks for.
    pub(crate) fn show_states_of(&mut self, filter: &crate::filter::Filter) {
        let (states, listening) = (filter.states.clone(), filter.listening);
        self.base = crate::filter::Filter { states, listening, ..Default::default() };
    }

    /// The instant that is shown, as a part of a file name.
    pub(crate) fn file_stamp(&self) -> String {
        self.shown().1.to_string().replace([':', '.'], "-")
    }

    /// Brings the order of the rows up to date.
    fn arrange(&mut self) {
        if !std::mem::take(&mut self.is_stale) {
            return;
        }
        let (rows, _) = self.shown();
        let shown = rows.iter().filter(|row| self.is_asked_for(row) && self.filter.matches(row));
        self.order = order::sorted(shown, self.sort, self.reversed);
        self.regroup();
        let kept = self.selected_id.and_then(|id| self.order.iter().position(|at| *at == id));
        self.select(kept.unwrap_or(self.selected));
    }

    /// Whether the command line asks for a row, and the keys do.
    fn is_asked_for(&self, row: &Row) -> bool {
        match row.closed {
            Some(_) => self.shows_closed,
            None => self.base.shows(&row.status),
        }
    }

    fn select(&mut self, place: usize) {
        let last = self.lines().saturating_sub(1);
        self.selected = place.min(last);
        self.selected_id = self.order.get(self.selected).copied().filter(|_| self.group.is_none());
        let page = self.page.max(1);
        // No line stays empty as long as there is a socket for it.
        let offset = self.offset.min(self.lines().saturating_sub(page));
        self.offset = offset.clamp((self.selected + 1).saturating_sub(page), self.selected);
    }

    /// How many lines the table has.
    fn lines(&self) -> usize {
        if self.group.is_some() { self.groups.len() } else { self.order.len() }
    }

    /// Brings the groups of the sockets that are shown up to date.
    fn regroup(&mut self) {
        let rows = self.order.iter().filter_map(|id| self.row(*id));
        self.groups = self.group.map_or_else(Vec::new, |key| order::grouped(rows, key));
    }
}
