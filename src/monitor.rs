//! The corridor: a reading in, records out. Joins the source, the tracker, the owners and the
//! filters; knows nothing of formats.

mod standing;
mod unowned;

use crate::coverage::Coverage;
use crate::error::Result;
use crate::filter::Filter;
use crate::owner::book::Book;
use crate::owner::{Among, Attribution, Finder, Holder, OwnerSource, Process};
use crate::reading::{Observation, Origin, Reading, Stamp};
use crate::source::Source;
use crate::stop::Stop;
use crate::tracker::Tracker;
use crate::transition::{Conclusion, Event, LifeId, Transition};
use crate::view::{News, Told};
use standing::Looks;
use std::collections::{HashMap, HashSet};
use unowned::Unowned;

/// So many questions are asked without waiting for the last of the events that came together.
const MANY: usize = 256;
/// Matches of lives that are over are dropped once there are this many.
const SLACK: usize = 4096;

/// Follows the sockets that a filter asks for.
pub struct Monitor<'a> {
    source: Box<dyn Source + 'a>,
    finder: Box<dyn Finder>,
    filter: &'a Filter,
    tracker: Tracker,
    book: Book,
    /// Who acted on a socket in its own system call, and when (boot time, µs).
    callers: HashMap<LifeId, (Process, u64)>,
    /// Lives that have once matched the filter by process: they stay matched.
    matched: HashSet<LifeId>,
    coverage: Coverage,
    unowned: Unowned,
    undecided_told: bool,
    /// The rows of the last pass.
    rows: Vec<Observation>,
    /// When the last reading ended.
    read_at: Stamp,
    looks: Looks,
    /// Inodes of sockets that were found with owners which do not match.
    others: HashSet<u64>,
}

impl<'a> Monitor<'a> {
    /// Reads from `source`, and has `finder` find the owners.
    pub fn new(source: Box<dyn Source + 'a>, finder: Box<dyn Finder>, filter: &'a Filter) -> Self {
        Self {
            source,
            finder,
            filter,
            tracker: Tracker::default(),
            book: Book::default(),
            callers: HashMap::new(),
            matched: HashSet::new(),
            coverage: Coverage::default(),
            unowned: Unowned::default(),
            undecided_told: false,
            rows: Vec::new(),
            read_at: Stamp::default(),
            looks: Looks::default(),
            others: HashSet::new(),
        }
    }

    /// The news of the next reading about the sockets that the filters ask for; `None` when the
    /// run is over.
    ///
    /// # Errors
    /// What ends the run: see [`Source::next`].
    pub fn read(&mut self, stop: &Stop) -> Result<Option<Vec<News>>> {
        let mut next = self.confirm()?;
        loop {
            if next.is_none() {
                next = self.source.next(stop)?;
            }
            let Some(reading) = next.take() else { return Ok(None) };
            if let Some(news) = self.take(reading)? {
                return Ok(Some(news));
            }
        }
    }

    /// What the last readings left open is asked before anything else is read, but not between
    /// kernel events that came together.
    fn confirm(&mut self) -> Result<Option<Reading>> {
        if self.source.has_more() && self.tracker.open_questions() < MANY {
            return Ok(None);
        }
        match self.tracker.questions().as_slice() {
            [] => Ok(None),
            questions => self.source.confirm(questions),
        }
    }

    /// When the last reading ended.
    pub const fn read_at(&self) -> Stamp {
        self.read_at
    }

    /// How much of what happened was seen.
    pub fn coverage(&self) -> Coverage {
        let (open, notices_lost) = (self.matched.len(), self.tracker.notices_lost());
        Coverage { open, notices_lost, ..self.coverage }
    }

    /// What the user should know, each thing once.
    pub fn notices(&mut self) -> Vec<String> {
        let mut notices = self.source_notices();
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

    /// What there is to know of the readings themselves, each thing once.
    pub fn source_notices(&mut self) -> Vec<String> {
        self.source.notices()
    }

    /// Which of the kernel's interfaces the readings come from.
    pub fn origin(&self) -> Origin {
        self.source.origin()
    }

    /// The news of a reading, if it is one of sockets.
    fn take(&mut self, reading: Reading) -> Result<Option<Vec<News>>> {
        match reading {
            Reading::Owners(owners) => {
                self.finder.learn(owners);
                return Ok(None);
            }
            Reading::Begin(_) => {
                self.begin_anew();
                return Ok(None);
            }
            _ => {}
        }
        self.read_at = reading.time();
        self.book.begin_round(self.read_at.boot);
        self.finder.begin_round(self.read_at.boot);
        let conclusions = self.tracker.update(&reading);
        if let Some(owners) = self.source.owners(&reading, &conclusions)? {
            self.finder.learn(owners);
        }
        let is_pass = matches!(reading, Reading::Snapshot(_));
        let is_event = matches!(reading, Reading::Change(_));
        if let Reading::Snapshot(snapshot) = reading {
            self.looks.take(&snapshot);
            self.rows = snapshot.rows;
        }
        self.find_new(is_pass);
        if is_event {
            self.recall(&conclusions);
        } else {
            self.prove(&conclusions);
        }
        let news = conclusions.into_iter().filter_map(|conclusion| match conclusion {
            Conclusion::Lost(lost) => {
                self.coverage.lost += lost.count.unwrap_or(1);
                Some(News::Lost(lost))
            }
            Conclusion::Missed(ends) => {
                let wanted = ends.is_none_or(|ends| self.filter.wants_ends(&ends));
                self.coverage.missed += u64::from(wanted);
                None
            }
            Conclusion::Transition(transition) => self.told(*transition),
        });
        let news = news.collect();
        self.forget_the_dead();
        Ok(Some(news))
    }

    /// What was known of one run says nothing about the next.
    fn begin_anew(&mut self) {
        self.tracker = Tracker::default();
        self.book = Book::default();
        self.callers.clear();
        self.matched.clear();
        self.rows.clear();
        self.others.clear();
        self.looks = Looks::default();
    }

    /// What is to be told of a transition, if the filters ask for its socket.
    fn told(&mut self, transition: Transition) -> Option<News> {
        let Transition { inode, last_inode, listener, from, to, life, .. } = transition;
        if let Some(caller) = &transition.caller {
            let process = self.finder.caller(caller, &self.filter.process);
            let process = self.best_known(life, process);
            self.callers.insert(life, (process, transition.time.boot));
        }
        let owner = self.owner(life, inode, last_inode, listener);
        let wanted = self.filter.wants_ends(&transition.ends);
        let passes = self.filter.wants_change(from, to);
        let told = Told { transition, owner, passes };
        let matches = self.matches(&told, wanted && passes);
        (matches && wanted).then(|| News::Told(Box::new(told)))
    }

    /// Drops what belongs to lives that are over, or were dropped without an end.
    fn forget_the_dead(&mut self) {
        let open = self.tracker.open();
        self.book.sweep(open, self.tracker.inodes());
        if self.matched.len() > 2 * open + SLACK {
            let alive: HashSet<LifeId> = self.tracker.ids().collect();
            self.matched.retain(|life| alive.contains(life));
            self.callers.retain(|life, _| alive.contains(life));
        }
    }

    /// Looks for the holders of sockets that nobody has looked for yet; where a process is asked
    /// for, now and then also of those that had none.
    fn find_new(&mut self, is_pass: bool) {
        let again = !self.filter.process.is_empty() && self.finder.looks_again();
        if !(is_pass || again) {
            return;
        }
        let unknown =
            |inode: &u64| !self.book.knows(*inode) || again && self.book.holders(*inode).is_empty();
        let inodes = self.rows.iter().map(|row| row.inode).filter(|inode| *inode != 0);
        let new: HashSet<u64> = inodes.filter(unknown).collect();
        self.find(self.among(), &new);
        if again {
            self.match_again();
        }
    }

    /// Where to look for holders: among the processes the filter can match. By user alone all
    /// count, since a socket of another user's process is not one without an owner.
    const fn among(&self) -> Among<'a> {
        let filter = &self.filter.process;
        if filter.needs_owner() { Among::Matching(filter) } else { Among::All(filter) }
    }

    fn find(&mut self, among: Among<'_>, wanted: &HashSet<u64>) {
        if !wanted.is_empty() {
            let found = self.finder.find(among, wanted);
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

    /// Makes sure of the holders known. Kernel events come by the thousand: they are no reason to
    /// look into every process, and who acted says so.
    fn recall(&mut self, conclusions: &[Conclusion]) {
        for conclusion in conclusions {
            if let Conclusion::Transition(told) = conclusion
                && told.inode != 0
                && self.filter.wants_ends(&told.ends)
            {
                self.still_proven(told.inode);
            }
        }
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
        let mut holders: Vec<Holder> = self.book.holders(inode).to_vec();
        holders.retain(|holder| self.holds(holder, inode));
        if !holders.is_empty() {
            // Whoever has let go since is no holder any more.
            self.book.confirm(inode, holders);
        }
        self.book.is_proven(inode)
    }

    fn holds(&mut self, holder: &Holder, inode: u64) -> bool {
        let comm = self.finder.still_holds(holder, inode);
        comm.is_some_and(|comm| {
            self.book.rename(holder, comm);
            true
        })
    }

    fn owner(&self, life: LifeId, inode: u64, last_inode: u64, listener: u64) -> Attribution {
        let found = self.book.attribute(inode, last_inode, listener, &self.filter.process);
        let Some((process, at)) = self.callers.get(&life) else { return found };
        let now = *at == self.read_at.boot;
        let seen_later = self.book.proven_at(last_inode) > *at;
        // A descriptor that was seen names the holder and its number; a system call only the
        // process.
        if found.source == OwnerSource::Proven || !found.holders.is_empty() && seen_later {
            return found;
        }
        let source = if now { OwnerSource::Proven } else { OwnerSource::Remembered };
        let main = self.book.named(last_inode, process.clone());
        Attribution { main: Some(main), holders: found.holders, source }
    }

    /// A process that could not be asked any more, as it was known when it acted before.
    fn best_known(&self, life: LifeId, process: Process) -> Process {
        let before = self.callers.get(&life).map(|(before, _)| before);
        let same = before.filter(|before| process.is_unknown() && before.pid == process.pid);
        same.cloned().unwrap_or(process)
    }

    /// Whether the filter by process holds, now or earlier in this life. Counts what cannot be
    /// decided among the sockets that would be shown.
    fn matches(&mut self, told: &Told, shown: bool) -> bool {
        let life = told.transition.life;
        let filter = &self.filter.process;
        let denied = told.owner.source == OwnerSource::Denied;
        let matches = filter.is_empty()
            || self.matched.contains(&life)
            || self.owner_passes(filter, &told.owner, told.transition.uid);
        let uid_decides = !filter.needs_owner() && told.transition.uid.is_some() && !denied;
        let ownerless = told.owner.main.is_none() && (denied || told.transition.last_inode == 0);
        if shown && ownerless && !uid_decides && told.transition.event != Event::Closed {
            self.unowned.count(matches, denied);
        }
        if told.transition.event == Event::Closed {
            self.matched.remove(&life);
            self.callers.remove(&life);
        } else if matches && self.matched.insert(life) {
            self.coverage.lives += 1;
        }
        matches
    }
}
