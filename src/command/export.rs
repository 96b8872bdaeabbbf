//! `export`: serves metrics of what the monitor reads, or writes them to a file.

use super::{monitor, print_hints, signals};
use crate::cli::ExportKey;
use crate::error::{Error, Result};
use crate::export::exposition::Exposition;
use crate::export::groups::GroupLabel;
use crate::export::metrics::{Metrics, Now};
use crate::export::published::Published;
use crate::export::server::{Address, Server};
use crate::export::textfile::TextFile;
use crate::model::event::MonitorEvent;
use crate::model::net_limits::PortRange;
use crate::monitor::Monitor;
use crate::monitor::sink::{MonitorSink, ReadingInfo};
use crate::output::messages::{self, Messages};
use crate::output::ready::Ready;
use crate::settings::export::{ExportSettings, MetricsTarget};
use crate::view::port_usage::port_usage;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// However often metrics are scraped, sockets are measured no more often than this.
const MEASURED_EVERY: Duration = Duration::from_secs(1);

/// Serves or writes metrics until the run is over.
///
/// # Errors
/// What ends the run before its time.
pub(crate) fn run(export: &ExportSettings) -> Result<()> {
    let settings = &export.settings;
    let mut ready = Ready::open(settings.ready_fd)?;
    print_hints(settings);
    // Nothing is printed there.
    let signals = signals(settings, settings.duration)?.ignore_closed_stdout();
    let mut messages = Messages::default();
    let mut outlet = Outlet::open(&export.target, settings.poll.interval)?;
    messages::print(outlet.announcement());
    let mut monitor = monitor(settings)?;
    let labels = export.by.iter().filter_map(|key| match key {
        ExportKey::Process => Some(GroupLabel::Process),
        ExportKey::Unit => Some(GroupLabel::Unit),
        ExportKey::Container => Some(GroupLabel::Container),
        ExportKey::LocalPort => Some(GroupLabel::LocalPort),
        ExportKey::State => None,
    });
    let metrics = Metrics::new(labels.collect(), export.limit, export.states());
    let mut counter = Counter { metrics, ports: port_range(&monitor) };
    while monitor.read(&signals, &mut counter)? {
        messages.print(monitor.warnings());
        if monitor.polls().taken > 0 && outlet.is_due() {
            messages.print(outlet.give(counter.exposition(&mut monitor))?);
        }
        ready.announce_first_poll(monitor.polls().taken);
    }
    if let Outlet::File { .. } = outlet {
        messages.print(outlet.give(counter.exposition(&mut monitor))?);
    }
    messages.print(monitor.warnings());
    Ok(())
}

/// Counts what the monitor reports.
struct Counter {
    metrics: Metrics,
    /// The ports that connect() chooses from.
    ports: PortRange,
}

impl MonitorSink for Counter {
    fn begin(&mut self, reading: ReadingInfo) {
        if let Some(took) = reading.took {
            self.metrics.add_poll(took);
        }
    }

    fn push(&mut self, events: Vec<MonitorEvent>) {
        let ports = self.ports;
        self.metrics.apply(&events, &|port| ports.contains(port));
    }
}

/// That of the network namespace, or else what a kernel has that nobody has configured.
fn port_range(monitor: &Monitor<'_>) -> PortRange {
    monitor.net_limits().ports.unwrap_or(PortRange::DEFAULT)
}

impl Counter {
    /// All metrics after the last reading.
    fn exposition(&mut self, monitor: &mut Monitor<'_>) -> Exposition {
        let (at, ports) = (monitor.read_at(), port_range(monitor));
        self.ports = ports;
        let now = Now {
            at,
            ports: port_usage(monitor.with_wanted_addrs(), ports, at, 0.0),
            missed: monitor.coverage().missed,
            undecided: monitor.doubtful(|_| true).len(),
            sockets: monitor.statuses_with_owners(),
        };
        self.metrics.exposition(now, &|port| ports.contains(port))
    }
}

/// Where metrics go.
enum Outlet {
    Server {
        server: Server,
        published: Arc<Published>,
        measured: Option<Instant>,
        /// Polls come so seldom that each is measured, so that metrics are never old.
        measures_all: bool,
    },
    File {
        file: TextFile,
        /// It was written, and since then could not be.
        has_failed: bool,
        was_written: bool,
    },
}

impl Outlet {
    fn open(target: &MetricsTarget, interval: Duration) -> Result<Self> {
        let address = match target {
            MetricsTarget::File(path) => {
                let file = TextFile::new(path);
                return Ok(Self::File { file, has_failed: false, was_written: false });
            }
            MetricsTarget::Tcp(address) => Address::Tcp(*address),
            MetricsTarget::Unix(path) => Address::Unix(path.clone()),
        };
        let published = Published::new()
            .map_err(|cause| Error::System { what: "open an eventfd", cause })
            .map(Arc::new)?;
        let server = Server::start(&address, Arc::clone(&published))?;
        let measures_all = interval >= MEASURED_EVERY;
        Ok(Self::Server { server, published, measured: None, measures_all })
    }

    /// What the user should know of the place.
    fn announcement(&self) -> Option<String> {
        match self {
            Self::Server { server, .. } if server.is_open() => Some(format!(
                "serving metrics at {}, without a password, to all who can connect",
                server.url()
            )),
            Self::Server { server, .. } => Some(format!("serving metrics at {}", server.url())),
            Self::File { .. } => None,
        }
    }

    /// Whether metrics are wanted now.
    fn is_due(&self) -> bool {
        match self {
            Self::Server { published, measured, measures_all, .. } => {
                let is_old = |at: Instant| at.elapsed() >= MEASURED_EVERY;
                measured.is_none_or(|at| is_old(at) && (*measures_all || published.is_wanted()))
            }
            Self::File { file, .. } => file.is_due(),
        }
    }

    /// Takes metrics; returns what the user should know.
    ///
    /// # Errors
    /// The file cannot be written, and never could be.
    fn give(&mut self, exposition: Exposition) -> Result<Option<String>> {
        match self {
            Self::Server { published, measured, .. } => {
                *measured = Some(Instant::now());
                published.publish(exposition);
                Ok(None)
            }
            Self::File { file, has_failed, was_written } => match file.write(&exposition) {
                Ok(()) => {
                    (*was_written, *has_failed) = (true, false);
                    Ok(None)
                }
                Err(error) if !*was_written => Err(error),
                Err(_) if *has_failed => Ok(None),
                Err(error) => {
                    *has_failed = true;
                    Ok(Some(format!("{error}; it is tried again")))
                }
            },
        }
    }
}
