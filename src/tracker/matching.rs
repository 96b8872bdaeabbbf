//! Which socket a row of a poll belongs to: first the rows whose inode proves it, then the rest.

use super::kernel_events::KernelEvents;
use super::polls::Polls;
use super::sharers::{Sharers, latest};
use super::socket::{PolledRow, SocketKey, TrackedSocket};
use super::sockets::TrackedSockets;
use crate::model::event::{Side, SocketId};
use crate::model::reading::PollWindow;
use crate::model::socket::AddressPair;
use crate::model::socket_row::SocketRow;
use crate::tcp::state::State;
use log::{debug, trace};
use std::cmp::Reverse;
use std::collections::HashSet;

/// What the rows of a poll showed.
#[derive(Debug, Default)]
pub(super) struct Matched {
    /// Sockets in another state than the one last reported, by the row that showed it. None at the
    /// first poll, where all are new.
    pub(super) changed: Vec<(u32, SocketKey)>,
    /// How many sockets were shown.
    pub(super) shown: usize,
    /// Inodes that were shown for the first time of their sockets.
    pub(super) new_inodes: Vec<u64>,
    /// Rows of sockets for which there is no room.
    pub(super) left_out: u64,
    /// Restarted timers that left it open whether a 4-tuple was reused.
    pub(super) ambiguous: u64,
    /// Sockets that are not followed any more, since it is not known whether they have closed.
    pub(super) dropped: Vec<SocketId>,
}

/// How well a row without a proof of its socket fits one that it can show, from worst to best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// The last poll has probably shown another socket in place of this one.
    Replaced,
    /// This poll has shown the socket before this row.
    Shown,
    /// This poll has not shown the socket.
    NotShown,
    /// This poll has shown the socket before, and shows it again with this row.
    ShownAgain,
    /// This poll has not shown the socket, and the row shows its timer as it runs on.
    SameTimer,
}

/// Gives the rows of one poll to the sockets that they show.
pub(super) struct RowMatcher<'t> {
    sockets: &'t mut TrackedSockets,
    polls: &'t Polls,
    kernel_events: &'t KernelEvents,
    window: &'t PollWindow,
    matched: Matched,
}

impl<'t> RowMatcher<'t> {
    /// For the last of these polls, which read its rows in this window.
    pub(super) fn new(
        sockets: &'t mut TrackedSockets,
        polls: &'t Polls,
        kernel_events: &'t KernelEvents,
        window: &'t PollWindow,
    ) -> Self {
        Self { sockets, polls, kernel_events, window, matched: Matched::default() }
    }

    /// Gives every row to its socket.
    pub(super) fn match_rows(mut self, rows: &[SocketRow]) -> Matched {
        let (window, poll) = (self.window, self.polls.number);
        let sample = |index| {
            let row = &rows[index];
            PolledRow { row, index: u32::try_from(index).unwrap_or(u32::MAX), poll, window }
        };
        let mut rest = Vec::new();
        // Address pairs that this poll shows to be reused.
        let mut reused: HashSet<AddressPair> = HashSet::new();
        for (index, row) in rows.iter().enumerate() {
            let sample = sample(index);
            if self.apply_if_stale(sample) {
                continue;
            }
            let is_of_the_new = row.inode == 0
                && reused.contains(&row.addrs)
                && !self.sockets.of(row.addrs).iter().any(|socket| socket.timer_goes_on(sample));
            if is_of_the_new || !self.continue_socket(sample) {
                if row.inode != 0 && !self.sockets.of(row.addrs).is_empty() {
                    reused.insert(row.addrs);
                }
                rest.push(index);
            }
        }
        self.sockets.reserve(rest.len());
        for index in rest {
            let sample = sample(index);
            if !self.continue_in_other_family(sample) {
                self.assign(sample);
            }
        }
        self.matched.changed.sort_unstable_by_key(|(index, _)| *index);
        self.matched
    }

    /// Whether kernel events or lookups are ahead of a row, which then shows no new state.
    fn apply_if_stale(&mut self, sample: PolledRow<'_>) -> bool {
        let (row, start) = (sample.row, sample.window.start);
        if let Some(sharers) = self.sockets.sharers_mut(self.sockets.place(row.addrs)) {
            let ahead = |socket: &TrackedSocket| {
                socket.seen.state_known_at >= start.boot
                    && socket.has_cookie_of(row).unwrap_or(true)
            };
            let sockets = sharers.as_slice();
            let found = sharers.candidates(row).into_iter().find(|at| ahead(&sockets[*at]));
            if let Some(at) = found {
                if let Some(mut socket) = sharers.get_mut(at) {
                    trace!("{}: {} is known from later than this row", row.addrs, socket.id);
                    self.matched.note(&socket, sample);
                    socket.apply_stale_row(sample);
                }
                return true;
            }
        }
        is_stale_request_socket(row, self.sockets.of(row.addrs))
            || self.kernel_events.has_closed_since(row, start)
    }

    /// Gives a row to the socket with the same inode, if one can have come to show it.
    fn continue_socket(&mut self, sample: PolledRow<'_>) -> bool {
        let row = sample.row;
        let place = self.sockets.place(row.addrs);
        let Some(sharers) = self.sockets.sharers(place) else { return false };
        let candidates = sharers.candidates(row);
        let sockets = candidates.iter().map(|at| &sharers.as_slice()[*at]);
        let replaces = replaces_others(sockets.clone(), sample);
        let fits = |(_, socket): &(usize, &TrackedSocket)| {
            socket.row.inode == row.inode
                && socket.may_become(row)
                && !(replaces && may_be_replaced(socket, sample))
        };
        let fitting = candidates.iter().copied().zip(sockets).filter(fits);
        let fitting = if row.inode != 0 {
            fitting.max_by_key(|(_, socket)| (socket.seen.last_poll, socket.id))
        } else {
            // Each has a row of its own: one not shown yet comes first, and one whose timer goes on,
            // in the order of the rows.
            fitting.max_by_key(|(_, socket)| {
                let (last_poll, id) = (socket.seen.last_poll, Reverse(socket.id));
                let distance = Reverse(socket.identity.timer_distance(row, sample.window));
                let goes_on = socket.timer_goes_on(sample);
                let is_latest = !is_superseded(socket, sharers.as_slice());
                (last_poll != sample.poll, goes_on, is_latest, distance, last_poll, id)
            })
        };
        let Some((at, socket)) = fitting else { return false };
        let is_proven = row.inode != 0 || socket.has_cookie_of(row).is_some();
        let is_shown = socket.seen.last_poll == sample.poll;
        if !is_proven && !is_shown {
            let restarted = socket.timer_restarted(row, sample.window);
            let is_doubtful = self.polls.gap || socket.seen.other_found;
            if is_doubtful || restarted && !self.peer_is_in_last_ack(row) {
                return false;
            }
        }
        if let Some(sharers) = self.sockets.sharers_mut(place)
            && let Some(mut socket) = sharers.get_mut(at)
        {
            self.matched.apply(&mut socket, sample);
        }
        true
    }

    /// Gives a row to the socket that has its cookie or inode in the other family: its process has turned
    /// it into one of IPv4.
    fn continue_in_other_family(&mut self, sample: PolledRow<'_>) -> bool {
        let row = sample.row;
        let is_it = |socket: &TrackedSocket| {
            let same_inode = row.inode != 0 && row.inode == socket.row.inode;
            socket.has_cookie_of(row).unwrap_or(same_inode)
        };
        let Some(key) = self.sockets.in_other_family(row.addrs, is_it) else { return false };
        let key = self.sockets.follow_to_ipv4(row.addrs, key);
        if key.addrs == row.addrs {
            debug!("{}: {} is of IPv4 now", row.addrs, key.id);
            // This poll may have shown it before as it was.
            let changed = self.matched.changed.iter_mut().map(|(_, changed)| changed);
            changed.filter(|changed| changed.id == key.id).for_each(|changed| *changed = key);
            return self.apply_if_stale(sample) || self.continue_socket(sample);
        }
        // A kernel event was ahead of a row that was read before.
        let ahead = |socket: &TrackedSocket| socket.seen.state_known_at >= sample.window.start.boot;
        self.sockets.get(key).is_some_and(ahead)
    }

    /// Whether the other end of this connection is on this machine and still waits for our ACK:
    /// then its repeated FIN has restarted our timer, and the connection is the same.
    fn peer_is_in_last_ack(&self, row: &SocketRow) -> bool {
        let of = |addrs| latest(self.sockets.of(addrs));
        let mut peers = row.addrs.mirrored().into_iter().flat_map(of);
        peers.any(|peer| {
            peer.reported() == Some(State::LastAck)
                && peer.row.state == State::LastAck
                && peer.seen.last_poll + 1 >= self.polls.number
        })
    }

    /// The socket that fits best to a row which shows no inode of a known one.
    #[inline]
    fn candidate(&self, sample: PolledRow<'_>) -> Option<&TrackedSocket> {
        let PolledRow { row, index, poll, .. } = sample;
        let sharers = self.sockets.sharers(self.sockets.place(row.addrs));
        let sockets = sharers.into_iter().flat_map(|sharers| {
            sharers.candidates(row).into_iter().map(|at| &sharers.as_slice()[at])
        });
        let sockets = sockets
            .filter(|socket| socket.seen.last_poll != poll || socket.row.index < index)
            .filter(|socket| socket.may_become(row));
        let replaces = replaces_others(sockets.clone(), sample);
        let all = sharers.map_or(&[][..], Sharers::as_slice);
        // A row may be there twice; and what follows the first row of a new socket is read later than
        // that socket took the addresses of others.
        sockets.max_by_key(|socket| {
            let last_poll = socket.seen.last_poll;
            let fit = if last_poll == poll {
                let is_new = socket.seen.first_poll == poll && row.inode == 0;
                let is_again = is_new || socket.has_same_timer(sample);
                if is_again { Fit::ShownAgain } else { Fit::Shown }
            } else if replaces && may_be_replaced(socket, sample) {
                Fit::Replaced
            } else if socket.timer_goes_on(sample) {
                Fit::SameTimer
            } else if row.inode == 0 && is_superseded(socket, all) {
                Fit::Replaced
            } else {
                Fit::NotShown
            };
            (fit, last_poll, socket.id)
        })
    }

    /// Gives a row to a socket whose inode came or went, or else to a new socket.
    fn assign(&mut self, sample: PolledRow<'_>) {
        let PolledRow { row, poll, window, .. } = sample;
        let mut found = poll == 1 || self.sockets.is_incomplete;
        if let Some(socket) = self.candidate(sample) {
            let key = socket.key(row.addrs);
            let is_unproven = socket.has_cookie_of(row).is_none();
            let gap = self.polls.gap && is_unproven;
            let is_of_other = socket.seen.other_found && is_unproven;
            let is_doubtful = gap || is_of_other || socket.timer_restarted(row, window);
            if socket.seen.last_poll == poll || !is_doubtful {
                let (before, now) = (socket.row.inode, row.inode);
                debug!("{}: taken for {}, inode {before} before, {now} now", row.addrs, key.id);
                return self.apply(key, sample);
            }
            debug!("{}: may be {} or its successor: a new socket (gap: {gap})", row.addrs, key.id);
            // Neither that it closed nor that it went on is known.
            self.matched.ambiguous += u64::from(!self.polls.gap);
            self.sockets.remove(key);
            self.matched.dropped.push(key.id);
            found = true;
        }
        match self.sockets.open(row.addrs, row.state, window.end, found, poll) {
            Some(key) => {
                debug!("{}: new socket {} in {}", row.addrs, key.id, row.state);
                self.apply(key, sample);
            }
            None => self.matched.left_out += 1,
        }
    }

    fn apply(&mut self, key: SocketKey, sample: PolledRow<'_>) {
        if let Some(mut socket) = self.sockets.get_mut(key) {
            self.matched.apply(&mut socket, sample);
        }
    }
}

impl Matched {
    fn note(&mut self, socket: &TrackedSocket, sample: PolledRow<'_>) {
        self.shown += usize::from(socket.seen.last_poll != sample.poll);
        self.new_inodes.extend(socket.identity.new_inode(sample.row));
    }

    fn apply(&mut self, socket: &mut TrackedSocket, sample: PolledRow<'_>) {
        self.note(socket, sample);
        socket.apply_row(sample);
        if sample.poll > 1 && socket.reported() != Some(sample.row.state) {
            let key = socket.key(sample.row.addrs);
            self.changed.push((sample.index, key));
        }
    }
}

/// Whether a row is that of a request whose child the kernel has reported: a request that a dump shows
/// after that has a cookie of its own.
fn is_stale_request_socket(row: &SocketRow, sharers: &[TrackedSocket]) -> bool {
    let is_child = |socket: &TrackedSocket| {
        socket.is_traced() && socket.roles.roles.opener == Some(Side::Remote)
    };
    row.mini && row.state == State::SynRecv && latest(sharers).any(is_child)
}

/// Whether the last poll showed a socket that may have become what a row shows, and that only
/// that poll distinguishes from others: then it is meant, not one that [`may_be_replaced`].
fn replaces_others<'s>(
    mut sockets: impl Iterator<Item = &'s TrackedSocket>,
    PolledRow { row, poll, .. }: PolledRow<'_>,
) -> bool {
    row.inode == 0
        && sockets.any(|socket| socket.seen.last_poll + 1 == poll && socket.may_become(row))
}

/// Whether the last poll that showed this socket also showed, behind it, the first row of another one
/// with the same addresses: the kernel has one at a time, except on several interfaces.
fn is_superseded(socket: &TrackedSocket, sharers: &[TrackedSocket]) -> bool {
    latest(sharers).take_while(|other| other.id != socket.id).any(|other| {
        let poll = socket.seen.last_poll;
        (other.seen.first_poll, other.seen.last_poll) == (poll, poll)
            && socket.row.index < other.row.index
    })
}

/// Whether the last poll may have shown another socket in place of this one.
fn may_be_replaced(socket: &TrackedSocket, PolledRow { row, poll, .. }: PolledRow<'_>) -> bool {
    socket.has_cookie_of(row).is_none() && socket.seen.last_poll + 1 < poll
}
