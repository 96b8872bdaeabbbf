//! What there is to be seen: the sockets as events and polls show them, or at a moment of a
//! recording; where the screen is paused, as they were then.

use super::history::History;
use super::rows::{Row, Rows};
use super::slider::{Jump, Slider};
use crate::model::event::{MonitorEvent, SocketEvent, SocketId, SocketStatus};
use crate::model::process::Attribution;
use crate::model::tcp_info::TcpInfos;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use crate::view::diagram::Diagram;
use crate::view::life::{LifeHistories, LifeRecord};
use crate::view::socket::SocketRecord;
use std::collections::HashSet;
use std::rc::Rc;

/// The sockets, with what happened to them.
#[derive(Debug, Default)]
pub(super) struct Contents {
    rows: Rows,
    history: History,
    lives: LifeHistories,
    /// What the kernel measured with the last poll.
    infos: Option<Rc<TcpInfos>>,
    diagram: Diagram,
    /// The instant of the last reading, or the moment of the recording.
    at: Stamp,
    /// What is shown instead of the sockets as they are now.
    paused: Option<Paused>,
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

impl Contents {
    /// Whether the sockets that are shown stay as they are.
    pub(super) const fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Takes in events of a reading that was complete at this instant.
    pub(super) fn apply(&mut self, at: Stamp, events: &[MonitorEvent]) {
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
        if let Some(paused) = &mut self.paused {
            paused.news += u64::from(event.passes);
        }
    }

    /// Takes in what the last poll showed of the sockets there are. Returns those that are not known.
    pub(super) fn refresh(
        &mut self,
        sockets: impl Iterator<Item = SocketStatus>,
    ) -> Vec<SocketStatus> {
        self.rows.refresh(sockets)
    }

    /// Takes in what the kernel measured with the last poll.
    pub(super) fn measure(
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

    /// The reading that was complete at this instant was taken in. Returns whether sockets are no longer
    /// shown, since they have been closed for a while.
    pub(super) fn end_reading(&mut self, at: Stamp) -> bool {
        self.at = at;
        let has_expired = self.rows.expire(at);
        self.history.note(at, self.rows.counts());
        has_expired
    }

    /// Forgets sockets that are not `followed` any more; whether there were any.
    pub(super) fn end_lives(&mut self, followed: impl Fn() -> HashSet<SocketId>) -> bool {
        let is_any = self.lives.end_reading(&followed) > 0;
        if is_any {
            self.rows.retain(&followed());
        }
        is_any
    }

    /// Adds a socket that has come to match without an event.
    pub(super) fn add(&mut self, now: SocketStatus, owner: Attribution) {
        self.rows.add(now, owner);
    }

    /// What was observed of each socket.
    pub(super) const fn histories(&self) -> &LifeHistories {
        &self.lives
    }

    /// From now on the moments of a recording are shown, the last one first.
    pub(super) fn set_recording(
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
    }

    /// The recording; `None` where the run is live.
    pub(super) const fn slider(&self) -> Option<&Slider> {
        self.slider.as_ref()
    }

    /// Goes to another moment of the recording; false where there is none.
    pub(super) fn go(&mut self, step: Jump) -> bool {
        let Some(slider) = &mut self.slider else { return false };
        slider.go(step, &mut self.rows);
        self.at = slider.at();
        self.history = slider.history(self.at);
        self.paused = None;
        true
    }

    /// Shows the sockets as they are now until it is called again.
    pub(super) fn pause(&mut self) {
        self.paused = match self.paused.take() {
            Some(_) => None,
            None => Some(Paused {
                rows: self.rows.clone(),
                infos: self.infos.clone(),
                at: self.at,
                news: 0,
            }),
        };
    }

    /// How many events have come since the screen was paused; `None` where it is not.
    pub(super) fn missed_by_pause(&self) -> Option<u64> {
        self.paused.as_ref().map(|paused| paused.news)
    }

    /// The sockets that are shown.
    pub(super) fn rows(&self) -> &Rows {
        self.paused.as_ref().map_or(&self.rows, |paused| &paused.rows)
    }

    /// The instant that is shown.
    pub(super) fn at(&self) -> Stamp {
        self.paused.as_ref().map_or(self.at, |paused| paused.at)
    }

    /// A row as a record.
    pub(super) fn record(&self, row: &Row) -> SocketRecord {
        let record = SocketRecord::new(&row.status, self.at(), row.owner.clone());
        if row.measured.is_some() {
            return SocketRecord { tcp_info: row.measured.clone(), ..record };
        }
        let infos = self.paused.as_ref().map_or(&self.infos, |paused| &paused.infos);
        record.with_tcp_info(infos.as_deref())
    }

    /// What happened to a socket up to the instant that is shown.
    pub(super) fn life(&self, row: &Row) -> Option<LifeRecord> {
        let lives = self.slider.as_ref().map(|slider| slider.lives(row.id()));
        let lives = lives.as_ref().unwrap_or(&self.lives);
        lives.so_far(&row.status, &row.owner, self.at(), true)
    }

    /// The transitions up to now, and the sockets that are shown.
    pub(super) fn diagram(&self) -> Diagram {
        let of_recording = self.slider.as_ref().map(Slider::diagram);
        let mut diagram = of_recording.unwrap_or_else(|| self.diagram.clone());
        diagram.set_states(self.rows().counts().iter().flat_map(|(state, count)| {
            std::iter::repeat_n(*state, usize::try_from(*count).unwrap_or_default())
        }));
        diagram
    }

    /// How many sockets were in a state during the last minute, as that many bars.
    pub(super) fn sparkline(&self, state: State, bars: usize, unicode: bool) -> String {
        self.history.sparkline(state, bars, unicode)
    }
}
