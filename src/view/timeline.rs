//! `--view timeline`: the lives of sockets, those of both ends of a connection together.

use super::life::{LifeHistories, LifeRecord};
use super::pairing::{Pairing, paired};
use super::{Record, Run, View};
use crate::model::counted::counted;
use crate::model::event::{EventKind, MonitorEvent, SocketEvent, SocketId};
use crate::model::reading::Interface;
use crate::model::time::Stamp;
use std::collections::HashSet;

/// `--view timeline`: a record per life when its socket closes, and at the end of the run one for each
/// socket that is open.
pub(super) struct TimelineView {
    /// Joins the two sockets of a connection; `None` for scripts, which get every life by itself.
    pairing: Option<Pairing>,
    /// Lives that the reading has ended, and whose peers are to be named.
    without_peer: Vec<LifeRecord>,
}

impl TimelineView {
    pub(super) fn new(for_people: bool) -> Self {
        Self { pairing: for_people.then(Pairing::default), without_peer: Vec::new() }
    }

    /// The lives that an event ended, and that need not wait for the other socket of their connection.
    fn ended(&mut self, event: &SocketEvent, histories: &LifeHistories) -> Vec<LifeRecord> {
        let addrs = event.transition.socket.addrs;
        let ended = histories.ended(event);
        match (&mut self.pairing, event.transition.kind) {
            (Some(pairing), EventKind::Present | EventKind::Opened) => {
                pairing.socket_opened(addrs);
            }
            (Some(pairing), EventKind::Closed) => return pairing.socket_closed(addrs, ended),
            _ => {}
        }
        ended.into_iter().collect()
    }
}

impl View for TimelineView {
    fn apply(
        &mut self,
        events: Vec<MonitorEvent>,
        _: (Stamp, Interface),
        histories: &LifeHistories,
    ) -> Vec<Record> {
        let mut records = Vec::new();
        for event in events {
            match event {
                MonitorEvent::Lost(lost) => records.push(Record::Lost(lost)),
                MonitorEvent::Socket(event) => {
                    for ended in self.ended(&event, histories) {
                        if self.pairing.is_some() && ended.lacks_peer() {
                            self.without_peer.push(ended);
                        } else {
                            records.push(life(ended));
                        }
                    }
                }
            }
        }
        records
    }

    fn end_reading(&mut self, run: &mut dyn Run) -> Vec<Record> {
        let Some(pairing) = &mut self.pairing else { return Vec::new() };
        let mut lives = std::mem::take(&mut self.without_peer);
        if run.histories().lost_track() > 0 {
            lives.extend(pairing.set_open(run.open_addrs().into_iter()));
        }
        let mut expired = pairing.expired(run.read_at());
        if !expired.is_empty() {
            let waited: HashSet<SocketId> = expired.iter().map(|life| life.socket.id).collect();
            expired.extend(run.open_lives());
            let has_waited = |life: &LifeRecord| {
                let other = life.peer.iter().map(|other| other.socket.id);
                other.chain([life.socket.id]).any(|id| waited.contains(&id))
            };
            lives.extend(paired(expired).into_iter().filter(has_waited));
        }
        run.name_peers(&mut lives);
        lives.into_iter().map(life).collect()
    }

    fn current(&mut self, run: &mut dyn Run) -> Vec<Record> {
        let mut lives = run.open_lives();
        if let Some(pairing) = &mut self.pairing {
            lives.extend(pairing.take_all());
            lives.sort_by_key(LifeRecord::order);
            lives = paired(lives);
            run.name_peers(&mut lives);
        }
        lives.into_iter().map(life).collect()
    }

    fn prints_later(&self) -> Option<&'static str> {
        Some("timelines are printed when sockets close, or at the end")
    }

    fn lost_track_of(&self, sockets: usize) -> Option<String> {
        let sockets = counted(sockets, "socket");
        Some(format!("lost track of {sockets}; their timelines are incomplete"))
    }
}

fn life(life: LifeRecord) -> Record {
    Record::Life(Box::new(life))
}
