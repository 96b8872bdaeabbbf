//! The pipeline: a reading in, events out. Joins the source, the tracker, the owners and the filters;
//! knows nothing of records and formats.

mod coverage;
pub(crate) mod hidden;
mod owners;
mod reporter;
mod single_poll;
pub(crate) mod sink;
mod status;
mod tally;

use crate::error::{Reason, Result, Unseen};
use crate::filter::Filter;
use crate::model::net_limits::NetLimits;
use crate::model::reading::{Lost, Reading};
use crate::model::tcp_info::TcpInfos;
use crate::model::time::Stamp;
use crate::owner::OwnerLookup;
use crate::recorder::Recorder;
use crate::signals::Signals;
use crate::source::net_limits::LimitFiles;
use crate::source::{ReadingContext, Source};
use crate::tracker::Collected;
use crate::tracker::namespaces::Trackers;
use coverage::Coverage;
use log::debug;
use reporter::{Batches, Destination, Reporter};
use sink::{MonitorSink, ReadingInfo};
use status::PollCount;
pub use status::SocketOrder;
use std::rc::Rc;

/// With this many sockets to look up, kernel events that came together are interrupted for it.
const MANY_LOOKUPS: usize = 256;

/// Follows the sockets that a filter asks for.
pub struct Monitor<'a> {
    source: Box<dyn Source + 'a>,
    recorder: Option<Recorder>,
    /// `None` where they are not known, as of a recording.
    limits: Option<LimitFiles>,
    tracker: Trackers,
    reporter: Reporter<'a>,
    polls: PollCount,
    /// When the last reading ended.
    read_at: Stamp,
    /// When the last poll ended.
    polled_at: Stamp,
    /// The source has more that came together with the last reading.
    has_more: bool,
    ambiguity_reported: bool,
    /// The first that was not seen since that was asked last.
    unseen: Option<Unseen>,
}

impl<'a> Monitor<'a> {
    /// Reads from `source`, and finds owners by `finder`.
    pub fn new(
        source: Box<dyn Source + 'a>,
        finder: Box<dyn OwnerLookup>,
        filter: &'a Filter,
    ) -> Self {
        Self {
            source,
            recorder: None,
            limits: None,
            tracker: Trackers::default(),
            reporter: Reporter::new(finder, filter),
            polls: PollCount::default(),
            read_at: Stamp::default(),
            polled_at: Stamp::default(),
            has_more: false,
            ambiguity_reported: false,
            unseen: None,
        }
    }

    /// Records the run. Its owners have to be those that are recorded, see
    /// [`OwnerLookup::is_recorded`].
    #[must_use]
    pub(crate) fn recorded_by(self, recorder: Recorder) -> Self {
        Self { recorder: Some(recorder), ..self }
    }

    /// Knows the limits of the network namespace that is read, from these files.
    #[must_use]
    pub(crate) fn with_limits(self, limits: LimitFiles) -> Self {
        Self { limits: Some(limits), ..self }
    }

    /// Waits for the next reading and pushes its events into `sink`, as far as the filters ask for
    /// their sockets; false when the run is over.
    ///
    /// # Errors
    /// What ends the run: see [`Source::next`].
    pub fn read(&mut self, stop: &Signals, sink: &mut dyn MonitorSink) -> Result<bool> {
        self.next(stop, &mut Some(sink))
    }

    /// Waits for the next reading and takes it in without reporting its events, where only the
    /// sockets as they are now matter; false when the run is over.
    ///
    /// # Errors
    /// What ends the run: see [`Source::next`].
    pub fn update(&mut self, stop: &Signals) -> Result<bool> {
        self.next(stop, &mut None)
    }

    fn next(&mut self, stop: &Signals, sink: &mut Destination<'_>) -> Result<bool> {
        let mut next = self.lookup()?;
        loop {
            if next.is_none() {
                next = self.next_reading(stop)?;
            }
            let Some(reading) = next.take() else { return Ok(false) };
            if self.process(reading, sink) {
                return Ok(true);
            }
        }
    }

    /// The next reading of the source. Where the run is recorded, it is one that is written.
    fn next_reading(&mut self, stop: &Signals) -> Result<Option<Reading>> {
        let Some(recorder) = &mut self.recorder else { return self.source.next(stop) };
        while !recorder.is_ready() {
            let reading = self.source.next(stop)?;
            if let Some(renewal) = recorder.renewal(stop.take_reopen_request(), reading.as_ref()) {
                recorder.renew(renewal, self.reporter.owners.finder.complete_update());
            }
            let Some(reading) = reading else {
                recorder.finish();
                break;
            };
            recorder.push(reading);
        }
        Ok(recorder.pop())
    }

    /// Looks up what the last readings left open, before anything else is read, but not between
    /// kernel events that came together, nor before a reading that the recorder holds.
    fn lookup(&mut self) -> Result<Option<Reading>> {
        if !self.source.can_look_up()
            || self.has_more && self.tracker.pending_lookups() < MANY_LOOKUPS
            || self.recorder.as_ref().is_some_and(Recorder::is_ready)
        {
            return Ok(None);
        }
        let lookups = match self.tracker.lookup_requests().as_slice() {
            [] => return Ok(None),
            requests => self.source.lookup(requests)?,
        };
        let Some(recorder) = &mut self.recorder else { return Ok(lookups) };
        if let Some(lookups) = lookups {
            recorder.push(lookups);
        }
        Ok(recorder.pop())
    }

    /// When the last reading ended.
    pub const fn read_at(&self) -> Stamp {
        self.read_at
    }

    /// What the kernel measured of connections with the last poll; `None` where that is not asked
    /// for.
    pub fn tcp_infos(&self) -> Option<Rc<TcpInfos>> {
        self.reporter.tcp_infos.clone()
    }

    /// Limits and counters of the network namespace now, as far as they are known.
    pub(crate) fn net_limits(&self) -> NetLimits {
        self.limits.as_ref().map(LimitFiles::read).unwrap_or_default()
    }

    /// How much of what happened was seen.
    pub fn coverage(&self) -> Coverage {
        let destroy_events_lost = self.tracker.destroy_events_lost();
        let open = self.matching().count();
        let interface = Some(self.source.interface());
        let of_all = !self.reporter.filter.process.is_empty();
        let filter = &self.reporter.filter;
        let any_state = filter.states.is_some() || filter.listening;
        let Reporter { hidden, tallies, .. } = &self.reporter;
        Coverage {
            open,
            undecided: tallies.undecided(),
            others_may_match: hidden.may_match(),
            without_owner: tallies.without_owner(),
            any_state,
            of_all,
            of_netns: !self.tracker.is_one(),
            destroy_events_lost,
            interface,
            ..self.reporter.coverage
        }
    }

    /// Warnings for the user, each once.
    pub fn warnings(&mut self) -> Vec<String> {
        let mut warnings = self.source_warnings();
        let Reporter { hidden, owners, tallies, .. } = &mut self.reporter;
        warnings.extend(owners.finder.warning());
        warnings.extend(hidden.warning(owners));
        warnings.extend(tallies.warning());
        warnings.extend(hidden.unshown_warning());
        if self.tracker.ambiguous() > 0 && !std::mem::replace(&mut self.ambiguity_reported, true) {
            warnings.push(
                "a TIME_WAIT timer was restarted (retransmitted FIN, or the 4-tuple was reused); /proc \
                 does not show which, so it is reported as a new socket"
                    .to_owned(),
            );
        }
        warnings
    }

    /// The warnings of the source and of the recorder, each once.
    pub fn source_warnings(&mut self) -> Vec<String> {
        let mut warnings = self.source.warnings();
        warnings.extend(self.recorder.iter_mut().flat_map(Recorder::take_warnings));
        warnings
    }

    /// What was not seen since this was asked last. To be asked after each reading: else only the
    /// first of several is known.
    pub(crate) fn take_unseen(&mut self) -> Vec<Unseen> {
        let mut unseen = self.source.take_unread();
        unseen.extend(self.unseen.take());
        unseen
    }

    /// Works on a reading; false if it is none of sockets.
    fn process(&mut self, reading: Reading, sink: &mut Destination<'_>) -> bool {
        match reading {
            Reading::OwnerUpdate(owners) => {
                self.reporter.owners.finder.apply(owners);
                return false;
            }
            Reading::Begin(_) => {
                self.restart();
                return false;
            }
            _ => {}
        }
        if let Reading::Lost(lost @ Lost { reason, count, .. }) = &reading {
            debug!("lost: {reason:?}, {count:?}");
            // What was lost before the first reading is not missing from the run.
            if self.read_at != Stamp::default() {
                self.unseen.get_or_insert(Unseen::Readings(self.polled_at, *lost));
            }
        }
        self.read_at = reading.time();
        if let Reading::Snapshot(snapshot) = &reading {
            self.polled_at = snapshot.end;
        }
        let ReadingContext { due, has_more, events_until, is_released, tcp_infos } =
            self.source.context();
        self.has_more = has_more;
        // This is known of the change that the source handed out last, not of a lookup after it.
        let is_released = is_released && matches!(reading, Reading::StateChange(_));
        if let Some(infos) = tcp_infos {
            self.reporter.tcp_infos = Some(Rc::new(infos));
        }
        self.reporter.owners.begin(&reading, is_released, events_until);
        if let Some(sink) = sink {
            let (at, interface) = (self.read_at, self.source.interface());
            let took = match &reading {
                Reading::Snapshot(snapshot) => Some(snapshot.end.since(snapshot.start)),
                _ => None,
            };
            sink.begin(ReadingInfo { at, due, took, interface, has_more });
        }
        let searched_again = if self.reporter.owners.finder.is_recorded() {
            self.report_whole(&reading, is_released, sink)
        } else {
            let (reporter, events) = (&mut self.reporter, Vec::new());
            let mut batches = Batches { reporter, sink, events, searched_again: false };
            self.tracker.update(&reading, &mut batches);
            batches.flush();
            batches.searched_again
        };
        if let Reading::Snapshot(snapshot) = reading {
            self.polls.add(&snapshot, self.tracker.left_out());
            let unread = match self.polls.unread() {
                Some(Reason::Namespaces(count)) => Some(Unseen::Namespaces(count, snapshot.end)),
                Some(_) => Some(Unseen::Rows(self.polls.bad_rows, snapshot.end)),
                None => None,
            };
            self.unseen = self.unseen.take().or(unread);
            self.source.recycle(snapshot.rows);
            self.settle_queued();
        }
        if searched_again {
            self.rematch();
        }
        self.reporter.forget_closed(&self.tracker);
        true
    }

    /// Reports all events of a reading at once, after the recorded owners have been updated by
    /// them. Returns whether sockets without a holder were searched for again.
    fn report_whole(
        &mut self,
        reading: &Reading,
        is_released: bool,
        sink: &mut Destination<'_>,
    ) -> bool {
        let mut collected = Collected::default();
        self.tracker.update(reading, &mut collected);
        let owners = &mut self.reporter.owners;
        let update = owners.finder.update(reading, &collected.events, is_released);
        if let Some(recorder) = &mut self.recorder {
            recorder.write(update.as_ref());
        }
        let shown = &mut self.tracker.shown_inodes();
        let searched_again = owners.search_new(collected.new_inodes, shown);
        self.reporter.report_all(collected.events, sink);
        searched_again
    }

    /// What was known of one run says nothing about the next.
    fn restart(&mut self) {
        self.tracker = Trackers::default();
        self.reporter.restart();
        self.polls = PollCount::default();
    }
}
