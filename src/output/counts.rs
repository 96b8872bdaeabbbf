//! The counts of a run: what `--view summary` shows, and what SIGUSR1 prints of any run.

use super::renderers::group_key;
use crate::model::event::{MonitorEvent, SocketId, SocketStatus};
use crate::model::time::Stamp;
use crate::monitor::Monitor;
use crate::settings::OutputSettings;
use crate::view::Record;
use crate::view::group::GroupKey;
use crate::view::summary::Summary;
use crate::view::summary::findings::Findings;

/// Counts the sockets of a run.
pub(crate) struct RunCounts {
    /// By what the user asks for; `None` where that is the process, which is always counted.
    by: Option<Summary>,
    findings: Findings,
}

impl RunCounts {
    /// Counts as the settings ask for.
    pub(crate) fn new(output: &OutputSettings) -> Self {
        let by: Vec<GroupKey> = output.by.into_iter().flatten().map(group_key).collect();
        let other = by != [GroupKey::Process];
        Self { by: other.then(|| Summary::new(&by)), findings: Findings::default() }
    }

    /// The events that follow are of a reading that was complete at this instant.
    pub(crate) fn begin_reading(&mut self, at: Stamp) {
        self.findings.begin_reading(at);
        if let Some(summary) = &mut self.by {
            summary.begin_reading(at);
        }
    }

    /// Counts events of the reading.
    pub(crate) fn apply(&mut self, events: &[MonitorEvent]) {
        for event in events {
            if let MonitorEvent::Socket(event) = event {
                self.findings.apply(event);
                if let Some(summary) = &mut self.by {
                    summary.apply(event);
                }
            }
        }
    }

    /// All events of the reading were counted.
    pub(crate) fn end_reading(&mut self, monitor: &Monitor<'_>) {
        self.findings.end_reading(|| monitor.net_limits());
        if let Some(summary) = &mut self.by {
            summary.end_reading();
        }
    }

    /// Forgets the sockets of which track was lost.
    pub(crate) fn retain(&mut self, is_open: impl Fn(SocketId) -> bool) {
        self.findings.processes_mut().retain(&is_open);
        if let Some(summary) = &mut self.by {
            summary.retain(&is_open);
        }
    }

    /// The rows of the summary, and what is noteworthy. `with_owners`: the owners of all sockets are
    /// looked up first, which takes a while where there are many.
    pub(crate) fn records(&mut self, monitor: &mut Monitor<'_>, with_owners: bool) -> Vec<Record> {
        let sockets: Vec<SocketStatus> = if with_owners {
            let sockets = monitor.open_sockets();
            for (now, owner) in &sockets {
                self.update(now, owner);
            }
            sockets.into_iter().map(|(now, _)| now).collect()
        } else {
            let sockets: Vec<SocketStatus> = monitor.matching().collect();
            let is_new = |now: &&SocketStatus| !self.findings.processes().knows(now.socket.id);
            let new: Vec<SocketStatus> = sockets.iter().filter(is_new).cloned().collect();
            for now in new {
                let owner = monitor.current_owner(&now);
                self.update(&now, &owner);
            }
            sockets
        };
        // What was added belongs to the last reading.
        self.end_reading(monitor);
        let shown = self.by.as_ref().unwrap_or_else(|| self.findings.processes());
        let rows = shown.records(sockets.iter(), |state| monitor.shows_state(state));
        let limits = monitor.net_limits();
        let found = self.findings.records(&sockets, monitor.with_wanted_addrs(), limits);
        let rows = rows.into_iter().map(|row| Record::Summary(Box::new(row)));
        rows.chain(found.into_iter().map(|found| Record::Finding(Box::new(found)))).collect()
    }

    fn update(&mut self, now: &SocketStatus, owner: &crate::model::process::Attribution) {
        self.findings.processes_mut().update(now, owner);
        if let Some(summary) = &mut self.by {
            summary.update(now, owner);
        }
    }
}
