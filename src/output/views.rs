//! What a run is shown as: the news of every reading become records, in one of the views.

use crate::cli::{FormatName, ViewName};
use crate::model::event::{EventKind, MonitorEvent, SocketId, SocketStatus};
use crate::model::process::Attribution;
use crate::monitor::Monitor;
use crate::monitor::sink::ReadingInfo;
use crate::settings::OutputSettings;
use crate::view::Record;
use crate::view::diagram::Diagram;
use crate::view::event::EventRecord;
use crate::view::life::{LifeRecord, Lives};
use crate::view::pairing::{Conversations, paired};
use crate::view::socket::SocketRecord;
use std::collections::HashSet;
use std::time::Duration;

/// How long a socket that has gone is still shown.
const FADING: Duration = Duration::from_secs(2);

/// What a view may ask when there is news.
pub(crate) struct Now<'m, 'f> {
    /// Who reads: knows the sockets there are.
    pub(crate) monitor: &'m mut Monitor<'f>,
    /// The lives so far, and those that the news ended.
    pub(crate) lives: &'m mut Lives,
}

/// One way to show a run. A stream gives records as they come; a picture gives what it shows when
/// it is drawn: again and again on a terminal, once at the end of the run in a pipe.
pub(crate) trait View {
    /// Takes in events of a reading, some or all; returns what a stream prints of them. `lives`
    /// know them already.
    fn push(
        &mut self,
        events: Vec<MonitorEvent>,
        reading: ReadingInfo,
        lives: &Lives,
    ) -> Vec<Record>;

    /// All events of a reading were taken in; returns what a stream prints besides.
    fn end_reading(&mut self, _: &mut Now<'_, '_>) -> Vec<Record> {
        Vec::new()
    }

    /// What a picture shows now, or what a stream has not told yet.
    fn so_far(&mut self, now: &mut Now<'_, '_>) -> Vec<Record>;

    /// Whether it shows all that it was asked for.
    fn is_full(&self) -> bool {
        false
    }

    /// Whether it is a picture: on a terminal it is drawn again with every reading.
    fn is_picture(&self) -> bool {
        false
    }

    /// What a picture shows on a terminal, beside what there is.
    fn picture(&mut self, now: &mut Now<'_, '_>) -> Vec<Record> {
        self.so_far(now)
    }
}

/// The view that the settings ask for; a diagram is full with `max_count` events.
pub(crate) fn open(print: &OutputSettings, max_count: Option<u64>) -> Box<dyn View> {
    match print.view {
        ViewName::Events => Box::new(Events),
        ViewName::Timeline => Box::new(Timeline::new(print.format == FormatName::Text)),
        ViewName::Table => Box::new(Table::default()),
        ViewName::Diagram => Box::new(Counts { diagram: Diagram::default(), left: max_count }),
    }
}

impl Now<'_, '_> {
    /// The lives that go on.
    pub(crate) fn open_lives(&mut self) -> Vec<LifeRecord> {
        let at = self.monitor.read_at();
        let wanted: HashSet<SocketId> = self.monitor.statuses().map(|now| now.socket.id).collect();
        let lives = self.monitor.open_sockets().into_iter();
        let record = |(now, owner): (SocketStatus, Attribution)| {
            self.lives.so_far(&now, &owner, at, wanted.contains(&now.socket.id))
        };
        lives.filter_map(record).collect()
    }
}

/// A line per transition.
struct Events;

impl View for Events {
    fn push(&mut self, events: Vec<MonitorEvent>, reading: ReadingInfo, _: &Lives) -> Vec<Record> {
        let record = |event| match event {
            MonitorEvent::Lost(lost) => Some(Record::Lost(lost)),
            MonitorEvent::Socket(event) if event.passes => {
                Some(Record::Event(Box::new(EventRecord::new(*event, reading.interface))))
            }
            MonitorEvent::Socket(_) => None,
        };
        events.into_iter().filter_map(record).collect()
    }

    fn so_far(&mut self, _: &mut Now<'_, '_>) -> Vec<Record> {
        Vec::new()
    }
}

/// A block per life, when it is over.
struct Timeline {
    /// Joins both ends of a connection; scripts get every life by itself.
    conversations: Option<Conversations>,
}

impl Timeline {
    fn new(for_people: bool) -> Self {
        Self { conversations: for_people.then(Conversations::default) }
    }

    fn over(&mut self, news: &MonitorEvent, lives: &Lives) -> Vec<LifeRecord> {
        let MonitorEvent::Socket(told) = news else { return Vec::new() };
        let (event, addrs) = (told.transition.kind, told.transition.socket.addrs);
        let ended = lives.ended(told);
        match (&mut self.conversations, event) {
            (Some(conversations), EventKind::Present | EventKind::Opened) => {
                conversations.begin(addrs);
            }
            (Some(conversations), EventKind::Closed) => return conversations.end(addrs, ended),
            _ => {}
        }
        ended.into_iter().collect()
    }
}

impl View for Timeline {
    fn push(&mut self, events: Vec<MonitorEvent>, _: ReadingInfo, lives: &Lives) -> Vec<Record> {
        let mut records = Vec::new();
        for event in events {
            records.extend(self.over(&event, lives).into_iter().map(life));
            records.extend(losses(vec![event]));
        }
        records
    }

    fn end_reading(&mut self, now: &mut Now<'_, '_>) -> Vec<Record> {
        let mut records = Vec::new();
        let Some(conversations) = &mut self.conversations else { return records };
        if now.lives.lost_track() > 0 {
            let open = now.monitor.open_sockets().into_iter().map(|(socket, _)| socket);
            let open = open.filter(|socket| now.lives.is_open(socket.socket.id));
            records.extend(
                conversations.retain(open.map(|socket| socket.socket.addrs)).into_iter().map(life),
            );
        }
        let mut overdue = conversations.overdue(now.monitor.read_at());
        if !overdue.is_empty() {
            let waited: HashSet<SocketId> = overdue.iter().map(|life| life.socket.id).collect();
            overdue.extend(now.open_lives());
            let told = |life: &LifeRecord| {
                let other = life.other_end.iter().map(|other| other.socket.id);
                other.chain([life.socket.id]).any(|id| waited.contains(&id))
            };
            records.extend(paired(overdue).into_iter().filter(told).map(life));
        }
        records
    }

    fn so_far(&mut self, now: &mut Now<'_, '_>) -> Vec<Record> {
        let open = now.open_lives();
        let lives = match &mut self.conversations {
            Some(conversations) => {
                let mut lives = conversations.rest();
                lives.extend(open);
                lives.sort_unstable_by_key(|life| life.socket.id);
                paired(lives)
            }
            None => open,
        };
        lives.into_iter().map(life).collect()
    }
}

fn life(life: LifeRecord) -> Record {
    Record::Life(Box::new(life))
}

/// The sockets there are now.
#[derive(Default)]
struct Table {
    /// Sockets that have gone, to be shown for a moment.
    gone: Vec<SocketRecord>,
}

impl View for Table {
    fn push(&mut self, events: Vec<MonitorEvent>, reading: ReadingInfo, _: &Lives) -> Vec<Record> {
        let at = reading.at;
        self.gone.retain(|socket| at.since(socket.time) < FADING);
        for event in &events {
            if let MonitorEvent::Socket(event) = event
                && event.transition.kind == EventKind::Closed
                && event.passes
            {
                self.gone.push(SocketRecord::gone(event));
            }
        }
        losses(events)
    }

    fn so_far(&mut self, now: &mut Now<'_, '_>) -> Vec<Record> {
        let at = now.monitor.read_at();
        let record =
            |(now, owner): (SocketStatus, Attribution)| SocketRecord::new(&now, at, &owner);
        let mut sockets: Vec<_> = now.monitor.sockets().map(record).collect();
        sockets.sort_by_key(|socket| std::cmp::Reverse(socket.held));
        sockets.into_iter().map(|socket| Record::Socket(Box::new(socket))).collect()
    }

    fn is_picture(&self) -> bool {
        true
    }

    fn picture(&mut self, now: &mut Now<'_, '_>) -> Vec<Record> {
        let mut records = self.so_far(now);
        let at = now.monitor.read_at();
        for socket in &self.gone {
            let held = Some(at.since(socket.time));
            records.push(Record::Socket(Box::new(SocketRecord { held, ..socket.clone() })));
        }
        records
    }
}

/// How often every step was made.
struct Counts {
    diagram: Diagram,
    /// How many more events it takes in.
    left: Option<u64>,
}

impl View for Counts {
    fn push(&mut self, events: Vec<MonitorEvent>, _: ReadingInfo, _: &Lives) -> Vec<Record> {
        for event in &events {
            if let MonitorEvent::Socket(event) = event
                && event.passes
                && !self.is_full()
            {
                self.diagram.take(event);
                self.left = self.left.map(|left| left - 1);
            }
        }
        losses(events)
    }

    fn so_far(&mut self, now: &mut Now<'_, '_>) -> Vec<Record> {
        self.diagram.stand(now.monitor.states());
        vec![Record::Diagram(Box::new(self.diagram.clone()))]
    }

    fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    fn is_picture(&self) -> bool {
        true
    }
}

/// All that a picture tells between the times it is drawn.
pub(crate) fn losses(news: Vec<MonitorEvent>) -> Vec<Record> {
    let lost = |news| match news {
        MonitorEvent::Lost(lost) => Some(Record::Lost(lost)),
        MonitorEvent::Socket(_) => None,
    };
    news.into_iter().filter_map(lost).collect()
}
