//! Folds readings into transitions, one socket life at a time.
//!
//! Every pass is matched against the lives known so far (`matching`), and what it does not show
//! may have ended (`ending`), which exact look-ups confirm (`lookups`). The kernel reports beside
//! the passes: destroy events (`destroyed`) and state changes (`kernel_events`). Two ends of one
//! connection on this machine learn from each other (`peer`).

mod destroyed;
mod ending;
mod kernel_events;
mod lookups;
mod matching;
mod peer;
mod socket;
mod sockets;

use crate::model::event::{EventKind, SocketId, SocketStatus, TrackerEvent, Transition};
use crate::model::reading::{LookupRequest, Lost, LostReason, PollWindow, Reading, Snapshot};
use crate::model::socket::AddressPair;
use crate::model::time::Stamp;
use crate::tcp::path::{Between, certain_since_birth};
use crate::tcp::state::State;
use destroyed::Unseen;
use ending::Pending;
use kernel_events::Events;
use lookups::Asked;
use socket::Life;
use socket::roles::before_fin;
use sockets::Lives;
use std::collections::HashMap;

/// Passes in a row that must miss a socket before it is gone: of single misses under the worst
/// churn none was seen twice.
const PASSES_TO_CONFIRM: u8 = 2;

/// So many lives are told of at a time: all that a busy machine has at the first look would take
/// more memory than to follow them.
const PIECE: usize = 1024;

/// Follows every socket from its first row to its end.
#[derive(Debug, Default)]
pub struct Tracker {
    lives: Lives,
    born: u64,
    run: u32,
    pass: u64,
    /// The network namespace of the last pass.
    netns: Option<u64>,
    /// The start of the last pass that could be read as a whole.
    previous: Option<Stamp>,
    /// A gap came before the next pass.
    gap: bool,
    bad_rows: u64,
    /// Rows of the last pass that are of more sockets than are followed.
    left_out: u64,
    /// Some sockets are not followed: one that is seen for the first time may have been there.
    crowded: bool,
    /// Lives that wait for the end of another to be concluded, by that one and its ends.
    waiting: HashMap<SocketId, (AddressPair, Vec<(AddressPair, SocketId)>)>,
    /// Lives that may or may not be the ones seen before.
    undecided: u64,
    /// What an exact look-up may decide.
    asked: Asked,
    /// What notices and events told that polls have yet to confirm.
    unseen: Unseen,
    notices_lost: bool,
    events: Events,
    untold: Option<Untold>,
    /// Inodes that rows have shown for the first time in a life.
    new_inodes: Vec<u64>,
}

/// What the matching of one pass leaves to be told.
#[derive(Default)]
struct Work {
    /// Rows that no life with the same inode explains.
    leftover: Vec<usize>,
    /// Lives with news, by the row that brought them.
    touched: Vec<(usize, AddressPair, SocketId)>,
    /// How many lives the pass showed.
    seen: usize,
    inodes: Vec<u64>,
    /// Rows of sockets for which there is no room.
    left_out: u64,
}

/// What a pass has left to tell.
#[derive(Debug)]
struct Untold {
    lives: Touched,
    news: News,
    /// It could be read as a whole.
    whole: bool,
}

/// Lives with news.
#[derive(Debug)]
enum Touched {
    /// At the first look all of them, from this place on.
    From(usize),
    These(std::vec::IntoIter<(usize, AddressPair, SocketId)>),
}

/// What news of a reading have in common.
#[derive(Debug)]
struct News {
    look: PollWindow,
    /// The start of the last pass that can have missed a newborn.
    absent: Option<Stamp>,
    pending: Pending,
}

/// A life that a pass did not show.
struct Missing {
    addrs: AddressPair,
    id: SocketId,
    inode: u64,
    gone: bool,
    /// A look-up may decide.
    asks: bool,
}

impl Missing {
    /// A life that is known to be over.
    const fn over(addrs: AddressPair, life: &Life) -> Self {
        Self { addrs, id: life.id, inode: life.last_inode, gone: true, asks: false }
    }
}

impl Tracker {
    /// One that follows at most so many sockets.
    pub fn of_at_most(sockets: usize) -> Self {
        Self { lives: Lives::at_most(sockets), ..Self::default() }
    }

    /// Takes in a reading and returns what it proves, in the order to tell it; of a great deal the
    /// first piece.
    pub fn update(&mut self, reading: &Reading) -> Vec<TrackerEvent> {
        let mut told = Vec::new();
        while self.has_more() {
            told.append(&mut self.tell_more());
        }
        told.append(&mut self.take(reading));
        told
    }

    /// Whether there is more to tell of the last reading.
    pub const fn has_more(&self) -> bool {
        self.untold.is_some()
    }

    /// The next piece of what the last reading proves.
    pub fn tell_more(&mut self) -> Vec<TrackerEvent> {
        let mut told = Vec::new();
        let Some(mut untold) = self.untold.take() else { return told };
        let piece: Vec<(AddressPair, SocketId)> = match &mut untold.lives {
            Touched::From(place) => {
                let begin = std::mem::replace(place, *place + PIECE);
                self.lives.between(begin, *place).map(|(addrs, life)| (addrs, life.id)).collect()
            }
            Touched::These(lives) => lives.take(PIECE).map(|(_, addrs, id)| (addrs, id)).collect(),
        };
        let more = piece.len() >= PIECE;
        self.tell_news(piece.into_iter(), &untold.news, &mut told);
        if more {
            self.untold = Some(untold);
            return told;
        }
        let Untold { news: News { look, .. }, whole, .. } = untold;
        let first = self.previous.is_none();
        if whole || first {
            self.previous = Some(look.start);
        }
        self.gap = false;
        self.lives.shrink();
        self.events.forget_the_dead(&self.lives);
        self.unseen.forget_before(look.start);
        told.append(&mut self.take_early_changes(look.start, first));
        told
    }

    fn take(&mut self, reading: &Reading) -> Vec<TrackerEvent> {
        // Events that come together are asked about together.
        if !matches!(reading, Reading::Lookups(_) | Reading::StateChange(_)) {
            self.asked = Asked::default();
        }
        match reading {
            Reading::Snapshot(snapshot) => self.take_snapshot(snapshot),
            Reading::Lookups(answers) => self.take_answers(answers),
            Reading::DestroyEvents(deaths) => self.take_deaths(deaths),
            Reading::StateChange(change) => self.take_change(change),
            Reading::Lost(lost) => {
                self.gap |= lost.reason == LostReason::Gap;
                if lost.reason == LostReason::Ring {
                    self.events.forget_names();
                }
                vec![TrackerEvent::Lost(*lost)]
            }
            // They say nothing of what sockets do.
            Reading::OwnerUpdate(_) | Reading::Begin(_) => Vec::new(),
        }
    }

    /// One life as it stands.
    pub fn standing(&self, addrs: AddressPair, id: SocketId) -> Option<SocketStatus> {
        self.lives.get(addrs, id)?.standing(addrs, self.netns)
    }

    /// Every life as it stands.
    pub fn standings(&self) -> impl Iterator<Item = SocketStatus> {
        self.lives.iter().filter_map(|(addrs, life)| life.standing(addrs, self.netns))
    }

    /// The sockets that the last reading did not show, and that an exact look-up may decide.
    pub fn questions(&self) -> Vec<LookupRequest> {
        self.asked.questions()
    }

    /// How many these are.
    pub fn open_questions(&self) -> usize {
        self.asked.count()
    }

    /// How many sockets are being followed.
    pub const fn open(&self) -> usize {
        self.lives.count()
    }

    /// How many rows of the last pass are of more sockets than can be followed.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// How often a restarted timer left it open whether the ends were used again.
    pub const fn undecided(&self) -> u64 {
        self.undecided
    }

    /// Whether notices of deaths were lost: more lives were missed than told.
    pub const fn notices_lost(&self) -> bool {
        self.notices_lost
    }

    /// Every life being followed.
    pub fn ids(&self) -> impl Iterator<Item = SocketId> {
        self.lives.iter().map(|(_, life)| life.id)
    }

    /// The inodes that have come up since this was asked last.
    pub fn take_new_inodes(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.new_inodes)
    }

    /// Every inode that the last rows showed.
    pub fn shown_inodes(&self) -> impl Iterator<Item = u64> {
        self.lives.iter().map(|(_, life)| life.now.inode).filter(|inode| *inode != 0)
    }

    /// Every inode that a life being followed refers to.
    pub fn inodes(&self) -> impl Iterator<Item = u64> {
        self.lives.iter().flat_map(|(_, life)| [life.last_inode, life.listener])
    }

    fn take_snapshot(&mut self, snapshot: &Snapshot) -> Vec<TrackerEvent> {
        self.pass += 1;
        self.netns = snapshot.netns;
        if self.pass == 1 {
            let seconds = snapshot.end.wall / 1_000_000;
            self.run = u32::try_from(seconds).unwrap_or(u32::MAX);
        }
        let work = self.match_rows(snapshot);
        let mut told = Vec::new();
        let whole = self.judge_rows(snapshot, work.left_out, &mut told);
        let lives = if self.previous.is_none() {
            self.compare_all_ends();
            Touched::From(0)
        } else {
            self.compare_ends(work.touched.iter().map(|(_, addrs, id)| (*addrs, *id)));
            Touched::These(work.touched.into_iter())
        };
        let missing = if work.seen < self.lives.count() {
            self.reap(whole, &snapshot.look())
        } else {
            Vec::new()
        };
        let look = snapshot.look();
        self.close(&missing, &look, &mut told);
        self.release(&mut told);
        let news = News { look, absent: self.previous, pending: Pending::of(&missing) };
        self.untold = Some(Untold { lives, news, whole });
        told.append(&mut self.tell_more());
        told
    }

    /// Rows that cannot be read prove no absence: what is missing since then may be among them.
    /// One for which there was no room is none of a socket that is followed.
    fn judge_rows(
        &mut self,
        snapshot: &Snapshot,
        left_out: u64,
        told: &mut Vec<TrackerEvent>,
    ) -> bool {
        let bad = snapshot.bad_rows.saturating_sub(self.bad_rows);
        let lost = bad + left_out.saturating_sub(self.left_out);
        (self.bad_rows, self.left_out) = (snapshot.bad_rows, left_out);
        self.crowded = left_out > 0;
        if lost > 0 {
            let (time, reason) = (snapshot.end, LostReason::Table);
            told.push(TrackerEvent::Lost(Lost { time, reason, count: Some(lost) }));
        }
        bad == 0
    }

    fn tell_news(
        &mut self,
        touched: impl Iterator<Item = (AddressPair, SocketId)>,
        news: &News,
        told: &mut Vec<TrackerEvent>,
    ) {
        for (addrs, id) in touched {
            let newborn = self.lives.get(addrs, id).is_some_and(|life| life.state.is_none());
            if newborn {
                self.settle(addrs, id, &news.pending);
            }
            let Some(life) = self.lives.get_mut(addrs, id) else { continue };
            let Some(transition) = tell(life, addrs, news.absent, &news.look) else {
                continue;
            };
            let corpse = transition.kind == EventKind::Opened && life.is_corpse();
            told.extend(life.tell_or_withhold(transition));
            if corpse && !self.unseen.was_told(addrs) {
                told.push(TrackerEvent::Missed(Some(addrs)));
            }
        }
    }
}

/// Moves a life to the state its latest row shows and says what that was: the one place where a
/// life's state changes. `absent` is the start of the last pass that can have missed a newborn.
fn tell(
    life: &mut Life,
    addrs: AddressPair,
    absent: Option<Stamp>,
    look: &PollWindow,
) -> Option<Transition> {
    let (from, to) = (life.state, life.now.state);
    if from == Some(to) {
        life.way = None;
        return None;
    }
    let mut told = life.transition(addrs, look);
    let way = match from {
        None if life.first_look || to == State::Closed => Between::default(),
        _ => life.between(from.unwrap_or(State::Closed), to),
    };
    Between { certain: told.via, possible: told.maybe } = way;
    let passed = match from {
        Some(_) => told.via.clone(),
        // Nobody has closed on the way there.
        None if before_fin(to) || to == State::Listen => Vec::new(),
        None => certain_since_birth(to, life.proof()),
    };
    passed.into_iter().chain([to]).for_each(|state| life.note_closer(state));
    told.roles = life.roles;
    (told.kind, told.after) = match from {
        Some(_) => (EventKind::Changed, Some(life.state_seen)),
        None if life.first_look => (EventKind::Present, None),
        None => (EventKind::Opened, absent),
    };
    life.way = None;
    life.first_look &= from.is_none();
    life.state = Some(to);
    life.since = look.end;
    life.state_seen = look.start;
    Some(told)
}
