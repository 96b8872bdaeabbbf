//! The polls so far, as far as the next one depends on them.

use crate::model::reading::Snapshot;
use crate::model::time::Stamp;

/// The starts of the last polls that did not show a new socket.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LastWithout {
    pub(super) poll: Option<Stamp>,
    /// The poll before `poll`; `None` also if there was none.
    pub(super) earlier: Option<Stamp>,
}

impl LastWithout {
    /// The kernel gave the instant before which it was not there.
    pub(super) const fn at(time: Stamp) -> Self {
        Self { poll: Some(time), earlier: Some(time) }
    }
}

/// The polls so far.
#[derive(Debug, Default)]
pub(super) struct Polls {
    /// The number of the last one, counted from 1.
    pub(super) number: u64,
    /// The network namespace of the last one.
    pub(super) netns: Option<u64>,
    /// The start of the last one whose every row could be read, or else of the first: it shows which
    /// sockets there were. `None` until the first one is done with.
    pub(super) previous: Option<Stamp>,
    /// The poll before `previous` whose every row could be read.
    earlier: Option<Stamp>,
    /// Readings were lost for a time before the next one.
    pub(super) gap: bool,
    /// Rows of the last one that could not be read.
    pub(super) bad_rows: u64,
    /// Rows of the last one that are of sockets for which there is no room.
    pub(super) left_out: u64,
}

impl Polls {
    pub(super) const fn begin(&mut self, snapshot: &Snapshot) {
        self.number += 1;
        self.netns = snapshot.netns;
    }

    /// The rows of a poll are matched. Rows that cannot be read prove no absence: what has been
    /// missing since then may be among them. Those for which there is no room are of no socket that
    /// is followed. Returns how many more were lost than with the poll before, and whether every row
    /// could be read.
    pub(super) fn note_lost_rows(&mut self, bad_rows: u64, left_out: u64) -> (u64, bool) {
        let bad = bad_rows.saturating_sub(self.bad_rows);
        let lost = bad.saturating_add(left_out.saturating_sub(self.left_out));
        (self.bad_rows, self.left_out) = (bad_rows, left_out);
        (lost, bad == 0)
    }

    /// When a socket was not there yet that no poll has shown.
    pub(super) const fn last_without(&self) -> LastWithout {
        LastWithout { poll: self.previous, earlier: self.earlier }
    }

    /// A poll is done with; `whole`: every row could be read.
    pub(super) const fn end(&mut self, start: Stamp, whole: bool) {
        if whole || self.previous.is_none() {
            (self.earlier, self.previous) = (self.previous, Some(start));
        }
        self.gap = false;
    }
}
