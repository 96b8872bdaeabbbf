//! Notices of full sockets that died. What dies may leave a mini-socket, so a notice asks for a
//! look-up; and it proves a life that no poll saw.

use super::Tracker;
use crate::model::event::TrackerEvent;
use crate::model::reading::DestroyEvents;
use crate::model::socket::AddressPair;
use crate::model::time::Stamp;
use std::collections::{HashMap, HashSet};

/// So many of them are known from one pass to the next, some 20 MB; of more, what they left is
/// counted twice.
const MOST: usize = 1 << 18;

/// Deaths of lives that no poll saw, until the next poll has shown what they left.
#[derive(Debug, Default)]
pub(super) struct Unseen {
    told: HashMap<AddressPair, Stamp>,
}

impl Unseen {
    /// Whether a notice has told of the life that left these ends; it is told of once.
    pub(super) fn was_told(&mut self, addrs: AddressPair) -> bool {
        self.told.remove(&addrs).is_some()
    }

    /// A pass that began after a death has shown all that it left.
    pub(super) fn forget_before(&mut self, start: Stamp) {
        self.told.retain(|_, time| *time >= start);
    }
}

impl Tracker {
    pub(super) fn take_deaths(&mut self, deaths: &DestroyEvents) -> Vec<TrackerEvent> {
        let mut missed = Vec::new();
        // Who died before the first look is none of this run's.
        if self.previous.is_none() {
            return missed;
        }
        self.notices_lost |= deaths.overrun;
        let nameless = deaths.dead.iter().filter(|(addrs, _)| addrs.is_none());
        let names = self.ends_of(&nameless.map(|(_, cookie)| *cookie).collect());
        for (addrs, cookie) in &deaths.dead {
            let name = addrs.or_else(|| names.get(cookie).copied());
            let known = name.is_some_and(|addrs| self.note_death(addrs, *cookie));
            // A socket without a remote end listened, or was never connected.
            let lived = addrs.is_none_or(|addrs| addrs.remote.port != 0);
            if !known && lived {
                if self.unseen.told.len() < MOST {
                    self.unseen.told.extend(addrs.map(|addrs| (addrs, deaths.time)));
                } else {
                    self.notices_lost = true;
                }
                missed.push(TrackerEvent::Missed(*addrs));
            }
        }
        self.ask_other_ends();
        missed
    }

    /// The ends of the lives with these cookies: a socket that was cut off has lost its own by the
    /// time of the notice. All lives are gone through, so many are asked for at once.
    fn ends_of(&self, cookies: &HashSet<u64>) -> HashMap<u64, AddressPair> {
        if cookies.is_empty() {
            return HashMap::new();
        }
        let lives = self.lives.iter().map(|(addrs, life)| (life.cookie, addrs));
        lives.filter(|(cookie, _)| cookies.contains(cookie)).collect()
    }

    /// Whether a death is that of a life we know; what it left is to be looked for.
    fn note_death(&mut self, addrs: AddressPair, cookie: u64) -> bool {
        let lives = self.lives.of_mut(addrs);
        let place = lives.iter().position(|life| life.cookie == cookie).or_else(|| {
            // A wait that was never looked at while its full socket lived has a cookie of its own.
            lives.iter().position(|life| life.is_corpse() && !life.died)
        });
        let Some(life) = place.map(|place| &mut lives[place]) else { return false };
        let first = !std::mem::replace(&mut life.died, true);
        let ask = first && !life.is_corpse();
        let id = life.id;
        if ask {
            self.ask(addrs, id);
        }
        true
    }
}
