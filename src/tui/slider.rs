//! Back and forth in a recording: the events of it, of which some have been applied.

use super::history::History;
use super::rows::Rows;
use crate::model::event::{EventKind, MonitorEvent, SocketEvent, SocketId};
use crate::model::time::Stamp;
use crate::view::diagram::Diagram;
use crate::view::life::LifeHistories;
use std::time::Duration;

/// The events of a recording.
#[derive(Debug)]
pub(super) struct Slider {
    events: Vec<SocketEvent>,
    /// How many of them have been applied.
    position: usize,
    /// So many have been applied at the beginning.
    first: usize,
    /// There were more events than these.
    is_cut: bool,
}

/// Which way to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Jump {
    /// To the event before the last one, or to the next one; events of one instant are one.
    Back,
    Forward,
    /// By a minute.
    MinuteBack,
    MinuteForward,
    Start,
    End,
}

impl Slider {
    /// `since`: what happened before, in microseconds since 1970, is the beginning.
    pub(super) fn new(events: Vec<SocketEvent>, is_cut: bool, since: Option<i64>) -> Self {
        let time = |event: &SocketEvent| event.transition.time;
        let start = events.first().map(time);
        let is_before = |event: &&SocketEvent| {
            Some(time(event)) == start || since.is_some_and(|since| time(event).wall < since)
        };
        let first = events.iter().take_while(is_before).count();
        Self { events, position: 0, first, is_cut }
    }

    /// How many events there are.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// How many of them have been applied.
    pub(super) const fn position(&self) -> usize {
        self.position
    }

    /// Whether there were more events than these.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// When the last event that was applied happened; of none, when the first one did.
    pub(super) fn at(&self) -> Stamp {
        let last = self.events.get(self.position.saturating_sub(1));
        last.map_or_else(Stamp::default, |event| event.transition.time)
    }

    /// The first and the last instant.
    pub(super) fn span(&self) -> Option<(Stamp, Stamp)> {
        let time = |event: &SocketEvent| event.transition.time;
        let first = self.events.get(self.first.saturating_sub(1));
        first.map(time).zip(self.events.last().map(time))
    }

    pub(super) fn go_to_end(&mut self, rows: &mut Rows) {
        while self.position < self.events.len() {
            self.forward(rows);
        }
    }

    /// Goes somewhere, and applies or undoes the events in between.
    pub(super) fn go(&mut self, step: Jump, rows: &mut Rows) {
        let minute = Duration::from_secs(60);
        match step {
            Jump::Forward => self.forward(rows),
            Jump::Back => self.back(rows),
            Jump::End => self.go_to_end(rows),
            Jump::Start => self.back_while(rows, |_| true),
            Jump::MinuteForward => {
                let until = self.at().after(minute);
                while self.next_time().is_some_and(|next| next.boot <= until.boot) {
                    self.forward(rows);
                }
                // Where nothing happened in it, to what happened next.
                if self.at().boot < until.boot.saturating_sub(60_000_000 - 1) {
                    self.forward(rows);
                }
            }
            Jump::MinuteBack => {
                let until = self.at().before(minute);
                self.back_while(rows, |at| at.boot > until.boot);
            }
        }
    }

    fn next_time(&self) -> Option<Stamp> {
        self.events.get(self.position).map(|event| event.transition.time)
    }

    /// Applies the events of the next instant.
    fn forward(&mut self, rows: &mut Rows) {
        let Some(at) = self.next_time() else { return };
        while self.next_time() == Some(at) {
            rows.apply(&self.events[self.position]);
            self.position += 1;
        }
        rows.expire(at);
    }

    /// Undoes the events of the last instant, but none of the beginning.
    fn back(&mut self, rows: &mut Rows) {
        let at = self.at();
        while self.position > self.first && self.events[self.position - 1].transition.time == at {
            self.position -= 1;
            rows.undo(&self.events[self.position]);
        }
        rows.expire(self.at());
    }

    fn back_while(&mut self, rows: &mut Rows, is_after: impl Fn(Stamp) -> bool) {
        loop {
            let before = self.position;
            if !is_after(self.at()) {
                return;
            }
            self.back(rows);
            if self.position == before {
                return;
            }
        }
    }

    /// What happened to a socket up to now.
    pub(super) fn lives(&self, id: SocketId) -> LifeHistories {
        let mut lives = LifeHistories::default();
        let of =
            self.events[..self.position].iter().filter(|event| event.transition.socket.id == id);
        let is_open = |event: &&SocketEvent| event.transition.kind != EventKind::Closed;
        let events: Vec<MonitorEvent> =
            of.filter(is_open).map(|event| MonitorEvent::Socket(Box::new(event.clone()))).collect();
        lives.apply(&events);
        lives
    }

    /// The transitions up to now.
    pub(super) fn diagram(&self) -> Diagram {
        let mut diagram = Diagram::default();
        self.events[..self.position].iter().for_each(|event| diagram.apply(event));
        diagram
    }

    /// The counts of the last minute up to now.
    pub(super) fn history(&self, at: Stamp) -> History {
        let (mut rows, mut history) = (Rows::default(), History::default());
        let since = at.before(Duration::from_secs(60));
        for event in &self.events[..self.position] {
            if event.transition.time.boot > since.boot {
                history.note(event.transition.time.before(Duration::from_micros(1)), rows.counts());
            }
            rows.apply(event);
            if event.transition.time.boot > since.boot {
                history.note(event.transition.time, rows.counts());
            }
        }
        history.note(at, rows.counts());
        history
    }
}
