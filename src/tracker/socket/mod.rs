//! One socket's life as the tracker follows it: from its first row or event to its end.

mod identity;
pub(crate) mod roles;

use crate::model::event::{
    Ages, EventKind, OwnerClues, Roles, Side, SocketId, SocketRef, SocketStatus, TrackerEvent,
    Transition,
};
use crate::model::process::Caller;
use crate::model::reading::{AbortReason, PollWindow, StateChange};
use crate::model::socket::AddressPair;
use crate::model::socket_row::{Details, SocketRow};
use crate::model::time::Stamp;
use crate::tcp::path::{Between, between_all};
use crate::tcp::state::State;
use identity::Countdown;
use roles::Peer;

/// What the latest row of a life showed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) state: State,
    pub(crate) inode: u64,
    pub(crate) mini: bool,
    /// Its place in the pass: a later row is a later sample.
    pub(crate) index: usize,
}

/// One socket from its first row to its end.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // each a fact of its own
pub(crate) struct Life {
    pub(crate) id: SocketId,
    pub(crate) now: Shown,
    /// The state last told; changed by `Tracker::tell` alone. `None` until the birth is told.
    pub(crate) state: Option<State>,
    /// It was there at the first look.
    pub(crate) birth_unseen: bool,
    /// And it still is in the state it was found in, for an unknown time.
    pub(crate) first_look: bool,
    pub(crate) born: Stamp,
    /// First sight of the state told.
    pub(crate) since: Stamp,
    /// The start of the last pass that showed the state told.
    pub(crate) state_seen: Stamp,
    /// The pass that it was born in or before.
    pub(crate) first_pass: u64,
    /// The number and the start of the last pass that showed it.
    pub(crate) pass: u64,
    pub(crate) pass_start: Stamp,
    /// Passes in a row without it.
    pub(crate) misses: u8,
    pub(crate) last_inode: u64,
    /// Its cookie and interface; 0 where the source does not tell them.
    pub(crate) cookie: u64,
    ifindex: u32,
    pub(crate) listener: u64,
    pub(crate) uid: Option<u32>,
    details: Details,
    pub(crate) roles: Roles,
    pub(crate) peer: Peer,
    /// What is known of the way to the next state to be told; boxed, since most lives stand.
    pub(crate) way: Option<Box<Way>>,
    /// A row has shown it: its inode is known, be it none.
    pub(crate) has_row: bool,
    /// The boot time (µs) at which the kernel's events last moved it; 0 for never.
    pub(crate) moved: u64,
    /// That at which an event or a look-up last told where it stands: older passes tell less.
    pub(crate) known_at: u64,
    /// How the kernel said that it was cut off.
    pub(crate) cut: Option<AbortReason>,
    /// Its full socket is known to have died, which may leave a mini-socket.
    pub(crate) died: bool,
    /// It is missing since rows could not be read.
    pub(crate) unreadable: bool,
    /// In `SYN_RECV` it was last a request socket.
    request: bool,
    /// Of a mini-socket that waits.
    timer: Option<Countdown>,
    /// What it waits for before it can be told; boxed, since few have to.
    pub(crate) waits: Option<Box<Waits>>,
}

/// What is known of the way from the state told to the next.
#[derive(Debug, Default)]
pub(crate) struct Way {
    /// States that were seen on it, by a row that a later one of the same pass followed, or as
    /// the start of an event's step.
    pub(crate) glimpsed: Vec<State>,
    /// An event told the very last step of it.
    pub(crate) direct: bool,
    /// The process whose own system call made that step.
    pub(crate) caller: Option<Caller>,
}

impl Way {
    /// A row or an event showed the socket in a state.
    fn glimpse(&mut self, state: State) {
        if self.glimpsed.last() != Some(&state) {
            self.glimpsed.push(state);
        }
    }
}

/// What waits until the end of another life is concluded.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    withheld: Vec<Transition>,
}

impl Life {
    pub(crate) fn new(id: SocketId, state: State, born: Stamp, first_look: bool) -> Self {
        let now = Shown { state, inode: 0, mini: false, index: 0 };
        Self {
            id,
            now,
            state: None,
            birth_unseen: first_look,
            first_look,
            born,
            since: born,
            state_seen: born,
            first_pass: 0,
            pass: 0,
            pass_start: born,
            misses: 0,
            last_inode: 0,
            cookie: 0,
            ifindex: 0,
            listener: 0,
            uid: None,
            details: Details::NONE,
            roles: Roles::default(),
            peer: Peer::default(),
            way: None,
            has_row: false,
            moved: 0,
            known_at: 0,
            cut: None,
            died: false,
            unreadable: false,
            request: false,
            timer: None,
            waits: None,
        }
    }

    /// Takes in a row of this life.
    pub(crate) fn show(&mut self, row: &SocketRow, index: usize, pass: u64, pass_at: &PollWindow) {
        if self.pass == pass && self.now.state != row.state && Some(self.now.state) != self.state {
            let before = self.now.state;
            self.way.get_or_insert_default().glimpse(before);
            self.note_closer(before);
        }
        self.unmask_peer(row);
        self.note_opener(row);
        self.note_timer(row, pass_at);
        if row.state == State::SynRecv {
            self.request = row.mini;
        }
        if row.inode != 0 {
            self.last_inode = row.inode;
        }
        if row.cookie != 0 {
            (self.cookie, self.ifindex) = (row.cookie, row.ifindex);
        }
        self.has_row = true;
        self.uid = row.known_uid();
        self.details = row.details();
        self.now = Shown { state: row.state, inode: row.inode, mini: row.mini, index };
        self.pass = pass;
        self.pass_start = pass_at.start;
        self.misses = 0;
        self.unreadable = false;
        if self.state == Some(row.state) {
            self.state_seen = pass_at.start;
        }
    }

    /// The end of a life that two passes have missed.
    pub(crate) fn death(&self, addrs: AddressPair, look: &PollWindow) -> Transition {
        let way = match self.state.unwrap_or(self.now.state) {
            State::Closed => Between::default(),
            from => self.between(from, State::Closed),
        };
        Transition {
            kind: EventKind::Closed,
            // A look-up gets ahead of events: what it saw later than this end was a successor's.
            after: Some(self.pass_start.min(look.end)),
            via: way.certain,
            maybe: way.possible,
            to: State::Closed,
            clues: OwnerClues { inode: 0, uid: None, ..self.clues() },
            verdict: self.verdict(),
            ..self.transition(addrs, look)
        }
    }

    /// What lies between the state told and the next.
    pub(crate) fn between(&self, from: State, to: State) -> Between {
        let (glimpsed, direct) = match &self.way {
            Some(way) => (way.glimpsed.as_slice(), way.direct),
            None => (&[][..], false),
        };
        match glimpsed.split_last() {
            _ if !direct => {
                // What ended in a state may have left a mini-socket in the same.
                let passed = glimpsed.strip_suffix(&[to]).unwrap_or(glimpsed);
                between_all(from, passed, to, self.proof())
            }
            None => Between::default(),
            // The last state glimpsed is the one that the event started from.
            Some((last, before)) => {
                let mut way = between_all(from, before, *last, self.proof());
                way.certain.push(*last);
                way
            }
        }
    }

    /// Takes in a step that the kernel told.
    pub(crate) fn step(&mut self, change: &StateChange) {
        match self.state {
            Some(state) if state != change.from => {
                self.way.get_or_insert_default().glimpse(change.from);
            }
            _ => {
                self.state_seen = change.time;
                self.pass_start = change.time;
            }
        }
        let opener = &mut self.roles.opener;
        match (change.from, change.to) {
            (_, State::SynSent) => *opener = Some(Side::Local),
            (State::SynSent, State::SynRecv) => *opener = Some(Side::Both),
            _ if change.passive => *opener = Some(Side::Remote),
            _ => {}
        }
        (self.moved, self.known_at, self.cut) = (change.time.boot, change.time.boot, change.cut);
        let way = self.way.get_or_insert_default();
        (way.direct, way.caller) = (true, change.caller.clone());
        // What comes after the end, if anything does, only a look tells.
        let state = if change.to == State::Closed { change.from } else { change.to };
        self.now = Shown { state, mini: false, ..self.now };
    }

    /// Takes in a row that was read before the kernel's last event may have been: it tells who the
    /// socket is, not where it stands.
    pub(crate) fn show_stale(&mut self, row: &SocketRow, index: usize, pass: u64, at: &PollWindow) {
        if self.born.boot >= at.start.boot && self.cookie_says(row).is_none() {
            // It may be that of another socket which had these ends before.
            (self.pass, self.misses) = (pass, 0);
            return;
        }
        if row.state == self.now.state {
            return self.show(row, index, pass, at);
        }
        self.now.index = index;
        if row.inode != 0 {
            self.last_inode = row.inode;
        }
        if row.cookie != 0 {
            (self.cookie, self.ifindex) = (row.cookie, row.ifindex);
        }
        (self.pass, self.misses) = (pass, 0);
    }

    /// What is to be told now; nothing while the end of another life is awaited.
    pub(crate) fn tell_or_withhold(&mut self, told: Transition) -> Option<TrackerEvent> {
        match &mut self.waits {
            Some(waits) => {
                waits.withheld.push(told);
                None
            }
            None => Some(TrackerEvent::Transition(Box::new(told))),
        }
    }

    /// What waited, in order.
    pub(crate) fn stop_waiting(&mut self) -> impl Iterator<Item = TrackerEvent> + use<> {
        let withheld = self.waits.take().map(|waits| waits.withheld).unwrap_or_default();
        withheld.into_iter().map(Box::new).map(TrackerEvent::Transition)
    }

    /// What every record of a life says, whatever happened.
    pub(crate) fn transition(&self, addrs: AddressPair, look: &PollWindow) -> Transition {
        let since = self.state.map(|_| self.since);
        let held = since.map(|since| look.end.since(since));
        Transition {
            socket: SocketRef { id: self.id, netns: look.netns, addrs },
            kind: EventKind::Changed,
            time: look.end,
            after: None,
            from: self.state,
            via: Vec::new(),
            maybe: Vec::new(),
            to: self.now.state,
            ages: Ages {
                since,
                held,
                held_at_least: held.is_some() && self.first_look,
                lived: look.end.since(self.born),
                lived_at_least: self.birth_unseen,
            },
            clues: self.clues(),
            roles: self.roles,
            verdict: None,
            caller: self.way.as_ref().and_then(|way| way.caller.clone()),
        }
    }

    /// This life between two readings; `None` until its birth is told.
    pub(crate) fn standing(&self, addrs: AddressPair, netns: Option<u64>) -> Option<SocketStatus> {
        Some(SocketStatus {
            socket: SocketRef { id: self.id, netns, addrs },
            state: self.state?,
            since: self.since,
            held_at_least: self.first_look,
            missed: self.misses > 0 || self.unreadable,
            row: self.now.index,
            withheld: self.waits.is_some(),
            clues: self.clues(),
            details: self.details,
        })
    }

    /// What tells whose socket it is now.
    const fn clues(&self) -> OwnerClues {
        OwnerClues {
            inode: self.now.inode,
            last_inode: self.last_inode,
            listener: if unaccepted(self.now.state) { self.listener } else { 0 },
            uid: self.uid,
        }
    }
}

/// States in which a socket without an inode has not been accepted yet: a close leaves them.
pub(crate) const fn unaccepted(state: State) -> bool {
    matches!(state, State::SynRecv | State::Established | State::CloseWait)
}

/// States in which a socket without an inode has been closed by its owner.
const fn orphaned(state: State) -> bool {
    use State::{Closing, FinWait1, FinWait2, LastAck, TimeWait};
    matches!(state, FinWait1 | FinWait2 | Closing | LastAck | TimeWait)
}
