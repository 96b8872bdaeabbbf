//! One socket's life as the tracker follows it: what makes two rows the same socket, who opened,
//! who closed, how it ended.

use crate::reading::{Ends, Look, Observation, Question, Stamp, Timer};
use crate::tcp::path::{Between, Proof, between, reachable};
use crate::tcp::state::State;
use crate::transition::{End, Event, LifeId, Roles, Standing, Transition, Verdict};

/// A restarted timer moves its end by more than this: `when` counts 1/100 s, and a jiffy may
/// take as long again.
const TIMER_SLACK_MICROS: u64 = 20_000;

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
    pub(crate) id: LifeId,
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
    pub(crate) roles: Roles,
    /// States that the pass showed before the latest row of this life.
    pub(crate) glimpsed: Vec<State>,
    /// Its full socket is known to have died, which may leave a mini-socket.
    pub(crate) died: bool,
    /// It is missing since rows could not be read.
    pub(crate) unreadable: bool,
    /// In `SYN_RECV` it was last a request socket.
    request: bool,
    /// The latest boot time (µs) at which the timer of a mini-socket can run out.
    timer_end: Option<u64>,
    /// The life whose end must be concluded before this one is told, and what waits for it.
    pub(crate) predecessor: Option<(Ends, LifeId)>,
    pub(crate) withheld: Vec<Transition>,
}

impl Life {
    pub(crate) fn new(id: LifeId, row: &Observation, born: Stamp, first_look: bool) -> Self {
        let now = Shown { state: row.state, inode: row.inode, mini: row.mini, index: 0 };
        Self {
            id,
            now,
            state: None,
            birth_unseen: first_look,
            first_look,
            born,
            since: born,
            state_seen: born,
            pass: 0,
            pass_start: born,
            misses: 0,
            last_inode: 0,
            cookie: 0,
            ifindex: 0,
            listener: 0,
            uid: None,
            roles: Roles::default(),
            glimpsed: Vec::new(),
            died: false,
            unreadable: false,
            request: false,
            timer_end: None,
            predecessor: None,
            withheld: Vec::new(),
        }
    }

    /// Takes in a row of this life.
    pub(crate) fn show(&mut self, row: &Observation, index: usize, pass: u64, pass_at: &Look) {
        if self.pass == pass && self.now.state != row.state && Some(self.now.state) != self.state {
            self.glimpsed.push(self.now.state);
            self.note_closer(self.now.state);
        }
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
        self.uid = row.known_uid();
        self.now = Shown { state: row.state, inode: row.inode, mini: row.mini, index };
        self.pass = pass;
        self.pass_start = pass_at.start;
        self.misses = 0;
        self.unreadable = false;
        if self.state == Some(row.state) {
            self.state_seen = pass_at.start;
        }
    }

    /// Whether this row can be the same socket a moment later (`tcp-on-linux`: identity). The
    /// inode comes with accept() and goes with close(); it never changes in between.
    pub(crate) fn may_become(&self, row: &Observation) -> bool {
        let fits = self.cookie_says(row).unwrap_or_else(|| self.inode_fits(row));
        fits && reachable(self.now.state, row.state)
    }

    /// Whether the cookies say that a row is this socket's, where both are known.
    pub(crate) const fn cookie_says(&self, row: &Observation) -> Option<bool> {
        match (self.cookie, row.cookie) {
            (0, _) | (_, 0) => None,
            (ours, its) => Some(ours == its),
        }
    }

    fn inode_fits(&self, row: &Observation) -> bool {
        let now = &self.now;
        match (now.inode, row.inode) {
            (0, 0) => !back_from_mini(now, row),
            (0, _) => unaccepted(now.state) || is_unknown(now.state),
            (_, 0) => orphaned(row.state) || is_unknown(row.state),
            (before, after) => before == after,
        }
    }

    /// Whether a row shows this very kernel socket, but in a state that only a new connection
    /// explains: `connect(AF_UNSPEC)` ended the one we knew.
    pub(crate) fn began_anew(&self, row: &Observation) -> bool {
        let same_inode = row.inode != 0 && row.inode == self.now.inode;
        self.cookie_says(row).unwrap_or(same_inode) && !reachable(self.now.state, row.state)
    }

    /// What an exact look-up is asked about this socket.
    pub(crate) const fn question(&self, ends: Ends) -> Question {
        Question { ends, inode: self.now.inode, cookie: self.cookie, ifindex: self.ifindex }
    }

    /// Whether the timer of a mini-socket in an unchanged state was set anew: a retransmitted FIN
    /// did that, or the ends were used by another connection meanwhile.
    pub(crate) fn timer_restarted(&self, row: &Observation, pass: &Look) -> bool {
        // A timer that has run out reads 0 until the kernel gets to it, seconds later if need be.
        let running = runs_down(row) && row.timer_left > 0;
        let same = self.now.state == row.state && self.now.mini && running;
        same && self.cookie_says(row).is_none()
            && self
                .timer_end
                .is_some_and(|end| pass.start.boot + micros_left(row) > end + TIMER_SLACK_MICROS)
    }

    /// How far (µs) the timer of a row is from that of this life: twins are told apart by it.
    pub(crate) fn timer_off(&self, row: &Observation, pass: &Look) -> u64 {
        let end = pass.end.boot + micros_left(row);
        self.timer_end.filter(|_| runs_down(row)).map_or(0, |before| end.abs_diff(before))
    }

    /// What is proven of this life beyond its state.
    pub(crate) fn proof(&self) -> Proof {
        Proof {
            passive: self.roles.opener == Some(End::Remote),
            request: self.request && self.state == Some(State::SynRecv),
        }
    }

    /// Draws what follows from having been in a state.
    pub(crate) fn note_closer(&mut self, state: State) {
        let roles = &mut self.roles;
        match state {
            State::FinWait1 | State::FinWait2 | State::TimeWait if roles.closer.is_none() => {
                roles.closer = Some(End::Local);
            }
            State::CloseWait | State::LastAck => roles.closer = Some(End::Remote),
            State::Closing => roles.closer = Some(End::Both),
            _ => {}
        }
        roles.both_fins |= matches!(state, State::TimeWait | State::Closing | State::LastAck);
    }

    /// How it ended, judged by what is proven.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        if self.state == Some(State::Listen) {
            return None;
        }
        Some(match (self.roles.both_fins, self.roles.closer) {
            (true, Some(End::Local)) => Verdict::LocalClose,
            (true, Some(End::Both)) => Verdict::SimultaneousClose,
            (true, Some(End::Remote)) => Verdict::RemoteClose,
            _ => Verdict::Unknown,
        })
    }

    /// The end of a life that two passes have missed.
    pub(crate) fn death(&self, ends: Ends, look: &Look) -> Transition {
        let from = self.state.unwrap_or(self.now.state);
        let way = match from {
            State::Closed => Between::default(),
            from => between(from, State::Closed, self.proof()).unwrap_or_default(),
        };
        Transition {
            event: Event::Closed,
            after: Some(self.pass_start),
            via: way.certain,
            maybe: way.possible,
            to: State::Closed,
            inode: 0,
            uid: None,
            verdict: self.verdict(),
            ..self.transition(ends, look)
        }
    }

    /// What every record of a life says, whatever happened.
    pub(crate) fn transition(&self, ends: Ends, look: &Look) -> Transition {
        let held = self.state.map(|_| look.end.since(self.since));
        Transition {
            event: Event::Changed,
            life: self.id,
            netns: look.netns,
            ends,
            time: look.end,
            after: None,
            from: self.state,
            via: Vec::new(),
            maybe: Vec::new(),
            to: self.now.state,
            held,
            held_at_least: held.is_some() && self.first_look,
            lived: look.end.since(self.born),
            lived_at_least: self.birth_unseen,
            inode: self.now.inode,
            last_inode: self.last_inode,
            listener: if unaccepted(self.now.state) { self.listener } else { 0 },
            uid: self.uid,
            roles: self.roles,
            verdict: None,
        }
    }

    /// This life between two readings; `None` until its birth is told.
    pub(crate) fn standing(&self, ends: Ends, netns: Option<u64>) -> Option<Standing> {
        Some(Standing {
            life: self.id,
            netns,
            ends,
            state: self.state?,
            since: self.since,
            held_at_least: self.first_look,
            row: self.now.index,
            inode: self.now.inode,
            last_inode: self.last_inode,
            listener: if unaccepted(self.now.state) { self.listener } else { 0 },
            uid: self.uid,
        })
    }

    fn note_opener(&mut self, row: &Observation) {
        let opener = &mut self.roles.opener;
        if row.state == State::SynSent {
            *opener = Some(End::Local);
        } else if self.now.state == State::SynSent && row.state == State::SynRecv {
            *opener = Some(End::Both);
        } else if opener.is_none() && row.inode == 0 && unaccepted(row.state) {
            *opener = Some(End::Remote);
        }
    }

    fn note_timer(&mut self, row: &Observation, pass: &Look) {
        if !runs_down(row) {
            self.timer_end = None;
            return;
        }
        let end = pass.end.boot + micros_left(row) + TIMER_SLACK_MICROS / 2;
        let same = self.now.state == row.state;
        self.timer_end = Some(self.timer_end.filter(|_| same).map_or(end, |old| old.min(end)));
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

const fn is_unknown(state: State) -> bool {
    matches!(state, State::Unknown(_))
}

/// A mini-socket after a close never becomes a full one again, and a child never a request.
fn back_from_mini(now: &Shown, row: &Observation) -> bool {
    let request = |state| state == State::SynRecv;
    let grown_back = now.mini && !row.mini && !request(now.state);
    let shrunk_back = !now.mini && row.mini && request(row.state);
    grown_back || shrunk_back
}

fn runs_down(row: &Observation) -> bool {
    row.mini && row.timer == Timer::TimeWait
}

fn micros_left(row: &Observation) -> u64 {
    row.timer_left.saturating_mul(10_000)
}
