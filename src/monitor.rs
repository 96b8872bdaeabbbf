//! The corridor: a reading in, records out. Joins the source, the tracker, the owners and the
//! filters; knows nothing of formats.

use crate::error::Result;
use crate::filter::Filter;
use crate::owner::book::Book;
use crate::owner::scan::{Among, Scan};
use crate::owner::{Attribution, Holder, OwnerSource};
use crate::reading::{Reading, Snapshot};
use crate::source::Source;
use crate::stop::Stop;
use crate::tracker::Tracker;
use crate::transition::{Conclusion, Event, LifeId, Transition};
use crate::view::Record;
use crate::view::event::EventRecord;
use crate::view::socket::SocketRecord;
use std::collections::HashSet;

/// Matches of lives that are over are dropped once there are this many.
const SLACK: usize = 4096;
/// How often (µs) sockets without a known owner are looked for again: their process may have been
/// started, renamed or handed the descriptor after the first look.
const LOOK_AGAIN: u64 = 1_000_000;

/// Follows the sockets that a filter asks for.
pub struct Monitor<'a> {
    source: Box<dyn Source + 'a>,
    scan: Scan,
    filter: &'a Filter,
    tracker: Tracker,
    book: Book,
    /// Lives that have once matched the filter by process: they stay matched.
    matched: HashSet<LifeId>,
    /// How many lives have matched.
    lives: u64,
    unowned: Unowned,
    undecided_told: bool,
    /// The boot time (µs) from which on a socket without an owner is looked for again.
    look_again: u64,
}

/// Sockets whose owner is not known, until they have been told of.
#[derive(Debug, Default)]
struct Unowned {
    /// Not shown, because a filter by process cannot decide.
    hidden: u64,
    /// Of these, such as could belong to a process that may not be read.
    hidden_denied: u64,
    /// Shown, without the owner that may not be read.
    denied: u64,
    told: bool,
}

/// A transition and whose socket it is about.
struct Told {
    transition: Transition,
    owner: Attribution,
}

impl<'a> Monitor<'a> {
    /// Reads from `source`, and looks for owners with `scan`.
    pub fn new(source: Box<dyn Source + 'a>, scan: Scan, filter: &'a Filter) -> Self {
        Self {
            source,
            scan,
            filter,
            tracker: Tracker::default(),
            book: Book::default(),
            matched: HashSet::new(),
            lives: 0,
            unowned: Unowned::default(),
            undecided_told: false,
            look_again: 0,
        }
    }

    /// The events of the next reading that the filter asks for; `None` when the run is over.
    ///
    /// # Errors
    /// What ends the run: see [`Source::next`].
    pub fn events(&mut self, stop: &Stop) -> Result<Option<Vec<Record>>> {
        let Some(reading) = self.source.next(stop)? else { return Ok(None) };
        let filter = self.filter;
        let wanted = |told: &Transition| filter.wants_change(told.from, told.to);
        let records = self.told(&reading, wanted, |told| {
            Record::Event(Box::new(EventRecord::new(told.transition, &told.owner)))
        });
        Ok(Some(records))
    }

    /// The sockets of the next reading that the filter asks for; `None` when the run is over.
    ///
    /// # Errors
    /// What ends the run: see [`Source::next`].
    pub fn sockets(&mut self, stop: &Stop) -> Result<Option<Vec<Record>>> {
        let Some(reading) = self.source.next(stop)? else { return Ok(None) };
        let filter = self.filter;
        let rows = match &reading {
            Reading::Snapshot(snapshot) => snapshot.rows.as_slice(),
            Reading::Lost(_) => &[],
        };
        let wanted = |told: &Transition| filter.wants_state(told.to);
        let mut records = self.told(&reading, wanted, |told| {
            let row = &rows[told.transition.row];
            Record::Socket(Box::new(SocketRecord::new(&told.transition, row, &told.owner)))
        });
        // What could not be read of one look is a notice, no socket.
        records.retain(|record| matches!(record, Record::Socket(_)));
        Ok(Some(records))
    }

    /// How many lives matched, and how many of them go on.
    pub fn counts(&self) -> (u64, usize) {
        (self.lives, self.matched.len())
    }

    /// What the user should know, each thing once.
    pub fn notices(&mut self) -> Vec<String> {
        let mut notices = self.source.notices();
        notices.extend(self.unowned.notice());
        if self.tracker.undecided() > 0 && !std::mem::replace(&mut self.undecided_told, true) {
            notices.push(
                "the timer of a TIME_WAIT was set anew, by a repeated FIN or because its ends \
                 were used again; /proc does not tell which, so it is shown as a new socket"
                    .to_owned(),
            );
        }
        notices
    }

    fn told(
        &mut self,
        reading: &Reading,
        wanted: impl Fn(&Transition) -> bool,
        record: impl Fn(Told) -> Record,
    ) -> Vec<Record> {
        match reading {
            Reading::Snapshot(snapshot) => {
                self.book.begin_round(snapshot.end.boot);
                self.find_new(snapshot);
            }
            Reading::Lost(lost) => self.book.begin_round(lost.time.boot),
        }
        let conclusions = self.tracker.update(reading);
        self.prove(&conclusions);
        let mut records = Vec::new();
        for conclusion in conclusions {
            match conclusion {
                Conclusion::Lost(lost) => records.push(Record::Lost(lost)),
                Conclusion::Transition(transition) => {
                    let told = self.attribute(*transition);
                    let shown =
                        self.filter.wants_ends(&told.transition.ends) && wanted(&told.transition);
                    if self.matches(&told, shown) && shown {
                        records.push(record(told));
                    }
                }
            }
        }
        self.forget_the_dead();
        records
    }

    /// Drops what belongs to lives that are over, or were dropped without an end.
    fn forget_the_dead(&mut self) {
        let open = self.tracker.open();
        self.book.sweep(open, self.tracker.inodes());
        if self.matched.len() > 2 * open + SLACK {
            let alive: HashSet<LifeId> = self.tracker.ids().collect();
            self.matched.retain(|life| alive.contains(life));
        }
    }

    /// Looks for the holders of sockets that nobody has looked for yet; where a process is asked
    /// for, now and then also of those that had none.
    fn find_new(&mut self, snapshot: &Snapshot) {
        let now = snapshot.end.boot;
        let again = !self.filter.process.is_empty() && now >= self.look_again;
        if again {
            self.look_again = now + LOOK_AGAIN;
        }
        let unknown =
            |inode: &u64| !self.book.knows(*inode) || again && self.book.holders(*inode).is_empty();
        let inodes = snapshot.rows.iter().map(|row| row.inode).filter(|inode| *inode != 0);
        let new: HashSet<u64> = inodes.filter(unknown).collect();
        self.find(self.among(), &new);
    }

    /// Where to look for holders: among the processes the filter can match. By user alone all
    /// count, since a socket of another user's process is not one without an owner.
    const fn among(&self) -> Among<'a> {
        let filter = &self.filter.process;
        if filter.needs_owner() { Among::Matching(filter) } else { Among::All(filter) }
    }

    fn find(&mut self, among: Among<'_>, wanted: &HashSet<u64>) {
        if !wanted.is_empty() {
            let found = self.scan.find(among, wanted);
            self.book.learn(wanted, found);
        }
    }

    /// Makes sure that the holders of sockets with news still hold them, and looks again for
    /// those that do not, and for those never found.
    fn prove(&mut self, conclusions: &[Conclusion]) {
        let (mut doubtful, mut listeners) = (HashSet::new(), HashSet::new());
        for conclusion in conclusions {
            let Conclusion::Transition(told) = conclusion else { continue };
            if !self.filter.wants_ends(&told.ends) {
                continue;
            }
            if told.last_inode == 0 && !self.book.holders(told.listener).is_empty() {
                listeners.insert(told.listener);
            }
            if told.inode != 0 && !self.still_proven(told.inode) {
                doubtful.insert(told.inode);
            }
        }
        self.find(self.among(), &doubtful);
        // A listener speaks for what it has not accepted only if it has one holder among all
        // processes, whatever the filter.
        self.find(Among::All(&self.filter.process), &listeners);
        self.disown_newborns(conclusions);
    }

    /// Who held this inode in an earlier life is no owner of a new one.
    fn disown_newborns(&mut self, conclusions: &[Conclusion]) {
        for conclusion in conclusions {
            if let Conclusion::Transition(told) = conclusion
                && told.event == Event::Opened
            {
                self.book.disown(told.inode, told.time.boot);
            }
        }
    }

    /// Whether the holders of a socket were seen, for this reading, to hold it, or looked for.
    fn still_proven(&mut self, inode: u64) -> bool {
        if self.book.is_proven(inode) || self.book.just_looked_for(inode) {
            return true;
        }
        let holders: Vec<Holder> = self.book.holders(inode).to_vec();
        let all_hold = holders.iter().all(|holder| self.holds(holder, inode));
        if all_hold && !holders.is_empty() {
            self.book.confirm(inode);
        }
        self.book.is_proven(inode)
    }

    fn holds(&mut self, holder: &Holder, inode: u64) -> bool {
        let comm = self.scan.still_holds(holder, inode);
        comm.is_some_and(|comm| {
            self.book.rename(holder, comm);
            true
        })
    }

    fn attribute(&self, transition: Transition) -> Told {
        let Transition { inode, last_inode, listener, .. } = transition;
        let owner = self.book.attribute(inode, last_inode, listener, &self.filter.process);
        Told { transition, owner }
    }

    /// Whether the filter by process holds, now or earlier in this life. Counts what cannot be
    /// decided among the sockets that would be shown.
    fn matches(&mut self, told: &Told, shown: bool) -> bool {
        let life = told.transition.life;
        let filter = &self.filter.process;
        let denied = told.owner.source == OwnerSource::Denied;
        let matches = filter.is_empty()
            || self.matched.contains(&life)
            || if told.owner.main.is_some() {
                self.book.any_matches(&told.owner, filter)
            } else {
                filter.matches_socket_uid(told.transition.uid)
            };
        let uid_decides = !filter.needs_owner() && told.transition.uid.is_some() && !denied;
        let ownerless = told.owner.main.is_none() && (denied || told.transition.last_inode == 0);
        if shown && ownerless && !uid_decides && told.transition.event != Event::Closed {
            self.unowned.count(matches, denied);
        }
        if told.transition.event == Event::Closed {
            self.matched.remove(&life);
        } else if matches && self.matched.insert(life) {
            self.lives += 1;
        }
        matches
    }
}

impl Unowned {
    const fn count(&mut self, shown: bool, denied: bool) {
        let denied = denied as u64;
        if shown {
            self.denied += denied;
        } else {
            self.hidden += 1;
            self.hidden_denied += denied;
        }
    }

    /// Tells once how many sockets are not shown, or are shown without an owner.
    fn notice(&mut self) -> Option<String> {
        let count = |n: u64| format!("{n} socket{}", if n == 1 { "" } else { "s" });
        if self.told || self.hidden + self.denied == 0 {
            return None;
        }
        self.told = true;
        Some(match (self.hidden, self.hidden_denied) {
            (0, _) => format!(
                "the owners of {} cannot be told, because not all processes may be read",
                count(self.denied)
            ),
            (hidden, 0) => format!("{} without a known owner not shown", count(hidden)),
            (hidden, denied) => format!(
                "{} without a known owner not shown; {denied} of them could belong to processes \
                 that may not be read",
                count(hidden)
            ),
        })
    }
}
