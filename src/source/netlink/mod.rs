//! Polls sock_diag on an interval, and receives destroy events in between.

pub(crate) mod bytecode;
mod chosen;
pub(crate) mod client;
pub(crate) mod destroy;
mod devices;
pub(super) mod kernel_times;
pub(super) mod listeners;
pub(super) mod open;
pub(crate) mod tcp_info;
pub(super) mod tcp_infos;
pub(crate) mod wire;

use super::clock::stamp;
use super::namespace::{namespace, own_process};
use super::poll::{PollTimer, continues, recycled};
use super::{ReadingContext, Source};
use crate::error::Result;
use crate::model::binding::DeviceName;
use crate::model::counted::counted;
use crate::model::reading::{Interface, LookupRequest, Reading, Snapshot};
use crate::model::socket_row::SocketRow;
use crate::model::tcp_info::TcpInfos;
use crate::model::wanted::WantedRows;
use crate::settings::{OWN_PROCFS, PollSettings};
use crate::signals::{Signals, Wake};
use chosen::ChosenRows;
use client::SockDiag;
use destroy::DestroyListener;
use kernel_times::KernelTimesQuery;
use rustix::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};
use tcp_infos::TcpInfoQuery;

/// Destroy events that follow each other faster are received together: thousands in a second must
/// not wake us thousands of times.
const PAUSE: Duration = Duration::from_millis(5);

/// Dumps the sockets of the caller's network namespace, and looks them up.
#[derive(Debug)]
pub(super) struct Dumps {
    client: SockDiag,
    chosen: ChosenRows,
    netns: Option<u64>,
    /// Memory for the rows of the next snapshot.
    spare_rows: Vec<SocketRow>,
    times: KernelTimesQuery,
    infos: TcpInfoQuery,
    /// Sockets that are merely bound are dumped, too.
    bound: bool,
}

/// The sockets of the caller's network namespace.
#[derive(Debug)]
pub(crate) struct Netlink {
    dumps: Dumps,
    listener: DestroyListener,
    timer: PollTimer,
    /// Until then destroy events gather.
    pause_end: Instant,
    /// Destroy events were received for the poll that is due.
    has_received: bool,
    /// The user has been warned of messages that cannot be understood.
    has_warned: bool,
    warnings: Vec<String>,
}

impl Dumps {
    /// Opens a client for the wanted sockets.
    ///
    /// # Errors
    /// [`crate::error::Error::Netlink`] where the kernel does not answer.
    pub(super) fn open(wanted: &WantedRows, settings: &PollSettings) -> Result<Self> {
        let chosen = ChosenRows::new(wanted);
        Ok(Self {
            client: SockDiag::open()?,
            times: KernelTimesQuery::new(Path::new(OWN_PROCFS), settings, chosen.program()),
            infos: TcpInfoQuery::new(settings, chosen.program()),
            chosen,
            netns: namespace(&own_process(Path::new(OWN_PROCFS))),
            bound: settings.bound,
            spare_rows: Vec::new(),
        })
    }

    /// Dumps the sockets once.
    ///
    /// # Errors
    /// [`crate::error::Error::Netlink`]
    pub(super) fn snapshot(&mut self) -> Result<Snapshot> {
        let start = stamp();
        let mut rows = std::mem::take(&mut self.spare_rows);
        let mut bad_rows = self.client.dump_chosen(&self.chosen, &mut rows)?;
        if self.bound {
            let family = self.chosen.family.filter(|_| !self.chosen.other_listeners);
            bad_rows += self.client.dump_bound(family, &mut rows)?;
        }
        self.times.add(&mut rows, Some(&mut self.client));
        self.infos.read(Some(&mut self.client));
        Ok(Snapshot {
            start,
            end: stamp(),
            netns: self.netns,
            rows,
            bad_rows,
            ..Snapshot::default()
        })
    }

    /// The sockets in SYN_SENT, and the listeners.
    ///
    /// # Errors
    /// [`crate::error::Error::Netlink`]
    #[cfg(feature = "bpf")]
    pub(super) fn opening(&mut self) -> Result<Vec<SocketRow>> {
        use crate::model::socket::Family;
        use crate::tcp::state::State;
        use wire::{Selection, StateMask};
        let states = StateMask::of([State::SynSent, State::Listen]);
        let mut rows = Vec::new();
        for family in [Family::Ipv4, Family::Ipv6] {
            self.client.dump(family, Selection::In(states), &mut rows)?;
        }
        Ok(rows)
    }

    /// What an interface of the network namespace is called; `None` where it is gone.
    #[cfg_attr(not(feature = "bpf"), allow(dead_code))]
    pub(super) fn device_name(&self, ifindex: u32) -> Option<DeviceName> {
        self.client.device_name(ifindex)
    }

    /// What the last dump found out about connections; once.
    pub(super) fn take_tcp_infos(&mut self) -> Option<TcpInfos> {
        self.infos.take()
    }

    /// Takes back rows that are done with.
    pub(super) fn recycle(&mut self, rows: Vec<SocketRow>) {
        self.spare_rows = recycled(rows);
    }

    /// Looks up sockets, see [`SockDiag::lookup`].
    pub(super) fn lookup(&mut self, requests: &[LookupRequest]) -> Option<Reading> {
        self.client.lookup(requests, self.netns)
    }
}

impl Netlink {
    /// Opens a source for the wanted sockets.
    ///
    /// # Errors
    /// [`crate::error::Error::Netlink`] where the kernel does not answer.
    pub(crate) fn open(wanted: &WantedRows, settings: PollSettings) -> Result<Self> {
        Ok(Self {
            // Before the first poll, so that no event is missed between them.
            listener: DestroyListener::open(wanted.family)?,
            dumps: Dumps::open(wanted, &settings)?,
            timer: PollTimer::new(settings),
            pause_end: Instant::now(),
            // Before the first poll there is nothing to receive.
            has_received: true,
            has_warned: false,
            warnings: Vec::new(),
        })
    }

    /// Dumps all sockets once.
    ///
    /// # Errors
    /// [`crate::error::Error::Netlink`]
    pub(crate) fn snapshot(&mut self) -> Result<Snapshot> {
        self.dumps.snapshot()
    }

    /// Waits for destroy events, or until the next poll is due.
    fn wait(&self, signals: &Signals) -> Result<Wake> {
        let Some(due) = self.timer.due() else { return Ok(Wake::Due) };
        if self.has_received {
            // What came before the poll is handed out: now it is the poll's turn.
            return signals.wait(Instant::now());
        }
        let wake = signals.wait(due.min(self.pause_end))?;
        if wake == Wake::Due && self.pause_end < due {
            return signals.wait_for(due, Some(self.listener.as_fd()));
        }
        Ok(wake)
    }

    fn receive(&mut self) -> Option<Reading> {
        self.pause_end = Instant::now() + PAUSE;
        self.listener.receive().map(Reading::DestroyEvents)
    }
}

impl Source for Netlink {
    fn next(&mut self, signals: &Signals) -> Result<Option<Reading>> {
        if let Some(reading) = self.timer.take_held_back() {
            return Ok(Some(reading));
        }
        loop {
            let wake = self.wait(signals)?;
            if !continues(wake)? {
                return Ok(self.timer.gap_at_end());
            }
            // Events before a poll come before it, but only once: then it is the poll's turn.
            let is_due = matches!(wake, Wake::Due | Wake::Woken);
            if is_due && self.has_received {
                break;
            }
            if let Some(events) = self.receive() {
                self.has_received = is_due;
                return Ok(Some(events));
            }
            if is_due {
                break;
            }
        }
        self.has_received = false;
        let poll = self.timer.start_poll(&mut self.warnings);
        let snapshot = self.snapshot()?;
        if snapshot.bad_rows > 0 && !std::mem::replace(&mut self.has_warned, true) {
            let messages = counted(snapshot.bad_rows, "message");
            self.warnings.push(format!(
                "{messages} of the kernel cannot be understood: sockets may be missing"
            ));
        }
        Ok(Some(self.timer.finish_poll(&poll, snapshot)))
    }

    fn lookup(&mut self, requests: &[LookupRequest]) -> Result<Option<Reading>> {
        Ok(self.dumps.lookup(requests))
    }

    fn recycle(&mut self, rows: Vec<SocketRow>) {
        self.dumps.recycle(rows);
    }

    fn context(&mut self) -> ReadingContext {
        let (due, tcp_infos) = (self.timer.due(), self.dumps.take_tcp_infos());
        ReadingContext { due, tcp_infos, ..ReadingContext::default() }
    }

    fn interface(&self) -> Interface {
        Interface::Netlink
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}
