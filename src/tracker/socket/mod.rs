//! One socket as the tracker follows it: from its first row or event to its end.

mod identity;
mod roles;
mod sightings;
mod state_record;

pub(super) use identity::is_unaccepted_state;
pub(super) use roles::before_fin;

use super::polls::LastWithout;
use crate::model::binding::{Binding, Device};
use crate::model::event::{
    Ages, EventKind, HeldFrom, Listeners, OwnerClues, SocketId, SocketRef, SocketStatus, Transition,
};
use crate::model::reading::{PollWindow, StateChange};
use crate::model::socket::AddressPair;
use crate::model::socket_row::{Details, SocketRow};
use crate::model::time::Stamp;
use crate::tcp::path::{Between, Proof, certain_since_birth};
use crate::tcp::state::State;
use identity::{Identity, LastRow, TIMER_SLACK_MICROS};
use roles::RoleEvidence;
use sightings::Sightings;
use state_record::StateRecord;

/// One socket from its first row or event to its end.
#[derive(Debug)]
pub(super) struct TrackedSocket {
    pub(super) id: SocketId,
    pub(super) state: StateRecord,
    pub(super) row: LastRow,
    pub(super) identity: Identity,
    pub(super) roles: RoleEvidence,
    pub(super) seen: Sightings,
    /// The listeners one of which has made it, as far as they were seen.
    pub(super) listeners: Listeners,
    uid: Option<u32>,
    details: Details,
    binding: Binding,
}

/// Where a socket that is followed is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SocketKey {
    pub(super) addrs: AddressPair,
    pub(super) id: SocketId,
}

/// A row, and where it stands in the poll or lookup that showed it.
#[derive(Debug, Clone, Copy)]
pub(super) struct PolledRow<'r> {
    pub(super) row: &'r SocketRow,
    /// Its place in the poll.
    pub(super) index: u32,
    /// The number of the poll.
    pub(super) poll: u64,
    pub(super) window: &'r PollWindow,
}

impl TrackedSocket {
    /// A socket first observed at `born`, with or after the poll of this number; `found`: it had
    /// been there before, for an unknown time.
    pub(super) fn new(id: SocketId, state: State, born: Stamp, found: bool, poll: u64) -> Self {
        Self {
            id,
            state: StateRecord::new(born, found),
            row: LastRow::none(state),
            identity: Identity::default(),
            roles: RoleEvidence::default(),
            seen: Sightings::new(poll, born),
            listeners: Listeners::default(),
            uid: None,
            details: Details::NONE,
            binding: Binding::default(),
        }
    }

    pub(super) const fn key(&self, addrs: AddressPair) -> SocketKey {
        SocketKey { addrs, id: self.id }
    }

    /// The state last reported; `None` until its first event.
    pub(super) const fn reported(&self) -> Option<State> {
        self.state.reported()
    }

    /// Whether a row has the cookie of this socket; `None` where that is not known.
    pub(super) fn has_cookie_of(&self, row: &SocketRow) -> Option<bool> {
        self.identity.has_cookie_of(&self.row, row)
    }

    /// Whether this row can show the same socket a moment later.
    pub(super) fn may_become(&self, row: &SocketRow) -> bool {
        self.identity.may_become(&self.row, row)
    }

    /// Whether a row shows that the timer of a mini-socket was restarted: by a retransmitted FIN, or
    /// because the 4-tuple was reused.
    pub(super) fn timer_restarted(&self, row: &SocketRow, window: &PollWindow) -> bool {
        let last_seen = self.seen.last_start.boot;
        self.identity.timer_restarted(&self.row, row, last_seen, window)
    }

    /// Whether a row shows the timer of this mini-socket as it runs on.
    pub(super) fn timer_goes_on(&self, PolledRow { row, window, .. }: PolledRow<'_>) -> bool {
        let is_same = self.row.mini && row.mini && self.row.state == row.state;
        is_same && self.identity.has_timer_of(row) && !self.timer_restarted(row, window)
    }

    /// Whether a row shows the timer of this mini-socket, as another row of the same poll did.
    pub(super) fn has_same_timer(&self, sample: PolledRow<'_>) -> bool {
        let PolledRow { row, window, .. } = sample;
        let reading = window.end.boot.saturating_sub(window.start.boot);
        self.timer_goes_on(sample)
            && self.identity.timer_distance(row, window) <= reading + TIMER_SLACK_MICROS
    }

    /// Whether the kernel reports its every step, so that a lookup would be ahead of them.
    pub(super) const fn is_traced(&self) -> bool {
        self.seen.is_traced && !self.seen.is_destroyed && !self.row.mini
    }

    /// Takes in a row that shows this socket.
    pub(super) fn apply_row(&mut self, sample: PolledRow<'_>) {
        let PolledRow { row, index, poll, window } = sample;
        let (before, reported) = (self.row.state, self.reported());
        // The row before is of the same poll.
        if self.seen.last_poll == poll && before != row.state && Some(before) != reported {
            self.state.observe(before);
            self.roles.note_state(before);
        }
        self.roles.check_peer(row);
        self.roles.note_row(before, row);
        self.identity.note_timer(&self.row, row, self.seen.last_start.boot, window);
        self.identity.note_row(row);
        self.row.replace(row, index);
        self.seen.note_poll(poll, window.start);
        self.uid = row.known_uid();
        self.details = row.details;
        self.binding = self.binding.updated_by(row.binding);
        if reported == Some(row.state) {
            self.state.last_seen = window.start;
        }
    }

    /// Takes in a row that may have been read before the kernel's last event: it shows which socket
    /// it is, not its state.
    pub(super) fn apply_stale_row(&mut self, sample: PolledRow<'_>) {
        let PolledRow { row, index, poll, window } = sample;
        // It may be that of an older socket with the same 4-tuple.
        let may_be_older = self.state.born.boot >= window.start.boot;
        if may_be_older && self.has_cookie_of(row).is_none() {
            return self.seen.note_stale_poll(poll);
        }
        if row.state == self.row.state {
            return self.apply_row(sample);
        }
        self.row.index = index;
        self.identity.note_ids(row);
        self.seen.note_stale_poll(poll);
    }

    /// Takes in a state change that the kernel reported.
    pub(super) fn apply_change(&mut self, change: &StateChange) {
        match self.reported() {
            Some(state) if state != change.from => self.state.observe(change.from),
            _ => (self.state.last_seen, self.seen.last_start) = (change.time, change.time),
        }
        self.state.note_step(change.caller.clone());
        self.note_change_details(change);
        self.seen.note_change(change);
        // What follows its end, if anything does, only a poll or lookup shows.
        self.row.state = if change.to == State::Closed { change.from } else { change.to };
        self.row.mini = false;
    }

    /// Takes in what a kernel event says besides the step: also of a step that polls or lookups have
    /// shown before.
    pub(super) fn note_change_details(&mut self, change: &StateChange) {
        self.roles.note_change(change);
        self.identity.note_change(change);
        self.row.inode = change.inode.unwrap_or(self.row.inode);
        self.uid = change.uid.or(self.uid);
        let device = match change.device {
            Some(name) => Device::Named(name),
            // Recordings of older versions may know no cookie, and no interface.
            None if change.cookie == 0 => Device::Unknown,
            None if change.ifindex == 0 => Device::None,
            None if self.binding.device != Device::Unknown => Device::Unknown,
            None => Device::of_number(change.ifindex),
        };
        self.binding = self.binding.updated_by(Binding { device, ipv6_only: change.ipv6_only });
    }

    /// The last step that the kernel reported may have left a mini-socket.
    pub(super) fn may_have_remnant(&mut self) {
        self.seen.is_destroyed = true;
        self.state.forget_step();
    }

    /// Moves on to the state of the latest row and returns what that was; `None` where it is the
    /// state last reported. `last_without`: the last polls that did not show it, if it is new.
    pub(super) fn advance(
        &mut self,
        addrs: AddressPair,
        last_without: LastWithout,
        window: &PollWindow,
    ) -> Option<Transition> {
        let (from, to) = (self.reported(), self.row.state);
        if from == Some(to) {
            self.state.stay();
            return None;
        }
        let is_found = self.state.as_found && from.is_none();
        let mut transition = self.transition(addrs, window);
        let between = match from {
            None if is_found || to == State::Closed => Between::default(),
            _ => self.between(from.unwrap_or(State::Closed), to),
        };
        Between { certain: transition.via, possible: transition.maybe } = between;
        match from {
            Some(_) => transition.via.iter().for_each(|state| self.roles.note_state(*state)),
            // Nobody has closed on the way there.
            None if before_fin(to) || to == State::Listen => {}
            None => {
                let passed = certain_since_birth(to, self.proof());
                for state in passed {
                    self.roles.note_state(state);
                }
            }
        }
        self.roles.note_state(to);
        self.roles.note_closing(window.end);
        transition.roles = self.roles.roles;
        (transition.kind, transition.after) = match from {
            Some(_) => (EventKind::Changed, Some(self.state.last_seen)),
            None if is_found => (EventKind::Present, None),
            None if self.may_have_been_missed() => (EventKind::Opened, last_without.earlier),
            None => (EventKind::Opened, last_without.poll),
        };
        self.state.advance(to, window, self.details.times.in_state);
        if is_found && self.state.held_from() == HeldFrom::Kernel {
            transition.ages = Ages { since: None, ..self.state.ages(window.end) };
        }
        if is_found {
            transition.ages.idle = self.details.idle();
        }
        Some(transition)
    }

    /// Whether the poll before the one that first showed it can have missed it. A dump by sock_diag, known
    /// by the cookie, takes the sockets of a hash bucket one by one (`inet_diag_dump_icsk`), and one that
    /// becomes a mini-socket meanwhile can be in neither place.
    fn may_have_been_missed(&self) -> bool {
        self.row.is_close_remnant() && self.identity.cookie != 0
    }

    /// The end of the socket.
    pub(super) fn closed(&self, addrs: AddressPair, window: &PollWindow) -> Transition {
        let state = self.reported();
        let between = match state.unwrap_or(self.row.state) {
            State::Closed => Between::default(),
            from => self.between(from, State::Closed),
        };
        let was_connection = !matches!(state, Some(State::Listen | State::Bound));
        // A lookup gets ahead of events: what it saw later than this end was a successor's.
        let last_seen = self.seen.last_start.min(window.end);
        Transition {
            kind: EventKind::Closed,
            after: Some(last_seen),
            via: between.certain,
            maybe: between.possible,
            to: State::Closed,
            clues: OwnerClues { inode: 0, uid: None, ..self.clues() },
            verdict: was_connection.then(|| self.roles.verdict(self.seen.abort)),
            reset_by: self.seen.reset_by,
            ..self.transition(addrs, window)
        }
    }

    fn between(&self, from: State, to: State) -> Between {
        self.state.between(from, to, self.proof())
    }

    fn proof(&self) -> Proof {
        let is_request_socket = self.row.was_request && self.reported() == Some(State::SynRecv);
        self.roles.proof(is_request_socket)
    }

    /// What every event of a socket says, whatever happened.
    fn transition(&self, addrs: AddressPair, window: &PollWindow) -> Transition {
        Transition {
            socket: SocketRef { id: self.id, netns: window.netns, addrs, binding: self.binding },
            kind: EventKind::Changed,
            time: window.end,
            after: None,
            from: self.reported(),
            via: Vec::new(),
            maybe: Vec::new(),
            to: self.row.state,
            ages: self.state.ages(window.end),
            clues: self.clues(),
            roles: self.roles.roles,
            verdict: None,
            reset_by: None,
            caller: self.state.caller(),
            netns_name: None,
        }
    }

    /// The socket between two readings; `None` until its first event.
    pub(super) fn status(
        &self,
        addrs: AddressPair,
        netns: Option<u64>,
        withheld: bool,
    ) -> Option<SocketStatus> {
        Some(SocketStatus {
            socket: SocketRef { id: self.id, netns, addrs, binding: self.binding },
            state: self.reported()?,
            since: self.state.known_since(),
            held_from: self.state.held_from(),
            held_at_least: self.state.as_found,
            missed_by_last_poll: self.seen.is_missing(),
            row: self.row.index as usize,
            withheld,
            clues: self.clues(),
            details: self.details,
            netns_name: None,
        })
    }

    /// What its owner is found by.
    fn clues(&self) -> OwnerClues {
        OwnerClues {
            inode: self.row.inode,
            last_inode: self.identity.last_inode,
            listeners: self.listeners.clone(),
            uid: self.uid,
        }
    }
}
