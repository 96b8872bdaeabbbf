//! A history as it is printed: through the monitor, as the records of every view.

use super::ledger::Ledger;
use super::readings::{HOLDER, Move, Script, Time};
use crate::support::record::{Life, Listed, OutputLine};
use std::cell::RefCell;
use tcplapse::testing::error::Result;
use tcplapse::testing::filter::{Filter, ProcessFilter};
use tcplapse::testing::model::event::{EventKind, MonitorEvent, SocketEvent};
use tcplapse::testing::model::reading::{Interface, LookupRequest, Reading};
use tcplapse::testing::monitor::{Monitor, SocketOrder};
use tcplapse::testing::owner::recorded::RecordedOwners;
use tcplapse::testing::signals::Signals;
use tcplapse::testing::source::Source;
use tcplapse::testing::view::Record;
use tcplapse::testing::view::diagram::Diagram;
use tcplapse::testing::view::event::EventRecord;
use tcplapse::testing::view::life::LifeHistories;
use tcplapse::testing::view::pairing::Pairing;
use tcplapse::testing::view::socket::SocketRecord;

thread_local! {
    /// Catches signals for good, and is therefore made once for all histories.
    static STOP: Signals = Signals::for_command(&[]).expect("signals can be caught");
}

/// A history as a source: the lookups that the monitor asks for are answered by the next reading.
struct Played {
    script: Script,
    asked: RefCell<Vec<LookupRequest>>,
}

impl Source for Played {
    fn next(&mut self, _: &Signals) -> Result<Option<Reading>> {
        Ok(self.script.next(&self.asked.take()))
    }

    fn lookup(&mut self, questions: &[LookupRequest]) -> Result<Option<Reading>> {
        self.asked.replace(questions.to_vec());
        Ok(None)
    }

    fn interface(&self) -> Interface {
        Interface::Trace
    }

    fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// Every view of one run.
struct Views {
    /// Not with a filter: the records of a socket that matches later do not begin at its beginning.
    ledger: Option<Ledger>,
    lives: LifeHistories,
    pairing: Pairing,
    diagram: Diagram,
}

/// Gives a history to all views, with or without a filter by process.
///
/// # Panics
/// If a record breaks its schema or contradicts those before.
pub(super) fn show(moves: Vec<Move>, of_a_process: bool) {
    let pids = if of_a_process { vec![HOLDER] } else { Vec::new() };
    let process = ProcessFilter { pids, ..ProcessFilter::default() };
    let filter = Filter { process, ..Filter::default() };
    let source = Played { script: Script::new(moves), asked: RefCell::default() };
    let mut monitor = Monitor::new(Box::new(source), Box::new(RecordedOwners::default()), &filter);
    let mut views = Views {
        ledger: (!of_a_process).then(|| Ledger::new(Time::Anyhow)),
        lives: LifeHistories::default(),
        pairing: Pairing::default(),
        diagram: Diagram::default(),
    };
    STOP.with(|stop| {
        let mut events = Vec::new();
        while monitor.read(stop, &mut events).expect("a script has no errors") {
            views.take(&std::mem::take(&mut events), &mut monitor);
        }
    });
}

impl Views {
    fn take(&mut self, news: &[MonitorEvent], monitor: &mut Monitor<'_>) {
        self.lives.apply(news);
        self.lives.end_reading(|| monitor.open_ids());
        for news in news {
            if let MonitorEvent::Socket(event) = news {
                self.report(event);
            }
        }
        self.pairing.expired(monitor.read_at());
        self.diagram.set_states(monitor.states());
        let at = monitor.read_at();
        for (now, owner) in monitor.sockets(SocketOrder::Kernel) {
            Listed::parse(&json(&Record::Socket(Box::new(SocketRecord::new(&now, at, owner)))));
        }
        for (now, owner) in monitor.open_sockets() {
            if let Some(life) = self.lives.so_far(&now, &owner, at, true) {
                Life::parse(&json(&Record::Life(Box::new(life))));
            }
        }
    }

    fn report(&mut self, event: &SocketEvent) {
        if let Some(ledger) = &mut self.ledger {
            ledger.enter(&event.transition);
        }
        self.diagram.apply(event);
        let addrs = event.transition.socket.addrs;
        let ended = self.lives.ended(event);
        match event.transition.kind {
            EventKind::Present | EventKind::Opened => self.pairing.socket_opened(addrs),
            EventKind::Changed => {}
            EventKind::Closed => {
                let life = ended.clone().expect("it has a life");
                Life::parse(&json(&Record::Life(Box::new(life))));
                self.pairing.socket_closed(addrs, ended);
            }
        }
        let record = EventRecord::new(event.clone(), Interface::Trace);
        OutputLine::parse(&json(&Record::Event(Box::new(record))));
    }
}

fn json(record: &Record) -> String {
    serde_json::to_string(record).expect("records are JSON")
}
