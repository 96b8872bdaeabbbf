//! Several network namespaces: each has a tracker of its own, so that sockets with the same addresses
//! are never mixed up, and a poll of one ends no socket of another. Ids are counted together.

use super::sockets::SocketCount;
use super::{Tracker, TrackerSink};
use crate::model::event::{SocketId, SocketStatus, TrackerEvent, Transition};
use crate::model::reading::{LookupRequest, Lookups, Lost, PolledNamespace, Reading, Snapshot};
use crate::model::socket::{AddressPair, NetnsId};
use crate::model::socket_row::SocketRow;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Follows the sockets of every network namespace that is polled.
#[derive(Debug, Default)]
pub(crate) struct Trackers {
    by_netns: BTreeMap<NetnsId, Followed>,
    count: Rc<SocketCount>,
}

/// One network namespace.
#[derive(Debug)]
struct Followed {
    tracker: Tracker,
    name: Option<Rc<str>>,
}

/// Where a socket is kept until the next reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    netns: NetnsId,
    in_tracker: usize,
}

/// What readings of several namespaces prove, until all of them have been taken in.
#[derive(Default)]
struct Gathered {
    events: Vec<TrackerEvent>,
    new_inodes: Vec<u64>,
    /// What the namespace at hand is called.
    name: Option<Rc<str>>,
}

impl TrackerSink for Gathered {
    fn inodes(&mut self, new: Vec<u64>, _: &mut dyn Iterator<Item = u64>) {
        self.new_inodes.extend(new);
    }

    fn push(&mut self, event: TrackerEvent) {
        self.events.push(match event {
            TrackerEvent::Transition(transition) => {
                let netns_name = self.name.clone();
                TrackerEvent::Transition(Box::new(Transition { netns_name, ..*transition }))
            }
            event => event,
        });
    }
}

impl Trackers {
    /// Takes in a reading and pushes what it proves into `sink`.
    pub(crate) fn update(&mut self, reading: &Reading, sink: &mut dyn TrackerSink) {
        match reading {
            Reading::Snapshot(Snapshot { namespaces: None, .. }) => {
                self.of(NetnsId::default()).tracker.update(reading, sink);
            }
            Reading::Snapshot(snapshot) => {
                let mut gathered = self.apply_polls(snapshot);
                self.finish(&mut gathered, sink);
            }
            Reading::Lookups(lookups) => self.apply_lookups(lookups, sink),
            Reading::StateChange(change) => self.update_one(change.addrs.netns, reading, sink),
            Reading::DestroyEvents(events) => self.update_one(events.netns, reading, sink),
            Reading::Lost(lost) => self.note_lost(lost, reading, sink),
            // They say nothing of what sockets do.
            Reading::OwnerUpdate(_) | Reading::Begin(_) => {}
        }
    }

    fn of(&mut self, netns: NetnsId) -> &mut Followed {
        let count = &self.count;
        self.by_netns.entry(netns).or_insert_with(|| Followed {
            tracker: Tracker::counted_by(Rc::clone(count)),
            name: None,
        })
    }

    /// Whether there is only one namespace, whose events need not be gathered.
    pub(crate) fn is_one(&self) -> bool {
        self.by_netns.keys().all(|netns| *netns == NetnsId::default())
    }

    fn update_one(&mut self, netns: NetnsId, reading: &Reading, sink: &mut dyn TrackerSink) {
        if self.is_one() && netns == NetnsId::default() {
            return self.of(netns).tracker.update(reading, sink);
        }
        let Followed { tracker, name } = self.of(netns);
        let mut gathered = Gathered { name: name.clone(), ..Gathered::default() };
        tracker.update(reading, &mut gathered);
        self.finish(&mut gathered, sink);
    }

    /// Takes in the polls of several namespaces.
    fn apply_polls(&mut self, snapshot: &Snapshot) -> Gathered {
        let mut gathered = Gathered::default();
        let window = snapshot.window();
        for netns in &snapshot.gone {
            if let Some(Followed { mut tracker, name }) = self.by_netns.remove(netns) {
                gathered.name = name;
                tracker.end(&window, &mut gathered);
            }
        }
        let of_one = |rows: &[SocketRow]| rows.first().map(|row| row.addrs.netns);
        let rows = snapshot.rows.chunk_by(|one, next| one.addrs.netns == next.addrs.netns);
        let rows: HashMap<_, _> = rows.filter_map(|rows| Some((of_one(rows)?, rows))).collect();
        for PolledNamespace { id, inode, name } in snapshot.namespaces.iter().flat_map(|it| &**it) {
            let followed = self.of(*id);
            if followed.name.as_deref() != name.as_deref() {
                followed.name = name.as_deref().map(Rc::from);
            }
            gathered.name.clone_from(&followed.name);
            let (start, end, netns) = (snapshot.start, snapshot.end, *inode);
            let rows = rows.get(id).map(|rows| rows.to_vec()).unwrap_or_default();
            let part = Snapshot { start, end, netns, rows, ..Snapshot::default() };
            followed.tracker.update(&Reading::Snapshot(part), &mut gathered);
        }
        gathered
    }

    /// Gives each namespace the answers that are about its sockets.
    fn apply_lookups(&mut self, lookups: &Lookups, sink: &mut dyn TrackerSink) {
        let mut by_netns: BTreeMap<NetnsId, Lookups> = BTreeMap::new();
        for (request, result) in &lookups.answers {
            let part = by_netns
                .entry(request.addrs.netns)
                .or_insert_with(|| Lookups { answers: Vec::new(), ..*lookups });
            part.answers.push((*request, *result));
        }
        if self.is_one() {
            let reading = Reading::Lookups(
                by_netns
                    .remove(&NetnsId::default())
                    .unwrap_or_else(|| Lookups { answers: Vec::new(), ..*lookups }),
            );
            return self.of(NetnsId::default()).tracker.update(&reading, sink);
        }
        let mut gathered = Gathered::default();
        for (netns, mut part) in by_netns {
            let Some(Followed { tracker, name }) = self.by_netns.get_mut(&netns) else { continue };
            gathered.name.clone_from(name);
            part.netns = tracker.netns();
            tracker.update(&Reading::Lookups(part), &mut gathered);
        }
        self.finish(&mut gathered, sink);
    }

    /// Readings of all namespaces were lost; this is reported once.
    fn note_lost(&mut self, lost: &Lost, reading: &Reading, sink: &mut dyn TrackerSink) {
        if self.is_one() {
            return self.of(NetnsId::default()).tracker.update(reading, sink);
        }
        let mut gathered = Gathered::default();
        for Followed { tracker, .. } in self.by_netns.values_mut() {
            tracker.update(reading, &mut gathered);
        }
        gathered.events = vec![TrackerEvent::Lost(*lost)];
        self.finish(&mut gathered, sink);
    }

    fn finish(&self, gathered: &mut Gathered, sink: &mut dyn TrackerSink) {
        sink.inodes(std::mem::take(&mut gathered.new_inodes), &mut self.shown_inodes());
        for event in std::mem::take(&mut gathered.events) {
            sink.push(event);
        }
    }

    fn trackers(&self) -> impl Iterator<Item = &Tracker> {
        self.by_netns.values().map(|followed| &followed.tracker)
    }

    /// The status of a socket; `None` if it is not followed or has not been reported.
    pub(crate) fn status(&self, addrs: AddressPair, id: SocketId) -> Option<SocketStatus> {
        let followed = self.by_netns.get(&addrs.netns)?;
        Some(followed.named(followed.tracker.status(addrs, id)?))
    }

    /// The same of a socket whose place is known since the last reading.
    pub(crate) fn status_at(&self, place: Place, id: SocketId) -> Option<SocketStatus> {
        let followed = self.by_netns.get(&place.netns)?;
        Some(followed.named(followed.tracker.status_at(place.in_tracker, id)?))
    }

    /// The status of the other end of a connection, if that is in the same namespace and there is
    /// just one socket that it can be.
    pub(crate) fn peer_status(&self, addrs: AddressPair) -> Option<SocketStatus> {
        let followed = self.by_netns.get(&addrs.netns)?;
        Some(followed.named(followed.tracker.peer_status(addrs)?))
    }

    /// The status of every socket that has been reported.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = SocketStatus> {
        self.statuses_with_places().map(|(_, now)| now)
    }

    /// The same with their places, until the next reading.
    pub(crate) fn statuses_with_places(&self) -> impl Iterator<Item = (Place, SocketStatus)> {
        self.by_netns.iter().flat_map(|(netns, followed)| {
            let statuses = followed.tracker.statuses_with_places();
            statuses
                .map(|(in_tracker, now)| (Place { netns: *netns, in_tracker }, followed.named(now)))
        })
    }

    /// Lookups that may decide what the last readings left open.
    pub(crate) fn lookup_requests(&self) -> Vec<LookupRequest> {
        self.trackers().flat_map(Tracker::lookup_requests).collect()
    }

    /// How many these are, or a few more.
    pub(crate) fn pending_lookups(&self) -> usize {
        self.trackers().map(Tracker::pending_lookups).sum()
    }

    /// How many sockets are followed.
    pub(crate) fn socket_count(&self) -> usize {
        self.trackers().map(Tracker::socket_count).sum()
    }

    /// How many rows of the last polls are of sockets that are not followed, for want of room.
    pub(crate) fn left_out(&self) -> u64 {
        self.trackers().map(Tracker::left_out).sum()
    }

    /// How often a restarted timer left it open whether a 4-tuple was reused.
    pub(crate) fn ambiguous(&self) -> u64 {
        self.trackers().map(Tracker::ambiguous).sum()
    }

    /// Whether destroy events were lost: more sockets were missed than reported. Those of a namespace
    /// without sockets are not waited for.
    pub(crate) fn destroy_events_lost(&self) -> bool {
        !self.is_one() || self.trackers().any(Tracker::destroy_events_lost)
    }

    /// Every socket that is followed, reported or not.
    pub(crate) fn ids(&self) -> impl Iterator<Item = SocketId> {
        self.trackers().flat_map(Tracker::ids)
    }

    /// Every inode that the last rows showed.
    pub(crate) fn shown_inodes(&self) -> impl Iterator<Item = u64> {
        self.trackers().flat_map(Tracker::shown_inodes)
    }

    /// Every inode that a followed socket refers to; 0 for none.
    pub(crate) fn inodes(&self) -> impl Iterator<Item = u64> {
        self.trackers().flat_map(Tracker::inodes)
    }
}

impl Followed {
    fn named(&self, now: SocketStatus) -> SocketStatus {
        SocketStatus { netns_name: self.name.clone(), ..now }
    }
}

#[cfg(test)]
mod tests;
