//! What destroy events prove: a socket that no poll saw. Of a known one that is destroyed a
//! mini-socket may be left, so it is looked up.

use super::sharers::latest;
use super::socket::TrackedSocket;
use super::{Tracker, TrackerSink};
use crate::model::event::TrackerEvent;
use crate::model::reading::{DestroyEvents, DestroyedSocket};
use crate::model::socket::AddressPair;
use crate::model::time::Stamp;
use log::debug;
use std::collections::HashMap;

/// So many are known from one poll to the next, some 20 MB; what more of them left is counted twice.
const MOST: usize = 1 << 18;

/// Sockets that were destroyed unseen, until the next poll has shown what they left.
#[derive(Debug, Default)]
pub(super) struct UnseenDestroyed {
    by_addrs: HashMap<AddressPair, Stamp>,
    /// Destroy events were lost: more sockets were missed than counted.
    pub(super) events_lost: bool,
}

impl UnseenDestroyed {
    /// A socket that no poll saw was destroyed; its address pair is not known where it had lost it.
    fn add(&mut self, addrs: Option<AddressPair>, time: Stamp) {
        if self.by_addrs.len() < MOST {
            self.by_addrs.extend(addrs.map(|addrs| (addrs, time)));
        } else {
            self.events_lost = true;
        }
    }

    /// Whether the socket that left this mini-socket was counted when it was destroyed; once.
    pub(super) fn remove(&mut self, addrs: AddressPair) -> bool {
        self.by_addrs.remove(&addrs).is_some()
    }

    /// A poll that started now has shown all that was left before.
    pub(super) fn forget_before(&mut self, start: Stamp) {
        self.by_addrs.retain(|_, time| *time >= start);
    }
}

impl Tracker {
    pub(super) fn apply_destroy_events(
        &mut self,
        destroyed: &DestroyEvents,
        sink: &mut dyn TrackerSink,
    ) {
        // What was destroyed before the first poll is none of this run's.
        if self.polls.previous.is_none() {
            return;
        }
        self.destroyed.events_lost |= destroyed.overrun;
        // A socket that was aborted has lost its addresses by the time of the event.
        let nameless = destroyed.sockets.iter().filter(|socket| socket.addrs.is_none());
        let names = self.sockets.addrs_of(&nameless.map(|socket| socket.cookie).collect());
        for DestroyedSocket { addrs, cookie } in &destroyed.sockets {
            let name = addrs.or_else(|| names.get(cookie).copied());
            debug!(
                "destroyed: cookie {cookie}, {}",
                name.map_or_else(String::new, |a| a.to_string())
            );
            let is_known = name.is_some_and(|addrs| {
                self.note_destroyed(addrs, *cookie) || self.note_turned_destroyed(addrs, *cookie)
            });
            // A socket without a remote end listened, or was never connected.
            let was_connected = addrs.is_none_or(|addrs| addrs.remote.port != 0);
            if !is_known && was_connected {
                self.destroyed.add(*addrs, destroyed.time);
                sink.push(TrackerEvent::NeverSeen(*addrs));
            }
        }
        self.look_up_peers();
    }

    /// Whether the destroyed socket is followed; what it left is to be looked up.
    fn note_destroyed(&mut self, addrs: AddressPair, cookie: u64) -> bool {
        let place = self.sockets.place(addrs);
        let Some(sharers) = self.sockets.sharers_mut(place) else { return false };
        let socket = sharers.with_cookie(cookie).or_else(|| {
            // A mini-socket that no poll saw while it was a full one has a cookie of its own.
            let mut sockets = latest(sharers.as_slice());
            sockets.find(|socket| socket.row.is_close_remnant() && !socket.seen.is_destroyed)
        });
        let position = socket.and_then(|socket| sharers.position(socket.id));
        let Some(position) = position else { return false };
        let Some(mut socket) = sharers.get_mut(position) else { return false };
        let is_new = !std::mem::replace(&mut socket.seen.is_destroyed, true);
        if is_new && !socket.row.is_close_remnant() {
            let key = socket.key(addrs);
            drop(socket);
            self.look_up(key);
        }
        true
    }

    /// The same where its process has turned it into one of IPv4 that no poll has shown yet.
    fn note_turned_destroyed(&mut self, addrs: AddressPair, cookie: u64) -> bool {
        let has_cookie = |socket: &TrackedSocket| socket.identity.cookie == cookie;
        let turned = self.sockets.in_other_family(addrs, has_cookie);
        turned.is_some_and(|key| self.note_destroyed(key.addrs, cookie))
    }
}
