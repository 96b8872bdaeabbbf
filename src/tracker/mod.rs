//! Folds readings into transitions, one socket life at a time.
//!
//! Every pass is matched against the lives known so far (`matching`), and what it does not show
//! may have ended (`ending`), which exact look-ups confirm (`answers`). The kernel's own words
//! come beside the passes: notices of deaths (`deaths`) and events (`changes`). Two ends of one
//! connection on this machine learn from each other (`mirror`).

mod answers;
mod changes;
mod deaths;
mod ending;
mod matching;
mod mirror;

use crate::life::Life;
use crate::reading::{Ends, Look, Lost, LostReason, Question, Reading, Snapshot, Stamp};
use crate::tcp::path::{Between, certain_since_birth};
use crate::tcp::state::State;
use crate::transition::{Conclusion, Event, LifeId, Standing, Transition};
use answers::Asked;
use changes::Events;
use deaths::Unseen;
use std::collections::HashMap;

/// Passes in a row that must miss a socket before it is gone: of single misses under the worst
/// churn none was seen twice.
const PASSES_TO_CONFIRM: u8 = 2;

/// Follows every socket from its first row to its end.
#[derive(Debug, Default)]
pub struct Tracker {
    lives: HashMap<Ends, Vec<Life>>,
    count: usize,
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
    /// Lives that wait for the end of another to be concluded, by that one and its ends.
    waiting: HashMap<LifeId, (Ends, Vec<(Ends, LifeId)>)>,
    /// Lives that may or may not be the ones seen before.
    undecided: u64,
    /// What an exact look-up may decide.
    asked: Asked,
    /// What notices and events told that polls have yet to confirm.
    unseen: Unseen,
    notices_lost: bool,
    events: Events,
}

/// What the matching of one pass leaves to be told.
#[derive(Default)]
struct Work {
    /// Rows that no life with the same inode explains.
    leftover: Vec<usize>,
    /// Lives with news, by the row that brought them.
    touched: Vec<(usize, Ends, LifeId)>,
    /// How many lives the pass showed.
    seen: usize,
}

/// A life that a pass did not show.
struct Missing {
    ends: Ends,
    id: LifeId,
    inode: u64,
    gone: bool,
    /// A look-up may decide.
    asks: bool,
}

impl Missing {
    /// A life that is known to be over.
    const fn over(ends: Ends, life: &Life) -> Self {
        Self { ends, id: life.id, inode: life.last_inode, gone: true, asks: false }
    }
}

impl Tracker {
    /// Takes in a reading and returns what it proves, in the order to tell it.
    pub fn update(&mut self, reading: &Reading) -> Vec<Conclusion> {
        // Events that come together are asked about together.
        if !matches!(reading, Reading::Answers(_) | Reading::Change(_)) {
            self.asked = Asked::default();
        }
        match reading {
            Reading::Snapshot(snapshot) => self.take_snapshot(snapshot),
            Reading::Answers(answers) => self.take_answers(answers),
            Reading::Deaths(deaths) => self.take_deaths(deaths),
            Reading::Change(change) => self.take_change(change),
            Reading::Lost(lost) => {
                self.gap |= lost.reason == LostReason::Gap;
                if lost.reason == LostReason::Ring {
                    self.events.forget_names();
                }
                vec![Conclusion::Lost(*lost)]
            }
            // They say nothing of what sockets do.
            Reading::Owners(_) | Reading::Begin(_) => Vec::new(),
        }
    }

    /// Every life as it stands.
    pub fn standings(&self) -> impl Iterator<Item = Standing> {
        let of = |ends: &Ends, life: &Life| life.standing(*ends, self.netns);
        self.lives
            .iter()
            .flat_map(move |(ends, lives)| lives.iter().filter_map(move |life| of(ends, life)))
    }

    /// The sockets that the last reading did not show, and that an exact look-up may decide.
    pub fn questions(&self) -> Vec<Question> {
        self.asked.questions()
    }

    /// How many these are.
    pub fn open_questions(&self) -> usize {
        self.asked.count()
    }

    /// How many sockets are being followed.
    pub const fn open(&self) -> usize {
        self.count
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
    pub fn ids(&self) -> impl Iterator<Item = LifeId> {
        self.lives.values().flatten().map(|life| life.id)
    }

    /// Every inode that a life being followed refers to.
    pub fn inodes(&self) -> impl Iterator<Item = u64> {
        self.lives.values().flatten().flat_map(|life| [life.last_inode, life.listener])
    }

    fn take_snapshot(&mut self, snapshot: &Snapshot) -> Vec<Conclusion> {
        self.pass += 1;
        self.netns = snapshot.netns;
        if self.pass == 1 {
            let seconds = snapshot.end.wall / 1_000_000;
            self.run = u32::try_from(seconds).unwrap_or(u32::MAX);
        }
        let work = self.match_rows(snapshot);
        let mut told = Vec::new();
        let first = self.previous.is_none();
        let whole = self.judge_rows(snapshot, &mut told);
        self.compare_ends(&work.touched);
        let missing =
            if work.seen < self.count { self.reap(whole, &snapshot.look()) } else { Vec::new() };
        self.close(&missing, &snapshot.look(), &mut told);
        self.release(&mut told);
        self.tell_news(work.touched, &missing, &snapshot.look(), &mut told);
        if whole || self.previous.is_none() {
            self.previous = Some(snapshot.start);
        }
        self.gap = false;
        self.unseen.forget_before(snapshot.start);
        told.extend(self.take_early_changes(snapshot, first));
        told
    }

    /// Rows that cannot be read prove no absence: what is missing since then may be among them.
    fn judge_rows(&mut self, snapshot: &Snapshot, told: &mut Vec<Conclusion>) -> bool {
        let lost = snapshot.bad_rows.saturating_sub(self.bad_rows);
        self.bad_rows = snapshot.bad_rows;
        if lost > 0 {
            let (time, reason) = (snapshot.end, LostReason::Table);
            told.push(Conclusion::Lost(Lost { time, reason, count: Some(lost) }));
        }
        lost == 0
    }

    fn tell_news(
        &mut self,
        touched: Vec<(usize, Ends, LifeId)>,
        missing: &[Missing],
        look: &Look,
        told: &mut Vec<Conclusion>,
    ) {
        for (_, ends, id) in touched {
            let newborn = self.life(ends, id).is_some_and(|life| life.state.is_none());
            if newborn {
                self.settle(ends, id, missing);
            }
            let absent = self.previous;
            let Some(life) = self.life_mut(ends, id) else { continue };
            let Some(transition) = tell(life, ends, absent, look) else { continue };
            let corpse = transition.event == Event::Opened && life.is_corpse();
            told.extend(life.tell_or_withhold(transition));
            if corpse && !self.unseen.was_told(ends) {
                told.push(Conclusion::Missed(Some(ends)));
            }
        }
    }

    fn life(&self, ends: Ends, id: LifeId) -> Option<&Life> {
        self.lives.get(&ends)?.iter().find(|life| life.id == id)
    }

    fn life_mut(&mut self, ends: Ends, id: LifeId) -> Option<&mut Life> {
        self.lives.get_mut(&ends)?.iter_mut().find(|life| life.id == id)
    }

    fn forget(&mut self, ends: Ends, id: LifeId) -> Option<Life> {
        let lives = self.lives.get_mut(&ends)?;
        let place = lives.iter().position(|life| life.id == id)?;
        let life = lives.swap_remove(place);
        if lives.is_empty() {
            self.lives.remove(&ends);
        }
        self.count -= 1;
        Some(life)
    }
}

/// Moves a life to the state its latest row shows and says what that was: the one place where a
/// life's state changes. `absent` is the start of the last pass that can have missed a newborn.
fn tell(life: &mut Life, ends: Ends, absent: Option<Stamp>, look: &Look) -> Option<Transition> {
    let (from, to) = (life.state, life.now.state);
    if from == Some(to) {
        life.way = None;
        return None;
    }
    let mut told = life.transition(ends, look);
    let way = match from {
        None if life.first_look || to == State::Closed => Between::default(),
        _ => life.between(from.unwrap_or(State::Closed), to),
    };
    Between { certain: told.via, possible: told.maybe } = way;
    let passed = match from {
        Some(_) => told.via.clone(),
        None => certain_since_birth(to, life.proof()),
    };
    passed.into_iter().chain([to]).for_each(|state| life.note_closer(state));
    told.roles = life.roles;
    (told.event, told.after) = match from {
        Some(_) => (Event::Changed, Some(life.state_seen)),
        None if life.first_look => (Event::Present, None),
        None => (Event::Opened, absent),
    };
    life.way = None;
    life.first_look &= from.is_none();
    life.state = Some(to);
    life.since = look.end;
    life.state_seen = look.start;
    Some(told)
}
