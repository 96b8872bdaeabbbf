//! The other end of a connection within this machine: each end's row proves something of the other.

use super::socket::{SocketKey, TrackedSocket, before_fin};
use super::sockets::TrackedSockets;
use crate::model::event::Side;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use std::num::NonZeroU64;

/// What one end shows.
#[derive(Clone, Copy)]
struct EndView {
    state: State,
    opener: Option<Side>,
    /// It sent its FIN before it had the other's.
    closes_first: bool,
    /// Its rows are known to be of one socket.
    is_certain: bool,
    /// When the socket was first observed, and when that was (boot time, µs).
    born: u64,
    closing_since: u64,
    first_poll: u64,
    last_poll: u64,
    /// When it was read, as far as that is known: the start of the poll and the place in it.
    read: (Stamp, u32),
}

impl EndView {
    fn of(socket: &TrackedSocket) -> Self {
        let (state, closer) = (socket.row.state, socket.roles.roles.closer);
        let born = socket.state.born.boot;
        // Else it is the last reading that shows it.
        let now = if socket.reported().is_some() { u64::MAX } else { born };
        Self {
            born,
            closing_since: socket.roles.closing_since.map_or(now, NonZeroU64::get),
            state,
            is_certain: socket.row.inode != 0 || socket.identity.cookie != 0,
            closes_first: matches!(closer, Some(Side::Local | Side::Both)) || sent_first_fin(state),
            opener: socket.roles.roles.opener,
            first_poll: socket.seen.first_poll,
            last_poll: socket.seen.last_poll,
            read: (socket.seen.last_start, socket.row.index),
        }
    }

    /// Whether it can prove anything of the other end.
    const fn proves_something(self) -> bool {
        self.state.has_received_fin()
            || self.closes_first
            || matches!(self.opener, Some(Side::Remote | Side::Both))
    }
}

/// Lets all sockets, as the first poll found them, learn from their other ends.
pub(super) fn compare_all(sockets: &mut TrackedSockets, poll: u64) {
    // Both ends are new: comparing those that prove something is enough.
    let proves = |(_, socket): &(_, &TrackedSocket)| EndView::of(socket).proves_something();
    let proving: Vec<SocketKey> =
        sockets.iter().filter(proves).map(|(addrs, socket)| socket.key(addrs)).collect();
    compare(sockets, poll, proving.into_iter());
}

/// Lets each of the changed sockets and its peer learn from each other. `poll` is the number of the last
/// poll.
pub(super) fn compare(
    sockets: &mut TrackedSockets,
    poll: u64,
    changed: impl Iterator<Item = SocketKey>,
) {
    for key in changed {
        for mirrored in key.addrs.mirrored() {
            let Some(peer) = sockets.peer_at(mirrored, key) else { continue };
            let Some(own) = sockets.get(key).map(EndView::of) else { continue };
            let Some(other) = sockets.get(peer).map(EndView::of) else { continue };
            learn(sockets, poll, (key, own), other);
            learn(sockets, poll, (peer, other), own);
        }
    }
}

fn learn(
    sockets: &mut TrackedSockets,
    poll: u64,
    (key, own): (SocketKey, EndView),
    other: EndView,
) {
    // They are two ends of one connection only if both were there at one time; a socket that is
    // still connecting may meet what an older connection left.
    let together = own.first_poll <= other.last_poll && other.first_poll <= own.last_poll;
    let is_shown = other.last_poll == poll;
    if !together || !is_shown || matches!(own.state, State::SynSent | State::Listen) {
        return;
    }
    let contradict = contradicts(own, other) || contradicts(other, own);
    let Some(mut socket) = sockets.get_mut(key) else { return };
    if socket.roles.is_peer_rejected || contradict {
        socket.roles.reject_peer();
    } else {
        socket.roles.note_peer(other.state, other.opener);
        // Neither had the other's FIN when it sent its own.
        if own.closes_first && other.closes_first && were_open_together(own, other) {
            if own.is_certain && other.is_certain {
                socket.roles.roles.closer = Some(Side::Both);
            } else if own.last_poll == poll {
                let crossed = &mut socket.roles.may_have_crossed;
                *crossed = crossed.or(NonZeroU64::new(poll));
            }
        }
    }
}

/// Decides, when one of two ends is closed, whether their FINs have crossed.
///
/// Rows without an inode or cookie may be of two connections, one after the other: the poll that read them
/// read one before and the other after it. But once both are there, a later poll cannot show the older.
pub(super) fn decide_crossing(sockets: &mut TrackedSockets, key: SocketKey) {
    let since = |key| {
        let socket = sockets.get(key)?;
        let crossed = socket.roles.may_have_crossed.filter(|_| !socket.roles.is_peer_rejected)?;
        (socket.seen.last_poll > crossed.get()).then_some(())
    };
    if since(key).is_none() {
        return;
    }
    let peer = key.addrs.mirrored().into_iter().find_map(|addrs| sockets.peer_at(addrs, key));
    let Some(peer) = peer.filter(|peer| since(*peer).is_some()) else { return };
    for end in [key, peer] {
        if let Some(mut socket) = sockets.get_mut(end) {
            socket.roles.roles.closer = Some(Side::Both);
        }
    }
}

/// Whether `late` was read after `early` in a state in which the other end of it was not any more: they
/// are ends of two connections with these addresses.
fn contradicts(late: EndView, early: EndView) -> bool {
    let has_not_sent_fin = before_fin(late.state) && early.state.has_received_fin();
    let has_not_received_fin = matches!(late.state, State::FinWait1 | State::FinWait2)
        || before_fin(late.state) && late.state != State::CloseWait;
    let acknowledged_fin = matches!(early.state, State::FinWait2 | State::TimeWait);
    // The early one had its FIN acknowledged before it had the other's, which was sent in answer.
    let closed_first_after_all = early.state == State::FinWait2 && late.state == State::TimeWait;
    late.read > early.read
        && (has_not_sent_fin || has_not_received_fin && acknowledged_fin || closed_first_after_all)
}

/// Whether each was there before the other was seen to close: else one may be what an older connection
/// with these addresses left.
const fn were_open_together(one: EndView, other: EndView) -> bool {
    one.born < other.closing_since && other.born < one.closing_since
}

/// Whether a socket comes to this state only by a FIN that it sent before it had the other's.
fn sent_first_fin(state: State) -> bool {
    state.has_sent_fin() && state != State::LastAck
}
