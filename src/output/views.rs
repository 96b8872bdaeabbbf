//! The views: which records a run is shown as.
//!
//! A *view* turns the events of a run into *records* ([`crate::view`]), and a *renderer*
//! ([`crate::render`]) turns records into bytes. JSON and CSV are written of the records of any view;
//! as text each view has its own renderer. A view is a *stream*, which returns records as events
//! come, or a *picture* of what there is at one instant: on a terminal it is drawn again with every
//! reading (a table by [`crate::tui`]), in a pipe once at the end of the run.
//!
//! A new view has a name in `cli::ViewName`, and here an `impl View` and its line in [`open`].

mod report;

use super::counts::RunCounts;
use super::open_lives::{name_peers, open_lives};
use super::renderers::{clock, diagram_format, table_options};
use super::tty;
use crate::cli::{FormatName, ViewName};
use crate::model::event::{EventKind, MonitorEvent, SocketEvent, SocketId, SocketStatus};
use crate::model::process::Attribution;
use crate::monitor::Monitor;
use crate::monitor::SocketOrder;
use crate::monitor::sink::ReadingInfo;
use crate::render::Renderer;
use crate::render::diagram::DiagramRenderer;
use crate::render::events::EventsText;
use crate::render::socket_table::by_held::HeldTable;
use crate::render::summary::SummaryText;
use crate::render::timeline::TimelineText;
use crate::settings::OutputSettings;
use crate::view::Record;
use crate::view::diagram::Diagram;
use crate::view::event::EventRecord;
use crate::view::life::{LifeHistories, LifeRecord};
use crate::view::pairing::{Pairing, paired};
use crate::view::socket::SocketRecord;
use report::ReportView;
use std::cmp::Reverse;
use std::collections::HashSet;

/// The sockets as of the last reading, and their histories.
pub(crate) struct RunState<'m, 's, 'f> {
    /// The sockets there are.
    pub(crate) monitor: &'m mut Monitor<'f>,
    /// What was observed of each socket so far.
    pub(crate) histories: &'s mut LifeHistories,
    /// How many there are and were.
    pub(crate) counts: &'s mut RunCounts,
}

/// One way to show a run.
pub(crate) trait View {
    /// Takes in events of a reading, some or all of them, and returns the records to print of them:
    /// of a picture only what was lost. The events have been applied to `histories`.
    fn apply(
        &mut self,
        events: Vec<MonitorEvent>,
        reading: ReadingInfo,
        histories: &LifeHistories,
    ) -> Vec<Record>;

    /// Returns the records that follow from a reading as a whole, after all of its events.
    fn end_reading(&mut self, _: &mut RunState<'_, '_, '_>) -> Vec<Record> {
        Vec::new()
    }

    /// The records for the end of the run: what a picture shows then, what a stream has not printed.
    fn current(&mut self, run: &mut RunState<'_, '_, '_>) -> Vec<Record>;

    /// The records that a picture shows on a terminal now.
    fn frame(&mut self, run: &mut RunState<'_, '_, '_>) -> Vec<Record> {
        self.current(run)
    }

    /// The renderer of its records as text, or in a format that only this view has.
    fn renderer(&self, output: &OutputSettings) -> Box<dyn Renderer>;

    /// Whether it is a picture, not a stream.
    fn is_picture(&self) -> bool {
        false
    }

    /// Whether it shows as many events as wanted, so that the run may end.
    fn is_full(&self) -> bool {
        false
    }
}

/// The view that the settings ask for. A diagram is full with `max_count` events; of other views the
/// output counts the records.
pub(crate) fn open(output: &OutputSettings, max_count: Option<u64>) -> Box<dyn View> {
    match output.view {
        _ if output.format == FormatName::Html => Box::new(ReportView::default()),
        ViewName::Events => Box::new(EventsView),
        // Where it cannot be drawn.
        #[cfg(feature = "tui")]
        ViewName::Top => Box::new(EventsView),
        ViewName::Timeline => Box::new(TimelineView::new(output.format == FormatName::Text)),
        ViewName::Table => Box::new(TableView),
        ViewName::Summary => Box::new(SummaryView),
        ViewName::Diagram => Box::new(DiagramView { diagram: Diagram::default(), left: max_count }),
    }
}

impl RunState<'_, '_, '_> {
    /// The lives of the sockets that are open now and pass the filter by state.
    pub(crate) fn open_lives(&mut self) -> Vec<LifeRecord> {
        open_lives(self.monitor, self.histories)
    }

    /// See [`name_peers`].
    pub(crate) fn name_peers(&mut self, lives: &mut [LifeRecord]) {
        name_peers(self.monitor, lives);
    }
}

/// `--view events`: a record per transition.
struct EventsView;

impl View for EventsView {
    fn apply(
        &mut self,
        events: Vec<MonitorEvent>,
        reading: ReadingInfo,
        _: &LifeHistories,
    ) -> Vec<Record> {
        let record = |event| match event {
            MonitorEvent::Lost(lost) => Some(Record::Lost(lost)),
            MonitorEvent::Socket(event) if event.passes => {
                Some(Record::Event(Box::new(EventRecord::new(*event, reading.interface))))
            }
            MonitorEvent::Socket(_) => None,
        };
        events.into_iter().filter_map(record).collect()
    }

    fn current(&mut self, _: &mut RunState<'_, '_, '_>) -> Vec<Record> {
        Vec::new()
    }

    fn renderer(&self, output: &OutputSettings) -> Box<dyn Renderer> {
        let width = tty::width().map(usize::from);
        Box::new(EventsText::new(clock(output), tty::palette(output.color), output.header, width))
    }
}

/// `--view timeline`: a record per life when its socket closes, and at the end of the run one for each
/// socket that is open.
struct TimelineView {
    /// Joins the two sockets of a connection; `None` for scripts, which get every life by itself.
    pairing: Option<Pairing>,
    /// Lives that the reading has ended, and whose peers are to be named.
    without_peer: Vec<LifeRecord>,
}

impl TimelineView {
    fn new(for_people: bool) -> Self {
        Self { pairing: for_people.then(Pairing::default), without_peer: Vec::new() }
    }

    /// The lives that an event ended, and that need not wait for the other socket of their connection.
    fn ended(&mut self, event: &SocketEvent, histories: &LifeHistories) -> Vec<LifeRecord> {
        let addrs = event.transition.socket.addrs;
        let ended = histories.ended(event);
        match (&mut self.pairing, event.transition.kind) {
            (Some(pairing), EventKind::Present | EventKind::Opened) => {
                pairing.socket_opened(addrs);
            }
            (Some(pairing), EventKind::Closed) => return pairing.socket_closed(addrs, ended),
            _ => {}
        }
        ended.into_iter().collect()
    }
}

impl View for TimelineView {
    fn apply(
        &mut self,
        events: Vec<MonitorEvent>,
        _: ReadingInfo,
        histories: &LifeHistories,
    ) -> Vec<Record> {
        let mut records = Vec::new();
        for event in events {
            match event {
                MonitorEvent::Lost(lost) => records.push(Record::Lost(lost)),
                MonitorEvent::Socket(event) => {
                    for ended in self.ended(&event, histories) {
                        if self.pairing.is_some() && ended.lacks_peer() {
                            self.without_peer.push(ended);
                        } else {
                            records.push(life(ended));
                        }
                    }
                }
            }
        }
        records
    }

    fn end_reading(&mut self, run: &mut RunState<'_, '_, '_>) -> Vec<Record> {
        let Some(pairing) = &mut self.pairing else { return Vec::new() };
        let mut lives = std::mem::take(&mut self.without_peer);
        if run.histories.lost_track() > 0 {
            let sockets = run.monitor.open_sockets().into_iter().map(|(status, _)| status.socket);
            let open = sockets.filter(|socket| run.histories.is_open(socket.id));
            lives.extend(pairing.set_open(open.map(|socket| socket.addrs)));
        }
        let mut expired = pairing.expired(run.monitor.read_at());
        if !expired.is_empty() {
            let waited: HashSet<SocketId> = expired.iter().map(|life| life.socket.id).collect();
            expired.extend(run.open_lives());
            let has_waited = |life: &LifeRecord| {
                let other = life.peer.iter().map(|other| other.socket.id);
                other.chain([life.socket.id]).any(|id| waited.contains(&id))
            };
            lives.extend(paired(expired).into_iter().filter(has_waited));
        }
        run.name_peers(&mut lives);
        lives.into_iter().map(life).collect()
    }

    fn current(&mut self, run: &mut RunState<'_, '_, '_>) -> Vec<Record> {
        let mut lives = run.open_lives();
        if let Some(pairing) = &mut self.pairing {
            lives.extend(pairing.take_all());
            lives.sort_by_key(LifeRecord::order);
            lives = paired(lives);
            run.name_peers(&mut lives);
        }
        lives.into_iter().map(life).collect()
    }

    fn renderer(&self, output: &OutputSettings) -> Box<dyn Renderer> {
        let width = tty::width().map(usize::from);
        Box::new(TimelineText { clock: clock(output), palette: tty::palette(output.color), width })
    }
}

fn life(life: LifeRecord) -> Record {
    Record::Life(Box::new(life))
}

/// `--view table`: the sockets there are now, longest in their state first.
struct TableView;

impl View for TableView {
    fn apply(
        &mut self,
        events: Vec<MonitorEvent>,
        _: ReadingInfo,
        _: &LifeHistories,
    ) -> Vec<Record> {
        losses(events)
    }

    fn current(&mut self, run: &mut RunState<'_, '_, '_>) -> Vec<Record> {
        let (at, infos) = (run.monitor.read_at(), run.monitor.tcp_infos());
        let record = |(now, owner): (SocketStatus, Attribution)| {
            SocketRecord::new(&now, at, owner).with_tcp_info(infos.as_deref())
        };
        let mut sockets: Vec<_> = run.monitor.sockets(SocketOrder::Kernel).map(record).collect();
        sockets.sort_by_key(|socket| Reverse(socket.held));
        sockets.into_iter().map(Box::new).map(Record::Socket).collect()
    }

    fn renderer(&self, output: &OutputSettings) -> Box<dyn Renderer> {
        Box::new(HeldTable::new(table_options(output), tty::width()))
    }

    fn is_picture(&self) -> bool {
        true
    }
}

/// `--view diagram`: how often each edge was passed, and how many sockets are in each state now.
struct DiagramView {
    diagram: Diagram,
    /// How many more events it counts; `None` for all.
    left: Option<u64>,
}

impl View for DiagramView {
    fn apply(
        &mut self,
        events: Vec<MonitorEvent>,
        _: ReadingInfo,
        _: &LifeHistories,
    ) -> Vec<Record> {
        for event in sockets(&events) {
            if !self.is_full() {
                self.diagram.apply(event);
                self.left = self.left.map(|left| left - 1);
            }
        }
        losses(events)
    }

    fn current(&mut self, run: &mut RunState<'_, '_, '_>) -> Vec<Record> {
        self.diagram.set_states(run.monitor.states());
        vec![Record::Diagram(Box::new(self.diagram.clone()))]
    }

    fn renderer(&self, output: &OutputSettings) -> Box<dyn Renderer> {
        let (palette, width) = (tty::palette(output.color), tty::width_or_80());
        Box::new(DiagramRenderer { format: diagram_format(output.format), palette, width })
    }

    fn is_picture(&self) -> bool {
        true
    }

    fn is_full(&self) -> bool {
        self.left == Some(0)
    }
}

/// `--view summary`: how many sockets there are and were, by group and state.
struct SummaryView;

impl View for SummaryView {
    fn apply(
        &mut self,
        events: Vec<MonitorEvent>,
        _: ReadingInfo,
        _: &LifeHistories,
    ) -> Vec<Record> {
        losses(events)
    }

    fn current(&mut self, run: &mut RunState<'_, '_, '_>) -> Vec<Record> {
        run.counts.records(run.monitor, true)
    }

    fn frame(&mut self, run: &mut RunState<'_, '_, '_>) -> Vec<Record> {
        run.counts.records(run.monitor, false)
    }

    fn renderer(&self, output: &OutputSettings) -> Box<dyn Renderer> {
        Box::new(SummaryText::new(tty::palette(output.color), output.header, tty::width()))
    }

    fn is_picture(&self) -> bool {
        true
    }
}

/// The events of sockets that pass the filter by state.
fn sockets(events: &[MonitorEvent]) -> impl Iterator<Item = &SocketEvent> {
    events.iter().filter_map(|event| match event {
        MonitorEvent::Socket(event) if event.passes => Some(&**event),
        _ => None,
    })
}

/// Records of the readings or events that were lost.
fn losses(events: Vec<MonitorEvent>) -> Vec<Record> {
    let lost = |event| match event {
        MonitorEvent::Lost(lost) => Some(Record::Lost(lost)),
        MonitorEvent::Socket(_) => None,
    };
    events.into_iter().filter_map(lost).collect()
}
