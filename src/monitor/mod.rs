//! The pipeline: a reading in, news out. Joins the source, the tracker, the owners and the filters;
//! knows nothing of records and formats.

mod coverage;
pub(crate) mod hidden;
mod owners;
mod single_poll;
mod status;

use crate::error::Result;
use crate::filter::Filter;
use crate::model::event::{
    EventKind, MonitorEvent, SocketEvent, SocketId, TrackerEvent, Transition,
};
use crate::model::process::{Inodes, OwnerSource, Process};
use crate::model::reading::{Interface, Reading};
use crate::model::time::Stamp;
use crate::owner::OwnerLookup;
use crate::owner::table::OwnerTable;
use crate::signals::Signals;
use crate::source::Source;
use crate::tracker::Tracker;
use coverage::Coverage;
use hidden::Unowned;
use status::PollCount;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::Instant;

/// So many questions are asked without waiting for the last of the events that came together.
const MANY: usize = 256;
/// Matches of lives that are over are dropped once there are this many.
const SLACK: usize = 4096;

/// Follows the sockets that a filter asks for.
pub struct Monitor<'a> {
    source: Box<dyn Source + 'a>,
    finder: Box<dyn OwnerLookup>,
    filter: &'a Filter,
    tracker: Tracker,
    book: OwnerTable,
    /// Who acted on a socket in its own system call, and when (boot time, µs).
    callers: HashMap<SocketId, (Rc<Process>, u64)>,
    /// Lives that have once matched the filter by process, if there is one: they stay matched.
    matched: HashSet<SocketId>,
    coverage: Coverage,
    unowned: Unowned,
    undecided_told: bool,
    /// When the last reading ended.
    read_at: Stamp,
    looks: PollCount,
    /// Inodes of sockets that were found with owners which do not match.
    others: Inodes,
}

impl<'a> Monitor<'a> {
    /// Reads from `source`, and has `finder` find the owners.
    pub fn new(
        source: Box<dyn Source + 'a>,
        finder: Box<dyn OwnerLookup>,
        filter: &'a Filter,
    ) -> Self {
        Self {
            source,
            finder,
            filter,
            tracker: Tracker::default(),
            book: OwnerTable::default(),
            callers: HashMap::new(),
            matched: HashSet::new(),
            coverage: Coverage::default(),
            unowned: Unowned::default(),
            undecided_told: false,
            read_at: Stamp::default(),
            looks: PollCount::default(),
            others: Inodes::default(),
        }
    }

    /// Takes in the next reading, whatever is new; false when the run is over.
    ///
    /// # Errors
    /// What ends the run: see [`Source::next`].
    pub fn look(&mut self, stop: &Signals) -> Result<bool> {
        while let Some(conclusions) = self.conclude(stop)? {
            self.note(conclusions);
            if !self.has_more() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The news of the next reading about the sockets that the filters ask for, or of a great deal
    /// the next piece; `None` when the run is over.
    ///
    /// # Errors
    /// What ends the run: see [`Source::next`].
    pub fn read(&mut self, stop: &Signals) -> Result<Option<Vec<MonitorEvent>>> {
        Ok(self.conclude(stop)?.map(|conclusions| self.tell(conclusions)))
    }

    /// All the news of the next reading at once, for who draws or judges what there is.
    ///
    /// # Errors
    /// What ends the run: see [`Source::next`].
    pub fn read_whole(&mut self, stop: &Signals) -> Result<Option<Vec<MonitorEvent>>> {
        let mut news = self.read(stop)?;
        while let Some(news) = &mut news
            && self.has_more()
        {
            news.extend(self.read(stop)?.into_iter().flatten());
        }
        Ok(news)
    }

    /// What the next reading, or the next piece of it, proves.
    fn conclude(&mut self, stop: &Signals) -> Result<Option<Vec<TrackerEvent>>> {
        if self.has_more() {
            let conclusions = self.tracker.tell_more();
            self.prove(&conclusions);
            return Ok(Some(conclusions));
        }
        let mut next = self.lookup()?;
        loop {
            if next.is_none() {
                next = self.source.next(stop)?;
            }
            let Some(reading) = next.take() else { return Ok(None) };
            if let Some(conclusions) = self.take(reading)? {
                return Ok(Some(conclusions));
            }
        }
    }

    /// Whether there is more news of the last reading: until it is told, not every socket is in
    /// its place.
    pub const fn has_more(&self) -> bool {
        self.tracker.has_more()
    }

    /// What the last readings left open is asked before anything else is read, but not between
    /// kernel events that came together.
    fn lookup(&mut self) -> Result<Option<Reading>> {
        if self.source.has_more() && self.tracker.open_questions() < MANY {
            return Ok(None);
        }
        match self.tracker.questions().as_slice() {
            [] => Ok(None),
            questions => self.source.lookup(questions),
        }
    }

    /// When the last reading ended.
    pub const fn read_at(&self) -> Stamp {
        self.read_at
    }

    /// Until when nothing is read that cannot wait.
    pub fn due(&self) -> Option<Instant> {
        self.source.due()
    }

    /// How much of what happened was seen.
    pub fn coverage(&self) -> Coverage {
        let (open, notices_lost) = (self.matching().count(), self.tracker.notices_lost());
        Coverage { open, notices_lost, ..self.coverage }
    }

    /// What the user should know, each thing once.
    pub fn notices(&mut self) -> Vec<String> {
        let mut notices = self.source_notices();
        if !self.has_more() {
            notices.extend(self.unowned.notice());
        }
        if self.tracker.undecided() > 0 && !std::mem::replace(&mut self.undecided_told, true) {
            notices.push(
                "the timer of a TIME_WAIT seems to be set anew, by a repeated FIN or because its \
                 ends were used again; /proc does not tell which, so it is shown as a new socket"
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
    pub fn interface(&self) -> Interface {
        self.source.interface()
    }

    /// What a reading proves, if it is one of sockets.
    fn take(&mut self, reading: Reading) -> Result<Option<Vec<TrackerEvent>>> {
        match reading {
            Reading::OwnerUpdate(owners) => {
                self.finder.learn(owners);
                return Ok(None);
            }
            Reading::Begin(_) => {
                self.begin_anew();
                return Ok(None);
            }
            _ => {}
        }
        self.begin_round(reading.time());
        let mut conclusions = self.tracker.update(&reading);
        while self.source.tells_at_once() && self.has_more() {
            conclusions.append(&mut self.tracker.tell_more());
        }
        if let Some(owners) = self.source.owners(&reading, &conclusions)? {
            self.finder.learn(owners);
        }
        let is_pass = matches!(reading, Reading::Snapshot(_));
        let is_event = matches!(reading, Reading::StateChange(_));
        if let Reading::Snapshot(snapshot) = reading {
            self.looks.take(&snapshot, self.tracker.left_out());
            self.source.reuse(snapshot.rows);
        }
        self.find_new(is_pass);
        if is_event {
            self.recall(&conclusions);
        } else {
            self.prove(&conclusions);
        }
        Ok(Some(conclusions))
    }

    /// A reading ended: what was proven before it has to be proven again.
    fn begin_round(&mut self, read_at: Stamp) {
        self.read_at = read_at;
        self.book.begin_round(read_at.boot);
        self.finder.begin_round(read_at.boot);
    }

    /// The news among conclusions.
    fn tell(&mut self, conclusions: Vec<TrackerEvent>) -> Vec<MonitorEvent> {
        let news = conclusions.into_iter().filter_map(|conclusion| match conclusion {
            TrackerEvent::Lost(lost) => {
                self.coverage.lost += lost.count.unwrap_or(1);
                Some(MonitorEvent::Lost(lost))
            }
            TrackerEvent::Missed(addrs) => {
                let wanted = addrs.is_none_or(|addrs| self.filter.wants_addrs(&addrs));
                self.coverage.missed += u64::from(wanted);
                None
            }
            TrackerEvent::Transition(transition) => self.told(*transition),
        });
        let news = news.collect();
        self.forget_the_dead();
        news
    }

    /// Notes what is to be known of conclusions that nobody is told of.
    fn note(&mut self, mut conclusions: Vec<TrackerEvent>) {
        let unfiltered = self.filter.process.is_empty();
        conclusions.retain(|conclusion| match conclusion {
            // Of a socket that somebody holds there is nothing to be noted, nor of one that nobody
            // holds where all may be read.
            TrackerEvent::Transition(told) => {
                let settled = told.clues.last_inode != 0
                    && (!self.book.was_denied() || self.book.is_held(told.clues.last_inode));
                !(unfiltered && told.caller.is_none() && settled)
            }
            _ => true,
        });
        self.tell(conclusions);
    }

    /// What was known of one run says nothing about the next.
    fn begin_anew(&mut self) {
        self.tracker = Tracker::default();
        self.book = OwnerTable::default();
        self.callers.clear();
        self.matched.clear();
        self.others.clear();
        self.looks = PollCount::default();
    }

    /// What is to be told of a transition, if the filters ask for its socket.
    fn told(&mut self, transition: Transition) -> Option<MonitorEvent> {
        let Transition { clues, from, to, .. } = transition;
        let life = transition.socket.id;
        if let Some(caller) = &transition.caller {
            let process = self.finder.caller(caller, &self.filter.process);
            let process = self.best_known(life, process);
            self.callers.insert(life, (process, transition.time.boot));
        }
        let owner = self.owner(life, clues);
        let wanted = self.filter.wants_addrs(&transition.socket.addrs);
        let passes = self.filter.wants_change(from, to);
        let told = SocketEvent { transition, owner, passes };
        let matches = self.matches(&told, wanted && passes);
        (matches && wanted).then(|| MonitorEvent::Socket(Box::new(told)))
    }

    /// Drops what belongs to lives that are over, or were dropped without an end.
    fn forget_the_dead(&mut self) {
        let open = self.tracker.open();
        self.book.sweep(open, self.tracker.inodes());
        if self.matched.len().max(self.callers.len()) > 2 * open + SLACK {
            let alive: HashSet<SocketId> = self.tracker.ids().collect();
            self.matched.retain(|life| alive.contains(life));
            self.callers.retain(|life, _| alive.contains(life));
        }
    }

    /// Whether the filter by process holds, now or earlier in this life. Counts what cannot be
    /// decided among the sockets that would be shown.
    fn matches(&mut self, told: &SocketEvent, shown: bool) -> bool {
        let life = told.transition.socket.id;
        let filter = &self.filter.process;
        let denied = told.owner.source == OwnerSource::Denied;
        let matches = filter.is_empty()
            || self.matched.contains(&life)
            || told.owner.satisfies(filter, told.transition.clues.uid);
        let uid_decides = !filter.needs_owner() && told.transition.clues.uid.is_some() && !denied;
        let ownerless =
            told.owner.main.is_none() && (denied || told.transition.clues.last_inode == 0);
        if shown && ownerless && !uid_decides && told.transition.kind != EventKind::Closed {
            self.unowned.count(matches, denied);
        }
        let first = match told.transition.kind {
            EventKind::Closed => {
                self.matched.remove(&life);
                self.callers.remove(&life);
                false
            }
            // Without a filter each is told from its first sight on.
            event if filter.is_empty() => event != EventKind::Changed,
            _ => matches && self.matched.insert(life),
        };
        self.coverage.lives +=
            u64::from(first && self.filter.wants_addrs(&told.transition.socket.addrs));
        matches
    }
}
