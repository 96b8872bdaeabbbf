//! Steps that the kernel's events told: exact in time and way. Polls go on beside them and show
//! what events do not: inodes, request sockets, the end of TIME_WAIT.

use super::socket::{Life, unaccepted};
use super::sockets::Lives;
use super::{Missing, Tracker, Work, tell};
use crate::model::event::{SocketId, TrackerEvent};
use crate::model::reading::{PollWindow, Snapshot, StateChange};
use crate::model::socket::AddressPair;
use crate::model::socket_row::SocketRow;
use crate::model::time::Stamp;
use crate::tcp::path::reachable;
use crate::tcp::state::State;
use std::collections::HashMap;

/// So many ends that events closed are kept from one pass to the next, some 20 MB.
const CLOSED: usize = 1 << 18;

/// Names are cleared of the dead when there are so many more than lives.
const SLACK: usize = 4096;

/// What is remembered of events.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The lives that events have named, by the kernel's address of the socket.
    names: HashMap<u64, (AddressPair, SocketId)>,
    /// Ends that events closed since the last pass began: its rows may still show them.
    closed: HashMap<AddressPair, Stamp>,
    /// When there were more: any ends may have been closed then.
    closed_more: Option<Stamp>,
    /// What came before the first look.
    early: Vec<StateChange>,
}

impl Events {
    /// Rows and events from before this instant may still show these ends.
    pub(super) fn note_closed(&mut self, addrs: AddressPair, time: Stamp) {
        if self.closed.len() < CLOSED {
            self.closed.insert(addrs, time);
        } else {
            self.closed_more = Some(time);
        }
    }

    fn was_closed_since(&self, addrs: AddressPair, since: Stamp) -> bool {
        let closed = self.closed.get(&addrs).copied().max(self.closed_more);
        closed.is_some_and(|time| time >= since)
    }

    /// Who ended without an event is named no more.
    pub(super) fn forget_the_dead(&mut self, lives: &Lives) {
        if self.names.len() > 2 * lives.count() + SLACK {
            self.names.retain(|_, (addrs, id)| lives.get(*addrs, *id).is_some());
        }
    }

    /// Events were lost: an address may have been given to another socket.
    pub(super) fn forget_names(&mut self) {
        self.names.clear();
    }
}

impl Tracker {
    pub(super) fn take_change(&mut self, change: &StateChange) -> Vec<TrackerEvent> {
        if self.previous.is_none() {
            self.events.early.push(change.clone());
            return Vec::new();
        }
        let mut told = Vec::new();
        let known = self.life_of(change);
        match known {
            _ if change.from == State::Closed => self.be_born(change, known, &mut told),
            Some(life) if self.is_of_another(change, life) => {
                self.begin_unseen(change, Some(life), &mut told);
            }
            Some((addrs, id)) => self.move_on(change, addrs, id, &mut told),
            // A look-up was ahead of the event.
            None if self.events.was_closed_since(change.addrs, change.time) => {}
            None => self.begin_unseen(change, None, &mut told),
        }
        told
    }

    /// Whether an event is none of this life's: it is dead, or cannot have come to where the event
    /// starts from. Events of its end, and of another's beginning, were lost.
    fn is_of_another(&self, change: &StateChange, (addrs, id): (AddressPair, SocketId)) -> bool {
        self.lives.get(addrs, id).is_some_and(|life| {
            let news = life.since.boot <= change.time.boot;
            life.died || news && !reachable(life.now.state, change.from)
        })
    }

    /// A socket was there before, unseen by polls, in place of another if there was one.
    fn begin_unseen(
        &mut self,
        change: &StateChange,
        before: Option<(AddressPair, SocketId)>,
        told: &mut Vec<TrackerEvent>,
    ) {
        let addrs = change.addrs;
        let first = self.crowded;
        let Some(id) = self.begin(addrs, change.from, change.time, first) else {
            told.push(TrackerEvent::Missed(Some(addrs)));
            return;
        };
        if let Some(before) = before {
            self.follow_after(before, (addrs, id));
        }
        let absent = self.previous;
        self.tell_step(addrs, id, absent, &look(change), told);
        self.move_on(change, addrs, id, told);
    }

    /// Lets a newborn wait until it is known that another life has ended.
    fn follow_after(
        &mut self,
        before: (AddressPair, SocketId),
        (addrs, id): (AddressPair, SocketId),
    ) {
        self.wait_for(before, (addrs, id));
        self.ask(before.0, before.1);
        if let Some(life) = self.lives.get_mut(addrs, id) {
            life.waits = Some(Box::default());
        }
    }

    /// What happened while the first look was taken: its rows may show it already.
    pub(super) fn take_early_changes(&mut self, pass: Stamp, first: bool) -> Vec<TrackerEvent> {
        self.events.closed.retain(|_, time| *time >= pass);
        if !first {
            return Vec::new();
        }
        let mut told = Vec::new();
        for change in std::mem::take(&mut self.events.early) {
            let there = self.lives.of_mut(change.addrs).last_mut();
            let news = match &there {
                Some(life) => life.state == Some(change.from),
                None => change.from == State::Closed && change.time >= pass,
            };
            if news && change.time >= pass {
                if let Some(life) = there {
                    // The pass ended later, but its row was read before.
                    life.since = life.since.min(change.time);
                }
                told.extend(self.take_change(&change));
            } else if let Some(life) = there.filter(|_| change.to != State::Closed) {
                self.events.names.insert(change.socket, (change.addrs, life.id));
            }
        }
        told
    }

    /// Whether the kernel's events are ahead of a row of this pass, which then proves nothing new.
    pub(super) fn overtaken(
        &mut self,
        (row, place): (&SocketRow, Option<usize>),
        index: usize,
        at: &Snapshot,
        work: &mut Work,
    ) -> bool {
        let pass = self.pass;
        let lives = self.lives.at_mut(place).iter_mut();
        let ahead = lives
            .into_iter()
            .find(|life| life.known_at >= at.start.boot && life.cookie_says(row).unwrap_or(true));
        if let Some(life) = ahead {
            work.seen += usize::from(life.pass != pass);
            work.inodes.extend(life.new_inode(row));
            life.show_stale(row, index, pass, &at.look());
            return true;
        }
        self.events.was_closed_since(row.addrs, at.start)
    }

    /// The life that an event is about: by the kernel's address, else by its ends.
    fn life_of(&self, change: &StateChange) -> Option<(AddressPair, SocketId)> {
        let named = self.events.names.get(&change.socket);
        if let Some((addrs, id)) = named.filter(|(addrs, id)| self.lives.get(*addrs, *id).is_some())
        {
            return Some((*addrs, *id));
        }
        let lives = self.lives.of(change.addrs);
        let full = |life: &&Life| !life.now.mini || life.now.state == State::SynRecv;
        let expected = |life: &&Life| life.state == Some(change.from);
        let mut full_lives = lives.iter().filter(full);
        let life = full_lives.clone().find(expected).or_else(|| full_lives.next())?;
        Some((change.addrs, life.id))
    }

    /// A socket begins. A request that polls have shown is the same life; a wait with these ends
    /// has given way to it, since no two sockets share them.
    fn be_born(
        &mut self,
        change: &StateChange,
        known: Option<(AddressPair, SocketId)>,
        told: &mut Vec<TrackerEvent>,
    ) {
        let look = look(change);
        let requested =
            known.and_then(|(addrs, id)| self.lives.get(addrs, id)).is_some_and(|life| {
                change.passive && life.now.mini && life.now.state == State::SynRecv
            });
        if let Some((addrs, id)) = known.filter(|_| requested) {
            self.events.names.insert(change.socket, (addrs, id));
            if let Some(life) = self.lives.get_mut(addrs, id) {
                life.step(&StateChange { from: State::SynRecv, ..change.clone() });
            }
            return self.tell_step(addrs, id, None, &look, told);
        }
        let lives = self.lives.of(change.addrs);
        let waits = |life: &&Life| life.died || life.now.state == State::TimeWait;
        let over = lives.iter().filter(waits).map(|life| Missing::over(change.addrs, life));
        let over: Vec<Missing> = over.collect();
        let before = lives.iter().find(|life| !waits(life)).map(|life| life.id);
        self.close(&over, &look, told);
        let listener = self.listener_of(change.addrs);
        let Some(id) = self.begin(change.addrs, change.to, change.time, false) else {
            told.push(TrackerEvent::Missed(Some(change.addrs)));
            return;
        };
        self.events.names.insert(change.socket, (change.addrs, id));
        if let Some(before) = before {
            self.follow_after((change.addrs, before), (change.addrs, id));
        }
        if let Some(life) = self.lives.get_mut(change.addrs, id) {
            life.listener = if change.passive { listener } else { 0 };
            life.step(change);
        }
        self.tell_step(change.addrs, id, Some(change.time), &look, told);
    }

    /// A socket that is known makes a step.
    fn move_on(
        &mut self,
        change: &StateChange,
        addrs: AddressPair,
        id: SocketId,
        told: &mut Vec<TrackerEvent>,
    ) {
        let look = look(change);
        self.events.names.insert(change.socket, (addrs, id));
        let Some(life) = self.lives.get_mut(addrs, id) else { return };
        // What a poll has shown later than this is no news.
        if life.since.boot > change.time.boot {
            return;
        }
        life.step(change);
        if change.to != State::Closed {
            if !unaccepted(change.to) || change.to == State::CloseWait {
                life.listener = 0;
            }
            return self.tell_step(addrs, id, None, &look, told);
        }
        let over = [Missing::over(addrs, life)];
        let may_wait = matches!(change.from, State::FinWait2 | State::Closing);
        if may_wait && change.cut.is_none() {
            // The full socket is gone; a mini-socket may go on for it.
            life.died = true;
            if let Some(way) = &mut life.way {
                (way.direct, way.caller) = (false, None);
            }
            self.events.names.remove(&change.socket);
            // Not about the other end: a look-up is ahead of the events that tell of it.
            self.ask(addrs, id);
            return;
        }
        self.events.names.remove(&change.socket);
        self.close(&over, &look, told);
        self.release_after(id, told);
    }

    fn tell_step(
        &mut self,
        addrs: AddressPair,
        id: SocketId,
        absent: Option<Stamp>,
        look: &PollWindow,
        told: &mut Vec<TrackerEvent>,
    ) {
        let Some(life) = self.lives.get_mut(addrs, id) else { return };
        let Some(transition) = tell(life, addrs, absent, look) else { return };
        told.extend(life.tell_or_withhold(transition));
    }
}

fn look(change: &StateChange) -> PollWindow {
    PollWindow { start: change.time, end: change.time, netns: change.netns }
}
