//! Sockets of which not all is known of the owner, counted for the closing line: each once. Of those that
//! are closed no more than their number is kept.

use crate::model::event::{SocketId, SocketIds};

/// The sockets of a run of which something is true.
#[derive(Debug, Default)]
struct Tally {
    open: SocketIds,
    /// How many are closed.
    closed: u64,
}

impl Tally {
    /// Counts a socket, or counts it no more.
    fn set(&mut self, id: SocketId, counts: bool) {
        if counts {
            self.open.insert(id);
        } else {
            self.open.remove(&id);
        }
    }

    /// A socket is closed: where it was counted, it stays so.
    fn close(&mut self, id: SocketId) {
        self.closed += u64::from(self.open.remove(&id));
    }

    /// Sockets other than these are closed.
    fn close_others(&mut self, open: &SocketIds) {
        let before = self.open.len();
        self.open.retain(|id| open.contains(id));
        self.closed += (before - self.open.len()) as u64;
    }

    /// How many sockets were counted.
    fn total(&self) -> u64 {
        self.closed + self.open.len() as u64
    }
}

/// The sockets of a run that match, or may match, by an owner that could not be inspected.
#[derive(Debug, Default)]
pub(super) struct OwnerTallies {
    /// Not shown, as an owner that may match could not be read.
    undecided: Tally,
    undecided_reported: bool,
    /// Shown without the owner, which permission is denied to inspect.
    without_owner: Tally,
}

impl OwnerTallies {
    /// Notes whether a socket that is open is shown although its owner could not be inspected, and
    /// whether it may match by an owner that could not be read.
    pub(super) fn note(&mut self, id: SocketId, without_owner: bool, undecided: bool) {
        self.without_owner.set(id, without_owner);
        // Another owner that does not match leaves it open whether this one did.
        if undecided {
            self.undecided.set(id, true);
        }
    }

    /// A socket is known to match.
    pub(super) fn match_found(&mut self, id: SocketId) {
        self.undecided.set(id, false);
    }

    /// A socket is closed.
    pub(super) fn close(&mut self, id: SocketId) {
        self.without_owner.close(id);
        self.undecided.close(id);
    }

    /// Sockets other than these are closed.
    pub(super) fn close_others(&mut self, open: &SocketIds) {
        self.without_owner.close_others(open);
        self.undecided.close_others(open);
    }

    /// So many open sockets are noted at least.
    pub(super) fn open_count(&self) -> usize {
        self.undecided.open.len().max(self.without_owner.open.len())
    }

    /// How many sockets may match.
    pub(super) fn undecided(&self) -> u64 {
        self.undecided.total()
    }

    /// How many sockets were shown without an owner.
    pub(super) fn without_owner(&self) -> u64 {
        self.without_owner.total()
    }

    /// That sockets may match whose processes could not be read; once.
    pub(super) fn warning(&mut self) -> Option<String> {
        let is_new = self.undecided() > 0 && !self.undecided_reported;
        self.undecided_reported |= is_new;
        let sentence = "not shown: sockets that may match, but whose processes could not be read, as a \
                        rule since they were gone by then; filter by --local, --remote or --port instead";
        is_new.then(|| sentence.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_socket_is_counted_once() {
        let mut tally = Tally::default();
        let ids = [1, 2, 3, 4].map(|number| SocketId { run: 0, number });
        for id in [ids[0], ids[1], ids[0], ids[2], ids[3]] {
            tally.set(id, true);
        }
        tally.set(ids[3], false);
        tally.close(ids[3]);
        tally.close(ids[0]);
        assert_eq!((tally.open.len(), tally.total()), (2, 3));
        tally.close_others(&SocketIds::from_iter([ids[1]]));
        assert_eq!((tally.open.len(), tally.total()), (1, 3));
    }
}
