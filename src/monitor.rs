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
}

/// Sockets whose owner is not known, until they have been told of.
#[derive(Debug, Default)]
struct Unowned {
    hidden: u64,
    denied: u64,
    told: bool,
    denied_told: bool,
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
        notices.extend(self.unowned.notice(self.filter.process.needs_owner()));
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
        self.book.begin_round();
        if let Reading::Snapshot(snapshot) = reading {
            self.find_new(snapshot);
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
        self.book.sweep(self.tracker.open(), self.tracker.inodes());
        records
    }

    /// Looks for the holders of sockets that nobody has looked for yet.
    fn find_new(&mut self, snapshot: &Snapshot) {
        let inodes = snapshot.rows.iter().map(|row| row.inode);
        let new: HashSet<u64> =
            inodes.filter(|inode| *inode != 0 && !self.book.knows(*inode)).collect();
        self.find(Among::Matching(&self.filter.process), &new);
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
            if told.inode != 0 && !self.still_proven(told) {
                doubtful.insert(told.inode);
            }
        }
        self.find(Among::Matching(&self.filter.process), &doubtful);
        // A listener speaks for what it has not accepted only if it has one holder among all
        // processes, whatever the filter.
        self.find(Among::All(&self.filter.process), &listeners);
    }

    /// Whether the holders of a socket were seen, for this reading, to hold it.
    fn still_proven(&mut self, told: &Transition) -> bool {
        let inode = told.inode;
        // Who holds what was there at the first look has just been looked for.
        if told.event == Event::Present || self.book.is_proven(inode) {
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
        let ownerless = told.owner.main.is_none() && (denied || told.transition.last_inode == 0);
        if shown && ownerless && told.transition.event != Event::Closed {
            self.unowned.hidden += u64::from(!matches);
            self.unowned.denied += u64::from(denied);
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
    /// Tells once how many sockets are not shown or have an owner that may not be read.
    fn notice(&mut self, hides: bool) -> Option<String> {
        let (hidden, denied) = (self.hidden, self.denied);
        let news = hides && hidden > 0 && !self.told || denied > 0 && !self.denied_told;
        if !news {
            return None;
        }
        self.told |= hides;
        self.denied_told |= denied > 0;
        let sockets = |count| if count == 1 { "1 socket" } else { "sockets" };
        let count =
            |n: u64| if n == 1 { sockets(n).to_owned() } else { format!("{n} {}", sockets(n)) };
        Some(match (hides, denied) {
            (true, 0) => format!("{} without a known owner not shown", count(hidden)),
            (true, denied) => format!(
                "{} without a known owner not shown; {denied} of them could belong to processes \
                 that may not be read",
                count(hidden)
            ),
            (false, denied) => format!(
                "the owners of {} cannot be told, because not all processes may be read",
                count(denied)
            ),
        })
    }
}
