//! A run as it is shown: a view, fed with one reading after the other.

use super::counts::RunCounts;
use super::run_state::RunState;
use super::timelines::as_text;
use crate::cli::FormatName;
use crate::model::event::{MonitorEvent, SocketStatus};
use crate::monitor::Monitor;
use crate::monitor::sink::ReadingInfo;
use crate::settings::OutputSettings;
use crate::view::life::LifeHistories;
use crate::view::{Record, Run, View, open_report};

/// A view, and the histories of the sockets it shows.
pub(crate) struct ShownRun {
    view: Box<dyn View>,
    histories: LifeHistories,
    counts: RunCounts,
    reading: Option<ReadingInfo>,
    /// What happened before is not shown, in microseconds since 1970; `None` shows everything.
    since: Option<i64>,
}

/// What follows from a reading as a whole.
pub(crate) struct EndOfReading {
    /// The records of the view.
    pub(crate) records: Vec<Record>,
    /// How many sockets there is no history of any more.
    pub(crate) lost_track: usize,
}

impl ShownRun {
    /// The view that the settings ask for; `max_count` as for [`ViewName::open`](crate::view::ViewName::open).
    pub(crate) fn open(output: &OutputSettings, max_count: Option<u64>) -> Self {
        let view = match output.format {
            FormatName::Html => open_report(),
            format => output.view.open(format == FormatName::Text, max_count),
        };
        let histories = LifeHistories::default();
        let counts = RunCounts::new(output);
        Self { view, histories, counts, reading: None, since: None }
    }

    /// Shows nothing that happened before this time, in microseconds since 1970.
    pub(crate) const fn hide_before(&mut self, since: Option<i64>) {
        self.since = since;
    }

    /// The view.
    pub(crate) fn view(&self) -> &dyn View {
        &*self.view
    }

    /// The events that follow are of this reading.
    pub(crate) fn begin_reading(&mut self, reading: ReadingInfo) {
        self.reading = Some(reading);
        if !self.is_hidden() {
            self.counts.begin_reading(reading.at);
        }
    }

    /// Whether the current reading is from before what is shown.
    pub(crate) fn is_hidden(&self) -> bool {
        let before = |since: i64| self.reading.is_some_and(|reading| reading.at.wall < since);
        self.since.is_some_and(before)
    }

    /// Takes in events of the current reading, and returns the records to print of them.
    pub(crate) fn apply(&mut self, events: Vec<MonitorEvent>) -> Vec<Record> {
        let Some(reading) = self.reading else { return Vec::new() };
        self.histories.apply(&events);
        if !self.is_hidden() {
            self.counts.apply(&events);
            return self.view.apply(events, (reading.at, reading.interface), &self.histories);
        }
        // A diagram counts what is shown; timelines join the ends of what began before.
        if !self.view.is_picture() {
            drop(self.view.apply(events, (reading.at, reading.interface), &self.histories));
        }
        Vec::new()
    }

    /// Ends the current reading, after all of its events.
    pub(crate) fn end_reading(&mut self, monitor: &mut Monitor<'_>) -> EndOfReading {
        if let Some(infos) = monitor.tcp_infos() {
            let info = |now: SocketStatus| {
                (now.socket.id, infos.of(now.socket.addrs, now.clues.inode, now.state))
            };
            self.histories.measure(&infos, monitor.matching().map(info));
        }
        let lost_track = self.histories.end_reading(|| monitor.open_ids());
        if lost_track > 0 {
            let histories = &self.histories;
            self.counts.retain(|id| histories.is_open(id));
        }
        if !self.is_hidden() {
            self.counts.end_reading(monitor);
        }
        let (view, mut run) = self.run(monitor);
        let mut records = view.end_reading(&mut run);
        if self.is_hidden() {
            records.clear();
        }
        EndOfReading { records, lost_track }
    }

    /// The records that a picture shows on a terminal now.
    pub(crate) fn frame(&mut self, monitor: &mut Monitor<'_>) -> Vec<Record> {
        let (view, mut run) = self.run(monitor);
        view.frame(&mut run)
    }

    /// The records for the end of the run.
    pub(crate) fn current(&mut self, monitor: &mut Monitor<'_>) -> Vec<Record> {
        let (view, mut run) = self.run(monitor);
        view.current(&mut run)
    }

    /// The timelines of the sockets that are open, and how much of the run was seen, as text for
    /// standard error.
    pub(crate) fn report(&mut self, output: &OutputSettings, monitor: &mut Monitor<'_>) -> Vec<u8> {
        let (_, mut run) = self.run(monitor);
        let mut lives = run.open_lives();
        run.name_peers(&mut lives);
        let counts = run.summary(true);
        as_text(output, lives, &counts, &run.coverage())
    }

    /// The view, and what it shows.
    fn run<'s, 'm, 'f>(
        &'s mut self,
        monitor: &'m mut Monitor<'f>,
    ) -> (&'s mut dyn View, RunState<'m, 's, 'f>) {
        let Self { view, histories, counts, .. } = self;
        (&mut **view, RunState { monitor, histories, counts })
    }
}
